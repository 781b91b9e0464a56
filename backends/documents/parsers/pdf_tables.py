"""Tables of a PDF page, found by their ruling lines.

Enters: the lines of a page and what is drawn beside them. Leaves: the same lines with tables in place of
theirs: rows of cells, and the labels of the columns where the look of the page makes them certain (type,
shading, rules or groups set the first rows apart). Tables without rules are found in `pdf_rows`; whether a
plain first row holds labels, and how rows become text, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from backends.documents.parsers.headers import kind_of
from backends.documents.parsers.pdf_grids import Grid, grids
from backends.documents.parsers.pdf_page import Drawing, TextLine
from backends.documents.parsers.pdf_prose import is_prose
from backends.documents.parsers.pdf_words import join_all

Span = tuple[float, float]
Row = tuple[str, ...]  # as many cells as the table has columns, or one that stands across all of them

LONG = 8  # lines of a cell that may be a column of prose
MOST_LINES = 4000  # of a page; more are a drawing
_FIGURES = {"year", "date", "time", "percent", "money", "number", "range", "quantity"}


@dataclass(frozen=True)
class Table:
    """Rows of cells at a place of the page; labels are () where the look of the page does not tell them."""

    rows: tuple[Row, ...]
    labels: Row
    columns: tuple[Span, ...]
    left: float
    right: float
    bottom: float
    top: float
    size: float  # of its letters
    captions: tuple[str, ...] = ()
    form: bool = False  # label, value, label, value
    upright: bool = True


Item = TextLine | Table


@dataclass(frozen=True)
class PdfCell:
    """Lines that stand in one cell, which reaches over the columns `first` to `last`."""

    lines: tuple[TextLine, ...]
    left: float
    right: float
    bottom: float
    top: float
    first: int = 0
    last: int = 0

    @property
    def text(self) -> str:
        """Its lines as one text."""
        return join_all(line.text for line in self.lines)

    def over(self, first: int, last: int) -> PdfCell:
        """The same cell over other columns."""
        return PdfCell(self.lines, self.left, self.right, self.bottom, self.top, first, last)


def cell_of(lines: Sequence[TextLine], first: int = 0, last: int = 0) -> PdfCell:
    """A cell around these lines."""
    if len(lines) == 1:  # nearly all
        line = lines[0]
        return PdfCell((line,), line.left, line.right, line.bottom, line.top, first, last)
    return PdfCell(
        tuple(lines),
        min(line.left for line in lines),
        max(line.right for line in lines),
        min(line.bottom for line in lines),
        max(line.top for line in lines),
        first,
        last,
    )


CellRow = list[PdfCell]


def is_value(text: str) -> bool:
    """Whether a cell holds a figure and not words."""
    return kind_of(text) in _FIGURES


def with_tables(items: Sequence[TextLine], drawing: Drawing) -> list[Item]:
    """Lines that stand in ruled tables replaced by the table, where its first line stood."""
    left: list[Item | None] = list(items)
    if len(items) > MOST_LINES:
        return list(items)
    for grid in grids(drawing):
        inside = [
            at
            for at, line in enumerate(left)
            if isinstance(line, TextLine) and line.upright and grid.holds(line)
        ]
        table = _ruled_table([line for at in inside if isinstance(line := left[at], TextLine)], grid, drawing)
        if table is not None:
            for at in inside:
                left[at] = None
            left[inside[0]] = table
    return [item for item in left if item is not None]


# --- tables with rules -----------------------------------------------------------------------------


def _ruled_table(lines: Sequence[TextLine], grid: Grid, drawing: Drawing) -> Table | None:
    held: dict[int, list[TextLine]] = {}
    for line in lines:
        held.setdefault(grid.cell_at(*_anchor(line, grid)), []).append(line)
    long = [cell for cell in held.values() if len(cell) >= LONG and is_prose([reading_order(cell)])]
    if len(held) < 2 or len(long) > 1:  # columns of prose in a frame
        return None
    order = {id(line): at for at, line in enumerate(lines)}
    rows: list[CellRow] = []
    for at in range(grid.height):
        reach: dict[int, list[int]] = {}
        for column in range(grid.width):
            reach.setdefault(grid.cells[at][column], []).append(column)
        row = [
            cell_of(reading_order(held[cell]), columns[0], columns[-1])
            for cell, columns in reach.items()
            if cell in held
        ]
        rows += _in_file_order(row, order) or _split_lines(row)
    return finished(rows, grid.columns, drawing)


def _anchor(line: TextLine, grid: Grid) -> Span:
    """The point that tells a line's cell: its middle, unless it is too wide for the cell of its beginning."""
    x, y = (line.left + line.right) / 2, line.bottom + 0.3 * line.size
    begins = grid.column_at(line.left + 1)
    start, end = grid.columns[begins]
    return (line.left + 1 if line.right > end + line.size and line.left > start else x), y


