"""A question of two parts, asked part by part: decompose, retrieve each, join.

Enters: a question, or the hits of several searches. Leaves: its parts as questions of their own, or one
ranking. The parts are cut by rule, where another question begins, so nothing is put into the visitor's mouth.
It knows no index and no language model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from backends.datatypes import Hit

MOST_PARTS = 4
LEAST_WORDS = 3  # a shorter clause asks for nothing that could be looked up alone
RRF_K = 60  # Cormack, Clarke and Buettcher, SIGIR 2009

_ASKS = (
    r"(?:(?:for |to |by |in |at |on |from |since |until )?"
    r"(?:how|what|when|where|which|who|whom|whose|why)|is|are|was|were|does|do|did|can|may|must|will|should)\b"
)
# The end of a question, or a joining word or mark behind which another question begins.
_BORDER = re.compile(
    rf"\?\s+(?:and\s+|also\s+)*|\s*[,;]?\s+(?:and|or)\s+(?:also\s+)?(?={_ASKS})|\s*[;,]\s+(?={_ASKS})",
    re.IGNORECASE,
)
_OPENING = re.compile(_ASKS, re.IGNORECASE)


def decompose(question: str) -> list[str]:
    """The parts of a question, in order; empty when it is one question. Every part keeps its own words.

    Every part must ask: "The ring stays amber; what is that?" is a fact and a question about it, not two.
    """
    parts = [part.strip(" ,;?") for part in _BORDER.split(question)]
    if len(parts) < 2 or not all(len(p.split()) >= LEAST_WORDS and _OPENING.match(p) for p in parts):
        return []
    return [f"{part[:1].upper()}{part[1:]}?" for part in parts[:MOST_PARTS]]


def join(searches: Sequence[Sequence[Hit]], top_k: int) -> list[Hit]:
    """One ranking of the hits of several searches by reciprocal rank fusion; a hit keeps its best similarity.

    `score` is the sum over the searches of 1 / (60 + rank). The first search to find a passage speaks for it.
    """
    known: dict[tuple[str, int, int, int], Hit] = {}
    scores: dict[tuple[str, int, int, int], float] = {}
    for hits in searches:
        for hit in hits:
            key = (hit.chunk.document, hit.chunk.version, hit.chunk.start, hit.chunk.end)
            scores[key] = scores.get(key, 0.0) + 1 / (RRF_K + hit.rank)
            best = known.setdefault(key, hit)
            if (hit.dense or 0.0) > (best.dense or 0.0):
                known[key] = hit
    order = sorted(scores, key=lambda key: -scores[key])[:top_k]
    return [replace(known[key], rank=rank, score=scores[key]) for rank, key in enumerate(order, start=1)]
