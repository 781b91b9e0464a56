"""Files read, embedded and cut by the workers of a cluster, ahead of the library that stores them in order.

Enters: files, as bytes: the workers need no folder of ours. Leaves: `PreparedFile`s, the same that this
process would make. What is under way is bounded, so a folder of any size passes through.
"""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from backends.bulk.cluster import Call, Cluster, Workers
from backends.datatypes import PasswordNeeded, UserError
from backends.documents.preparing import FileToRead, PreparedFile, prepare
from backends.retrieval.embedding import Embedder
from backends.retrieval.shipped_vectors import shipped_vectors

AHEAD = 3  # files that a worker is given before the first of them is asked for


@dataclass(frozen=True)
class Refused:
    """Why a worker could not read a file: exceptions lose their words on the way."""

    why: str
    needs_password: bool


class FileWorker:
    """What each worker holds: an embedder, which loads at the first file."""

    def __init__(self, embedder: Embedder, scratch: Path | None) -> None:
        self._embedder = embedder
        self._scratch = scratch

    def prepare(self, data: bytes, file: FileToRead) -> PreparedFile | Refused:
        """Read, embed and cut the file with these contents."""
        with tempfile.TemporaryDirectory(prefix="triptych-", dir=self._scratch) as folder:
            path = Path(folder) / file.path.name
            path.write_bytes(data)
            try:
                return prepare(replace(file, path=path), self._embedder, shipped_vectors)
            except UserError as error:
                return Refused(str(error), isinstance(error, PasswordNeeded))


class ClusterPreparer:
    """Prepares files by the workers of a cluster; a `Preparer` of the library."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._ahead: Iterator[FileToRead] = iter(())
        self._begun: OrderedDict[tuple[Path, str], Call[PreparedFile | Refused]] = OrderedDict()

    def expect(self, files: Iterable[FileToRead]) -> None:
        self._ahead = iter(files)
        self._fill()

    def prepare(self, file: FileToRead, cancel: threading.Event | None = None) -> PreparedFile:
        key = (file.path, file.name)
        while key in self._begun and next(iter(self._begun)) != key:
            self._begun.popitem(last=False)  # turned out to be known when its turn came
        call = self._begun.pop(key, None) or self._begin(file)
        self._fill()
        made = self._workers.result(call, cancel)
        if isinstance(made, Refused):
            raise (PasswordNeeded if made.needs_password else UserError)(made.why)
        return made

    def _fill(self) -> None:
        while len(self._begun) < AHEAD * self._workers.count:
            file = next(self._ahead, None)
            if file is None:
                return
            self._begun[file.path, file.name] = self._begin(file)

    def _begin(self, file: FileToRead) -> Call[PreparedFile | Refused]:
        return self._workers.call(FileWorker.prepare, file.path.read_bytes(), file)


def reading_on(cluster: Cluster, embedder: Embedder) -> ClusterPreparer:
    """A preparer with one worker for each place of the cluster."""
    return ClusterPreparer(Workers(FileWorker, (embedder, cluster.scratch), cluster.size))
