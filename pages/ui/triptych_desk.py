"""The real desk: `backends.product.Triptych` as the pages see it.

Enters: the workspace. Leaves: one `Desk` per visitor. Visitors share the workspace's documents until they
add or remove one; from then on they work on a private copy, so that nobody sees what another has uploaded.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from backends.datatypes import (
    Answer,
    Backend,
    BackendName,
    Chunk,
    Document,
    Event,
    Evidence,
    Finished,
    Token,
    UserError,
)
from backends.documents.library import ForgetReport, Progress
from backends.documents.store import HistoryEntry
from backends.evaluation.archive import Archive
from backends.evaluation.subject import TriptychSubject
from backends.feedback.retrieval_log import Health, Monitor, Reader
from backends.feedback.votes import Votes
from backends.product import Triptych
from backends.settings import Settings, default_workspace, make_settings
from backends.stress.private_copy import stress
from backends.stress.records import Result, Retraining, StressTest
from backends.training.training_session import Workshop
from pages.ui.desk import ROLE_MARK, FileResult, FileStep, OnStep, Prompt, Recut, Reporter, Status
from pages.ui.evaluator import VISITORS, Evaluator, visitors_archive
from pages.ui.text import listing, plural

COUNTS_KEPT = 64
log = logging.getLogger(__name__)
STAGES = {"reading": "Reading", "embedding": "Indexing"}


class WithPrompt:
    """A backend that also tells which prompt it sent; events pass through untouched."""

    def __init__(self, inner: Backend, tell: Callable[[str], None]) -> None:
        self.inner = inner
        self._tell = tell

    @property
    def name(self) -> BackendName:
        return self.inner.name

    def run(self, question: str, settings: Any) -> Iterator[Event]:
        for event in self.inner.run(question, settings):
            if isinstance(event, Finished):
                self._tell(event.prompt)
            yield event


class Observed(Triptych):
    """The facade, which remembers the last prompt that was sent on this thread."""

    _last = threading.local()

    @property
    def last_prompt(self) -> str | None:
        return getattr(self._last, "prompt", None)

    def backend(
        self, name: BackendName, settings: Settings | None = None, stop: threading.Event | None = None
    ) -> Backend:
        return WithPrompt(super().backend(name, settings, stop), self._keep)

    def _keep(self, prompt: str) -> None:
        self._last.prompt = prompt


class TriptychDesk:
    """One visitor's desk, or what a reader of one `role` sees of it.

    `open_copy` makes the visitor's private copy, or finds the one made earlier; `made` tells whether there is
    one: another view of the same visitor may have made it meanwhile.
    """

    def __init__(
        self,
        shared: Observed,
        open_copy: Callable[[], Observed],
        *,
        made: Callable[[], bool] = lambda: False,
        person: str = "",
        role: str | None = None,
    ) -> None:
        self.role = role
        self._reader = Reader(person, role)
        self._monitor = Monitor(shared.workspace)
        self._open_copy = open_copy
        self._made = made
        self._lock = threading.Lock()
        self._counts: OrderedDict[tuple[str, int, int, str], Mapping[str, int]] = OrderedDict()
        self._shared = self._seen(shared)
        self._own: Observed | None = None

    @property
    def private(self) -> bool:
        return self._own is not None or self._made()

    @property
    def _triptych(self) -> Observed:
        return self._private_copy() if self.private else self._shared

    @property
    def model_name(self) -> str:
        return self._triptych.model().name

    def roles(self) -> Sequence[str]:
        return sorted({role for document in self._triptych.library.documents() for role in document.roles})

    def documents(self) -> Sequence[Document]:
        return self._triptych.library.documents(self.role)

    def document(self, name: str, version: int | None = None) -> Document | None:
        try:
            return self._triptych.library.get(name, version, self.role)
        except UserError:
            return None

    def versions(self, name: str) -> Sequence[int]:
        return self._triptych.library.versions(name, self.role)

    def history(self, name: str) -> Sequence[HistoryEntry]:
        return self._triptych.library.history(name, self.role)

    def chunks(self, name: str, settings: Settings) -> Sequence[Chunk]:
        return self._triptych.library.chunks(name, settings, self.role)

    def passages(self, settings: Settings) -> Mapping[str, int] | None:
        return self._counts.get(self._key(settings))

    def preview(self, settings: Settings) -> Sequence[Chunk]:
        return self._triptych.library.preview(settings, self.role)

    def recut(self, settings: Settings) -> Recut | None:
        made = self._triptych.library.cut(settings, self.role)
        return Recut(made.passages, made.sentences, made.embedded, made.seconds) if made else None

    def prepare(self, settings: Settings, report: Reporter) -> None:
        key = self._key(settings)
        retriever = self._triptych.library.retriever(settings, self.role, progress=reporting(report))
        self._counts[key] = Counter(chunk.document for chunk in retriever.chunks)
        while len(self._counts) > COUNTS_KEPT:
            self._counts.popitem(last=False)

    def status(self, backend: BackendName) -> Status:
        status = self._triptych.status(backend)
        return Status("untrained" if status.state == "withheld" else status.state, status.reason)

    def ask(
        self,
        backend: BackendName,
        question: str,
        settings: Settings,
        stop: threading.Event,
        earlier: Sequence[str] = (),
    ) -> Iterator[Token | Evidence | Prompt | Answer]:
        triptych = self._triptych
        for _, event in triptych.ask(question, [backend], settings, stop, earlier):
            if isinstance(event, Answer) and triptych.last_prompt is not None:
                yield Prompt(triptych.last_prompt)
            if isinstance(event, Token | Evidence | Answer):
                yield event
            else:
                raise UserError(event.message)

    def ingest(
        self,
        paths: Sequence[Path],
        settings: Settings,
        on_step: OnStep,
        cancelled: threading.Event,
        passwords: Sequence[str] = (),
        roles: Sequence[str] = (),
    ) -> Iterator[FileResult]:
        self._only_the_owner()
        for item in self._private_copy().library.ingest(
            paths,
            settings=settings,
            source="upload",
            roles=tuple(roles),
            progress=stepping(on_step),
            cancel=cancelled,
            passwords=passwords,
        ):
            yield FileResult(
                item.document,
                item.status,
                item.pages or 0,
                item.chunks,
                item.seconds,
                item.error,
                item.needs_password,
                item.same_as,
                item.notes,
            )

    def forget(self, name: str) -> str:
        self._only_the_owner()
        Workshop(self._private_copy()).forget(name)
        own_runs = [
            folder
            for folder in (self._shared.workspace / VISITORS).glob("*")
            if folder.name.partition(ROLE_MARK)[0] == self._reader.person
        ]
        gone = self._private_copy().library.forget(name, own_runs)
        logged = self._monitor.forget(self._reader.person, name)
        return account(gone, logged)

    def workshop(self) -> Workshop:
        if self.role is not None:
            raise UserError("Only the owner trains adapters: choose the owner's view first.")
        return Workshop(self._triptych)

    def evaluator(self, visitor: str) -> Evaluator:
        triptych = self._triptych
        apart = self.private or self.role is not None
        own = visitors_archive(triptych.library.workspace.path, visitor)
        # What a role may not read must not reach it through the runs of others.
        shared = own if self.role is not None else Archive(self._shared.workspace)
        return Evaluator(TriptychSubject(triptych), shared, own, apart, triptych.model)

    def stress(
        self,
        test: StressTest,
        backends: Sequence[BackendName],
        settings: Settings,
        *,
        number: int,
        seed: int,
        retraining: Retraining | None,
        report: Reporter,
        cancelled: threading.Event,
    ) -> Result:
        return stress(
            self._triptych,
            test,
            backends,
            settings,
            number=number,
            seed=seed,
            retraining=retraining,
            progress=report,
            cancelled=cancelled,
        )

    def _only_the_owner(self) -> None:
        if self.role is not None:
            raise UserError("Only the owner adds and removes documents: choose the owner's view first.")

    def _private_copy(self) -> Observed:
        with self._lock:
            if self._own is None:
                self._own = self._seen(self._open_copy())
            return self._own

    def _seen(self, triptych: Observed) -> Observed:
        seen = triptych.seen_by(self.role)
        seen.log = self._log
        return seen

    def _log(self, answer: Answer, evidence: Evidence | None) -> None:
        try:
            self._monitor.record(self._reader, answer, evidence)
        except sqlite3.Error:  # a full disk must not cost the visitor the answer
            log.exception("The retrieval could not be logged")

    def health(self, days: int) -> Health:
        return self._monitor.health(self._reader, days)

    @property
    def logging(self) -> bool:
        return self._monitor.enabled(self._reader.person)

    def switch_logging(self, on: bool) -> None:
        self._monitor.switch(self._reader.person, on)

    def clear_log(self) -> int:
        return self._monitor.clear(self._reader.person)

    def votes(self) -> Votes:
        viewer = self._reader.person + (ROLE_MARK + self.role if self.role else "")
        return Votes(self._shared.workspace / VISITORS / viewer)

    def _key(self, settings: Settings) -> tuple[str, int, int, str]:
        fingerprint = self._triptych.library.fingerprint_for(self.role)
        return fingerprint, settings.chunk_size, settings.chunk_overlap, settings.chunking


class TriptychHouse:
    """The workspace's own documents and the models everybody shares."""

    def __init__(self, workspace: Path, shared: Observed) -> None:
        self._workspace = workspace
        self._shared = shared

    def desk(self, visitor: str) -> TriptychDesk:
        settings = self._shared.settings
        person, _, role = visitor.partition(ROLE_MARK)
        open_copy = partial(Observed.open, self._workspace, settings, session=person)
        # A copy made before the server was started again is still the visitor's.
        made = (self._workspace / "sessions" / person / "triptych.db").exists
        desk = TriptychDesk(self._shared, open_copy, made=made, person=person, role=role or None)
        desk.prepare(settings, silent)
        return desk


