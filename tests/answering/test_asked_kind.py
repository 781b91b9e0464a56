"""What a question asks for by its words, and whether a short answer is of that kind."""

from __future__ import annotations

import pytest

from backends.answering.asked_kind import asked_kinds, kind_fit, kinds_said


@pytest.mark.parametrize(
    ("question", "kinds"),
    [
        ("How many working days does a repair take?", {"duration"}),
        ("How long may a visitor park?", {"duration", "length", "moment"}),
        ("Within what time must damage be told?", {"duration", "moment"}),
        ("What is the monthly fee of a locker?", {"money"}),
        ("How much do members pay for a second key?", {"money"}),
        ("How deep is the basin?", {"length"}),
        ("How far ahead must a room be booked?", {"duration", "moment"}),
        ("How many lockers are there?", {"count"}),
        ("How many square metres may a hut have?", {"area", "length"}),
        ("When does the pool open?", {"moment", "duration"}),
        ("What percentage of members swims?", {"share"}),
        ("Who signs the contract?", set()),
    ],
)
def test_what_a_question_asks_for(question: str, kinds: set[str]) -> None:
    assert asked_kinds(question) == kinds


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        ("12 EUR a month.", {"money"}),
        ("Three weeks.", {"duration"}),
        ("On Tuesdays.", {"moment"}),
        ("1.8 m.", {"length"}),
        ("64.", {"count"}),
        ("12 square metres.", {"area"}),
        ("Up to three acres.", {"area"}),
        ("40 m² and 2 doors.", {"area", "count"}),
        ("3 euros per square metre.", {"money"}),
        ("The caretaker.", set()),
    ],
)
def test_what_an_answer_gives(answer: str, kinds: set[str]) -> None:
    assert kinds_said(answer) == kinds


@pytest.mark.parametrize(
    ("question", "answer", "fit"),
    [
        ("How deep is the basin?", "1.8 m.", 1.0),
        ("How deep is the basin?", "25 euros.", -1.0),
        ("How tall may a hut be?", "12 square metres.", -1.0),
        ("How tall may a hut be?", "2.6 metres.", 1.0),
        ("How many lockers are there?", "40 %.", -1.0),
        ("What is the monthly fee of a locker?", "12.", 0.0),  # of a table whose header names the currency
        ("Who signs the contract?", "25 euros.", 0.0),
    ],
)
def test_an_answer_of_another_kind_is_told(question: str, answer: str, fit: float) -> None:
    assert kind_fit(question, answer) == fit
