"""Joins rankings: reciprocal rank fusion, and the best positions of a list of scores.

Enters: rankings or scores. Leaves: positions, best first. It knows no passage.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RRF_K = 60  # Cormack, Clarke and Buettcher, SIGIR 2009


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], k: int = RRF_K) -> list[tuple[int, float]]:
    """(item, sum over rankings of 1 / (k + rank)), best first; ties go to the smaller item."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1 / (k + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def highest(scores: np.ndarray, count: int) -> list[int]:
    """Positions of the `count` highest scores above 0, best first; ties go to the smaller position."""
    least = np.partition(scores, len(scores) - count)[-count] if count < len(scores) else 0.0
    found = np.flatnonzero((scores >= least) & (scores > 0))
    return [int(at) for at in found[np.argsort(-scores[found], kind="stable")][:count]]
