"""Load: sixteen visitors ask, upload, train and swap adapters at once, through the job runner the pages use.

The model is tiny and random, so that thousands of answers fit into minutes. What must hold: every answer is
word for word the one that the same question gets alone, from that visitor's documents and that adapter; no
visitor waits while another is served twice; memory comes to rest. The time to the first word under load is
measured against that of a visitor alone.
"""

from __future__ import annotations

import gc
import itertools
import random
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

from backends.datatypes import BACKEND_NAMES, Answer, BackendName, Token
from backends.documents.library import Library
from backends.documents.opening import open_session
from backends.documents.store import Workspace
from backends.language.generation import LanguageModel
from backends.product import Triptych
from backends.settings import make_settings
from backends.system.jobs import JobContext, Jobs
from backends.training.adapters import AdapterCard, Adapters, LearnedDocument, write_card
from backends.training.rows import closed_book
from backends.training.runs import TrainingPlan, TrainingRuns
from pages.ui.triptych_service import TriptychService
from tests.campaign import kills
from tests.campaign.cases import Case, Part, Plan
from tests.fakes import HashingEmbedder, random_adapter, tiny_language_model

VISITORS = 16
SETTINGS = make_settings(
    max_tokens=8, context_tokens=96, top_k=2, chunk_size=32, chunk_overlap=4, rerank=False
)
QUESTIONS = ("How long may goods be returned?", "What does the lamp cost?", "Who pays the way back?")
ADAPTERS: tuple[tuple[BackendName, str], ...] = (
    ("fine_tuned", "one"), ("fine_tuned", "two"), ("hybrid", "three"), ("hybrid", "four"),
)  # fmt: skip
ROUND = 8  # questions of a visitor in one case
LONG = 900.0  # seconds until a training is given up: it has the lowest priority of all
LEARNED = "learned"  # the adapter that a training of each round makes anew; nobody has chosen it
MOST_GROWTH = 60 << 20  # bytes that one more round may leave behind
WANTED = {"answers of sixteen visitors": 5_000, "memory at rest after a round": 30, "turns taken": 200}


