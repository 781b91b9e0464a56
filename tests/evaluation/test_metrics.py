"""Scores against values computed by hand."""

from __future__ import annotations

import json
import random
import re
import string
from collections import Counter

import pytest

from backends.answering.groundedness import groundedness
from backends.answering.overlap import best_support, content_tokens, recall, sentences, supported
from backends.answering.short_answers import same_answer
from backends.datatypes import Question
from backends.evaluation.metrics import (
    CitationScore,
    citation_score,
    contains_answer,
    exact_match,
    f1,
    field_accuracy,
    is_correct,
    is_right,
    rouge_l,
    same_json,
)
from backends.system.json_texts import DEEPEST, follows_schema, is_json


@pytest.mark.parametrize(
    ("answer", "golds", "expected"),
    [
        ("The 30 days. [2]", ["30 days"], True),
        ("30 days", ["20 days", "30 Days"], True),
        ("within 30 days", ["30 days"], False),
        ("30 days", [], False),
    ],
)
def test_exact_match(answer: str, golds: list[str], expected: bool) -> None:
    assert exact_match(answer, golds) is expected


def test_f1_by_hand() -> None:
    # said {within, 30, days}, gold {30, days}: precision 2/3, recall 1, F1 = 0.8
    assert f1("within 30 days [1]", ["30 days"]) == pytest.approx(0.8)
    assert f1("within 30 days", ["a week", "30 days", "within"]) == pytest.approx(0.8)
    # "days days" against "days": one in common, 2 x 1 / (2 + 1)
    assert f1("days days", ["days"]) == pytest.approx(2 / 3)
    assert f1("no", ["yes"]) == 0
    assert f1("", ["..."]) == 1  # neither has a word
    assert f1("x", []) == 0


