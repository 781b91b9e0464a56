"""The verb `triptych ask`: one answer record per question and backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backends.cli import opener
from backends.cli.arguments import (
    Backends,
    DocumentsFolder,
    Given,
    Json,
    Role,
    StoreAddress,
    WorkspaceFolder,
    backends_of,
    check_folder,
    questions_of,
    read_workspace,
    settings_of,
    takes_settings,
)
from backends.cli.terminal import (
    Output,
    ProgressLine,
    answers_table,
    interruptible,
    printing,
    say,
    show_answer,
)
from backends.datatypes import Answer, BackendName, Question, UserError
from backends.system.wording import duration

if TYPE_CHECKING:
    from backends.product import Triptych
    from backends.settings import Settings


@takes_settings()
def ask(
    question: Annotated[str | None, typer.Argument(help="What to ask.")] = None,
    questions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Questions, one JSON row each.")
    ] = None,
    after: Annotated[
        list[str] | None,
        typer.Option(metavar="QUESTION", help="Asked before, for --follow-ups (repeat; the oldest first)."),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON schema that the answers are held to (constrained decoding)."),
    ] = None,
    backend: Backends = None,
    also_model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Ask this model too, beside that of --model (repeat for several)."),
    ] = None,
    *,
    given: Given,
    documents: DocumentsFolder = None,
    role: Role = None,
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
    store: StoreAddress = None,
) -> None:
    """Ask the backends; one answer record per question, backend and model."""
    from backends.answering.asked_question import asks_nothing, what_can_be_asked

    folder, _ = read_workspace(workspace, role, store)
    settings = settings_of(**given)
    asked = questions_of(question, questions, option="--questions")
    if question is not None and asks_nothing(question):
        raise UserError(what_can_be_asked(()))
    if schema is not None:
        asked = with_schema(schema, asked, settings)
    check_folder(documents)
    arms = arms_of(backends_of(backend), settings, also_model or ())
    with printing(as_json) as (out, progress):
        progress("loading the model and the documents")
        failed = Asking(out, progress, len(asked) * len(arms), after or ()).run(
            lambda: opener.open_triptych(folder, settings, documents, role, progress), asked, arms
        )
    if failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class AskedArm:
    """A backend with the settings it is asked with; `name` tells it from the others."""

    name: str
    backend: BackendName
    settings: Settings


def arms_of(
    backends: Sequence[BackendName], settings: Settings, also_models: Sequence[str]
) -> list[AskedArm]:
    """Every backend with every model, model by model."""
    models = list(dict.fromkeys([settings.model, *also_models]))
    if len(models) == 1:
        return [AskedArm(name, name, settings) for name in backends]
    return [
        AskedArm(f"{name}, model {model}", name, settings.model_copy(update={"model": model}))
        for model in models
        for name in backends
    ]


def with_schema(path: Path, questions: Sequence[Question], settings: Settings) -> list[Question]:
    """The questions, each with the schema of this file where it carries none of its own."""
    from backends.answering.schemas import read_schema

    if not settings.constrained_decoding:
        raise UserError("--schema holds answers by constrained decoding, which is switched off.")
    schema = read_schema(path)
    return [each if each.schema is not None else replace(each, schema=schema) for each in questions]


class Asking:
    """Works through questions and backends.

    What was answered to a question is printed once all backends have answered: labels heed what all say.
    """

    def __init__(self, out: Output, progress: ProgressLine, total: int, earlier: Sequence[str] = ()) -> None:
        self.out = out
        self.progress = progress
        self.total = total
        self.earlier = earlier
        self.done = 0
        self.shown = 0
        self.failed = 0
        self.began = time.monotonic()

    def run(
        self, open_: Callable[[], Triptych], questions: Sequence[Question], arms: Sequence[AskedArm]
    ) -> int:
        """Number of answers that failed. An interruption loses only the answers to one question."""

        with interruptible(lambda: f"{self.shown} of {self.total} answers were made and printed."):
            triptych = open_()
            self.began = time.monotonic()
            for question in questions:
                self._show(self._answered(triptych, question, arms))
        self.progress.clear()
        if self.failed:
            say(f"triptych: {self.failed} of {self.total} answers failed.")
        return self.failed

    def _answered(
        self, triptych: Triptych, question: Question, arms: Sequence[AskedArm]
    ) -> dict[str, Answer]:
        """The answers by the names of their arms; those of one model are labelled together."""
        from backends.answering.agreement import judged_together

        made = {
            (arm.settings.model, arm.backend): answer
            for arm in arms
            if (answer := self._answer(triptych, question, arm)) is not None
        }
        judged = judged_together(made)
        return {arm.name: judged[key] for arm in arms if (key := (arm.settings.model, arm.backend)) in judged}

    def _show(self, answers: Mapping[str, Answer]) -> None:
        self.progress.clear()
        for name, answer in answers.items():
            if self.out.as_json:
                self.out.row(answer)
            else:
                show_answer(self.out, answer, name)
            self.shown += 1
        if not self.out.as_json and len(answers) > 1:
            self.out.text(answers_table(answers), "")

    def _answer(self, triptych: Triptych, question: Question, arm: AskedArm) -> Answer | None:
        try:
            answer = triptych.answer(question, arm.backend, arm.settings, earlier=self.earlier)
        except UserError as error:
            self.progress.clear()
            say(f"triptych: {question.id}, {arm.name}: {error}")
            self.failed += 1
            return None
        self.done += 1
        if self.total > 1:
            self._report(question, arm.name, answer)
        return answer

    def _report(self, question: Question, name: str, answer: Answer) -> None:
        handled = self.done + self.failed
        left = (time.monotonic() - self.began) / handled * (self.total - handled)
        took = answer.latency_ms["total"] / 1000
        rest = f"about {duration(left)} left" if handled < self.total else "done"
        self.progress(f"{handled}/{self.total}  {question.id}  {name}  {took:.2f} s  {rest}")
