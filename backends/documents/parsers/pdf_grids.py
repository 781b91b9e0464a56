"""Grids of ruling lines, with cells that may reach over several rows and columns.

Enters: the rules of a page. Leaves: grids. It knows no text.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import neg

from backends.documents.parsers.pdf_page import Drawing, TextLine

TOUCH = 3.0  # points between rules that meet
SAME = 4.0  # points between edges that are one, drawn twice
MOST_PAIRS = 40_000  # of rules that are compared on a page
MOST_CELLS = 20_000

Rule = tuple[float, float, float]  # place, from, to


@dataclass(frozen=True)
class Grid:
    """`cells[row][column]` numbers the cell there: neighbours without a rule between them are one cell."""

    xs: tuple[float, ...]  # edges from left to right
    ys: tuple[float, ...]  # edges from top to bottom
    cells: tuple[tuple[int, ...], ...]

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.xs) - 1

    @property
    def height(self) -> int:
        """Number of rows."""
        return len(self.ys) - 1

    @cached_property
    def columns(self) -> tuple[tuple[float, float], ...]:
        """Left and right edge of every column, in points."""
        return tuple(pairwise(self.xs))

    @property
    def area(self) -> float:
        """In square points."""
        return (self.xs[-1] - self.xs[0]) * (self.ys[0] - self.ys[-1])

    def holds(self, line: TextLine) -> bool:
        """Whether a line of text lies within."""
        middle = (line.left + line.right) / 2
        return (
            self.xs[0] - TOUCH <= line.left
            and self.xs[0] < middle < self.xs[-1]
            and self.ys[-1] - TOUCH < line.bottom + 0.3 * line.size < self.ys[0] + TOUCH
        )

    def column_at(self, x: float) -> int:
        """The column that holds this x."""
        return min(max(bisect(self.xs, x) - 1, 0), self.width - 1)

    def cell_at(self, x: float, y: float) -> int:
        """The number of the cell at this point."""
        row = min(max(bisect(self.ys, -y, key=neg) - 1, 0), self.height - 1)
        return self.cells[row][self.column_at(x)]


def grids(drawing: Drawing) -> list[Grid]:
    """The grids of a page, the smallest first, so that one within another's cell is found."""
    across, down = _merged(drawing.across), _merged(drawing.down)
    if not down or len(across) * len(down) > MOST_PAIRS:
        return []
    found = (_grid(level, upright) for level, upright in _touching(across, down))
    return sorted((grid for grid in found if grid is not None), key=lambda grid: grid.area)


def _merged(rules: Iterable[Rule]) -> list[Rule]:
    """Pieces of one rule put together."""
    merged: list[Rule] = []
    by_place: list[list[Rule]] = []
    for rule in sorted(rules):
        if by_place and rule[0] - by_place[-1][0][0] < 1.5:
            by_place[-1].append(rule)
        else:
            by_place.append([rule])
    for pieces in by_place:
        place = pieces[0][0]
        start, end = float("inf"), float("-inf")
        for _, begin, stop in sorted(pieces, key=lambda rule: rule[1]):
            if begin > end + TOUCH and end > start:
                merged.append((place, start, end))
                start, end = begin, stop
            start, end = min(start, begin), max(end, stop)
        merged.append((place, start, end))
    return merged


def _touching(across: Sequence[Rule], down: Sequence[Rule]) -> list[tuple[list[Rule], list[Rule]]]:
    """Rules that hang together."""
    group = list(range(len(across) + len(down)))

    def root(at: int) -> int:
        while group[at] != at:
            group[at] = at = group[group[at]]
        return at

    for one, (y, left, right) in enumerate(across):
        for two, (x, low, high) in enumerate(down, start=len(across)):
            if left - TOUCH <= x <= right + TOUCH and low - TOUCH <= y <= high + TOUCH:
                group[root(one)] = root(two)
    together: dict[int, tuple[list[Rule], list[Rule]]] = {}
    for at, rule in enumerate([*across, *down]):
        together.setdefault(root(at), ([], []))[at >= len(across)].append(rule)
    return list(together.values())


def _grid(across: Sequence[Rule], down: Sequence[Rule]) -> Grid | None:
    """None when the rules enclose less than two columns."""
    if not across or not down:
        return None
    xs = _edges([x for x, _, _ in down], min(x for _, x, _ in across), max(x for _, _, x in across))
    ys = _edges([y for y, _, _ in across], min(y for _, y, _ in down), max(y for _, _, y in down))[::-1]
    width, height = len(xs) - 1, len(ys) - 1
    if width < 2 or height < 1 or width * height > MOST_CELLS:
        return None
    middles = [(a + b) / 2 for a, b in pairwise(xs)]
    heights = [(a + b) / 2 for a, b in pairwise(ys)]
    below = {(row, column) for row, column in _walls(across, ys[1:-1], middles)}
    right = {(row, column) for column, row in _walls(down, xs[1:-1], heights)}
    cells = list(range(width * height))

    def root(at: int) -> int:
        while cells[at] != at:
            cells[at] = at = cells[cells[at]]
        return at

    for row in range(height):
        for column in range(width):
            at = row * width + column
            if column + 1 < width and (row, column) not in right:
                cells[root(at + 1)] = root(at)
            if row + 1 < height and (row, column) not in below:
                cells[root(at + width)] = root(at)
    numbers = [root(at) for at in range(width * height)]
    rows = tuple(tuple(numbers[row * width : (row + 1) * width]) for row in range(height))
    return Grid(tuple(xs), tuple(ys), rows)


def _edges(places: Iterable[float], start: float, end: float) -> list[float]:
    """Edges in ascending order, the ends of the crossing rules among them; close ones are one."""
    edges: list[float] = []
    for place in sorted([*places, start, end]):
        if not edges or place - edges[-1] > SAME:
            edges.append(place)
    return edges


def _walls(
    rules: Iterable[Rule], edges: Sequence[float], middles: Sequence[float]
) -> Iterable[tuple[int, int]]:
    """(edge, gap) for every gap between crossing edges that a rule on an edge covers."""
    for place, start, end in rules:
        for at, edge in enumerate(edges):
            if abs(edge - place) <= SAME:
                for gap, middle in enumerate(middles):
                    if start - 1 <= middle <= end + 1:
                        yield at, gap
