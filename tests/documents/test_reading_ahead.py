"""Files are read ahead of their turn, in order, in bounded number, and as they are when their turn comes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.datatypes import ParsedFile, UserError
from backends.documents.limits import MB
from backends.documents.preparing import FileToRead
from backends.documents.reading_ahead import AHEAD, LARGEST, ReadAhead
from backends.settings import make_settings


class Shelf:
    """Files of a folder, and who read them: counts what was begun before it was asked for."""

    def __init__(self, folder: Path, count: int) -> None:
        self.files = []
        for number in range(count):
            (folder / f"{number}.md").write_text(f"text {number}")
            self.files.append(FileToRead(folder / f"{number}.md", f"{number}.md", make_settings()))
        self.begun: list[str] = []
        self.looked_at = 0

    def __iter__(self) -> Iterator[FileToRead]:
        for file in self.files:
            self.looked_at += 1
            yield file

    def parse(self, file: FileToRead, cancel: threading.Event | None) -> ParsedFile:
        self.begun.append(file.name)
        return ParsedFile(file.path.read_text(), file.name, "md")


def test_every_file_is_read_once_and_no_more_than_a_few_before_their_turn(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 7)
    with ReadAhead(shelf, shelf.parse) as ahead:
        for number, file in enumerate(shelf.files):
            assert shelf.looked_at <= number + AHEAD
            assert ahead.parsed(file, None).text == f"text {number}"
    assert sorted(shelf.begun) == [file.name for file in shelf.files]


def test_files_that_nobody_asks_for_make_room_for_the_next(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 6)
    with ReadAhead(shelf, shelf.parse) as ahead:
        assert ahead.parsed(shelf.files[1], None).text == "text 1"
        assert ahead.parsed(shelf.files[4], None).text == "text 4"
        assert ahead.parsed(shelf.files[5], None).text == "text 5"


def test_a_file_that_changed_meanwhile_is_read_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 2)
    with ReadAhead(shelf, shelf.parse) as ahead:
        ahead.parsed(shelf.files[0], None)
        shelf.files[1].path.write_text("quite another text")
        assert ahead.parsed(shelf.files[1], None).text == "quite another text"


def test_large_files_and_files_that_are_gone_wait_for_their_turn(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 2)
    os.truncate(shelf.files[0].path, LARGEST + MB)
    shelf.files[1].path.unlink()
    with ReadAhead(shelf, shelf.parse) as ahead:
        assert shelf.looked_at == AHEAD and shelf.begun == []
        ahead.parsed(shelf.files[0], None)
        with pytest.raises(FileNotFoundError):
            ahead.parsed(shelf.files[1], None)


def test_why_a_file_cannot_be_read_is_told_at_its_turn_and_the_next_one_follows(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 3)

    def parse(file: FileToRead, cancel: threading.Event | None) -> ParsedFile:
        if file.name == "1.md":
            raise UserError("1.md is empty.")
        return shelf.parse(file, cancel)

    with ReadAhead(shelf, parse) as ahead:
        assert ahead.parsed(shelf.files[0], None).text == "text 0"
        with pytest.raises(UserError, match=r"1\.md is empty"):
            ahead.parsed(shelf.files[1], None)
        assert ahead.parsed(shelf.files[2], None).text == "text 2"


def test_whoever_cancels_waits_for_nothing_and_leaving_stops_what_is_under_way(tmp_path: Path) -> None:
    shelf, cancel = Shelf(tmp_path, 2), threading.Event()
    stopped = []

    def endless(file: FileToRead, stop: threading.Event | None) -> ParsedFile:
        assert stop is not None
        stop.wait()
        stopped.append(file.name)
        raise UserError("Cancelled.")

    with ReadAhead(shelf, endless) as ahead:
        cancel.set()
        with pytest.raises(UserError, match="Cancelled"):
            ahead.parsed(shelf.files[0], cancel)
        assert stopped == []
    assert sorted(stopped) == ["0.md", "1.md"]
