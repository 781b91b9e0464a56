"""Files that are written whole, and files that several write to at once."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from backends.datatypes import UserError
from backends.system.files import append_line, move_into_place, read_json, rewrite, write_whole


def test_lines_of_many_writers_survive_many_rewrites(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"

    def write(writer: int) -> None:
        for number in range(50):
            append_line(path, json.dumps([writer, number]))

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for each in writers:
        each.start()
    while any(each.is_alive() for each in writers):
        if path.exists():
            rewrite(path, lambda data: data.replace(b"[0, ", b"[9, "))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(n for _, n in lines) == sorted(list(range(50)) * 4)
    assert all([n for w, n in lines if w == writer] == list(range(50)) for writer in (1, 2, 3))


def test_a_line_that_a_killed_writer_left_unfinished_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"whole": 1}\n{"torn')
    append_line(path, '{"whole": 2}')
    assert path.read_text() == '{"whole": 1}\n{"whole": 2}\n'
    path.write_text('{"torn from the beg')
    append_line(path, "{}")
    assert path.read_text() == "{}\n"


def test_a_rewrite_that_changes_nothing_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_whole(path, "{}")
    before = path.stat()
    assert not rewrite(path, lambda data: None)
    assert path.stat().st_ino == before.st_ino and path.stat().st_mtime_ns == before.st_mtime_ns


def test_what_has_returned_survives_a_loss_of_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contents are synced before their name is given, and the folder that holds the name afterwards."""
    told: list[tuple[str, bool]] = []
    fsync = os.fsync

    def noting(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        told.append((path.name, path.is_dir()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noting)
    write_whole(tmp_path / "a.json", "{}")
    assert [is_dir for _, is_dir in told] == [False, True] and told[1][0] == tmp_path.name
    told.clear()
    append_line(tmp_path / "b.jsonl", "{}")
    assert told == [("b.jsonl", False)]
    told.clear()
    made = tmp_path / ".made"
    made.mkdir()
    (made / "weights").write_text("w")
    move_into_place(made, tmp_path / "made")
    assert told == [("weights", False), (".made", True), (tmp_path.name, True)]
    assert (tmp_path / "made" / "weights").read_text() == "w"


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"half')
    with pytest.raises(UserError, match=r"a\.json is damaged"):
        read_json(tmp_path / "a.json")
