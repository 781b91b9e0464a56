"""Takes the bytes of removed rows out of the tables of the database that app servers share.

Enters: tables. Leaves: the same without dead rows, rewritten to the last page where they are not too large.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from backends.postgres.server import Server

CLEANING_SECONDS = 20.0  # how long older transactions are waited for, which may still see what was removed
REWRITTEN_UP_TO = 512 * 2**20  # bytes of a table that is rewritten whole when something is forgotten
POLL_SECONDS = 0.05


def clean_tables(server: Server, tables: Sequence[str]) -> bool:
    """Vacuum these tables, and rewrite those that are not too large.

    False when older transactions could still see what was removed: it stays in the heap until they end.
    """
    row = server.row("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    until = int(row[0]) if row else 0
    deadline = time.monotonic() + CLEANING_SECONDS
    while (held := _seen_before(server, until)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for table in tables:
        whole = not held and size_of(server, table) <= REWRITTEN_UP_TO
        server.run(f"VACUUM (FULL) {table}" if whole else f"VACUUM {table}")
    return not held


def size_of(server: Server, table: str) -> int:
    """The bytes of a table with all that belongs to it."""
    row = server.row("SELECT pg_total_relation_size(%s::regclass)", (table,))
    return int(row[0]) if row else 0


def _seen_before(server: Server, until: int) -> bool:
    """Whether anybody could still see rows that were removed before this transaction number."""
    row = server.row(
        "SELECT count(*) FROM ("
        " SELECT backend_xmin AS held FROM pg_stat_activity"
        "  WHERE pid <> pg_backend_pid() AND datname = current_database()"
        " UNION ALL SELECT xmin FROM pg_replication_slots"
        ") AS others WHERE held IS NOT NULL AND age(held) > age((%s::bigint %% 4294967296)::text::xid)",
        (until,),
    )
    return row is not None and row[0] > 0
