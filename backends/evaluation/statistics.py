"""Says how sure a measured number is: intervals, paired tests, and what so many questions can tell at all.

Enters: one number per question, the same questions in the same order for everything that is compared.
Leaves: intervals and p values. It knows no question, no backend and no wording. Random draws are seeded:
the same numbers give the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from statistics import NormalDist

import numpy as np

from backends.system.paired_test import SIGNIFICANT

RESAMPLES = 5_000
CONFIDENCE = 0.95
POWER = 0.80
EXACT_UP_TO = 14  # questions that differ: below 2^14 sign patterns, all of them are counted

Interval = tuple[float, float]


# --- intervals -----------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _draws(count: int) -> np.ndarray:
    """How often each of `count` questions is drawn in each resample: (RESAMPLES, count)."""
    generator = np.random.default_rng(0)
    return generator.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(np.float32)


def bootstrap_interval(values: Sequence[float]) -> Interval:
    """95 % percentile bootstrap of the mean over questions (Efron 1979). Raises ValueError without values."""
    numbers = np.asarray(values, np.float64)
    if not numbers.size:
        raise ValueError("an interval needs at least one value")
    means = _draws(numbers.size) @ numbers / numbers.size
    low, high = np.percentile(means, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    return float(low), float(high)


def wilson_interval(successes: int, count: int) -> Interval:
    """95 % Wilson score interval of a share (Wilson 1927).

    Unlike a bootstrap it stays honest at 0 of n and n of n: 0 of 20 right may still be 16 % in truth.
    """
    if not 0 <= successes <= count or not count:
        raise ValueError(f"{successes} of {count} is no share")
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share = successes / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # At the ends the formula gives exactly 0 and 1, but for rounding.
    low = 0.0 if successes == 0 else middle - half
    return low, 1.0 if successes == count else middle + half


# --- paired tests --------------------------------------------------------------------------------


def permutation_test(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p of a paired permutation test of the mean difference (Fisher 1935).

    Under the null hypothesis each question's difference could as well have the other sign. Up to 14
    differing questions all sign patterns are counted, beyond that 5,000 random ones, the observed one
    included (Phipson and Smyth 2010), so that p is never 0.
    """
    differences = np.asarray(first, float) - np.asarray(second, float)
    differences = differences[np.abs(differences) > 1e-12]
    if not differences.size:
        return 1.0
    observed = abs(differences.sum()) - 1e-9
    if differences.size <= EXACT_UP_TO:
        bits = np.arange(2**differences.size)[:, None] >> np.arange(differences.size) & 1
        return float((np.abs((1 - 2 * bits) @ differences) >= observed).mean())
    signs = np.random.default_rng(0).choice(np.array([-1.0, 1.0]), (RESAMPLES, differences.size))
    extreme = int((np.abs(signs @ differences) >= observed).sum())
    return (extreme + 1) / (RESAMPLES + 1)


def smallest_detectable(differences: Sequence[float], *, shares: bool = False) -> float:
    """Smallest true mean difference that a test at 5 % finds in 80 of 100 such experiments.

    (z_0.975 + z_0.80) sd(differences) / sqrt(n) (Bloom 1995). With `shares` (right or wrong) never below
    6 / n: fewer than six questions on one side alone cannot reach p < 0.05 in McNemar's test. Infinite
    where one question or none is there.
    """
    numbers = np.asarray(differences, float)
    if numbers.size < 2:
        return float("inf")
    normal = NormalDist()
    factor = normal.inv_cdf(1 - SIGNIFICANT / 2) + normal.inv_cdf(POWER)
    found = factor * float(numbers.std(ddof=1)) / sqrt(numbers.size)
    return max(found, 6 / numbers.size) if shares else found


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected for being so many (Holm 1979), in the order given.

    The i-th smallest of m is multiplied by m - i + 1, never falls below a smaller one, and is at most 1.
    """
    corrected = [0.0] * len(values)
    largest = 0.0
    for done, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - done) * values[index]))
        corrected[index] = largest
    return corrected


def percentile(values: Sequence[float], share: float) -> float:
    """Percentile with linear interpolation, as numpy's default; `share` from 0 to 100."""
    return float(np.percentile(np.asarray(values, float), share))
