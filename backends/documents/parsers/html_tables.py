"""Tables of HTML: which cells are theirs, and whether they hold data or lay out a page.

Enters: a table element. Leaves: its rows and cells as elements.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml.etree import _Element as Element

from backends.documents.parsers.html_elements import name_of, words

GRIDS = ("table", "grid", "treegrid")
_CELLS = ("cell", "gridcell", "columnheader", "rowheader")
_LONG_CELL = 400  # characters of a cell that lays out a page rather than tell a value


def own_rows(table: Element) -> list[Element]:
    """The rows of a table, not those of tables within it; the foot may stand first and comes last."""
    parts = [(name_of(part), [part] if name_of(part) == "tr" else [*part]) for part in table]
    parts.sort(key=lambda part: {"thead": 0, "tfoot": 2}.get(part[0], 1))
    return [row for name, rows in parts if name in ("tr", "thead", "tbody", "tfoot") for row in rows
            if name_of(row) == "tr"]  # fmt: skip


def own_cells(row: Element) -> list[Element]:
    """The row's cells, without those of tables within."""
    return [cell for cell in row if name_of(cell) in ("td", "th")]


def grid_rows(table: Element) -> list[list[Element]]:
    """The cells of each row of a table that roles make one (WAI-ARIA 1.2), not HTML's own elements."""
    rows = [row for row in table.iter() if row.get("role") == "row"]
    cells = [[cell for cell in row.iter() if cell.get("role") in _CELLS] for row in rows]
    return [row for row in cells if row]


def split_at_headings(rows: list[Element]) -> Iterator[list[Element]]:
    """A row of headings further down begins a table of its own."""
    part: list[Element] = []
    for row in rows:
        cells = own_cells(row)
        heads = len(cells) > 1 and all(name_of(cell) == "th" or not words(cell) for cell in cells)
        if heads and part and any(name_of(cell) == "td" for cell in own_cells(part[-1])):
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def is_layout(table: Element, rows: list[Element]) -> bool:
    """Whether a table only lays out a page: nothing marks it as data, and its cells hold parts of a page."""
    if table.get("role") in ("presentation", "none"):
        return True
    cells = [cell for row in rows for cell in own_cells(row)]
    if any(name_of(cell) == "th" or cell.get("scope") or cell.get("headers") for cell in cells):
        return False
    if table.get("summary") or any(name_of(child) in ("caption", "thead") for child in table):
        return False
    nested = any(cell.find(".//table") is not None for cell in cells)
    few = sum(len(own_cells(row)) > 1 for row in rows) < 2
    return any(map(_is_part_of_page, cells)) or (nested and few) or (few and any(map(_has_blocks, cells)))


def _is_part_of_page(cell: Element) -> bool:
    headed = next(cell.iter("h1", "h2", "h3", "h4", "main", "article"), None) is not None
    return headed or (_has_blocks(cell) and len(words(cell)) > _LONG_CELL)


def _has_blocks(cell: Element) -> bool:
    return next(cell.iter("p", "div", "ul", "ol", "table", "form", "section"), None) is not None
