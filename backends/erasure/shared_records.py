"""Votes, runs and logs of the database that app servers share, for whoever forgets a document.

Enters: a workspace's folder. Leaves: its records changed, cleaned and shown; none where they are files. In a
visitor's own copy they are that visitor's, and everybody's where the workspace itself forgets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from backends.system.line_logs import ChangesLine
from backends.system.viewers import workspace_and_person


class SharedRecords:
    """A `RecordHolder`. The workspace's own store cleans and shows all tables; a visitor's copy has none."""

    name = "the shared records"

    def __init__(self, address_of: Callable[[Path], str]) -> None:
        """`address_of` tells the database of a workspace; empty where it has none."""
        self._address_of = address_of

    def change(self, workspace: Path, changed: ChangesLine) -> None:
        """Of everybody, with the logs, or of the visitor whose copy this is."""
        base, person = workspace_and_person(workspace)
        if address := self._address_of(base):
            from backends.postgres.record_rows import change_records  # of the extra `scale`

            change_records(address, person, changed)

    def clean(self, workspace: Path) -> bool:
        """Rewrite the table, after a visitor's copy forgot."""
        if not (found := self._of_visitor(workspace)):
            return True
        from backends.postgres.cleaning import clean_tables
        from backends.postgres.store_tables import prepared

        return clean_tables(prepared(found[0]), ("records",))

    def dumps(self, workspace: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
        """A visitor's records."""
        if found := self._of_visitor(workspace):
            from backends.postgres.record_rows import records_of_person

            yield self.name, records_of_person(*found)

    def limits(self, workspace: Path) -> tuple[str, ...]:
        """The log of the database."""
        if not self._of_visitor(workspace):
            return ()
        from backends.postgres.postgres_store import WRITE_AHEAD

        return (WRITE_AHEAD,)

    def _of_visitor(self, workspace: Path) -> tuple[str, str] | None:
        base, person = workspace_and_person(workspace)
        address = self._address_of(base) if person is not None else ""
        return (address, person) if address and person is not None else None