@dataclass
class House:
    """The product on a tiny model, a desk for each visitor, and what each would be answered alone."""

    folder: Path
    visitors: int = VISITORS
    jobs: Jobs = field(default_factory=lambda: Jobs({"ask": 2, "upload": 1, "train": 1}))
    alone: dict[tuple[str, BackendName, str | None, str], str] = field(default_factory=dict)
    first_alone: list[float] = field(default_factory=list)
    first_loaded: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        kills.in_this_process()
        self.base = base = tiny_language_model(self.folder / "base", context=1024)
        self.workspace = self.folder / "workspace"
        self.model = LanguageModel.load(base)
        for seed, (kind, name) in enumerate(ADAPTERS):
            made = random_adapter(base, self.workspace / "adapters" / name, seed=seed)
            write_card(made, AdapterCard(name, kind, "base", self.model.fingerprint))  # type: ignore[arg-type]
        self.adapters = Adapters(self.workspace / "adapters", self.folder / "none")
        for _, name in ADAPTERS:  # each kind has an active one before the first question
            self.adapters.activate(name)
        self.embedder = HashingEmbedder()
        library = Library(Workspace.open(self.workspace), self.embedder)
        path = self.folder / "returns.md"
        path.write_text("Customers return goods within 30 days. Shipping back is free of charge for them.\n")
        list(library.ingest([path], settings=SETTINGS))
        self.desks = {name: self._desk(name, library) for name in (f"v{n}" for n in range(self.visitors))}
        for name, desk in self.desks.items():
            self.upload(name, desk, SimpleNamespace(cancelled=threading.Event()))

    def _desk(self, name: str, library: Library) -> TriptychService:
        def on(each: Library) -> Triptych:
            return Triptych(self.workspace, SETTINGS, each, adapters=self.adapters, model=self.model)

        return TriptychService(
            on(library), lambda: on(open_session(self.workspace, name, self.embedder)), person=name
        )

    def upload(self, name: str, desk: TriptychService, context: JobContext | SimpleNamespace) -> None:
        path = self.folder / f"own-{name}.md"
        path.write_text(
            f"The lamp of {name} costs {len(name) * 7} euros. Only {name} knows the word {name}secret.\n"
        )
        (result,) = desk.ingest([path], SETTINGS, lambda step: None, context.cancelled)
        assert result.error is None

    def train(self, context: JobContext) -> None:
        """In a process of its own, as the page does; it replaces an adapter while others answer."""
        plan = TrainingPlan(
            LEARNED, "fine_tuned", str(self.base), kills.TRAINING, (LearnedDocument("returns.md", 1, "x"),)
        )
        examples = closed_book(enumerate(kills.ROWS, start=1))
        run = TrainingRuns(self.workspace).create(plan, kills.ROWS, examples[:20], examples[20:])
        run.launch().wait(LONG)
        assert run.state == "done", f"the training is {run.state}: {run.error}"

    def _ask(
        self, name: str, backend: BackendName, question: str, stop: threading.Event
    ) -> tuple[Answer, float]:
        """The answer, and the seconds until its first word."""
        began, first = time.monotonic(), 0.0
        for event in self.desks[name].ask(backend, question, SETTINGS, stop):
            if isinstance(event, Token) and not first:
                first = time.monotonic() - began
            if isinstance(event, Answer):
                return event, first
        raise AssertionError("no answer came")

    def _alone(self, name: str, backend: BackendName, adapter: str | None, question: str) -> str:
        """What this visitor is answered when nobody else is there."""
        key = (name, backend, adapter, question)
        if key not in self.alone:
            if adapter is not None:
                self.adapters.activate(adapter)
            answer, waited = self._ask(name, backend, question, threading.Event())
            assert answer.adapter == adapter
            self.alone[key] = _seen(answer)
            self.first_alone.append(waited)
        return self.alone[key]

    def round(self, seed: int) -> int:
        """Every visitor asks a few questions at once, some upload the same again, one trains, adapters are
        swapped."""
        draw, stop = random.Random(seed), threading.Event()

        def swap() -> None:
            for _, adapter in itertools.cycle(ADAPTERS):
                if stop.wait(0.01):
                    return
                self.adapters.activate(adapter)

        def work(name: str, backend: BackendName, question: str, asked: float, context: JobContext) -> None:
            answer, first = self._ask(name, backend, question, context.cancelled)
            context.emit((name, backend, question, answer))
            self.first_loaded.append(first or time.monotonic() - asked)

        swapper = threading.Thread(target=swap)
        swapper.start()
        try:
            started = []
            training = self.jobs.start("train", draw.choice(list(self.desks)), self.train)
            for _ in range(ROUND):
                for name, desk in self.desks.items():
                    chosen = draw.choice(BACKEND_NAMES), draw.choice(QUESTIONS)
                    started.append(
                        self.jobs.start("ask", name, partial(work, name, *chosen, time.monotonic()))
                    )
                    if draw.random() < 0.05:
                        self.jobs.start(
                            "upload",
                            name,
                            partial(self.upload, name, desk),
                        )
            for job in started:
                assert job.wait(kills.PATIENCE) and job.state == "done", job.error
            assert training.wait(LONG) and training.state == "done", training.error
        finally:
            stop.set()
            swapper.join()
        for job in started:
            events: Any = job.events_since(0)
            for name, backend, question, answer in events:
                wanted = self._alone(name, backend, answer.adapter, question)
                assert _seen(answer) == wanted, f"{name} got another's answer from {backend}"
                assert all(
                    f"{other}secret" not in str(answer.sources) for other in self.desks if other != name
                )
        assert {each.name for each in self.adapters.all()} == {LEARNED, *(name for _, name in ADAPTERS)}
        assert self.adapters.get(LEARNED).card.documents, "what was trained is not there"
        gc.collect()
        self.resident.append(psutil.Process().memory_info().rss)
        return len(started)

    def at_rest(self) -> None:
        """After the first rounds, which fill the caches, one more leaves next to nothing behind."""
        if len(self.resident) >= 4:
            growth = statistics.median(b - a for a, b in itertools.pairwise(self.resident[2:]))
            assert growth < MOST_GROWTH, f"each round leaves {growth / 1e6:.0f} MB behind"

    def waiting_words(self) -> str:
        alone, loaded = (statistics.median(each or [0.0]) for each in (self.first_alone, self.first_loaded))
        return f"first word: {alone * 1000:.0f} ms alone, {loaded * 1000:.0f} ms once begun under load"


def turns(seed: int) -> int:
    """Of many waiting pieces of work, no owner is served twice while another one has waited all along."""
    draw, jobs, order = random.Random(seed), Jobs(), []
    gate, entered = threading.Event(), threading.Event()

    def first(context: JobContext) -> None:
        entered.set()
        gate.wait(kills.PATIENCE)

    jobs.start("ask", "first", first)
    assert entered.wait(kills.PATIENCE)

    def note(name: str, _context: JobContext) -> None:
        order.append(name)

    owners = [f"v{draw.randrange(6)}" for _ in range(24)]
    waiting = [jobs.start("ask", name, partial(note, name)) for name in owners]
    gate.set()
    assert all(job.wait(kills.PATIENCE) for job in waiting)
    left = list(owners)
    for at, name in enumerate(order):
        since = order[:at][::-1].index(name) if name in order[:at] else at
        for other in set(left) - {name}:
            waited = order[:at][::-1].index(other) if other in order[:at] else at
            assert waited <= since, f"{name} came before {other}, who had waited longer"
        left.remove(name)
    return 1


def _seen(answer: Answer) -> str:
    return f"{answer.text}|{[citation.text for citation in answer.citations]}"


def cases(of: Plan) -> Iterator[Case]:
    houses: list[House] = []

    def house() -> House:
        if not houses:
            houses.append(House(of.folder, 4 if of.small else VISITORS))
        return houses[0]

    def answers(seed: int) -> int:
        return house().round(seed)

    for number in range(1 if of.small else 1_000):
        seed = of.seed * 1000 + number
        for turn in range(3):
            yield Case("turns taken", f"turns-{seed}-{turn}", partial(turns, 3 * seed + turn))
        yield Case("answers of sixteen visitors", f"round-{seed}", partial(answers, seed))
        yield Case("memory at rest after a round", f"rest-{seed}", lambda: house().at_rest())
    if houses:
        print(houses[0].waiting_words())


PART = Part("load", cases, WANTED)
