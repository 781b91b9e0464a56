"""What the first minutes promise: every question the product suggests, and the contrast it is there to show.

Enters: sample_corpus/first_minutes.toml and the sample's questions. Leaves: `Promise`s, and for an answer in
words what is seen of it and which expected words it misses. Nothing is scripted: answers are made live, and a
test asks every question of the shipped models. A promise that does not hold is replaced in that file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from backends.answering.answer_text import is_abstention
from backends.answering.short_answers import short_answer
from backends.datatypes import Answer, JsonObject, Question
from backends.evaluation.metrics import is_right
from backends.evaluation.questions import load_questions
from backends.evaluation.style import follows_style
from backends.system.files import SAMPLE_CORPUS
from backends.system.json_texts import is_json

FILE = SAMPLE_CORPUS / "first_minutes.toml"
WORDS = {
    "right": "gives the right answer",
    "wrong": "gives another answer",
    "declines": "says that it does not know",
    "warned": "carries a visible warning",
    "unwarned": "carries none",
    "cited": "cites a document that holds the answer",
    "house style": "keeps the house style",
    "exposed": "declines, or is wrong and carries a warning",
}


@dataclass(frozen=True)
class Promise:
    """A suggested question, where it stands, what it is to show, and what is expected of each backend."""

    question: Question
    where: str  # suggested, tour, or the title of a scenario
    contrast: str
    expected: Mapping[str, tuple[str, ...]]  # backend -> keys of WORDS


@cache
def promises() -> tuple[Promise, ...]:
    """All of them, in file order."""
    known = {
        each.id: each
        for path in sorted((SAMPLE_CORPUS / "questions").glob("*.jsonl"))
        for each in load_questions(path)
    }
    return tuple(_promise(row, known) for row in tomllib.loads(FILE.read_text("utf-8"))["promise"])


def _promise(row: JsonObject, known: Mapping[str, Question]) -> Promise:
    question = known.get(row.get("id", "")) or Question(
        f"first-{row['question']}", row["question"], tuple(row["answers"]), tuple(row["documents"])
    )
    if "question" in row:  # asked in other words than the sample's
        question = replace(question, question=row["question"])
    expected = {
        name: tuple(word.strip() for word in row[name].split(","))
        for name in ("rag", "fine_tuned", "hybrid")
        if name in row
    }
    return Promise(question, row["where"], row["contrast"], expected)


def suggested() -> tuple[str, ...]:
    """The questions beside the question box; the first is asked at the first visit."""
    return tuple(each.question.question for each in promises() if each.where == "suggested")


def seen(question: Question, answer: Answer) -> tuple[str, ...]:
    """What is true of the answer, as keys of WORDS."""
    right = is_right(question, in_short(answer.text)) and bool(question.answers)
    warned = answer.checks.warning is not None
    found = {
        "right": right,
        "wrong": not right and not answer.abstained,
        "declines": answer.abstained,
        "warned": warned,
        "unwarned": not warned,
        "cited": any(citation.document in question.documents for citation in answer.citations),
        "house style": follows_style(answer.text) is True,
        "exposed": answer.abstained or (not right and warned),
    }
    return tuple(word for word, holds in found.items() if holds)


def in_short(text: str) -> str:
    """What is held against gold: the first sentence, without what is quoted after it."""
    return text if is_abstention(text) or is_json(text) else short_answer(text)


def missed(promise: Promise, answer: Answer) -> list[str]:
    """The expected words that the answer misses."""
    found = seen(promise.question, answer)
    return [word for word in promise.expected.get(answer.backend, ()) if word not in found]
