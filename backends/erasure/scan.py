"""Reads every file below a folder for pieces of text: the proof that something is gone.

Enters: folders and pieces. Leaves: a `Scan` with the files that hold one. Bytes are searched as they lie on
the disk (so also in free pages and journals), in UTF-8, UTF-16 and as JSON writes them; gzip and zip files
are unpacked, and SQLite files are read value by value, because long values are scattered over pages.
"""

from __future__ import annotations

import gzip
import json
import mmap
import sqlite3
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SQLITE = b"SQLite format 3\0"
GZIP = b"\x1f\x8b"
ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
BLOCK = 1 << 22

Contains = Callable[[bytes], bool]


@dataclass(frozen=True)
class Scan:
    """What was read, and the files, relative to the folder, that still hold a piece."""

    files: int = 0
    bytes: int = 0
    pieces: int = 0
    found_in: tuple[str, ...] = ()


def scan(folders: Sequence[Path], pieces: Sequence[str]) -> Scan:
    """Look for every piece in every file; names are relative to the first folder where they can be."""
    needles = needles_of(pieces)
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    size, found = 0, []
    for path in files:
        try:
            size += path.stat().st_size
            if holds(path, needles):
                inside = path.is_relative_to(folders[0])
                found.append((path.relative_to(folders[0]) if inside else path).as_posix())
        except FileNotFoundError:  # a journal that its owner has just removed
            continue
    return Scan(len(files), size, len(pieces), tuple(found))


def needles_of(pieces: Iterable[str]) -> list[bytes]:
    """Every piece as bytes: UTF-8, UTF-16, and escaped as JSON does it."""
    needles: dict[bytes, None] = {}
    for piece in pieces:
        needles[piece.encode()] = None
        needles[piece.encode("utf-16-le")] = None
        needles[json.dumps(piece)[1:-1].encode()] = None
        needles[json.dumps(piece, ensure_ascii=False)[1:-1].encode()] = None
    return list(needles)


def holds(path: Path, needles: Sequence[bytes]) -> bool:
    """Whether a file holds one of the needles, as it lies there or unpacked."""
    if not needles or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
            if any(raw.find(needle) >= 0 for needle in needles):
                return True
            head = raw[:16]
        if head.startswith(GZIP):
            file.seek(0)
            return _in_gzip(file, needles)
    if head == SQLITE:
        return _in_database(path, needles)
    return zipfile.is_zipfile(path) and _in_zip(path, needles)


def _in_stream(stream: BinaryIO | gzip.GzipFile, needles: Sequence[bytes]) -> bool:
    longest = max(map(len, needles))
    rest = b""
    while block := stream.read(BLOCK):
        window = rest + block
        if any(needle in window for needle in needles):
            return True
        rest = window[-longest:]
    return False


def _in_gzip(file: BinaryIO, needles: Sequence[bytes]) -> bool:
    try:
        return _in_stream(gzip.GzipFile(fileobj=file), needles)
    except (OSError, EOFError, zlib.error):  # it only looked like one, and its bytes were read above
        return False


def _in_zip(path: Path, needles: Sequence[bytes]) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    if _in_stream(member, needles):  # type: ignore[arg-type]
                        return True
    except (zipfile.BadZipFile, OSError, RuntimeError, zlib.error):  # damaged or locked: as above
        return False
    return False


def _in_database(path: Path, needles: Sequence[bytes]) -> bool:
    db = sqlite3.connect(path, timeout=60)
    try:
        return any(
            any(needle in data for needle in needles) for value in _values(db) for data in _forms(value)
        )
    except sqlite3.DatabaseError:  # not a database after all: its bytes were read above
        return False
    finally:
        db.close()


def _values(db: sqlite3.Connection) -> Iterator[str | bytes]:
    """Every text and blob of every table."""
    db.text_factory = bytes
    tables = [row[0].decode() for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        for row in db.execute(f'SELECT * FROM "{table}"'):
            yield from (value for value in row if isinstance(value, bytes | str))


def _forms(value: str | bytes) -> Iterator[bytes]:
    """The value, and unpacked if it is compressed."""
    data = value.encode() if isinstance(value, str) else value
    yield data
    try:
        if data.startswith(ZLIB):
            yield zlib.decompress(data)
        elif data.startswith(GZIP):
            yield gzip.decompress(data)
    except (zlib.error, OSError, EOFError):  # a number that begins like a packed text
        return
