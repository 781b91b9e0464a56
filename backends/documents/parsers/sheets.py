"""What the readers of spreadsheets give: sheets with rows of cells, and notes on what is not as it seems.

Enters: nothing. Leaves: records, and the work that every kind of workbook shares. It knows no file format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from backends.documents.parsers.common import Cell

Area = tuple[int, int, int, int]  # first row, first column, last row, last column, all counted from 0
NAMED = 3  # places that a note names
MOST_AREAS = 100_000


@dataclass
class Sheet:
    """A sheet and its rows, each a list of texts or cells, which are read as they are asked for."""

    name: str
    rows: Iterator[list[str | Cell]]


@dataclass
class Findings:
    """What a reader came upon while it read: it fills as the rows are taken."""

    hidden: list[str] = field(default_factory=list)
    hidden_parts: list[str] = field(default_factory=list)  # "Sheet column C", "Sheet row 4"
    uncalculated: list[str] = field(default_factory=list)  # formulas without a value, "Sheet!C2"
    other: list[str] = field(default_factory=list)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader left out or guessed, one statement each."""
        made = []
        if count := len(self.uncalculated):
            where = ", ".join(self.uncalculated[:NAMED]) + (" ..." if count > NAMED else "")
            what = "1 formula without a value" if count == 1 else f"{count:,} formulas without values"
            made.append(f"{what} ({where})")
        if self.hidden:
            sheets = "hidden sheet" if len(self.hidden) == 1 else "hidden sheets"
            made.append(f"{sheets} read too: {', '.join(self.hidden[:NAMED])}")
        if count := len(self.hidden_parts):
            where = ", ".join(self.hidden_parts[:NAMED]) + (" ..." if count > NAMED else "")
            made.append(f"hidden rows or columns read too ({count}): {where}")
        return (*made, *self.other)


def column_name(at: int) -> str:
    """A column's letters: A, B ... Z, AA, counted from 0."""
    return (column_name(at // 26 - 1) if at >= 26 else "") + chr(65 + at % 26)


class Merged:
    """The merged areas of a sheet: which places they cover, and how far their first cells reach."""

    def __init__(self, areas: Iterable[Area]) -> None:
        self._areas: dict[int, list[Area]] = {}  # by the row they begin in
        self._open: list[Area] = []
        for area in areas:
            self._areas.setdefault(area[0], []).append(area)

    def row(self, number: int, texts: Sequence[str | Cell]) -> list[str | Cell]:
        """The cells of the next row, without those covered by others."""
        self._open = [area for area in self._open if area[2] >= number] + self._areas.get(number, [])
        if not self._open:
            return [*texts]
        cells: list[str | Cell] = []
        at = 0
        width = max(
            len(texts), *(area[3] + 1 for area in self._open if area[0] < number or area[1] < len(texts)), 0
        )
        while at < width:
            area = next((area for area in self._open if area[1] <= at <= area[3]), None)
            text = texts[at] if at < len(texts) else ""
            if area is None:
                cells.append(text)
                at += 1
            elif area[0] == number:
                made = text if isinstance(text, Cell) else Cell(text)
                across, down = area[3] - at + 1, area[2] - number + 1
                cells.append(Cell(made.text, across, down, made.heading, made.comment))
                at += across
            else:  # covered from above
                at = area[3] + 1
        return cells


def blocks(rows: Iterable[list[str | Cell]]) -> Iterator[Iterator[list[str | Cell]]]:
    """Tables on a sheet are kept apart by empty rows; empty cells at the end of a row do not count."""
    for filled, block in groupby(map(_trimmed, rows), key=bool):
        if filled:
            yield block


def _trimmed(row: list[str | Cell]) -> list[str | Cell]:
    while row and not (row[-1].text if isinstance(row[-1], Cell) else row[-1]).strip():
        row.pop()
    return row
