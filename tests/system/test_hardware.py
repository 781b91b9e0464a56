"""How many threads a container's quota has time for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from backends.system import hardware
from backends.system.hardware import bound_threads, cpu_quota


def group(root: Path, path: str, **files: str) -> None:
    (root / path).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / path / name.replace("__", ".")).write_text(text)


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cgroup"
    path.write_text(text)
    return path


def test_without_a_quota_there_is_none(tmp_path: Path) -> None:
    root = tmp_path / "fs"
    assert cpu_quota(root, own(tmp_path, "0::/\n")) is None
    group(root, ".", cpu__max="max 100000\n")
    assert cpu_quota(root, own(tmp_path, "0::/\n")) is None
    assert cpu_quota(root, tmp_path / "nothing") is None


def test_the_tightest_quota_around_the_process_counts(tmp_path: Path) -> None:
    root = tmp_path / "fs"
    group(root, "pods", cpu__max="150000 100000\n")
    group(root, "pods/one", cpu__max="max 100000\n")
    group(root, "pods/other", cpu__max="10000 100000\n")
    assert cpu_quota(root, own(tmp_path, "0::/pods/one\n")) == 1.5


def test_the_older_layout_is_read_too(tmp_path: Path) -> None:
    root = tmp_path / "fs"
    group(root, "cpu/docker/abc", cpu__cfs_quota_us="400000\n", cpu__cfs_period_us="100000\n")
    lines = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n"
    assert cpu_quota(root, own(tmp_path, lines)) == 4
    group(root, "cpu/docker/abc", cpu__cfs_quota_us="-1\n")
    assert cpu_quota(root, own(tmp_path, lines)) is None


@pytest.mark.parametrize(
    ("quota", "processors", "threads"), [(None, 8, None), (8.0, 8, None), (2.5, 8, 2), (0.5, 8, 1)]
)
def test_threads_are_bounded_by_the_quota_unless_somebody_chose(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, processors: int, threads: int | None
) -> None:
    monkeypatch.setattr(hardware, "cpu_quota", lambda: quota)
    monkeypatch.setattr(hardware, "processors", lambda: processors)
    monkeypatch.setattr(sys, "modules", {})  # torch is not loaded yet
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert bound_threads() == threads
    assert os.environ.pop("OMP_NUM_THREADS", None) == (str(threads) if threads else None)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    bound_threads()
    assert os.environ["OMP_NUM_THREADS"] == "3"
