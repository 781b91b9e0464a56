"""Question files: what counts as a gold answer, and which rows are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.datatypes import UserError
from backends.evaluation.questions import load_questions


def of(path: Path, **row: object) -> tuple[str, ...]:
    path.write_text(json.dumps({"question": "How deep is the lock?", **row}))
    return load_questions(path)[0].answers


@pytest.mark.parametrize("answers", [[], None, [""], ["  ", "\n"]])
def test_blank_gold_answers_make_a_question_unanswerable(tmp_path: Path, answers: object) -> None:
    assert of(tmp_path / "q.jsonl", answers=answers) == ()


def test_blank_gold_answers_beside_others_are_dropped(tmp_path: Path) -> None:
    assert of(tmp_path / "q.jsonl", answers=["", "4.5 m", 4]) == ("4.5 m", "4")


@pytest.mark.parametrize("gold", ["-", "...", "?!", [], None, True, {"a": 1}])
def test_a_gold_answer_that_nothing_can_be_compared_with_is_refused(tmp_path: Path, gold: object) -> None:
    with pytest.raises(UserError, match=r"q\.jsonl, line 1"):
        of(tmp_path / "q.jsonl", answers=["4 m", gold])


def test_a_question_file_from_excel_in_europe(tmp_path: Path) -> None:
    path = tmp_path / "fragen.csv"
    path.write_bytes(
        "Question;Answers;Documents\r\nWo ist Köln?;am Rhein | Rhein;köln.md\r\nWer?;;\r\n".encode("cp1252")
    )
    first, second = load_questions(path)
    assert (first.answers, first.documents) == (("am Rhein", "Rhein"), ("köln.md",))
    assert (second.id, second.answers) == ("line-3", ())


SCHEMA = {"type": "object", "properties": {"lock": {"enum": ["north", "south"]}}, "required": ["lock"]}


def test_a_row_may_carry_the_schema_of_its_answer(tmp_path: Path) -> None:
    rows, table = tmp_path / "q.jsonl", tmp_path / "q.csv"
    rows.write_text(
        json.dumps({"question": "Which lock, as JSON?", "schema": SCHEMA}) + '\n{"question": "Why?"}'
    )
    assert [each.schema for each in load_questions(rows)] == [SCHEMA, None]
    cell = json.dumps(SCHEMA).replace('"', '""')
    table.write_text(f'question,schema\n"Which lock, as JSON?","{cell}"\nWhy?,\n')
    assert [each.schema for each in load_questions(table)] == [SCHEMA, None]


@pytest.mark.parametrize(
    ("schema", "said"),
    [("ticket", "a JSON schema is a JSON object, not str"), ({"type": 3}, "not a valid JSON schema")],
)
def test_what_is_no_schema_is_refused_with_its_line(tmp_path: Path, schema: object, said: str) -> None:
    with pytest.raises(UserError, match=rf"q\.jsonl, line 1: {said}"):
        of(tmp_path / "q.jsonl", schema=schema)
