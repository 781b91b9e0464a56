"""The sentences a short answer rests on, which follow it where the model was not sure of it.

Enters: a question, its answer, numbered sources. Leaves: sentences, word for word and cited. A sure answer
stands alone: it is short, and its citation shows the sentence. How sure: the geometric mean of the
probabilities of its tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.answering.answer_text import cited_markers, is_abstention, without_markers
from backends.answering.overlap import best_support
from backends.datatypes import Finished, Source
from backends.system.json_texts import is_json

SURE = 0.9
MOST_SENTENCES = 3


def is_unsure(event: Finished) -> bool:
    """Whether the model ended its answer and was not sure of it."""
    return not event.truncated and event.confidence is not None and event.confidence < SURE


def support(question: str, answer: str, sources: Sequence[Source]) -> list[str]:
    """At most MOST_SENTENCES cited sentences: the one the answer cites, then those likely to answer.

    None for an answer that declines or is JSON, and none that the answer says already.
    """
    claim = without_markers(answer)
    if not claim or is_abstention(answer) or is_json(claim):
        return []
    found: dict[str, int] = {}
    by_rank = {source.rank: source for source in sources}
    for marker in cited_markers(answer):
        if (source := by_rank.get(marker)) is not None:
            index, _ = best_support(f"{claim} {question}", [each.text for each in source.sentences])
            found.setdefault(" ".join(source.sentences[max(index, 0)].text.split()), marker)
    for source in sources:
        for sentence in source.sentences:
            if sentence.likely:
                found.setdefault(" ".join(sentence.text.split()), source.rank)
    told = [(text, rank) for text, rank in found.items() if text.rstrip(".") not in claim]
    return [f"{_ended(text)} [{rank}]" for text, rank in told[:MOST_SENTENCES]]


def _ended(text: str) -> str:
    return text if text[-1:] in ".!?" else f"{text}."
