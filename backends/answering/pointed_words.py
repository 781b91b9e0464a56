"""The short answer in the words that the span reader points at, where the language model was unsure.

Enters: a question, numbered sources, what a model said and how sure it was. Leaves: the words of the passage,
cited, and whether they are said instead. A model of this size takes a value of the right kind from the line
beside; the span reader sees question and passage in both directions.
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.answering.answerability import Reader, passage_of
from backends.answering.support_text import is_unsure
from backends.datatypes import Finished, Source
from backends.language.answer_text import is_abstention, is_json, without_markers
from backends.language.compared_words import compared_words

# Log-odds above which the reader is heard; chosen on development questions (models/LOG.md).
LEAST = -1.0


def pointed_words(question: str, sources: Sequence[Source], reader: Reader) -> str | None:
    """The words that answer best, as `14 days. [2]`; None where hardly any do."""
    if not sources:
        return None
    spans = reader.read(question, [passage_of(source) for source in sources])
    best, source = max(zip(spans, sources, strict=True), key=lambda pair: pair[0].score)
    words = " ".join(best.text.split()).rstrip(" .;,:")
    if best.score <= LEAST or not words:
        return None
    return f"{words[:1].upper()}{words[1:]}. [{source.rank}]"


def gives_way(said: str, event: Finished, pointed: str) -> bool:
    """Whether the model was unsure of an answer that does not hold the words pointed at."""
    if not is_unsure(event) or is_abstention(said) or is_json(said) or _is_yes_or_no(said):
        return False
    return f" {_plain(pointed)} " not in f" {_plain(said)} "


def _is_yes_or_no(said: str) -> bool:
    return compared_words(said)[:1] in (["yes"], ["no"])


def _plain(text: str) -> str:
    return " ".join(compared_words(without_markers(text)))
