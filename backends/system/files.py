"""Where the repository's own files lie, and files written whole or not at all, also by several at once.

Enters: a path and contents. Leaves: that file, old or new, never half of it. JSON is the one format it knows.
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from backends.datatypes import JsonValue, UserError

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_CORPUS = ROOT / "sample_corpus"
SAMPLE_RESULTS = SAMPLE_CORPUS / "results"  # measured by sample_corpus/example_results.py
MODELS = ROOT / "models"


def write_whole(path: Path, contents: str | bytes) -> None:
    """Replace the file at `path`; text is written as UTF-8. It is on the disk when this returns.

    Whoever reads meanwhile, or after a crash, finds the old contents or the new. Raises OSError.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with partial.open("wb") as file:
            file.write(contents.encode("utf-8") if isinstance(contents, str) else contents)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have a file's contents, or the names in a folder, on the disk when this returns. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move_into_place(made: Path, target: Path) -> None:
    """Give a finished folder its name: its files are on the disk before, and the name when this returns.

    After a crash there is no folder of that name or a whole one. Raises OSError.
    """
    for path in (*made.rglob("*"), made):
        sync(path)
    made.rename(target)
    sync(target.parent)


def read_json(path: Path) -> JsonValue:
    """What a JSON file of ours holds. UserError, naming it, when it is damaged; raises OSError."""
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise UserError(
            f"The file {path} is damaged ({error}): put a copy of it back, or delete it."
        ) from error


def append_line(path: Path, line: str) -> None:
    """Add a line of UTF-8 text, without its line end, to a file that others add to or `rewrite` meanwhile.

    A last line that a killed writer left unfinished is dropped first. It is on the disk when this returns.
    Raises OSError.
    """
    with _alone_with(path, "ab+") as file:
        size = file.seek(0, os.SEEK_END)
        whole = _end_of_last_line(file, size)
        if whole < size:
            file.truncate(whole)
        file.write(line.encode("utf-8") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def rewrite(path: Path, changed: Callable[[bytes], bytes | None]) -> bool:
    """Replace a file by what `changed` makes of its contents; None leaves it. Whether it was replaced.

    What is appended meanwhile waits and goes into the new file. Raises OSError; a file that is gone has
    nothing to be replaced.
    """
    try:
        with _alone_with(path, "rb") as file:
            new = changed(file.read())
            if new is not None and _is_at(file, path):
                write_whole(path, new)
                return True
            again = new is not None
    except FileNotFoundError:
        return False
    # Somebody has put another file in its place, whole: that one is to be changed.
    return rewrite(path, changed) if again else False


@contextmanager
def _alone_with(path: Path, mode: str) -> Iterator[BinaryIO]:
    """The file at `path`, opened and locked, and still the one at `path` once the lock is there."""
    while True:
        with path.open(mode) as opened:
            file: BinaryIO = opened  # type: ignore[assignment]  # every mode here is a binary one
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_at(file, path):
                yield file
                return


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _end_of_last_line(file: BinaryIO, size: int, block: int = 1 << 16) -> int:
    """The place after the last line end in the first `size` bytes; 0 where there is none."""
    end = size
    while end > 0:
        start = max(0, end - block)
        file.seek(start)
        at = file.read(end - start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0
