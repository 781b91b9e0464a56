"""Tables without rules: cells that the file holds one after the other, aligned in columns.

Enters: lines and tables in the order of the file. Leaves: the same with more tables. It knows no labels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from backends.documents.parsers.pdf_page import Drawing, TextLine
from backends.documents.parsers.pdf_tables import (
    CellRow,
    Item,
    PdfCell,
    Span,
    Table,
    cell_of,
    finished,
    is_value,
)

MOST_ROWS = 500  # of one table on a page
SHORT = 40  # characters of cells that stand beside each other in a row alone
WIDE = 2.0  # sizes of white space between them
LEADING = 1.5  # sizes from baseline to baseline within a cell, at most


def with_aligned_tables(items: Sequence[Item], drawing: Drawing) -> list[Item]:
    """Lines that stand in aligned rows replaced by a table."""
    out: list[Item] = []
    at = 0
    while at < len(items):
        rows, columns = _rows(items, at)
        table = _table(rows, columns, drawing) if len(rows) > 1 else None
        if table is not None:
            out.append(table)
            at += sum(len(cell.lines) for row in rows for cell in row)
        elif rows and _stands_alone(rows[0]):
            out.append(_alone(rows[0]))
            at += len(rows[0])
        else:  # the lines of a first cell may be lines above a row that begins beside the last of them
            single = bool(rows) and len(rows[0][0].lines) == 1
            used = sum(len(cell.lines) for cell in rows[0]) if single else 1
            out += items[at : at + used]
            at += used
    return out


def _stands_alone(row: CellRow) -> bool:
    """Whether a row without others is one, and not a line of words set far apart."""
    short = all(len(cell.lines) == 1 and len(cell.text) < SHORT for cell in row)
    return short and all(two.left - one.right > WIDE * one.lines[0].size for one, two in pairwise(row))


def _alone(row: CellRow) -> Table:
    """A row alone: what stands beside each other stays together."""
    return Table(
        (tuple(cell.text for cell in row),),
        (),
        tuple((cell.left, cell.right) for cell in row),
        row[0].left,
        row[-1].right,
        min(cell.bottom for cell in row),
        max(cell.top for cell in row),
        row[0].lines[0].size,
    )


def _rows(items: Sequence[Item], at: int) -> tuple[list[CellRow], list[Span]]:
    """Rows from `at` on that share columns, and those columns."""
    rows: list[CellRow] = []
    columns: list[Span] = []
    if not _may_begin(items[at : at + 7]):
        return rows, columns
    while at < len(items) and len(rows) < MOST_ROWS:
        row = _row(items, at)
        if not row or (rows and not _close(rows, row)):
            break
        if len(row) == 1:
            if not rows:
                break
            if not _continue_cell(rows[-1], row[0]):
                if not _heads_rows(rows, row[0], columns, _row(items, at + len(row[0].lines))):
                    break
                rows.append(row)
        else:
            wider = _columns_with(columns, row, len(rows))
            if wider is None:
                break
            columns = wider
            rows.append(row)
        at += sum(len(cell.lines) for cell in row)
    return rows, columns


def _may_begin(items: Sequence[Item]) -> bool:
    """Whether the first item may begin a row: something stands to the right of it or the lines below it."""
    first = items[0]
    for each in items[1:]:
        if each.left >= first.right - 1:
            return True
        if each.bottom > first.bottom or not isinstance(each, TextLine):
            return False
    return False


def _row(items: Sequence[Item], at: int) -> CellRow:
    """Cells from left to right at one height; one cell alone where nothing stands beside it."""
    first = _stack(items, at, 6)
    if not first:
        return []
    follows = items[at + len(first) : at + len(first) + 1]
    if len(first) > 1 and follows and _level(first[-1], follows[0]) and not _fills(first, follows[0]):
        return [cell_of(first[:1])]  # a caption above a row
    row = [cell_of(first)]
    bottom, top = row[0].bottom, row[0].top
    at += len(first)
    while at < len(items):
        stack = _stack(items, at, 12)
        if not stack or stack[0].left < max(row[-1].right - 1, row[-1].left + stack[0].size):
            break
        cell = cell_of(stack)
        if not _beside(cell, bottom, top):
            wide = cell_of(_stack(items, at, 12, 2 * LEADING))
            cell = wide if len(wide.lines) > 1 and _same_middle(wide, row[0]) else cell_of(stack[:1])
            if not _beside(cell, bottom, top):
                break
        row.append(cell)
        bottom, top = min(bottom, cell.bottom), max(top, cell.top)
        at += len(cell.lines)
    return row if len(row) > 1 else [cell_of(first[:1])]


def _stack(items: Sequence[Item], at: int, most: int, leading: float = LEADING) -> list[TextLine]:
    """Lines of the file that stand below each other, as those of a cell do."""
    stack: list[TextLine] = []
    for each in items[at : at + most]:
        if not isinstance(each, TextLine) or not each.upright:
            break
        if stack:
            last, first = stack[-1], stack[0]
            below = 0.5 * each.size < last.bottom - each.bottom < leading * max(last.size, each.size)
            alike = abs(each.size - last.size) < 0.15 * last.size
            if not (below and alike and _aligned(first, each)):
                break
        stack.append(each)
    while len(stack) > 1 and at + len(stack) < len(items):
        follows = items[at + len(stack)]
        if not _level(stack[-1], follows) or _level(stack[0], follows) or len(stack) == most:
            break
        if not _beside_left(stack[-1], items, at):
            break
        stack.pop()
    return stack


def _beside_left(line: TextLine, items: Sequence[Item], at: int) -> bool:
    """Whether the line before `at` stands to the left on another height: then `line` opens the next row."""
    before = items[at - 1] if at else None
    return isinstance(before, TextLine) and before.right < line.left and not _level(before, line)


def _aligned(one: TextLine, two: TextLine) -> bool:
    middle = abs(one.left + one.right - two.left - two.right) < 4
    return abs(one.left - two.left) < 2 or abs(one.right - two.right) < 2 or middle


def _level(one: TextLine, two: Item) -> bool:
    return (
        isinstance(two, TextLine) and abs(one.bottom - two.bottom) < 0.4 * one.size and two.left > one.right
    )


def _fills(first: Sequence[TextLine], beside: Item) -> bool:
    """Whether lines stand below each other because the cell is full: the next cell stands at its foot."""
    return (
        first[0].right - first[0].left > 0.6 * (beside.left - first[0].left)
        and len({line.font for line in first}) == 1
    )


def _beside(cell: PdfCell, bottom: float, top: float) -> bool:
    """Whether a cell stands on the height of a row."""
    shared = min(top, cell.top) - max(bottom, cell.bottom)
    return shared >= 0.5 * min(top - bottom, cell.top - cell.bottom)


def _same_middle(one: PdfCell, two: PdfCell) -> bool:
    return abs(one.bottom + one.top - two.bottom - two.top) < 0.6 * two.lines[0].size


def _close(rows: Sequence[CellRow], row: CellRow) -> bool:
    """Whether a row stands below the last one, not much farther than the others from each other."""
    size = row[0].lines[0].size
    gaps = [_gap(one, two) for one, two in pairwise(rows[-4:])]
    return -0.3 * size < _gap(rows[-1], row) < max(3.5 * size, 2.5 * median(gaps) if gaps else 0)


def _gap(above: CellRow, below: CellRow) -> float:
    return min(cell.bottom for cell in above) - max(cell.top for cell in below)


def _continue_cell(row: CellRow, cell: PdfCell) -> bool:
    """Put a line that stands alone below a later cell of the row above into it, if it is the cell's."""
    line = cell.lines[0]
    for at, each in enumerate(row[1:], start=1):
        last = each.lines[-1]
        drop = last.bottom - line.bottom
        within = line.text[:1].islower() and not re.search(r"[.!?:;]$", last.text)  # of a sentence
        near = 0 < drop < (3 if within else 1.35) * last.size and abs(last.size - line.size) < 0.5
        if near and _aligned(each.lines[0], line):
            row[at] = cell_of([*each.lines, *cell.lines])
            return True
    return False


