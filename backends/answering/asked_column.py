"""Whether a short answer stands in the column that the question asks for, or in another one of its row.

Enters: a question, a short answer, a table row as documents show it ("Ship: Vela; Q1 2026: 610; ...").
Leaves: how many more of the question's words and figures another cell's header holds (where no header shares
a word with the question nothing is held against the answer), and the one cell that the question names by the
figures of its header. It knows no document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from backends.answering.short_answers import Said, said_in, within
from backends.retrieval.chunking import cells_of
from backends.retrieval.folding import folded

FEWEST = 3  # cells of a row: its name and two that can be taken for each other

_FIGURES = re.compile(r"[^\W_]*\d[^\W_]*")
_ORDINALS = ("first 1st", "second 2nd", "third 3rd", "fourth 4th last")
_QUARTERS = {word: f"q{n}" for n, words in enumerate(_ORDINALS, start=1) for word in words.split()}
# Beside a year they mean another one than it.
_RELATIVE = re.compile(
    r"\b(?:before|after|since|until|than|prior|previous|following|except|not|compared|between)\b"
)
_QUARTER = re.compile(rf"\b({'|'.join(_QUARTERS)}) quarter\b")


@dataclass(frozen=True)
class AskedCell:
    """The cell that a question names, and the one of the same kind of column that an answer states."""

    header: str
    value: str
    said_header: str
    said_value: str


def columns_ahead(question: str, short: str, row: str) -> int:
    """How many more of the question's words another header has than that of the cell with the answer; 0 where
    the row is none or no cell of it states the answer."""
    cells = cells_of(row)
    if len(cells) < FEWEST:
        return 0
    asked, said = _words(said_in(question)), said_in(short, question)
    shared = [len(_words(said_in(header)) & asked) for header, _ in cells[1:]]
    own = [count for count, (_, cell) in zip(shared, cells[1:], strict=True) if _states(cell, said)]
    return max(shared) - max(own) if own else 0


def names_a_column(question: str, row: str) -> bool:
    """Whether the question tells by figures which of a row's like columns it means: a year, a size."""
    return any(_named(question, group) for group in _alike(row))


def names_the_row(question: str, row: str) -> bool:
    """Whether the question has all words of the row's first cell."""
    cells = cells_of(row)
    words = _words(said_in(cells[0][1])) if cells else frozenset()
    return bool(words) and words <= _words(said_in(question))


def asked_cell(question: str, short: str, row: str) -> AskedCell | None:
    """The cell that the question names by all figures of its header, where the answer states another cell
    whose header differs in nothing else; None in every other case."""
    for group in _alike(row):
        named, own = _named(question, group), _stating(question, short, group)
        if named and own and named not in own:
            return AskedCell(*named, *own[0])
    return None


def in_asked_cell(question: str, short: str, row: str) -> bool:
    """Whether the answer stands in the cell that the question names."""
    return any(_named(question, group) in _stating(question, short, group) for group in _alike(row))


def _stating(question: str, short: str, group: list[tuple[str, str]]) -> list[tuple[str, str]]:
    said = said_in(short, question)
    return [cell for cell in group if _states(cell[1], said) or _all_said(cell[1], said)]


def _alike(row: str) -> list[list[tuple[str, str]]]:
    """Cells whose headers differ in figures alone."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for header, value in cells_of(row):
        if _figures(header):
            groups.setdefault(_FIGURES.sub("#", folded(header)), []).append((header, value))
    return [group for group in groups.values() if len(group) > 1]


def _named(question: str, group: list[tuple[str, str]]) -> tuple[str, str] | None:
    if _RELATIVE.search(folded(question)):
        return None
    asked = _figures(question)
    found = [cell for cell in group if _figures(cell[0]) <= asked]
    # "Level 1" may be where the question comes from; a year, a quarter or a size names what it asks for.
    return found[0] if len(found) == 1 and any(len(each) > 1 for each in _figures(found[0][0])) else None


def _figures(text: str) -> frozenset[str]:
    """Words with digits; a quarter in words is one too."""
    plain = _QUARTER.sub(lambda match: _QUARTERS[match[1]], folded(text))
    return frozenset(_FIGURES.findall(plain))


def _words(said: Said) -> frozenset[str]:
    """Its words and figures, without units."""
    return said.words | {number for number, _ in said.numbers}


def _all_said(cell: str, said: Said) -> bool:
    """Whether all its numbers are said, perhaps with the "thousand" of its header."""
    numbers = said_in(cell).numbers
    return bool(numbers) and within(numbers, said.numbers)


def _states(cell: str, said: Said) -> bool:
    there = said_in(cell)
    if said.numbers:
        return within(said.numbers, there.numbers)
    return bool(said.words) and said.words <= there.words
