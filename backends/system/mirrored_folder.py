"""A folder of this machine that shows what all machines share: one index in the shared files, and blobs.

Enters: a folder whose entries (files, folders) others may change too. Leaves: the same entries on every
machine. An entry appears whole, because the index that names its blobs is swapped in one step, and is moved
into its place here once all its files lie on the disk. It knows not what the entries are.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from stat import S_ISREG

from backends.datatypes import UserError
from backends.system.files import move_into_place, write_whole
from backends.system.shared_files import BLOBS, SharedFiles, StoredFile, blob, digest, keep_blob

SEEN = ".mirrored.json"  # in the folder: the index that it was last brought to
LOOK_EVERY = 2.0  # seconds
ATTEMPTS = 8

Index = dict[str, str]  # path below the folder -> the blob that it is
log = logging.getLogger(__name__)


class MirroredFolder:
    """One folder here and its index in the shared files. Whoever changes the folder holds its own lock.

    What was changed here and could not be shared, because the files did not answer, is shared later.
    """

    def __init__(self, files: SharedFiles, name: str, folder: Path) -> None:
        self._files = files
        self._key = f"{name}/index.json"
        self._folder = folder
        self._looked = float("-inf")
        self._known: dict[tuple[str, int, int], str] = {}  # (path, size, time) -> its blob

    def outdated(self) -> bool:
        """Whether the folder and what is shared differ; looked at every few seconds."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return False
        self._looked = time.monotonic()
        try:
            return not self._shared() == self._seen() == self._here()
        except UserError as error:
            log.warning("%s What lies on this machine is used.", error)
            return False

    def exchange(self) -> None:
        """Take in what others changed and share what was changed here; told in the log where that fails."""
        try:
            self._exchange()
        except UserError as error:
            log.warning("%s It is tried again later.", error)

    def _exchange(self) -> None:
        for _ in range(ATTEMPTS):
            found = self._files.get(self._key)
            shared = _index(found)
            here, seen = self._here(), self._seen()
            mine = [
                entry
                for entry in _entries(here, seen)
                if _below(here, entry) != _below(seen, entry)
                and (_below(seen, entry) or not _below(shared, entry))  # never seen: theirs was there first
            ]
            changed = {path: name for path, name in here.items() if path.partition("/")[0] in mine}
            merged = {path: name for path, name in shared.items() if path.partition("/")[0] not in mine}
            merged |= changed
            if merged != shared:
                self._keep(changed)
                data = json.dumps(merged, sort_keys=True).encode()
                if not self._files.swap(self._key, data, found.mark if found is not None else None):
                    continue  # another machine was faster: its change is taken in first
                self._keep(changed)  # one may have been dropped while nothing named it
                for name in set(shared.values()) - set(merged.values()):
                    self._files.remove(BLOBS + name)
            self._bring(merged, here, seen)
            return
        raise UserError(f"{self._files.name} is being changed by others all the time.")

    def _keep(self, changed: Index) -> None:
        for path in changed:
            keep_blob(self._files, self._folder / path)

    def _bring(self, shared: Index, here: Index, seen: Index) -> None:
        """Let the folder hold what is shared. A folder that was made on two machines under one name stays
        two: neither is worth less than the other."""
        brought = dict(shared)
        for entry in _entries(here, shared):
            wanted, had = _below(shared, entry), _below(here, entry)
            if wanted == had:
                continue
            if wanted and had and not _below(seen, entry) and (self._folder / entry).is_dir():
                log.warning("%s was made here and elsewhere: each keeps its own until one is removed.", entry)
                brought = {path: name for path, name in brought.items() if path not in wanted}
            else:
                self._place(entry, wanted)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._folder / SEEN, json.dumps(brought, sort_keys=True))

    def _place(self, entry: str, wanted: Index) -> None:
        """Put an entry in its place, whole; nothing wanted: it goes."""
        target = self._folder / entry
        partial = self._folder / f".{entry}.{uuid.uuid4().hex}.partial"
        # Killed between the two names, whoever owns the folder gives an `.old` one its name back.
        gone = self._folder / f".{entry}.{uuid.uuid4().hex}.{'old' if wanted else 'gone'}"
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            for path, name in wanted.items() if entry not in wanted else ():
                made = partial / PurePosixPath(path).relative_to(entry)
                made.parent.mkdir(parents=True, exist_ok=True)
                made.write_bytes(blob(self._files, name))
            if target.is_dir():
                target.rename(gone)
            elif not wanted:
                target.unlink(missing_ok=True)
            if entry in wanted:  # a file
                write_whole(target, blob(self._files, wanted[entry]))
            elif wanted:
                move_into_place(partial, target)
        finally:
            for left in (partial, gone):
                shutil.rmtree(left, ignore_errors=True)

    def _shared(self) -> Index:
        return _index(self._files.get(self._key))

    def _seen(self) -> Index:
        try:
            return dict(json.loads((self._folder / SEEN).read_bytes()))
        except (FileNotFoundError, ValueError):  # never looked, or damaged: all that is here is ours
            return {}

    def _here(self) -> Index:
        """What lies in the folder; hidden entries are under way, or this machine's alone."""
        found: Index = {}
        for path in sorted(self._folder.rglob("*")):
            inside = path.relative_to(self._folder)
            if any(part.startswith(".") for part in inside.parts):
                continue
            with suppress(FileNotFoundError):  # replaced meanwhile
                status = path.stat()
                if S_ISREG(status.st_mode):
                    key = (inside.as_posix(), status.st_size, status.st_mtime_ns)
                    self._known[key] = self._known.get(key) or digest(path.read_bytes())
                    found[inside.as_posix()] = self._known[key]
        return found


def _index(found: StoredFile | None) -> Index:
    return dict(json.loads(found.data)) if found is not None else {}


def _entries(*indexes: Mapping[str, str]) -> list[str]:
    """First parts of all paths."""
    return list(dict.fromkeys(path.partition("/")[0] for index in indexes for path in index))


def _below(index: Index, entry: str) -> Index:
    return {path: name for path, name in index.items() if path.partition("/")[0] == entry}