def _heads_rows(rows: Sequence[CellRow], cell: PdfCell, columns: Sequence[Span], following: CellRow) -> bool:
    """Whether a line alone between rows is the heading of a group: the same columns of figures follow it."""
    middle = abs(cell.left + cell.right - columns[0][0] - columns[-1][1]) < 12
    if len(following) != len(columns) or not (abs(cell.left - columns[0][0]) < 6 or middle):
        return False
    if not _close([*rows, [cell]], following) or _columns_with(list(columns), following, len(rows)) is None:
        return False
    same = [row for row in rows if len(row) == len(columns)]
    return any(
        is_value(each.text)
        and all(is_value(row[at].text) for row in same[1:])
        and not (len(same) == 1 and is_value(same[0][at].text))
        for at, each in enumerate(following)
    )


# --- columns ---------------------------------------------------------------------------------------


def _columns_with(columns: list[Span], row: CellRow, before: int) -> list[Span] | None:
    """The columns when a row is added to `before` others, None when it has other columns."""
    spans = [(cell.left, cell.right) for cell in row]
    if not columns:
        return spans
    if len(spans) == len(columns):
        fits = _in_order(columns, spans)
        touching = sum(_overlap(one, two) > -6 for one, two in zip(columns, spans, strict=True))
        if fits and 2 * touching >= len(spans):
            return [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(columns, spans, strict=True)]
        return None
    if len(spans) < len(columns):
        inside = all(any(_overlap(column, span) > 0 for column in columns) for span in spans)
        return columns if inside else None
    wider = list(spans)
    for column in columns:
        touched = [at for at, span in enumerate(spans) if _overlap(column, span) > 0]
        if len(touched) == 1:
            at = touched[0]
            wider[at] = (min(wider[at][0], column[0]), max(wider[at][1], column[1]))
        elif before > 2:
            return None
    disjoint = all(one[1] <= two[0] + 1 for one, two in pairwise(wider))
    return wider if disjoint else spans if before <= 2 else None


