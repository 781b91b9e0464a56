"""Jobs that every app server of a department sees: records in PostgreSQL, work done by any machine's worker.

Enters: a `Command` and who asked for it. Leaves: a `SharedJob`, whose state, progress and events any process
can read, and which any can cancel. procrastinate hands out the work; it is given nothing but a job's id, so
what a command names is in one table, and gone when the job is forgotten. `job_worker` does the work.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from backends.datatypes import DatabaseRow, JsonValue, UserError
from backends.system.commands import Command
from backends.system.data_holder import GaveUp
from backends.system.jobs import FINISHED, JobContext, JobState, Outcome
from backends.system.viewers import workspace_and_person

if TYPE_CHECKING:
    import psycopg

TASK = "triptych"
KEPT = 80  # finished jobs of an owner
POLL = 0.3  # seconds between two looks of whoever waits
TOLD = 0.3  # seconds between two reports of progress that are stored
NEEDED = "Shared jobs need the packages of the extra: pip install -e '.[scale]'."
SCHEMA_LOCK = 7_203_118  # any number, the same in every process
SCHEMA = """
CREATE TABLE IF NOT EXISTS triptych_jobs (
    id text PRIMARY KEY, kind text NOT NULL, owner text NOT NULL, about text NOT NULL,
    arguments jsonb NOT NULL, ticket bigint,
    state text NOT NULL DEFAULT 'queued', cancelled boolean NOT NULL DEFAULT false,
    done bigint NOT NULL DEFAULT 0, total bigint NOT NULL DEFAULT 0, label text NOT NULL DEFAULT '',
    result jsonb, error text,
    attempt integer NOT NULL DEFAULT 0, machine text NOT NULL DEFAULT '',
    created timestamptz NOT NULL DEFAULT clock_timestamp(), started timestamptz, finished timestamptz
);
CREATE INDEX IF NOT EXISTS triptych_jobs_by_owner ON triptych_jobs (owner, created);
CREATE TABLE IF NOT EXISTS triptych_job_events (
    job text NOT NULL REFERENCES triptych_jobs ON DELETE CASCADE, position integer NOT NULL,
    event jsonb NOT NULL, PRIMARY KEY (job, position)
);
"""
# procrastinate's own function, called here so that record and ticket are one transaction.
DEFER = """
SELECT procrastinate_defer_jobs_v1(ARRAY[
    ROW('default', %s, 0, NULL, NULL, %s::jsonb, NULL)::procrastinate_job_to_defer_v1
])
"""


class JobDatabaseGone(UserError):
    """The database of the jobs does not answer or has ended the connection; it may be asked again."""


def connect(address: str) -> psycopg.Connection[DatabaseRow]:
    """A connection where every statement stands for itself. UserError when there is no database there."""
    try:
        import psycopg
    except ImportError as error:
        raise UserError(NEEDED) from error
    try:
        return psycopg.connect(address, autocommit=True)
    except psycopg.Error as error:
        raise JobDatabaseGone(f"The job database cannot be reached: {str(error).splitlines()[0]}") from error


def _tables_of_procrastinate() -> str:
    try:
        from procrastinate.schema import SchemaManager
    except ImportError as error:
        raise UserError(NEEDED) from error
    return SchemaManager.get_schema()


class SharedJob:
    """A job as any process sees it; every property reads the database."""

    def __init__(self, jobs: SharedJobs, job_id: str, kind: str, owner: str, about: str) -> None:
        self.id, self.kind, self.owner, self.about = job_id, kind, owner, about
        self._jobs = jobs

    def _read(self, columns: str) -> DatabaseRow | None:
        return self._jobs.row(f"SELECT {columns} FROM triptych_jobs WHERE id = %s", (self.id,))

    @property
    def state(self) -> JobState:
        """Waiting, running, done, failed or cancelled; cancelled too once it is forgotten."""
        row = self._read("state")
        return row[0] if row is not None else "cancelled"

    @property
    def finished(self) -> bool:
        """Whether it has ended, however it did."""
        return self.state in FINISHED

    @property
    def progress(self) -> tuple[int, int, str]:
        """(done, total, label); the total is 0 while it is not known."""
        row = self._read("done, total, label")
        return (row[0], row[1], row[2]) if row is not None else (0, 0, "")

    @property
    def result(self) -> JsonValue:
        """What the work returned; None until then, and after a failure."""
        row = self._read("result")
        return row[0] if row is not None else None

    @property
    def error(self) -> str | None:
        """One sentence for the user when the job failed."""
        row = self._read("error")
        return row[0] if row is not None else None

    @property
    def cancelling(self) -> bool:
        """Asked to stop and not yet stopped."""
        row = self._read("cancelled, state")
        return row is not None and bool(row[0]) and row[1] not in FINISHED

    @property
    def machine(self) -> str:
        """Where it runs, or ran last; empty before."""
        row = self._read("machine")
        return row[0] if row is not None else ""

    @property
    def attempt(self) -> int:
        """How often it was begun."""
        row = self._read("attempt")
        return row[0] if row is not None else 0

    def events_since(self, position: int) -> list[JsonValue]:
        """Events from `position` on, in order. An attempt elsewhere tells its events anew."""
        return self._jobs.events(self.id, position)

    def cancel(self) -> None:
        """Ask the job to stop. A queued job stops at once, a running one when its worker looks."""
        self._jobs.cancel(self.id)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the job has finished; False when the timeout (seconds) came first."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.finished:
            if deadline is not None and time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return True


class SharedJobs:
    """The jobs of a database. Safe to use from several threads, processes and machines."""

    def __init__(self, address: str) -> None:
        """Raises JobDatabaseGone when the database cannot be reached, as every call does."""
        self._lock = threading.Lock()
        self._address = address
        self._db = connect(address)
        self.connections = 1  # how often it had to be connected
        self._prepare()

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[DatabaseRow]]:
        """The connection, for one at a time; one that has ended is made anew."""
        import psycopg

        with self._lock:
            if self._db.closed:
                self._db = connect(self._address)
                self.connections += 1
            try:
                yield self._db
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                said = str(error).strip().partition("\n")[0]
                raise JobDatabaseGone(
                    f"The job database ended the connection or does not answer: {said}"
                ) from error

    def _prepare(self) -> None:
        with self._connection() as db, db.transaction():
            db.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
            db.execute(SCHEMA)
            found = db.execute("SELECT to_regclass('procrastinate_jobs')").fetchone()
            if found == (None,):
                db.execute(_tables_of_procrastinate())

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    # --- reading and writing -------------------------------------------------------------------

    def row(self, query: str, values: Sequence[object] = ()) -> DatabaseRow | None:
        """The first row of a statement; None when it has none."""
        with self._connection() as db:
            cursor = db.execute(query, values)
            return cursor.fetchone() if cursor.description else None

    def rows(self, query: str, values: Sequence[object] = ()) -> list[DatabaseRow]:
        """All rows of a query."""
        with self._connection() as db:
            return db.execute(query, values).fetchall()

    # --- for whoever asks ----------------------------------------------------------------------

    def start(self, kind: str, owner: str, work: Command, about: str = "") -> SharedJob:
        """Queue the command and return at once; it is stored when this returns."""
        job = SharedJob(self, uuid.uuid4().hex, kind, owner, about)
        with self._connection() as db, db.transaction():
            (tickets,) = db.execute(DEFER, (TASK, json.dumps({"job": job.id}))).fetchone() or ([None],)
            db.execute(
                "INSERT INTO triptych_jobs (id, kind, owner, about, arguments, ticket)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (job.id, kind, owner, about, json.dumps(work.arguments), tickets[0]),
            )
        self._tidy(owner)
        return job

    def get(self, job_id: str, owner: str) -> SharedJob | None:
        """The owner's job of that id, or None."""
        found = self._jobs("WHERE id = %s AND owner = %s", (job_id, owner))
        return found[0] if found else None

    def owned_by(self, owner: str, kind: str | None = None) -> list[SharedJob]:
        """The owner's jobs, newest first."""
        return self._jobs("WHERE owner = %s AND (%s::text IS NULL OR kind = %s)", (owner, kind, kind))

    def everybodys(self) -> list[SharedJob]:
        """All jobs, newest first."""
        return self._jobs("", ())

    def _jobs(self, which: str, values: Sequence[object]) -> list[SharedJob]:
        query = f"SELECT id, kind, owner, about FROM triptych_jobs {which} ORDER BY created DESC"
        return [SharedJob(self, *row) for row in self.rows(query, values)]

    def events(self, job_id: str, position: int) -> list[JsonValue]:
        """A job's events from `position` on."""
        query = "SELECT event FROM triptych_job_events WHERE job = %s AND position >= %s ORDER BY position"
        return [row[0] for row in self.rows(query, (job_id, position))]

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop; one that waits has stopped when this returns."""
        self.row(
            "UPDATE triptych_jobs SET cancelled = true,"
            " state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,"
            " finished = CASE state WHEN 'queued' THEN clock_timestamp() ELSE finished END"
            " WHERE id = %s AND finished IS NULL",
            (job_id,),
        )

    def discard(self, job: SharedJob) -> None:
        """Cancel a job and drop it with all its events; a worker that is at it stops."""
        with self._connection() as db, db.transaction():
            row = db.execute("DELETE FROM triptych_jobs WHERE id = %s RETURNING ticket", (job.id,)).fetchone()
            if row is not None:
                db.execute("DELETE FROM procrastinate_jobs WHERE id = %s AND status != 'doing'", row)

    def forget(self, owner: str) -> None:
        """Cancel the owner's jobs and drop them all."""
        for job in self.owned_by(owner):
            self.discard(job)

    def forget_document(self, name: str) -> None:
        """Drop the jobs that name a document, and what others have told of it, from the tables' files too."""
        told = json.dumps(name, ensure_ascii=False)[1:-1]  # as it stands within JSON
        naming = "SELECT id, kind, owner, about FROM triptych_jobs WHERE strpos(arguments::text, %s) > 0"
        naming += " OR strpos(about || coalesce(error, '') || label, %s) > 0"
        for row in self.rows(naming, (told, name)):
            self.discard(SharedJob(self, *row))
        self.row("DELETE FROM triptych_job_events WHERE strpos(event::text, %s) > 0", (told,))
        for table in ("triptych_jobs", "triptych_job_events"):  # small: finished jobs are few
            self.row(f"VACUUM FULL {table}")

    def _tidy(self, owner: str) -> None:
        for job in [each for each in self.owned_by(owner) if each.finished][KEPT:]:
            self.discard(job)

    # --- for the worker ------------------------------------------------------------------------

    def begin(self, job_id: str, machine: str) -> Attempt | None:
        """Take a job over; None when it was cancelled or forgotten, or has ended."""
        with self._connection() as db, db.transaction():
            row = db.execute(
                "UPDATE triptych_jobs SET attempt = attempt + 1, machine = %s, started = clock_timestamp(),"
                " state = 'running', done = 0, total = 0, label = ''"
                " WHERE id = %s AND finished IS NULL AND NOT cancelled RETURNING kind, arguments, attempt",
                (machine, job_id),
            ).fetchone()
            if row is None:
                db.execute(
                    "UPDATE triptych_jobs SET state = 'cancelled', finished = clock_timestamp()"
                    " WHERE id = %s AND finished IS NULL AND cancelled",
                    (job_id,),
                )
                return None
            db.execute("DELETE FROM triptych_job_events WHERE job = %s", (job_id,))
        return Attempt(self, job_id, row[0], tuple(row[1]), row[2])

    def wait_again(self, job_id: str, why: str) -> None:
        """Back into the queue, saying why."""
        self.row(
            "UPDATE triptych_jobs SET state = 'queued', label = %s WHERE id = %s AND finished IS NULL",
            (why, job_id),
        )


