"""Files that app servers and workers share: in a folder that all of them reach, or in a bucket.

Enters: bytes under a key. Leaves: the same bytes, whole or not at all, for every machine. What lies under
`blobs/` is named by its contents, so that the same file is there once and none is ever changed. It knows
neither adapters nor documents. Buckets are in `bucket_files`.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backends.datatypes import UserError
from backends.system.files import write_whole

BLOBS = "blobs/"
LOCK = ".lock"


@dataclass(frozen=True)
class StoredFile:
    """Bytes as they lay there, and the mark by which a change since is told."""

    data: bytes
    mark: str


class SharedFiles(Protocol):
    """Files by key (`adapters/index.json`). Safe to use from several threads, processes and machines."""

    @property
    def name(self) -> str:
        """What it is called in messages; never a password."""
        ...

    @property
    def limits(self) -> tuple[str, ...]:
        """What removing a file cannot reach: short sentences for the proof of a forgetting."""
        ...

    def get(self, key: str) -> StoredFile | None:
        """What lies under a key; None when nothing does."""
        ...

    def holds(self, key: str) -> bool:
        """Whether something lies under a key."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes under a key; whoever reads meanwhile finds the old ones or the new."""
        ...

    def swap(self, key: str, data: bytes, mark: str | None) -> bool:
        """The same where what lies there still has this mark (None: where nothing lies); whether it was."""
        ...

    def remove(self, key: str) -> None:
        """Remove what lies under a key with all its earlier versions."""
        ...

    def keys(self, prefix: str = "") -> list[str]:
        """Every key that begins so and has something or an earlier version of it."""
        ...

    def dumps(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Everything that can still be read, earlier versions too: names, and the bytes of each."""
        ...


def digest(data: bytes) -> str:
    """What a blob is named by."""
    return hashlib.sha256(data).hexdigest()


def keep_blob(files: SharedFiles, path: Path) -> None:
    """Keep a file under the name of its contents; it is there when this returns."""
    data = path.read_bytes()
    if not files.holds(BLOBS + digest(data)):
        files.put(BLOBS + digest(data), data)


def blob(files: SharedFiles, named: str) -> bytes:
    """The bytes of this name. UserError when they are gone or are others."""
    found = files.get(BLOBS + named)
    if found is None or digest(found.data) != named:
        what = "holds no file" if found is None else "has damaged the file"
        raise UserError(f"{files.name} {what} {named[:12]}.")
    return found.data


class FolderFiles:
    """Files in a folder, on a disk that the machines share."""

    limits = ("Snapshots and backups of the folder that servers share keep what they copied from it.",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = f"The folder {folder}"

    def get(self, key: str) -> StoredFile | None:
        """What lies under a key."""
        try:
            data = (self._folder / key).read_bytes()
        except FileNotFoundError:
            return None
        return StoredFile(data, digest(data))

    def holds(self, key: str) -> bool:
        """Whether something lies under a key."""
        return (self._folder / key).is_file()

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes under a key."""
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)

    def swap(self, key: str, data: bytes, mark: str | None) -> bool:
        """Keep them if what lies there still has this mark."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / LOCK).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            found = self.get(key)
            if (found.mark if found is not None else None) != mark:
                return False
            self.put(key, data)
            return True

    def remove(self, key: str) -> None:
        """Remove what lies under a key."""
        (self._folder / key).unlink(missing_ok=True)

    def keys(self, prefix: str = "") -> list[str]:
        """Every key that begins so; files on their way are none."""
        found = (path for path in self._folder.rglob("*") if path.is_file() and path.name[0] != ".")
        names = (path.relative_to(self._folder).as_posix() for path in found)
        return sorted(name for name in names if name.startswith(prefix))

    def dumps(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Every file."""
        for key in self.keys():
            found = self.get(key)
            yield f"{self.name}: {key}", iter([found.data] if found is not None else [])
