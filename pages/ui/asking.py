"""One question put to several backends, as a background job, and the picture of it while it runs.

Enters: a service, a question, settings. Leaves: a `Round`, complete or so far. The job outlives every rerun
of a page; a page only ever folds the job's events into a Round and draws it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from backends.answering.agreement import judged_together
from backends.datatypes import Answer, AnswerEvent, BackendName, Evidence, Prompt, Token, UserError
from backends.settings import Settings
from backends.system.jobs import Job, JobContext, Jobs
from pages.ui.look import backend_of
from pages.ui.service import Service

KIND = "ask"
MODEL = ", model "  # between an arm's backend and its model, as in an evaluation's arms
ColumnState = Literal["waiting", "answering", "done", "failed", "stopped"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What was asked, of whom, with which settings."""

    question: str
    arms: tuple[str, ...]  # who: a backend, or one with another model than that of the settings
    settings: Settings
    at: datetime
    blind: bool = False  # nobody is told who wrote what before the vote
    earlier: tuple[str, ...] = ()  # the visitor's questions before this one, oldest first


@dataclass(frozen=True)
class BackendEvent:
    """What one arm did. `what` None: it begins; a string: it failed, for this reason."""

    arm: str
    what: AnswerEvent | str | None


@dataclass(frozen=True)
class Column:
    """One arm's answer as far as it has come."""

    backend: str  # the arm: `rag`, or `rag, model company`
    state: ColumnState = "waiting"
    text: str = ""
    evidence: Evidence | None = None
    prompt: str | None = None
    answer: Answer | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Round:
    """One question and what each arm made of it."""

    id: str
    asked: Asked
    columns: dict[str, Column] = field(default_factory=dict)
    finished: bool = False

    @property
    def answers(self) -> list[Answer]:
        """The answers that are there so far."""
        return [column.answer for column in self.columns.values() if column.answer is not None]


def arms_of(backends: Sequence[BackendName], models: Sequence[str]) -> tuple[str, ...]:
    """Every backend with each of several models; a single model is one of the settings."""
    if len(models) < 2:
        return tuple(backends)
    return tuple(f"{backend}{MODEL}{model}" for model in models for backend in backends)


def model_of(arm: str, settings: Settings) -> str:
    """The model that an arm answers with: its own, else that of the settings."""
    return arm.partition(MODEL)[2] or settings.model


def asking(service: Service, asked: Asked) -> Callable[[JobContext], None]:
    """The job: index if needed, then one backend after another, so that each is timed alone."""

    def run(context: JobContext) -> None:
        context.emit(asked)
        service.prepare(asked.settings, context.progress, context.cancelled)
        for number, arm in enumerate(asked.arms):
            if context.cancelled.is_set():
                return
            context.progress(number, len(asked.arms), arm)
            _answer(service, arm, asked, context)
        context.progress(len(asked.arms), len(asked.arms), "")

    return run


def _answer(service: Service, arm: str, asked: Asked, context: JobContext) -> None:
    context.emit(BackendEvent(arm, None))
    settings = asked.settings.model_copy(update={"model": model_of(arm, asked.settings)})
    try:
        for event in service.ask(backend_of(arm), asked.question, settings, context.cancelled, asked.earlier):
            context.emit(
                BackendEvent(arm, replace(event, backend=arm) if isinstance(event, Answer) else event)
            )
    except UserError as error:
        context.emit(BackendEvent(arm, str(error)))
    except Exception as error:
        # One arm's fault must not take the others' answers with it; the log keeps the details.
        log.exception("%s failed", arm)
        context.emit(BackendEvent(arm, f"It stopped with an error: {error or type(error).__name__}"))


def round_of(job: Job) -> Round | None:
    """The job's answers so far; None before it has begun."""
    finished = job.finished  # read before the events: whatever came earlier is in them
    asked = next(iter(job.events_of(Asked)), None)
    if asked is None:
        return None
    columns = {arm: Column(arm) for arm in asked.arms}
    for said in job.events_of(BackendEvent):
        columns[said.arm] = _with(columns[said.arm], said.what)
    if finished:
        columns = {name: _ended(column, job.error) for name, column in columns.items()}
    return Round(job.id, asked, columns, finished)


def _with(column: Column, what: AnswerEvent | str | None) -> Column:
    match what:
        case Token(text):
            return replace(column, text=column.text + text)
        case Evidence():
            return replace(column, evidence=what)
        case Prompt(text):
            return replace(column, prompt=text)
        case Answer():
            return replace(column, answer=what, text=what.text, state="done")
        case str():
            return replace(column, failure=what, state="failed")
        case _:
            return replace(column, state="answering")


def _ended(column: Column, error: str | None) -> Column:
    """A column whose job has finished: what did not come to an end was stopped, or failed with the job."""
    if column.state in ("done", "failed"):
        return column
    return replace(column, state="failed" if error else "stopped", failure=error)


def drop_quoting(jobs: Jobs, viewer: str, document: str) -> int:
    """Drop the viewer's jobs that show text of this document: answers, evidence, prompts. How many went."""
    quoting = [job for job in jobs.owned_by(viewer) if any(quotes(e, document) for e in job.events_since(0))]
    for job in quoting:
        jobs.discard(job)
    return len(quoting)


def quotes(event: object, document: str) -> bool:
    """Whether an event of a job holds a passage of this document."""
    what = event.what if isinstance(event, BackendEvent) else event
    if isinstance(what, Answer):
        shown = {each.document for each in what.sources} | {each.document for each in what.citations}
        return document in shown or (
            what.checks.passage is not None and what.checks.passage.document == document
        )
    if isinstance(what, Evidence):
        hits = [*(source.hit for source in what.sources), *what.left_out]
        return document in {chunk.document for hit in hits for chunk in (hit.chunk, *hit.also)}
    return False


def rounds_of(jobs: Iterable[Job]) -> list[Round]:
    """The rounds of these jobs, in their order, without those that have not begun.

    An answer that was asked for again stands in the round it belongs to, in the place of the first one. Once
    all have answered, each answer is labelled by what the others say too.
    """
    jobs = list(jobs)
    made = {job.id: found for job in jobs if (found := round_of(job)) is not None}
    for job in sorted(jobs, key=lambda job: made[job.id].asked.at.timestamp() if job.id in made else 0):
        if job.about in made and job.id in made:
            made[job.about] = _with_again(made[job.about], made.pop(job.id))
    return [_judged_together(each) if each.finished else each for each in made.values()]


def _judged_together(made: Round) -> Round:
    """The round with labels that heed the other answers of the same model."""
    who = {arm: (model_of(arm, made.asked.settings), backend_of(arm)) for arm in made.columns}
    judged = judged_together(
        {who[arm]: column.answer for arm, column in made.columns.items() if column.answer is not None}
    )
    columns = {arm: replace(column, answer=judged.get(who[arm])) for arm, column in made.columns.items()}
    return replace(made, columns=columns)


def _with_again(first: Round, again: Round) -> Round:
    return replace(
        first, columns={**first.columns, **again.columns}, finished=first.finished and again.finished
    )
