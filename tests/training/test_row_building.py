"""Rows built from documents: asked by rules or a model, kept where reading leads back to the answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from backends.datatypes import Finished, Token, TrainingRow, Usage
from backends.retrieval.span_reader import Span
from backends.training.question_checks import form_fault
from backends.training.row_building import TRIES, SourcePassage, build_rows, reasons, worded_by_rules
from tests.fakes import AgreeableReader

PRICES = SourcePassage(
    "prices.csv", "Prices", "Product: Lark One; Price: 149 EUR\nProduct: Lark Pro; Price: 329 EUR"
)
RETURNS = SourcePassage(
    "returns.md",
    "Returns",
    "# Returns\n\nA device may be returned within 30 days of delivery. Nothing more is said here.\n\n"
    "The returns desk is led by Anna Berg.",
)


class Pointing:
    """Points at the words given for a question, in every passage that holds them, in the first one surest."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self.words = words

    def read(self, question: str, passages: Sequence[str]) -> list[Span]:
        short = self.words.get(question, "")
        return [
            Span(each.index(short), each.index(short) + len(short), short, 5.0 - at, 0.0)
            if short and short in each
            else Span(0, 1, each[:1], -5.0, 1.0)
            for at, each in enumerate(passages)
        ]


class Scripted:
    """Writes the same question for everything, as surely as told."""

    def __init__(self, question: str, confidence: float = 0.9) -> None:
        self.question, self.confidence = question, confidence
        self.asked: list[str] = []

    def generate(self, messages: Any, *, max_tokens: int) -> Iterator[Any]:
        self.asked.append(messages[-1]["content"])
        yield Token(self.question)
        yield Finished(Usage(1, 1), "", "scripted", None, confidence=self.confidence)


def test_tables_and_sentences_become_rows_in_the_house_style() -> None:
    built = build_rows([PRICES, RETURNS], reader=AgreeableReader())
    assert [(each.way, each.row, each.short) for each in built.rows] == [
        (
            "table",
            TrainingRow(
                "What is the price for Lark One?",
                "149 EUR. The price for Lark One is 149 EUR.",
                ("prices.csv",),
            ),
            ("149 EUR",),
        ),
        (
            "table",
            TrainingRow(
                "What is the price for Lark Pro?",
                "329 EUR. The price for Lark Pro is 329 EUR.",
                ("prices.csv",),
            ),
            ("329 EUR",),
        ),
        (
            "model",
            TrainingRow(
                "Within how many days of delivery may a device be returned?",
                "30 days. A device may be returned within 30 days of delivery.",
                ("returns.md",),
            ),
            ("30 days",),
        ),
        (
            "model",
            TrainingRow(
                "Who is the returns desk led by?",
                "Anna Berg. The returns desk is led by Anna Berg.",
                ("returns.md",),
            ),
            ("Anna Berg",),
        ),
    ]
    assert worded_by_rules([PRICES, RETURNS]) == 4


def test_only_what_leads_back_to_its_answer_is_kept() -> None:
    text = (
        "The lock is changed every two years.\n\nThe roof is checked in May.\n\nThe lift is checked in June."
    )
    passage = SourcePassage("care.md", "Care", text)
    read = {
        "How often is the lock changed?": "every two years",
        "When is the roof checked?": "June",  # a passage nearby
        "When is the lift checked?": "The lift",
    }
    built = build_rows([passage], reader=Pointing(read))
    assert [each.row.question for each in built.rows] == ["How often is the lock changed?"]
    assert [(each.question, each.answer) for each in built.dropped] == [
        ("When is the roof checked?", "May"), ("When is the lift checked?", "June"),
    ]  # fmt: skip
    assert reasons(built.dropped) == {"was not answered by its passage": 2}


