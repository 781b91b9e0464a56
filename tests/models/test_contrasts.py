"""Questions that a passage nearly answers: what is exchanged matters, and what is not told is not there."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models"))

import contrasts

PARAGRAPH = (
    "In 1882 John Jones gave the Museum a portrait. The first visitors came in 1884, led by Anna Bell."
)


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("Which painting did John Jones give?", ("Which painting did ", " give?")),
        ("What was given in 1882?", ("What was given in ", "?")),
        ("When did the first people come?", ("When did the ", " people come?")),
    ],
)
def test_one_thing_is_exchanged_and_the_rest_stays(question: str, kept: tuple[str, str]) -> None:
    made = {contrasts.exchanged(question, PARAGRAPH, [], random.Random(seed)) for seed in range(20)}
    assert made and None not in made and question not in made
    assert all(each.startswith(kept[0]) and each.endswith(kept[1]) for each in made if each)


def test_a_question_without_a_name_a_figure_or_an_opposite_has_no_like() -> None:
    assert contrasts.exchanged("Who led them?", PARAGRAPH, [], random.Random(0)) is None
    # A name that the paragraph does not hold decides nothing there.
    assert contrasts.exchanged("Who met Zoe Marsh?", PARAGRAPH, [], random.Random(0)) is None


def test_opposites_go_both_ways() -> None:
    assert all(contrasts.OPPOSITES[contrasts.OPPOSITES[word]] for word in contrasts.OPPOSITES)
    assert contrasts.OPPOSITES["first"] == "last" and contrasts.OPPOSITES["last"] == "first"


@pytest.mark.parametrize("seed", range(40))
def test_a_measure_that_is_told_answers_and_another_of_the_same_unit_does_not(seed: int) -> None:
    measures = contrasts.load_measures()
    told = contrasts.measured(measures, random.Random(seed), answered=True)
    assert told.short and told.short in told.body[told.at]
    asked = [m for m in measures for each in m.asked if told.question[5:] in _with_any_thing(each)]
    assert asked
    silent = contrasts.measured(measures, random.Random(seed), answered=False)
    thing = next(t for t in contrasts.THINGS if t in silent.question.lower())
    measure = next(m for m in measures for a in m.asked if _filled(a, thing) == silent.question)
    told_of_it = {_filled(t.replace("{v}", v), thing) for t in measure.told for v in _values(silent.body)}
    assert not silent.short and not told_of_it & set(silent.body)


def _filled(text: str, thing: str) -> str:
    text = text.replace("{}", thing)
    return text[:1].upper() + text[1:]


def _with_any_thing(text: str) -> str:
    return " ".join(_filled(text, thing) for thing in contrasts.THINGS)


def _values(body: tuple[str, ...]) -> set[str]:
    """Every run of up to three words: whatever could be a value."""
    words = [sentence.rstrip(".").split() for sentence in body]
    return {" ".join(w[n : n + k]) for w in words for n in range(len(w)) for k in (1, 2, 3)}
