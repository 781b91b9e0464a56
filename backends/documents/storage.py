"""What the library needs of where its documents are kept: one protocol, and the records that pass through it.

Enters: documents with what was made of them. Leaves: the same records, after a restart and for every process
too. `store.Workspace` keeps them in a file of the workspace, `postgres.postgres_store` in a database that
several app servers share; one contract suite holds both to what stands here. A collection is a set of
documents: "" is the library itself, other names are folders that took its place for a call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from backends.datatypes import CatalogueEntry, Chunk, Document, HistoryEntry
from backends.retrieval.passages import Passages

SCHEMES_KEPT = 6  # ways to cut a document whose passages are kept; others take a moment to cut again
SET_ASIDE = "forgotten:"  # collections of documents on their way out: <this><ticket>:<number>
ERASING = "erasing:"  # keys of small values, one per erasure that is not finished
PROVED = "proved:"  # the same, one per erasure whose proof nobody has dismissed
PROOFS_KEPT = 50


@dataclass(frozen=True)
class StoredDocument:
    """A document with the id of its row."""

    id: int
    document: Document


@dataclass(frozen=True)
class StoredReading:
    """How a document was read: offsets of its tokens (t, 2) and parts (n, 2), and a vector for each part."""

    tokens: np.ndarray
    parts: np.ndarray
    means: np.ndarray  # (n, d) float16


@dataclass(frozen=True)
class Erasure:
    """A document on its way out: under `ticket` its rows wait, unseen, until every trace of it is gone."""

    ticket: str
    collection: str
    name: str
    versions: int = 0
    folders: tuple[str, ...] = ()  # collections of folders that held a copy
    elsewhere: tuple[str, ...] = ()  # folders beside the workspace's own that hold records made from it


@dataclass(frozen=True)
class Purged:
    """What a removal took out of the workspace."""

    versions: int
    characters: int
    chunks: int
    vectors: int


@dataclass(frozen=True)
class KeptReading:
    """A reading with its windows (key, parts) and their means by key, to be stored elsewhere as it is."""

    embedder: str
    offsets: tuple[np.ndarray, np.ndarray]
    windows: Sequence[tuple[str, int]]
    means: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class StoredVersion:
    """A version of a document with all that was made of it but its passages."""

    document: Document
    original: bytes | None
    readings: Sequence[KeptReading]


class StoredPassages(Passages, Protocol):
    """Passages of one scheme that one role may read, searched where they are stored, as they are now."""

    @property
    def state(self) -> object:
        """Another one after every change of the collection's documents or passages, whoever made it."""
        ...

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    @property
    def missing(self) -> Sequence[str]:
        """Names of the collection's current documents, for any role, that were never cut so."""
        ...


