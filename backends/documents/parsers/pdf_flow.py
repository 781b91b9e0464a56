"""The order in which a page is read, and its lines put together to headings, items and paragraphs.

Enters: the lines and tables of a page in the order of the file. Leaves: that order with columns of prose one
after the other; then text. It knows no file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from backends.documents.parsers.pdf_page import BARE_BULLET, BULLET, TextLine
from backends.documents.parsers.pdf_prose import is_prose
from backends.documents.parsers.pdf_tables import Item, Table
from backends.documents.parsers.pdf_words import join

Gutter = tuple[float, float]  # white space between columns: the right edge of one, the left edge of the next

MOST_COLUMNS = 4
NEAR = 10  # lines before and after one that tell the edge of its column


# --- columns ---------------------------------------------------------------------------------------


def in_columns(items: Sequence[Item]) -> list[Item]:
    """Columns of prose that the file holds line by line across the page, put one after the other.

    Tables lie the same way; `is_prose` tells them apart.
    """
    ordered: list[Item] = []
    run: list[list[TextLine]] = []
    gutters: list[Gutter] = []
    for row in [*_level_rows(items), None]:
        lines = [item for item in row or [] if isinstance(item, TextLine) and item.upright]
        if lines and run and len(lines) == len(row or []) and _same_columns(lines, gutters):
            run.append(lines)
            if len(lines) == len(run[0]):
                gutters = _narrowed(gutters, lines)
            continue
        ordered += _column_by_column(run, gutters)
        run, gutters = ([lines], _gutters(lines)) if len(lines) > 1 else ([], [])
        ordered += [] if run else row or []
    return ordered


def _level_rows(items: Sequence[Item]) -> list[list[Item]]:
    """Items that follow each other on one height, from left to right."""
    rows: list[list[Item]] = []
    for item in items:
        last = rows[-1][-1] if rows else None
        if (
            isinstance(item, TextLine)
            and isinstance(last, TextLine)
            and item.upright
            and abs(last.bottom - item.bottom) < 0.3 * item.size
            and item.left > last.right
        ):
            rows[-1].append(item)
        else:
            rows.append([item])
    return rows


def _gutters(row: Sequence[TextLine]) -> list[Gutter]:
    return [(one.right, two.left) for one, two in pairwise(row)]


def _narrowed(gutters: Sequence[Gutter], row: Sequence[TextLine]) -> list[Gutter]:
    return [
        (max(right, one.right), min(left, two.left))
        for (right, left), (one, two) in zip(gutters, pairwise(row), strict=True)
    ]


def _same_columns(row: Sequence[TextLine], gutters: Sequence[Gutter]) -> bool:
    """Whether a row goes on with the columns of the rows before: no line reaches from one into another."""
    if len(row) == len(gutters) + 1:
        return all(right < left for right, left in _narrowed(gutters, row))
    return len(row) <= len(gutters) and all(
        line.right < left or line.left > right for line in row for right, left in gutters
    )


def _column_by_column(run: Sequence[Sequence[TextLine]], gutters: Sequence[Gutter]) -> list[Item]:
    """The lines of a run, column by column if they are prose."""
    flat = [line for row in run for line in row]
    if sum(len(row) == len(run[0]) for row in run) < 3 or len(gutters) >= MOST_COLUMNS:
        return [*flat]
    edges = [(right + left) / 2 for right, left in gutters]
    columns: list[list[TextLine]] = [[] for _ in range(len(gutters) + 1)]
    for line in flat:
        columns[sum(line.left >= edge for edge in edges)].append(line)
    return [line for column in columns for line in column] if is_prose(columns) else [*flat]


# --- text ------------------------------------------------------------------------------------------


def page_text(items: Sequence[Item], body: float, table_text: Callable[[Table], str]) -> str:
    """One heading, list item, paragraph or table row a line; `body` is the size of the document's letters."""
    blocks: list[str] = []
    before: TextLine | None = None
    lines = [item for item in items if isinstance(item, TextLine)]
    at = 0
    for line in items:
        if isinstance(line, Table):
            blocks.append(f"\n{table_text(line)}\n")
            before = None
            continue
        level = heading_level(line, body)
        if before is not None and BARE_BULLET.match(before.text):
            blocks[-1] = f"{blocks[-1].rstrip()[:-1]}- {line.text}"
        elif before is not None and _continues(before, line, lines[max(0, at - NEAR) : at + NEAR], body):
            blocks[-1] = join(blocks[-1].rstrip("\n"), line.text) + ("\n" if level else "")
        elif level:
            blocks.append(f"\n{'#' * level} {line.text}\n")
        elif not line.upright:
            blocks.append(f"\n{line.text}")
        else:
            bullet = re.sub(r"^[•◦▪‣●○■]\s*", "- ", line.text)
            gap = "\n" if before is not None and before.bottom - line.top > 0.7 * line.size else ""
            blocks.append(gap + bullet)
        before = line
        at += 1
    return "\n".join(blocks)


def heading_level(line: TextLine, body: float) -> int:
    """1 to 3 by size; 0 for a line that is no heading."""
    if (
        not line.upright
        or line.size < 1.12 * body
        or len(line.text) > 120
        or not re.search(r"[^\W\d]{2}", line.text)
    ):
        return 0
    return 1 if line.size > 1.5 * body else 2 if line.size > 1.25 * body else 3


def _continues(before: TextLine, line: TextLine, near: Sequence[TextLine], body: float) -> bool:
    """Whether a line goes on with the paragraph of the one before it."""
    if abs(before.size - line.size) > 0.12 * body or not line.upright:
        return False
    if BULLET.match(line.text) or BARE_BULLET.match(line.text):
        return False
    if abs(before.bottom - line.bottom) < 0.3 * line.size:  # pieces of one baseline that are no table
        return 0 <= line.left - before.right < 3 * line.size
    if BARE_BULLET.match(before.text):
        return False
    if heading_level(before, body):
        return 0 < before.bottom - line.bottom < 1.6 * line.size
    below = before.bottom - line.bottom
    next_column = below < 0 or below > 12 * line.size
    if not next_column and below > 2.1 * line.size:
        return False
    if next_column and re.search(r"[.!?:]$", before.text):
        return False
    if re.search(r"\w[-\u00ad\u2010]$", before.text) and line.text[:1].isalnum():
        return True
    if line.text[:1].islower() and not next_column and before.right - before.left > 12 * body:
        return not re.search(r"[.!?:;]$", before.text)
    # A line that stopped short of its column's right edge ended its paragraph.
    peers = [
        each
        for each in near
        if abs(each.left - before.left) < 3 * body
        and abs(each.bottom - before.bottom) < 15 * body
        and abs(each.size - before.size) < 0.06 * body
    ]
    edge = max((each.right for each in peers), default=before.right)
    width = edge - min((each.left for each in peers), default=before.left)
    ragged = edge - before.right
    next_word = (line.right - line.left) * (len(line.text.split(" ", 1)[0]) + 1) / max(1, len(line.text))
    return width > 12 * body and ragged < max(next_word, 0.06 * width) + 0.5 * body
