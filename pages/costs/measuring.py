"""A handful of questions put to every backend in the background, to measure tokens and times with.

Enters: a service, settings, how many questions. Leaves: a job whose events are answers. Of a question asked
again the newest answer counts; what the visitor asked on the home page counts as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backends.datatypes import Answer, BackendName, Question, UserError
from backends.evaluation.probes import chosen, questions_for
from backends.settings import Settings
from backends.system.jobs import JobContext
from pages.ui import resources
from pages.ui.asking import KIND as ASKED
from pages.ui.asking import rounds_of
from pages.ui.service import Service

KIND = "measure"


def measuring(
    service: Service, backends: Sequence[BackendName], settings: Settings, number: int, seed: int = 0
) -> Callable[[JobContext], None]:
    """The job: every backend answers the same questions, one after another, so that each is timed alone."""

    def run(context: JobContext) -> None:
        questions = chosen(questions_for(service.documents()), number, seed)
        if not questions:
            raise UserError("No question can be made from these documents: none of them states a number.")
        service.prepare(settings, context.progress, context.cancelled)
        total = len(questions) * len(backends)
        for done, (question, backend) in enumerate((q, b) for q in questions for b in backends):
            if context.cancelled.is_set():
                return
            context.progress(done, total, question.question)
            if (answer := _answer(service, backend, question, settings, context)) is not None:
                context.emit(answer)
        context.progress(total, total, "")

    return run


def _answer(
    service: Service, backend: BackendName, question: Question, settings: Settings, context: JobContext
) -> Answer | None:
    """The answer; None from a backend that is not trained, which the page says elsewhere."""
    if service.status(backend).state == "untrained":
        return None
    for event in service.ask(backend, question.question, settings, context.cancelled):
        if isinstance(event, Answer):
            return event
    return None


def measured_answers(visitor: str) -> list[Answer]:
    """Every answer of this visitor, oldest first."""
    rounds = rounds_of(reversed(resources.jobs().owned_by(visitor, ASKED)))
    asked = [answer for made in rounds for answer in made.answers]
    measured: list[Answer] = [
        answer for job in reversed(resources.jobs().owned_by(visitor, KIND)) for answer in job.events_since(0)
    ]
    return [*asked, *measured]
