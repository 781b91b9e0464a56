"""What a cluster on this machine leaves on the disk: nothing, also what a killed call left."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from backends.bulk import cluster
from backends.datatypes import UserError
from tests.scale.conftest import needed


def test_folders_go_with_their_call_and_those_of_killed_calls_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / f"{cluster.FOLDER}left"
    used = tmp_path / f"{cluster.FOLDER}used"
    for folder in (left, used):
        folder.mkdir()
        (folder / "spilled").write_text("a document's words", encoding="utf-8")
    lock = cluster._locked(used)
    assert lock is not None
    with cluster._folder() as mine:
        assert {path.name for path in tmp_path.iterdir()} == {mine.name, used.name}
    assert {path.name for path in tmp_path.iterdir()} == {used.name}
    os.close(lock)


def test_an_address_without_a_cluster_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    needed("ray")
    with (
        pytest.raises(UserError, match=r"no Ray cluster at 127\.0\.0\.1:1"),
        cluster.opened("127.0.0.1:1", None),
    ):
        pass


class SlowRay:
    """Gives up on itself as often as told, as Ray does on a machine that is too busy."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.begun = self.ended = 0

    def init(self, **options: object) -> None:
        self.begun += 1
        if self.begun <= self.failures:
            raise Exception("The current node timed out during startup.")

    def shutdown(self) -> None:
        self.ended += 1


def test_a_busy_machine_is_given_more_time_and_then_a_sentence(tmp_path: Path) -> None:
    slow, dead = SlowRay(2), SlowRay(9)
    cluster._start(slow, 2, tmp_path)
    assert (slow.begun, slow.ended) == (3, 2)
    with pytest.raises(UserError, match="could be started on this machine: The current node timed out"):
        cluster._start(dead, 2, tmp_path)
    assert (dead.begun, dead.ended) == (cluster.STARTS, cluster.STARTS)
