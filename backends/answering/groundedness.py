"""How much of an answer the documents bear out, by its words: a number, not a verdict.

Enters: an answer's text and passages. Leaves: a share from 0 to 1, or None. It runs no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from backends.answering.answer_text import is_abstention, without_markers
from backends.answering.overlap import content_tokens, sentences
from backends.system.json_texts import is_json

UNGROUNDED = 0.5  # below this share an answer is called ungrounded


def groundedness(answer: str, passages: Sequence[str]) -> float | None:
    """Share of the answer's content tokens that its best passage sentences hold, 0 to 1.

    For each answer sentence s with content tokens T(s) (stemmed, stop words out, numbers exact) and all
    sentences p of the passages:

        groundedness = sum over s of max over p of |T(s) & T(p)|  /  sum over s of |T(s)|

    that is the mean of each sentence's best recall, weighted by its tokens; & keeps multiplicity. None when
    the answer abstains, is a JSON value, or has no content tokens. It measures whether words are backed by
    the library's passages, not whether they answer the question; token alignment stands in for a judge model.
    """
    claim = without_markers(answer)
    if is_abstention(answer) or is_json(claim):
        return None
    pool = [Counter(content_tokens(line)) for passage in passages for line in sentences(passage)]
    held = total = 0
    for sentence in sentences(claim):
        wanted = Counter(content_tokens(sentence))
        total += wanted.total()
        held += max(((wanted & there).total() for there in pool), default=0)
    return held / total if total else None
