"""Long runs: a day's use in minutes leaves bounded disk, threads, processes, file handles, and a quick start.

A day: 2,000 questions, 300 uploads, 30 trainings' worth of adapters, evaluations and votes, visitors that
come and go. Everything is measured early, once caches are full, and again at the end.
"""

from __future__ import annotations

import gc
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from backends.datatypes import Answer
from backends.documents.library import Library
from backends.documents.opening import open_session
from backends.documents.store import Workspace
from backends.evaluation.archive import Archive
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.feedback.votes import Vote, VotedAnswer, Votes
from backends.language.generation import LanguageModel
from backends.product import Triptych
from backends.system.jobs import Jobs
from backends.system.viewers import viewer_folder
from backends.training.adapters import AdapterCard, Adapters, write_card
from pages.ui.triptych_service import TriptychService
from tests.campaign import kills
from tests.campaign.cases import Case, Part, Plan
from tests.campaign.load import QUESTIONS, SETTINGS
from tests.evaluation.subjects import ScriptedSubject, make_questions
from tests.fakes import HashingEmbedder, random_adapter, tiny_language_model

STEP = 10  # questions between two uploads or so
WANTED = {"steps of a day, ten questions each": 200, "threads, handles, processes and disk": 200}
EARLY = 5  # steps after which caches are full


@dataclass(frozen=True)
class Measured:
    threads: int
    handles: int
    processes: int
    disk: int  # bytes
    start: float  # seconds until the library is open and searched


class Day:
    def __init__(self, folder: Path) -> None:
        kills.in_this_process()
        self.folder, self.workspace = folder, folder / "workspace"
        base = tiny_language_model(folder / "base", context=1024)
        self.model = LanguageModel.load(base)
        self.adapter = random_adapter(base, folder / "made", seed=3)
        self.adapters = Adapters(self.workspace / "adapters", folder / "none")
        self.jobs = Jobs({"ask": 2})
        self.steps = 0
        self.early: Measured | None = None
        self._upload(Library(Workspace.open(self.workspace), HashingEmbedder()), "first.md")

    def _upload(self, library: Library, name: str) -> None:
        path = self.folder / name
        path.write_text(f"{name} speaks of lamps that cost {self.steps} euros and may be returned. " * 8)
        (result,) = library.ingest([path], settings=SETTINGS)
        assert result.error is None
        path.unlink()

    def step(self, seed: int) -> int:
        draw = random.Random(seed)
        visitor = f"v{draw.randrange(4)}"
        library = Library(Workspace.open(self.workspace), HashingEmbedder())

        def on(each: Library) -> Triptych:
            return Triptych(self.workspace, SETTINGS, each, adapters=self.adapters, model=self.model)

        desk = TriptychService(
            on(library), lambda: on(open_session(self.workspace, visitor, HashingEmbedder())), person=visitor
        )
        path = self.folder / f"d{draw.randrange(6)}.md"
        path.write_text(f"Step {self.steps} of {visitor}: the lamp costs {draw.randrange(99)} euros. " * 6)
        list(desk.ingest([path], SETTINGS, lambda step: None, threading.Event()))

        def ask(context: object) -> None:
            for event in desk.ask("rag", draw.choice(QUESTIONS), SETTINGS, threading.Event()):
                if isinstance(event, Answer):
                    return

        jobs = [self.jobs.start("ask", visitor, ask) for _ in range(STEP)]
        assert all(job.wait(kills.PATIENCE) and job.state == "done" for job in jobs)
        own = viewer_folder(self.workspace, visitor)
        Votes(own).record(Vote(f"r{self.steps}", "How long?", "rag", True, (VotedAnswer("rag", "30 days"),)))
        if self.steps % 4 == 0:
            if path.name in {d.name for d in desk.documents()}:
                desk.forget(path.name, lambda *_: None)
            made = self.workspace / "adapters" / ".made" / "mine"
            made.parent.mkdir(parents=True, exist_ok=True)
            os.system(f"cp -r {self.adapter} {made}")
            write_card(made, AdapterCard("mine", "fine_tuned", "base", self.model.fingerprint))
            self.adapters.install(made)
            self.adapters.activate("mine")
            self.model.prepare(self.adapters.get("mine").folder)
            subject = ScriptedSubject()
            planned = plan(subject, make_questions(4), plain_arms(("rag",), SETTINGS), question_set="own")
            archive = Archive(own)
            carry_out(archive, archive.begin(planned), subject)
        self.steps += 1
        return 1

    def measured(self) -> Measured:
        gc.collect()
        process = psutil.Process()
        began = time.monotonic()
        library = Library(Workspace.open(self.workspace), HashingEmbedder())
        library.retriever(SETTINGS).search("lamp", top_k=2, mode="hybrid")
        library.workspace.close()
        disk = sum(path.stat().st_size for path in self.workspace.rglob("*") if path.is_file())
        start = time.monotonic() - began
        return Measured(process.num_threads(), process.num_fds(), len(process.children()), disk, start)

    def bounded(self) -> None:
        """Compared with what they were when caches had filled."""
        if self.steps < EARLY:
            return
        now = self.measured()
        if self.early is None:
            self.early = now
            return
        steps = self.steps - EARLY
        assert now.threads <= self.early.threads + 4, f"{self.early.threads} -> {now.threads} threads"
        assert now.handles <= self.early.handles + 24, f"{self.early.handles} -> {now.handles} handles"
        assert now.processes <= self.early.processes, f"{now.processes} processes"
        grown = now.disk - self.early.disk
        assert grown < 8_000_000 + 40_000 * steps, f"{grown / 1e6:.1f} MB more on disk after {steps} steps"
        assert now.start < 10 * self.early.start + 1, (
            f"opens in {now.start:.2f} s, before in {self.early.start:.2f}"
        )


def cases(of: Plan) -> Iterator[Case]:
    days: list[Day] = []

    def day() -> Day:
        if not days:
            days.append(Day(of.folder))
        return days[0]

    def step(seed: int) -> int:
        return day().step(seed)

    for number in range(8 if of.small else 200):
        seed = of.seed * 1000 + number
        yield Case("steps of a day, ten questions each", f"step-{seed}", partial(step, seed))
        yield Case("threads, handles, processes and disk", f"rest-{seed}", lambda: day().bounded())
    if days and days[0].early is not None:
        print(f"early: {days[0].early}\nlate: {days[0].measured()}")


PART = Part("long_runs", cases, WANTED)
