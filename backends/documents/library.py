"""The library: documents with versions, roles and history, and what is derived from them.

Enters: files. Leaves: documents, passages, a `Retriever` for one reader. One document is one transaction, so
a crash leaves the old state or the new one. What a role may not read is dropped before anything is indexed.
It knows no question and no language model.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from backends.datatypes import (
    Attachment,
    CatalogueEntry,
    Chunk,
    Document,
    HistoryEntry,
    ParsedFile,
    PasswordNeeded,
    Sentence,
    UserError,
)
from backends.documents.archives import unpacked, unpacked_attachments
from backends.documents.parsing import check_size
from backends.documents.preparing import (
    EMBEDDED_AT_ONCE,
    ChunkSettings,
    FileToRead,
    Parse,
    PreparedFile,
    Preparer,
    parsed_now,
    prepare,
    split,
)
from backends.documents.reader_pool import parse_isolated
from backends.documents.reading_ahead import ReadAhead
from backends.documents.session_lease import Lease
from backends.documents.storage import Erasure, Store, StoredDocument, StoredPassages
from backends.retrieval.cross_encoder import Ranker
from backends.retrieval.embedding import Embedder
from backends.retrieval.retriever import Retriever
from backends.retrieval.sentence_vectors import Outline, Read, Reading, read, reader_name
from backends.retrieval.shipped_vectors import shipped_vectors
from backends.system.viewers import admits, check_roles

RETRIEVERS_KEPT = 4
READINGS_KEPT = 128 * 2**20  # bytes of sentence vectors held in memory

Status = Literal["indexed", "unchanged", "replaced", "rejected"]


@dataclass(frozen=True)
class Progress:
    """`done` of `total` items of a stage ("reading", "embedding"); `item` is the one at hand."""

    stage: str
    done: int
    total: int
    item: str


@dataclass(frozen=True)
class IngestResult:
    """What became of one file; `error` says why it was rejected, `notes` what its reader left out."""

    document: str
    status: Status
    pages: int | None
    chunks: int
    seconds: float
    error: str | None = None
    needs_password: bool = False
    same_as: str | None = None  # another document with the very same contents
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DocumentDetails:
    """What a corpus says about a file beyond its contents; empty fields leave the parser's findings.

    Raises UserError for a role that is no name.
    """

    title: str = ""
    roles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    date: str = ""

    def __post_init__(self) -> None:
        check_roles(self.roles)


@dataclass(frozen=True)
class Intake:
    """What holds for all files that are taken in together."""

    settings: ChunkSettings
    source: str = "upload"
    passwords: tuple[str, ...] = ()  # tried on files that want one
    cancel: threading.Event | None = None
    after: int = 0  # the store's event at which it began: what is forgotten later does not come back


@dataclass(frozen=True)
class Cut:
    """The last cut: passages made, out of how many sentences, and how much was embedded for it."""

    passages: int
    sentences: int
    embedded: int  # windows of text; 0 when every sentence vector was there
    seconds: float


@dataclass(frozen=True)
class _Passages:
    chunks: list[Chunk]
    vectors: np.ndarray
    sentences: int
    embedded: int


@dataclass
class _Searchable:
    """What can be searched, how it was made, and of which documents; it follows them as they change."""

    retriever: Retriever
    cut: Cut
    documents: dict[tuple[int, int], str]  # (id, version): name
    identifiers: dict[tuple[str, int], int]  # (name, version): id, also of versions a question may still read

    def drop(self, name: str) -> None:
        self.retriever.change({name})
        self.documents = {key: each for key, each in self.documents.items() if each != name}
        for key in [key for key in self.identifiers if key[0] == name]:
            del self.identifiers[key]


@dataclass(frozen=True)
class _InPlace:
    """What is searched where it is stored, and the state of the store that what it remembers belongs to."""

    retriever: Retriever
    cut: Cut
    state: object


OnProgress = Callable[[Progress], None]


def may_read(document: Document, role: str | None) -> bool:
    """No role reads everything (the owner's view); a role reads what is open or names it."""
    return admits(document.roles, role)


def _absent(name: str, version: int | None) -> UserError:
    which = name if version is None else f"{name} (version {version})"
    return UserError(f"There is no document {which} in the library.")


class Library:
    """The documents of one collection of a workspace. Safe to use from several threads."""

    def __init__(self, workspace: Store, embedder: Embedder, collection: str = "") -> None:
        self.workspace = workspace
        self.embedder = embedder
        self.ranker: Ranker | None = None  # who opens the library says which; None orders without one
        self.preparer: Preparer | None = None  # who reads files ahead of this process; None reads them here
        self.lease: Lease | None = None  # of a visitor's copy: it stays as long as this library lives
        self._collection = collection
        # By scheme and role: no two roles share one, because it changes with what its role may read.
        self._retrievers: OrderedDict[tuple[str, str | None], _Searchable] = OrderedDict()
        self._in_place: OrderedDict[tuple[str, str | None], _InPlace] = OrderedDict()
        self._readings: OrderedDict[tuple[int, str], Reading] = OrderedDict()  # by document and reader
        self._lock = threading.Lock()
        self._building = threading.RLock()

    # --- the embedder --------------------------------------------------------------------------

    def use(self, embedder: Embedder) -> None:
        """Search with this embedder from now on. What it has not read yet is read at the next search."""
        if embedder.name != self.embedder.name:
            with self._building:
                self.embedder = embedder

    def read_with(
        self,
        embedder: Embedder,
        settings: ChunkSettings,
        progress: OnProgress | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        """Let an embedder that is not in use yet read every document, so that `use` costs nothing then.

        Its vectors lie beside those of the present one. Raises UserError when cancelled.
        """
        other = Library(self.workspace, embedder, self._collection)
        other._passages(other._visible(None), settings, progress, cancel)

    def keep_readings(self, embedders: Sequence[Embedder]) -> int:
        """Drop what all but these have read; returns how many readings went."""
        return self.workspace.drop_readings({reader_name(each) for each in embedders})

    # --- reading -------------------------------------------------------------------------------

    def documents(self, role: str | None = None) -> list[Document]:
        """The current documents this role may read, by name."""
        return [stored.document for stored in self._visible(role)]

    def catalogue(self, role: str | None = None) -> list[CatalogueEntry]:
        """The current documents this role may read, by name, without reading their texts."""
        return [each for each in self.workspace.catalogue(self._collection) if admits(each.roles, role)]

    def get(self, name: str, version: int | None = None, role: str | None = None) -> Document:
        """One document. UserError when there is none of this name that this role may read."""
        return self._get(name, version, role).document

    def entry(self, name: str, version: int | None = None, role: str | None = None) -> CatalogueEntry:
        """What the catalogue says of one document; who may read which is as for `get`. Reads no text."""
        current = self.workspace.entry(self._collection, name)
        found = current if version is None else self.workspace.entry(self._collection, name, version)
        if current and found and admits(current.roles, role) and admits(found.roles, role):
            return found
        raise _absent(name, version)

    def text_between(
        self, name: str, version: int | None, start: int, end: int, role: str | None = None
    ) -> str:
        """The characters from `start` to `end` of a document's text; UserError as `get`."""
        self.entry(name, version, role)
        text = self.workspace.text_between(self._collection, name, version, start, end)
        if text is None:  # forgotten meanwhile
            raise _absent(name, version)
        return text

    def _get(self, name: str, version: int | None, role: str | None) -> StoredDocument:
        """Who may not read the current version may read none; an older one may be kept from more readers."""
        current = self.workspace.document(self._collection, name)
        stored = current if version is None else self.workspace.document(self._collection, name, version)
        if current and stored and may_read(current.document, role) and may_read(stored.document, role):
            return stored
        raise _absent(name, version)

    def original(self, name: str, version: int | None = None, role: str | None = None) -> bytes | None:
        """The file as it came, where it is kept. UserError when there is none that this role may read."""
        return self.workspace.original(self._get(name, version, role).id)

    def versions(self, name: str, role: str | None = None) -> list[int]:
        """Version numbers that this role can read, oldest first."""
        numbers = list(self.workspace.version_hashes(self._collection, name))
        if role is None:
            return numbers
        return [number for number in numbers if self._readable(name, number, role)]

    def _readable(self, name: str, version: int, role: str) -> bool:
        try:
            self.entry(name, version, role)
        except UserError:
            return False
        return True

    def history(self, name: str, role: str | None = None) -> list[HistoryEntry]:
        """What happened to a document, oldest first; it outlives the document.

        A role sees what happened to the versions it may read, and nothing of a document that is gone.
        """
        entries = self.workspace.history(self._collection, name)
        if role is None:
            return entries
        readable = self.versions(name, role)
        return [entry for entry in entries if entry.version in readable]

    def chunks(self, name: str, settings: ChunkSettings, role: str | None = None) -> list[Chunk]:
        """The passages of a document; computed on the fly where they are not stored yet."""
        stored = self._get(name, None, role)
        if self.workspace.chunked([stored.id], self._scheme(settings)):
            return self.workspace.chunks(stored, self._scheme(settings))
        return split(stored.document, self._reading(stored), settings)

    def preview(self, settings: ChunkSettings, role: str | None = None) -> list[Chunk]:
        """All passages as these settings would cut them, from the kept readings; nothing is stored."""
        return [
            chunk
            for stored in self._visible(role)
            for chunk in split(stored.document, self._reading(stored), settings)
        ]

    def restricted(self) -> set[str]:
        """Names of the documents that not everybody may read; reads no text."""
        return set(self.workspace.restricted(self._collection))

    @property
    def fingerprint(self) -> str:
        """Changes when any current document does."""
        return self.fingerprint_for(None)

    def current_hashes(self) -> list[tuple[str, int, str]]:
        """(name, version, content_hash) of the current documents; reads no text."""
        return self.workspace.current_hashes(self._collection)

    def fingerprint_for(self, role: str | None) -> str:
        """Changes when any document that this role may read does, and by nothing else."""
        listing: list[tuple[str, int, str]]
        if role is None:
            listing = self.workspace.current_hashes(self._collection)
        else:
            kept_from = self.workspace.restricted(self._collection)
            listing = [
                row
                for row in self.workspace.current_hashes(self._collection)
                if admits(kept_from.get(row[0], ()), role)
            ]
        return hashlib.sha256(json.dumps(listing).encode()).hexdigest()

    def _visible(self, role: str | None) -> list[StoredDocument]:
        stored = self.workspace.documents(self._collection)
        return [each for each in stored if may_read(each.document, role)]

    def came_within(self, name: str) -> list[str]:
        """Names of the current documents that were read as files of this one, a mail."""
        stored = self.workspace.document(self._collection, name)
        if stored is None or stored.document.type != "email":
            return []
        return [each for each, _, _ in self.current_hashes() if each.startswith(f"{name}/")]

    # --- ingest --------------------------------------------------------------------------------

    def ingest(
        self,
        paths: Iterable[Path],
        *,
        settings: ChunkSettings,
        source: str = "upload",
        roles: tuple[str, ...] = (),
        details: Mapping[str, DocumentDetails] | None = None,
        progress: OnProgress | None = None,
        cancel: threading.Event | None = None,
        passwords: Sequence[str] = (),
        after: int | None = None,
    ) -> Iterator[IngestResult]:
        """Read, split, embed and store files, folders and zips, one result per file as it is done.

        A file's name (within a folder or zip: its path there) is its identity: known contents are
        "unchanged", new contents make a new version. Whatever is rejected or cancelled leaves the library as
        it was. Files within a mail follow it, named "mail.eml/file.pdf". Whatever is forgotten later than the
        event `after` (by default the newest when this begins) does not come back: whoever forgot it knew
        nothing of a file that still waited.
        """
        after = self.workspace.latest_event() if after is None else after
        intake = Intake(settings, source, tuple(passwords), cancel, after)
        with unpacked(paths) as (found, refused):
            for name, reason in refused:
                yield IngestResult(name, "rejected", None, 0, 0.0, reason)
            files = list(files_in(found))
            to_read = self._to_read(files, intake, details or {})
            if self.preparer is not None:
                self.preparer.expect(to_read)
            with ReadAhead(to_read if self.preparer is None else ()) as ahead:
                for number, (path, name) in enumerate(files):
                    if cancel is not None and cancel.is_set():
                        return
                    report = Reporter(progress, number, len(files), name)
                    given = (details or {}).get(name, DocumentDetails(roles=roles))
                    yield from self.ingest_file(path, name, given, intake, report, ahead.parsed)
            Reporter(progress, len(files), len(files), "").reading()

    def _to_read(
        self,
        files: Sequence[tuple[Path, str]],
        intake: Intake,
        details: Mapping[str, DocumentDetails],
    ) -> Iterator[FileToRead]:
        """Those of these files whose contents are not the current version's already; looked at when asked."""
        hashes = {name: known for name, _, known in self.current_hashes()}
        for path, name in files:
            try:
                check_size(path)
                if hash_file(path) == hashes.get(name):
                    continue
            except (UserError, OSError):  # it is refused at its turn, with the reason
                continue
            title = details[name].title if name in details else ""
            yield FileToRead(path, name, intake.settings, title, intake.passwords)

    def ingest_file(
        self,
        path: Path,
        name: str,
        details: DocumentDetails,
        intake: Intake,
        report: Reporter,
        parse: Parse = parsed_now,
        depth: int = 0,
    ) -> Iterator[IngestResult]:
        """Ingest one file under a name of its own, then what came within it, for the same readers.

        `parse` gives the file's text where it is new; `depth` counts the mails that it came within.
        """
        result, attachments = self._ingest(path, name, details, intake, report, parse)
        if result.status == "replaced":
            result = replace(result, notes=(*result.notes, *self._left_behind(name, attachments)))
        yield result
        held = self.workspace.document(self._collection, name) if attachments else None
        if held is None:
            return
        alike = DocumentDetails(roles=held.document.roles, tags=held.document.tags)
        with unpacked_attachments(attachments, name, depth) as (files, refused):
            for inner, reason in refused:
                yield IngestResult(inner, "rejected", None, 0, 0.0, reason)
            for inner_path, inner in files:
                if intake.cancel is not None and intake.cancel.is_set():
                    return
                yield from self.ingest_file(inner_path, inner, alike, intake, report, depth=depth + 1)

    def _ingest(
        self,
        path: Path,
        name: str,
        details: DocumentDetails,
        intake: Intake,
        report: Reporter,
        parse: Parse,
    ) -> tuple[IngestResult, tuple[Attachment, ...]]:
        """Ingest one file; what came within it was read with it, and is still to be ingested."""
        settings, cancel = intake.settings, intake.cancel
        began = time.perf_counter()

        def result(
            status: Status, pages: int = 0, chunks: int = 0, error: str | None = None, locked: bool = False
        ) -> IngestResult:
            seconds = time.perf_counter() - began
            return IngestResult(name, status, pages or None, chunks, seconds, error, locked)

        report.reading()
        try:
            check_size(path)
            content_hash = hash_file(path)
            current = self.workspace.document(self._collection, name)
            if current and _same(current.document, content_hash, details):
                count = len(self._ensure_chunks(current, settings, report, cancel))
                made = replace(
                    result("unchanged", len(current.document.pages), count), notes=current.document.notes
                )
                # What came within it is in the library, but for files that wanted one of these passwords.
                again = bool(intake.passwords) and current.document.type == "email"
                known = parse_isolated(path, name, cancel=cancel) if again else None
                return made, known.attachments if known else ()
            file = FileToRead(path, name, settings, details.title, intake.passwords)
            ready = self._prepare(file, report, cancel, parse)
            document = _make_document(ready.parsed, name, content_hash, intake.source, details, current)
            original = path.read_bytes() if document.type == "pdf" else None
            with self.workspace.transaction():
                if self.workspace.forgotten_since(self._collection, name, intake.after):
                    raise UserError(f"{name} was forgotten after this was asked for: it is not taken in.")
                stored = self._store(document, ready.read, ready.chunks, settings)
                if original is not None:
                    self.workspace.keep_original(stored.id, original)
        except UserError as error:
            return result("rejected", error=str(error), locked=isinstance(error, PasswordNeeded)), ()
        except OSError as error:
            return result("rejected", error=f"{name} cannot be read: {error.strerror or error}."), ()
        status: Status = "indexed" if stored.document.version == 1 else "replaced"
        made = result(status, len(document.pages), len(self.workspace.chunks(stored, self._scheme(settings))))
        made = replace(made, same_as=self._twin(name, content_hash), notes=document.notes)
        return made, ready.parsed.attachments

    def _left_behind(self, name: str, attachments: Sequence[Attachment]) -> tuple[str, ...]:
        """A note on files that an earlier version had: nothing goes that nobody asked to remove."""
        now = tuple(f"{name}/{each.name}" for each in attachments)
        left = [each for each in self.came_within(name) if not each.startswith(now)]
        return (
            (f"came without files that an earlier version had; they stay: {', '.join(left)}",) if left else ()
        )

    def _twin(self, name: str, content_hash: str) -> str | None:
        """Another document with the very same contents that everyone may read."""
        hashes = self.workspace.current_hashes(self._collection)
        for other, _, known in hashes:
            if known == content_hash and other != name:
                stored = self.workspace.document(self._collection, other)
                if stored is not None and not stored.document.roles:
                    return other
        return None

    def _prepare(
        self, file: FileToRead, report: Reporter, cancel: threading.Event | None, parse: Parse
    ) -> PreparedFile:
        if self.preparer is not None:
            return self.preparer.prepare(file, cancel)
        return prepare(file, self.embedder, self._known, _embedding(report, cancel), cancel, parse)

    def _store(
        self, document: Document, made: Read, chunks: Sequence[Chunk], settings: ChunkSettings
    ) -> StoredDocument:
        """Everything slow has happened before the transaction; then the version appears as a whole."""
        with self.workspace.transaction():
            versions = self.workspace.version_hashes(self._collection, document.name)
            version = max(versions, default=0) + 1
            document = replace(document, version=version)
            identifier = self.workspace.add_document(self._collection, document)
            self._keep_reading(identifier, made)
            self._keep_chunks(identifier, self._scheme(settings), chunks, made.reading)
        return StoredDocument(identifier, document)

    def _take(self, document: Document, settings: ChunkSettings, report: Reporter) -> StoredDocument:
        """Store a document whose text is known already."""
        made = self._read(document, report, None)
        return self._store(document, made, split(document, made.reading, settings), settings)

    # --- passages and vectors ------------------------------------------------------------------

    def _read(self, document: Document, report: Reporter, cancel: threading.Event | None) -> Read:
        """The document's sentence vectors; only windows of text that are not known are embedded."""

        return read(document, self.embedder, self._known, _embedding(report, cancel), EMBEDDED_AT_ONCE)

    def _known(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        found = self.workspace.vectors(keys)
        return found | shipped_vectors(key for key in keys if key not in found)

    def _keep_reading(self, identifier: int, made: Read) -> None:
        windows = [(window.key, len(window.parts)) for window in made.windows]
        offsets = (made.outline.tokens, made.outline.parts)
        self.workspace.add_reading(identifier, made.made_by, offsets, windows, made.means)

    def _reading(
        self,
        stored: StoredDocument,
        report: Reporter | None = None,
        cancel: threading.Event | None = None,
        embedded: Callable[[int], None] = lambda _count: None,
    ) -> Reading:
        """How the document was read. Where that is missing it is read now; `embedded` is told the cost."""
        reading = self._kept_reading(stored.id, self.embedder)
        if reading is None:
            made = self._read(stored.document, report or Reporter(None, 0, 0, ""), cancel)
            self._keep_reading(stored.id, made)
            embedded(made.embedded)
            reading = made.reading
        return reading

    def _kept_reading(self, identifier: int, embedder: Embedder) -> Reading | None:
        """From memory or the workspace; None when the document was not read by this embedder."""
        key = (identifier, reader_name(embedder))
        with self._lock:
            if key in self._readings:
                self._readings.move_to_end(key)
                return self._readings[key]
        row = self.workspace.reading(*key)
        if row is None or (len(row.means) and row.means.shape[1] != embedder.dimension):
            return None
        reading = Reading(Outline(row.tokens, row.parts), row.means)
        with self._lock:
            self._readings[key] = reading
            total = sum(each.nbytes for each in self._readings.values())
            while total > READINGS_KEPT and len(self._readings) > 1:
                total -= self._readings.popitem(last=False)[1].nbytes
        return reading

    def _scheme(self, settings: ChunkSettings) -> str:
        """Names how passages were made; another tokenizer makes others."""
        how = f"{settings.chunking} {settings.chunk_size}/{settings.chunk_overlap}"
        return f"{how} {reader_name(self.embedder)}"

    def _ensure_chunks(
        self,
        stored: StoredDocument,
        settings: ChunkSettings,
        report: Reporter,
        cancel: threading.Event | None = None,
    ) -> list[Chunk]:
        """The document's passages for these settings, made and stored where they are missing."""
        scheme = self._scheme(settings)
        if self.workspace.chunked([stored.id], scheme):
            return self.workspace.chunks(stored, scheme)
        reading = self._reading(stored, report, cancel)
        chunks = split(stored.document, reading, settings)
        self._keep_chunks(stored.id, scheme, chunks, reading)
        return chunks

    def _keep_chunks(self, identifier: int, scheme: str, chunks: Sequence[Chunk], reading: Reading) -> None:
        spans = [(chunk.start, chunk.end) for chunk in chunks]
        self.workspace.add_chunks(identifier, scheme, chunks, lambda: reading.vectors(spans))

    def retriever(
        self,
        settings: ChunkSettings,
        role: str | None = None,
        progress: OnProgress | None = None,
        cancel: threading.Event | None = None,
    ) -> Retriever:
        """What this role can search. New chunk settings split and embed only what is missing."""
        return self._cut(settings, role, progress, cancel)[0]

    def cut(self, settings: ChunkSettings, role: str | None = None) -> Cut | None:
        """How the passages that this role can search were last made; None when they are not at hand."""
        key = (self._scheme(settings), role)
        with self._lock:
            known = self._retrievers.get(key) or self._in_place.get(key)
        return known.cut if known else None

    def _cut(
        self,
        settings: ChunkSettings,
        role: str | None,
        progress: OnProgress | None,
        cancel: threading.Event | None,
    ) -> tuple[Retriever, Cut]:
        key = (self._scheme(settings), role)
        with self._alone_building(cancel):
            if (passages := self.workspace.passages(self._collection, *key)) is not None:
                return self._search_in_place(passages, key, settings, progress, cancel)
            with self._lock:
                known = self._retrievers.get(key)
            if known is None or not self._follow(known, role, settings, progress, cancel):
                known = self._build(self._visible(role), settings, progress, cancel)
            with self._lock:
                self._retrievers[key] = known
                self._retrievers.move_to_end(key)
                while len(self._retrievers) > RETRIEVERS_KEPT:
                    self._retrievers.popitem(last=False)
            return known.retriever, known.cut

    def _search_in_place(
        self,
        passages: StoredPassages,
        key: tuple[str, str | None],
        settings: ChunkSettings,
        progress: OnProgress | None,
        cancel: threading.Event | None,
    ) -> tuple[Retriever, Cut]:
        """Search where the passages are stored. After a change, whoever made it, nothing is remembered."""
        with self._lock:
            known = self._in_place.get(key)
        if known is None or known.state != passages.state:
            began = time.perf_counter()
            made = self._cut_missing(passages.missing, settings, progress, cancel)
            retriever = Retriever.over(
                passages, self.embedder, self.ranker, self._sentence_vectors(self._identifier)
            )
            retriever.build()
            cut = replace(made, passages=passages.count, seconds=time.perf_counter() - began)
            known = _InPlace(retriever, cut, passages.state)
            self._let_go()
        with self._lock:
            self._in_place[key] = known
            self._in_place.move_to_end(key)
            while len(self._in_place) > RETRIEVERS_KEPT:
                self._in_place.popitem(last=False)
        return known.retriever, known.cut

    def _let_go(self) -> None:
        """Hold no reading of what was forgotten or replaced meanwhile, by whomever."""
        with self._lock:
            held = [at for at, _ in self._readings]
        there = {at for at, *_ in self.workspace.current_readers(self._collection)} if held else set()
        with self._lock:
            for key in [key for key in self._readings if key[0] not in there]:
                del self._readings[key]

    def _identifier(self, document: tuple[str, int]) -> int | None:
        return self.workspace.identifier(self._collection, *document)

    def _cut_missing(
        self,
        missing: Sequence[str],
        settings: ChunkSettings,
        progress: OnProgress | None,
        cancel: threading.Event | None,
    ) -> Cut:
        """Cut and store, one after the other, the documents without passages of these settings."""
        embedded: list[int] = []
        sentences = 0
        for number, name in enumerate(missing):
            if cancel is not None and cancel.is_set():
                raise UserError("Cancelled.")
            stored = self.workspace.document(self._collection, name)
            if stored is not None:  # not forgotten meanwhile
                report = Reporter(progress, number, len(missing), name)
                report.reading("splitting")
                sentences += len(self._reading(stored, report, cancel, embedded.append).outline.parts)
                self._ensure_chunks(stored, settings, report, cancel)
        return Cut(0, sentences, sum(embedded), 0.0)

    @contextmanager
    def _alone_building(self, cancel: threading.Event | None) -> Iterator[None]:
        """One builds at a time; who waits for another's building can be cancelled too."""
        while not self._building.acquire(timeout=0.1):
            if cancel is not None and cancel.is_set():
                raise UserError("Cancelled.")
        try:
            yield
        finally:
            self._building.release()

    def _follow(
        self,
        known: _Searchable,
        role: str | None,
        settings: ChunkSettings,
        progress: OnProgress | None,
        cancel: threading.Event | None,
    ) -> bool:
        """Let what was built follow the documents; False when building anew is the shorter way."""
        readers = self.workspace.current_readers(self._collection)
        current = {(at, version): name for at, version, name, roles in readers if admits(roles, role)}
        if current == known.documents:
            return True
        gone = {name for key, name in known.documents.items() if key not in current}
        new = [name for key, name in current.items() if key not in known.documents]
        if known.retriever.needs_rebuild or len(gone) + len(new) > max(2, len(known.documents) // 5):
            return False
        found = (self.workspace.document(self._collection, name) for name in new)
        come = [each for each in found if each is not None and (each.id, each.document.version) in current]
        began = time.perf_counter()
        parts = self._passages(come, settings, progress, cancel)
        known.identifiers.update(_identifiers(come))
        documents = [each.document for each in come]
        known.retriever.change(gone, parts.chunks, parts.vectors, documents)
        known.documents = {key: name for key, name in known.documents.items() if key in current}
        known.documents |= {(each.id, each.document.version): each.document.name for each in come}
        known.cut = Cut(len(parts.chunks), parts.sentences, parts.embedded, time.perf_counter() - began)
        return True

    def _build(
        self,
        visible: Sequence[StoredDocument],
        settings: ChunkSettings,
        progress: OnProgress | None,
        cancel: threading.Event | None,
    ) -> _Searchable:
        began = time.perf_counter()
        parts = self._passages(visible, settings, progress, cancel)
        identifiers = _identifiers(visible)
        retriever = Retriever(
            parts.chunks,
            parts.vectors,
            self.embedder,
            self.ranker,
            documents=[each.document for each in visible],
            stored=self._sentence_vectors(identifiers.get),
        )
        retriever.build()
        cut = Cut(len(parts.chunks), parts.sentences, parts.embedded, time.perf_counter() - began)
        documents = {(each.id, each.document.version): each.document.name for each in visible}
        return _Searchable(retriever, cut, documents, identifiers)

    def _passages(
        self,
        documents: Sequence[StoredDocument],
        settings: ChunkSettings,
        progress: OnProgress | None,
        cancel: threading.Event | None,
    ) -> _Passages:
        """The passages of these documents with their vectors; new ones are stored in one go."""
        scheme = self._scheme(settings)
        ready = self.workspace.chunked((each.id for each in documents), scheme)
        chunks: list[Chunk] = []
        vectors: list[np.ndarray] = []
        new: list[tuple[int, list[Chunk], Reading]] = []
        embedded: list[int] = []
        sentences = 0
        for number, stored in enumerate(documents):
            if cancel is not None and cancel.is_set():
                raise UserError("Cancelled.")
            report = Reporter(progress, number, len(documents), stored.document.name)
            reading = self._reading(stored, report, cancel, embedded.append)
            own = self.workspace.chunks(stored, scheme) if stored.id in ready else []
            if not own:  # never cut so, or dropped meanwhile
                report.reading("splitting")
                own = split(stored.document, reading, settings)
                new.append((stored.id, own, reading))
            chunks += own
            vectors.append(reading.vectors([(chunk.start, chunk.end) for chunk in own]))
            sentences += len(reading.outline.parts)
        if new:
            with self.workspace.transaction():
                for identifier, own, reading in new:
                    self._keep_chunks(identifier, scheme, own, reading)
        matrix = np.concatenate(vectors) if chunks else np.zeros((0, self.embedder.dimension), np.float32)
        return _Passages(chunks, matrix, sentences, sum(embedded))

    def _sentence_vectors(
        self, identifier_of: Callable[[tuple[str, int]], int | None]
    ) -> Callable[[Chunk, Sequence[Sentence]], np.ndarray]:
        """Vectors of a passage's sentences, from how its document was read by the embedder of now."""
        embedder = self.embedder

        def vectors_of(chunk: Chunk, sentences: Sequence[Sentence]) -> np.ndarray:
            identifier = identifier_of((chunk.document, chunk.version))
            reading = self._kept_reading(identifier, embedder) if identifier is not None else None
            if reading is None:  # forgotten while the question was on its way
                return embedder.embed([sentence.text for sentence in sentences])
            return reading.vectors([(sentence.start, sentence.end) for sentence in sentences])

        return vectors_of

    # --- forgetting ----------------------------------------------------------------------------

    def set_aside(self, name: str, elsewhere: Sequence[Path] = ()) -> Erasure:
        """Take a document with all its versions out of sight, at once and for good, to be erased.

        `elsewhere` are folders beside the workspace's own that hold records made from it. Raises UserError
        when there is no such document.
        """
        folders = [str(folder.absolute()) for folder in elsewhere]
        erasure = self.workspace.set_aside(self._collection, name, folders)
        if erasure is None:
            raise UserError(f"There is no document {name} in the library.")
        with self._building:
            with self._lock:
                self._readings.clear()
                self._in_place.clear()
                searchable = list(self._retrievers.values())
            for each in searchable:
                each.drop(name)
        return erasure


# --- small pieces --------------------------------------------------------------------------------


class Reporter:
    """Tells how far a file and its embedding are; nothing when nobody listens."""

    def __init__(self, progress: OnProgress | None, number: int, total: int, name: str) -> None:
        self._progress, self._number, self._total, self._name = progress, number, total, name

    def reading(self, stage: str = "reading") -> None:
        """Say that the file is being read."""
        if self._progress is not None:
            self._progress(Progress(stage, self._number, self._total, self._name))

    def embedding(self, done: int, total: int) -> None:
        """Within one document; short documents are not worth a report of their own."""
        if self._progress is not None and total > EMBEDDED_AT_ONCE:
            self._progress(Progress("embedding", done, total, self._name))


def _embedding(report: Reporter, cancel: threading.Event | None) -> Callable[[int, int], None]:
    """What an embedding in this process tells, and where it can be cancelled."""

    def progress(done: int, total: int) -> None:
        if cancel is not None and cancel.is_set():
            raise UserError("Cancelled.")
        report.embedding(done, total)

    return progress


def files_in(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """(path, name) of every file; hidden files of folders are skipped."""
    for path in paths:
        if not path.is_dir():
            yield path, path.name
            continue
        for item in sorted(path.rglob("*")):
            inner = item.relative_to(path)
            if item.is_file() and not any(part.startswith((".", "~$")) for part in inner.parts):
                yield item, inner.as_posix()


def _identifiers(documents: Iterable[StoredDocument]) -> dict[tuple[str, int], int]:
    return {(each.document.name, each.document.version): each.id for each in documents}


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _same(document: Document, content_hash: str, details: DocumentDetails) -> bool:
    """Whether a file brings nothing new; empty details ask for nothing."""
    return (
        document.content_hash == content_hash
        and details.title in ("", document.title)
        and details.date in ("", document.date)
        and details.roles in ((), document.roles)
        and details.tags in ((), document.tags)
    )


def _make_document(
    parsed: ParsedFile,
    name: str,
    content_hash: str,
    source: str,
    details: DocumentDetails,
    current: StoredDocument | None,
) -> Document:
    """A new version keeps the roles and tags of the one it replaces unless it is given others.

    Nobody opens a restricted document to everyone by uploading its next version.
    """
    old = current.document if current else None
    return Document(
        name=name,
        version=old.version + 1 if old else 1,
        title=details.title or parsed.title,
        type=parsed.type,
        text=parsed.text,
        content_hash=content_hash,
        pages=parsed.pages,
        roles=details.roles or (old.roles if old else ()),
        tags=details.tags or (old.tags if old else ()),
        date=details.date or parsed.date,
        source=source,
        language=parsed.language,
        notes=parsed.notes,
    )
