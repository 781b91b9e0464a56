"""Which cell of a table row a question asks for, and whether the answer stands in it."""

from __future__ import annotations

import pytest

from backends.answering.asked_column import columns_ahead

SALES = "Ship: Vela; Q1 2024: 310; Q2 2024: 280; Q2 2025: 455"
PHONE = "App: Ferry; Oldest Android: Android 9; Oldest iOS: iOS 15; Size: 40 MB"


@pytest.mark.parametrize(
    ("question", "answer", "row", "ahead"),
    [
        ("What did the Vela bring in during Q2 2025?", "455.", SALES, 0),
        ("What did the Vela bring in during Q2 2025?", "280.", SALES, 1),
        ("What did the Vela bring in during Q2 2025?", "310.", SALES, 2),
        ("What is the oldest Android for the ferry app?", "Android 9.", PHONE, 0),
        ("What is the oldest Android for the ferry app?", "iOS 15.", PHONE, 1),
        ("How much space does the ferry app take?", "40 MB.", PHONE, 0),
        ("How much space does the ferry app take?", "iOS 15.", PHONE, 0),  # no header says "space"
        ("What is the oldest Android for the ferry app?", "12 hours.", PHONE, 0),  # stands in no cell
        ("What is the oldest Android for the ferry app?", "iOS 15.", "The app needs iOS 15 or Android 9.", 0),
        ("Which year?", "2024", "Year: 2024; Place: Oslo", 0),  # nothing to take it for
    ],
)
def test_an_answer_of_another_column_is_behind(question: str, answer: str, row: str, ahead: int) -> None:
    assert columns_ahead(question, answer, row) == ahead


def test_the_name_of_the_row_is_no_column() -> None:
    assert (
        columns_ahead(
            "What is the height of the north tower?",
            "North tower.",
            "Tower: north tower; Height: 40 m; Built: 1931",
        )
        == 0
    )


def test_a_value_that_stands_in_two_columns_may_be_the_one_that_is_asked_for() -> None:
    row = "Room: Fjord; Seats in rows: 24; Seats at tables: 24; Price: 90 EUR"
    assert columns_ahead("How many seats at tables has the room Fjord?", "24.", row) == 0
