"""Training runs in processes of their own: done, cancelled, killed and gone on, forgotten."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends.datatypes import Chunk, TrainingRow, UserError
from backends.training import embedder_training, worker
from backends.training.adapters import AdapterCard, Adapters, LearnedDocument, write_card
from backends.training.embedder_pairs import Pair
from backends.training.embedder_training import EmbedderParams
from backends.training.lora import HeldOutScore, TrainingReport
from backends.training.rows import closed_book
from backends.training.runs import (
    KILLED_WITHIN,
    TrainingPlan,
    TrainingRun,
    TrainingRuns,
    somebody_trains,
    training_announced,
)
from tests.fakes import tiny_language_model

ROWS = [TrainingRow(f"Code {n}?", "yes", ("a.md",) if n % 2 else ("b.md",)) for n in range(24)]
LEARNED = (LearnedDocument("a.md", 1, "x"), LearnedDocument("b.md", 1, "y"))
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_language_model(tmp_path_factory.mktemp("base"))


def planned(runs: TrainingRuns, base: Path, epochs: int = 2) -> TrainingRun:
    params = {"epochs": epochs, "rank": 4, "batch_tokens": 512, "scored_rows": 1, "learning_rate": 1e-2}
    examples = closed_book(enumerate(ROWS, start=1))
    plan = TrainingPlan("mine", "fine_tuned", str(base), params, LEARNED)
    return runs.create(plan, ROWS, examples[:20], examples[20:])


def wait(until: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def test_a_run_that_waits_reads_back_as_planned(base: Path, tmp_path: Path) -> None:
    run = planned(TrainingRuns(tmp_path), base)
    again = TrainingRuns(tmp_path).all()[0]
    assert (again.id, again.state, again.plan.documents) == (run.id, "waiting", LEARNED)
    assert again.rows() == ROWS
    assert [len(side) for side in again.examples()] == [20, 4]
    assert again.resumable
    assert not somebody_trains(tmp_path)


def test_who_asks_whether_a_run_is_alive_does_not_stop_its_launch(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = planned(TrainingRuns(tmp_path), base)
    started: list[list[str]] = []

    def start(command: list[str], **_: object) -> SimpleNamespace:
        started.append(command)
        return SimpleNamespace(pid=1)

    monkeypatch.setattr(subprocess, "Popen", start)
    with (run.folder / "lock").open("a") as asking:  # as `alive` does, for an instant, in another process
        fcntl.flock(asking, fcntl.LOCK_SH)
        timer = threading.Timer(0.1, lambda: fcntl.flock(asking, fcntl.LOCK_UN))
        timer.start()
        run.launch()
        timer.join()
    assert len(started) == 1


def test_a_training_in_any_private_copy_counts_for_the_whole_workspace(tmp_path: Path) -> None:
    ada, ben = (tmp_path / "sessions" / name for name in ("ada", "ben"))
    for folder in (ada, ben):
        folder.mkdir(parents=True)
    assert not somebody_trains(tmp_path)
    with training_announced(ada):
        assert somebody_trains(tmp_path) and somebody_trains(ben) and somebody_trains(ada)
        with training_announced(tmp_path):  # two at once
            assert somebody_trains(ben)
        assert somebody_trains(ben)
    assert not somebody_trains(tmp_path)


def test_cancelled_before_it_began_it_leaves_nothing_to_resume(base: Path, tmp_path: Path) -> None:
    run = planned(TrainingRuns(tmp_path), base)
    run.cancel()
    assert (run.state, run.resumable) == ("cancelled", False)


def test_forgetting_takes_a_documents_rows_out_of_every_run(base: Path, tmp_path: Path) -> None:
    runs = TrainingRuns(tmp_path)
    run = planned(runs, base)
    assert runs.forget("c.md") == (0, [])
    assert runs.forget("a.md") == (12, ["mine"])
    assert {name for row in run.rows() for name in row.documents} == {"b.md"}
    assert not run.resumable  # its examples held what is to be forgotten
    assert not any("a.md" in path.read_text() for path in run.folder.glob("*.jsonl"))


def test_an_embedders_run_keeps_its_passages_only_as_long_as_it_needs_them(tmp_path: Path) -> None:
    runs = TrainingRuns(tmp_path)
    passages = [Chunk(f"{name}.md", 1, 0, 4, "Text", None, 1) for name in "abc"]
    train, held = [Pair(1, "What?", 0, (1,))], [Pair(2, "Which?", 1, ())]
    plans = [TrainingPlan(name, "embedder", "", {}, LEARNED[:1]) for name in ("one", "two")]
    first, second = (runs.create(plan, ROWS[:2], train, held, passages) for plan in plans)
    assert first.pairs() == (train, held) and first.passages() == passages
    first.cancel()
    assert first.passages() == [] and not (first.folder / "passages.jsonl").exists()
    # c.md was not learned, yet its passages are in the run that waits.
    assert runs.forget("c.md")[1] == ["two"]
    assert second.state == "cancelled" and second.passages() == []


def test_an_embedders_run_ends_beside_the_adapters_and_is_not_in_use_before_the_documents_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passages = [Chunk("a.md", 1, 0, 4, "Text", None, 1), Chunk("b.md", 1, 0, 4, "More", None, 1)]
    train, held = [Pair(1, "What?", 0, (1,))], [Pair(2, "Which?", 1, ())]
    plan = TrainingPlan("search", "embedder", "", {"epochs": 3}, LEARNED, activate=False, present="/old")
    run = TrainingRuns(tmp_path).create(plan, ROWS[:2], train, held, passages)

    def tuned(*given: object, **options: object) -> TrainingReport:
        assert given == (passages, train, held, run.made, EmbedderParams(epochs=3))
        assert (options["documents"], options["present"]) == (LEARNED, Path("/old"))
        run.made.mkdir(parents=True)
        write_card(run.made, AdapterCard("search", "embedder", "MiniLM", "sha", LEARNED))
        scores = [HeldOutScore(0.1, len(right) / 20, 20, right) for right in ((1,), tuple(range(1, 13)))]
        return TrainingReport(
            rows=1, held_out_rows=20, loss_before=None, loss_after=None, score_before=scores[0],
            score_after=scores[1], train_loss=0.1, epochs_done=3, kept_epoch=3, cancelled=False, tokens=9,
            seconds=1.0, trainable_share=0.1, curve=(), found_among=3,
        )  # fmt: skip

    monkeypatch.setattr(embedder_training, "train_embedder", tuned)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    worker.work(run, os.getppid())
    assert run.state == "done" and "better outside chance" in run.error
    adapters = Adapters(tmp_path / "adapters")
    assert adapters.get("search").card.kind == "embedder" and adapters.active("embedder") is None
    assert run.passages() == []


def test_forgetting_a_document_while_an_adapter_trains_on_it_ends_the_run(base: Path, tmp_path: Path) -> None:
    runs = TrainingRuns(tmp_path)
    run = planned(runs, base, epochs=5000)
    process = run.launch()
    wait(lambda: any(event["event"] == "TrainingProgress" for event in run.events()))
    began = time.monotonic()
    assert runs.forget("a.md") == (12, ["mine"])
    assert process.wait(PATIENCE) == -signal.SIGKILL and time.monotonic() - began < KILLED_WITHIN
    assert (run.state, run.alive) == ("cancelled", False)
    assert "from a.md, which was forgotten" in run.error
    assert not (tmp_path / "adapters").exists()
    with pytest.raises(UserError, match="which was forgotten"):
        run.launch()


def test_a_run_that_is_withdrawn_at_its_very_end_yields_no_adapter(base, tmp_path, monkeypatch) -> None:
    """Its process is past its last step and is not killed in time."""
    runs = TrainingRuns(tmp_path)
    run = planned(runs, base)

    def train(*given: object, **options: object) -> TrainingReport:
        run.made.mkdir(parents=True)
        (run.made / "card.json").write_text("{}")
        runs.forget("b.md")
        run.made.mkdir(parents=True, exist_ok=True)
        return TrainingReport(
            rows=20, held_out_rows=0, loss_before=None, loss_after=None, score_before=None, score_after=None,
            train_loss=0.1, epochs_done=1, kept_epoch=1, cancelled=False, tokens=9, seconds=1.0,
            trainable_share=0.1, curve=(),
        )  # fmt: skip

    monkeypatch.setattr(worker, "train_adapter", train)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    worker.work(run, os.getppid())
    assert run.state == "cancelled" and "from b.md, which was forgotten" in run.error
    assert not (tmp_path / "adapters").exists() and not run.made.parent.exists()


def test_killed_with_its_server_it_is_interrupted_and_goes_on(base: Path, tmp_path: Path) -> None:
    runs = TrainingRuns(tmp_path)
    run = planned(runs, base, epochs=60)
    script = f"""
        import time
        from pathlib import Path
        from backends.training.runs import TrainingRun
        print(TrainingRun(Path({str(run.folder)!r})).launch().pid, flush=True)
        time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    trainer = int(server.stdout.readline())
    wait(lambda: any(event["event"] == "TrainingProgress" for event in run.events()))
    os.kill(trainer, signal.SIGSTOP)  # it must not come to its end while the rest is looked at
    try:
        assert (run.state, somebody_trains(tmp_path)) == ("running", True)
        with pytest.raises(UserError, match="being trained already"):
            run.launch()
        server.kill()
        server.communicate()
        assert (run.state, somebody_trains(tmp_path)) == (
            "running",
            True,
        )  # its process outlives the server, to save
    finally:
        os.kill(trainer, signal.SIGCONT)
    wait(lambda: run.state != "running")
    assert run.state == "interrupted"
    assert "it can go on there" in run.error
    steps = [event for event in run.events() if event["event"] == "TrainingProgress"]
    assert steps[0]["step"] == 1  # the first step is told at once, however short the epochs are
    assert steps[-1]["step"] < steps[-1]["steps"]

    process = run.launch()
    assert process.wait(PATIENCE) == 0
    assert str(run.state) == "done"
    more = [event for event in run.events() if event["event"] == "TrainingProgress"][len(steps) :]
    assert more[0]["step"] >= steps[-1]["step"]  # it goes on, and does not begin anew
    assert more[0]["epoch"] >= steps[-1]["epoch"]
    adapters = Adapters(tmp_path / "adapters", tmp_path / "none")
    assert adapters.get("mine").card.report["epochs_done"] == 60
    assert adapters.active("fine_tuned") is None  # one held-out row shows no gain
    assert "held-out question" in run.error
    assert not run.resumable


def test_cancel_keeps_the_best_epoch_and_a_bad_plan_fails_with_its_reason(base: Path, tmp_path: Path) -> None:
    run = planned(TrainingRuns(tmp_path), base, epochs=5000)
    process = run.launch()
    wait(lambda: sum(event["event"] == "EpochDone" for event in run.events()) > 1)
    run.cancel()
    assert process.wait(PATIENCE) == 0
    assert run.state == "done"
    assert run.error.startswith("Cancelled: the best finished epoch was kept. Of 1 held-out questions")
    card = Adapters(tmp_path / "adapters", tmp_path / "none").get("mine").card
    assert card.report["cancelled"] is True
    assert run.plan.documents == card.documents

    missing = planned(TrainingRuns(tmp_path), tmp_path / "nowhere")
    assert missing.launch().wait(PATIENCE) == 0
    assert missing.state == "failed"
    assert "nowhere" in missing.error