@pytest.mark.parametrize(
    ("answer", "golds", "expected"),
    [
        ("You have 30 days. [1]", ["30 days"], True),
        ("You have 130 days.", ["30 days"], False),  # whole words only
        ("It costs €1,299.00", ["1,299.00"], True),
        ("It costs 1,299 euros", ["1299 euros"], True),
        ("anything", ["the"], False),  # a gold answer of articles alone proves nothing
    ],
)
def test_contains_answer(answer: str, golds: list[str], expected: bool) -> None:
    assert contains_answer(answer, golds) is expected


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("The flask holds 4.7 litres.", "47 litres"),
        ("The flask holds 4.7 litres.", "7 litres"),
        ("The mast weighs 1.250 t.", "1,250 t"),  # a thousandfold
        ("The line carries 2,640 calls.", "264 calls"),
        ("It stores goods at -18 °C.", "18 °C"),
        ("The balance rose by 18 percent.", "-18 percent"),
        ("The gate opens at 7:45.", "745"),
        ("The gate opens at 7:45 pm.", "7:45 am"),
        ("The gate opens at 07:45.", "17:45"),
        ("Use a supply of 6 mW.", "6 MW"),
        ("The link runs at 40 Mb per second.", "40 MB"),
        ("The permit costs $85.", "€85"),
        ("The permit costs 85 euros.", "85 dollars"),
        ("A load of 2/3 is allowed.", "23"),
        ("The dose is 10⁶ units.", "106 units"),
        ("Keep it < 60 %.", "> 60 %"),
        ("Update to firmware 3.10.", "firmware 3.1"),
        ("Update to firmware 3.10.", "3.1"),
        ("It belongs to class B, a sturdy one.", "A"),
        ("The grade was B-.", "B"),
        ("Write it in C#.", "C"),
        ("Its code is 007.", "7"),
        ("Yes, there is no charge.", "no"),
        ("Visitors find no locker there.", "No"),
        ("会议在东京举行。", "大阪"),
        ("The result is 980.1.", "(980.1)"),
        ("Net result: (980.1)", "980.1"),
        ("Result: (1,204.50); Year: 2024", "1,204.50"),
        ("Result: $(45)", "$45"),
        ("The margin was (4) %.", "4 %"),
    ],
)
def test_a_wrong_gold_answer_never_scores(answer: str, gold: str) -> None:
    assert not contains_answer(answer, [gold])
    assert not exact_match(answer.rstrip("."), [gold])


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("It is the “Blue Heron” [1].", '"Blue Heron"'),
        ("The captain’s log", "the captain's log"),
        ("It stores goods at −18 °C.", "-18°C"),
        ("It stores goods at minus 18 °C.", "-18 °C"),
        ("The line carries 2 640 calls.", "2,640 calls"),
        ("The line carries 2'640 calls.", "2640 calls"),
        ("The line carries 2\u202f640 calls.", "2640 calls"),
        ("It costs 1.234,50 EUR.", "€1,234.50"),
        ("It costs EUR 85 a day.", "85 €"),
        ("It costs 85 euros.", "€ 85"),
        ("It is US$ 7.50.", "$7.5"),
        ("It rose by 4 %.", "4%"),
        ("It rose by 4 percent.", "4 %"),
        ("The cord is 3,5 m long.", "3.5 m"),
        ("A bag of 25kg", "25 kg"),
        ("The gate opens at 7:45 p.m.", "19:45"),
        ("The gate opens at 9 am.", "9:00"),
        ("It belongs to class A.", "A"),
        ("A is right.", "A"),
        ("The grade was B-.", "B-"),
        ("会议在东京举行。", "东京"),
        ("การประชุมจัดที่กรุงเทพ", "กรุงเทพ"),
        ("The code is ＢＤ－７７.", "BD-77"),
        ("٣٫٥ لتر", "3.5"),
        ("The Mu\u0308ller house", "Müller house"),
        ("an e-mail", "email"),
        ("two factor login", "two-factor login"),
        ("No. Dogs are not let in.", "no"),
        ("From 5–10 days", "5-10 days"),
        ("Update to firmware 3.10.", "3.10"),
        ("The result is -980.1.", "(980.1)"),
        ("Net loss (1,204.50)", "-1204.5"),
        ("Result: EUR (45); Year: 2024", "-45 EUR"),
        ("Result: ($45)", "-$45"),
        ("(12.5 %)", "-12.5 %"),
        ("within thirty (30) days", "30 days"),
        ("within thirty (30.0) days", "30 days"),
        ("the cheapest ticket ($9.50)", "$9.50"),
        ("(2) Pay the bill.", "2 Pay the bill"),
        ("See the report: (2019).", "2019"),
        ("Call +49 (0) 30 555", "0 30 555"),
        ("Call (555) 0134", "555 0134"),
        ("Use f(3).", "3"),
    ],
)
def test_an_equal_answer_scores_however_it_is_written(answer: str, gold: str) -> None:
    assert contains_answer(answer, [gold])


@pytest.mark.parametrize(
    ("said", "gold", "same"),
    [
        ('{"open": true}', '{"open": 1}', False),
        ('{"n": [12.0, {"a": null}]}', '{"n": [12, {"a": null}]}', True),
        ('{"n": [1]}', '{"n": [true]}', False),
        ('{"n": 1, "m": 2}', '{"n": 1}', False),
    ],
)
def test_json_labels_are_equal_in_kind_too(said: str, gold: str, same: bool) -> None:
    assert same_json(said, [gold]) is same


def test_a_missing_field_is_not_the_null_it_should_hold() -> None:
    assert field_accuracy('{"team": "Night"}', {"team": "Night", "until": None}) == 0.5


def test_correct_for_an_unanswerable_question_is_to_decline() -> None:
    assert is_correct("The documents do not say.", [])
    assert not is_correct("It is 5.", [])
    assert is_correct("It is 5.", ["5"])