def open_house(report: Reporter) -> TriptychHouse:
    """Read and index the workspace's documents, then load the model."""
    workspace, settings = default_workspace().expanduser(), make_settings()
    report(0, 0, "Reading the documents")
    shared = Observed.open(workspace, settings, progress=reporting(report))
    shared.library.retriever(settings, progress=reporting(report))
    report(0, 0, "Loading the language model")
    shared.model()
    return TriptychHouse(workspace, shared)


def reporting(report: Reporter) -> Callable[[Progress], None]:
    """The library's progress in the words of the page."""

    def pass_on(step: Progress) -> None:
        report(step.done, step.total, f"{STAGES.get(step.stage, step.stage)} {step.item}".strip())

    return pass_on


def stepping(on_step: OnStep) -> Callable[[Progress], None]:
    """The library's progress as steps of files: while one is embedded, its place among the files stays."""
    place = (0, 0)

    def pass_on(step: Progress) -> None:
        nonlocal place
        if step.stage == "reading":
            place = (step.done, step.total)
            on_step(FileStep(step.item, "reading", *place))
        else:
            on_step(FileStep(step.item, step.stage, *place, step.done, step.total))

    return pass_on


def account(gone: ForgetReport, logged: int) -> str:
    """What disappeared with a document, how that was checked, and what stays."""
    questions = f", {plural(logged, 'logged question')}" if logged else ""
    parts = [
        f"{gone.document} is gone from your copy: {plural(gone.versions, 'version')}, "
        f"{plural(gone.chunks, 'passage')}, {plural(gone.vectors, 'vector')}{questions}."
    ]
    if gone.searched_for:
        where = f"still found in {listing(gone.found_in)}" if gone.found_in else "found nowhere"
        read = f"{gone.scanned_files:,}, {gone.scanned_bytes / 1e6:.1f} MB"
        parts.append(
            f"Every file of your copy ({read}) was searched for {plural(gone.searched_for, 'piece')} of its "
            f"text: {where}."
        )
    if gone.also_in:
        parts.append(f"Some of the same text stands in {listing(gone.also_in)} and stays.")
    if gone.adapters:
        parts.append(f"What {listing(gone.adapters)} learned from it stays in the weights.")
    return " ".join(parts)


def silent(_done: int, _total: int, _what: str) -> None:
    """For work too short to report."""
