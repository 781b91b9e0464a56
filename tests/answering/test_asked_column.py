"""Which cell of a table row a question asks for, and whether the answer stands in it."""

from __future__ import annotations

import pytest

from backends.answering.asked_column import AskedCell, asked_cell, columns_ahead, names_a_column

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


LEVELS = "Case: no heating; Level 1: duty desk; Level 2: engineer Ada Low; Level 3: works manager"
YEARS = "Road: Mill Lane; 2023: 40; 2024: 40; 2025: 52"


@pytest.mark.parametrize(
    ("question", "answer", "row", "value"),
    [
        ("What did the Vela bring in during Q2 2025?", "280.", SALES, "455"),
        ("What did the Vela bring in during the 2nd quarter of 2025?", "280.", SALES, "455"),
        ("What did the Vela bring in during Q2 2025?", "455.", SALES, None),
        ("What did the Vela bring in during 2024?", "455.", SALES, None),  # two of its quarters
        ("What did the Vela bring in during Q1?", "455.", SALES, None),  # of which year?
        ("Did the Vela earn more in Q2 2025 than in Q2 2024?", "310.", SALES, None),  # both are named
        ("How many trees stood in Mill Lane in 2025?", "40.", YEARS, "52"),
        ("How many trees stood in Mill Lane in 2023?", "40.", YEARS, None),
        ("How many trees stood in Mill Lane in 2025?", "17.", YEARS, None),  # stands in no cell
        ("Level 1 is at a loss about the heating. Who is next?", "Ada Low.", LEVELS, None),
        ("How many trees stood there in 2025?", "40.", "In 2024 it was 40; in 2025: 52.", None),
    ],
)
def test_a_cell_is_named_by_all_figures_of_its_header(
    question: str, answer: str, row: str, value: str | None
) -> None:
    found = asked_cell(question, answer, row)
    assert (found.value if found else None) == value
    if found:
        assert names_a_column(question, row)


def test_it_tells_both_columns() -> None:
    found = asked_cell("What did the Vela bring in during Q2 2025?", "280.", SALES)
    assert found == AskedCell("Q2 2025", "455", "Q2 2024", "280")


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
