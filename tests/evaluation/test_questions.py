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
