"""Reads every file below a folder for pieces of text: the proof that something is gone.

Enters: folders and pieces. Leaves: a `Scan` with the files that hold one, and those that nobody could read.
Bytes are searched as they lie on the disk (so also in free pages and journals), in UTF-8, UTF-16 and as JSON
writes them; gzip and zip files are unpacked, and SQLite files are read value by value, because long values
are scattered over pages. Files are read, never mapped: one may be cut short meanwhile.
"""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from backends.system.reporting import Report

SQLITE = b"SQLite format 3\0"
GZIP = b"\x1f\x8b"
ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
BLOCK = 1 << 22


class SupportsRead(Protocol):
    """What bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes at most."""
        ...


@dataclass(frozen=True)
class Scan:
    """What was read. Files are named relative to the first folder, or in full where they lie elsewhere."""

    files: int = 0
    bytes: int = 0
    pieces: int = 0
    found_in: tuple[str, ...] = ()  # files that still hold a piece
    unread: tuple[str, ...] = ()  # files that could not be read

    def __add__(self, other: Scan) -> Scan:
        """Both, for the same pieces."""
        return Scan(
            self.files + other.files,
            self.bytes + other.bytes,
            self.pieces,
            (*self.found_in, *other.found_in),
            (*self.unread, *other.unread),
        )


def scan(folders: Sequence[Path], pieces: Sequence[str], report: Report = lambda *_: None) -> Scan:
    """Look for every piece in every file. A file that is gone by then holds nothing and is not counted."""
    needles = encoded_pieces(pieces)
    walk = FilesBelow(folders)
    size, read = 0, 0
    found: list[str] = []
    for number, path in enumerate(walk.files):
        report(number, len(walk.files), path.name)
        try:
            size += path.stat().st_size
            if holds(path, needles):
                found.append(walk.name(path))
            read += 1
        except FileNotFoundError:
            continue
        except OSError:
            walk.unread.append(path)
    return Scan(read, size, len(pieces), tuple(found), tuple(map(walk.name, walk.unread)))


def scan_dumps(dumps: Iterable[tuple[str, Iterator[bytes]]], pieces: Sequence[str]) -> Scan:
    """Look for every piece in what a database sends of each of its tables; they count as files."""
    needles = encoded_pieces(pieces)
    found: list[str] = []
    read = size = 0
    for name, blocks in dumps:
        stream = _Counted(blocks)
        if needles and _in_stream(stream, needles):
            found.append(name)
        read += 1
        size += stream.size
    return Scan(read, size, len(pieces), tuple(found))


class _Counted:
    """Blocks of bytes as a stream, which counts them."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self.size = 0

    def read(self, size: int, /) -> bytes:
        """At least `size` bytes, fewer at the end alone."""
        parts: list[bytes] = []
        held = 0
        while held < size and (block := next(self._blocks, b"")):
            parts.append(block)
            held += len(block)
        self.size += held
        return b"".join(parts)


class FilesBelow:
    """Every file below some folders; folders that may not be listed are among the `unread`."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._first = folders[0]
        self.unread: list[Path] = []
        self.files = [file for folder in folders for file in sorted(self._below(folder))]

    def _below(self, folder: Path) -> Iterator[Path]:
        for parent, _, names in os.walk(folder, onerror=self._refused):
            yield from (file for name in names if (file := Path(parent, name)).is_file())

    def _refused(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            self.unread.append(Path(error.filename))

    def name(self, path: Path) -> str:
        """Relative to the first folder where it lies in there."""
        inside = path.is_relative_to(self._first)
        return (path.relative_to(self._first) if inside else path).as_posix()


def encoded_pieces(pieces: Iterable[str]) -> list[bytes]:
    """Every piece as bytes: UTF-8, UTF-16, and escaped as JSON does it."""
    needles: dict[bytes, None] = {}
    for piece in pieces:
        needles[piece.encode()] = None
        needles[piece.encode("utf-16-le")] = None
        needles[json.dumps(piece)[1:-1].encode()] = None
        needles[json.dumps(piece, ensure_ascii=False)[1:-1].encode()] = None
    return list(needles)


def holds(path: Path, needles: Sequence[bytes]) -> bool:
    """Whether a file holds one of the needles, as it lies there or unpacked. Raises OSError."""
    if not needles:
        return False
    with path.open("rb") as file:
        head = file.read(len(SQLITE))
        file.seek(0)
        if _in_stream(file, needles):
            return True
        if head.startswith(GZIP):
            file.seek(0)
            return _in_gzip(file, needles)
    if head == SQLITE:
        return _in_database(path, needles)
    return zipfile.is_zipfile(path) and _in_zip(path, needles)


def _in_stream(stream: SupportsRead, needles: Sequence[bytes]) -> bool:
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
                    if _in_stream(member, needles):
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
