"""An answer whose figures are of another kind than the question asks for is put right or taken back.

Enters: a question, what a model wrote, the numbered sources it read. Leaves: the one figure of the asked kind
that its sentences state, or the fixed sentence that declines. A small model names the nearer figure now and
then: "38 hours a week" for the days of leave that the same sentence gives. It asks no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backends.answering.answer_text import cited_markers, is_abstention
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


def may_be_corrected(question: str) -> bool:
    """Whether the question tells what kind of figure it wants: else nothing that is written is held back."""
    return bool(asked_kinds(question))


def corrected(question: str, text: str, sources: Sequence[Source]) -> Corrected | None:
    """What to say in place of an answer of another kind; None where the answer stands."""
    short = short_answer(text)
    if is_abstention(text) or is_json(text) or verdict_of(short) or not of_another_kind(question, short):
        return None
    short = short.rstrip(" .")
    found = dict(_figures(question, text, sources))
    if len(found) != 1:
        return Corrected(NOT_IN_DOCUMENTS, f"The model's “{short}” is not what the question asks for.")
    [(figure, rank)] = found.items()
    reason = f"The model's “{short}” is not what the question asks for; the passage gives one figure that is."
    return Corrected(f"{figure}. [{rank}]", reason)


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
