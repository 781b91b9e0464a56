"""How many threads a container has time for, and memory that goes back to the system."""

from __future__ import annotations

import os
import subprocess
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


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
def test_holes_of_freed_memory_go_back() -> None:
    """Arrays below glibc's largest threshold (32 MB) lie in the heap; what is kept above holds them."""
    script = """
import ctypes, psutil
from backends.system.hardware import give_back_memory
heap = ctypes.CDLL(None)
heap.malloc.restype, heap.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
heap.free.argtypes = [ctypes.c_void_p]
heap.mallopt(-3, 33_554_432)  # M_MMAP_THRESHOLD: all of these come from the heap
freed = []
for _ in range(100):
    freed.append(heap.malloc(2_000_000))
    ctypes.memset(freed[-1], 1, 2_000_000)
    heap.malloc(100_000)
for each in freed:
    heap.free(each)
before = psutil.Process().memory_info().rss
give_back_memory()
print(before - psutil.Process().memory_info().rss)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(told.stdout) > 150_000_000
