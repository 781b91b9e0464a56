"""What an editor would mark in training rows, and what a new version of a document puts at risk."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from backends.answering.overlap import content_tokens
from backends.datatypes import TrainingRow
from backends.training.row_review import (
    NEAR,
    at_risk,
    changes,
    count_advice,
    near_pairs,
    review,
    rows_to_leave_out,
)

RETURN = TrainingRow(
    "How long may a customer return a device?", "30 days. Devices come back in 30 days.", ("r.md",)
)
AGAIN = TrainingRow("how long may the customer return the device", "30 days.", ("r.md",))
OTHERWISE = TrainingRow("How long may a customer return a device?", "45 days.", ("r.md",))
PRICE = TrainingRow("What does a Lark Pro cost?", "329 EUR.", ("p.csv",))


def kinds(*rows: TrainingRow, held: tuple[int, ...] = (), **texts: str) -> list[tuple[int, str, int | None]]:
    named = {name.replace("_", "."): text for name, text in texts.items()}
    return [(each.row, each.kind, each.other) for each in review(rows, held, named)]


def test_repeats_contradictions_and_leaks_are_told_apart() -> None:
    assert kinds(RETURN, PRICE) == []
    assert kinds(RETURN, PRICE, AGAIN) == [(2, "repeat", 0)]
    assert kinds(RETURN, PRICE, OTHERWISE) == [(2, "contradiction", 0)]
    assert kinds(RETURN, PRICE, AGAIN, held=(0,)) == [(2, "leak", 0)]
    assert kinds(RETURN, PRICE, AGAIN, held=(2,)) == [(0, "leak", 2)]
    assert rows_to_leave_out([RETURN, PRICE, AGAIN], {2}) == {0}
    assert rows_to_leave_out([RETURN, PRICE, AGAIN], {0, 2}) == set()


def test_a_number_makes_another_question() -> None:
    rows = [TrainingRow(f"When does Enterprise support answer a P{n} ticket?", f"{n} hours.") for n in (1, 2)]
    assert kinds(*rows) == []


def test_answers_without_ground_are_marked() -> None:
    text = "Devices come back in 30 days."
    assert kinds(RETURN, r_md=text) == []
    assert kinds(TrainingRow("How long?", "Ninety weeks by post.", ("r.md",)), r_md=text) == [
        (0, "unsupported", None)
    ]
    assert kinds(TrainingRow("How long?", "The documents do not say.", ("r.md",)), r_md=text) == []
    assert kinds(TrainingRow("Why?", " ")) == [(0, "empty", None)]
    assert kinds(TrainingRow("Is the return free?", "Return free.")) == [(0, "echo", None)]


def test_near_pairs_are_those_that_comparing_all_with_all_finds() -> None:
    rng = random.Random(0)
    words = [f"w{chr(97 + n)}" for n in range(14)]
    questions = [" ".join(rng.sample(words, rng.randint(3, 9))) for _ in range(120)]
    sets = [set(content_tokens(question)) for question in questions]
    wanted = {
        (one, two)
        for one, two in combinations(range(len(sets)), 2)
        if len(sets[one] & sets[two]) >= NEAR * len(sets[one] | sets[two])
    }
    assert wanted
    assert set(near_pairs(questions)) == wanted


@pytest.mark.parametrize(
    ("rows", "words"),
    [(19, "too few"), (199, "under 200"), (499, "a start"), (999, "typical"), (1000, "enough")],
)
def test_counts_are_judged_by_the_thresholds(rows: int, words: str) -> None:
    assert words in count_advice(rows)


def test_a_new_version_puts_the_rows_at_risk_whose_answer_is_gone() -> None:
    old = "Devices come back in 30 days. The shop opens at 9."
    new = "Devices come back in 14 days. The shop opens at 9."
    assert changes(old, new).gone == ("Devices come back in 30 days.",)
    assert changes(old, new).new == ("Devices come back in 14 days.",)
    opening = TrainingRow("When does the shop open?", "9. The shop opens at 9.", ("r.md",))
    elsewhere = TrainingRow("How long?", "30 days. Devices come back in 30 days.", ("other.md",))
    assert at_risk([RETURN, opening, elsewhere], "r.md", old, new) == [RETURN]
    assert at_risk([RETURN, opening], "r.md", old, old) == []
