"""The short answer in the words that the span reader points at, where the language model was unsure.

Enters: numbered sources and the spans found in them, what a model said and how sure it was. Leaves: the words
of the passage, cited, and whether they are said instead. A model of this size takes a value of the right kind
from the line beside; the span reader sees question and passage in both directions.
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.answering.support_text import is_unsure
from backends.datatypes import Finished, Source
from backends.language.answer_text import is_abstention, is_json, without_markers
from backends.language.compared_words import compared_words
from backends.language.span_reader import Span

# Log-odds above which the reader is heard; chosen on development questions (models/LOG.md).
LEAST = -1.0


def pointed_words(spans: Sequence[Span], sources: Sequence[Source]) -> str | None:
    """The words that answer best, as `14 days. [2]`; None where hardly any do.

    `spans[n]` is what was found in `sources[n]`.
    """
    if not sources:
        return None
    best, source = max(zip(spans, sources, strict=True), key=lambda pair: pair[0].score)
    words = " ".join(best.text.split()).rstrip(" .;,:")
    if best.score <= LEAST or not words:
        return None
    return f"{words[:1].upper()}{words[1:]}. [{source.rank}]"


def gives_way(said: str, event: Finished, pointed: str) -> bool:
    """Whether the model was unsure of an answer that does not hold the words pointed at."""
    if not is_unsure(event) or is_abstention(said) or is_json(said):
        return False
    return not holds(said, pointed)


def holds(said: str, pointed: str) -> bool:
    """Whether an answer, whole or as far as it was written, says the words pointed at, or is a yes or no:
    then it stands however sure the model is."""
    if compared_words(said)[:1] in (["yes"], ["no"]):
        return True
    return f" {_plain(pointed)} " in f" {_plain(said)} "


def _plain(text: str) -> str:
    return " ".join(compared_words(without_markers(text)))
