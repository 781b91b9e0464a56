"""Tables of a PDF that go on over pages, and the labels of their columns.

Enters: pages with tables. Leaves: the same, each table with its labels where these are certain, and without a
first row that only repeats them. How rows become text is `common`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from backends.documents.parsers.common import table_lines
from backends.documents.parsers.headers import LONGEST_FORM, layout
from backends.documents.parsers.headers import labels as labels_of
from backends.documents.parsers.pdf_page import TextLine
from backends.documents.parsers.pdf_running import words_of
from backends.documents.parsers.pdf_tables import Item, Row, Table, is_value

MANY = 60  # rows that tell whether a table's first row holds labels; more take their time
FEW = 20  # rows that tell whether a piece has labels of its own
FURNITURE = 6  # items at each end of a page that may be headers and footers


@dataclass
class _Series:
    """Pieces of one table, as (page, place on it)."""

    tables: list[Table]
    places: list[tuple[int, int]]
    open: bool = True  # nothing but furniture follows its last piece on the page


def labelled(pages: Sequence[Sequence[Item]]) -> list[list[Item]]:
    """The pages with all tables labelled that can be."""
    out = [list(page) for page in pages]
    for series in _series([list(page) for page in pages]):
        for (page, at), table in zip(series.places, _labelled(series.tables), strict=True):
            out[page][at] = table
    return out


def table_text(table: Table) -> str:
    """A line a row; what stands across all columns is a line of its own."""
    lines = list(table.captions)
    if table.form:
        pairs = ([row[at : at + 2] for at in range(0, len(row), 2)] for row in table.rows)
        return "\n".join([*lines, *("; ".join(_pair(pair) for pair in row if any(pair)) for row in pairs)])
    for width, rows in groupby(table.rows, len):
        if width == 1:
            lines += [row[0] for row in rows]
        elif table.labels:
            lines += _labelled_lines(table.labels, list(rows))
        else:
            plain = list(rows)
            if len(table.rows) == 1 and not (width == 2 and is_value(plain[0][1])):
                lines.append("; ".join(filter(None, plain[0])))
                continue
            lines += table_lines(plain, has_header=None if _is_form(plain) else False)
    return "\n".join(lines)


def _is_form(rows: Sequence[Row]) -> bool:
    """Whether the words tell that the cells are label, value, label, value."""
    return len(rows) <= LONGEST_FORM and len(rows[0]) in (4, 6, 8) and layout(rows).form


def _pair(pair: Row) -> str:
    return next(table_lines([pair], has_header=False))


def _labelled_lines(labels: Row, rows: Sequence[Row]) -> Iterator[str]:
    """Rows with their labels; sums below the rows, named in a column of figures, stand for themselves."""
    few = [row for row in rows if 2 * sum(map(bool, row)) <= len(labels) + 1]
    figures = [at for at in range(len(labels)) if few and _is_of_figures([row[at] for row in rows])]
    for plain, group in groupby(rows, lambda row: row in few and _is_sum(row, figures)):
        if plain:
            yield from (
                next(table_lines([[cell for cell in row if cell]], has_header=False)) for row in group
            )
        else:
            yield from table_lines([labels, *group], has_header=True)


def _is_of_figures(cells: Sequence[str]) -> bool:
    return 2 * sum(map(is_value, cells)) >= max(1, sum(map(bool, cells)))


def _is_sum(row: Row, figures: Sequence[int]) -> bool:
    """Whether a word stands in a column of figures."""
    return any(any(map(str.isalpha, row[at])) and not is_value(row[at]) for at in figures)


def _series(pages: list[list[Item]]) -> Iterator[_Series]:
    """The tables of the document, those that go on over pages together."""
    last: _Series | None = None
    for number, page in enumerate(pages):
        tables = [(at, item) for at, item in enumerate(page) if isinstance(item, Table)]
        near = pages[max(0, number - 1) : number] + pages[number + 1 : number + 2] if tables else []
        words = {words_of(item) for each in near for item in (*each[:FURNITURE], *each[-FURNITURE:])}
        for at, table in tables:
            first = all(_is_furniture(item, table.size, words) for item in page[:at])
            if last is not None and first and _continues(last, table, number):
                last.tables.append(table)
                last.places.append((number, at))
            else:
                if last is not None:
                    yield last
                last = _Series([table], [(number, at)])
            last.open = all(_is_furniture(item, table.size, words) for item in page[at + 1 :])
    if last is not None:
        yield last


def _is_furniture(item: Item, size: float, words: set[str]) -> bool:
    """Whether what stands beside a table does not end it: a header, a page number, a note in small type."""
    if isinstance(item, TextLine) and (item.size < 0.93 * size or not item.upright):
        return True
    short = len(item.rows) == 1 if isinstance(item, Table) else len(item.text) < 120
    return short and (not words_of(item) or words_of(item) in words)


def _continues(series: _Series, table: Table, page: int) -> bool:
    """Whether the first table of a page is the next piece of the last one of the page before."""
    first, last = series.tables[0], series.tables[-1]
    if (
        not series.open
        or page - series.places[-1][0] != 1
        or table.captions
        or not _same_columns(last, table)
        or len(table.rows) == 1 == len(table.columns) - 1  # a pair may be anything
    ):
        return False
    labels = first.labels or first.rows[0]
    if table.labels:
        return table.labels == first.labels
    row = table.rows[0]
    if row == labels:
        return True
    shared = any(cell and cell == label for cell, label in zip(row, labels, strict=False))
    return not shared and not layout(table.rows[:FEW]).headers  # else labels of its own


def _same_columns(one: Table, two: Table) -> bool:
    return len(one.columns) == len(two.columns) and all(
        min(a, c) - max(b, d) <= 0 and min(b, d) - max(a, c) > -3
        for (a, b), (c, d) in zip(one.columns, two.columns, strict=True)
    )


def _labelled(tables: Sequence[Table]) -> list[Table]:
    first, *rest = tables
    labels = first.labels
    alone = len(tables) == 1 and len(first.rows) == 1
    if not labels and not first.form and not alone and len(first.rows[0]) > 1:
        if any(table.rows[0] == first.rows[0] for table in rest):
            labels = first.rows[0]
        else:
            first = _guessed(first, [row for table in tables for row in table.rows if len(row) > 1][:MANY])
            labels = first.labels
    return [
        replace(
            table,
            labels=labels,
            rows=table.rows[1:] if labels and table.rows[:1] == (labels,) else table.rows,
        )
        for table in (first, *rest)
    ]


def _guessed(table: Table, rows: Sequence[Row]) -> Table:
    """The first piece of a table with the labels that the words of all pieces (`rows`) make certain."""
    found = layout(rows)
    if not found.headers:
        return table
    above = tuple(" ".join(filter(None, row)) for row in rows[: found.above])
    head = rows[found.above : found.above + found.headers]
    return replace(
        table,
        labels=tuple(labels_of(head)),
        rows=table.rows[found.above + found.headers :],
        captions=(*table.captions, *above),
    )
