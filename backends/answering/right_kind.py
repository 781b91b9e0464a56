"""An answer whose figures are of another kind or column than asked for is put right or taken back.

Enters: a question, what a model wrote, the numbered sources it read. Leaves: the one figure of the asked kind
that its sentences state, the asked cell of its table row, or the fixed sentence that declines. A small model
names the nearer figure now and then: "38 hours a week" for the days of leave that the same sentence gives,
the first quarter's sales for the second's. It asks no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backends.answering.answer_text import cited_markers, is_abstention
from backends.answering.asked_column import asked_cell, in_asked_cell, names_a_column, names_the_row
from backends.answering.asked_kind import asked_kinds, asked_unit, kinds_said, of_another_kind
from backends.answering.short_answers import said_in, short_answer, verdict_of, within
from backends.datatypes import Source
from backends.language.prompts import NOT_IN_DOCUMENTS
from backends.system.json_texts import is_json

_FIGURE = re.compile(r"[€$£]?\d+(?:[.,]\d+)*(?:\s?[%€$£]|\s?°[CF]|(?:\s(?:million|thousand))?\s[^\W\d_]+)?")


@dataclass(frozen=True)
class Corrected:
    """The text in place of the model's, and why."""

    text: str
    reason: str


def may_be_corrected(question: str, sources: Sequence[Source]) -> bool:
    """Whether the question tells what kind of figure it wants, or which of a row's like columns: else nothing
    that is written is held back."""
    return bool(asked_kinds(question)) or any(
        names_a_column(question, sentence.text) for source in sources for sentence in source.sentences
    )


def corrected(question: str, text: str, sources: Sequence[Source]) -> Corrected | None:
    """What to say in place of an answer of another kind or column; None where the answer stands."""
    short = short_answer(text).rstrip(" .")
    if is_abstention(text) or is_json(text) or verdict_of(short):
        return None
    if (other := _of_another_column(question, text, short, sources)) is not None:
        return other
    if not of_another_kind(question, short):
        return None
    found = dict(_figures(question, text, sources))
    if len(found) != 1:
        return Corrected(NOT_IN_DOCUMENTS, f"The model's “{short}” is not what the question asks for.")
    [(figure, rank)] = found.items()
    reason = f"The model's “{short}” is not what the question asks for; the passage gives one figure that is."
    return Corrected(f"{figure}. [{rank}]", reason)


def _of_another_column(question: str, text: str, short: str, sources: Sequence[Source]) -> Corrected | None:
    """The cell of the one cited row that states the answer, which the question names by the year, quarter or
    size of its column; None where another row has the answer there, or two rows would give two."""
    cited = cited_markers(text)
    rows = [(each.text, s.rank) for s in sources if s.rank in cited for each in s.sentences]
    rows = [each for each in rows if names_the_row(question, each[0])] or rows
    found = [(asked, rank) for row, rank in rows if (asked := asked_cell(question, short, row)) is not None]
    if len(found) != 1 or any(in_asked_cell(question, short, row) for row, _ in rows):
        return None
    [(asked, rank)] = found
    reason = (
        f"The model's “{short}” stands under “{asked.said_header}” of its row; the question asks "
        f"for “{asked.header}”."
    )
    return Corrected(f"{asked.value.rstrip(' .')}. [{rank}]", reason)


def _figures(question: str, text: str, sources: Sequence[Source]) -> Iterator[tuple[str, int]]:
    """Figures of the asked kind in the cited sources' sentences, and which source; not those asked with."""
    cited = cited_markers(text)
    asked, unit, given = asked_kinds(question), asked_unit(question), said_in(question).numbers
    for source in sources:
        for sentence in source.sentences if source.rank in cited else ():
            for match in _FIGURE.finditer(sentence.text):
                said = said_in(match[0]).numbers
                fits = kinds_said(match[0]) <= asked and (not unit or unit in {each for _, each in said})
                if said and fits and not within(said, given):
                    yield match[0], source.rank
