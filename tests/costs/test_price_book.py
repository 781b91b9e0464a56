"""Money from tokens, with prices by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.costs.price_book import PriceBook
from backends.datatypes import Usage, UserError

BOOK = """
currency = "EUR"
[hosted_small]
label = "Small"
prompt_per_million_tokens = 0.5
completion_per_million_tokens = 2
date = "2026-09-01"
source = "your input"
[hosted_fine_tuned]
prompt_factor = 2
completion_factor = 3
"""


def book(folder: Path, text: str = BOOK) -> PriceBook:
    (folder / "prices.toml").write_text(text, encoding="utf-8")
    return PriceBook.load(folder / "prices.toml")


def test_cost_by_hand(tmp_path: Path) -> None:
    prices, usage = book(tmp_path), Usage(prompt_tokens=1000, completion_tokens=100)
    for backend in ("base", "rag"):
        assert prices.cost(usage, backend).amount == pytest.approx((1000 * 0.5 + 100 * 2) / 1e6)
    for backend in ("fine_tuned", "hybrid"):
        assert prices.cost(usage, backend).amount == pytest.approx((1000 * 1.0 + 100 * 6) / 1e6)
    assert prices.cost(usage, "rag").currency == "EUR"


def test_the_basis_says_that_prices_are_an_input(tmp_path: Path) -> None:
    basis = book(tmp_path).cost(Usage(1, 1), "hybrid").basis
    assert basis == (
        "Small with the fine-tuned premium: 1 EUR per million prompt tokens, 6 per million answer tokens; "
        "an input of 2026-09-01 (your input)"
    )


def test_the_sample_price_book_loads() -> None:
    assert PriceBook.load().cost(Usage(1_000_000, 0), "rag").amount > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOOK.replace("0.5", "-1"), r"0 or more for \[hosted_small\] prompt_per_million_tokens, not -1"),
        (BOOK.replace("0.5", '"cheap"'), "not 'cheap'"),
        (BOOK.replace("0.5", "nan"), "not nan"),
        ("currency = 1\n", r"has no table \[hosted_small\]"),
        ("oops", "is not valid TOML"),
    ],
)
def test_a_bad_price_book_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        book(tmp_path, text)


def test_a_missing_price_book_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        PriceBook.load(tmp_path / "prices.toml")
