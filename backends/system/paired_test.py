"""The paired test for right or wrong on the same questions: is one better than the other outside chance?

Enters: two rows of verdicts. Leaves: how many only one side got right, and the p value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class McNemar:
    """Right or wrong on the same questions: how many only one of the two got right, and the p value."""

    only_first: int
    only_second: int
    p: float


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """Exact two-sided McNemar test (McNemar 1947, in its binomial form).

    Of n discordant questions, k the smaller side: p = min(1, 2 sum_{i<=k} C(n, i) / 2^n).
    """
    pairs = list(zip(first, second, strict=True))
    only_first = sum(bool(a) and not b for a, b in pairs)
    only_second = sum(bool(b) and not a for a, b in pairs)
    n, k = only_first + only_second, min(only_first, only_second)
    # Whole numbers until the division: 2^n passes what a float holds.
    p = min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n)
    return McNemar(only_first, only_second, p)
