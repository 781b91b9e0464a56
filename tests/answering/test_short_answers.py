"""What answers say in short, and whether two of them, or an answer and a passage, say the same."""

from __future__ import annotations

import pytest

from backends.answering.short_answers import (
    disagrees_with_its_sentence,
    same_answer,
    short_answer,
    stated_in,
)

WEIGHT = "What does the office monitor weigh?"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("30 days from delivery [1].", "Within 30 days of the delivery, if it is complete [2]."),
        ("Thirty days.", "30 days"),
        ("On 12 March 2026 [1].", "2026-03-12"),
        ("March 12, 2026", "12.03.2026"),
        ("EUR 1,200.50", "1200,50 €"),
        ("Nadia Brightwell.", "The author is Nadia Brightwell, product manager [1]."),
        ("14:00", "2 pm"),
        ("I do not know.", "The documents do not say."),
        ('{"risk": "high", "team": "Legal"}', '{"team":"legal","risk":"high"}'),
        ("Yes. Bring the receipt [1].", "Yes, with the receipt."),
    ],
)
def test_the_same_in_other_words(one: str, other: str) -> None:
    assert same_answer(one, other) and same_answer(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("30 days from delivery.", "45 days from delivery."),
        ("30 days from delivery.", "30 months from delivery."),
        ("On 12 March 2026.", "On 12 May 2026."),
        ("Nadia Brightwell.", "Oskar Brightwell."),
        ("Yes, it is covered.", "No, it is not covered."),
        ("A return is possible after the trial.", "A return is not possible after the trial."),
        ("The documents do not say.", "30 days."),
        ('{"risk": "high"}', '{"risk": "low"}'),
        ('{"risk": "high"}', "high"),
        ("It is stored in the cellar.", "It is stored in the laundry."),
    ],
)
def test_other_meanings_however_alike_the_words(one: str, other: str) -> None:
    assert not same_answer(one, other) and not same_answer(other, one)


def test_words_of_the_question_are_no_agreement() -> None:
    question = "Where is the boat of a guest moored?"
    one, other = "The boat of a guest is moored at pontoon A.", "The boat of a guest is moored at pontoon B."
    assert not same_answer(one, other, question)


@pytest.mark.parametrize(
    ("answer", "passage", "stated"),
    [
        ("342 g.", "Size: 128 x 128 x 38 mm Weight: 342 g", True),
        ("The office monitor weighs 342 g.", "Weight: 342 g", True),
        ("324 g.", "Weight: 342 g", False),
        ("342 kg.", "Weight: 342 g", False),
        ("Vera Holm.", "Dr Vera Holm operates on ligaments.", True),
        ("Vera Holm.", "Dr Vera Sadr operates on ligaments.", False),
        ("Ten hours.", "No food for 10 hours before.", True),
        ("Yes.", "It is allowed.", False),
    ],
)
def test_a_passage_states_an_answer_with_its_figures_and_names(
    answer: str, passage: str, stated: bool
) -> None:
    assert stated_in(answer, passage, WEIGHT) is stated


def test_a_bare_verdict_takes_its_sentence_along() -> None:
    assert short_answer("Yes. The shed is heated [2]. Bring a lock.") == "Yes. The shed is heated."
    assert short_answer("Saturday [1]. The gate opens at nine.") == "Saturday."


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ("Yes. Dogs are not allowed on the pontoon [1].", True),
        ("Yes, dogs are never allowed there.", True),
        ("No. Dogs are welcome on the pontoon [1].", True),
        ("No. Dogs are welcome on pontoon C only [1].", False),
        ("No. Dogs are not allowed on the pontoon [1].", False),
        ("Yes. Dogs are welcome on the pontoon [1].", False),
        ("No.", False),
        ("No. 7 is the berth [1].", False),
        ("Norway has no such rule at all.", False),
    ],
)
def test_a_leading_verdict_goes_with_its_sentence(answer: str, wrong: bool) -> None:
    assert (disagrees_with_its_sentence(answer) is not None) is wrong
