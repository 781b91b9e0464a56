"""`line_logs.LineLog` as rows of the database that app servers share.

Enters: an address and the name of a log. Leaves: its lines, the same on every server, in the order in which
the database took them. It knows nothing of what they say.
"""

from __future__ import annotations

from collections.abc import Iterator

from backends.postgres.server import storable
from backends.postgres.store_tables import prepared
from backends.system.line_logs import ChangesLine

PART = 1000  # lines that are fetched at once


class PostgresLines:
    """The lines of one log of a database. UserError when that does not answer."""

    def __init__(self, address: str, log: str) -> None:
        self._server = prepared(address)
        self._log = log

    def append(self, line: str) -> None:
        """Add a line; it is in the database when this returns."""
        self._server.run("INSERT INTO lines (log, line) VALUES (%s, %s)", (self._log, storable(line)))

    def lines(self) -> Iterator[str]:
        """Every line that is there by then, part by part."""
        last = 0
        while rows := self._part(last):
            yield from (line for _, line in rows)
            last = rows[-1][0]

    def _part(self, last: int) -> list[tuple[int, str]]:
        rows = self._server.rows(
            f"SELECT id, line FROM lines WHERE log = %s AND id > %s ORDER BY id LIMIT {PART}",
            (self._log, last),
        )
        return [(at, line) for at, line in rows]

    def change(self, changed: ChangesLine) -> None:
        """Change rows, all or none; `clean` of the store takes the old ones out of the table's file."""
        with self._server.transaction():
            last = 0
            while rows := self._part(last):
                last = rows[-1][0]
                for at, line in rows:
                    if line and (new := changed(line)) is not None:
                        self._server.run("UPDATE lines SET line = %s WHERE id = %s", (storable(new), at))
