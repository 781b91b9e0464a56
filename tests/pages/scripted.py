"""A scripted product for the page tests: real settings, jobs and records; no model, no index.

Passages are whole paragraphs, answers are written down here, and a backend waits at `gate` after its first
word, so that a test can look at the middle of an answer. A question that holds "slowly" is answered slowly.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backends.answering.checks import CONTRADICTED
from backends.datatypes import (
    Answer,
    AnswerEvent,
    BackendName,
    CatalogueEntry,
    Checks,
    Chunk,
    Citation,
    Cost,
    Document,
    Evidence,
    Excerpt,
    Filters,
    HistoryEntry,
    Hit,
    Page,
    PasswordNeeded,
    Prompt,
    Sentence,
    Source,
    SourceRecord,
    Token,
    Usage,
    UserError,
)
from backends.documents.library import may_read
from backends.documents.parsing import parse_file
from backends.evaluation.run_rows import open_runs
from backends.feedback.judged_answers import JudgedStore
from backends.feedback.kept_feedback import open_judged, open_question_log, open_votes
from backends.feedback.retrieval_log import Health, QuestionLog, Viewer
from backends.feedback.votes import VoteStore
from backends.settings import Settings, default_workspace
from backends.system.reporting import Report
from backends.system.viewers import is_own_view, person_and_role
from pages.ui.service import (
    BackendReadiness,
    FileResult,
    FileStep,
    OnStep,
    Recut,
    Removal,
    Suggested,
)

if TYPE_CHECKING:
    from backends.offline.trainer import Trainer
from backends.costs.price_book import SAMPLE_PRICES, PriceBook
from backends.training.adapters import Adapters
from pages.ui.evaluator import Evaluator, visitors_archive
from tests.evaluation.subjects import ScriptedSubject
from tests.stress.stress_subject import scripted_stress

TEXTS = {
    "returns-policy.md": (
        "# Returns\n\nA customer may return a Lark Pro within 30 days of delivery. "
        "The sensor must be complete.\n\n"
        "Refunds are paid within 10 days. Prices run from $5 to $10 and <b>nothing</b> is *free*.\n"
    ),
    "lark-pro-data-sheet.pdf": (
        "Lark Pro measures carbon dioxide from 400 to 5,000 ppm.\n\nThe battery lasts 14 months at one "
        "reading every ten minutes.\n\nThe warranty lasts 24 months.\n"
    ),
    "price-list-2026.csv": "Product: Lark Pro; Price: $189\nProduct: Lark Mini; Price: $79\n",
}
ANSWERS: dict[BackendName, str] = {
    "rag": "30 days from delivery [1]. The sensor must be complete [1].",
    "fine_tuned": "45 days. Larkfield takes back every device at no cost.",
    "hybrid": "Within 30 days of delivery, if the sensor is complete [1].",
    "base": "I do not know.",
}
MILLISECONDS: dict[BackendName, dict[str, float]] = {
    "rag": {"retrieve": 14.0, "rerank": 22.0, "first_token": 190.0, "generate": 384.0, "total": 420.0},
    "fine_tuned": {"first_token": 40.0, "generate": 180.0, "total": 180.0},
    "hybrid": {"retrieve": 15.0, "rerank": 21.0, "first_token": 185.0, "generate": 404.0, "total": 440.0},
    "base": {"first_token": 41.0, "generate": 90.0, "total": 90.0},
}
GROUNDED: dict[BackendName, float | None] = {"rag": 0.94, "fine_tuned": 0.31, "hybrid": 0.97, "base": None}

_SAYS = "A customer may return a Lark Pro within 30 days of delivery."
SAYS = Excerpt("returns-policy.md", 1, None, 11, 11 + len(_SAYS), _SAYS)
CHECKS: dict[BackendName, Checks] = {
    "rag": Checks(0.93, "backed", SAYS),
    "fine_tuned": Checks(0.12, "contradicted", SAYS, CONTRADICTED),
    "hybrid": Checks(0.95, "backed", SAYS),
    "base": Checks(),
}


def document(name: str, text: str, version: int = 1, source: str = "sample") -> Document:
    half = len(text) // 2
    pages = (Page(1, 0, half), Page(2, half, len(text))) if name.endswith(".pdf") else ()
    return Document(
        name=name,
        version=version,
        title=name.rsplit(".", 1)[0].replace("-", " ").capitalize(),
        type=name.rsplit(".", 1)[-1],
        text=text,
        content_hash=hashlib.sha256(text.encode()).hexdigest(),
        pages=pages,
        source=source,
    )


@dataclass
class ScriptedService:
    visitor: str
    role: str | None = None
    pause: float = 0.0
    broken: BackendName | None = None
    gate: threading.Event | None = None
    private: bool = False
    files_gate: threading.Event | None = None  # holds every file of an upload before it is read
    model_name: str = "scripted"
    served: tuple[str, ...] = ()  # names of models.toml
    asked: list[tuple[str, BackendName]] = field(default_factory=list)
    subject: ScriptedSubject = field(default_factory=ScriptedSubject)
    prepared: list[tuple[int, int]] = field(default_factory=list)
    library: dict[str, Document] = field(
        default_factory=lambda: {name: document(name, text) for name, text in TEXTS.items()}
    )
    earlier: dict[str, list[Document]] = field(default_factory=dict)
    loss: str = ""
    removed: list[Removal] = field(default_factory=list)
    unproven: frozenset[str] = frozenset()  # documents of which a trace is found
    stuck: frozenset[str] = frozenset()  # documents that cannot be removed

    @property
    def may_change(self) -> bool:
        return is_own_view(self.role)

    def roles(self) -> Sequence[str]:
        return sorted({role for found in self.library.values() for role in found.roles})

    def catalogue(self) -> Sequence[CatalogueEntry]:
        return [found.entry for found in self.documents()]

    def documents(self) -> Sequence[Document]:
        return [
            self.library[name] for name in sorted(self.library) if may_read(self.library[name], self.role)
        ]

    def document(self, name: str, version: int | None = None) -> Document | None:
        made = {d.version: d for d in [*self.earlier.get(name, ()), *filter(None, [self.library.get(name)])]}
        found = made.get(version or max(made, default=0))
        return found if found is not None and may_read(self.library[name], self.role) else None

    def entry(self, name: str, version: int | None = None) -> CatalogueEntry | None:
        found = self.document(name, version)
        return found.entry if found is not None else None

    def text_between(self, name: str, version: int, start: int, end: int) -> str | None:
        found = self.document(name, version)
        return found.text[start:end] if found is not None else None

    def answering_words(self, question: str, passage: str) -> tuple[int, int] | None:
        return None

    def page_picture(self, name: str, version: int, page: int, passage: str) -> bytes | None:
        return None

    def versions(self, name: str) -> Sequence[int]:
        return [d.version for d in (*self.earlier.get(name, ()), self.library[name])]

    def history(self, name: str) -> Sequence[HistoryEntry]:
        return [
            HistoryEntry(n, "indexed" if n == 1 else "replaced", "2026-09-01T10:00:00+00:00", "")
            for n in self.versions(name)
        ]

    def chunks(self, name: str, settings: Settings) -> Sequence[Chunk]:
        found = self.library[name]
        made, start = [], 0
        for paragraph in found.text.split("\n\n"):
            end = start + len(paragraph)
            made.append(
                Chunk(
                    name,
                    found.version,
                    start,
                    end,
                    found.text[start:end],
                    found.page_at(start),
                    20,
                    found.title,
                )
            )
            start = end + 2
        return made

    def passages(self, settings: Settings) -> Mapping[str, int] | None:
        key = (settings.chunk_size, settings.chunk_overlap)
        known = key == (128, 24) or key in self.prepared
        return {d.name: len(self.chunks(d.name, settings)) for d in self.documents()} if known else None

    def preview(self, settings: Settings) -> Sequence[Chunk]:
        chunks = [chunk for d in self.documents() for chunk in self.chunks(d.name, settings)]
        return [replace(chunk, tokens=min(chunk.tokens, settings.chunk_size)) for chunk in chunks]

    def recut(self, settings: Settings) -> Recut | None:
        counts = self.passages(settings)
        return Recut(sum(counts.values()), 9, 0, 0.01) if counts is not None else None

    def prepare(self, settings: Settings, report: Report, cancelled: threading.Event | None = None) -> None:
        key = (settings.chunk_size, settings.chunk_overlap)
        if key == (128, 24) or key in self.prepared:
            return
        for number, name in enumerate(self.library):
            if cancelled is not None and cancelled.is_set():
                raise UserError("Cancelled.")
            report(number, len(self.library), f"Indexing {name}")
            time.sleep(self.pause)
        self.prepared.append(key)

    @property
    def price_file(self) -> Path:
        own = default_workspace() / "prices.toml"
        return own if own.is_file() else SAMPLE_PRICES

    def adapters(self) -> Adapters:
        return Adapters(default_workspace() / "sessions" / self.visitor / "adapters")

    def endpoint_prices(self, model: str) -> Mapping[BackendName, PriceBook]:
        return {}

    def models(self) -> Sequence[str]:
        return ["embedded", *self.served]

    def statuses(self) -> Mapping[BackendName, BackendReadiness]:
        stale = BackendReadiness("stale", "Learned version 1 of price-list-2026.csv; it has changed since.")
        ready = BackendReadiness("ready")
        return {"rag": ready, "fine_tuned": stale, "hybrid": ready, "base": ready}

    def ask(
        self,
        backend: BackendName,
        question: str,
        settings: Settings,
        stop: threading.Event,
        earlier: Sequence[str] = (),
    ) -> Iterator[AnswerEvent]:
        self.asked.append((question, backend))
        self.asked_before = tuple(earlier)
        if backend == self.broken:
            raise UserError(f"There is no {backend} adapter: train one.")
        hit = self._hit(question, settings)
        sources = (Source(1, hit, (Sentence(hit.chunk.start, hit.chunk.end, hit.chunk.text, 0.7),)),)
        looks_up = backend in ("rag", "hybrid")
        if looks_up:
            yield Evidence(sources)
        pieces = ANSWERS[backend].split(" ")
        for number, piece in enumerate(pieces):
            if self.gate is not None and number == 1:
                assert self.gate.wait(20)
            time.sleep(self.pause * (8 if "slowly" in question else 1))
            yield Token(piece if number == 0 else f" {piece}")
            if stop.is_set():
                break
        yield Prompt(
            f"<|system|>Answer briefly.\n<|user|>{'[1] ' + hit.chunk.text if looks_up else ''}\n{question}"
        )
        answer = self._record(backend, question, settings, hit.chunk if looks_up else None)
        self.monitor.record(Viewer(self.visitor, self.role), answer, Evidence(sources) if looks_up else None)
        yield answer

    def _hit(self, question: str, settings: Settings) -> Hit:
        words = set(question.lower().replace("?", "").split())
        found = [d.name for d in self.documents() if Filters(documents=settings.only).admit(d)]
        chunks = [chunk for name in found for chunk in self.chunks(name, settings)]
        best = max(chunks, key=lambda chunk: len(words & set(chunk.text.lower().replace(".", "").split())))
        return Hit(best, 1, 0.031, 0.62, 7.1)

    def _record(self, backend: BackendName, question: str, settings: Settings, chunk: Chunk | None) -> Answer:
        cited = chunk.text.split(". ")[0] if chunk is not None else ""
        return Answer(
            id="q-1",
            question=question,
            backend=backend,
            text=ANSWERS[backend],
            citations=(
                Citation(
                    chunk.document,
                    chunk.version,
                    chunk.page,
                    chunk.start,
                    chunk.start + len(cited),
                    cited,
                    marker=1,
                ),
            )
            if chunk is not None
            else (),
            sources=(
                SourceRecord(
                    chunk.document,
                    chunk.version,
                    chunk.page,
                    chunk.start,
                    chunk.end,
                    chunk.text,
                    rank=1,
                    score=0.031,
                ),
            )
            if chunk is not None
            else (),
            latency_ms=MILLISECONDS[backend],
            usage=Usage(612 if chunk is not None else 48, len(ANSWERS[backend].split())),
            cost=Cost(
                0.00011 if chunk is not None else 0.00002, "USD", "Hosted small model, 2026-09-01, your input"
            ),
            model="scripted",
            adapter=None,
            abstained=backend == "base",
            groundedness=GROUNDED[backend],
            settings=settings.model_dump(),
            checks=CHECKS[backend],
        )

    def ingest(
        self,
        paths: Sequence[Path],
        settings: Settings,
        on_step: OnStep,
        cancelled: threading.Event,
        passwords: Sequence[str] = (),
        roles: Sequence[str] = (),
    ) -> Iterator[FileResult]:
        self.private = True
        paths = [file for path in paths for file in (sorted(path.rglob("*.*")) if path.is_dir() else [path])]
        for number, path in enumerate(paths):
            if cancelled.is_set():
                return
            on_step(FileStep(path.name, "reading", number, len(paths)))
            time.sleep(self.pause)
            on_step(FileStep(path.name, "embedding", number, len(paths), 64, 256))
            time.sleep(self.pause)
            if self.files_gate is not None:
                assert self.files_gate.wait(20)
            try:
                parsed = parse_file(path, passwords=passwords)
            except UserError as error:
                locked = isinstance(error, PasswordNeeded)
                yield FileResult(path.name, "rejected", error=str(error), needs_password=locked)
                continue
            known = self.library.get(path.name)
            version = 1 if known is None else known.version + 1
            if known is not None:
                self.earlier.setdefault(path.name, []).append(known)
            self.library[path.name] = replace(
                document(path.name, parsed.text, version, "upload"),
                pages=parsed.pages,
                title=parsed.title,
                roles=tuple(roles),
                notes=parsed.notes,
            )
            chunks = len(self.chunks(path.name, settings))
            status = "indexed" if known is None else "replaced"
            yield FileResult(path.name, status, 0, chunks, 0.01, notes=parsed.notes)

    def stress(self, test, backends, settings, *, number, seed, retraining, report, cancelled):
        return scripted_stress(test, backends, number, seed, report, cancelled, retraining)

    def suggest(
        self, names: Sequence[str], most: int, report: Report, cancelled: threading.Event
    ) -> Suggested:
        return Suggested(tuple(f"What does {name} say?" for name in names[:most]), 40)

    def trainer(self) -> Trainer:
        raise UserError("The scripted product trains nothing.")

    def evaluator(self, visitor: str) -> Evaluator:
        own = visitors_archive(default_workspace(), visitor)
        return Evaluator(self.subject, open_runs(default_workspace()), own, self.private, lambda: None)

    def forget(self, name: str, report: Report) -> None:
        self.private = True
        report(0, 1, f"Searching {name}")
        if self.files_gate is not None:
            assert self.files_gate.wait(20)
        if name in self.stuck:
            raise UserError("A file is stuck.")
        del self.library[name]
        proven = name not in self.unproven
        self.removed.insert(0, Removal(f"r{len(self.removed)}", f"{name} is gone from your copy.", proven))

    def lost(self) -> str:
        return self.loss

    def dismiss_loss(self) -> None:
        self.loss = ""

    def removals(self) -> Sequence[Removal]:
        return tuple(self.removed)

    def dismiss_removal(self, removal_id: str) -> None:
        self.removed[:] = [each for each in self.removed if each.id != removal_id]

    def health(self, days: int) -> Health:
        return self.monitor.health(Viewer(self.visitor, self.role), days)

    @property
    def logging(self) -> bool:
        return self.monitor.enabled(self.visitor)

    def switch_logging(self, on: bool) -> None:
        self.monitor.switch(self.visitor, on)

    def clear_log(self) -> int:
        return self.monitor.clear(self.visitor)

    def votes(self) -> VoteStore:
        return open_votes(default_workspace(), self.visitor)

    def judged(self) -> JudgedStore:
        return open_judged(default_workspace(), self.visitor)

    @property
    def monitor(self) -> QuestionLog:
        return open_question_log(default_workspace())


@dataclass
class ScriptedServices:
    pause: float = 0.0
    broken: BackendName | None = None
    gate: threading.Event | None = None
    by_visitor: dict[str, ScriptedService] = field(default_factory=dict)

    def check(self) -> None:
        """There is nothing that could not be read."""

    def service(self, visitor: str) -> ScriptedService:
        person, role = person_and_role(visitor)
        owner = self.by_visitor.setdefault(
            person, ScriptedService(person, pause=self.pause, broken=self.broken, gate=self.gate)
        )
        return replace(owner, role=role) if role else owner
