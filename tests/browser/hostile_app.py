"""Serves the app with a product in which all that others wrote is meant as code: names, texts, answers, runs.

`streamlit run tests/browser/hostile_app.py`. A document for each word of `EVIL`, every text of all of them.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from backends.datatypes import Answer, AnswerEvent, BackendName, Document, Page, Question  # noqa: E402
from backends.evaluation.run_rows import open_runs  # noqa: E402
from backends.evaluation.runner import Answered, carry_out, plain_arms, plan  # noqa: E402
from backends.offline.trainer import Draft, DraftRow  # noqa: E402
from backends.settings import Settings, default_workspace, make_settings  # noqa: E402
from pages.ui import resources  # noqa: E402
from pages.ui.service import BackendReadiness, Removal  # noqa: E402
from tests.campaign.hostile import EVIL  # noqa: E402
from tests.evaluation.subjects import ScriptedSubject, make_questions  # noqa: E402
from tests.pages import scripted  # noqa: E402
from tests.pages.tuning_services import TuningService, TuningServices  # noqa: E402
from tests.stress import stress_subject  # noqa: E402

ALL = " ".join(EVIL)
TYPES = ("md", "html", "txt", "csv", "json", "eml", "pdf")
TEXT = f"# {ALL}\n\nA lamp is returned within 30 days, says {ALL}.\n\n" + "\n\n".join(EVIL) + "\n"
NAMES = [f"{word} {number}.{TYPES[number % len(TYPES)]}" for number, word in enumerate(EVIL)]


def document(name: str, version: int = 1) -> Document:
    text = TEXT if version == 1 else TEXT.replace("30 days", f"45 days {ALL}")
    made = scripted.document(name, text, version, "upload")
    pages = (Page(1, 0, len(text)),) if name.endswith(".pdf") else ()
    return replace(made, title=name.rsplit(".", 1)[0], pages=pages, notes=(ALL,))


class EvilSubject(ScriptedSubject):
    def answer(self, question: Question, backend: BackendName, settings: Settings) -> Answered:
        made = super().answer(question, backend, settings)
        return replace(made, answer=evil(made.answer))


def evil(answer: Answer) -> Answer:
    return replace(
        answer, text=f"{answer.text} {ALL} [1]", warnings=(ALL,), model=ALL,
        cost=replace(answer.cost, basis=ALL),
    )  # fmt: skip


class HostileService(TuningService):
    def statuses(self) -> Mapping[BackendName, BackendReadiness]:
        stale = BackendReadiness("stale", f"Learned version 1 of {ALL}; it has changed since.")
        return {**super().statuses(), "fine_tuned": stale, "hybrid": stale}

    def ask(
        self, backend: BackendName, question: str, settings: Settings, stop: Event,
        earlier: Sequence[str] = (),
    ) -> Iterator[AnswerEvent]:  # fmt: skip
        for event in super().ask(backend, question, settings, stop, earlier):
            yield evil(event) if isinstance(event, Answer) else event


class HostileServices(TuningServices):
    def service(self, visitor: str) -> HostileService:
        if visitor not in self.by_visitor:
            made = HostileService(visitor, model_name=ALL, private=True)
            made.home = self.home
            made.library = {name: document(name, 2) for name in NAMES}
            made.earlier = {name: [document(name)] for name in NAMES}
            made.removed = [Removal("r0", f"{NAMES[1]} is gone, says {ALL}.", False)]
            rows = [DraftRow(f"{word} {n}?", ALL, (NAMES[0],)) for n in range(3) for word in EVIL]
            made.trainer().save_draft(Draft(tuple(rows)), visitor)
            self.by_visitor[visitor] = made
            evaluated(visitor, made)
        return self.by_visitor[visitor]  # type: ignore[return-value]


def evaluated(visitor: str, service: HostileService) -> None:
    """Two runs, with names and questions that are meant as code."""
    questions = [
        replace(each, question=f"{EVIL[n % len(EVIL)]} {n}?", category=EVIL[n % len(EVIL)],
                documents=(NAMES[n % len(EVIL)],))
        for n, each in enumerate(make_questions(30))
    ]  # fmt: skip
    archive = service.evaluator(visitor).own
    for name in (ALL, EVIL[0]):
        subject = EvilSubject()
        arms = plain_arms(("rag", "fine_tuned", "hybrid", "base"), make_settings())
        planned = plan(subject, questions, arms, question_set=ALL, name=name)
        carry_out(archive, archive.begin(planned), subject)


def opened(_: object) -> HostileServices:
    for backend, words in list(scripted.ANSWERS.items()):
        scripted.ANSWERS[backend] = f"{words} {ALL}"
    named = {
        name: f"{name} [x](javascript:alert(1)) <img src=x onerror=alert(1)>" for name in stress_subject.TEXTS
    }
    for name, evil_name in named.items():
        stress_subject.TEXTS[evil_name] = stress_subject.TEXTS.pop(name)
    stress_subject.QUESTIONS[:] = [
        replace(each, documents=(named[each.documents[0]],)) for each in stress_subject.QUESTIONS
    ]
    home = default_workspace()
    open_runs(home)
    return HostileServices(home)


resources.use(opened)
runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
