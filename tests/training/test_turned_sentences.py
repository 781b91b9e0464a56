"""Sentences turned round into questions, and the pieces of them that are asked for."""

from __future__ import annotations

import pytest

from backends.training.answer_spans import AnswerSpan, answer_spans
from backends.training.turned_sentences import names_in, turned, yes_or_no


def pieces(sentence: str, most: int = 5) -> list[str]:
    return [sentence[each.start : each.end] for each in answer_spans(sentence, most)]


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("The pool opens on Friday, 3 July 2026, at 07:30.", ["Friday, 3 July 2026", "07:30"]),
        ("Bookings close at least 12 working days before the trip.", ["at least 12 working days"]),
        ("The lamps are tested every six weeks by Nora Falk.", ["every six weeks", "Nora Falk"]),
        ("The market moved because of the flood.", ["the flood"]),
        ("The ticket includes breakfast, a towel and a locker.", ["breakfast, a towel and a locker"]),
        ("Helmets must be worn in the foundry.", ["Helmets", "the foundry"]),
        ("The stores lie in hall 4 of Dock Street 9.", ["Dock Street 9", "hall 4"]),  # 4 and 9 are no amounts
        ("Nothing more is said here.", []),
    ],
)
def test_pieces_that_can_be_asked_for(sentence: str, wanted: list[str]) -> None:
    assert pieces(sentence) == wanted


@pytest.mark.parametrize(
    ("sentence", "short", "question"),
    [
        ("The rent is 820 euros.", "820 euros", "How much is the rent?"),
        ("The rent is 820 euros and is due on 4 May.", "4 May", "When is the rent due?"),
        (
            "The total cost of the repair is 90 euros.",
            "90 euros",
            "How much is the total cost of the repair?",
        ),
        ("Claims must be made by 31 May.", "31 May", "By when must claims be made?"),
        ("The ferry leaves at 06:40.", "06:40", "When does the ferry leave?"),
        ("The lease runs for four years.", "four years", "For how many years does the lease run?"),
        (
            "A key is returned within 5 days of leaving.",
            "5 days",
            "Within how many days of leaving is a key returned?",
        ),
        ("Filters are changed every two months.", "every two months", "How often are filters changed?"),
        (
            "Tours are booked two weeks ahead with the office.",
            "two weeks",
            "How many weeks ahead are tours booked with the office?",
        ),
        (
            "The fund pays 40 percent of each roof.",
            "40 percent",
            "What percentage of each roof does the fund pay?",
        ),
        ("The crane lifts 9 tonnes; the old one carries 4 tonnes.", "4 tonnes", None),
        ("The hall has 60 seats.", "60 seats", "How many seats does the hall have?"),
        ("There are 14 beds in the east wing.", "14 beds", "How many beds are there in the east wing?"),
        ("The pump has an output of 7 kilowatts.", "7 kilowatts", "What is the output of the pump?"),
        ("The form is signed by Nora Falk.", "Nora Falk", "Who is the form signed by?"),
        ("The warden of the east wing is Nora Falk.", "Nora Falk", "Who is the warden of the east wing?"),
        ("Nora Falk leads the archive.", "Nora Falk", "Who leads the archive?"),
        ("The key is kept in the red cabinet.", "the red cabinet", "Where is the key kept?"),
        ("Lifts are locked because the shafts are wet.", "the shafts are wet", "Why are lifts locked?"),
        (
            "In leap years, the fee is 30 euros.",
            "30 euros",
            "How much is the fee in leap years?",
        ),
        ("The consent ends after 72 hours.", "72 hours", "After how many hours does the consent end?"),
        ("Stops are Hull, York and Leeds.", "Hull", None),  # not all of them
        ("It costs 30 euros.", "30 euros", None),  # what does?
        ("Please call before 10:00.", "10:00", None),
        ("A cat costs 24 euros and a dog 31 euros.", "31 euros", None),
        (
            "A night costs 24 euros for a cat and 31 euros for a dog.",
            "24 euros",
            "How much does a night cost for a cat?",
        ),
    ],
)
def test_sentences_are_turned_where_their_form_is_certain(
    sentence: str, short: str, question: str | None
) -> None:
    span = next(each for each in answer_spans(sentence, 9) if sentence[each.start : each.end] == short)
    assert turned(sentence, span) == question


def test_a_name_keeps_its_capital_and_a_word_does_not() -> None:
    text = "The depot in Tilbury is old. Tilbury gets a crane in May. Cranes are red."
    assert names_in(text) == {"Tilbury"}
    sentence = "Tilbury gets a crane in May."
    span = AnswerSpan(sentence.index("May"), sentence.index("May") + 3, "time")
    assert turned(sentence, span, names_in(text)) == "When does Tilbury get a crane?"
    assert turned(sentence, span) == "When does tilbury get a crane?"


@pytest.mark.parametrize(
    ("sentence", "made"),
    [
        ("Guests may not bring dogs.", ("May guests bring dogs?", "No")),
        ("Doors must never be wedged open.", ("May doors be wedged open?", "No")),
        ("The garden can be rented for parties.", ("Can the garden be rented for parties?", "Yes")),
        ("Private use is not allowed.", ("Is private use allowed?", "No")),
        ("Claims that come after May are paid.", ("Are claims that come after May paid?", "Yes")),
        ("Members may only use the east door.", None),
        ("They may bring dogs.", None),
        ("Until then guests may bring dogs.", None),
        ("Plants may stay and must be watered.", None),
    ],
)
def test_rules_are_asked_with_yes_and_no(sentence: str, made: tuple[str, str] | None) -> None:
    assert yes_or_no(sentence) == made
