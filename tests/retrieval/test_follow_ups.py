"""A follow-up question gets what it left to the conversation, and a whole question stays as it is."""

from __future__ import annotations

import pytest

from backends.retrieval.follow_ups import REMEMBERED, standalone


@pytest.mark.parametrize(
    ("before", "question", "meant"),
    [
        (
            "How often must a Lark One be calibrated?",
            "And for the Pro?",
            "How often must the Pro be calibrated?",
        ),
        (
            "What is the average power consumption of Lark One?",
            "What about Lark Pro?",
            "What is the average power consumption of Lark Pro?",
        ),
        ("What does the Lark One cost?", "And a Lark Mini?", "What does a Lark Mini cost?"),
        ("What does the sensor cost?", "And the gateway?", "What does the gateway cost?"),
        ("What does the sensor cost?", "How long does it last?", "How long does the sensor last?"),
        ("Who is the landlord in Leipzig?", "And in Porto?", "Who is the landlord in Porto?"),
        (
            "Who is the landlord in Leipzig?",
            "What rent do they get?",
            "What rent do the landlord in Leipzig get?",
        ),
        ("What was revenue in 2025?", "And in 2026?", "What was revenue in 2026?"),
        ("What does a Lark One cost?", "And in Norway?", "What does a Lark One cost in Norway?"),
        ("How quickly is a refund paid?", "And for students?", "How quickly is a refund paid for students?"),
        ("Who was the incident lead for INC-2026-07?", "When did it begin?", "When did INC-2026-07 begin?"),
        ("What does the Lark One cost?", "How long is its warranty?", "How long is the Lark One's warranty?"),
    ],
)
def test_a_follow_up_is_completed(before, question, meant):
    assert standalone(question, [before]) == meant


@pytest.mark.parametrize(
    "question",
    [
        "Who signs travel requests?",
        "What is the password policy?",
        "Is it possible to return goods without the box?",
        "How much does it cost to repair a screen?",
        "If my monitor fails, can I send it back?",
        "Give Lark One and Lark Pro as JSON with the keys price and weight",
        "notice period",
        "",
    ],
)
def test_a_whole_question_stays_as_it_is(question):
    assert standalone(question, ["What does the Lark One cost?"]) == question
    assert standalone(question, []) == question


def test_follow_ups_lean_on_each_other_and_not_on_what_lies_far_back():
    chain = ["How heavy is a Lark One?", "And the Lark Pro?"]
    assert standalone("What does it cost?", chain) == "What does the Lark Pro cost?"
    old = ["What does the Lark One cost?", *["Who signs travel requests?"] * REMEMBERED]
    assert standalone("How long is its warranty?", old) == "How long is its warranty?"
