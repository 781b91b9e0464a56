"""Writes OLE compound files, the container of old Office documents and Outlook messages, for the tests.

Enters: streams by path. Leaves: bytes as [MS-CFB] lays them out, version 3: sectors of 512 bytes, small
streams in a stream of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise

SECTOR, MINI, SMALL = 512, 64, 4096
END, FREE, FAT, NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF
STORAGE, STREAM, ROOT = 1, 2, 5


def compound(streams: Mapping[str, bytes]) -> bytes:
    """A file with these streams; "folder/name" puts one into a storage."""
    folders = sorted({folder for path in streams for folder in above(path)})
    small = b"".join(padded(data, MINI) for data in streams.values() if len(data) < SMALL)
    fat: list[int] = []
    sectors: list[bytes] = []

    def place(data: bytes) -> int:
        """Append data as a chain of sectors; returns the first."""
        first, count = len(sectors), -(-len(data) // SECTOR)
        sectors.extend(cut(padded(data, SECTOR), SECTOR))
        fat.extend([*range(first + 1, first + count), END][:count])
        return first if count else END

    # Where each stream begins: in the stream of small ones, or in sectors of its own.
    starts: dict[str, int] = {}
    mini_fat: list[int] = []
    for path, data in streams.items():
        if len(data) < SMALL:
            first, count = len(mini_fat), -(-len(data) // MINI)
            mini_fat += [*range(first + 1, first + count), END][:count]
            starts[path] = first
        else:
            starts[path] = place(data)
    mini_start = place(small)
    mini_fat_start = place(words(mini_fat, FREE))
    directory_start = place(directory(streams, folders, starts, mini_start, len(small)))
    return header(sectors, fat, directory_start, mini_fat_start, len(mini_fat)) + b"".join(sectors)


def directory(
    streams: Mapping[str, bytes], folders: Sequence[str], starts: Mapping[str, int], mini: int, size: int
) -> bytes:
    """The root, then everything in it; siblings chain to the right."""
    names = [*streams, *folders]
    number = {name: at for at, name in enumerate(names, start=1)}
    inner = {place: [name for name in names if name.rpartition("/")[0] == place] for place in ["", *folders]}
    after = {one: number[two] for chain in inner.values() for one, two in pairwise(chain)}
    entries = [entry("Root Entry", ROOT, NONE, number[inner[""][0]], mini, size)]
    for name in names:
        last, right = name.rpartition("/")[2], after.get(name, NONE)
        if name in inner:
            entries.append(entry(last, STORAGE, right, number[inner[name][0]], 0, 0))
        else:
            entries.append(entry(last, STREAM, right, NONE, starts[name], len(streams[name])))
    return b"".join(entries)


def above(path: str) -> list[str]:
    """The folders a path lies in."""
    parts = path.split("/")
    return ["/".join(parts[:at]) for at in range(1, len(parts))]


def entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
    encoded = name.encode("utf-16-le") + b"\0\0"
    return struct.pack(
        "<64sHBBIII16sIQQIQ", encoded, len(encoded), kind, 1, NONE, right, child, b"", 0, 0, 0, start, size
    )


def header(sectors: list[bytes], fat: list[int], directory: int, mini_fat: int, minis: int) -> bytes:
    """The first sector; the allocation table is appended to the sectors, and says so of itself."""
    per = SECTOR // 4
    own = 1
    while len(fat) + own > own * per:
        own += 1
    first = len(sectors)
    sectors.extend(cut(words([*fat, *[FAT] * own], FREE), SECTOR))
    table = [*range(first, first + own)]
    return struct.pack(
        "<8s16sHHHHH6sIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, b"", 0, own, directory, 0, SMALL,
        mini_fat, -(-minis // per), END, 0,
    ) + struct.pack("<109I", *table, *[FREE] * (109 - own))  # fmt: skip


def words(values: Sequence[int], rest: int) -> bytes:
    """Numbers of four bytes, filled up to whole sectors."""
    count = -(-len(values) // (SECTOR // 4)) * (SECTOR // 4)
    return struct.pack(f"<{count}I", *values, *[rest] * (count - len(values)))


def padded(data: bytes, size: int) -> bytes:
    return data + b"\0" * (-len(data) % size)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]
