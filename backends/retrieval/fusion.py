"""Joins two rankings by their scores, and lifts what a single sentence answers.

Enters: scores of the same candidates, or of everything. Leaves: fused scores, or positions, best first. It
knows no passage.
"""

from __future__ import annotations

import numpy as np

DENSE_WEIGHT = 0.6  # of the cosines beside BM25; see fused_scores
COVERED = 0.2  # of the most a BM25 score could be: from there on it has its full weight; see dense_weight
LONE_WORD = 0.25  # of BM25's weight that stays where the best passage holds one of several words
SENTENCE_WEIGHT = 0.65  # of the best sentence's cosine beside the passage's; see with_best_sentences
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


def dense_weight(covered: float, *, lone: bool = False) -> float:
    """Of the cosines, for a question of which the best passage's words cover this share (BM25 / its bound).

    BM25 weighs (1 - DENSE_WEIGHT) min(1, (covered / COVERED)^2): a question in other words than the documents
    shares a few words with many passages by accident, and their scores differ by as many standard deviations
    as if they told something. Below 0.15 the vectors alone rank better on every set tried, above 0.2 both
    together do. Of that LONE_WORD is left where it is a `lone` one of the question's words that the best
    passage holds ("What does neutering a tomcat cost?" and every passage with a cost) (benchmarks/LOG.md).
    """
    told = min(1.0, covered / COVERED) ** 2 * (LONE_WORD if lone else 1.0)
    return 1 - (1 - DENSE_WEIGHT) * told


def with_best_sentences(
    scores: np.ndarray, cosines: np.ndarray, first: np.ndarray, best: np.ndarray, weight: float
) -> np.ndarray:
    """(n,) fused scores in which the cosines of the `first` (k,) candidates are mixed with their best
    sentence's, `best` (k,): a passage on four things has a vector that is near none of them.

    score + weight x SENTENCE_WEIGHT x (lift - mean lift) / deviation of all cosines, where lift = best
    sentence's cosine - passage's. The other candidates stay behind these, in their order.
    """
    spread = float(cosines.std())
    if spread < 1e-9:
        return scores
    lift = best - cosines[first]
    lifted = scores.copy()
    lifted[first] += weight * SENTENCE_WEIGHT * (lift - lift.mean()) / spread
    others = np.setdiff1d(np.arange(len(scores)), first)
    if len(others):
        lifted[others] -= max(0.0, float(lifted[others].max() - lifted[first].min()))
    return lifted


def standardised(scores: np.ndarray) -> np.ndarray:
    """In standard deviations from their mean; 0 where all are the same."""
    spread = float(scores.std()) if len(scores) else 0.0
    return (scores - scores.mean()) / spread if spread > 1e-9 else np.zeros(len(scores))


def highest(scores: np.ndarray, count: int) -> list[int]:
    """Positions of the `count` highest scores above 0, best first; ties go to the smaller position."""
    least = np.partition(scores, len(scores) - count)[-count] if count < len(scores) else 0.0
    found = np.flatnonzero((scores >= least) & (scores > 0))
    return [int(at) for at in found[np.argsort(-scores[found], kind="stable")][:count]]