class JobsData:
    """What shared jobs keep of a document; a `DataHolder`. They know nothing of visitors' own copies."""

    name = "the shared jobs"

    def __init__(self, address_of: Callable[[Path], str]) -> None:
        """`address_of` tells the database of a workspace; empty where it has none."""
        self._address_of = address_of

    def forget(self, workspace: Path, document: str) -> GaveUp:
        """Raises UserError when the database cannot be reached."""
        if workspace_and_person(workspace)[1] is None and (address := self._address_of(workspace)):
            import psycopg

            jobs = SharedJobs(address)
            try:
                jobs.forget_document(document)
            except psycopg.Error as error:
                raise UserError(f"The job database failed: {error}") from error
            finally:
                jobs.close()
        return GaveUp()


class Attempt(JobContext):
    """One worker's attempt at a job. What it tells counts only as long as no other has taken the job over."""

    def __init__(
        self, jobs: SharedJobs, job_id: str, kind: str, arguments: tuple[str, ...], number: int
    ) -> None:
        self.id, self.kind, self.arguments, self.number = job_id, kind, arguments, number
        self.cancelled = threading.Event()
        self._jobs = jobs
        self._events = 0
        self._told = 0.0

    def progress(self, done: int, total: int, label: str = "") -> None:
        """Say how far it is; not every step is stored, and none while the database does not answer."""
        now = time.monotonic()
        if now - self._told < TOLD and done < total:
            return
        self._told = now
        with suppress(JobDatabaseGone):
            self._write("done = %s, total = %s, label = %s", (done, total, label))

    def emit(self, event: JsonValue) -> None:
        """Append an event that any process can read."""
        if self._write("machine = machine", ()):
            self._jobs.row(
                "INSERT INTO triptych_job_events VALUES (%s, %s, %s)",
                (self.id, self._events, json.dumps(event)),
            )
            self._events += 1

    def look(self) -> None:
        """Set `cancelled` when the job is to stop here: asked to, forgotten, or taken over."""
        query = "SELECT cancelled, attempt FROM triptych_jobs WHERE id = %s"
        row = self._jobs.row(query, (self.id,))
        if row is None or row[0] or row[1] != self.number:
            self.cancelled.set()

    def end(self, outcome: Outcome) -> None:
        """Store how it ended."""
        self._write(
            "state = %s, result = %s, error = %s, finished = clock_timestamp()",
            (outcome.state, json.dumps(outcome.result), outcome.error),
        )

    def _write(self, changes: str, values: Sequence[object]) -> bool:
        row = self._jobs.row(
            f"UPDATE triptych_jobs SET {changes} WHERE id = %s AND attempt = %s AND finished IS NULL"
            " RETURNING id",
            (*values, self.id, self.number),
        )
        if row is None:
            self.cancelled.set()
        return row is not None