class Store(Protocol):
    """Keeps documents, versions, readings, passages and vectors. Safe to share between threads."""

    @property
    def path(self) -> Path:
        """The workspace's folder on this machine, where adapters, runs, votes and logs lie."""
        ...

    @property
    def name(self) -> str:
        """What it is called in messages; never a password."""
        ...

    @property
    def identity(self) -> tuple[object, ...]:
        """The same for two objects over the same data, another once that was removed and made anew."""
        ...

    @property
    def exists(self) -> bool:
        """Whether it is still there."""
        ...

    @property
    def limits(self) -> tuple[str, ...]:
        """What forgetting cannot reach: short sentences for the proof."""
        ...

    @property
    def folder_prefix(self) -> str:
        """What the collections of folders are named with: two machines have different folders of one path."""
        ...

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing, also when the process dies; one writer at a time. Inside another it joins that."""
        ...

    def erasing(self, *, wait: bool = True) -> AbstractContextManager[None]:
        """One erases at a time; without `wait`, BlockingIOError while somebody does."""
        ...

    def close(self) -> None:
        """Let go of what this thread holds open; the next call opens it anew."""
        ...

    def get_meta(self, key: str) -> str | None:
        """The value kept under a key; None when there is none."""
        ...

    def set_meta(self, key: str, value: str) -> None:
        """Keep a value under a key."""
        ...

    # --- documents -----------------------------------------------------------------------------

    def documents(self, collection: str = "") -> list[StoredDocument]:
        """The current version of every document, by name."""
        ...

    def catalogue(self, collection: str = "") -> list[CatalogueEntry]:
        """The same without reading their texts."""
        ...

    def document(self, collection: str, name: str, version: int | None = None) -> StoredDocument | None:
        """One document, the current version unless another is asked for."""
        ...

    def entry(self, collection: str, name: str, version: int | None = None) -> CatalogueEntry | None:
        """The same without reading its text."""
        ...

    def text_between(
        self, collection: str, name: str, version: int | None, start: int, end: int
    ) -> str | None:
        """These characters of a document's text; None when there is no such document."""
        ...

    def version_hashes(self, collection: str, name: str) -> dict[int, str]:
        """content_hash of every stored version of a document, oldest first."""
        ...

    def current_hashes(self, collection: str = "") -> list[tuple[str, int, str]]:
        """(name, version, content_hash) of the current documents, by name."""
        ...

    def current_readers(self, collection: str = "") -> list[tuple[int, int, str, tuple[str, ...]]]:
        """(id, version, name, roles) of the current documents, by name."""
        ...

    def restricted(self, collection: str = "") -> dict[str, tuple[str, ...]]:
        """Who may read those current documents that not everyone may."""
        ...

    def add_document(self, collection: str, document: Document) -> int:
        """Store a version as the current one and note it in the history; returns the row's id.

        The chunks of the version before go: answers cite it by offsets into its text, which stays.
        """
        ...

    def keep_original(self, identifier: int, data: bytes) -> None:
        """Keep the file that a document version was read from; it goes with the version."""
        ...

    def original(self, identifier: int) -> bytes | None:
        """The file that a version was read from, where it is kept."""
        ...

    def remove_document(self, collection: str, name: str, *, note: bool = True) -> Purged:
        """Remove every version of a document with its chunks and the vectors nothing else needs."""
        ...

    def drop_collection(self, collection: str) -> None:
        """Remove a collection and its history."""
        ...

    def history(self, collection: str, name: str) -> list[HistoryEntry]:
        """Everything that happened to a document, oldest first."""
        ...

    def latest_event(self, before: str = "") -> int:
        """The number of the newest event of any document's history, or of those before a moment (as the
        history tells it: ISO 8601, UTC); 0 where there is none."""
        ...

    def forgotten_since(self, collection: str, name: str, event: int) -> bool:
        """Whether a document of this name was forgotten after the event of that number."""
        ...

    def copy_to(self, path: Path) -> Store:
        """A private copy of the library in a new folder, whole or not at all; other collections stay behind.

        Nothing is written here meanwhile: a document is forgotten either before, and not copied, or after,
        and then found in the copy.
        """
        ...

    # --- erasing -------------------------------------------------------------------------------

    def set_aside(self, collection: str, name: str, elsewhere: Sequence[str] = ()) -> Erasure | None:
        """Take a document with all its versions out of sight, at once and for good; None when there is none.

        Copies of the same files in the folder collections go with it. The rows wait for `remove_set_aside`,
        because whoever erases the traces elsewhere must know the text.
        """
        ...

    def erasures(self) -> list[Erasure]:
        """What was set aside and is not yet erased: after a crash, work to be finished."""
        ...

    def set_aside_documents(self, erasure: Erasure) -> list[StoredDocument]:
        """The versions that wait under this erasure; the first home's first."""
        ...

    def remove_set_aside(self, erasure: Erasure) -> Purged:
        """Remove the waiting rows with their chunks and the vectors nothing else needs."""
        ...

    def keep_proof(self, erasure: Erasure, proof: str, *, finished: bool = True) -> None:
        """Keep what an erasure came to until it is dismissed, of many the newest ones.

        Once `finished`, nothing is left to do after a crash or at the next opening.
        """
        ...

    def end_erasure(self, erasure: Erasure) -> None:
        """Every trace is gone, and whoever had it erased tells what it came to."""
        ...

    def proofs(self) -> dict[str, str]:
        """What erasures came to, by ticket, the newest first."""
        ...

    def drop_proof(self, ticket: str) -> None:
        """Forget the proof of an erasure."""
        ...

    def texts(self) -> Iterator[tuple[str, str, str, str]]:
        """(collection, name, content_hash, text) of every version that is not being erased."""
        ...

    def clean(self) -> bool:
        """Let nothing of what was removed be left where it was kept; False when others hindered that."""
        ...

    def dumps(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """All that is kept here and in no file of the workspace's folder: names, and the bytes of each."""
        ...

    # --- passages and vectors ------------------------------------------------------------------

    def chunked(self, identifiers: Iterable[int], scheme: str) -> set[int]:
        """Which of these document rows have chunks of this scheme."""
        ...

    def add_chunks(
        self, identifier: int, scheme: str, chunks: Sequence[Chunk], vectors: Callable[[], np.ndarray]
    ) -> None:
        """Store a document's chunks of one scheme, in place of those made longest ago where it has many.

        `vectors` gives their (n, d) rows to a store that searches them where they lie.
        """
        ...

    def chunks(self, stored: StoredDocument, scheme: str) -> list[Chunk]:
        """A document's chunks of one scheme, in order; none where they were dropped for newer ones."""
        ...

    def passages(self, collection: str, scheme: str, role: str | None) -> StoredPassages | None:
        """The chunks of a scheme that a role may read, searched where they lie; None where they lie in no
        place that can be searched, and the library indexes them in memory."""
        ...

    def identifier(self, collection: str, name: str, version: int) -> int | None:
        """The id of a version's row."""
        ...

    def add_reading(
        self,
        identifier: int,
        embedder: str,
        offsets: tuple[np.ndarray, np.ndarray],
        windows: Sequence[tuple[str, int]],
        means: Mapping[str, np.ndarray],
    ) -> None:
        """Store how a document was read: its tokens and parts, its windows (key, parts), the new means."""
        ...

    def reading(self, identifier: int, embedder: str) -> StoredReading | None:
        """How this embedder has read the document; None when it has not, or what is stored is damaged."""
        ...

    def drop_readings(self, but: Collection[str]) -> int:
        """Drop what all other embedders have read, with their passages and vectors; returns the readings."""
        ...

    def vectors(self, keys: Iterable[str]) -> dict[str, np.ndarray]:
        """The stored means among these keys, each as one flat float16 row."""
        ...
