"""The evaluation page: a run, its numbers, what differs, a baseline, a sweep, the visitor's own questions."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from backends.datatypes import BACKEND_NAMES
from backends.evaluation.archive import Archive, RunRecord, RunStore
from backends.evaluation.comparison import Board
from backends.evaluation.probes import sample_questions
from backends.evaluation.reports import rows
from backends.evaluation.run_rows import open_runs
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.offline import subject as subject_module
from backends.settings import Settings
from backends.system.jobs import JobContext
from backends.training import row_building
from pages.ui import resources
from pages.ui.evaluator import KIND, Evaluator, visitors_archive
from tests.evaluation.judges import ScriptedJudge
from tests.evaluation.subjects import ScriptedSubject, make_questions
from tests.fakes import AgreeableReader
from tests.pages.conftest import APP, settle
from tests.pages.drawn_tables import table_with
from tests.pages.scripted import ScriptedServices

Visit = Callable[[], AppTest]
QUESTIONS = make_questions(40)


@pytest.fixture
def open_page(visit: Visit) -> Visit:
    def come() -> AppTest:
        return settle(visit().switch_page(str(APP.parent / "pages/evaluate/evaluate_page.py")))

    return come


@pytest.fixture
def archive(services: ScriptedServices, tmp_path: Path) -> RunStore:
    return open_runs(tmp_path)


def stored(archive: RunStore, subject: ScriptedSubject | None = None, **settings: object) -> RunRecord:
    subject = subject or ScriptedSubject()
    chosen = Settings(**{"top_k": 4, **settings})  # type: ignore[arg-type]
    arms = plain_arms(BACKEND_NAMES, chosen)
    planned = plan(subject, QUESTIONS, arms, question_set="test", name=f"top {chosen.top_k}")
    return carry_out(archive, archive.begin(planned), subject).record


def words(app: AppTest) -> str:
    kinds = (app.header, app.markdown, app.caption, app.info, app.warning, app.error, app.success)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def test_an_empty_page_says_what_to_do(open_page: Visit) -> None:
    app = open_page()
    assert app.header[0].value == "Nothing has been evaluated yet\\."
    assert [b.label for b in app.button if b.key == "run"] == ["Run"]


def test_a_run_from_the_browser(open_page: Visit, archive: RunStore) -> None:
    app = open_page()
    app.slider(key="many-test").set_value(20)
    settle(app)
    app.text_input(key="run_name").set_value("first")
    app.button(key="run").click()
    settle(app)
    (record,) = archive.records()
    assert (record.name, len(record.questions), record.complete) == ("first", 20, True)
    assert "Scoreboard" in [s.value for s in app.subheader]
    assert "questions" in words(app)


def test_the_page_shows_the_figures_of_the_command_line(open_page: Visit, archive: RunStore) -> None:
    record = stored(archive)
    app = open_page()
    board = Board(archive.load(record.run))
    right = next(r for r in rows(board) if r.get("metric") == "right" and r["backend"] == "hybrid")
    low, high = right["interval"]
    table = table_with(app, "Measure")
    cell = table.loc[table["Measure"] == "Answered right", "Hybrid"].item()
    assert cell == f"{100 * right['value']:.0f} % ({100 * low:.0f}-{100 * high:.0f})"
    assert all(line in words(app) for line in board.verdicts()[:3])
    assert {"RAG", "Fine-tuned"} <= set(board.verdicts()[0].replace(";", " ").split())
    assert app.header[0].value.replace("\\", "") == board.conclusion()


def test_questions_that_differ_side_by_side(open_page: Visit, archive: RunStore) -> None:
    record = stored(archive)
    app = open_page()
    table = next(d.value for d in app.dataframe if "Question" in d.value)
    run = archive.load(record.run)
    right = {q.id: {run.entries_of(arm)[q.id].scores["right"] for arm in BACKEND_NAMES} for q in QUESTIONS}
    assert list(table["Question"]) == [q.question for q in QUESTIONS if len(right[q.id]) > 1]
    assert set(table["RAG"]) <= {"✓ right", "✓ right, declined", "✗ wrong", "– declined"}
    assert "Gold answer:" in words(app)


def test_a_part_of_the_questions_is_drawn_from_every_kind(open_page: Visit, archive: RunStore) -> None:
    app = open_page()
    app.slider(key="many-test").set_value(12)
    settle(app)
    app.button(key="run").click()
    settle(app)
    (record,) = archive.records()
    assert {q.category for q in sample_questions("test")} == {q.category for q in record.questions}
    assert record.question_set == "Sample questions, test, 12 drawn from every kind"


def test_the_example_that_ships_gives_way_and_quotes_no_forgotten_document(archive: RunStore) -> None:
    example = stored(Archive(archive.workspace / "shipped"))
    names = frozenset(example.setting.documents)
    seen = Evaluator(
        ScriptedSubject(),
        archive,
        archive,
        False,
        lambda: None,
        names,
        Archive(archive.workspace / "shipped"),
    )
    assert seen.runs() == [] and seen.example() == example
    assert seen.board(example.run).run.record == example and not seen.is_own(example.run)
    more = replace(seen, names=names | {"mine.md"})
    assert more.example() == example
    assert replace(seen, names=names - {next(iter(names))}).example() is None


def test_a_regression_is_said_in_words_first(open_page: Visit, archive: RunStore) -> None:
    good = stored(archive)
    stored(archive, top_k=1)
    app = open_page()
    app.selectbox(key="baseline").set_value(good.run)
    settle(app)
    assert "Recall at k" in "\n".join(e.value for e in app.warning) and not app.error
    assert "Settings changed: top k 4 -> 1." in words(app)


def test_an_identical_run_shows_no_regression(open_page: Visit, archive: RunStore) -> None:
    first = stored(archive)
    stored(archive)
    app = open_page()
    app.selectbox(key="baseline").set_value(first.run)
    settle(app)
    assert not app.error
    assert "No significant change" in words(app)


def test_a_chosen_baseline_stays_an_option(open_page: Visit, archive: RunStore) -> None:
    runs = [stored(archive).run for _ in range(3)]
    app = open_page()
    assert len(set(app.selectbox(key="baseline").options)) == 3
    app.selectbox(key="baseline").set_value(runs[0])
    settle(app)
    app.selectbox(key=f"shown-{runs[-1]}").set_value(runs[0])
    settle(app)
    assert app.selectbox(key="baseline").value == runs[0]
    assert len(app.selectbox(key="baseline").options) == 4
    assert "This run is the baseline itself" in words(app)


def test_the_newest_run_is_shown_even_within_one_second(open_page: Visit, archive: RunStore) -> None:
    runs = [stored(archive).run for _ in range(6)]
    assert [record.run for record in archive.records()] == runs[::-1]
    assert open_page().selectbox(key=f"shown-{runs[-1]}").value == runs[-1]


@pytest.mark.own_file
def test_files_that_come_and_go_do_not_disturb_the_page(
    services: ScriptedServices, archive: RunStore, tmp_path: Path
) -> None:
    record = stored(archive)
    evaluator = services.service("ada").evaluator("ada")
    (tmp_path / "evaluations" / record.run / ".run.json.1").symlink_to(tmp_path / "gone")
    board = evaluator.board(record.run)
    assert evaluator.board(record.run) is board
    archive.update(replace(record, name="renamed"))
    assert evaluator.board(record.run).run.record.name == "renamed"


def test_own_questions_stay_with_their_visitor(open_page: Visit, archive: RunStore) -> None:
    ada = open_page()
    ada.segmented_control(key="question_set").set_value("own")
    settle(ada)
    lines = [{"question": q.question, "answers": q.answers, "documents": q.documents} for q in QUESTIONS[:8]]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    ada.file_uploader[0].set_value([("mine.jsonl", content, "application/json")])
    settle(ada)
    ada.button(key="run").click()
    settle(ada)
    assert "Scoreboard" in [s.value for s in ada.subheader]
    assert archive.records() == []
    assert "Nothing has been evaluated yet" in words(settle(open_page()))


def test_a_bad_file_is_explained(open_page: Visit) -> None:
    app = open_page()
    app.segmented_control(key="question_set").set_value("own")
    settle(app)
    app.file_uploader[0].set_value([("mine.csv", b"frage;antwort\nWas?;Das\n", "text/csv")])
    settle(app)
    assert 'no column "question"' in words(app)


def test_proposed_questions_are_reviewed_before_they_are_asked(
    open_page: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_building, "shipped", AgreeableReader)
    app = open_page()
    app.segmented_control(key="question_set").set_value("made")
    settle(app)
    app.button(key="propose").click()
    settle(app)
    table = next(d.value for d in app.dataframe if "made from" in d.value)
    assert set(table["document"]) <= set(app.multiselect(key="propose-from").value)
    assert table.loc[table["question"] == "What is the price for Lark Pro?", "answers"].item() == "$189"


def test_a_sweep_draws_what_pays(open_page: Visit, archive: RunStore) -> None:
    app = open_page()
    app.slider(key="many-test").set_value(10)
    app.toggle(key="sweep").set_value(True)
    settle(app)
    app.button(key="run").click()
    settle(app)
    (record,) = archive.records()
    assert record.sweep
    assert len(record.arms) == 9
    assert "Which settings pay" in [s.value for s in app.subheader]
    assert "combinations are worth having" in words(app)


def test_two_models_are_compared_as_backends_are(
    open_page: Visit, archive: RunStore, services: ScriptedServices
) -> None:
    app = open_page()
    services.by_visitor[app.session_state["triptych"].visitor].served = ("company",)
    app.run()
    app.slider(key="many-test").set_value(4)
    app.pills(key="answering-False").set_value(["rag", "hybrid"])
    app.pills(key="run-models").set_value(["embedded", "company"])
    settle(app)
    app.button(key="run").click()
    settle(app)
    (record,) = archive.records()
    names = ["rag, model embedded", "hybrid, model embedded", "rag, model company", "hybrid, model company"]
    assert [arm.name for arm in record.arms] == names
    assert not record.sweep
    assert "RAG, model company" in words(app)


def test_an_interrupted_run_goes_on(open_page: Visit, archive: RunStore) -> None:
    subject = ScriptedSubject()
    planned = plan(subject, QUESTIONS, plain_arms(BACKEND_NAMES, Settings()), question_set="test")
    record = archive.begin(planned)
    app = open_page()
    assert "0 of 160 answers are there" in words(app)
    app.button(key="go-on").click()
    settle(app)
    assert archive.find(record.run).complete
    jobs = resources.jobs().owned_by(app.session_state["triptych"].visitor, KIND)
    assert [job.state for job in jobs] == ["done"]


def test_a_run_in_the_making_is_shown_when_it_is_done(open_page: Visit, archive: RunStore) -> None:
    earlier = stored(archive)
    planned = plan(ScriptedSubject(), QUESTIONS, plain_arms(BACKEND_NAMES, Settings()), question_set="test")
    record, release = archive.begin(planned), threading.Event()
    app = open_page()
    assert "0 of 160 answers are there" in words(app)  # nobody works on it: it was interrupted

    def work(context: JobContext) -> None:
        context.emit(record.run)
        assert release.wait(20)

    visitor = app.session_state["triptych"].visitor
    job = resources.jobs().start(KIND, visitor, work)
    settle(app, until=lambda _: bool(job.events_since(0)))
    assert "of 160 answers" not in words(app)
    (shown,) = [box for box in app.selectbox if box.label == "Run"]
    assert [shown.value, len(shown.options)] == [earlier.run, 1]
    release.set()
    settle(app)
    (shown,) = [box for box in app.selectbox if box.label == "Run"]
    assert [shown.value, len(shown.options)] == [record.run, 2]


def test_a_run_that_ends_while_the_page_is_drawn_is_shown(
    open_page: Visit, archive: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = ScriptedSubject()
    planned = plan(subject, QUESTIONS, plain_arms(BACKEND_NAMES, Settings()), question_set="test")
    stored(archive)
    app, release = open_page(), threading.Event()

    def work(context: JobContext) -> str:
        assert release.wait(20)
        record = archive.begin(planned)
        context.emit(record.run)
        carry_out(archive, record, subject)
        return record.run

    job = resources.jobs().start(KIND, app.session_state["triptych"].visitor, work)
    read = Evaluator.runs

    def runs(evaluator: Evaluator) -> list[RunRecord]:
        found = read(evaluator)
        release.set()
        assert job.wait(20)
        return found

    monkeypatch.setattr(Evaluator, "runs", runs)
    app.run()
    assert [box.value for box in app.selectbox if box.label == "Run"] == [job.result]


def test_the_judge_tab_says_how_to_configure_one(
    open_page: Visit, archive: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRIPTYCH_JUDGE_URL", raising=False)
    monkeypatch.delenv("TRIPTYCH_JUDGE_MODEL", raising=False)
    stored(archive)
    app = open_page()
    app.session_state["tabs-False"] = "Judge model"
    assert "Set TRIPTYCH_JUDGE_URL to an OpenAI-compatible address" in words(settle(app.run()))
    assert not [b for b in app.button if b.key == "judge"]


def test_a_judge_model_is_asked_from_the_page(
    open_page: Visit, archive: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_JUDGE_URL", "http://localhost:1/v1")
    monkeypatch.setenv("TRIPTYCH_JUDGE_MODEL", "judge-7b")
    judge = ScriptedJudge(gone="How long is term 2?")
    monkeypatch.setattr(subject_module, "configured_judge", lambda: nullcontext(judge))
    record = stored(archive)
    app = open_page()
    app.session_state["tabs-False"] = "Judge model"
    settle(app.run())
    app.button(key="judge").click()
    settle(app)
    assert "The judge model judge-7b does not answer." in words(app)
    judge.gone = ""
    app.button(key="judge").click()
    settle(app)
    table = table_with(app, "judge model")
    assert set(table["judge model"]) == {"0.25 (0.25-0.25)"}
    assert "RAGAS 0 with the judge model judge-7b" in words(app)
    assert not [b for b in app.button if b.key == "judge"]
    assert len(archive.load(record.run).verdicts) == len(judge.asked)


@pytest.mark.own_file
def test_an_active_visitor_keeps_all_runs_and_an_absent_one_loses_them(tmp_path: Path) -> None:
    """The folder of a visitor is as old as the first visit: what lies below it says who is active."""
    month = 31 * 24 * 3600
    then = time.time() - month
    for name in ("ada", "ben", "cleo"):
        run = tmp_path / "visitors" / name / "evaluations" / "r1"
        run.mkdir(parents=True)
        (run / "answers.jsonl").write_text("{}\n")
        for path in (run / "answers.jsonl", run, run.parent, run.parent.parent):
            os.utime(path, (then, then))
    os.utime(tmp_path / "visitors/ben/evaluations/r1/answers.jsonl")  # an answer of today
    assert visitors_archive(tmp_path, "ada").workspace.is_dir()  # who is here now is not absent
    assert visitors_archive(tmp_path, "ben").workspace.is_dir()
    assert not (tmp_path / "visitors" / "cleo").exists()
    assert visitors_archive(tmp_path, "dora").workspace == tmp_path / "visitors" / "dora"
