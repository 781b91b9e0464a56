"""English number words and dates as figures, and what stays as it is written."""

from __future__ import annotations

import pytest

from backends.evaluation.metrics import contains_answer, exact_match
from backends.language.spelled_numbers import with_figures


@pytest.mark.parametrize(
    ("written", "figures"),
    [
        ("twenty-five days", "25 days"),
        ("two hundred and fifty euros", "250 euros"),
        ("one thousand two hundred", "1200"),
        ("three million four hundred thousand and one", "3400001"),
        ("two three", "2 3"),
        ("two, three and four", "2, 3 and 4"),
        ("Three months. Ten more.", "3 months. 10 more."),
        ("on the 1st of May 2025", "on the 2025-05-01"),
        ("March 12, 2026 or 12.03.2026", "2026-03-12 or 2026-03-12"),
        ("since March 2026", "since 2026-03"),
    ],
)
def test_figures_take_the_place_of_words(written: str, figures: str) -> None:
    assert with_figures(written) == figures


@pytest.mark.parametrize("text", ["Lark One weighs much", "on 12/03/2026", "someone", "May I?", "tenfold"])
def test_what_may_be_something_else_stays(text: str) -> None:
    assert with_figures(text) == text


def test_scoring_takes_them_for_equal_and_others_not() -> None:
    assert exact_match("Twelve months", ["12 months"])
    assert contains_answer("It ends on 31 January 2027.", ["2027-01-31"])
    assert contains_answer("It ends on 31 January 2027.", ["31 January"])
    assert not contains_answer("It ends on 31 January 2027.", ["2027-01-13"])
    assert not contains_answer("The Lark One is small.", ["1"])
    assert not exact_match("twelve months", ["20 months"])
