"""The paired test by hand and against scipy."""

from __future__ import annotations

import pytest
from scipy import stats

from backends.system.paired_test import mcnemar


def test_mcnemar_by_hand() -> None:
    first = [True] * 6 + [False] * 1 + [True] * 20
    second = [False] * 6 + [True] * 1 + [True] * 20
    result = mcnemar(first, second)
    # n = 7, k = 1: 2 (C(7,0) + C(7,1)) / 2^7 = 16/128
    assert (result.only_first, result.only_second, result.p) == (6, 1, 0.125)
    assert mcnemar([True, False], [True, False]).p == 1
    assert mcnemar([True] * 6, [False] * 6).p == pytest.approx(2 / 64)  # six suffice, five do not
    assert mcnemar([True] * 5, [False] * 5).p == pytest.approx(2 / 32)


@pytest.mark.parametrize(("only_first", "only_second"), [(10, 26), (3, 3), (1, 0), (900, 800)])
def test_mcnemar_agrees_with_scipys_binomial_test(only_first: int, only_second: int) -> None:
    first = [True] * only_first + [False] * only_second
    second = [not each for each in first]
    expected = stats.binomtest(only_first, only_first + only_second).pvalue
    assert mcnemar(first, second).p == pytest.approx(expected, rel=1e-9)