def _in_order(columns: Sequence[Span], spans: Sequence[Span]) -> bool:
    """Whether no cell reaches into the column before or after its own."""
    return all(
        columns[at][1] <= spans[at + 1][0] + 1 and spans[at][1] <= columns[at + 1][0] + 1
        for at in range(len(spans) - 1)
    )


def _overlap(one: Span, two: Span) -> float:
    """How far two spans overlap; negative is their distance."""
    return min(one[1], two[1]) - max(one[0], two[0])


def _table(rows: list[CellRow], columns: Sequence[Span], drawing: Drawing) -> Table | None:
    placed = [[_placed(cell, columns, alone=len(row) == 1) for cell in row] for row in rows]
    if sum(len(row) > 1 and not _clear(row) for row in placed[1:]) > 0.2 * len(placed):
        return None
    captions: list[str] = []
    groups: list[CellRow] = []
    if len(placed) > 2 and len(placed[0]) < len(columns) - 1 <= len(placed[1]):
        first = placed.pop(0)
        grouped = _groups(first, placed[0], columns, drawing)
        groups = [grouped] if grouped else []
        if not grouped:  # what its cells stand over is not certain
            captions.append("; ".join(cell.text for cell in first))
    placed = [[cell.over(cell.first, cell.first) for cell in row] if len(row) > 1 else row for row in placed]
    rows = _filled_down([*groups, *_rejoined(placed)], drawing, columns)
    table = finished(rows, columns, drawing)
    return table and replace(table, captions=(*captions, *table.captions))


def _clear(row: CellRow) -> bool:
    """Whether each cell stands over one column, which it has for itself."""
    firsts = [cell.first for cell in row]
    return len(set(firsts)) == len(firsts) and all(cell.first == cell.last for cell in row)


