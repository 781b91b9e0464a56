"""One question put to several backends, as a background job, and the picture of it while it runs.

Enters: a service, a question, settings. Leaves: a `Round`, complete or so far. The job outlives every rerun
of a page; a page only ever folds the job's events into a Round and draws it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from backends.datatypes import Answer, AnswerEvent, BackendName, Evidence, Prompt, Token, UserError
from backends.settings import Settings
from backends.system.jobs import Job, JobContext, Jobs
from pages.ui.service import Service

KIND = "ask"
ColumnState = Literal["waiting", "answering", "done", "failed", "stopped"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What was asked, of whom, with which settings."""

    question: str
    backends: tuple[BackendName, ...]
    settings: Settings
    at: datetime
    blind: bool = False  # nobody is told who wrote what before the vote
    earlier: tuple[str, ...] = ()  # the visitor's questions before this one, oldest first


@dataclass(frozen=True)
class BackendEvent:
    """What one backend did. `what` None: it begins; a string: it failed, for this reason."""

    backend: BackendName
    what: AnswerEvent | str | None


@dataclass(frozen=True)
class Column:
    """One backend's answer as far as it has come."""

    backend: BackendName
    state: ColumnState = "waiting"
    text: str = ""
    evidence: Evidence | None = None
    prompt: str | None = None
    answer: Answer | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Round:
    """One question and what each backend made of it."""

    id: str
    asked: Asked
    columns: dict[BackendName, Column] = field(default_factory=dict)
    finished: bool = False

    @property
    def answers(self) -> list[Answer]:
        """The answers that are there so far."""
        return [column.answer for column in self.columns.values() if column.answer is not None]


def asking(service: Service, asked: Asked) -> Callable[[JobContext], None]:
    """The job: index if needed, then one backend after another, so that each is timed alone."""

    def run(context: JobContext) -> None:
        context.emit(asked)
        service.prepare(asked.settings, context.progress, context.cancelled)
        for number, backend in enumerate(asked.backends):
            if context.cancelled.is_set():
                return
            context.progress(number, len(asked.backends), backend)
            _answer(service, backend, asked, context)
        context.progress(len(asked.backends), len(asked.backends), "")

    return run


def _answer(service: Service, backend: BackendName, asked: Asked, context: JobContext) -> None:
    context.emit(BackendEvent(backend, None))
    try:
        for event in service.ask(backend, asked.question, asked.settings, context.cancelled, asked.earlier):
            context.emit(BackendEvent(backend, event))
    except UserError as error:
        context.emit(BackendEvent(backend, str(error)))
    except Exception as error:
        # One backend's fault must not take the others' answers with it; the log keeps the details.
        log.exception("Backend %s failed", backend)
        context.emit(BackendEvent(backend, f"It stopped with an error: {error or type(error).__name__}"))


def round_of(job: Job) -> Round | None:
    """The job's answers so far; None before it has begun."""
    finished = job.finished  # read before the events: whatever came earlier is in them
    asked = next(iter(job.events_of(Asked)), None)
    if asked is None:
        return None
    columns = {backend: Column(backend) for backend in asked.backends}
    for said in job.events_of(BackendEvent):
        columns[said.backend] = _with(columns[said.backend], said.what)
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

    An answer that was asked for again stands in the round it belongs to, in the place of the first one.
    """
    jobs = list(jobs)
    made = {job.id: found for job in jobs if (found := round_of(job)) is not None}
    for job in sorted(jobs, key=lambda job: made[job.id].asked.at.timestamp() if job.id in made else 0):
        if job.about in made and job.id in made:
            made[job.about] = _with_again(made[job.about], made.pop(job.id))
    return list(made.values())


def _with_again(first: Round, again: Round) -> Round:
    return replace(
        first, columns={**first.columns, **again.columns}, finished=first.finished and again.finished
    )
