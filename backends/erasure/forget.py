"""Forgetting: takes a document out of every file of a workspace, and proves it by reading them all.

Enters: a library and a name, or an erasure that was interrupted; what keeps more of documents than text in
files. Leaves: a `Proof`, kept until somebody dismisses it. The steps can be repeated. It knows the files of a
workspace by their format (JSON, JSON Lines, packed or not, SQLite), not by who wrote them. A file that cannot
be read stops nothing: it is named, and then nothing is proven.
"""

from __future__ import annotations

import gzip
import json
import logging
import shutil
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from backends.datatypes import JsonValue, UserError
from backends.documents.storage import JOINED, Erasure, Store
from backends.documents.store import CHECKPOINT_SECONDS, DERIVED_TABLES, Workspace, empty_journal
from backends.erasure.redact import Traces, spread
from backends.erasure.scan import SQLITE, FilesBelow, Scan, scan, scan_dumps
from backends.system.data_holder import DataHolder, GaveUp, RecordHolder
from backends.system.files import rewrite
from backends.system.reporting import Report, no_report
from backends.system.viewers import SESSIONS, folders_of

SEARCHED = 48  # pieces that the scan looks for; redaction looks for all
LIBRARY_TABLES = frozenset({"documents", "history", "meta", *DERIVED_TABLES})
JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
PARTIAL_KEPT_SECONDS = 600
PASSES = 3  # of redaction: an answer on its way may be written down after the first
ON_A_CLUSTER = (
    "Files were read on a Ray cluster that was joined: its machines may hold what its object store spilled "
    "to their disks (/tmp/ray), which was not read from here."
)
UNREADABLE = (OSError, EOFError, zlib.error, sqlite3.Error)


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Proof:
    """What was removed with a document, what remembers it, and what a scan of every file found.

    It is `proven` gone when all was read, nothing was found and no journal was left. `adapters` had learned
    from it and keep what they learned; `also_in` are documents that hold some of the same text and stay.
    `found_in` names the files where a scan for `searched_for` short pieces of its own text still found one,
    `unread` those that could not be read, `busy` the databases whose journal others kept from being emptied:
    that is tried again at the next opening. `limits` say what no scan of this machine can reach: a proof is
    about the files and tables that were read, which are counted together.
    """

    id: str
    document: str
    proven: bool
    versions: int = 0
    characters: int = 0
    chunks: int = 0
    vectors: int = 0
    training_rows: int = 0
    logged_questions: int = 0
    stopped_trainings: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    adapters_of_visitors: int = 0  # they are counted and not named: they are nobody else's business
    folders: tuple[str, ...] = ()  # cached copies of folders that held it
    sessions: int = 0  # visitors' copies that held it
    records: int = 0  # places in stored answers, runs and logs
    also_in: tuple[str, ...] = ()
    searched_for: int = 0
    scanned_files: int = 0
    scanned_bytes: int = 0
    found_in: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Beside:
    """What keeps more of documents than text in the files of a workspace, and records that are in no file."""

    holders: Sequence[DataHolder] = ()
    records: Sequence[RecordHolder] = ()


class Forgettable(Protocol):
    """What is needed of a `library.Library`."""

    @property
    def workspace(self) -> Store:
        """Where its documents are."""
        ...

    def set_aside(self, name: str, elsewhere: Sequence[Path] = ()) -> Erasure:
        """Take a document out of sight, to be erased."""
        ...


def forget(
    library: Forgettable,
    name: str,
    beside: Beside,
    elsewhere: Sequence[Path] = (),
    report: Report = no_report,
) -> Proof:
    """Remove every version of a document and every trace of it below the workspace's folder, and prove it.

    `elsewhere` are other folders with records that were made from it. It is out of sight with the first
    step; what a crash leaves undone is finished at the next opening. Raises UserError when there is no such
    document.
    """
    erasure = library.set_aside(name, elsewhere)
    with library.workspace.erasing():
        return _Erasing(library.workspace, erasure, beside, report).carry_out()


