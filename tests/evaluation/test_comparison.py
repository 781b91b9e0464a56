"""Scores and comparisons by hand; a planted regression is flagged, an identical run is not."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from backends.datatypes import BACKEND_NAMES, UserError
from backends.evaluation.archive import Archive, Run
from backends.evaluation.comparison import Board, arm_label, clearly_best, compare_with_baseline, differing
from backends.evaluation.reports import as_csv, as_html, as_junit, as_markdown, rows
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.evaluation.scoring import BY_KEY, MEASURES
from backends.settings import Settings
from tests.evaluation.subjects import ScriptedSubject, make_questions

QUESTIONS = make_questions(80)


def run_of(folder: Path, subject: ScriptedSubject | None = None, count: int = 80, **settings: object) -> Run:
    subject = subject or ScriptedSubject()
    chosen = Settings(**{"top_k": 4, **settings})  # type: ignore[arg-type]
    planned = plan(subject, QUESTIONS[:count], plain_arms(BACKEND_NAMES, chosen), question_set="test")
    archive = Archive(folder)
    return carry_out(archive, archive.begin(planned), subject)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return Board(run_of(tmp_path_factory.mktemp("runs")))


def test_scores_by_hand(tmp_path: Path) -> None:
    board = Board(run_of(tmp_path, ScriptedSubject(skill=dict.fromkeys(BACKEND_NAMES, 1.0)), count=20))
    rag = board.arms["rag"].scores
    assert rag["right"].value == 1
    assert (rag["contained"].count, rag["json_valid"].count, rag["abstention_recall"].count) == (16, 2, 2)
    assert rag["exact_match"].value == 0  # it says more than the gold answer
    # {n, days} of {n, days, term, is, set}: 2 x 2 / (5 + 2)
    assert rag["f1"].value == pytest.approx(4 / 7)
    assert rag["abstention_precision"].value == 1
    assert rag["answer_relevancy"].value == pytest.approx(16 * 0.5 / 18)  # two of 18 decline
    # Of 18 questions with gold documents, all are among the first four.
    assert (rag["recall_at_k"].value, rag["recall_at_k"].count) == (1, 18)
    assert rag["precision_at_k"].value == 0.25
    assert "recall_at_k" not in board.arms["base"].scores
    assert set(board.arms["rag"].by_category) == {
        "lookup",
        "table",
        "condition",
        "structured",
        "unanswerable",
    }
    assert board.arms["rag"].latency_ms["total"][50] == 140
    assert set(rag) <= {measure.key for measure in MEASURES}


def test_plain_words_come_first(before: Board) -> None:
    words = before.verdicts()
    assert words[0].startswith("RAG answers ") and " than Fine-tuned; " in words[0]  # always told, and first
    assert "unlikely to be chance" in words[1] and " than Base" in words[-1]
    first = before.conclusion()
    assert first.startswith("Hybrid answers ") and " of 100 questions right, RAG " in first
    hybrid_rag = next(
        d for d in before.differences if (d.measure, d.first, d.second) == ("right", "hybrid", "rag")
    )
    points = round(100 * hybrid_rag.difference)
    assert hybrid_rag.sentence.startswith(f"Hybrid answers {points} more of 100 questions right than RAG; ")
    assert hybrid_rag.only_first is not None and hybrid_rag.only_second is not None
    assert (hybrid_rag.only_first - hybrid_rag.only_second) / 80 == pytest.approx(hybrid_rag.difference)
    low, high = hybrid_rag.interval
    assert low < hybrid_rag.difference < high
    assert clearly_best(before) == ("hybrid" if hybrid_rag.significant else None)


def test_an_identical_run_raises_no_alarm(before: Board, tmp_path: Path) -> None:
    compared = compare_with_baseline(Board(run_of(tmp_path)), before)
    assert compared.shared == 80
    assert (compared.regressions, compared.improvements, compared.notes) == ([], [], ())
    assert all(made.difference == 0 for made in compared.differences)


def test_top_k_1_is_flagged(before: Board, tmp_path: Path) -> None:
    compared = compare_with_baseline(Board(run_of(tmp_path, top_k=1)), before)
    flagged = {(made.first, made.measure) for made in compared.regressions}
    assert {("rag", "recall_at_k"), ("hybrid", "recall_at_k"), ("hybrid", "right")} <= flagged
    assert not {arm for arm, _ in flagged} & {"fine_tuned", "base"}
    assert compared.notes == ("Settings changed: top k 4 -> 1.",)
    assert "fewer of 100 questions right than before" in next(
        made.sentence for made in compared.regressions if made.measure == "right"
    )


def test_a_damaged_adapter_is_flagged(before: Board, tmp_path: Path) -> None:
    damaged = ScriptedSubject(adapter="a2")
    damaged.skill["fine_tuned"] = 0.05
    compared = compare_with_baseline(Board(run_of(tmp_path, damaged)), before)
    assert {made.first for made in compared.regressions} == {"fine_tuned"}
    assert compared.notes == ("The fine-tuned adapter is another one.",)


def test_false_alarms_are_rare_when_answers_vary_by_chance(before: Board) -> None:
    """20 pairs of runs of the same skill whose answers differ by chance: at most 2 may be flagged."""
    alarms = 0
    for seed in range(20):
        one, two = (Board(by_chance(before, np.random.default_rng((seed, side)))) for side in range(2))
        alarms += bool(compare_with_baseline(two, one).regressions)
    assert alarms <= 2


def by_chance(board: Board, draw: np.random.Generator) -> Run:
    """The same run with every score drawn anew: shares by their mean, the others around theirs."""
    run = board.run
    means = {arm: {key: s.value for key, s in board.arms[arm].scores.items()} for arm in ("rag", "base")}
    entries = []
    for entry in run.entries:
        if entry.arm in means:
            mean = means[entry.arm]
            scores = {
                key: float(draw.random() < mean[key])
                if BY_KEY[key].kind == "share"
                else float(np.clip(draw.normal(mean[key], 0.2), 0, 1))
                for key in entry.scores
            }
            entries.append(replace(entry, scores=scores))
    return Run(run.record, tuple(entries))


def test_only_shared_questions_are_compared(before: Board, tmp_path: Path) -> None:
    compared = compare_with_baseline(Board(run_of(tmp_path, count=50)), before)
    assert compared.shared == 50
    compared = compare_with_baseline(before, Board(run_of(tmp_path / "small", count=50)))
    assert compared.shared == 50
    assert "50 of 80 questions are in both runs" in compared.notes[0]


def test_runs_without_a_common_question_are_refused(before: Board, tmp_path: Path) -> None:
    subject = ScriptedSubject()
    other = make_questions(130)[120:]
    archive = Archive(tmp_path)
    planned = plan(subject, other, plain_arms(["rag"], Settings()), question_set="other")
    with pytest.raises(UserError, match="share no question"):
        compare_with_baseline(Board(carry_out(archive, archive.begin(planned), subject)), before)


def test_differing_questions(before: Board) -> None:
    found = differing(before.run, ["rag", "hybrid"])
    rag, hybrid = before.scores("rag"), before.scores("hybrid")
    assert found == [q.id for q in QUESTIONS if rag[q.id]["right"] != hybrid[q.id]["right"]]
    assert 0 < len(found) < 80


# --- files ---------------------------------------------------------------------------------------


def test_rows_end_with_the_run(before: Board) -> None:
    made = list(rows(before))
    assert made[-1]["run"] == before.run.record.run
    score = next(row for row in made if row.get("metric") == "right" and row.get("backend") == "rag")
    assert score["interval"][0] < score["value"] < score["interval"][1]
    tests = [row for row in made if "test" in row]
    assert {row["test"] for row in tests} == {"mcnemar", "permutation"}


def test_every_report_shows_the_same_figures(before: Board, tmp_path: Path) -> None:
    compared = compare_with_baseline(Board(run_of(tmp_path, top_k=1)), before)
    right = before.arms["hybrid"].scores["right"]
    cell = f"{100 * right.value:.0f} % ({100 * right.interval[0]:.0f}-{100 * right.interval[1]:.0f})"
    assert cell in as_markdown(before, compared)
    assert cell in as_html(before, compared)
    table = list(csv.DictReader(io.StringIO(as_csv(before))))
    hybrid = [row for row in table if row["arm"] == "hybrid"]
    assert len(table) == 320
    assert sum(float(row["right"]) for row in hybrid) / 80 == pytest.approx(right.value)


def test_texts_cannot_break_out_of_a_report(before: Board, tmp_path: Path) -> None:
    subject = ScriptedSubject()
    question = make_questions(1)[0]
    evil = type(question)("e", "<script>alert(1)</script> 1", ("=1+1",), ("d1.md",))
    archive = Archive(tmp_path)
    planned = plan(subject, [evil], plain_arms(["base"], Settings()), question_set="t", name="<b>")
    board = Board(carry_out(archive, archive.begin(planned), subject))
    assert "<script>" not in as_html(board)
    assert "<b>" not in as_html(board)
    assert next(csv.DictReader(io.StringIO(as_csv(board))))["gold_answers"] == "'=1+1"


def test_junit_tells_a_build_server(before: Board, tmp_path: Path) -> None:
    board = Board(run_of(tmp_path, top_k=1))
    compared = compare_with_baseline(board, before)
    suite = ElementTree.fromstring(as_junit(board, compared)).find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    assert int(suite.attrib["tests"]) == len(cases) == 4 + len(compared.differences)
    assert int(suite.attrib["failures"]) == len(compared.regressions) == len(suite.findall(".//failure"))


def test_arms_are_called_by_their_labels() -> None:
    assert arm_label("fine_tuned") == "Fine-tuned"
    assert arm_label("hybrid, chunk size 64, top k 4") == "Hybrid, chunk size 64, top k 4"
