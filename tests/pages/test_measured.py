"""What Costs and Advise reckon with: the visitor's own where it is enough to go by, else the example."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backends.datatypes import BACKEND_NAMES
from backends.evaluation.archive import Archive, RunRecord
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.settings import make_settings
from pages.ui import measured
from pages.ui.evaluator import Evaluator
from pages.ui.session import Session
from tests.evaluation.subjects import ScriptedSubject, make_questions
from tests.pages.test_ui_parts import record

NOW = Session("ada")


def stored(archive: Archive, count: int) -> RunRecord:
    subject, arms = ScriptedSubject(), plain_arms(BACKEND_NAMES, make_settings())
    planned = plan(subject, make_questions(count), arms, question_set="own", name="mine")
    return carry_out(archive, archive.begin(planned), subject).record


def service(folder: Path, *, own: int = 0, example: int = 0) -> Any:
    """A visitor who ran an evaluation of so many questions and sees a document of their own too."""
    shared, shipped = Archive(folder / "own"), Archive(folder / "shipped")
    if own:
        stored(shared, own)
    names = frozenset(stored(shipped, example).setting.documents) if example else frozenset[str]()
    made = Evaluator(ScriptedSubject(), shared, shared, True, lambda: None, names | {"mine.md"}, shipped)
    return SimpleNamespace(evaluator=lambda visitor: made)


def asked(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    answers = [record("rag", f"{n} days.", question=f"How long is {n}?") for n in range(count)]
    monkeypatch.setattr(measured, "asked_answers", lambda visitor: answers)


def test_two_questions_of_ones_own_do_not_outweigh_the_example(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked(monkeypatch, 2)
    found = measured.basis(NOW, service(tmp_path, example=20))
    assert (measured.questions_of(found), found.shipped) == (20, True)
    assert found.where == (
        "the example that comes with Triptych, on its sample documents, as your own 2 questions "
        "would say little"
    )


def test_a_tiny_evaluation_does_not_either_and_a_real_one_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked(monkeypatch, 0)
    tiny = measured.basis(NOW, service(tmp_path / "tiny", own=3, example=20))
    assert tiny.shipped and tiny.where.endswith("as your own 3 questions would say little")
    real = measured.basis(NOW, service(tmp_path / "real", own=measured.FEW, example=20))
    assert (measured.questions_of(real), real.shipped) == (measured.FEW, False)
    assert real.where.startswith("the evaluation “mine”")


def test_enough_questions_of_the_session_count_and_few_are_better_than_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked(monkeypatch, measured.FEW)
    many = measured.basis(NOW, service(tmp_path / "many", own=3, example=20))
    assert (measured.questions_of(many), many.where) == (measured.FEW, "your questions of this session")
    asked(monkeypatch, 2)
    few = measured.basis(NOW, service(tmp_path / "few"))
    assert (measured.questions_of(few), few.where) == (2, "your questions of this session")
    asked(monkeypatch, 0)
    assert measured.basis(NOW, service(tmp_path / "none")) == measured.MeasuredAnswers()