def finish_erasures(workspace: Store, beside: Beside) -> list[Proof]:
    """Complete what a crash has interrupted, or what a busy journal has left; a failure is told in the log.

    What somebody else is erasing right now is left to them.
    """
    finished: list[Proof] = []
    for erasure in workspace.erasures():
        try:
            with workspace.erasing(wait=False):
                if erasure in workspace.erasures():
                    finished.append(_Erasing(workspace, erasure, beside, no_report).carry_out())
        except BlockingIOError:
            break
        except (*UNREADABLE, UserError):
            log.exception("A document that is being forgotten waits for the next opening")
    return finished


def proofs(workspace: Store) -> list[Proof]:
    """Those that nobody has dismissed, the newest first."""
    return [_proof(text) for text in workspace.proofs().values()]


def dismiss(workspace: Store, proof: str) -> None:
    """Show the proof of this id no longer."""
    workspace.drop_proof(proof)


def _proof(text: str) -> Proof:
    row: dict[str, JsonValue] = json.loads(text)
    values: dict[str, JsonValue] = {name: tuple(v) if isinstance(v, list) else v for name, v in row.items()}
    return Proof(**values)


class _Erasing:
    """One erasure in one workspace or visitor's copy."""

    def __init__(
        self,
        workspace: Store,
        erasure: Erasure,
        beside: Beside,
        report: Report,
        *,
        inner: bool = False,
    ) -> None:
        self._workspace = workspace
        self._erasure = erasure
        self._beside = beside
        self._report = report
        self._inner = inner  # a visitor's copy, which whoever erases in the workspace scans too
        self._gave_up = GaveUp()
        self._of_visitors = 0
        self._unread: dict[str, None] = {}
        self._busy: list[str] = []

    def carry_out(self) -> Proof:
        """Holders and visitors' copies first, then records, the rows, free pages and journals; then the scan.

        The order matters: while the rows wait, a restart still knows which text to look for.
        """
        erasure, workspace = self._erasure, self._workspace
        waiting = [stored.document for stored in workspace.set_aside_documents(erasure)]
        if not waiting:
            return self._resume()
        self._ask_holders()
        sessions = self._in_sessions({document.content_hash for document in waiting})
        texts = list(dict.fromkeys(document.text for document in waiting))
        traces = Traces.from_texts(erasure.name, texts, self._staying())
        places = [workspace.path, *(Path(folder) for folder in erasure.elsewhere)]
        records = self._in_records(places, traces)
        self._report(0, 0, "Removing its passages and vectors")
        purged = workspace.remove_set_aside(erasure)
        self._clean()
        found, more = self._scan(places, traces)
        return self._keep(
            replace(
                self._account(found),
                versions=erasure.versions,
                characters=purged.characters,
                chunks=purged.chunks,
                vectors=purged.vectors,
                folders=erasure.folders,
                sessions=sessions,
                records=records + more,
                also_in=traces.also_in,
            )
        )

    def _ask_holders(self) -> None:
        """One that fails stops nothing: it is named with what could not be read."""
        self._report(0, 0, "Stopping what learns from it")
        for room in self._beside.holders:
            try:
                self._gave_up += room.forget(self._workspace.path, self._erasure.name)
            except (*UNREADABLE, UserError, ValueError, LookupError, TypeError):  # damaged records too
                log.exception("%s could not give up a document", room.name)
                self._unread[room.name] = None

    def _account(self, found: Scan) -> Proof:
        """What holders, visitors' copies and the scan came to."""
        unread = tuple(dict.fromkeys((*self._unread, *found.unread)))
        return Proof(
            id=self._erasure.ticket,
            document=self._erasure.name,
            proven=not (found.found_in or unread or self._busy),
            training_rows=self._gave_up.rows,
            logged_questions=self._gave_up.questions,
            stopped_trainings=self._gave_up.stopped,
            adapters=self._gave_up.adapters,
            adapters_of_visitors=self._of_visitors,
            searched_for=found.pieces,
            scanned_files=found.files,
            scanned_bytes=found.bytes,
            found_in=found.found_in,
            unread=unread,
            busy=tuple(self._busy),
            limits=(*self._workspace.limits, *self._beyond()),
        )

    def _beyond(self) -> tuple[str, ...]:
        shared = [said for each in self._beside.records for said in each.limits(self._workspace.path)]
        return (*shared, ON_A_CLUSTER) if self._workspace.get_meta(JOINED) else tuple(shared)

    def _resume(self) -> Proof:
        """The rows are gone and so the text is not known any more: empty the journals."""
        kept = self._workspace.proofs().get(self._erasure.ticket)
        for session in self._sessions():
            finish_erasures(session, self._beside)
            self._busy += [self._name(session.database)] if session.erasures() else []
        self._clean()
        if kept is None:  # interrupted between the last row and the scan
            return self._keep(replace(self._account(Scan()), proven=False))
        proof = replace(_proof(kept), busy=tuple(self._busy))
        if not proof.busy:
            found_in = tuple(name for name in proof.found_in if not name.endswith("triptych.db-wal"))
            proof = replace(proof, found_in=found_in, proven=not (found_in or proof.unread))
        return self._keep(proof)

    def _keep(self, proof: Proof) -> Proof:
        if not self._inner:
            self._workspace.keep_proof(self._erasure, json.dumps(asdict(proof)), finished=not proof.busy)
        elif not proof.busy:
            self._workspace.end_erasure(self._erasure)
        return proof

    def _clean(self) -> None:
        """The workspace, and what it has beside: of a visitor's copy whoever erases in the workspace does."""
        if not self._workspace.clean():
            self._busy.append(self._workspace.name)
        for each in () if self._inner else self._beside.records:
            with self._named(each):
                if not each.clean(self._workspace.path):
                    self._busy.append(each.name)

    def _scan(self, places: Sequence[Path], traces: Traces) -> tuple[Scan, int]:
        """What is found once what was written down since is out too, and in how many places it was."""
        if self._inner:
            return Scan(), 0
        pieces, more = spread(traces.pieces, SEARCHED), 0
        for _ in range(PASSES):
            found = scan(places, pieces, self._told("Searching"))
            found += scan_dumps(self._workspace.dumps(), pieces)
            for each in self._beside.records:
                with self._named(each):
                    found += scan_dumps(each.dumps(self._workspace.path), pieces)
            if not found.found_in:
                break
            changed = self._in_records(places, traces)
            if not changed:
                break
            more += changed
        return found, more

    def _told(self, what: str) -> Report:
        return lambda done, total, item: self._report(done, total, f"{what} {item}")

    # --- visitors' copies ------------------------------------------------------------------------

    def _sessions(self) -> Iterator[Workspace]:
        """The visitors' workspaces below this one, each closed after use; an unreadable one is named."""
        for database in sorted((self._workspace.path / SESSIONS).glob("*/triptych.db")):
            if database.parent.name.startswith("."):
                _remove_old_partial(database)
                continue
            try:
                session = Workspace.open(database.parent)
            except UserError:
                if database.exists():
                    self._unread[self._name(database)] = None
                continue
            try:
                yield session
            finally:
                session.close()

    def _in_sessions(self, hashes: set[str]) -> int:
        """Erase the documents that hold one of these files from every visitor's copy; how many had one."""
        self._report(0, 0, "Looking through visitors' copies")
        return sum(self._in_session(session, hashes) for session in self._sessions())

    def _in_session(self, session: Workspace, hashes: set[str]) -> bool:
        """Whether this copy held one. One that fails on the way is named, and goes on at its next opening."""
        held: set[tuple[str, str]] = set()
        try:
            finish_erasures(session, self._beside)
            held |= {(where, name) for where, name, file_hash, _ in session.texts() if file_hash in hashes}
            # The visitor's own later versions go too, and with them what their runs and votes quote of those.
            beside = [str(folder) for folder in folders_of(self._workspace.path, session.path.name)]
            for where, name in sorted(held):
                if erasure := session.set_aside(where, name, beside):
                    with session.erasing():
                        self._take_over(session, erasure)
        except UNREADABLE:
            log.exception("A visitor's copy could not give up a document")
            self._unread[self._name(session.database)] = None
        return bool(held)

    def _take_over(self, session: Workspace, erasure: Erasure) -> None:
        """Carry out an erasure in a visitor's copy; what it came to is part of this one's."""
        inner = _Erasing(session, erasure, self._beside, no_report, inner=True)
        inner.carry_out()
        gave_up = inner._gave_up
        self._of_visitors += len(set(gave_up.adapters) - set(self._gave_up.adapters))
        self._gave_up += GaveUp(rows=gave_up.rows, questions=gave_up.questions)
        self._busy += [self._name(session.path / name) for name in inner._busy]
        self._unread |= {self._name(session.path / name): None for name in inner._unread}

    def _staying(self) -> Iterator[tuple[str, str]]:
        """(name, text) of all that stays, here and in visitors' copies; no text twice."""
        seen: set[str] = set()
        for where, name, file_hash, text in self._workspace.texts():
            if file_hash not in seen:
                seen.add(file_hash)
                yield (f"{name} ({where})" if where else name), text
        for session in self._sessions():
            try:
                for _, _, file_hash, text in session.texts():
                    if file_hash not in seen:
                        seen.add(file_hash)
                        yield "a visitor's own document", text
            except sqlite3.Error:
                self._unread[self._name(session.database)] = None

    # --- records ---------------------------------------------------------------------------------

    def _in_records(self, places: Sequence[Path], traces: Traces) -> int:
        """Take the document's text out of every record, below these folders and beside; how many places
        changed."""
        walk = FilesBelow(places)
        count = self._in_shared(traces)
        for number, file in enumerate(walk.files):
            self._report(number, len(walk.files), f"Taking it out of {file.name}")
            # Copies of visitors are workspaces of their own; cards say what an adapter learned, and stay.
            inside = file.is_relative_to(self._workspace.path)
            first = file.relative_to(self._workspace.path).parts[0] if inside else ""
            if first == SESSIONS or file.name == "card.json":
                continue
            try:
                count += _in_record(file, traces)
            except FileNotFoundError:
                continue
            except UNREADABLE:
                walk.unread.append(file)
        self._unread |= {self._name(file): None for file in walk.unread}
        return count

    def _in_shared(self, traces: Traces) -> int:
        """The same for records that are in no file."""
        count = 0

        def without(record: str) -> str | None:
            nonlocal count
            text, changes = _redacted_file(record, traces, by_line=True)
            count += changes
            return text if changes else None

        for each in self._beside.records:
            with self._named(each):
                each.change(self._workspace.path, without)
        return count

    @contextmanager
    def _named(self, records: RecordHolder) -> Iterator[None]:
        """Those that cannot be had stop nothing: they are named with what could not be read."""
        try:
            yield
        except UserError:
            log.exception("%s could not be read", records.name)
            self._unread[records.name] = None

    def _name(self, file: Path) -> str:
        base = self._workspace.path
        return (file.relative_to(base) if file.is_relative_to(base) else file).as_posix()


def _remove_old_partial(database: Path) -> None:
    """A copy whose making was interrupted goes; one that is being made now comes after the document."""
    with suppress(FileNotFoundError):
        if time.time() - database.stat().st_mtime > PARTIAL_KEPT_SECONDS:
            shutil.rmtree(database.parent, ignore_errors=True)


def _in_record(file: Path, traces: Traces) -> int:
    if {suffix.lower() for suffix in file.suffixes} & JSON_SUFFIXES:
        return _in_json(file, traces)
    return _in_database(file, traces) if _is_database(file) else 0


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
        # The library's own file is cleaned when the document has left it.
        if not own and not empty_journal(db, CHECKPOINT_SECONDS):
            raise sqlite3.OperationalError(f"others kept the journal of {file.name} from being emptied")
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


def _parsed(value: JsonValue) -> JsonValue:
    """A stored JSON object or list as such; any other value as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
