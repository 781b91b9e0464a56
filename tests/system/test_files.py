"""Files that are written whole, and files that several write to at once."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from backends.system.files import append_line, rewrite, write_whole


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
