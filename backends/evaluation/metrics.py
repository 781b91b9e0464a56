"""Scores one answer: against gold answers, against passages, against a schema.

Enters: texts. Leaves: numbers between 0 and 1 (or None where there is nothing to judge). It runs no model.
"""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema

from backends.datatypes import Question
from backends.language.answer_text import is_abstention, is_json, without_markers


def normalize_answer(text: str) -> str:
    """As SQuAD 1.1 does (Rajpurkar et al. 2016): lower case, no punctuation, articles or extra space."""
    lower = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", lower).split())


def exact_match(answer: str, golds: Sequence[str]) -> bool:
    """Whether the normalised answer, markers removed, equals one of the normalised golds."""
    said = normalize_answer(without_markers(answer))
    return any(said == normalize_answer(gold) for gold in golds)


def f1(answer: str, golds: Sequence[str]) -> float:
    """SQuAD token F1, best over the golds: 2PR / (P + R) with multiplicity; two empty texts score 1."""
    said = normalize_answer(without_markers(answer))
    return max((_f1(said, normalize_answer(gold)) for gold in golds), default=0.0)


def _f1(said: str, gold: str) -> float:
    said_tokens, gold_tokens = said.split(), gold.split()
    if not said_tokens or not gold_tokens:
        return float(said_tokens == gold_tokens)
    common = (Counter(said_tokens) & Counter(gold_tokens)).total()
    return 2 * common / (len(said_tokens) + len(gold_tokens))


def contains_answer(answer: str, golds: Sequence[str]) -> bool:
    """Whether a gold answer occurs in the answer as whole words, both normalised as SQuAD does."""
    said = f" {normalize_answer(without_markers(answer))} "
    normal = [normalize_answer(gold) for gold in golds]
    return any(gold and f" {gold} " in said for gold in normal)


def is_correct(answer: str, golds: Sequence[str]) -> bool:
    """A gold answer is contained; for an unanswerable question (no golds), the answer declines."""
    return contains_answer(answer, golds) if golds else is_abstention(answer)


def same_json(answer: str, golds: Sequence[str]) -> bool:
    """Whether the answer is a JSON value equal to a gold one, whatever its spacing and order of keys."""
    try:
        said = json.loads(answer)
    except ValueError:
        return False
    return any(said == json.loads(gold) for gold in golds if is_json(gold))


def is_right(question: Question, answer: str) -> bool:
    """The verdict that counts: JSON equal to the gold JSON, a gold answer contained, or rightly declined."""
    if question.answers and all(is_json(gold) for gold in question.answers):
        return same_json(answer, question.answers)
    return is_correct(answer, question.answers)


def rouge_l(answer: str, golds: Sequence[str]) -> float:
    """ROUGE-L F1 (Lin 2004, beta 1): 2 LCS / (|answer| + |gold|) in words, best over the golds.

    LCS is the longest common subsequence; words are normalised as SQuAD does, not stemmed.
    """
    said = normalize_answer(without_markers(answer)).split()
    return max((_rouge_l(said, normalize_answer(gold).split()) for gold in golds), default=0.0)


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


def follows_schema(text: str, schema: Mapping[str, Any]) -> bool:
    """Whether the text is one JSON value that the JSON schema accepts."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def field_accuracy(text: str, gold: Mapping[str, Any]) -> float:
    """Share of the gold fields that the JSON holds with the same value; 0 for what is no JSON object."""
    try:
        value = json.loads(text)
    except ValueError:
        return 0.0
    if not isinstance(value, dict):
        return 0.0
    return sum(value.get(name) == wanted for name, wanted in gold.items()) / len(gold)


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
