"""The door to PostgreSQL: connections, transactions, locks, and what its refusals mean in words.

Enters: an address (postgresql://...), statements. Leaves: rows. Connections are pooled for the process and
are looked at before they are lent, so a database that was restarted is found again. It knows no table.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import LiteralString

from backends.datatypes import DatabaseRow, UserError

try:
    import psycopg
    from pgvector.psycopg import register_vector
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.cursor import Cursor as Cursor  # for the other modules of this room
    from psycopg_pool import ConnectionPool, PoolTimeout
except ImportError as error:
    raise UserError(
        f"A store in PostgreSQL needs the package {error.name}: pip install -e '.[scale]'."
    ) from error

SCHEMA = "triptych"  # holds every table, so that a database can be shared with other programs
MOST_CONNECTIONS = 16
WAIT_SECONDS = 15.0  # for a connection
POOLS_KEPT = 4
POLL_SECONDS = 0.1
# Keys of advisory locks: in a whole database one writes, erases, makes tables, builds an index at a time.
WRITING, ERASING, PREPARING, BUILDING = 7_201_001, 7_201_002, 7_201_003, 7_201_004

_pools: OrderedDict[str, ConnectionPool] = OrderedDict()
_opening = threading.Lock()


class Server:
    """A database at an address. Safe to share between threads; each has at most one transaction."""

    def __init__(self, address: str) -> None:
        try:
            parts = conninfo_to_dict(address)
        except psycopg.Error as error:
            raise UserError(f"The address of the store cannot be read: {_first_line(error)}") from error
        self.name = (
            f"PostgreSQL database {parts.get('dbname') or 'postgres'} at {parts.get('host') or 'localhost'}"
        )
        self._address = address
        self._local = threading.local()

    def prepare(self, migrate: Callable[[Cursor[DatabaseRow]], None]) -> None:
        """Make the schema and what `migrate` puts into it; one process after the other, all or nothing."""
        with self._told(), psycopg.connect(self._address, connect_timeout=int(WAIT_SECONDS)) as db:
            cursor = db.cursor()
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (PREPARING,))
            cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            cursor.execute(f"SET LOCAL search_path = {SCHEMA}, public")
            migrate(cursor)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the server refuses becomes a sentence; what was not committed did not happen."""
        try:
            yield
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            raise UserError(
                f"The {self.name} does not answer or ended the connection; nothing half done was stored. "
                f"({_first_line(error)})"
            ) from error
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFile) as error:
            raise UserError(f"The {self.name} refuses this: {_first_line(error)}") from error

    def _pool(self) -> ConnectionPool:
        with _opening:
            pool = _pools.get(self._address)
            if pool is None:
                pool = ConnectionPool(
                    self._address,
                    min_size=1,
                    max_size=MOST_CONNECTIONS,
                    timeout=WAIT_SECONDS,
                    kwargs={
                        "autocommit": True,
                        "connect_timeout": int(WAIT_SECONDS),
                        "prepare_threshold": None,  # each search is planned for its own filters
                    },
                    configure=_configure,
                    check=ConnectionPool.check_connection,
                    open=True,
                )
            _pools[self._address] = pool
            _pools.move_to_end(self._address)
            while len(_pools) > POOLS_KEPT:
                _pools.popitem(last=False)[1].close()
            return pool

    @contextmanager
    def cursor(self) -> Iterator[Cursor[DatabaseRow]]:
        """Of this thread's transaction, or of a lent connection where every statement stands alone."""
        open_one: Cursor[DatabaseRow] | None = getattr(self._local, "cursor", None)
        if open_one is not None:
            yield open_one
            return
        with self._told(), self._pool().connection() as db:
            yield db.cursor(binary=True)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; one writer of all processes at a time. Inside another it joins that one."""
        if getattr(self._local, "cursor", None) is not None:
            yield
            return
        with self._begun("BEGIN") as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (WRITING,))
            yield

    @contextmanager
    def snapshot(self) -> Iterator[Cursor[DatabaseRow]]:
        """Everything read through it is of one moment."""
        open_one: Cursor[DatabaseRow] | None = getattr(self._local, "cursor", None)
        if open_one is not None:
            yield open_one
            return
        with self._begun("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as cursor:
            yield cursor

    @contextmanager
    def _begun(self, begin: LiteralString) -> Iterator[Cursor[DatabaseRow]]:
        with self._told(), self._pool().connection() as db:
            cursor = db.cursor(binary=True)
            cursor.execute(begin)
            self._local.cursor = cursor
            try:
                yield cursor
            except BaseException:
                if not db.closed:
                    cursor.execute("ROLLBACK")
                raise
            else:
                cursor.execute("COMMIT")
            finally:
                self._local.cursor = None

    @contextmanager
    def alone(self, key: int, *, wait: bool = True) -> Iterator[None]:
        """Hold a lock that all processes of the database know; without `wait`, BlockingIOError when taken.

        Who waits asks again and again: a statement that waited would hold a snapshot, which whoever has the
        lock may have to wait for (VACUUM, CREATE INDEX CONCURRENTLY).
        """
        with self._told(), self._pool().connection() as db:
            while not _single(db.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()):
                if not wait:
                    raise BlockingIOError("Somebody else does this right now.")
                time.sleep(POLL_SECONDS)
            try:
                yield
            finally:
                if not db.closed:
                    db.execute("SELECT pg_advisory_unlock(%s)", (key,))

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[DatabaseRow]:
        """The rows of a statement; none where it gives none."""
        with self.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def row(self, statement: str, values: Sequence[object] = ()) -> DatabaseRow | None:
        """The first row, if there is one."""
        found = self.rows(statement, values)
        return found[0] if found else None

    def run(self, statement: str, values: Sequence[object] = ()) -> int:
        """Run a statement; returns how many rows it changed."""
        with self.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.rowcount

    def copy(self, table: str, columns: str, types: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add rows by binary COPY, the fastest way in."""
        statement = f"COPY {table} ({columns}) FROM STDIN (FORMAT binary)"
        with self.cursor() as cursor, cursor.copy(statement) as copying:
            copying.set_types(types)
            for row in rows:
                copying.write_row(row)

    def dump(self, table: str) -> Iterator[bytes]:
        """Every value of a table as the server sends it, block by block."""
        with self.cursor() as cursor:
            statement = f"COPY (SELECT * FROM {table}) TO STDOUT (FORMAT binary)"
            with cursor.copy(statement) as copying:
                yield from map(bytes, copying)


def close_pools() -> None:
    """Close every connection of this process; the next call opens new ones."""
    with _opening:
        while _pools:
            _pools.popitem()[1].close()


def storable(text: str) -> str:
    """The same with a mark for each NUL character, which PostgreSQL keeps in no text; offsets stay right."""
    return text.replace("\0", "\ufffd")


def _configure(db: psycopg.Connection[DatabaseRow]) -> None:
    db.execute(f"SET search_path = {SCHEMA}, public")
    register_vector(db)


def _single(row: DatabaseRow | None) -> object:
    return row[0] if row else None


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
