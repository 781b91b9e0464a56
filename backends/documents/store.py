"""The workspace: one folder, one SQLite file, every change a transaction. The embedded `storage.Store`.

Enters: records of `datatypes`. Leaves: the same records, after a restart too. It knows nothing of parsing,
embedding or ranking. Chunks and sentences are stored as offsets into their
document and vectors under the hash of what was embedded, so no text and no vector is stored twice.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from datetime import UTC, datetime
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
    Purged,
    StoredDocument,
    StoredReading,
    StoredVersion,
)
from backends.system.files import sync

SCHEMA_VERSION = 3
# Files as they came, of the formats that can be shown as pictures; what came in before has none.
ORIGINALS = """
CREATE TABLE IF NOT EXISTS originals (
    document INTEGER PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE, data BLOB NOT NULL
)
"""
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, current INTEGER NOT NULL,
    title TEXT NOT NULL, type TEXT NOT NULL, text TEXT NOT NULL, content_hash TEXT NOT NULL,
    pages TEXT NOT NULL, roles TEXT NOT NULL, tags TEXT NOT NULL, date TEXT NOT NULL, source TEXT NOT NULL,
    language TEXT NOT NULL DEFAULT '', notes TEXT NOT NULL DEFAULT '[]',
    UNIQUE (collection, name, version)
);
CREATE UNIQUE INDEX one_current ON documents (collection, name) WHERE current;
CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
    event TEXT NOT NULL, at TEXT NOT NULL, content_hash TEXT NOT NULL
);
CREATE INDEX history_by_name ON history (collection, name);
"""
# What can be made again from the documents; a workspace of an older format loses it and makes it anew.
DERIVED = """
CREATE TABLE chunked (
    document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    scheme TEXT NOT NULL, made INTEGER NOT NULL,
    PRIMARY KEY (document, scheme)
) WITHOUT ROWID;
CREATE TABLE chunks (
    document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    scheme TEXT NOT NULL, ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, tokens INTEGER NOT NULL, page INTEGER,
    heading TEXT NOT NULL,
    PRIMARY KEY (document, scheme, ordinal)
) WITHOUT ROWID;
CREATE TABLE readings (
    document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    embedder TEXT NOT NULL, tokens BLOB NOT NULL, parts BLOB NOT NULL,
    PRIMARY KEY (document, embedder)
);
CREATE TABLE windows (
    document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    embedder TEXT NOT NULL, ordinal INTEGER NOT NULL, parts INTEGER NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (document, embedder, ordinal)
) WITHOUT ROWID;
CREATE INDEX windows_by_key ON windows (key);
CREATE TABLE vectors (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
"""
DERIVED_TABLES = ("chunked", "chunks", "windows", "readings", "vectors")

_CATALOGUE_COLUMNS = (
    "name, version, title, type, content_hash, pages, roles, tags, date, source, language, notes"
)
_DOCUMENT_COLUMNS = f"id, text, {_CATALOGUE_COLUMNS}"
# Columns that documents were given later, by the default that stands in workspaces made before.
_ADDED_COLUMNS = {"language": "''", "notes": "'[]'"}

ERASING_LOCK = "erasing.lock"
CHECKPOINT_SECONDS = 20.0  # how long readers are waited for when the journal is to be emptied
PATIENCE = 60.0  # seconds that a write waits for another to end


