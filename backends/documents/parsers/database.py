"""SQLite files, as exports of a database.

Enters: a SQLite file, opened for reading only. Leaves: each table as a page, each row as
"Column: value; Column: value".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

from backends.datatypes import ParsedFile, UserError
from backends.documents.parsers.common import Budget, PageText, assemble, one_line, stem, table_lines

_MAGIC = b"SQLite format 3\0"


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    with path.open("rb") as file:
        if file.read(16) != _MAGIC:
            raise UserError(f"{name} is not a SQLite file.")
    budget = Budget(name)
    # "immutable" reads the file alone: no lock, no journal beside it, nothing written.
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        db.text_factory = lambda data: data.decode("utf-8", errors="replace")
        tables = [row[0] for row in db.execute(_TABLES)]
        pages = [
            PageText(number, "\n".join([f"## {one_line(table)}", "", *budget.limit(_rows(db, table))]), table)
            for number, table in enumerate(tables, start=1)
        ]
    return assemble(pages, title=stem(name), kind=kind)


_TABLES = (
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    " ORDER BY rowid"
)


def _rows(db: sqlite3.Connection, table: str) -> Iterator[str]:
    quoted = table.replace('"', '""')
    cursor = db.execute(f'SELECT * FROM "{quoted}"')
    header = [column[0] for column in cursor.description]
    yield from table_lines(
        chain([header], ([_shown(value) for value in row] for row in cursor)), has_header=True
    )


def _shown(value: object) -> str:
    """A value in words; pictures and other bytes are left out."""
    if value is None or isinstance(value, bytes):
        return ""
    return f"{value:.10g}" if isinstance(value, float) else one_line(value)
