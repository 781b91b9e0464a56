"""The process of one training run: `python -m backends.training.worker RUN_FOLDER PARENT_PID`.

Enters: a run's folder. Leaves: events and a state in it, and the finished adapter beside it. It stops in
order when asked to, writes a checkpoint and leaves when the process that started it is gone (after its last
step it comes to its end all the same), and gives way to whoever answers questions meanwhile.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from backends.datatypes import JsonValue, UserError
from backends.system import traces
from backends.system.files import append_line
from backends.training.adapters import adapters_of
from backends.training.gain import gain_of
from backends.training.lora import (
    EpochDone,
    LoraParams,
    Measuring,
    TrainingPaused,
    TrainingProgress,
    TrainingReport,
    train_adapter,
)
from backends.training.runs import TrainingRun

TrainerEvent = TrainingProgress | EpochDone | Measuring

NICE = 10
TELL = 0.25  # seconds between two steps that are told
log = logging.getLogger(__name__)


def work(run: TrainingRun, parent: int) -> None:
    """Train what the run plans, and note what became of it."""
    cancel, pause = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: pause.set())
    signal.signal(signal.SIGINT, lambda *_: pause.set())

    def look() -> None:
        """Whether to stop, asked after every step: the next one does not begin then."""
        if (run.folder / "stop").exists():
            cancel.set()
        if os.getppid() != parent:
            pause.set()

    try:
        with traces.work("train", adapter=run.plan.name, kind=run.plan.kind, model=run.plan.model):
            _train(run, cancel, pause, look)
    except TrainingPaused as error:
        run.set_state("interrupted", str(error))
    except UserError as error:
        run.set_state("cancelled" if cancel.is_set() or run.withdrawn else "failed", str(error))
        run.remove_leftovers()
    except Exception as error:
        log.exception("Training failed")
        kind = type(error).__name__
        run.set_state("interrupted", f"Training stopped with an error: {error or 'no details'} ({kind}).")


def _train(
    run: TrainingRun, cancel: threading.Event, pause: threading.Event, look: Callable[[], None]
) -> None:
    plan = run.plan
    adapters, told = adapters_of(run.workspace), 0.0
    adapters.path_for(plan.name)  # refused now, not at the end

    def tell(event: TrainerEvent) -> None:
        nonlocal told
        look()
        if isinstance(event, TrainingProgress):
            now = time.monotonic()
            if event.step < event.steps and now - told < TELL:
                return
            told = now
        row: dict[str, JsonValue] = {"event": type(event).__name__, **asdict(event)}
        append_line(run.folder / "events.jsonl", json.dumps(row, ensure_ascii=False))

    if plan.kind == "embedder":
        report = _train_embedder(run, tell, cancel, pause)
    else:
        report = train_adapter(
            plan.model, *run.examples(), run.made, LoraParams(**plan.params),
            kind=plan.kind, documents=plan.documents, warnings=plan.warnings, progress=tell, watch=tell,
            cancel=cancel, pause=pause, checkpoint=run.checkpoint,
        )  # fmt: skip
    gain = gain_of(asdict(report))
    kept = "Cancelled: the best finished epoch was kept. " if report.cancelled else ""
    with run.deciding_outcome():
        if run.withdrawn:
            raise UserError(run.withdrawn)
        adapters.install(run.made)
        if plan.activate and gain.better:
            adapters.activate(plan.name)
        run.set_state("done", kept + gain.sentence, report.seconds)
    run.remove_leftovers()


def _train_embedder(
    run: TrainingRun,
    tell: Callable[[TrainerEvent], None],
    cancel: threading.Event,
    pause: threading.Event,
) -> TrainingReport:
    """It takes minutes and writes no checkpoint: one that was interrupted begins anew."""
    from backends.training.embedder_training import EmbedderParams, train_embedder

    def watch(event: TrainerEvent) -> None:
        tell(event)
        if pause.is_set():
            raise TrainingPaused("The server ended. The tuning of a search begins anew when resumed.")

    present = Path(run.plan.present) if run.plan.present else None
    return train_embedder(
        run.passages(), *run.pairs(), run.made, EmbedderParams(**run.plan.params),
        documents=run.plan.documents, warnings=run.plan.warnings, present=present, tell=watch, cancel=cancel,
    )  # fmt: skip


def main(arguments: list[str]) -> None:
    """The process: trains the run of its folder."""
    os.nice(NICE)
    logging.basicConfig(level=logging.INFO)
    work(TrainingRun(Path(arguments[0])), int(arguments[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
