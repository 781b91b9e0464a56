"""What a terminal and the cards show: amounts of money by one rule, tables that fit."""

from __future__ import annotations

import pytest

from backends.cli.terminal import Output
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


def test_a_wide_table_comes_in_blocks_and_no_word_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["", *(f"backend number {at}, model company" for at in range(8))]
    rows = [["Precision at k", *(f"100 % (65-{100 + at})" for at in range(8))], ["Latency", *"12345678"]]
    with Output(as_json=False) as out:
        out.wide_table(names, rows)
    printed = capsys.readouterr().out
    words = printed.split()
    assert printed.count("Precision") > 1 and max(map(len, printed.splitlines())) <= 80
    assert {f"(65-{100 + at})" for at in range(8)} <= set(words) and words.count("company") == 8