def test_a_passage_nearby_that_answers_better_is_a_reason() -> None:
    class Elsewhere(AgreeableReader):
        def read(self, question: str, passages: Sequence[str]) -> list[Span]:
            own, *others = super().read(question, passages)
            return [own, *(Span(0, 4, "July", 9.0, 0.0) for _ in others)]

    text = "The roof is checked in June.\n\nThe lift is old."
    built = build_rows([SourcePassage("a.md", "A", text)], reader=Elsewhere())
    assert reasons(built.dropped) == {"had another answer in a passage nearby": 1}


def test_what_two_rows_answer_otherwise_is_not_asked_at_all() -> None:
    old = SourcePassage("old.csv", "Old", "Product: Lark One; Price: 99 EUR; Weight: 3 kg")
    new = SourcePassage("new.csv", "New", "Product: Lark One; Price: 149 EUR; Weight: 3 kg")
    built = build_rows([old, new], reader=AgreeableReader())
    assert {each.row.question for each in built.rows} == {"What is the weight of Lark One?"}
    assert reasons(built.dropped) == {"had another answer in another row": 2}


def test_two_questions_for_one_answer_are_one_row() -> None:
    text = "The gate opens at 08:00.\n\nThe gate opens daily at 08:00."
    built = build_rows([SourcePassage("a.md", "A", text)], reader=AgreeableReader())
    assert len(built.rows) == 1
    assert reasons(built.dropped) == {"asked the same as another row": 1}


@pytest.mark.parametrize(
    ("question", "short", "why"),
    [
        ("When does the ferry to Oban leave?", "06:40", None),
        ("The ferry to Oban leaves early.", "06:40", "was no question"),
        ("When does it leave for Oban?", "06:40", "did not say what it was about"),
        ("When does the company sail to Oban?", "06:40", "did not say what it was about"),
        ("How much is the fare?", "9 euros", "did not say what it was about"),
        ("Does the ferry to Oban leave at 06:40?", "06:40", "gave the answer away"),
        ("How long does the ferry to Oban take?", "Nora Falk", "asked for something else than its answer"),
        ("When does the train to Oban leave the harbour?", "06:40", "had words that its document does not"),
        ("When does the ferry to Mull leave?", "06:40", "had words that its document does not"),
    ],
)
def test_a_question_is_judged_by_its_words(question: str, short: str, why: str | None) -> None:
    known = "Timetable. The ferry to Oban leaves at 06:40; its fare is 9 euros."
    assert form_fault(question, short, known) == why


def test_a_model_words_what_the_rules_cannot_and_stops_when_it_cannot_either() -> None:
    text = "Once inside, whoever follows Anna Berg to the returns desk is given a form at once."
    passage = SourcePassage("desk.md", "Desk", text)
    good = Scripted("Who leads to the returns desk inside?")
    built = build_rows([passage], reader=AgreeableReader(), writer=good)
    assert [each.row.question for each in built.rows] == [good.question]
    assert any("Write the question that is answered by: Anna Berg" in asked for asked in good.asked)
    many = "\n\n".join(text.replace("Anna", f"A{letter}na") for letter in "bcdefghijklmnopqrstuvwxyz")
    unsure = Scripted(good.question, confidence=0.2)
    built = build_rows([SourcePassage("desk.md", "Desk", many)], reader=AgreeableReader(), writer=unsure)
    assert (len(built.rows), len(unsure.asked)) == (0, TRIES)
    assert reasons(built.dropped) == {"was worded by a model that was unsure of it": TRIES}


def test_rows_are_spread_over_documents_and_stop_when_told() -> None:
    lines = "\n".join(f"Product: Thing {chr(65 + n)}; Price: {n} EUR" for n in range(20))
    built = build_rows([SourcePassage("many.csv", "Many", lines), RETURNS], most=5, reader=AgreeableReader())
    assert len(built.rows) == 5
    assert sum(each.row.documents == ("returns.md",) for each in built.rows) == 2
    cancel = threading.Event()
    cancel.set()
    assert build_rows([RETURNS], reader=AgreeableReader(), cancel=cancel).rows == ()