def squad_script(prediction: str, golds: list[str]) -> tuple[float, float]:
    """Exact match and F1 of the SQuAD 1.1 evaluation script, version 1.1, as its authors published it."""

    def normalize(s: str) -> str:
        s = s.lower()
        s = "".join(ch for ch in s if ch not in set(string.punctuation))
        s = re.sub(r"\b(a|an|the)\b", " ", s)
        return " ".join(s.split())

    def f1_score(prediction: str, ground_truth: str) -> float:
        prediction_tokens = normalize(prediction).split()
        ground_truth_tokens = normalize(ground_truth).split()
        common = Counter(prediction_tokens) & Counter(ground_truth_tokens)
        num_same = sum(common.values())
        if num_same == 0:
            return 0.0
        precision = 1.0 * num_same / len(prediction_tokens)
        recall = 1.0 * num_same / len(ground_truth_tokens)
        return (2 * precision * recall) / (precision + recall)

    exact = max(float(normalize(prediction) == normalize(gold)) for gold in golds)
    return exact, max(f1_score(prediction, gold) for gold in golds)


@pytest.mark.parametrize("seed", range(60))
def test_exact_match_and_f1_agree_with_the_squad_script_where_it_loses_no_number(seed: int) -> None:
    draw = random.Random(seed)
    words = ["The", "a fee", "30", "days,", "days", "of", "An", "delivery.", "U.S.", "it's", " - "]

    def text(least: int) -> str:
        # "in" keeps every text from normalising to nothing, the one case that script 1.1 scores 0.
        return " ".join(["in", *draw.choices(words, k=draw.randint(least, 7))])

    said, golds = text(0), [text(0) for _ in range(draw.randint(1, 3))]
    exact, overlap = squad_script(said, golds)
    assert exact_match(said, golds) == bool(exact)
    assert f1(said, golds) == pytest.approx(overlap)


def test_rouge_l_by_hand() -> None:
    # "police killed gunman" against "police kill gunman" (Lin 2004): LCS 2 of 3 and 3 words
    assert rouge_l("police killed gunman", ["police kill gunman"]) == pytest.approx(2 / 3)
    # LCS of {gunman, kill, police} and {police, kill, gunman} is one word long
    assert rouge_l("the gunman kill police [1]", ["police kill the gunman"]) == pytest.approx(1 / 3)
    assert rouge_l("x", ["y", "x"]) == 1
    assert rouge_l("", ["x"]) == 0
    assert rouge_l("x", []) == 0


@pytest.mark.parametrize("seed", range(20))
def test_rouge_l_agrees_with_the_plain_recursion(seed: int) -> None:
    draw = random.Random(seed)
    said, gold = (draw.choices("uvwxyz", k=draw.randint(1, 9)) for _ in range(2))

    def longest(i: int, j: int) -> int:
        if i == len(said) or j == len(gold):
            return 0
        if said[i] == gold[j]:
            return 1 + longest(i + 1, j + 1)
        return max(longest(i + 1, j), longest(i, j + 1))

    expected = 2 * longest(0, 0) / (len(said) + len(gold))
    assert rouge_l(" ".join(said), [" ".join(gold)]) == pytest.approx(expected)


def test_json_labels_are_compared_as_values() -> None:
    gold = '{"risk":"low","action":"accept"}'
    assert same_json('{"action": "accept", "risk": "low"}', [gold])
    assert not same_json('{"risk": "low"}', [gold])
    assert not same_json("low", [gold])
    label = Question("q", "Classify this", (gold,))
    assert is_right(label, '{"action": "accept", "risk": "low"}')
    assert not is_right(label, f"It is {gold}")
    assert is_right(Question("q", "When?", ("30 days",)), "Within 30 days.")
    assert is_right(Question("q", "When?"), "I do not know.")


# --- alignment -----------------------------------------------------------------------------------


def test_content_tokens_are_stemmed_words_and_exact_numbers() -> None:
    text = "The customers' returns are accepted within 1,000 days, at 3.5 % [2]"
    assert content_tokens(text) == ["custom", "return", "accept", "1000", "day", "3.5", "2"]


def test_supported_counts_with_multiplicity() -> None:
    assert supported("days and days of 30", "30 days") == (2, 3)
    assert recall("days and days of 30", "30 days") == pytest.approx(2 / 3)
    assert recall("the of", "anything") == 0


