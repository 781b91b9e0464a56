"""Scores one answer: against gold answers, against passages, against a schema.

Enters: texts. Leaves: numbers between 0 and 1 (or None where there is nothing to judge). It runs no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from backends.answering.answer_text import is_abstention, without_markers
from backends.datatypes import JsonObject, Question
from backends.language.compared_words import compared_words, holds, says_the_same
from backends.system.json_texts import is_json, json_value

VERDICTS = frozenset(["yes", "no", "true", "false"])


def exact_match(answer: str, golds: Sequence[str]) -> bool:
    """Whether the answer, markers removed, has the words of one of the golds and no others."""
    said = without_markers(answer)
    return any(says_the_same(said, gold) for gold in golds)


def f1(answer: str, golds: Sequence[str]) -> float:
    """SQuAD token F1, best over the golds: 2PR / (P + R) with multiplicity; two empty texts score 1."""
    said = compared_words(without_markers(answer))
    return max((_f1(said, compared_words(gold)) for gold in golds), default=0.0)


def _f1(said: Sequence[str], gold: Sequence[str]) -> float:
    if not said or not gold:
        return float(said == gold)
    common = (Counter(said) & Counter(gold)).total()
    return 2 * common / (len(said) + len(gold))


def contains_answer(answer: str, golds: Sequence[str]) -> bool:
    """Whether a gold answer occurs in the answer as whole words (`language.compared_words`).

    A gold of yes or no has to open or end the answer: "no" within a sentence answers nothing. Neither does
    "blue" in "It is not blue".
    """
    said = without_markers(answer)
    return any(_says(said, gold) if is_yes_or_no(gold) else holds(said, gold, denied=False) for gold in golds)


def is_yes_or_no(gold: str) -> bool:
    """Whether the gold answer is nothing but a verdict."""
    words = compared_words(gold)
    return len(words) == 1 and words[0] in VERDICTS


def _says(answer: str, verdict: str) -> bool:
    words = compared_words(answer)
    return bool(words) and compared_words(verdict)[0] in (words[0], words[-1])


def is_correct(answer: str, golds: Sequence[str]) -> bool:
    """A gold answer is contained; for an unanswerable question (no golds), the answer declines."""
    return contains_answer(answer, golds) if golds else is_abstention(answer)


def same_json(answer: str, golds: Sequence[str]) -> bool:
    """Whether the answer is a JSON value equal to a gold one, whatever its spacing and order of keys."""
    try:
        said = json_value(answer)
    except ValueError:
        return False
    return any(_same_value(said, json_value(gold)) for gold in golds if is_json(gold))


def _same_value(said: object, gold: object) -> bool:
    """Equal as JSON: 12 is 12.0, and true is not 1, which Python takes for equal."""
    if isinstance(said, dict) and isinstance(gold, dict):
        return said.keys() == gold.keys() and all(_same_value(said[key], gold[key]) for key in gold)
    if isinstance(said, list) and isinstance(gold, list):
        return len(said) == len(gold) and all(map(_same_value, said, gold))
    return isinstance(said, bool) == isinstance(gold, bool) and said == gold


def is_right(question: Question, answer: str) -> bool:
    """The verdict that counts: JSON equal to the gold JSON, a gold answer contained, or rightly declined."""
    if question.answers and all(is_json(gold) for gold in question.answers):
        return same_json(answer, question.answers)
    return is_correct(answer, question.answers)


def rouge_l(answer: str, golds: Sequence[str]) -> float:
    """ROUGE-L F1 (Lin 2004, beta 1): 2 LCS / (|answer| + |gold|) in words, best over the golds.

    LCS is the longest common subsequence; words are those of `language.compared_words`, not stemmed.
    """
    said = compared_words(without_markers(answer))
    return max((_rouge_l(said, compared_words(gold)) for gold in golds), default=0.0)


def _rouge_l(said: Sequence[str], gold: Sequence[str]) -> float:
    if not said or not gold:
        return float(said == gold)
    row = [0] * (len(gold) + 1)  # LCS of the words so far with each prefix of gold
    for word in said:
        before = 0
        for column, other in enumerate(gold, start=1):
            above = row[column]
            row[column] = before + 1 if word == other else max(above, row[column - 1])
            before = above
    return 2 * row[-1] / (len(said) + len(gold))


def field_accuracy(text: str, gold: JsonObject) -> float:
    """Share of the gold fields that the JSON holds with the same value; 0 for what is no JSON object."""
    try:
        value = json_value(text)
    except ValueError:
        return 0.0
    if not isinstance(value, dict):
        return 0.0
    right = (name in value and _same_value(value[name], wanted) for name, wanted in gold.items())
    return sum(right) / len(gold)


@dataclass(frozen=True)
class CitationScore:
    """Cited documents against gold documents; None where there is nothing to divide by."""

    precision: float | None
    recall: float | None


def citation_score(cited: Sequence[str], gold: Sequence[str]) -> CitationScore:
    """precision = |cited & gold| / |cited|, recall = |cited & gold| / |gold|, over distinct documents."""
    right, said, wanted = len({*cited} & {*gold}), len({*cited}), len({*gold})
    return CitationScore(
        precision=right / said if said else None,
        recall=right / wanted if wanted else None,
    )
