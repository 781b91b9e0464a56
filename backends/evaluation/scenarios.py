"""Ready-made scenarios of the sample company: a few of its questions each, and what an answer is checked for.

Enters: `sample_corpus/scenarios.toml` and the sample's questions. Leaves: `Scenario`s, and for one answer the
checks in words. No answer stands here: scenarios are run live, like any other question.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from backends.datatypes import Question
from backends.evaluation.metrics import contains_answer, field_accuracy
from backends.evaluation.questions import load_questions
from backends.evaluation.scoring import schema_of
from backends.evaluation.style import broken_rules
from backends.system.files import SAMPLE_CORPUS
from backends.system.json_texts import follows_schema, is_json


@dataclass(frozen=True)
class Scenario:
    """A job from a company's day with questions that show it."""

    title: str
    watch: str  # what to look at, in one sentence
    questions: tuple[Question, ...]

    @property
    def documents(self) -> set[str]:
        """The documents that its questions need."""
        return {name for question in self.questions for name in question.documents}


@cache
def scenarios() -> tuple[Scenario, ...]:
    """All of them, in file order."""
    known = {
        each.id: each
        for path in (SAMPLE_CORPUS / "questions").glob("*.jsonl")
        for each in load_questions(path)
    }
    rows = tomllib.loads((SAMPLE_CORPUS / "scenarios.toml").read_text(encoding="utf-8"))["scenario"]
    return tuple(Scenario(r["title"], r["watch"], tuple(known[i] for i in r["questions"])) for r in rows)


def available_scenarios(documents: Collection[str]) -> list[Scenario]:
    """The scenarios whose documents are all among these."""
    return [each for each in scenarios() if each.documents <= set(documents)]


def find(question: str) -> tuple[Scenario, Question] | None:
    """The scenario that asks this, with the question's gold answer."""
    return next(
        ((each, q) for each in scenarios() for q in each.questions if q.question == question.strip()), None
    )


def checks(question: Question, text: str) -> list[str]:
    """What this answer keeps and misses, in a few words each."""
    gold = question.answers[0]
    if is_json(gold):
        wanted = json.loads(gold)
        right = round(field_accuracy(text, wanted) * len(wanted))
        kept = "keeps" if follows_schema(text, schema_of(question)) else "does not keep"
        return [f"{kept} the JSON schema", f"{right} of {len(wanted)} fields right"]
    given = "gives" if contains_answer(text, question.answers) else "does not give"
    broken = broken_rules(text)
    style = [] if broken is None else [f"breaks a house rule ({broken[0]})" if broken else "in house style"]
    return [f"{given} “{gold}”", *style]
