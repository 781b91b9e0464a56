"""Erasure: takes a forgotten document out of every file of a workspace, and proves it by reading them all.

Enters: a workspace and a document that `store` has set aside. Leaves: an `Erased` account. The steps can be
repeated: what a crash interrupts is finished when the library is opened again. It knows the files of a
workspace by their format (JSON, JSON Lines, packed or not, SQLite), not by who wrote them.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.datatypes import UserError
from backends.documents.store import DERIVED_TABLES, Erasure, Workspace
from backends.erasure.redact import Traces, spread
from backends.erasure.scan import SQLITE, Scan, scan
from backends.system.files import rewrite

SEARCHED = 48  # pieces that the scan looks for; redaction looks for all
LIBRARY_TABLES = frozenset({"documents", "history", "meta", *DERIVED_TABLES})
JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
PARTIAL_KEPT_SECONDS = 600

NOTHING_READ = Scan()

_active: set[str] = set()  # tickets that a thread of this process works on
_active_lock = threading.Lock()


@dataclass(frozen=True)
class Erased:
    """What was removed where. `also_in` are documents that hold some of the same text and stay."""

    versions: int = 0
    characters: int = 0
    chunks: int = 0
    vectors: int = 0
    folders: tuple[str, ...] = ()
    sessions: int = 0
    records: int = 0
    also_in: tuple[str, ...] = ()
    scan: Scan = NOTHING_READ


def finish_erasures(workspace: Workspace) -> list[Erased]:
    """Complete what a crash has interrupted."""
    return [erase(workspace, erasure) for erasure in workspace.erasures()]


def erase(workspace: Workspace, erasure: Erasure, *, prove: bool = True) -> Erased:
    """Copies of visitors first, then records, the rows, and free pages and journals; then the scan.

    The order matters: while the rows wait, a restart still knows which text to look for.
    """
    with _active_lock:
        if erasure.ticket in _active:
            return Erased()
        _active.add(erasure.ticket)
    try:
        return _erase(workspace, erasure, prove)
    finally:
        with _active_lock:
            _active.discard(erasure.ticket)


def _erase(workspace: Workspace, erasure: Erasure, prove: bool) -> Erased:
    waiting = [stored.document for stored in workspace.set_aside_documents(erasure)]
    sessions = _in_sessions(workspace.path, {document.content_hash for document in waiting})
    texts = list(dict.fromkeys(document.text for document in waiting))
    traces = Traces.of(erasure.name, texts, _staying(workspace) if waiting else ())
    places = [workspace.path, *(Path(folder) for folder in erasure.elsewhere)]
    records = sum(_in_records(place, traces) for place in places) if waiting else 0
    purged = workspace.remove_set_aside(erasure)
    workspace.clean()
    proof = scan(places, spread(traces.pieces, SEARCHED)) if prove else NOTHING_READ
    workspace.finish(erasure)
    return Erased(
        versions=erasure.versions,
        characters=purged.characters,
        chunks=purged.chunks,
        vectors=purged.vectors,
        folders=erasure.folders,
        sessions=sessions,
        records=records,
        also_in=traces.also_in,
        scan=proof,
    )


# --- visitors' copies ----------------------------------------------------------------------------


def _sessions(path: Path) -> Iterator[Workspace]:
    """The visitors' workspaces below this one, each closed after use."""
    for database in sorted((path / "sessions").glob("*/triptych.db")):
        try:
            session = Workspace.open(database.parent)
        except UserError:
            # A copy whose making was interrupted; one that is being made now comes after the document.
            if time.time() - database.stat().st_mtime > PARTIAL_KEPT_SECONDS:
                shutil.rmtree(database.parent)
            continue
        try:
            yield session
        finally:
            session.close()


def _in_sessions(path: Path, hashes: set[str]) -> int:
    """Erase the documents that hold one of these files from every visitor's copy; how many copies had one."""
    changed = 0
    for session in _sessions(path):
        finish_erasures(session)
        names = {(where, name) for where, name, file_hash, _ in session.texts() if file_hash in hashes}
        for where, name in sorted(names):
            if erasure := session.set_aside(where, name):
                erase(session, erasure, prove=False)
        changed += bool(names)
    return changed