def reading_order(lines: Sequence[TextLine]) -> list[TextLine]:
    """From top to bottom, and from left to right on one height."""
    if len(lines) == 1:
        return list(lines)
    ordered = sorted(lines, key=lambda line: -line.bottom)
    rows: list[list[TextLine]] = []
    for line in ordered:
        if rows and rows[-1][0].bottom - line.bottom < 0.4 * line.size:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.left)]


def _in_file_order(row: CellRow, order: Mapping[int, int]) -> list[CellRow]:
    """The rows of a band without rules between them: one begins where the file goes back to a column before.

    [] where that tells nothing: cells of one line each may as well be lines of cells.
    """
    placed = sorted((order[id(line)], cell.first, cell.last, line) for cell in row for line in cell.lines)
    groups: list[dict[tuple[int, int], list[TextLine]]] = []
    before = 0
    for _, first, last, line in placed:
        if not groups or first < before:
            groups.append({})
        groups[-1].setdefault((first, last), []).append(line)
        before = first
    rows = [[cell_of(lines, *place) for place, lines in group.items()] for group in groups]
    wrapped = any(len(cell.lines) > 1 for each in rows for cell in each)
    below = all(
        min(cell.bottom for cell in one) > max(cell.top for cell in two) - 0.3 * two[0].lines[0].size
        for one, two in pairwise(rows)
    )
    whole = sum(len(each) > 1 for each in rows) >= 0.8 * len(rows)
    return rows if len(rows) > 1 and wrapped and below and whole else []


def _split_lines(row: CellRow) -> list[CellRow]:
    """A band without rules between its lines is many rows, if they fill most columns, or two of them all."""
    heights: list[float] = []
    for line in sorted((line for cell in row for line in cell.lines), key=lambda line: -line.bottom):
        if not heights or heights[-1] - line.bottom > 0.4 * line.size:
            heights.append(line.bottom)
    if len(heights) < 2 or len(row) < 2:
        return [row] if row else []
    split: list[CellRow] = [[] for _ in heights]
    for cell in row:
        for at, height in enumerate(heights):
            lines = [line for line in cell.lines if abs(line.bottom - height) <= 0.4 * line.size]
            if lines:
                split[at].append(cell_of(lines, cell.first, cell.last))
    if any(len(cell.lines) > 2 and is_prose([reading_order(cell.lines)]) for cell in row):
        return [row]
    full = sum(map(len, split)) / (len(heights) * len(row))
    columns = [sum(cell.first == each.first for line in split for cell in line) for each in row]
    whole = columns[0] == len(heights) and columns.count(len(heights)) > 1
    certain = full > 0.8 or whole if len(heights) > 2 else full == 1 and len(row) > 3
    return split if certain else [row]


# --- rows, labels, captions ------------------------------------------------------------------------


def finished(rows: list[CellRow], columns: Sequence[Span], drawing: Drawing) -> Table | None:
    """The table of these rows, None when they are none."""
    rows = [row for row in rows if row]
    used = sorted({cell.first for row in rows for cell in row} | {cell.last for row in rows for cell in row})
    if len(used) < 2 or sum(len(row) > 1 for row in rows) < min(2, len(rows)):
        return None
    width = len(used)
    if used[-1] >= width:  # some columns are empty
        place = {column: at for at, column in enumerate(used)}
        rows = [[cell.over(place[cell.first], place[cell.last]) for cell in row] for row in rows]
    captions: list[str] = []
    while len(rows) > 1 and len(rows[0]) == 1 and len(rows[1]) > 1:
        captions.append(rows.pop(0)[0].text)
    form = _is_form(rows, width)
    head = 0 if form else _head(rows, drawing)
    cells = [cell for row in rows for cell in row]
    return Table(
        tuple(_texts(row, width) for row in rows[head:]),
        _labels(rows[:head], width),
        tuple(columns[column] for column in used),
        min(cell.left for cell in cells),
        max(cell.right for cell in cells),
        min(cell.bottom for cell in cells),
        max(cell.top for cell in cells),
        cells[0].lines[0].size,
        tuple(captions),
        form,
    )


