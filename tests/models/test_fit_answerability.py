"""Fitting the rule that declines: the threshold keeps its promise, the curve says what it costs."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from backends.answering.answerability import Signs
from backends.retrieval.span_reader import Span

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models"))

import fit_answerability
from fit_answerability import FALSE_DECLINES, Kept, Outcome, curve, fit, publish


class LengthReader:
    """The score of a passage stands in it."""

    def read(self, question: str, passages: Sequence[str]) -> list[Span]:
        return [Span(0, 1, p[:1], float(p), 0.5) for p in passages]


@pytest.fixture(scope="module")
def found() -> list[Outcome]:
    rng = random.Random(1)
    made = []
    for n in range(120):
        answerable = n % 3 > 0
        score = rng.gauss(1.5 if answerable else -1.5, 1.0)
        made.append(
            Outcome(
                f"question {n}",
                answerable,
                "rag" if n % 2 else "hybrid",
                [str(score), str(score - 1)],
                rng.gauss(1.0 if answerable else 0.0, 1.0),
                rng.uniform(0.5, 1.0) if answerable else rng.uniform(0.3, 0.9),
                False,
            )
        )
    return made


def test_false_declines_stay_within_the_promise_and_most_others_are_caught(found: list[Outcome]) -> None:
    fitted = fit(found, LengthReader())
    declined = fitted.probabilities < fitted.rule.threshold
    said = np.array([each.answerable for each in found])
    assert declined[said].mean() <= FALSE_DECLINES
    assert declined[~said].mean() > 0.6
    assert fitted.rule.reader > 0 < fitted.rule.confidence
    sure, doubtful = Signs(3.0, 2.0), Signs(-3.0, -1.0)
    assert not fitted.rule.judge(sure, 0.95).declines and fitted.rule.judge(doubtful, 0.4).declines
    table = curve(found, fitted)
    assert table.count("(shipped)") == 1 and table.splitlines()[2].startswith("| 0.00 | 0 % (0-")


def test_the_curve_is_published_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_answerability, "ROOT", tmp_path)
    page = tmp_path / "docs" / "results.md"
    page.parent.mkdir()
    page.write_text("# Results\n")
    publish("| old |")
    publish("| new |")
    assert page.read_text().count(fit_answerability.SECTION) == 1
    assert "| new |" in page.read_text() and "| old |" not in page.read_text()


def test_answers_are_kept_by_question_and_models(tmp_path: Path, found: list[Outcome]) -> None:
    path = tmp_path / "kept.jsonl"
    assert Kept(path, "model a").answer("q", lambda: found[0]) == found[0]
    assert Kept(path, "model a").answer("q", lambda: found[1]) == found[0]
    assert Kept(path, "model b").answer("q", lambda: found[1]) == found[1]
    assert Kept(path, "model b").answer("other", lambda: None) is None
