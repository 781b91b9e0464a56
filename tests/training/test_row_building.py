"""Rows built from documents: table cells, gaps, and questions that the model can answer itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from backends.datatypes import Finished, Token, TrainingRow, Usage
from backends.training.row_building import SourcePassage, build_rows, cells, short_answer

PRICES = SourcePassage(
    "prices.csv",
    "Prices",
    "Item number: LF-1; Product: Lark One; Price: 149 EUR\n"
    "Item number: LF-2; Product: Lark Pro; Price: 329 EUR",
)
RETURNS = SourcePassage(
    "returns.md",
    "Returns",
    "# Returns\n\nCustomers may return a device within 30 days of delivery. Nothing more is said here. "
    "Claims go to the team of Anna Berg. Refunds are paid within 10 days.",
)


class Scripted:
    """Asks `question` for every passage and answers with `answer`."""

    def __init__(self, question: str, answer: str) -> None:
        self.question, self.answer = question, answer
        self.asked: list[str] = []

    def generate(self, messages: Any, *, max_tokens: int) -> Iterator[Any]:
        self.asked.append(messages[-1]["content"])
        writing = "Write the question that is answered by" in messages[-1]["content"]
        yield Token(self.question if writing else self.answer)
        yield Finished(Usage(1, 1), "", "scripted", None)


def test_every_cell_of_a_table_row_is_asked_for_by_the_rows_name() -> None:
    built = build_rows([PRICES], ["table"])
    assert [(each.way, each.row) for each in built.rows] == [
        ("table", TrainingRow(f"What is the {what} of {name}?", answer, ("prices.csv",)))
        for what, name, answer in (
            ("item number", "Lark One", "LF-1. The item number of Lark One is LF-1."),
            ("price", "Lark One", "149 EUR. The price of Lark One is 149 EUR."),
            ("item number", "Lark Pro", "LF-2. The item number of Lark Pro is LF-2."),
            ("price", "Lark Pro", "329 EUR. The price of Lark Pro is 329 EUR."),
        )
    ]


def test_columns_named_for_a_program_are_asked_for_in_words() -> None:
    text = "Item: Bolt; length_mm: 40; price_eur: 0.10; side_effects: none; lead_time: 2 days"
    questions = [
        each.row.question for each in build_rows([SourcePassage("p.csv", "P", text)], ["table"]).rows
    ]
    assert [question for question in questions if "Bolt" in question] == [
        "What is the length in mm of Bolt?",
        "What is the price in EUR of Bolt?",
        "What are the side effects of Bolt?",
        "What is the lead time of Bolt?",
    ]


def test_what_a_table_answers_in_two_ways_is_not_asked() -> None:
    text = "Product: Lark One; Year: 2025; Price: 99 EUR\nProduct: Lark One; Year: 2026; Price: 149 EUR"
    questions = [
        each.row.question for each in build_rows([SourcePassage("p.csv", "P", text)], ["table"]).rows
    ]
    assert not any("price of Lark One" in question for question in questions)


def test_a_line_with_a_colon_is_no_table_row() -> None:
    assert cells("Note: this is only a sentence.") == []
    assert cells("We meet at 10:30; bring a pen.") == []
    assert cells("A: b; C: d") == [("A", "b"), ("C", "d")]


def test_gaps_stand_where_an_amount_or_a_name_stood() -> None:
    rows = [each.row for each in build_rows([RETURNS], ["gap"]).rows]
    assert [(row.question, row.answer) for row in rows] == [
        (
            "Returns, what is missing: Customers may return a device within ____ of delivery.",
            "30 days. Customers may return a device within 30 days of delivery.",
        ),
        (
            "Returns, what is missing: Claims go to the team of ____.",
            "Anna Berg. Claims go to the team of Anna Berg.",
        ),
        (
            "Returns, what is missing: Refunds are paid within ____.",
            "10 days. Refunds are paid within 10 days.",
        ),
    ]


def test_short_answers() -> None:
    found = {
        "It costs 1,299 EUR in total.": "1,299 EUR",
        "It rises by 3.5 % a year.": "3.5 %",
        "The fee is $5 and nothing else.": "$5",
        "It ends in 2027 or later.": "2027",
        "Nothing is said.": None,
    }
    for sentence, wanted in found.items():
        span = short_answer(sentence)
        assert (sentence[slice(*span)] if span else None) == wanted


def test_a_question_is_kept_only_if_the_model_answers_it_from_the_passage() -> None:
    right = Scripted("How long may a device be returned?", "30 days from delivery [1].")
    built = build_rows([RETURNS], ["model"], writer=right)
    assert [each.row for each in built.rows] == [
        TrainingRow(
            "How long may a device be returned?",
            "30 days. Customers may return a device within 30 days of delivery.",
            ("returns.md",),
        )
    ]
    # Asked for "10 days" and for a name it asks the same, which is about another sentence.
    assert built.rejected == {"about something else": 2}
    assert any("[1] Returns: Customers may return" in asked for asked in right.asked)
    everything = "30 days 10 days Anna Berg"
    for question, answer, why in (
        ("How may devices, claims and refunds of customers go?", "I do not know.", "not answered"),
        ("Within 30 days, or 10 days, of Anna Berg?", everything, "gives the answer away"),
        ("How long is the warranty of a battery?", everything, "about something else"),
        ("A device may be returned", everything, "no question"),
    ):
        text = "Customers go with claims and refunds of devices to the team of Anna Berg."
        built = build_rows([replace(RETURNS, text=text)], ["model"], writer=Scripted(question, answer))
        assert (built.rows, built.rejected) == ((), {why: 1})


def test_the_model_answers_its_question_among_the_sentences_nearby() -> None:
    text = " ".join(f"The door opens after {number} hours on every day." for number in range(3, 20))
    writer = Scripted("When does the door open?", "After 7 hours.")
    built = build_rows([replace(RETURNS, text=text)], ["model"], writer=writer)
    asked = [each for each in writer.asked if each.startswith("[1]") and "Write the" not in each]
    assert all(5 <= each.count("door opens") <= 9 for each in asked)
    assert len(built.rows) == 1


def test_rows_are_spread_over_documents_and_stop_when_told() -> None:
    many = SourcePassage(
        "many.csv", "Many", "\n".join(f"Product: Thing {n}; Price: {n} EUR" for n in range(100))
    )
    built = build_rows([many, RETURNS], ["table", "gap"], most=10)
    assert len(built.rows) == 10
    assert sum(each.row.documents == ("returns.md",) for each in built.rows) == 3
    cancel = threading.Event()
    cancel.set()
    assert build_rows([RETURNS], ["model"], writer=Scripted("Why so?", "so"), cancel=cancel).rows == ()
