"""Questions of several parts are recognised and asked part by part, and a missing part is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from backends.answering.answer_text import is_abstention
from backends.answering.part_by_part import MISSING, PartByPart, answered_parts, parts_of
from backends.datatypes import (
    BackendName,
    Chunk,
    Event,
    Evidence,
    Finished,
    Hit,
    Sentence,
    Source,
    Token,
    Usage,
)
from backends.settings import Settings, make_settings

DECLINED = "The documents do not say."
SETTINGS = make_settings()


class Scripted:
    """Answers each question with pieces, from two sources."""

    name: BackendName = "rag"

    def __init__(self, answers: dict[str, list[str]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def run(self, question: str, settings: Settings) -> Iterator[Event]:
        self.asked.append(question)
        chunk = Chunk("a.md", 1, 0, 5, "Words", None, 1)
        sentence = Sentence(0, 5, "Words")
        yield Evidence(tuple(Source(rank, Hit(chunk, rank, 1.0), (sentence,)) for rank in (1, 2)))
        for piece in self.answers[question]:
            yield Token(piece)
        yield Finished(Usage(10, 2), prompt=f"<{question}>", model="m", adapter=None, confidence=0.9)


def run(question: str, answers: dict[str, list[str]], **settings: Any) -> tuple[str, list[Event], Scripted]:
    inner = Scripted(answers)
    events = list(PartByPart(inner).run(question, SETTINGS.model_copy(update=settings)))
    return "".join(e.text for e in events if isinstance(e, Token)), events, inner


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("What does it weigh and how much does it cost?", ["What does it weigh?", "How much does it cost?"]),
        ("Which is heavier, the ferry or the tug?", ["How heavy is the ferry?", "How heavy is the tug?"]),
        ("Is a ferry cheaper than a tug?", ["What does a ferry cost?", "What does a tug cost?"]),
        (
            "What is the difference in draught between the ferry and the tug?",
            ["What is the draught of the ferry?", "What is the draught of the tug?"],
        ),
        ("Compare the crew of ferry and tug.", ["What is the crew of ferry?", "What is the crew of tug?"]),
        (
            "What is the price of BX-7 and how heavy is it?",
            ["What is the price of BX-7?", "How heavy is BX-7?"],
        ),
        (
            "What is the deposit for the barge and where is it moored?",
            ["What is the deposit for the barge?", "Where is the barge moored?"],
        ),
        (
            "Who teaches the course in Leeds and when does he arrive?",
            ["Who teaches the course in Leeds?", "When does the one who teaches the course in Leeds arrive?"],
        ),
        (
            "Whom do I ask about the sailing course and when is it?",
            ["Whom do I ask about the sailing course?", "When is the sailing course?"],
        ),
        ("Who steers the ferry, Ada or Ben?", []),
        ("What does it weigh?", []),
        ("The lamp is amber and it hums; what is that?", []),
    ],
)
def test_parts_are_recognised(question: str, asked: list[str]) -> None:
    assert [part.question for part in parts_of(question)] == asked
    assert [parts_of(part) for part in asked] == [[] for _ in asked]  # a part has no parts


def test_each_part_is_asked_alone_and_sources_are_numbered_through() -> None:
    text, events, inner = run(
        "Which is heavier, the ferry or the tug?",
        {
            "How heavy is the ferry?": ["90 t ", "[", "1", "]", "."],
            "How heavy is the tug?": ["40 t [2", "]. See [x", "]"],
        },
    )
    assert text == "The ferry: 90 t [1].\nThe tug: 40 t [4]. See [x]"
    assert inner.asked == ["How heavy is the ferry?", "How heavy is the tug?"]
    evidence = [event for event in events if isinstance(event, Evidence)][-1]
    assert [source.rank for source in evidence.sources] == [1, 2, 3, 4]
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.usage, end.warnings, end.confidence) == (Usage(20, 4), (), 0.9)
    assert "<How heavy is the tug?>" in end.prompt


def test_a_missing_part_is_said() -> None:
    question = "What does it weigh and how much does it cost?"
    text, events, _ = run(question, {"What does it weigh?": ["90 t."], "How much does it cost?": [DECLINED]})
    assert text == f"What does it weigh? 90 t.\nHow much does it cost? {DECLINED}"
    end = events[-1]
    assert isinstance(end, Finished) and end.warnings == (f"{MISSING}: “How much does it cost?”",)
    assert not is_abstention(text)
    assert [said for _, said in answered_parts(question, text)] == ["90 t.", DECLINED]


def test_what_declines_in_every_part_declines() -> None:
    both = {"What does it weigh?": [DECLINED], "How much does it cost?": ["I do not know."]}
    assert is_abstention(run("What does it weigh and how much does it cost?", both)[0])


def test_one_question_and_one_that_is_not_to_be_parted_pass_untouched() -> None:
    assert run("What does it weigh?", {"What does it weigh?": ["90 t [1]."]})[0] == "90 t [1]."
    whole = "What does it weigh and how much does it cost?"
    assert run(whole, {whole: ["90 t."]}, multi_step=False)[0] == "90 t."
    assert answered_parts(whole, "90 t.") == []
