"""Joins two rankings by their scores.

Enters: scores of the same candidates, or of everything. Leaves: fused scores, or positions, best first. It
knows no passage.
"""

from __future__ import annotations

import numpy as np

DENSE_WEIGHT = 0.6  # of the cosines beside BM25; see fused_scores
COVERED = 0.2  # of the most a BM25 score could be: from there on it has its full weight; see dense_weight
UNREAD_WEIGHT = 0.1  # the same where the embedder was not trained on the script of the question


def fused_scores(cosines: np.ndarray, bm25: np.ndarray, weight: float) -> np.ndarray:
    """(n,) weight x standardised cosine + (1 - weight) x standardised BM25 of the same n candidates.

    Each is measured in standard deviations from the candidates' mean, so that a passage which alone holds a
    part number stands out as far as it does in BM25; a sum of scores keeps such gaps, reciprocal ranks do not
    (Bruch, Gai and Ingber, TOIS 2023). Weight and scaling were chosen on CISI and the sample's development
    questions, where 0.5 to 0.7 and scaling by minimum and maximum differ by less than chance
    (benchmarks/LOG.md).
    """
    return weight * standardised(cosines) + (1 - weight) * standardised(bm25)


def dense_weight(covered: float) -> float:
    """Of the cosines, for a question of which the best passage's words cover this share (BM25 / its bound).

    BM25 weighs (1 - DENSE_WEIGHT) min(1, (covered / COVERED)^2): a question in other words than the documents
    shares a few words with many passages by accident, and their scores differ by as many standard deviations
    as if they told something. Below 0.15 the vectors alone rank better on every set tried, above 0.2 both
    together do (benchmarks/LOG.md).
    """
    return 1 - (1 - DENSE_WEIGHT) * min(1.0, covered / COVERED) ** 2


def standardised(scores: np.ndarray) -> np.ndarray:
    """In standard deviations from their mean; 0 where all are the same."""
    spread = float(scores.std()) if len(scores) else 0.0
    return (scores - scores.mean()) / spread if spread > 1e-9 else np.zeros(len(scores))


def highest(scores: np.ndarray, count: int) -> list[int]:
    """Positions of the `count` highest scores above 0, best first; ties go to the smaller position."""
    least = np.partition(scores, len(scores) - count)[-count] if count < len(scores) else 0.0
    found = np.flatnonzero((scores >= least) & (scores > 0))
    return [int(at) for at in found[np.argsort(-scores[found], kind="stable")][:count]]