def test_best_support_prefers_the_first_of_equals() -> None:
    passages = ["nothing here", "returns in 30 days", "30 days returns"]
    assert best_support("returns 30 days", passages) == (1, 1.0)
    assert best_support("zebra", passages) == (-1, 0.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two.", ["One.", "Two."]),
        ("One. [1] Two. [2][3] Three", ["One. [1]", "Two. [2][3]", "Three"]),
        ("It costs 3.50 euros. 20 remain.", ["It costs 3.50 euros.", "20 remain."]),
        ("e.g. this one", ["e.g. this one"]),
        ("line\n\nother", ["line", "other"]),
        ("", []),
    ],
)
def test_sentences_keep_their_markers(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


# --- groundedness --------------------------------------------------------------------------------


def test_groundedness_by_hand() -> None:
    passages = ["Goods are returned in 30 days. Shipping is free.", "Lamps cost 99 euros."]
    # {good, return, 30, day} all in one sentence: 4 of 4
    assert groundedness("Goods return in 30 days. [1]", passages) == 1
    # {good, return, 60, day}: 60 is not there, 3 of 4
    assert groundedness("Goods return in 60 days.", passages) == pytest.approx(3 / 4)
    # one: 4 of 4; two, {lamp, ship, 99, pound}: the best single sentence holds {lamp, 99}, 2 of 4
    assert groundedness("Goods return in 30 days. Lamps ship 99 pounds.", passages) == pytest.approx(6 / 8)
    assert groundedness("Zebras sing.", passages) == 0
    assert groundedness("Goods.", []) == 0


@pytest.mark.parametrize(
    "text", ["The documents do not say.", '{"risk": "high"}', "", "It is.", "I do not know."]
)
def test_nothing_asserted_is_not_judged(text: str) -> None:
    assert groundedness(text, ["anything"]) is None


# --- structure and citations ---------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {"risk": {"enum": ["low", "high"]}},
    "required": ["risk"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"risk": "high"}', True),
        ('{"risk": "medium"}', False),
        ('{"risk": "high", "why": 1}', False),
        ('Sure: {"risk": "high"}', False),
        ("[]", False),
    ],
)
def test_follows_schema(text: str, valid: bool) -> None:
    assert follows_schema(text, SCHEMA) is valid


@pytest.mark.parametrize("text", ["[" * 5000, "[" * 3000 + "]" * 3000, '{"a":' * 2000 + "1" + "}" * 2000])
def test_json_that_is_nested_without_end_is_none(text: str) -> None:
    """A model that runs wild writes it, and whoever walked it would run out of stack."""
    assert not is_json(text)
    assert not follows_schema(text, {})
    assert not same_json(text, ["[]"])
    assert field_accuracy(text, {"a": 1}) == 0.0
    assert not same_answer("{}", text)


def test_brackets_within_words_nest_nothing() -> None:
    assert is_json(json.dumps({"[" * 500: "}" * 500 + '\\"[' * 500}))
    assert is_json("[" * DEEPEST + "]" * DEEPEST)
    assert not is_json("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))


def test_is_json_means_an_object_or_list() -> None:
    assert [is_json(text) for text in ("{}", "[1]", "30", '"x"', "{oops")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_citation_score_over_distinct_documents() -> None:
    assert citation_score(["a", "a", "b"], ["a", "c"]) == CitationScore(precision=0.5, recall=0.5)
    assert citation_score([], ["a"]) == CitationScore(precision=None, recall=0.0)
    assert citation_score(["a"], []) == CitationScore(precision=0.0, recall=None)


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("It is not blue.", "blue", False),
        ("It is not more than 5 days.", "more than 5 days", False),
        ("It is not red but blue.", "blue", True),
        ("Not blue at first; blue since May.", "blue", True),
        ("It is not blue.", "not blue", True),
        ("Der Eintritt ist nicht frei.", "frei", False),
    ],
)
def test_what_an_answer_denies_it_does_not_say(answer: str, gold: str, right: bool) -> None:
    assert contains_answer(answer, [gold]) is right
