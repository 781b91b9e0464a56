"""Building rows and training as background jobs, and a run's events as the page draws them.

Enters: a trainer, choices. Leaves: jobs; a `Picture` of a run so far. A job only follows its run, which
works in a process of its own: a page that is closed, reloaded or opened twice changes nothing about it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backends.datatypes import JsonValue, UserError
from backends.offline.trainer import Draft, Trainer
from backends.system.jobs import JobContext
from backends.system.reporting import Report
from backends.training.gain import gain_of
from backends.training.row_building import Way
from backends.training.runs import TrainingRun

BUILD, TRAIN = "build", "train"
LOOK = 0.3


def building(
    trainer: Trainer, visitor: str, documents: Sequence[str], ways: Sequence[Way], most: int
) -> Callable[[JobContext], Draft]:
    """The job that turns documents into rows; what was made before a cancel is kept."""

    def run(context: JobContext) -> Draft:
        draft = trainer.build(documents, ways, most=most, report=context.progress, cancel=context.cancelled)
        trainer.save_draft(draft, visitor)
        return draft

    return run


def training(
    trainer: Trainer, plans: Sequence[Callable[[Report], TrainingRun]]
) -> Callable[[JobContext], None]:
    """The job that makes these runs one after another and follows each to its end."""

    def work(context: JobContext) -> None:
        for plan in plans:
            if context.cancelled.is_set():
                return
            run = plan(context.progress)
            context.emit(run.id)
            follow(trainer, run, context)

    return work


def following(trainer: Trainer, run: TrainingRun) -> Callable[[JobContext], None]:
    """The job that goes on with an interrupted run."""

    def work(context: JobContext) -> None:
        context.emit(run.id)
        follow(trainer, run, context)

    return work


def adopting(trainer: Trainer, name: str) -> Callable[[JobContext], None]:
    """The job that lets a tuned embedder read the documents, then find with it."""

    def work(context: JobContext) -> None:
        trainer.adopt(name, context.progress, context.cancelled)

    return work


def follow(trainer: Trainer, run: TrainingRun, context: JobContext) -> None:
    """Launch it and look after it until its process has ended; an embedder that is better then takes over."""
    context.progress(0, 0, f"{run.plan.name}: loading the model")
    process = run.launch()
    while True:
        try:
            process.wait(LOOK)
            break
        except subprocess.TimeoutExpired:
            if context.cancelled.is_set():
                run.cancel()
            now = picture(run)
            if now.last is not None:
                step = now.last
                context.progress(
                    step["step"], step["steps"], f"{run.plan.name}: epoch {step['epoch']} of {step['epochs']}"
                )
    if run.state == "failed":
        raise UserError(run.error)
    if run.state == "interrupted":
        raise UserError(run.error or f"The training of {run.plan.name} ended before it was done.")
    if run.plan.kind == "embedder" and _better(trainer, run.plan.name):
        trainer.adopt(run.plan.name, context.progress, context.cancelled)


def _better(trainer: Trainer, name: str) -> bool:
    """Whether this adapter was made and has shown a gain."""
    return any(each.name == name and gain_of(each.card.report).better for each in trainer.adapters.all())


@dataclass(frozen=True)
class Picture:
    """What a run has told so far, ready to be drawn."""

    steps: tuple[dict[str, JsonValue], ...]
    epochs: tuple[dict[str, JsonValue], ...]  # epoch 0 is before training
    measuring: dict[str, JsonValue] | None  # while held-out rows are being answered

    @property
    def last(self) -> dict[str, JsonValue] | None:
        """The newest step; None before the first."""
        return self.steps[-1] if self.steps else None


def picture(run: TrainingRun) -> Picture:
    """Steps repeated after an interruption count once, as they were the second time."""
    steps: dict[int, dict[str, JsonValue]] = {}
    epochs: dict[int, dict[str, JsonValue]] = {}
    events = run.events()
    for event in events:
        if event["event"] == "TrainingProgress":
            steps[event["step"]] = event
        elif event["event"] == "EpochDone":
            epochs[event["epoch"]] = event
    newest = events[-1] if events else None
    measuring = newest if newest is not None and newest["event"] == "Measuring" else None
    return Picture(
        tuple(steps[step] for step in sorted(steps)),
        tuple(epochs[epoch] for epoch in sorted(epochs)),
        measuring,
    )
