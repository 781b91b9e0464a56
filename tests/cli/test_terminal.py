"""What a terminal and the cards show: amounts of money by one rule."""

from __future__ import annotations

import pytest

from backends.system.wording import money


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0.0, "$0.00"),
        (0.000039, "$0.000039"),
        (0.00003307, "$0.000033"),
        (0.0000995, "$0.00010"),
        (0.00011, "$0.00011"),
        (0.0099, "$0.0099"),
        (0.01, "$0.01"),
        (3.14159, "$3.14"),
        (1234.5, "$1,234"),
    ],
)
def test_money_has_two_significant_digits_below_a_cent(amount: float, shown: str) -> None:
    assert money(amount, "USD") == shown
    assert money(amount, "EUR") == f"{shown[1:]} EUR"
