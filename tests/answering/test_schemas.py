"""Which JSON schema a question asks for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.answering.schemas import asked_schema, known_schemas, read_schema
from backends.datatypes import Question, UserError

OWN = {"type": "object", "properties": {"depth": {"type": "number"}}}
TITLES = {schema["title"]: schema for schema in known_schemas()}


def asked(question: str, **fields: object) -> object:
    return asked_schema(Question("q", question, **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("Classify this support ticket as JSON: the screen stays black.", "Support ticket"),
        ("Please give the Support  Ticket as json\nI lost my password", "Support ticket"),
        ("Put this contract clause as JSON: payment within 10 days.", "Contract clause"),
    ],
)
def test_a_known_schema_is_named_by_its_title(question: str, title: str) -> None:
    assert asked(question) is TITLES[title]


@pytest.mark.parametrize(
    "question",
    [
        "Which fields does the JSON of a support ticket have?",
        "What is a support ticket?",
        "Answer as JSON: how long is the warranty?",
    ],
)
def test_other_questions_are_held_to_nothing(question: str) -> None:
    assert asked(question) is None


def test_a_question_s_own_schema_goes_first_and_gold_answers_are_not_looked_at() -> None:
    assert asked("Classify this support ticket as JSON: x", schema=OWN) is OWN
    assert asked("Sort this.", answers=('{"category":"data","priority":"P1","team":"Data Desk"}',)) is None


def test_a_schema_file(tmp_path: Path) -> None:
    path = tmp_path / "depth.schema.json"
    path.write_text(json.dumps(OWN))
    assert read_schema(path) == OWN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", r"depth\.json: "),
        ("[]", r"depth\.json: a JSON schema is a JSON object, not list"),
        ('{"type": "objekt"}', r"depth\.json: not a valid JSON schema \('objekt' is not valid"),
        (None, "cannot be read: No such file"),
    ],
)
def test_what_is_no_schema_is_said(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "depth.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_schema(path)
