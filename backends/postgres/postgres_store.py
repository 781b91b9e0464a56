"""The library's store in a PostgreSQL with pgvector: `storage.Store` for several app servers.

Enters: records of `datatypes`, from any of them. Leaves: the same records to all of them. One writes at a
time, in a transaction of the database; readers never wait. It knows nothing of parsing, embedding or ranking.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from backends.datatypes import CatalogueEntry, Chunk, DatabaseRow, Document, HistoryEntry, Page, UserError
from backends.documents.storage import (
    ERASING,
    PROOFS_KEPT,
    PROVED,
    SCHEMES_KEPT,
    SET_ASIDE,
    Erasure,
    KeptReading,
    Purged,
    StoredDocument,
    StoredReading,
    StoredVersion,
)
from backends.documents.store import Workspace
from backends.postgres import cleaning
from backends.postgres import server as door
from backends.postgres.cleaning import clean_tables, size_of
from backends.postgres.passage_rows import keep_passages
from backends.postgres.passage_search import PostgresPassages, graph_name
from backends.postgres.server import Server, storable
from backends.postgres.store_tables import TEXTS, migrate
from backends.system.files import sync, write_whole
from backends.system.shared_files import SharedFiles, digest

WRITE_AHEAD = (
    "Bytes of removed rows can be left in the database server's write-ahead log until it is recycled "
    "and in what was copied from it before: replicas that lag, archived logs, backups, snapshots."
)
BEGUN = "begun:"  # keys of small values: which server began an erasure, and when
FOLDER_ID = "folder_id"  # a file of the workspace: app servers that share the folder have its name in common
LEFT_TO_OTHERS = timedelta(days=1)  # an erasure whose server did not come back
ORIGINALS = "originals/"  # before the names of files that documents were read from
_ENTRY = "name, version, title, type, content_hash, pages, roles, tags, date, source, language, notes"
_DOCUMENT = f"id, text, {_ENTRY}"


class PostgresStore:
    """The store at an address, for the workspace's folder on this machine. Safe to share between threads."""

    exists = True

    def __init__(self, address: str, path: Path, files: SharedFiles | None = None) -> None:
        """With `files`, the files that documents were read from lie there and not in the database."""
        self.path = path
        self._files = files
        self.server = Server(address)
        self.folder_prefix = f"folder:{socket.gethostname()}:"

    @classmethod
    def open(cls, address: str, path: Path, files: SharedFiles | None = None) -> PostgresStore:
        """Open the store, making its tables when they are new or of an older form; `path` is this machine's
        workspace. Raises UserError when either cannot be used."""
        store = cls(address, path, files)
        path.mkdir(parents=True, exist_ok=True)
        store.server.prepare(migrate)
        return store

    @property
    def name(self) -> str:
        """The database and its machine."""
        return self.server.name

    @property
    def identity(self) -> tuple[object, ...]:
        """The name that the tables were given when they were made, and this machine's folder."""
        return self.get_meta("identity"), str(self.path.resolve())

    @property
    def limits(self) -> tuple[str, ...]:
        """What forgetting cannot reach from here."""
        said = [
            WRITE_AHEAD,
            "Files and visitors' own copies on other app servers were not read from here.",
        ]
        large = [table for table in TEXTS if size_of(self.server, table) > cleaning.REWRITTEN_UP_TO]
        if large:
            said.append(
                f"Bytes of removed rows can be left in free space of {', '.join(large)} until it is used "
                "anew: they are too large to be rewritten while people work (VACUUM FULL does it)."
            )
        return (*said, *(self._files.limits if self._files is not None else ()))

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing; one writer of all app servers at a time."""
        return self.server.transaction()

    def erasing(self, *, wait: bool = True) -> AbstractContextManager[None]:
        """One of all app servers erases at a time."""
        return self.server.alone(door.ERASING, wait=wait)

    def close(self) -> None:
        """Nothing: connections belong to the process and are lent call by call."""

    # --- small values --------------------------------------------------------------------------

    def get_meta(self, key: str) -> str | None:
        """The value kept under a key."""
        row = self.server.row("SELECT value FROM meta WHERE key = %s", (key,))
        return row[0] if row else None

    def set_meta(self, key: str, value: str) -> None:
        """Keep a value under a key; the newest is the last of the table."""
        with self.transaction():
            self.server.run("DELETE FROM meta WHERE key = %s", (key,))
            self.server.run("INSERT INTO meta (key, value) VALUES (%s, %s)", (key, value))

    def _drop_meta(self, *keys: str) -> None:
        with self.transaction():
            self.server.run("DELETE FROM meta WHERE key = ANY(%s)", (list(keys),))

    def state(self, collection: str) -> int:
        """Counts the changes of a collection's documents and passages."""
        row = self.server.row("SELECT state FROM collections WHERE name = %s", (collection,))
        return int(row[0]) if row else 0

    def _changed(self, *collections: str) -> None:
        for name in collections:
            self.server.run(
                "INSERT INTO collections VALUES (%s, 1) ON CONFLICT (name)"
                " DO UPDATE SET state = collections.state + 1",
                (name,),
            )

    # --- documents -----------------------------------------------------------------------------

    def collections(self) -> list[str]:
        """Names of all collections that hold a document."""
        return [row[0] for row in self.server.rows("SELECT DISTINCT collection FROM documents")]

    def documents(self, collection: str = "") -> list[StoredDocument]:
        """The current version of every document, by name."""
        return [_document(row) for row in self._current(_DOCUMENT, collection)]

    def catalogue(self, collection: str = "") -> list[CatalogueEntry]:
        """The same without reading their texts."""
        return [_entry(row) for row in self._current(_ENTRY, collection)]

    def _current(self, columns: str, collection: str, more: str = "") -> list[DatabaseRow]:
        return self.server.rows(
            f"SELECT {columns} FROM documents WHERE collection = %s AND current {more} ORDER BY name",
            (collection,),
        )

    def document(self, collection: str, name: str, version: int | None = None) -> StoredDocument | None:
        """One document, the current version unless another is asked for."""
        row = self._one(collection, name, version, _DOCUMENT)
        return _document(row) if row else None

    def entry(self, collection: str, name: str, version: int | None = None) -> CatalogueEntry | None:
        """The same without reading its text."""
        row = self._one(collection, name, version, _ENTRY)
        return _entry(row) if row else None

    def identifier(self, collection: str, name: str, version: int) -> int | None:
        """The id of a version's row."""
        row = self._one(collection, name, version, "id")
        return int(row[0]) if row else None

    def text_between(
        self, collection: str, name: str, version: int | None, start: int, end: int
    ) -> str | None:
        """These characters of a document's text."""
        row = self._one(collection, name, version, f"substr(text, {start + 1}, {max(0, end - start)})")
        return str(row[0]) if row else None

    def _one(self, collection: str, name: str, version: int | None, columns: str) -> DatabaseRow | None:
        which, values = ("current", ()) if version is None else ("version = %s", (version,))
        return self.server.row(
            f"SELECT {columns} FROM documents WHERE collection = %s AND name = %s AND {which}",
            (collection, name, *values),
        )

    def version_hashes(self, collection: str, name: str) -> dict[int, str]:
        """content_hash of every stored version of a document."""
        return dict(
            self.server.rows(
                "SELECT version, content_hash FROM documents WHERE collection = %s AND name = %s"
                " ORDER BY version",
                (collection, name),
            )
        )

    def current_hashes(self, collection: str = "") -> list[tuple[str, int, str]]:
        """(name, version, content_hash) of the current documents."""
        return [
            (name, at, known) for name, at, known in self._current("name, version, content_hash", collection)
        ]

    def current_readers(self, collection: str = "") -> list[tuple[int, int, str, tuple[str, ...]]]:
        """(id, version, name, roles) of the current documents."""
        rows = self._current("id, version, name, roles", collection)
        return [(at, version, name, tuple(roles)) for at, version, name, roles in rows]

    def restricted(self, collection: str = "") -> dict[str, tuple[str, ...]]:
        """Who may read those current documents that not everyone may."""
        return {
            name: tuple(roles)
            for name, roles in self._current("name, roles", collection, "AND roles <> '{}'")
        }

    def add_document(self, collection: str, document: Document) -> int:
        """Store a version as the current one and note it in the history; the old one's chunks go."""
        with self.transaction():
            self._changed(collection)
            self.server.run(
                "DELETE FROM chunked USING documents WHERE chunked.document = documents.id"
                " AND collection = %s AND name = %s AND current",
                (collection, document.name),
            )
            self.server.run(
                "UPDATE documents SET current = false WHERE collection = %s AND name = %s AND current",
                (collection, document.name),
            )
            row = self.server.row(
                "INSERT INTO documents (collection, current, text, name, version, title, type, content_hash,"
                " pages, roles, tags, date, source, language, notes)"
                " VALUES (%s, true, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
                (
                    collection,
                    storable(document.text),
                    document.name,
                    document.version,
                    storable(document.title),
                    document.type,
                    document.content_hash,
                    json.dumps([astuple(page) for page in document.pages]),
                    list(document.roles),
                    list(document.tags),
                    document.date,
                    document.source,
                    document.language,
                    json.dumps(document.notes),
                ),
            )
            event = "indexed" if document.version == 1 else "replaced"
            self._note(collection, document.name, document.version, event, document.content_hash)
            assert row is not None, "an insert returns its row"
            return int(row[0])

    def keep_original(self, identifier: int, data: bytes) -> None:
        """Keep the file that a document version was read from."""
        with self.transaction():
            self.server.run("DELETE FROM originals WHERE document = %s", (identifier,))
            if self._files is None:
                self.server.run("INSERT INTO originals VALUES (%s, %s)", (identifier, data))
                return
            named = digest(data)
            self._files.put(ORIGINALS + named, data)
            self.server.run("INSERT INTO originals (document, file) VALUES (%s, %s)", (identifier, named))

    def original(self, identifier: int) -> bytes | None:
        """The file that a version was read from, where it is kept. UserError when it cannot be had."""
        row = self.server.row("SELECT data, file FROM originals WHERE document = %s", (identifier,))
        if row is None or row[0] is not None:
            return bytes(row[0]) if row is not None else None
        if self._files is None:
            raise UserError(
                "The file of this document lies among files that several servers share: name their place in "
                "TRIPTYCH_FILES here too."
            )
        found = self._files.get(ORIGINALS + row[1])
        return found.data if found is not None else None

    def _drop_unused_originals(self) -> None:
        """Files that no document needs any more, or that a killed reader left, go with all their versions.

        In a transaction: who keeps one has not yet said so, but holds the same lock.
        """
        if self._files is None:
            return
        with self.transaction():
            needed = {row[0] for row in self.server.rows("SELECT file FROM originals WHERE file IS NOT NULL")}
            for key in self._files.keys(ORIGINALS):
                if key.removeprefix(ORIGINALS) not in needed:
                    self._files.remove(key)

    def remove_document(self, collection: str, name: str, *, note: bool = True) -> Purged:
        """Remove every version of a document with its chunks and the vectors nothing else needs."""
        with self.transaction():
            versions = self.version_hashes(collection, name)
            purged = self._remove("collection = %s AND name = %s", (collection, name))
            if note and versions:
                self._note(collection, name, max(versions), "forgotten", "")
            self._changed(collection)
        return purged

    def drop_collection(self, collection: str) -> None:
        """Remove a collection and its history."""
        with self.transaction():
            self._remove("collection = %s", (collection,))
            self.server.run("DELETE FROM history WHERE collection = %s", (collection,))
            self.server.run("DELETE FROM collections WHERE name = %s", (collection,))

    def _remove(self, which: str, values: Sequence[str]) -> Purged:
        """Remove rows of `documents` with all that hangs on them."""
        rows = self.server.rows(f"SELECT id, length(text) FROM documents WHERE {which}", values)
        ids = [row[0] for row in rows]
        keys = self.server.rows("SELECT DISTINCT key FROM windows WHERE document = ANY(%s)", (ids,))
        chunks = self.server.row(
            "SELECT coalesce(sum(passages), 0) FROM chunked WHERE document = ANY(%s)", (ids,)
        )
        self.server.run("DELETE FROM documents WHERE id = ANY(%s)", (ids,))
        vectors = self.server.run(
            "DELETE FROM vectors WHERE key = ANY(%s)"
            " AND NOT EXISTS (SELECT 1 FROM windows WHERE windows.key = vectors.key)",
            ([row[0] for row in keys],),
        )
        return Purged(len(rows), sum(row[1] for row in rows), int(chunks[0]) if chunks else 0, vectors)

    # --- history -------------------------------------------------------------------------------

    def _note(self, collection: str, name: str, version: int, event: str, content_hash: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.server.run(
            "INSERT INTO history (collection, name, version, event, at, content_hash)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (collection, name, version, event, now, content_hash),
        )

    def history(self, collection: str, name: str) -> list[HistoryEntry]:
        """Everything that happened to a document, oldest first."""
        rows = self.server.rows(
            "SELECT version, event, at, content_hash FROM history"
            " WHERE collection = %s AND name = %s ORDER BY id",
            (collection, name),
        )
        return [HistoryEntry(*row) for row in rows]

    def latest_event(self, before: str = "") -> int:
        """The number of the newest event of any document's history, or of those before a moment."""
        row = self.server.row(
            "SELECT coalesce(max(id), 0) FROM history WHERE %s = '' OR at COLLATE \"C\" < %s",
            (before, before),
        )
        return int(row[0]) if row else 0

    def forgotten_since(self, collection: str, name: str, event: int) -> bool:
        """Whether a document of this name was forgotten after the event of that number."""
        row = self.server.row(
            "SELECT 1 FROM history WHERE collection = %s AND name = %s AND event = 'forgotten' AND id > %s",
            (collection, name, event),
        )
        return row is not None

    # --- erasing -------------------------------------------------------------------------------

    def set_aside(self, collection: str, name: str, elsewhere: Sequence[str] = ()) -> Erasure | None:
        """Take a document with all its versions out of sight, at once, for every app server."""
        ticket = uuid.uuid4().hex
        with self.transaction():
            hashes = self.version_hashes(collection, name)
            if not hashes:
                return None
            copies = self._copies(list(hashes.values())) if collection == "" else []
            for number, home in enumerate([(collection, name), *copies]):
                self.server.run(
                    "UPDATE documents SET collection = %s, current = false"
                    " WHERE collection = %s AND name = %s",
                    (f"{SET_ASIDE}{ticket}:{number}", *home),
                )
            folders = tuple(dict.fromkeys(folder for folder, _ in copies))
            self._note(collection, name, max(hashes), "forgotten", "")
            self._changed(collection, *folders)
            self.set_meta(
                f"{ERASING}{ticket}", json.dumps([collection, name, len(hashes), folders, list(elsewhere)])
            )
            self.set_meta(f"{BEGUN}{ticket}", f"{datetime.now(UTC).isoformat()} {self._folder_id(make=True)}")
        return Erasure(ticket, collection, name, len(hashes), folders, tuple(elsewhere))

    def _copies(self, hashes: list[str]) -> list[tuple[str, str]]:
        """(collection, name) of the documents of other collections that hold one of these files."""
        rows = self.server.rows(
            "SELECT DISTINCT collection, name FROM documents WHERE content_hash = ANY(%s)"
            " AND collection <> '' AND NOT starts_with(collection, %s)",
            (hashes, SET_ASIDE),
        )
        return [(folder, name) for folder, name in rows]

    def erasures(self) -> list[Erasure]:
        """What was set aside and is not yet erased: the server that began finishes it, for its folder holds
        the words too; once that did not come back for a day, whoever opens the store."""
        begun = {key.removeprefix(BEGUN): value for key, value in self._metas(BEGUN)}
        waiting = [
            Erasure(key.removeprefix(ERASING), collection, name, versions, tuple(folders), tuple(elsewhere))
            for key, value in self._metas(ERASING)
            for collection, name, versions, folders, elsewhere in [json.loads(value)]
        ]
        return [each for each in waiting if self._ours(begun.get(each.ticket))]

    def _ours(self, begun: str | None) -> bool:
        if begun is None:  # by a program that did not say
            return True
        at, _, folder = begun.partition(" ")
        late = datetime.now(UTC) - datetime.fromisoformat(at) > LEFT_TO_OTHERS
        return late or folder == self._folder_id()

    def _folder_id(self, *, make: bool = False) -> str:
        """The name of this workspace's folder; empty where it has none yet."""
        file = self.path / FOLDER_ID
        if make and not file.exists():
            write_whole(own := self.path / f".{uuid.uuid4().hex}", uuid.uuid4().hex)
            with suppress(FileExistsError):
                file.hardlink_to(own)
            own.unlink()
        return file.read_text("utf-8") if file.exists() else ""

    def _metas(self, prefix: str) -> list[DatabaseRow]:
        return self.server.rows(
            "SELECT key, value FROM meta WHERE starts_with(key, %s) ORDER BY number", (prefix,)
        )

    def set_aside_documents(self, erasure: Erasure) -> list[StoredDocument]:
        """The versions that wait under this erasure; the first home's first."""
        rows = self.server.rows(
            f"SELECT {_DOCUMENT} FROM documents WHERE starts_with(collection, %s)"
            " ORDER BY collection, version",
            (f"{SET_ASIDE}{erasure.ticket}:",),
        )
        return [_document(row) for row in rows]

    def remove_set_aside(self, erasure: Erasure) -> Purged:
        """Remove the waiting rows with their chunks and the vectors nothing else needs."""
        with self.transaction():
            return self._remove("starts_with(collection, %s)", (f"{SET_ASIDE}{erasure.ticket}:",))

    def keep_proof(self, erasure: Erasure, proof: str, *, finished: bool = True) -> None:
        """Keep what an erasure came to until it is dismissed, of many the newest ones."""
        with self.transaction():
            self.set_meta(f"{PROVED}{erasure.ticket}", proof)
            self._drop_meta(*(key for key, _ in self._metas(PROVED)[:-PROOFS_KEPT]))
            if finished:
                self.end_erasure(erasure)

    def end_erasure(self, erasure: Erasure) -> None:
        """Every trace is gone."""
        self._drop_meta(f"{ERASING}{erasure.ticket}", f"{BEGUN}{erasure.ticket}")

    def proofs(self) -> dict[str, str]:
        """What erasures came to, by ticket, the newest first."""
        return {key.removeprefix(PROVED): value for key, value in reversed(self._metas(PROVED))}

    def drop_proof(self, ticket: str) -> None:
        """Forget the proof of an erasure."""
        self._drop_meta(f"{PROVED}{ticket}")

    def texts(self) -> Iterator[tuple[str, str, str, str]]:
        """(collection, name, content_hash, text) of every version that is not being erased."""
        rows = self.server.rows(
            "SELECT id FROM documents WHERE NOT starts_with(collection, %s) ORDER BY id", (SET_ASIDE,)
        )
        for first in range(0, len(rows), 100):  # texts of a large library are not held all at once
            part = [row[0] for row in rows[first : first + 100]]
            yield from (
                (where, name, known, text)
                for where, name, known, text in self.server.rows(
                    "SELECT collection, name, content_hash, text FROM documents WHERE id = ANY(%s)", (part,)
                )
            )

    def clean(self) -> bool:
        """Vacuum every table, and rewrite those that hold text where they are not too large.

        False when older transactions could still see what was removed: it stays in the heap until they end.
        """
        self._drop_unused_originals()
        cleaned = clean_tables(self.server, TEXTS)
        self.server.run("VACUUM passages")
        return cleaned

    def dumps(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Every table of the database by name with all its values, and every shared file: the proof reads
        them."""
        tables = self.server.rows(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        )
        for (table,) in tables:
            yield f"{self.name}: {table}", self.server.dump(table)
        if self._files is not None:
            yield from self._files.dumps()

    # --- passages and vectors ------------------------------------------------------------------

    def chunked(self, identifiers: Iterable[int], scheme: str) -> set[int]:
        """Which of these document rows have chunks of this scheme."""
        rows = self.server.rows(
            "SELECT document FROM chunked JOIN schemes ON id = scheme WHERE name = %s AND document = ANY(%s)",
            (scheme, list(identifiers)),
        )
        return {row[0] for row in rows}

    def add_chunks(
        self, identifier: int, scheme: str, chunks: Sequence[Chunk], vectors: Callable[[], np.ndarray]
    ) -> None:
        """Store a document's chunks of one scheme with their vectors and words."""
        rows = vectors()
        with self.transaction():
            number = self._scheme(scheme, rows.shape[1])
            known = self.server.rows(
                "SELECT scheme, made FROM chunked WHERE document = %s AND scheme <> %s ORDER BY made DESC",
                (identifier, number),
            )
            gone = [number, *(old for old, _ in known[SCHEMES_KEPT - 1 :])]
            self.server.run(
                "DELETE FROM chunked WHERE document = %s AND scheme = ANY(%s)", (identifier, gone)
            )
            made = 1 + max((at for _, at in known), default=0)
            keep_passages(self.server, (identifier, number, made), chunks, rows)
            home = self.server.row("SELECT collection FROM documents WHERE id = %s", (identifier,))
            self._changed(*(home or ()))

    def _scheme(self, name: str, dimension: int) -> int:
        row = self.server.row("SELECT id FROM schemes WHERE name = %s", (name,)) or self.server.row(
            "INSERT INTO schemes (name, dimension) VALUES (%s, %s) RETURNING id", (name, dimension)
        )
        assert row is not None, "an insert returns its row"
        return int(row[0])

    def chunks(self, stored: StoredDocument, scheme: str) -> list[Chunk]:
        """A document's chunks of one scheme, in order."""
        rows = self.server.rows(
            'SELECT start, "end", tokens, page, heading'
            " FROM passages JOIN passage_texts USING (document, scheme, ordinal) JOIN schemes ON id = scheme"
            " WHERE document = %s AND name = %s ORDER BY ordinal",
            (stored.id, scheme),
        )
        return [
            stored.document.chunk(start, end, tokens=tokens, page=page, heading=heading)
            for start, end, tokens, page, heading in rows
        ]

    def passages(self, collection: str, scheme: str, role: str | None) -> PostgresPassages:
        """The chunks of a scheme that a role may read, searched by the database."""
        return PostgresPassages(self.server, collection, scheme, role)

    def add_reading(
        self,
        identifier: int,
        embedder: str,
        offsets: tuple[np.ndarray, np.ndarray],
        windows: Sequence[tuple[str, int]],
        means: Mapping[str, np.ndarray],
    ) -> None:
        """Store how a document was read: its tokens and parts, its windows (key, parts), the new means."""
        with self.transaction():
            for table in ("readings", "windows"):
                self.server.run(
                    f"DELETE FROM {table} WHERE document = %s AND embedder = %s", (identifier, embedder)
                )
            tokens, parts = (np.asarray(each, np.int32).tobytes() for each in offsets)
            self.server.run(
                "INSERT INTO readings VALUES (%s, %s, %s, %s)", (identifier, embedder, tokens, parts)
            )
            self.server.copy(
                "windows",
                "document, embedder, ordinal, parts, key",
                ("int8", "text", "int4", "int4", "text"),
                [(identifier, embedder, at, count, key) for at, (key, count) in enumerate(windows)],
            )
            self.server.run("DELETE FROM vectors WHERE key = ANY(%s)", (list(means),))
            self.server.copy(
                "vectors",
                "key, data",
                ("text", "bytea"),
                [(key, np.asarray(rows, np.float16).tobytes()) for key, rows in means.items()],
            )

    def reading(self, identifier: int, embedder: str) -> StoredReading | None:
        """How this embedder has read the document; None when it has not, or what is stored is damaged."""
        which = (identifier, embedder)
        with self.server.snapshot():
            row = self.server.row(
                "SELECT tokens, parts FROM readings WHERE document = %s AND embedder = %s", which
            )
            if row is None:
                return None
            data = self.server.rows(
                "SELECT windows.parts, data FROM windows JOIN vectors USING (key)"
                " WHERE document = %s AND embedder = %s ORDER BY ordinal",
                which,
            )
        try:
            means = [np.frombuffer(blob, np.float16).reshape(count, -1) for count, blob in data]
            tokens, parts = (np.frombuffer(blob, np.int32).reshape(-1, 2) for blob in row)
            rows = np.concatenate(means) if means else np.zeros((0, 1), np.float16)
        except ValueError:  # of another length than they were written with
            return None
        sound = len(rows) == len(parts) and bool(np.isfinite(rows).all())
        return StoredReading(tokens, parts, rows) if sound else None

    def drop_readings(self, but: Collection[str]) -> int:
        """Drop what all other embedders have read, with their passages and vectors; returns the readings."""
        with self.transaction():
            found = [row[0] for row in self.server.rows("SELECT DISTINCT embedder FROM readings")]
            gone = [name for name in found if name not in but]
            dropped = self.server.run("DELETE FROM readings WHERE embedder = ANY(%s)", (gone,))
            self.server.run("DELETE FROM windows WHERE embedder = ANY(%s)", (gone,))
            for name in gone:  # a scheme ends with who read the document
                schemes = self.server.rows(
                    "DELETE FROM schemes WHERE right(name, length(%s)) = %s RETURNING id", (f" {name}",) * 2
                )
                for (scheme,) in schemes:
                    self.server.run(f"DROP INDEX IF EXISTS {graph_name(scheme)}")
            if gone:
                self.server.run(
                    "DELETE FROM vectors WHERE NOT EXISTS"
                    " (SELECT 1 FROM windows WHERE windows.key = vectors.key)"
                )
                self._changed(*self.collections())
        return dropped

    def vectors(self, keys: Iterable[str]) -> dict[str, np.ndarray]:
        """The stored means among these keys, each as one flat row."""
        rows = self.server.rows(
            "SELECT key, data FROM vectors WHERE key = ANY(%s)", (list(dict.fromkeys(keys)),)
        )
        return {key: np.frombuffer(data, np.float16) for key, data in rows if len(data) % 2 == 0}

    # --- a visitor's own copy ------------------------------------------------------------------

    def copy_to(self, path: Path) -> Workspace:
        """A private copy of the library in a new folder of this machine, whole or not at all."""
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        with self.transaction():
            if not (path / "triptych.db").exists():
                shutil.rmtree(partial, ignore_errors=True)  # what a crash left
                partial.mkdir(parents=True)
                copy = Workspace.open(partial)
                copy.fill(self._versions(), self._events(), {"seeded": "1"})
                copy.close()
                partial.replace(path)
                sync(path.parent)
        return Workspace.open(path)

    def _versions(self) -> Iterator[StoredVersion]:
        """Every version of the library's documents, by name, then version."""
        rows = self.server.rows("SELECT name, version, id FROM documents WHERE collection = '' ORDER BY 1, 2")
        for name, version, identifier in rows:
            stored = self.document("", name, version)
            embedders = self.server.rows("SELECT embedder FROM readings WHERE document = %s", (identifier,))
            if stored is not None:
                readings = [each for (name,) in embedders if (each := self._kept(identifier, name))]
                yield StoredVersion(stored.document, self.original(identifier), readings)

    def _kept(self, identifier: int, embedder: str) -> KeptReading | None:
        reading = self.reading(identifier, embedder)
        windows = self.server.rows(
            "SELECT key, parts FROM windows WHERE document = %s AND embedder = %s ORDER BY ordinal",
            (identifier, embedder),
        )
        if reading is None:
            return None
        means = self.vectors([key for key, _ in windows])
        offsets = (reading.tokens, reading.parts)
        return KeptReading(embedder, offsets, [(key, count) for key, count in windows], means)

    def _events(self) -> list[tuple[str, HistoryEntry]]:
        rows = self.server.rows(
            "SELECT name, version, event, at, content_hash FROM history WHERE collection = '' ORDER BY id"
        )
        return [(name, HistoryEntry(*entry)) for name, *entry in rows]


def _entry(row: DatabaseRow) -> CatalogueEntry:
    name, version, title, kind, content_hash, pages, roles, tags, date, source, language, notes = row
    return CatalogueEntry(
        name=name,
        version=version,
        title=title,
        type=kind,
        content_hash=content_hash,
        pages=tuple(Page(*page) for page in json.loads(pages)),
        roles=tuple(roles),
        tags=tuple(tags),
        date=date,
        source=source,
        language=language,
        notes=tuple(json.loads(notes)),
    )


def _document(row: DatabaseRow) -> StoredDocument:
    identifier, text, *described = row
    return StoredDocument(identifier, Document(text=text, **vars(_entry(tuple(described)))))