class Workspace:
    """Owns a folder and the database in it. Safe to share between threads and processes."""

    limits = ()  # every file of it can be read and rewritten
    folder_prefix = "folder:"

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._local = threading.local()

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "triptych.db"

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.database.name

    @property
    def identity(self) -> tuple[object, ...]:
        """The inode tells a database from one that was removed and made anew at the same place."""
        return str(self.database.resolve()), self.database.stat().st_ino

    @property
    def exists(self) -> bool:
        """Whether its file is still there."""
        return self.database.exists()

    @classmethod
    def open(cls, path: Path) -> Workspace:
        """Open the workspace in `path`, making it when new. UserError when the place cannot be used."""
        workspace = cls(path)
        try:
            workspace.path.mkdir(parents=True, exist_ok=True)
            workspace._prepare()
        except (OSError, sqlite3.DatabaseError) as error:
            raise UserError(f"The workspace {path} cannot be used: {error}.") from error
        return workspace

    def _prepare(self) -> None:
        with self.transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise UserError(
                    f"The workspace {self.path} was written by a newer Triptych "
                    f"(format {version}; this one reads up to {SCHEMA_VERSION})."
                )
            if version == 0:
                _create(db, SCHEMA)
            if version < SCHEMA_VERSION:
                for table in DERIVED_TABLES:
                    db.execute(f"DROP TABLE IF EXISTS {table}")
                _create(db, DERIVED)
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.execute(ORIGINALS)
            columns = {row[1] for row in db.execute("PRAGMA table_info(documents)")}
            for column, default in _ADDED_COLUMNS.items():
                if column not in columns:
                    db.execute(f"ALTER TABLE documents ADD COLUMN {column} TEXT NOT NULL DEFAULT {default}")

    # --- connections ---------------------------------------------------------------------------

    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = sqlite3.connect(self.database, timeout=PATIENCE, isolation_level=None)
            _keep_a_journal(db)
            db.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA secure_delete = ON")  # forgotten text leaves no traces in free pages
            self._local.db = db
        return db

    def close(self) -> None:
        """Close this thread's connection; the next call opens a new one."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is not None:
            db.close()
            del self._local.db

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, also when the process dies. Inside another transaction it joins that one."""
        db = self.connection()
        if db.in_transaction:
            yield db
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    @contextmanager
    def erasing(self, *, wait: bool = True) -> Iterator[None]:
        """One thread of one process erases in a workspace at a time; without `wait`, BlockingIOError."""
        with (self.path / ERASING_LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            yield

    def copy_to(self, path: Path) -> Workspace:
        """A private copy of the library in a new folder (other collections stay behind), whole or not at all.

        Nothing is written here meanwhile: a document is forgotten either before, and not copied, or after,
        and then found in the copy.
        """
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        with self.transaction():
            if not (path / "triptych.db").exists():
                shutil.rmtree(partial, ignore_errors=True)  # what a crash left
                partial.mkdir(parents=True)
                self._copy_database(partial)
                partial.replace(path)
                sync(path.parent)
        return Workspace.open(path)

    def _copy_database(self, folder: Path) -> None:
        # A connection of its own: SQLite does not copy from the one that holds the write lock.
        source, target = sqlite3.connect(self.database), sqlite3.connect(folder / "triptych.db")
        try:
            source.backup(target)
        finally:
            source.close()
            target.close()
        copy = Workspace.open(folder)
        left_behind = [name for name in copy.collections() if name]
        with copy.transaction() as db:
            for name in left_behind:
                copy.drop_collection(name)
            for prefix in (ERASING, PROVED):
                db.execute("DELETE FROM meta WHERE key LIKE ?", (f"{prefix}%",))
        if left_behind:
            copy.clean()
        copy.close()

    # --- small values --------------------------------------------------------------------------

    def get_meta(self, key: str) -> str | None:
        """The value kept under a key; None when there is none."""
        row = self.connection().execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set_meta(self, key: str, value: str) -> None:
        """Keep a value under a key."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    # --- documents -----------------------------------------------------------------------------

    def collections(self) -> list[str]:
        """Names of all collections that hold a document."""
        return [row[0] for row in self.connection().execute("SELECT DISTINCT collection FROM documents")]

    def documents(self, collection: str = "") -> list[StoredDocument]:
        """The current version of every document, by name."""
        rows = self.connection().execute(
            f"SELECT {_DOCUMENT_COLUMNS} FROM documents WHERE collection = ? AND current ORDER BY name",
            (collection,),
        )
        return [_document(row) for row in rows]

    def catalogue(self, collection: str = "") -> list[CatalogueEntry]:
        """The current version of every document, by name, without reading their texts."""
        rows = self.connection().execute(
            f"SELECT {_CATALOGUE_COLUMNS} FROM documents WHERE collection = ? AND current ORDER BY name",
            (collection,),
        )
        return [_entry(row) for row in rows]

    def document(self, collection: str, name: str, version: int | None = None) -> StoredDocument | None:
        """One document, the current version unless another is asked for."""
        row = self._one(collection, name, version, _DOCUMENT_COLUMNS)
        return _document(row) if row else None

    def entry(self, collection: str, name: str, version: int | None = None) -> CatalogueEntry | None:
        """What the catalogue says of one document, the current version unless another is asked for."""
        row = self._one(collection, name, version, _CATALOGUE_COLUMNS)
        return _entry(row) if row else None

    def text_between(
        self, collection: str, name: str, version: int | None, start: int, end: int
    ) -> str | None:
        """These characters of a document's text; None when there is no such document."""
        row = self._one(collection, name, version, f"substr(text, {start + 1}, {max(0, end - start)})")
        return str(row[0]) if row else None

    def _one(self, collection: str, name: str, version: int | None, columns: str) -> DatabaseRow | None:
        which = "current" if version is None else "version = ?"
        row: DatabaseRow | None = (
            self.connection()
            .execute(
                f"SELECT {columns} FROM documents WHERE collection = ? AND name = ? AND {which}",
                (collection, name) if version is None else (collection, name, version),
            )
            .fetchone()
        )
        return row

    def version_hashes(self, collection: str, name: str) -> dict[int, str]:
        """content_hash of every stored version of a document."""
        rows = self.connection().execute(
            "SELECT version, content_hash FROM documents WHERE collection = ? AND name = ? ORDER BY version",
            (collection, name),
        )
        return dict(rows)

    def current_hashes(self, collection: str = "") -> list[tuple[str, int, str]]:
        """(name, version, content_hash) of the current documents, without reading their texts."""
        return list(
            self.connection().execute(
                "SELECT name, version, content_hash FROM documents"
                " WHERE collection = ? AND current ORDER BY name",
                (collection,),
            )
        )

    def current_readers(self, collection: str = "") -> list[tuple[int, int, str, tuple[str, ...]]]:
        """(id, version, name, roles) of the current documents, without reading their texts."""
        rows = self.connection().execute(
            "SELECT id, version, name, roles FROM documents WHERE collection = ? AND current ORDER BY name",
            (collection,),
        )
        return [(at, version, name, tuple(json.loads(roles))) for at, version, name, roles in rows]

    def restricted(self, collection: str = "") -> dict[str, tuple[str, ...]]:
        """Who may read those current documents that not everyone may, without reading their texts."""
        rows = self.connection().execute(
            "SELECT name, roles FROM documents WHERE collection = ? AND current AND roles != '[]'",
            (collection,),
        )
        return {name: tuple(json.loads(roles)) for name, roles in rows}

    def add_document(self, collection: str, document: Document) -> int:
        """Store a version as the current one and note it in the history; returns the row's id.

        The chunks of the version before go: answers cite it by offsets into its text, which stays.
        """
        with self.transaction() as db:
            rows = db.execute(
                "SELECT id, scheme FROM documents JOIN chunked ON document = id"
                " WHERE collection = ? AND name = ? AND current",
                (collection, document.name),
            ).fetchall()
            self._drop_chunks(db, rows)
            db.execute(
                "UPDATE documents SET current = 0 WHERE collection = ? AND name = ?",
                (collection, document.name),
            )
            cursor = db.execute(
                "INSERT INTO documents (collection, name, version, current, title, type, text, content_hash,"
                " pages, roles, tags, date, source, language, notes)"
                " VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    collection,
                    document.name,
                    document.version,
                    document.title,
                    document.type,
                    document.text,
                    document.content_hash,
                    json.dumps([astuple(page) for page in document.pages]),
                    json.dumps(document.roles),
                    json.dumps(document.tags),
                    document.date,
                    document.source,
                    document.language,
                    json.dumps(document.notes),
                ),
            )
            event = "indexed" if document.version == 1 else "replaced"
            self._note(db, collection, document.name, document.version, event, document.content_hash)
            return int(cursor.lastrowid or 0)

    def keep_original(self, identifier: int, data: bytes) -> None:
        """Keep the file that a document version was read from; it goes with the version."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO originals VALUES (?, ?)", (identifier, data))

    def original(self, identifier: int) -> bytes | None:
        """The file that a version was read from, where it is kept."""
        found = self.connection().execute("SELECT data FROM originals WHERE document = ?", (identifier,))
        row = found.fetchone()
        return bytes(row[0]) if row is not None else None

    def remove_document(self, collection: str, name: str, *, note: bool = True) -> Purged:
        """Remove every version of a document with its chunks and the vectors nothing else needs."""
        with self.transaction() as db:
            rows = db.execute(
                "SELECT id, version, length(text) FROM documents WHERE collection = ? AND name = ?"
                " ORDER BY version",
                (collection, name),
            ).fetchall()
            chunks = vectors = 0
            for identifier, _, _ in rows:
                removed = self._remove_row(db, identifier)
                chunks += removed[0]
                vectors += removed[1]
            if note and rows:
                self._note(db, collection, name, rows[-1][1], "forgotten", "")
        return Purged(len(rows), sum(row[2] for row in rows), chunks, vectors)

    def drop_collection(self, collection: str) -> None:
        """Remove a collection and its history."""
        with self.transaction() as db:
            rows = db.execute("SELECT id FROM documents WHERE collection = ?", (collection,)).fetchall()
            for (identifier,) in rows:
                self._remove_row(db, identifier)
            db.execute("DELETE FROM history WHERE collection = ?", (collection,))

    @staticmethod
    def _remove_row(db: sqlite3.Connection, identifier: int) -> tuple[int, int]:
        """(chunks, vectors) removed with this row."""
        keys = db.execute("SELECT DISTINCT key FROM windows WHERE document = ?", (identifier,)).fetchall()
        (chunks,) = db.execute("SELECT count(*) FROM chunks WHERE document = ?", (identifier,)).fetchone()
        db.execute("DELETE FROM documents WHERE id = ?", (identifier,))
        vectors = 0
        for key in keys:
            cursor = db.execute(
                "DELETE FROM vectors WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM windows WHERE key = ?1)",
                key,
            )
            vectors += cursor.rowcount
        return chunks, vectors

    # --- erasing -------------------------------------------------------------------------------

    def set_aside(self, collection: str, name: str, elsewhere: Sequence[str] = ()) -> Erasure | None:
        """Take a document with all its versions out of sight, at once and for good; None when there is none.

        Copies of the same files in the folder collections go with it. The rows wait for `remove_set_aside`,
        because whoever erases the traces elsewhere must know the text.
        """
        ticket = uuid.uuid4().hex
        with self.transaction() as db:
            hashes = self.version_hashes(collection, name)
            if not hashes:
                return None
            copies = self._copies(db, hashes.values()) if collection == "" else []
            for number, home in enumerate([(collection, name), *copies]):
                db.execute(
                    "UPDATE documents SET collection = ?, current = 0 WHERE collection = ? AND name = ?",
                    (f"{SET_ASIDE}{ticket}:{number}", *home),
                )
            folders = tuple(dict.fromkeys(folder for folder, _ in copies))
            self._note(db, collection, name, max(hashes), "forgotten", "")
            self.set_meta(
                f"{ERASING}{ticket}", json.dumps([collection, name, len(hashes), folders, list(elsewhere)])
            )
        return Erasure(ticket, collection, name, len(hashes), folders, tuple(elsewhere))

    @staticmethod
    def _copies(db: sqlite3.Connection, hashes: Iterable[str]) -> list[tuple[str, str]]:
        """(collection, name) of the documents of other collections that hold one of these files."""
        wanted = list(hashes)
        marks = ",".join("?" * len(wanted))
        return db.execute(
            f"SELECT DISTINCT collection, name FROM documents WHERE content_hash IN ({marks})"
            f" AND collection != '' AND collection NOT LIKE '{SET_ASIDE}%'",
            wanted,
        ).fetchall()

    def erasures(self) -> list[Erasure]:
        """What was set aside and is not yet erased: after a crash, work to be finished."""
        rows = self.connection().execute("SELECT key, value FROM meta WHERE key LIKE ?", (f"{ERASING}%",))
        return [
            Erasure(key.removeprefix(ERASING), collection, name, versions, tuple(folders), tuple(elsewhere))
            for key, value in rows.fetchall()
            for collection, name, versions, folders, elsewhere in [json.loads(value)]
        ]

    def set_aside_documents(self, erasure: Erasure) -> list[StoredDocument]:
        """The versions that wait under this erasure; the first home's first."""
        rows = self.connection().execute(
            f"SELECT {_DOCUMENT_COLUMNS} FROM documents WHERE collection LIKE ? ORDER BY collection, version",
            (f"{SET_ASIDE}{erasure.ticket}:%",),
        )
        return [_document(row) for row in rows]

    def remove_set_aside(self, erasure: Erasure) -> Purged:
        """Remove the waiting rows with their chunks and the vectors nothing else needs."""
        versions = characters = chunks = vectors = 0
        with self.transaction() as db:
            for stored in self.set_aside_documents(erasure):
                removed = self._remove_row(db, stored.id)
                versions += 1
                characters += len(stored.document.text)
                chunks += removed[0]
                vectors += removed[1]
        return Purged(versions, characters, chunks, vectors)

    def keep_proof(self, erasure: Erasure, proof: str, *, finished: bool = True) -> None:
        """Keep what an erasure came to until it is dismissed, of many the newest ones.

        Once `finished`, nothing is left to do after a crash or at the next opening.
        """
        key = f"{PROVED}{erasure.ticket}"
        with self.transaction() as db:
            db.execute("DELETE FROM meta WHERE key = ?", (key,))  # the newest is the last of the table
            db.execute("INSERT INTO meta VALUES (?, ?)", (key, proof))
            db.execute(
                "DELETE FROM meta WHERE key IN (SELECT key FROM meta WHERE key LIKE ?"
                " ORDER BY rowid DESC LIMIT -1 OFFSET ?)",
                (f"{PROVED}%", PROOFS_KEPT),
            )
            if finished:
                db.execute("DELETE FROM meta WHERE key = ?", (f"{ERASING}{erasure.ticket}",))

    def end_erasure(self, erasure: Erasure) -> None:
        """Every trace is gone, and whoever had it erased tells what it came to."""
        with self.transaction() as db:
            db.execute("DELETE FROM meta WHERE key = ?", (f"{ERASING}{erasure.ticket}",))

    def proofs(self) -> dict[str, str]:
        """What erasures came to, by ticket, the newest first."""
        rows = self.connection().execute(
            "SELECT key, value FROM meta WHERE key LIKE ? ORDER BY rowid DESC", (f"{PROVED}%",)
        )
        return {key.removeprefix(PROVED): value for key, value in rows}

    def drop_proof(self, ticket: str) -> None:
        """Forget the proof of an erasure."""
        with self.transaction() as db:
            db.execute("DELETE FROM meta WHERE key = ?", (f"{PROVED}{ticket}",))

    def texts(self) -> Iterator[tuple[str, str, str, str]]:
        """(collection, name, content_hash, text) of every version that is not being erased."""
        yield from self.connection().execute(
            "SELECT collection, name, content_hash, text FROM documents WHERE collection NOT LIKE ?",
            (f"{SET_ASIDE}%",),
        )

    def clean(self) -> bool:
        """Rewrite the files so that nothing of what was removed is left on disk.

        False when somebody read or wrote for so long that it is left in the journal, which can still hold it.
        """
        return empty_journal(self.connection(), CHECKPOINT_SECONDS)

    def dumps(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Nothing: all it keeps is a file of the workspace's folder, and read with the others."""
        return iter(())

    def fill(
        self,
        versions: Iterable[StoredVersion],
        events: Sequence[tuple[str, HistoryEntry]],
        meta: Mapping[str, str],
    ) -> None:
        """Take over another store's library: every version, oldest first, and what happened to which name."""
        with self.transaction() as db:
            for each in versions:
                identifier = self.add_document("", each.document)
                if each.original is not None:
                    self.keep_original(identifier, each.original)
                for kept in each.readings:
                    self.add_reading(identifier, kept.embedder, kept.offsets, kept.windows, kept.means)
            db.execute("DELETE FROM history")
            for name, entry in events:
                self._note(db, "", name, entry.version, entry.event, entry.content_hash, entry.at)
            for key, value in meta.items():
                self.set_meta(key, value)

    # --- history -------------------------------------------------------------------------------

    @staticmethod
    def _note(
        db: sqlite3.Connection,
        collection: str,
        name: str,
        version: int,
        event: str,
        content_hash: str,
        at: str = "",
    ) -> None:
        now = at or datetime.now(UTC).isoformat(timespec="seconds")
        db.execute(
            "INSERT INTO history (collection, name, version, event, at, content_hash)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (collection, name, version, event, now, content_hash),
        )

    def history(self, collection: str, name: str) -> list[HistoryEntry]:
        """Everything that happened to a document, oldest first."""
        rows = self.connection().execute(
            "SELECT version, event, at, content_hash FROM history"
            " WHERE collection = ? AND name = ? ORDER BY id",
            (collection, name),
        )
        return [HistoryEntry(*row) for row in rows]

    def latest_event(self, before: str = "") -> int:
        """The number of the newest event of any document's history, or of those before a moment."""
        statement = "SELECT coalesce(max(id), 0) FROM history WHERE ? = '' OR at < ?"
        return int(self.connection().execute(statement, (before, before)).fetchone()[0])

    def forgotten_since(self, collection: str, name: str, event: int) -> bool:
        """Whether a document of this name was forgotten after the event of that number."""
        row = self.connection().execute(
            "SELECT 1 FROM history WHERE collection = ? AND name = ? AND event = 'forgotten' AND id > ?",
            (collection, name, event),
        )
        return row.fetchone() is not None

    # --- chunks and vectors --------------------------------------------------------------------

    def chunked(self, identifiers: Iterable[int], scheme: str) -> set[int]:
        """Which of these document rows have chunks of this scheme."""
        rows = self.connection().execute("SELECT document FROM chunked WHERE scheme = ?", (scheme,))
        return set(identifiers) & {row[0] for row in rows}

    def add_chunks(
        self, identifier: int, scheme: str, chunks: Sequence[Chunk], _vectors: Callable[[], np.ndarray]
    ) -> None:
        """Store a document's chunks of one scheme, in place of those made longest ago where it has many.

        Their vectors are made of the document's reading whenever they are needed.
        """
        with self.transaction() as db:
            rows = db.execute(
                "SELECT scheme, made FROM chunked WHERE document = ? AND scheme != ? ORDER BY made DESC",
                (identifier, scheme),
            ).fetchall()
            self._drop_chunks(db, [(identifier, old) for old, _ in rows[SCHEMES_KEPT - 1 :]])
            made = 1 + max((made for _, made in rows), default=0)
            db.execute("INSERT OR REPLACE INTO chunked VALUES (?, ?, ?)", (identifier, scheme, made))
            db.executemany(
                "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (identifier, scheme, ordinal, c.start, c.end, c.tokens, c.page, c.heading)
                    for ordinal, c in enumerate(chunks)
                ],
            )

    @staticmethod
    def _drop_chunks(db: sqlite3.Connection, which: Sequence[tuple[int, str]]) -> None:
        for table in ("chunked", "chunks"):
            db.executemany(f"DELETE FROM {table} WHERE document = ? AND scheme = ?", which)

    def chunks(self, stored: StoredDocument, scheme: str) -> list[Chunk]:
        """A document's chunks of one scheme, in order; none where they were dropped for newer ones."""
        rows = self.connection().execute(
            'SELECT start, "end", tokens, page, heading FROM chunks'
            " WHERE document = ? AND scheme = ? ORDER BY ordinal",
            (stored.id, scheme),
        )
        return [
            stored.document.chunk(start, end, tokens=tokens, page=page, heading=heading)
            for start, end, tokens, page, heading in rows
        ]

    def passages(self, _collection: str, _scheme: str, _role: str | None) -> None:
        """None: SQLite searches no vectors."""

    def identifier(self, collection: str, name: str, version: int) -> int | None:
        """The id of a version's row."""
        row = self._one(collection, name, version, "id")
        return int(row[0]) if row else None

    def add_reading(
        self,
        identifier: int,
        embedder: str,
        offsets: tuple[np.ndarray, np.ndarray],
        windows: Sequence[tuple[str, int]],
        means: Mapping[str, np.ndarray],
    ) -> None:
        """Store how a document was read: its tokens and parts, its windows (key, parts), the new means."""
        with self.transaction() as db:
            tokens, parts = (np.asarray(each, np.int32).tobytes() for each in offsets)
            db.execute(
                "INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?)", (identifier, embedder, tokens, parts)
            )
            db.executemany(
                "INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?)",
                [(identifier, embedder, at, count, key) for at, (key, count) in enumerate(windows)],
            )
            db.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
                [(key, np.asarray(rows, np.float16).tobytes()) for key, rows in means.items()],
            )

    def reading(self, identifier: int, embedder: str) -> StoredReading | None:
        """How this embedder has read the document; None when it has not, or what is stored is damaged."""
        db = self.connection()
        row = db.execute(
            "SELECT tokens, parts FROM readings WHERE document = ? AND embedder = ?", (identifier, embedder)
        ).fetchone()
        if row is None:
            return None
        data = db.execute(
            "SELECT windows.parts, data FROM windows JOIN vectors USING (key)"
            " WHERE document = ? AND embedder = ? ORDER BY ordinal",
            (identifier, embedder),
        )
        try:
            means = [np.frombuffer(blob, np.float16).reshape(count, -1) for count, blob in data]
            tokens, parts = (np.frombuffer(blob, np.int32).reshape(-1, 2) for blob in row)
            rows = np.concatenate(means) if means else np.zeros((0, 1), np.float16)
        except ValueError:  # of another length than they were written with
            return None
        return StoredReading(tokens, parts, rows) if len(rows) == len(parts) and _finite(rows) else None

    def drop_readings(self, but: Collection[str]) -> int:
        """Drop what all other embedders have read, with their passages and vectors; returns the readings."""
        with self.transaction() as db:
            found = [row[0] for row in db.execute("SELECT DISTINCT embedder FROM readings")]
            gone = [name for name in found if name not in but]
            dropped = 0
            for name in gone:
                db.execute("DELETE FROM windows WHERE embedder = ?", (name,))
                dropped += db.execute("DELETE FROM readings WHERE embedder = ?", (name,)).rowcount
                for table in ("chunks", "chunked"):  # a scheme ends with who read the document
                    db.execute(f"DELETE FROM {table} WHERE substr(scheme, -length(?1)) = ?1", (f" {name}",))
            if gone:
                db.execute(
                    "DELETE FROM vectors WHERE NOT EXISTS"
                    " (SELECT 1 FROM windows WHERE windows.key = vectors.key)"
                )
        return dropped

    def vectors(self, keys: Iterable[str]) -> dict[str, np.ndarray]:
        """The stored means among these keys, each as one flat row; those of half a number are left out."""
        found: dict[str, np.ndarray] = {}
        wanted = list(dict.fromkeys(keys))
        db = self.connection()
        for first in range(0, len(wanted), 500):  # SQLite bounds the number of parameters
            part = wanted[first : first + 500]
            marks = ",".join("?" * len(part))
            for key, data in db.execute(f"SELECT key, data FROM vectors WHERE key IN ({marks})", part):
                if len(data) % 2 == 0:
                    found[key] = np.frombuffer(data, np.float16)
        return found

    def all_vectors(self) -> dict[str, np.ndarray]:
        """Every stored mean by its key, each as one flat row."""
        rows = self.connection().execute("SELECT key, data FROM vectors")
        return {key: np.frombuffer(data, np.float16) for key, data in rows}


