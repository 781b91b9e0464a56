"""Judged answers: what is kept of each, the questions made of them, and that forgetting reaches them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from backends.feedback.judged_answers import JudgedAnswer, JudgedAnswers, counts, gold_of
from backends.system.data_holder import REMOVED

FIRST = JudgedAnswer("r1", "rag", "How long may I return it?", "30 days [1].", ("returns.md",))


def test_what_is_said_of_an_answer_replaces_what_was_said_before(tmp_path: Path) -> None:
    kept = JudgedAnswers(tmp_path / "new")
    kept.keep(replace(FIRST, right=True))
    kept.keep(replace(FIRST, backend="hybrid", right=False))
    kept.keep(replace(FIRST, right=False))
    assert [(each.backend, each.right) for each in kept.all()] == [("hybrid", False), ("rag", False)]
    assert counts(kept.all()) == {"hybrid": (0, 1), "rag": (0, 1)}
    kept.keep(FIRST)  # taken back: nothing is said, nothing is kept
    assert kept.find("r1", "rag") is None


def test_cases_are_questions_with_the_gold_answer_and_the_newest_counts(tmp_path: Path) -> None:
    kept = JudgedAnswers(tmp_path)
    assert kept.questions() == []
    kept.keep(replace(FIRST, gold=gold_of(FIRST.text)))
    kept.keep(replace(FIRST, round="r2", question="how long may I  return it?", gold="30 days", right=True))
    (case,) = kept.questions()
    assert (case.answers, case.documents, case.category) == (("30 days",), ("returns.md",), "from Compare")
    kept.clear_cases()
    assert kept.questions() == [] and [each.round for each in kept.all()] == ["r2"]


def test_a_blanked_row_and_a_broken_line_are_no_judgement(tmp_path: Path) -> None:
    kept = JudgedAnswers(tmp_path)
    kept.keep(replace(FIRST, gold="30 days"))
    kept.path.write_text(kept.path.read_text().replace("How long may I return it?", REMOVED) + "{broken\n")
    assert kept.all() == []