def _placed(cell: PdfCell, columns: Sequence[Span], alone: bool) -> PdfCell:
    """The cell over the columns it covers, or in the nearest one; a heading `alone` in its row over all."""
    if alone:
        return cell.over(0, len(columns) - 1)
    left, right = span = cell.left, cell.right
    covered = [at for at, (start, end) in enumerate(columns) if left < end and start < right and start < end]
    if not covered or left >= right:
        covered = [max(range(len(columns)), key=lambda at: _overlap(columns[at], span))]
    return cell.over(covered[0], covered[-1])


def _groups(row: CellRow, names: CellRow, columns: Sequence[Span], drawing: Drawing) -> CellRow:
    """The first row's cells over the columns they group, [] where neither a rule nor their place tells."""
    corner = [cell for cell in row if _overlap(columns[0], (cell.left, cell.right)) > 0]
    over = [cell for cell in row if cell not in corner]
    ruled = [each for cell in over if (each := _under_rule(cell, names, columns, drawing))]
    if ruled and len(ruled) == len(over) and all(one.last < two.first for one, two in pairwise(ruled)):
        return [*corner, *ruled]
    size, rest = divmod(len(columns) - 1, max(1, len(over)))
    if rest or size < 2:
        return []
    grouped = [cell.over(1 + at * size, (at + 1) * size) for at, cell in enumerate(over)]
    pitch = (columns[-1][1] - columns[0][0]) / len(columns)
    centred = all(
        abs((columns[cell.first][0] + columns[cell.last][1]) - (cell.left + cell.right)) < 0.5 * pitch
        for cell in grouped
    )
    return [*corner, *grouped] if centred else []


def _under_rule(cell: PdfCell, names: CellRow, columns: Sequence[Span], drawing: Drawing) -> PdfCell | None:
    """A group over the columns that the rule below it underlines, if not all of them."""
    low = max(name.bottom for name in names)
    for y, left, right in drawing.across:
        if low < y < cell.bottom + 1 and left - 2 <= cell.left and cell.right <= right + 2:
            covered = [at for at, (x0, x1) in enumerate(columns) if left - 2 <= (x0 + x1) / 2 <= right + 2]
            if covered and len(covered) < len(columns):
                return cell.over(covered[0], covered[-1])
    return None


def _rejoined(rows: list[CellRow]) -> list[CellRow]:
    """A row without a first cell that follows closer than the others is the second line of the one before."""
    steps = [_gap(one, two) for one, two in pairwise(rows) if two[0].first == 0]
    usual = median(steps) if steps else 0.0
    joined: list[CellRow] = []
    for row in rows:
        tight = joined and row[0].first > 0 and len(row) > 1 and _gap(joined[-1], row) < 0.5 * usual
        cells = {cell.first: at for at, cell in enumerate(joined[-1])} if joined else {}
        if tight and all(cell.first in cells for cell in row):
            for cell in row:
                at = cells[cell.first]
                above = joined[-1][at]
                joined[-1][at] = cell_of([*above.lines, *cell.lines], above.first, above.last)
        else:
            joined.append(list(row))
    return joined


def _filled_down(rows: list[CellRow], drawing: Drawing, columns: Sequence[Span]) -> list[CellRow]:
    """Cells that reach over several rows: the rule between the rows leaves their column out."""
    filled = rows[:1]
    for above, row in pairwise(rows):
        high, low = min(cell.bottom for cell in above), max(cell.top for cell in row)
        between = [(x0, x1) for y, x0, x1 in drawing.across if low - 2 <= y <= high + 1]
        empty = set(range(len(columns))) - {at for cell in row for at in range(cell.first, cell.last + 1)}
        open_ = {
            at for at in empty if not any(x0 - 2 <= sum(columns[at]) / 2 <= x1 + 2 for x0, x1 in between)
        }
        more = [cell for cell in filled[-1] if between and cell.first == cell.last and cell.first in open_]
        filled.append(sorted([*row, *more], key=lambda cell: cell.first))
    return filled
