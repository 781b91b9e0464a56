"""Scores a ranking: which of the things that should be found were found, and how early.

Enters: the names found, best first, and the relevant names. Leaves: numbers from 0 to 1. Relevance is yes or
no. A name that comes twice counts where it comes first, as in trec_eval; None where nothing is relevant.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import log2


def recall_at(found: Sequence[str], relevant: Collection[str], k: int) -> float | None:
    """|relevant among the first k| / |relevant| (trec_eval `recall.k`)."""
    wanted = set(relevant)
    return len(wanted.intersection(_distinct(found)[:k])) / len(wanted) if wanted else None


def precision_at(found: Sequence[str], relevant: Collection[str], k: int) -> float | None:
    """|relevant among the first k| / k, also where fewer than k were found (trec_eval `P.k`)."""
    wanted = set(relevant)
    return len(wanted.intersection(_distinct(found)[:k])) / k if wanted else None


def reciprocal_rank(found: Sequence[str], relevant: Collection[str]) -> float | None:
    """1 / rank of the first relevant one, 0 when none is found (trec_eval `recip_rank`; its mean is MRR)."""
    if not relevant:
        return None
    ranks = (1 / rank for rank, name in enumerate(_distinct(found), start=1) if name in relevant)
    return next(ranks, 0.0)


def ndcg_at(found: Sequence[str], relevant: Collection[str], k: int) -> float | None:
    """DCG / ideal DCG of the first k (Jarvelin and Kekalainen 2002; trec_eval `ndcg_cut.k`).

    DCG = sum over ranks r <= k of gain / log2(r + 1), with gain 1 for a relevant name and 0 otherwise.
    """
    wanted = set(relevant)
    if not wanted:
        return None
    gained = sum(1 / log2(r + 1) for r, name in enumerate(_distinct(found)[:k], start=1) if name in wanted)
    return gained / sum(1 / log2(r + 1) for r in range(1, min(k, len(wanted)) + 1))


def average_precision(useful: Sequence[bool]) -> float | None:
    """Mean of precision@r over the ranks r that are useful; None when none is."""
    found, total = 0, 0.0
    for rank, good in enumerate(useful, start=1):
        if good:
            found += 1
            total += found / rank
    return total / found if found else None


def _distinct(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))