def _is_form(rows: Sequence[CellRow], width: int) -> bool:
    """Whether every other column is set in another type, as labels in front of values are."""
    if width % 2 or width < 4 or any(cell.first != cell.last for row in rows for cell in row):
        return False
    labels, values = (
        _fonts([cell for row in rows for cell in row if cell.first % 2 == side]) for side in (0, 1)
    )
    return bool(labels and values) and not labels & values


def _texts(row: CellRow, width: int) -> Row:
    """A cell over several columns stands in each of them, one over all columns alone."""
    if len(row) == 1 and row[0].first == 0 and row[0].last == width - 1:
        return (row[0].text,)
    texts = [""] * width
    for cell in row:
        for column in range(cell.first, cell.last + 1):
            texts[column] = f"{texts[column]} {cell.text}".strip()
    return tuple(texts)


def _labels(rows: Sequence[CellRow], width: int) -> Row:
    """The labels of the columns: a group above several of them is part of each one's label."""
    if not rows:
        return ()
    texts = [_texts(row, width) for row in rows]
    columns = zip(*(text * width if len(text) == 1 else text for text in texts), strict=True)
    return tuple(" ".join(dict.fromkeys(filter(None, column))) for column in columns)


def _head(rows: Sequence[CellRow], drawing: Drawing) -> int:
    """How many rows are labels for certain: they look unlike the later ones, first cells aside."""
    if len(rows) < 2:
        return 0
    for look in (_fonts, lambda row: _fills(row, drawing)):
        looks = [look(row) for row in rows]
        rest = set().union(*(look(row[1:] or row) for row in rows[(len(rows) + 1) // 2 :]))
        head = next((at for at, each in enumerate(looks) if each & rest or not each), len(rows))
        if 0 < head <= min(3, len(rows) - 1):
            return head
    if _grouped(rows):
        return 2
    return 1 if _underlined(rows, drawing) else 0


def _fonts(row: CellRow) -> set[object]:
    """The fonts of a row."""
    return {(line.font, round(line.size)) for cell in row for line in cell.lines}


def _fills(row: CellRow, drawing: Drawing) -> set[object]:
    """The shades behind a row."""
    shades: set[object] = set()
    for cell in row:
        x, y = (cell.left + cell.right) / 2, (cell.bottom + cell.top) / 2
        behind = [colour for (x0, y0, x1, y1), colour in drawing.fills if x0 <= x <= x1 and y0 <= y <= y1]
        shades.add(behind[-1] if behind else 0xFFFFFF)
    return shades


def _grouped(rows: Sequence[CellRow]) -> bool:
    """Whether the first row groups the columns and the second names them: words over columns of numbers."""
    if len(rows) < 3 or not any(cell.last > cell.first for cell in rows[0]):
        return False
    under = {at for cell in rows[0] if cell.last > cell.first for at in range(cell.first, cell.last + 1)}
    names = [cell.text for cell in rows[1] if cell.first in under and cell.first == cell.last]
    values = [cell.text for row in rows[2:] for cell in row if cell.first in under]
    if len(names) < len(under) or not values:
        return False
    numbers = sum(is_value(value) for value in values)
    return not any(map(is_value, names)) and numbers > 0.6 * len(values)


def _underlined(rows: Sequence[CellRow], drawing: Drawing) -> bool:
    """Whether a rule stands below the first row and none below the next ones."""
    if len(rows) < 3:
        return False
    left = min(cell.left for row in rows for cell in row)
    right = max(cell.right for row in rows for cell in row)

    def ruled(above: CellRow, below: CellRow) -> bool:
        high, low = min(cell.bottom for cell in above), max(cell.top for cell in below)
        return any(
            low - 2 <= y <= high + 1 and x0 < left + 6 and x1 > right - 6 for y, x0, x1 in drawing.across
        )

    return ruled(rows[0], rows[1]) and not any(
        ruled(rows[at], rows[at + 1]) for at in range(1, min(4, len(rows) - 1))
    )
