"""Cells of tables, asked for by the kind of their column."""

from __future__ import annotations

import pytest

from backends.training.table_questions import cells, questions_for


def asked(*lines: str) -> list[tuple[str, str, str]]:
    return [(each.question, each.answers[0], each.sentence) for each in questions_for(lines)[0]]


@pytest.mark.parametrize(
    ("header", "values", "question", "answer", "sentence"),
    [
        ("Price", ("4 EUR", "6 EUR"), "What is the price for Bolt?", "4 EUR", "The price for Bolt is 4 EUR."),
        (
            "Entry fee",
            ("4 EUR", "6 EUR"),
            "How much is the entry fee for Bolt?",
            "4 EUR",
            "The entry fee for Bolt is 4 EUR.",
        ),
        ("length_mm", ("40", "60"), "What is the length of Bolt?", "40 mm", "The length of Bolt is 40 mm."),
        ("Range (km)", ("40", "60"), "What is the range of Bolt?", "40 km", "The range of Bolt is 40 km."),
        ("Seats", ("4", "1"), "How many seats does Bolt have?", "4", "Bolt has 4 seats."),
        (
            "Next review",
            ("2026-05-01", "2026-06-01"),
            "When is the next review of Bolt?",
            "2026-05-01",
            "The next review of Bolt is 2026-05-01.",
        ),
        (
            "Manager",
            ("Ada Lund", "Bo Ek"),
            "Who is the manager of Bolt?",
            "Ada Lund",
            "The manager of Bolt is Ada Lund.",
        ),
        ("Town", ("Hull", "Leeds"), "In which town is Bolt?", "Hull", "Bolt is in Hull."),
        ("Used for", ("roofs", "walls"), "What is Bolt used for?", "roofs", "Bolt is used for roofs."),
        (
            "Approved by",
            ("Ada Lund", "Bo Ek"),
            "Who is Bolt approved by?",
            "Ada Lund",
            "Bolt is approved by Ada Lund.",
        ),
        (
            "Valid until",
            ("3 May", "4 May"),
            "Until when is Bolt valid?",
            "3 May",
            "Bolt is valid until 3 May.",
        ),
        ("Spare keys", ("no", "yes"), "Does Bolt have spare keys?", "No", "Bolt has no spare keys."),
        (
            "Needs a note to Finance?",
            ("yes", "no"),
            "Does Bolt need a note to Finance?",
            "Yes",
            "Bolt needs a note to Finance.",
        ),
        ("Delivers", ("no", "yes"), "Does Bolt deliver?", "No", "Bolt does not deliver."),
        (
            "Min. guests",
            ("4", "6"),
            "What is the minimum number of guests for Bolt?",
            "4",
            "The minimum number of guests for Bolt is 4.",
        ),
    ],
)
def test_a_column_is_asked_for_by_its_kind(
    header: str, values: tuple[str, str], question: str, answer: str, sentence: str
) -> None:
    lines = [f"Item: {name}; {header}: {value}" for name, value in zip(("Bolt", "Nut"), values, strict=True)]
    assert asked(*lines)[0] == (question, answer, sentence)


def test_the_name_of_a_row_gets_the_kind_of_thing_beside_it_where_it_needs_that() -> None:
    assert asked("Course: First aid; Places: 8")[0][0] == "How many places does the First aid course have?"
    assert asked("Course: Crash course; Places: 8")[0][0] == "How many places does Crash course have?"
    assert asked("Room: Room 4; Seats: 1")[0][2] == "Room 4 has 1 seat."


@pytest.mark.parametrize(
    ("header", "values", "question"),
    [
        ("keptBy", ("Ada Lund", "Bo Ek"), "Who is Bolt kept by?"),
        ("assigned_to", ("Ada Lund", "Bo Ek"), "Who is Bolt assigned to?"),
        ("Contact name", ("Ada Lund", "Bo Ek"), "Who is the contact of Bolt?"),
        ("contact phone", ("0101", "0102"), "What is the contact phone number of Bolt?"),
        ("warrantyUntil", ("2028-03-13", "2029-01-01"), "When does the warranty of Bolt end?"),
        ("lease_from", ("2028-03-13", "2029-01-01"), None),
        ("term_from", ("2028-03-13", "2029-01-01"), "When does the term of Bolt start?"),
        ("location room", ("214", "017"), "In which room is Bolt?"),
        ("billing_address_city", ("Kiel", "Hull"), "Which city is in the billing address of Bolt?"),
        ("currency", ("EUR", "USD"), "What is the currency of Bolt?"),
    ],
)
def test_names_that_programs_gave_are_asked_for_as_people_do(
    header: str, values: tuple[str, str], question: str | None
) -> None:
    lines = [f"Item: {name}; {header}: {value}" for name, value in zip(("Bolt", "Nut"), values, strict=True)]
    assert next((made for made, *_ in asked(*lines)), None) == question


def test_a_thing_that_is_no_proper_name_has_its_article() -> None:
    first, second = asked("device: standing desk; Price: 4 EUR", "device: the old lamp; Price: 6 EUR")
    assert first == (
        "What is the price for the standing desk?",
        "4 EUR",
        "The price for the standing desk is 4 EUR.",
    )
    assert second[0] == "What is the price for the old lamp?"
    assert asked("device: eBook reader; Price: 4 EUR")[0][0] == "What is the price for eBook reader?"
    assert asked("service: boat hire; Price: 4 EUR")[0][0] == "What is the price for the boat hire service?"


@pytest.mark.parametrize(
    ("lines", "what", "why"),
    [
        (["Item: Bolt; Notes: red"], "Notes", "a column of remarks asks nothing"),
        (["Item: Bolt; Told at once?: Ada Lund"], "Told at once?", "the name of its column is no noun"),
        (["Item: Bolt; Since: 2021"], "Since", "the name of its column is no noun"),
        (["Item: Bolt; Low: 4"], "Low", "it is not certain how its column is asked for"),
        (
            ["Product: Bolt; Size: 4", "Product: Bolt; Size: 5"],
            "Table of Product",
            "none of its columns names the rows",
        ),
        (["Length: up to 8 m; Price: 4 EUR"], "Table of Length", "none of its columns names the rows"),
        (["Date: 28 April 2026; Owner: Ada"], "Table of Date", "none of its columns names the rows"),
    ],
)
def test_what_makes_no_question_says_why(lines: list[str], what: str, why: str) -> None:
    made, left = questions_for(lines)
    assert (made, [(each.what, each.why) for each in left]) == ([], [(what, why)])


def test_a_row_is_named_by_its_first_column_that_is_no_code() -> None:
    lines = [
        "Item number: LF-1; Product: Lark One; Price: 1 EUR",
        "Item number: LF-2; Product: Lark Pro; Price: 2 EUR",
    ]
    assert [question for question, *_ in asked(*lines)] == [
        "What is the item number of Lark One?", "What is the item number of Lark Pro?",
        "What is the price for Lark One?", "What is the price for Lark Pro?",
    ]  # fmt: skip


def test_a_line_with_a_colon_is_no_table_row() -> None:
    assert cells("Note: this is only a sentence.") == []
    assert cells("We meet at 10:30; bring a pen.") == []
    assert cells("A: b; C: d") == [("A", "b"), ("C", "d")]
