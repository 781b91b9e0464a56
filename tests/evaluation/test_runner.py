"""Runs: order, resumption after a kill at any point, storage, and what a changed place does to them."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from backends.datatypes import BACKEND_NAMES, Question, UserError
from backends.evaluation.archive import Run, RunRecord, RunStore
from backends.evaluation.comparison import Board
from backends.evaluation.reports import as_html, as_json, as_markdown, read_json, rows
from backends.evaluation.run_rows import open_runs
from backends.evaluation.runner import carry_out, groups, plain_arms, plan, sweep_arms
from backends.settings import Settings
from tests.evaluation.subjects import ScriptedSubject, make_questions, without_times

SETTINGS = Settings(top_k=4)


@pytest.fixture
def archive(tmp_path: Path) -> RunStore:
    return open_runs(tmp_path)


def planned(subject: ScriptedSubject, questions: list[Question], settings: Settings = SETTINGS) -> RunRecord:
    return plan(subject, questions, plain_arms(BACKEND_NAMES, settings), question_set="test")


def evaluated(archive: RunStore, subject: ScriptedSubject, count: int = 10) -> Run:
    return carry_out(archive, archive.begin(planned(subject, make_questions(count))), subject)


class Killed(BaseException):
    """The process dies here: nothing catches it."""


def test_the_backend_that_begins_rotates_and_all_are_warmed_first(archive: RunStore) -> None:
    subject = ScriptedSubject()
    run = evaluated(archive, subject, 4)
    assert subject.warmed == list(BACKEND_NAMES)
    assert subject.asked[:4] == [("q000", b) for b in ("rag", "fine_tuned", "hybrid", "base")]
    assert subject.asked[4:8] == [("q001", b) for b in ("fine_tuned", "hybrid", "base", "rag")]
    assert [q for q, _ in subject.asked[::4]] == ["q000", "q001", "q002", "q003"]
    assert run.record.complete
    assert run.record.sittings == 1


def test_a_stored_run_is_the_same_after_a_restart(archive: RunStore, tmp_path: Path) -> None:
    run = evaluated(archive, ScriptedSubject())
    assert open_runs(tmp_path).load(run.record.run) == run
    assert open_runs(tmp_path).records() == [run.record]
    setting = run.record.setting
    assert setting.documents["d3.md"] == 1
    assert setting.adapters["fine_tuned"]["fingerprint"] == "a1"
    assert run.record.arms[0].settings["top_k"] == 4


@pytest.mark.parametrize("killed_at", [0, 1, 7, 21, 39])
def test_killed_anywhere_and_resumed_gives_the_same_table(
    archive: RunStore, tmp_path: Path, killed_at: int
) -> None:
    whole = evaluated(archive, ScriptedSubject())
    calls = iter(range(1000))

    def die(question: str, backend: str) -> None:
        if next(calls) == killed_at:
            raise Killed

    killed = open_runs(tmp_path / "other")
    record = killed.begin(planned(ScriptedSubject(), make_questions(10)))
    with pytest.raises(Killed):
        carry_out(killed, record, ScriptedSubject(before=die))
    answers = tmp_path / "other" / "evaluations" / record.run / "answers.jsonl"
    if answers.exists():  # the kill also tore the line being written
        answers.write_bytes(answers.read_bytes() + b'{"question": "q0')
    again = ScriptedSubject()
    begun = killed.unfinished(planned(again, make_questions(10)))
    assert begun is not None
    resumed = carry_out(killed, begun, again)
    assert len(again.asked) == 40 - killed_at
    assert resumed.record.sittings == 2
    # The same answers, and every figure of the table but the times.
    assert [(e.question, e.arm, without_times(e.answer), e.scores) for e in resumed.entries] == [
        (e.question, e.arm, without_times(e.answer), e.scores) for e in whole.entries
    ]
    assert list(rows(Board(resumed)))[:-1] == list(rows(Board(whole)))[:-1]


def test_cancelling_stops_after_the_answer_at_hand(archive: RunStore) -> None:
    stop = threading.Event()
    subject = ScriptedSubject(before=lambda question, backend: stop.set() if question == "q002" else None)
    record = archive.begin(planned(subject, make_questions(10)))
    run = carry_out(archive, record, subject, cancelled=stop)
    assert (len(run.entries), run.record.complete) == (9, False)
    assert carry_out(archive, record, ScriptedSubject()).record.complete


def test_stop_while_documents_are_indexed_leaves_the_run_to_go_on_with(archive: RunStore) -> None:
    stop = threading.Event()
    record = archive.begin(planned(ScriptedSubject(), make_questions(10)))
    with pytest.raises(UserError, match="Cancelled"):
        carry_out(archive, record, ScriptedSubject(before_warm_up=stop.set), cancelled=stop)
    assert not archive.load(record.run).record.complete
    subject = ScriptedSubject()
    with pytest.raises(UserError, match="Cancelled"):
        carry_out(archive, record, subject, cancelled=stop)  # set before it begins
    assert (subject.warmed, subject.asked) == ([], [])
    assert carry_out(archive, record, subject).record.complete


def test_a_finished_run_is_not_continued(archive: RunStore) -> None:
    subject = ScriptedSubject()
    evaluated(archive, subject)
    assert archive.unfinished(planned(subject, make_questions(10))) is None


def test_other_settings_questions_or_adapters_are_other_work(archive: RunStore) -> None:
    subject = ScriptedSubject()
    archive.begin(planned(subject, make_questions(10)))
    assert archive.unfinished(planned(subject, make_questions(10))) is not None
    assert archive.unfinished(planned(subject, make_questions(9))) is None
    assert archive.unfinished(planned(subject, make_questions(10), Settings(top_k=5))) is None
    assert archive.unfinished(planned(ScriptedSubject(adapter="a2"), make_questions(10))) is None


def test_a_run_does_not_go_on_with_another_adapter(archive: RunStore) -> None:
    record = archive.begin(planned(ScriptedSubject(), make_questions(10)))
    with pytest.raises(UserError, match="have changed since"):
        carry_out(archive, record, ScriptedSubject(adapter="a2"))


def test_a_training_that_ends_during_an_evaluation_changes_no_answer(archive: RunStore) -> None:
    subject = ScriptedSubject()

    def train(question: str, backend: str) -> None:
        if (question, backend) == ("q002", "hybrid"):
            subject.adapter = "a2"

    subject.before = train
    record = archive.begin(planned(subject, make_questions(10)))
    with pytest.raises(UserError, match="changed while it worked"):
        carry_out(archive, record, subject)
    stored = archive.load(record.run)
    assert not stored.record.complete
    assert ("q002", "hybrid") not in {(entry.question, entry.arm) for entry in stored.entries}
    assert ("q001", "hybrid") in {(entry.question, entry.arm) for entry in stored.entries}


def test_a_gold_document_that_is_not_in_the_library_is_said(archive: RunStore) -> None:
    questions = [
        *make_questions(4),
        Question("odd", "Where is it?", ("Oslo",), ("d1.md", "lost.md")),
        Question("odder", "When is it?", ("May",), ("<gone>.pdf",)),
    ]
    subject = ScriptedSubject()
    board = Board(carry_out(archive, archive.begin(planned(subject, questions)), subject))
    (note,) = board.notes
    assert note.startswith("2 of 6 questions name a gold document that is not among the documents asked: ")
    assert "<gone>.pdf (question odder), lost.md (question odd)" in note
    assert list(rows(board))[-1]["notes"] == [note]
    assert r"\<gone\>" in as_markdown(board) or "&lt;gone&gt;" in as_markdown(board)
    assert "&lt;gone&gt;.pdf" in as_html(board)
    assert Board(evaluated(archive, ScriptedSubject())).notes == []


def test_two_workers_cannot_share_a_run(archive: RunStore) -> None:
    record = archive.begin(planned(ScriptedSubject(), make_questions(10)))
    with archive.alone(record.run), pytest.raises(UserError, match="being worked on already"):
        carry_out(archive, record, ScriptedSubject())


def test_a_backend_that_fails_leaves_the_others(archive: RunStore) -> None:
    run = evaluated(archive, ScriptedSubject(broken="hybrid"))
    assert {e.failure for e in run.entries_of("hybrid").values()} == {"The adapter is not trained yet."}
    board = Board(run)
    assert list(board.arms) == ["rag", "fine_tuned", "base"]
    assert {d.first for d in board.differences} | {d.second for d in board.differences} == set(board.arms)


def test_questions_without_gold_answers_are_refused() -> None:
    with pytest.raises(UserError, match='"answers"'):
        planned(ScriptedSubject(), [Question("a", "Why?")])
    with pytest.raises(UserError, match="at least one"):
        planned(ScriptedSubject(), [])


def test_a_sweep_works_through_one_index_after_another(archive: RunStore) -> None:
    grid = [{"chunk_size": size, "top_k": k} for size in (64, 128) for k in (2, 8)]
    arms = sweep_arms(["rag"], Settings(), grid)
    assert [arm.name for arm in arms][:2] == ["rag, chunk size 64, top k 2", "rag, chunk size 64, top k 8"]
    assert [[arm.settings["top_k"] for arm in group] for group in groups(arms)] == [[2, 8], [2, 8]]
    subject = ScriptedSubject()
    record = plan(subject, make_questions(10), arms, question_set="test")
    board = Board(carry_out(archive, archive.begin(record), subject))
    assert len(board.arms) == 4
    assert len(board.differences) == 3  # each against the best
    assert board.arms["rag, chunk size 64, top k 8"].prompt_tokens == 210


def test_an_overlap_that_does_not_fit_shrinks() -> None:
    arms = sweep_arms(["rag"], Settings(chunk_overlap=24), [{"chunk_size": 32}, {"chunk_size": 256}])
    assert [arm.settings["chunk_overlap"] for arm in arms] == [6, 24]


def test_runs_are_found_by_id_beginning_name_and_latest(archive: RunStore) -> None:
    subject = ScriptedSubject()
    first = evaluated(archive, subject).record
    named = archive.begin(
        plan(subject, make_questions(2), plain_arms(["rag"], SETTINGS), question_set="t", name="x")
    )
    assert archive.find(first.run) == first
    assert archive.find("x").run == named.run
    assert archive.find("latest") == first  # the other one is not complete
    assert archive.find(first.run[:-1]).run == first.run
    with pytest.raises(UserError, match="no evaluation run 'nope'"):
        archive.find("nope")
    with pytest.raises(UserError, match="2 runs begin with"):
        archive.find("20")
    archive.delete("x")
    assert archive.records() == [first]


def test_a_json_report_holds_the_whole_run(archive: RunStore, tmp_path: Path) -> None:
    run = evaluated(archive, ScriptedSubject())
    path = tmp_path / "report.json"
    path.write_text(as_json(Board(run)))
    assert read_json(path) == run
    path.write_text(json.dumps({"rows": []}))
    with pytest.raises(UserError, match="no evaluation report"):
        read_json(path)
