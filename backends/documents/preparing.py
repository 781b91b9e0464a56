"""The slow part of taking in a file: its text, its reading and its passages. Nothing is stored here.

Enters: a file with the settings to cut it by, and an embedder. Leaves: a `PreparedFile`, which the library
stores in one transaction. Because nothing is stored, any process of any machine can do it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from backends.datatypes import Chunk, Chunking, Document, ParsedFile
from backends.documents.reader_pool import parse_isolated
from backends.retrieval.chunking import chunk_document
from backends.retrieval.embedding import Embedder
from backends.retrieval.sentence_vectors import Read, Reading, read

EMBEDDED_AT_ONCE = 64  # windows between two looks at progress and cancellation


class ChunkSettings(Protocol):
    """The settings that passages depend on."""

    @property
    def chunk_size(self) -> int:
        """Tokens of a passage at most."""
        ...

    @property
    def chunk_overlap(self) -> int:
        """Tokens that neighbours share at most."""
        ...

    @property
    def chunking(self) -> Chunking:
        """How the borders are chosen."""
        ...


@dataclass(frozen=True)
class FileToRead:
    """A file under the name it will have in the library; an empty title leaves the file's own."""

    path: Path
    name: str
    settings: ChunkSettings
    title: str = ""
    passwords: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreparedFile:
    """What reading a file gave; the passages say 1 for the version that the library will give it."""

    parsed: ParsedFile
    read: Read
    chunks: tuple[Chunk, ...]


Parse = Callable[[FileToRead, threading.Event | None], ParsedFile]


class Preparer(Protocol):
    """Prepares files somewhere else, many at once."""

    def expect(self, files: Iterable[FileToRead]) -> None:
        """Files that will be asked for, in this order; as many as there is room for are begun."""
        ...

    def prepare(self, file: FileToRead, cancel: threading.Event | None = None) -> PreparedFile:
        """The file, as soon as it is ready. Raises UserError when it cannot be read or was cancelled."""
        ...


def parsed_now(file: FileToRead, cancel: threading.Event | None) -> ParsedFile:
    """The file's text, read in a process of its own while this thread waits."""
    return parse_isolated(file.path, file.name, passwords=file.passwords, cancel=cancel)


def prepare(
    file: FileToRead,
    embedder: Embedder,
    known: Callable[[Sequence[str]], Mapping[str, np.ndarray]],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    cancel: threading.Event | None = None,
    parse: Parse = parsed_now,
) -> PreparedFile:
    """Read, embed and cut one file here; `known` and `progress` as for `sentence_vectors.read`.

    Raises UserError when it cannot be read.
    """
    parsed = parse(file, cancel)
    document = Document(
        name=file.name,
        version=1,
        title=file.title or parsed.title,
        type=parsed.type,
        text=parsed.text,
        content_hash="",
        pages=parsed.pages,
    )
    made = read(document, embedder, known, progress, EMBEDDED_AT_ONCE)
    return PreparedFile(parsed, made, tuple(split(document, made.reading, file.settings)))


def split(document: Document, reading: Reading, settings: ChunkSettings) -> list[Chunk]:
    """The passages of a document, cut by these settings."""
    return chunk_document(
        document,
        chunk_size=settings.chunk_size,
        chunk_overlap=settings.chunk_overlap,
        tokenizer=reading,
        chunking=settings.chunking,
        vectors_of=reading.vectors,
    )