def empty_journal(db: sqlite3.Connection, patience: float) -> bool:
    """Rewrite a database without its free pages and cut its journal to nothing; False when others kept it."""
    deadline = time.monotonic() + patience
    db.execute("PRAGMA busy_timeout = 250")
    try:
        while True:
            try:
                db.execute("VACUUM")
                busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.OperationalError as error:
                if not _is_busy(error):
                    raise
                busy = 1
            if not busy or time.monotonic() > deadline:
                return not busy
            time.sleep(0.05)
    finally:
        db.execute("PRAGMA busy_timeout = 60000")


def _keep_a_journal(db: sqlite3.Connection) -> None:
    """Write ahead. SQLite does not wait by itself where another process makes the same database just now."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _finite(rows: np.ndarray) -> bool:
    return bool(np.isfinite(rows).all())


def _create(db: sqlite3.Connection, schema: str) -> None:
    for statement in schema.split(";\n"):
        db.execute(statement)


def _entry(row: DatabaseRow) -> CatalogueEntry:
    name, version, title, kind, content_hash, pages, roles, tags, date, source, language, notes = row
    try:
        return CatalogueEntry(
            name=name,
            version=version,
            title=title,
            type=kind,
            content_hash=content_hash,
            pages=tuple(Page(*page) for page in json.loads(pages)),
            roles=tuple(json.loads(roles)),
            tags=tuple(json.loads(tags)),
            date=date,
            source=source,
            language=language,
            notes=tuple(json.loads(notes)),
        )
    except (ValueError, TypeError) as error:
        raise UserError(
            f"The workspace's database is damaged (the record of {name} cannot be read): put a copy of it "
            "back, or move its folder away to begin anew."
        ) from error


def _document(row: DatabaseRow) -> StoredDocument:
    identifier, text, *described = row
    return StoredDocument(identifier, Document(text=text, **vars(_entry(described))))
