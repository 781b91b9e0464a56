"""Whether a short answer stands in the column that the question asks for, or in another one of its row.

Enters: a question, a short answer, a table row as documents show it ("Ship: Vela; Q1 2026: 610; ...").
Leaves: how many more of the question's words and figures another cell's header holds. Where no header shares
a word with the question nothing is held against the answer. It knows no document.
"""

from __future__ import annotations

from backends.answering.short_answers import Said, said_in, within
from backends.retrieval.chunking import cells_of

FEWEST = 3  # cells of a row: its name and two that can be taken for each other


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


def _words(said: Said) -> frozenset[str]:
    """Its words and figures, without units."""
    return said.words | {number for number, _ in said.numbers}


def _states(cell: str, said: Said) -> bool:
    there = said_in(cell)
    if said.numbers:
        return within(said.numbers, there.numbers)
    return bool(said.words) and said.words <= there.words
