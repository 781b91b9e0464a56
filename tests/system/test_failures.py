"""What the machine refuses is said in a sentence; what is a fault of the program is not."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from backends.system.failures import in_words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EMFILE, "Too many files"),
        (errno.EPIPE, None),
    ],
)
def test_errors_of_files(number: int, words: str | None) -> None:
    said = in_words(OSError(number, "x"))
    assert said is None if words is None else said is not None and words in said


def test_errors_of_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(sqlite3.DatabaseError) as damaged:
        sqlite3.connect(path).execute("SELECT * FROM sqlite_master")
    assert "database is damaged" in (in_words(damaged.value) or "")
    with pytest.raises(sqlite3.OperationalError) as wrong:
        sqlite3.connect(":memory:").execute("SELEC 1")
    assert in_words(wrong.value) is None


def test_the_rest() -> None:
    assert "memory" in (in_words(MemoryError()) or "")
    assert in_words(ValueError("x")) is None