def _staying(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """(name, text) of all that stays, here and in visitors' copies; a text that was seen is not repeated."""
    seen: set[str] = set()
    for where, name, file_hash, text in workspace.texts():
        if file_hash not in seen:
            seen.add(file_hash)
            yield (f"{name} ({where})" if where else name), text
    for session in _sessions(workspace.path):
        for _, _, file_hash, text in session.texts():
            if file_hash not in seen:
                seen.add(file_hash)
                yield "a visitor's own document", text


# --- records -------------------------------------------------------------------------------------


def _in_records(path: Path, traces: Traces) -> int:
    """Take the document's text out of every record below `path`; how many places changed."""
    count = 0
    for file in sorted(path.rglob("*")):
        inner = file.relative_to(path)
        # Copies of visitors are workspaces of their own; cards say what an adapter learned, and stay.
        if inner.parts[0] == "sessions" or file.name == "card.json" or not file.is_file():
            continue
        if {suffix.lower() for suffix in file.suffixes} & JSON_SUFFIXES:
            count += _in_json(file, traces)
        elif _is_database(file):
            count += _in_database(file, traces)
    return count


def _in_json(file: Path, traces: Traces) -> int:
    """Redact a file of JSON or of lines of JSON; what is appended meanwhile is appended to the new file."""
    packed = file.suffix.lower() == ".gz"
    by_line = any(suffix.lower() in (".jsonl", ".ndjson") for suffix in file.suffixes)
    count = 0

    def without(data: bytes) -> bytes | None:
        nonlocal count
        text = (gzip.decompress(data) if packed else data).decode("utf-8", errors="replace")
        text, count = _redacted_file(text, traces, by_line)
        return (gzip.compress(text.encode()) if packed else text.encode()) if count else None

    rewrite(file, without)
    return count


def _redacted_file(text: str, traces: Traces, by_line: bool) -> tuple[str, int]:
    escaped = json.dumps(traces.name)[1:-1]
    if traces.name not in text and escaped not in text and not traces.quoted_in(text):
        return text, 0
    units = text.split("\n") if by_line else [text]
    changed = [_redacted_text(unit, traces, by_line) for unit in units]
    return "\n".join(unit for unit, _ in changed), sum(changes for _, changes in changed)


def _redacted_text(text: str, traces: Traces, one_line: bool) -> tuple[str, int]:
    """A JSON text without the document's; what quotes it and is not JSON becomes a JSON string."""
    if not text.strip():
        return text, 0
    try:
        value = json.loads(text)
    except ValueError:
        value = text
        if not traces.quoted_in(text):
            return text, 0
    value, count = traces.redacted(value)
    indent = None if one_line or "\n" not in text.strip() else 1
    return (json.dumps(value, ensure_ascii=False, indent=indent), count) if count else (text, 0)


def _is_database(file: Path) -> bool:
    with file.open("rb") as start:
        return start.read(len(SQLITE)) == SQLITE


def _in_database(file: Path, traces: Traces) -> int:
    """Redact the rows of every table but the library's own, then rewrite the file."""
    own = LIBRARY_TABLES if file.name == "triptych.db" else frozenset()
    db = sqlite3.connect(file, timeout=60, isolation_level=None)
    try:
        db.execute("PRAGMA secure_delete = ON")
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        db.execute("BEGIN IMMEDIATE")
        count = sum(_in_table(db, table, traces) for table in tables if table not in own)
        db.execute("COMMIT")
        if not own:  # the library's file is cleaned when the document has left it
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count
    finally:
        db.close()


def _in_table(db: sqlite3.Connection, table: str, traces: Traces) -> int:
    columns = db.execute(f'PRAGMA table_info("{table}")').fetchall()
    keys = [name for _, name, _, _, _, key in columns if key] or ["rowid"]
    texts = [name for _, name, kind, _, _, key in columns if not key and kind.upper() in ("TEXT", "JSON", "")]
    if not texts or table.startswith("sqlite_"):
        return 0
    quoted = ", ".join(f'"{name}"' for name in [*keys, *texts])
    where = " AND ".join(f'"{name}" = ?' for name in keys)
    total = 0
    for row in db.execute(f'SELECT {quoted} FROM "{table}"').fetchall():
        before = {name: _parsed(value) for name, value in zip(texts, row[len(keys) :], strict=True)}
        after, count = traces.redacted(before)
        for name in texts if count else ():
            if after[name] != before[name]:
                value = after[name]
                stored = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                db.execute(f'UPDATE "{table}" SET "{name}" = ? WHERE {where}', (stored, *row[: len(keys)]))
        total += count
    return total


def _parsed(value: Any) -> Any:
    """A stored JSON object or list as such; any other value as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
