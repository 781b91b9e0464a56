"""A judge model beside the offline measures: what it is asked, what is kept, how it is shown."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from backends.datatypes import BACKEND_NAMES, UserError
from backends.evaluation import ragas_judge, reports
from backends.evaluation.archive import Archive, RunRecord
from backends.evaluation.comparison import Board
from backends.evaluation.judging import (
    JUDGED,
    Endpoint,
    Sample,
    UnreadableVerdict,
    judge_agreement,
    judge_run,
)
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.settings import Settings
from tests.evaluation.judges import ScriptedJudge, judge_server
from tests.evaluation.subjects import ScriptedSubject, make_questions


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


@pytest.fixture
def record(archive: Archive) -> RunRecord:
    subject = ScriptedSubject()
    arms = plain_arms(BACKEND_NAMES, Settings(top_k=4))
    planned = plan(subject, make_questions(10), arms, question_set="ten")
    return carry_out(archive, archive.begin(planned), subject).record


def test_only_what_an_offline_measure_applies_to_is_judged(archive: Archive, record: RunRecord) -> None:
    judge = ScriptedJudge()
    run = judge_run(archive, record.run, judge)
    offline = [(e.question, e.arm, {k for k in JUDGED if k in e.scores}) for e in run.entries]
    assert [(v.question, v.arm, set(v.scores)) for v in run.verdicts] == [o for o in offline if o[2]]
    sample, measures = judge.asked[0]
    assert (sample.question, sample.reference) == ("How long is term 0?", "0 days")
    assert set(measures) == set(JUDGED)
    assert len(sample.passages) == 4
    assert "[1]" not in sample.answer


def test_both_figures_are_over_the_same_answers(archive: Archive, record: RunRecord) -> None:
    board = Board(judge_run(archive, record.run, ScriptedJudge(unreadable="How long is term 3?")))
    scores = board.scores("rag")
    kept = [name for name in scores if name != "q003" and "faithfulness" in scores[name]]
    made = next(b for b in judge_agreement(board) if (b.arm, b.measure) == ("rag", "faithfulness"))
    assert (made.theirs.value, made.theirs.count, made.ours.count) == (0.25, len(kept), len(kept))
    assert made.ours.value == pytest.approx(sum(scores[name]["faithfulness"] for name in kept) / len(kept))
    assert board.run.judged("rag")["q003"].failure == "The judge's words were not readable."


def test_an_interrupted_judging_goes_on_where_it_stopped(archive: Archive, record: RunRecord) -> None:
    stop = threading.Event()
    first = ScriptedJudge()

    def progress(done: int, total: int, what: str) -> None:
        if done == 5:
            stop.set()

    judge_run(archive, record.run, first, progress=progress, cancelled=stop)
    with (archive.folder / record.run / "verdicts.jsonl").open("a") as file:
        file.write('{"torn')
    second = ScriptedJudge()
    whole = judge_run(archive, record.run, second)
    assert len(first.asked) == 6
    assert (
        len(first.asked) + len(second.asked)
        == len(whole.verdicts)
        == len({(v.question, v.arm) for v in whole.verdicts})
    )
    assert judge_run(archive, record.run, ScriptedJudge(0.9)) == whole


def test_a_judge_that_goes_away_leaves_what_it_said(archive: Archive, record: RunRecord) -> None:
    with pytest.raises(UserError, match="does not answer"):
        judge_run(archive, record.run, ScriptedJudge(gone="How long is term 4?"))
    assert {v.question for v in archive.load(record.run).verdicts} == {"q000", "q001", "q002", "q003"}


def test_another_judge_is_asked_anew_and_the_newest_is_shown(archive: Archive, record: RunRecord) -> None:
    judge_run(archive, record.run, ScriptedJudge(0.25))
    other = ScriptedJudge(0.5)
    other.name = "judge-70b"
    board = Board(judge_run(archive, record.run, other))
    assert {(b.judge, b.theirs.value) for b in judge_agreement(board)} == {("judge-70b", 0.5)}


def test_every_report_shows_the_judge_beside_ours(
    archive: Archive, record: RunRecord, tmp_path: Path
) -> None:
    board = Board(judge_run(archive, record.run, ScriptedJudge()))
    for text in (reports.as_markdown(board), reports.as_html(board)):
        assert "RAGAS 0 with the judge model judge-7b" in text
        assert "0.25 (0.25-0.25)" in text
    assert reports.as_csv(board).splitlines()[0].endswith("ragas_context_precision,ragas_context_recall")
    path = tmp_path / "run.json"
    path.write_text(reports.as_json(board))
    assert reports.read_json(path) == board.run
    rows = [row for row in json.loads(path.read_text())["rows"] if "judge" in row]
    assert {(row["judge"], row["value"]) for row in rows} == {("judge-7b", 0.25)}
    assert {row["metric"] for row in rows} == {f"ragas_{key}" for key in JUDGED}


def test_without_a_judge_no_report_speaks_of_one(archive: Archive, record: RunRecord) -> None:
    board = Board(archive.load(record.run))
    assert judge_agreement(board) == []
    assert "Judged by a model" not in reports.as_markdown(board) + reports.as_html(board)
    assert "ragas" not in reports.as_csv(board)


def test_the_endpoint_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "MODEL", "KEY"):
        monkeypatch.delenv(f"TRIPTYCH_JUDGE_{name}", raising=False)
    assert Endpoint.configured() is None
    monkeypatch.setenv("TRIPTYCH_JUDGE_URL", "http://localhost:1/v1")
    with pytest.raises(UserError, match="TRIPTYCH_JUDGE_URL is set, but TRIPTYCH_JUDGE_MODEL is not"):
        Endpoint.configured()
    monkeypatch.setenv("TRIPTYCH_JUDGE_MODEL", "m")
    monkeypatch.setenv("TRIPTYCH_JUDGE_KEY", "secret")
    assert Endpoint.configured() == Endpoint("http://localhost:1/v1", "m", "secret")
    assert "secret" not in repr(Endpoint.configured())


def test_the_judge_may_be_a_model_of_models_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[judge]\naddress = "http://localhost:2/v1"\nmodel = "j-70b"\nkey = "JUDGES_KEY"\n'
    (tmp_path / "models.toml").write_text(text)
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("TRIPTYCH_JUDGE_URL", raising=False)
    monkeypatch.setenv("TRIPTYCH_JUDGE_MODEL", "judge")
    with pytest.raises(UserError, match="JUDGES_KEY"):
        Endpoint.configured()
    monkeypatch.setenv("JUDGES_KEY", "secret")
    assert Endpoint.configured() == Endpoint("http://localhost:2/v1", "j-70b", "secret")
    monkeypatch.setenv("TRIPTYCH_JUDGE_MODEL", "nobody")
    with pytest.raises(UserError, match="is set, but"):
        Endpoint.configured()


# --- the library itself ----------------------------------------------------------------------------


def embed(texts: Sequence[str]) -> np.ndarray:
    """Letters counted, at length 1."""
    rows = np.array([[text.lower().count(c) for c in "abcdefghijklmnopqrstuvwxyz"] for text in texts], float)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


SAMPLE = Sample(
    "Who paints the boat?",
    "Ann paints the boat. Bob sails it.",
    ("The harbour is old.", "Ann paints the boat. It is red."),
    "Ann paints the boat.",
)


def test_ragas_scores_as_its_definitions_say() -> None:
    pytest.importorskip("ragas", reason="the optional extra 'ragas' is not installed")
    with (
        judge_server() as (url, requests),
        ragas_judge.RagasJudge(Endpoint(url, "judge-7b", "k"), embed) as judge,
    ):
        made = judge.score(SAMPLE, JUDGED)
        question, answer = embed([SAMPLE.question, SAMPLE.answer])
    assert made == {
        "faithfulness": 0.5,  # one of two statements
        "answer_relevancy": pytest.approx(float(question @ answer)),
        "context_precision": pytest.approx(0.5),  # the useful passage stands second
        "context_recall": 1.0,
    }
    assert judge.library.startswith("RAGAS 0.")
    assert {(request["model"], request["key"]) for request in requests} == {("judge-7b", "Bearer k")}


def test_a_judge_that_cannot_be_reached_or_read_is_told_apart() -> None:
    pytest.importorskip("ragas", reason="the optional extra 'ragas' is not installed")
    with (
        judge_server(readable=False) as (url, _),
        ragas_judge.RagasJudge(Endpoint(url, "judge-7b"), embed) as judge,
        pytest.raises(UnreadableVerdict),
    ):
        judge.score(SAMPLE, ["faithfulness"])
    with (
        ragas_judge.RagasJudge(Endpoint(url, "judge-7b"), embed) as judge,
        pytest.raises(UserError, match=f"judge-7b at {url} does not answer: Connection error"),
    ):
        judge.score(SAMPLE, JUDGED)


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'triptych\[ragas\]'"):
        ragas_judge.RagasJudge(Endpoint("http://localhost:1/v1", "m"), embed)
