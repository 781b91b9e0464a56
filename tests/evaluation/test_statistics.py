"""Intervals and tests against values computed by hand and against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from backends.evaluation.statistics import (
    bootstrap_interval,
    holm,
    percentile,
    permutation_test,
    smallest_detectable,
    wilson_interval,
)


def test_wilson_by_hand() -> None:
    # 8 of 10: centre (0.8 + 3.8415/20) / 1.38415 = 0.71674, half width 0.22657 (Newcombe 1998 style)
    low, high = wilson_interval(8, 10)
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
    assert wilson_interval(0, 20)[0] == 0
    assert wilson_interval(0, 20)[1] == pytest.approx(0.1611, abs=1e-4)
    assert wilson_interval(20, 20)[1] == 1


@pytest.mark.parametrize(("successes", "count"), [(1, 7), (50, 152), (30, 30), (0, 3)])
def test_wilson_agrees_with_scipy(successes: int, count: int) -> None:
    expected = stats.binomtest(successes, count).proportion_ci(method="wilson")
    assert wilson_interval(successes, count) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_refuses_what_is_no_share() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        wilson_interval(3, 2)


def test_bootstrap_holds_the_mean_and_is_reproducible() -> None:
    values = [0.0, 0.25, 0.5, 1.0, 1.0, 0.75] * 10
    low, high = bootstrap_interval(values)
    assert low < np.mean(values) < high
    assert (low, high) == bootstrap_interval(values)
    # Large samples: the normal approximation, mean +- 1.96 s / sqrt(n)
    half = 1.96 * np.std(values) / math.sqrt(len(values))
    assert (high - low) / 2 == pytest.approx(half, rel=0.05)
    assert bootstrap_interval([0.4]) == pytest.approx((0.4, 0.4))
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval([])


def test_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(7)
    hits = 0
    for _ in range(200):
        low, high = bootstrap_interval(draw.normal(0.5, 0.2, 60).tolist())
        hits += low <= 0.5 <= high
    assert 180 <= hits <= 199


def test_permutation_by_hand() -> None:
    # Differences 1, 1, 1: of 8 sign patterns two are as extreme.
    assert permutation_test([1, 2, 3], [0, 1, 2]) == pytest.approx(2 / 8)
    assert permutation_test([1, 2], [1, 2]) == 1
    assert permutation_test([1, 0], [0, 1]) == 1


@pytest.mark.parametrize("count", [6, 12, 40])
def test_permutation_agrees_with_scipy(count: int) -> None:
    draw = np.random.default_rng(count)
    first = draw.normal(0.3, 1, count)
    second = draw.normal(0.0, 1, count)
    expected = stats.permutation_test(
        (first, second),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=20_000 if count > 14 else np.inf,
        vectorized=True,
        rng=1,
    ).pvalue
    got = permutation_test(first.tolist(), second.tolist())
    assert got == pytest.approx(expected, abs=0.015 if count > 14 else 1e-12)


def test_permutation_is_never_certain() -> None:
    assert permutation_test([1.0] * 100, [0.0] * 100) == pytest.approx(1 / 5001)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_keeps_false_alarms_of_a_family_rare() -> None:
    draw = np.random.default_rng(3)
    families = draw.uniform(size=(400, 10))
    alarms = sum(min(holm(list(family))) < 0.05 for family in families)
    assert alarms <= 30  # 20 expected


def test_smallest_detectable_by_hand() -> None:
    # sd 1 over 100 questions: (1.95996 + 0.84162) / 10
    differences = [1.0, -1.0] * 50
    sd = np.std(differences, ddof=1)
    assert smallest_detectable(differences) == pytest.approx(2.80158 * sd / 10, abs=1e-4)
    assert smallest_detectable([0.0] * 100, shares=True) == pytest.approx(0.06)
    assert smallest_detectable([0.5]) == math.inf


def test_smallest_detectable_is_found_in_80_of_100() -> None:
    draw = np.random.default_rng(11)
    gaps = draw.normal(0, 1, 200)
    least = smallest_detectable(list(gaps))
    found = sum(stats.ttest_1samp(draw.normal(least, 1, 200), 0).pvalue < 0.05 for _ in range(500))
    assert 360 <= found <= 440


def test_percentile_interpolates() -> None:
    assert percentile([10, 20, 30, 40], 50) == 25
    assert percentile([5], 90) == 5
