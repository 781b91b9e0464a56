"""What the pages need from the product: one visitor's documents and backends, as a protocol.

Enters: the `Triptych` facade. Leaves: records. It knows no page; tests put a scripted service in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Literal, Protocol

from backends.costs.price_book import PriceBook
from backends.datatypes import AnswerEvent, BackendName, CatalogueEntry, Chunk, Document, HistoryEntry
from backends.feedback.judged_answers import JudgedStore
from backends.feedback.retrieval_log import Health
from backends.feedback.votes import VoteStore
from backends.settings import Settings
from backends.system.reporting import Report
from pages.ui.evaluator import Evaluator

if TYPE_CHECKING:
    from backends.offline.trainer import Trainer
    from backends.stress.records import Result, Retraining, StressTest
    from backends.training.adapters import Adapters

Readiness = Literal["ready", "stale", "untrained"]


@dataclass(frozen=True)
class BackendReadiness:
    """Whether a backend can answer, and why not."""

    state: Readiness
    reason: str = ""  # one sentence, and what to do


@dataclass(frozen=True)
class FileResult:
    """What became of one uploaded file."""

    document: str
    status: str  # indexed, unchanged, replaced, rejected
    pages: int = 0
    chunks: int = 0
    seconds: float = 0.0
    error: str | None = None
    needs_password: bool = False
    same_as: str | None = None  # another document with the very same contents
    notes: tuple[str, ...] = ()  # what the reader left out or guessed


@dataclass(frozen=True)
class FileStep:
    """Where an upload is: file `number` (from 0) of `files`, and `done` of `total` within its stage."""

    name: str
    stage: str  # reading, embedding
    number: int
    files: int
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Removal:
    """What disappeared with a document, how that was checked and what stays, in words."""

    id: str
    text: str
    proven: bool  # every file was read, and none holds its text


@dataclass(frozen=True)
class Suggested:
    """Questions that some documents can answer, and about how many training rows they give."""

    questions: tuple[str, ...] = ()
    rows: int = 0


OnStep = Callable[[FileStep], None]


@dataclass(frozen=True)
class Recut:
    """How passages were last made: out of how many sentences, and how many texts were embedded for it."""

    passages: int
    sentences: int
    embedded: int
    seconds: float


class Service(Protocol):
    """One visitor's documents, backends, records and adapters."""

    @property
    def model_name(self) -> str:
        """Of the language model that answers."""
        ...

    @property
    def private(self) -> bool:
        """Whether this visitor has documents of their own."""
        ...

    def lost(self) -> str:
        """What became of the visitor's own documents, in words, until it is dismissed; empty when nothing."""
        ...

    def dismiss_loss(self) -> None:
        """Say no more what became of the lost documents."""
        ...

    @property
    def role(self) -> str | None:
        """Whose eyes these are, as `viewers` says it; None sees everything."""
        ...

    @property
    def may_change(self) -> bool:
        """Whether these are a person's own eyes, who adds and removes; a look through a role's does not."""
        ...

    def roles(self) -> Sequence[str]:
        """Every role that some document is restricted to: what the owner can look through."""
        ...

    def catalogue(self) -> Sequence[CatalogueEntry]:
        """The documents this visitor sees, by name, without their texts."""
        ...

    def documents(self) -> Sequence[Document]:
        """The same with their texts, all of which are read."""
        ...

    def document(self, name: str, version: int | None = None) -> Document | None:
        """One document, the current version unless another is asked for; None when it is not there."""
        ...

    def entry(self, name: str, version: int | None = None) -> CatalogueEntry | None:
        """The same without its text, which is not read."""
        ...

    def text_between(self, name: str, version: int, start: int, end: int) -> str | None:
        """These characters of a document's text, and no more of it; None when it is not there."""
        ...

    def answering_words(self, question: str, passage: str) -> tuple[int, int] | None:
        """The characters of a passage that answer a question; None where it hardly does."""
        ...

    def page_picture(self, name: str, version: int, page: int, passage: str) -> bytes | None:
        """A page as PNG with the passage's words marked; None where there is no picture of it."""
        ...

    def versions(self, name: str) -> Sequence[int]:
        """Numbers of the versions that can be read, oldest first."""
        ...

    def history(self, name: str) -> Sequence[HistoryEntry]:
        """What happened to a document, oldest first."""
        ...

    def chunks(self, name: str, settings: Settings) -> Sequence[Chunk]:
        """The passages of a document with these chunk settings."""
        ...

    def passages(self, settings: Settings) -> Mapping[str, int] | None:
        """Passages of each document with these chunk settings; None while they are not indexed."""
        ...

    def preview(self, settings: Settings) -> Sequence[Chunk]:
        """All passages as these chunk settings would cut them; nothing is stored or indexed."""
        ...

    def recut(self, settings: Settings) -> Recut | None:
        """How the passages of these settings were made; None while they are not."""
        ...

    def prepare(self, settings: Settings, report: Report, cancelled: Event | None = None) -> None:
        """Index what is missing for these chunk settings. UserError when `cancelled` is set meanwhile."""
        ...

    @property
    def price_file(self) -> Path:
        """The price book that this visitor's answers are priced with."""
        ...

    def adapters(self) -> Adapters:
        """The adapters that answer for this visitor."""
        ...

    def statuses(self) -> Mapping[BackendName, BackendReadiness]:
        """Of every backend whether it can answer."""
        ...

    def endpoint_prices(self, model: str) -> Mapping[BackendName, PriceBook]:
        """The prices that models.toml has for this model, by backend."""
        ...

    def models(self) -> Sequence[str]:
        """Models that can be asked: that of the settings, and the names of models.toml."""
        ...

    def ask(
        self,
        backend: BackendName,
        question: str,
        settings: Settings,
        stop: Event,
        earlier: Sequence[str] = (),
    ) -> Iterator[AnswerEvent]:
        """Ends with the Answer; `earlier` questions may complete this one. Raises UserError when this backend
        cannot answer."""
        ...

    def ingest(
        self,
        paths: Sequence[Path],
        settings: Settings,
        on_step: OnStep,
        cancelled: Event,
        passwords: Sequence[str] = (),
        roles: Sequence[str] = (),
    ) -> Iterator[FileResult]:
        """Add files, folders and zips, for these `roles` only if any; one result per file as it is done."""
        ...

    def suggest(self, names: Sequence[str], most: int, report: Report, cancelled: Event) -> Suggested:
        """Questions about these documents; what was made before a cancel is returned."""
        ...

    def trainer(self) -> Trainer:
        """Where adapters are trained and kept. Raises UserError for who looks through a role's eyes."""
        ...

    def forget(self, name: str, report: Report) -> None:
        """Remove a document; its `Removal` tells what disappeared and what a scan for its text found."""
        ...

    def removals(self) -> Sequence[Removal]:
        """The removals from this visitor's own copy that have not been dismissed, the newest first."""
        ...

    def dismiss_removal(self, removal_id: str) -> None:
        """Show the removal of this id no longer."""
        ...

    def health(self, days: int) -> Health:
        """This visitor's questions of the last days in numbers."""
        ...

    @property
    def logging(self) -> bool:
        """Whether this visitor's questions are logged."""
        ...

    def evaluator(self, visitor: str) -> Evaluator:
        """What is evaluated for this visitor, and where the runs are kept."""
        ...

    def stress(
        self,
        test: StressTest,
        backends: Sequence[BackendName],
        settings: Settings,
        *,
        number: int,
        seed: int,
        retraining: Retraining | None,
        report: Report,
        cancelled: Event,
    ) -> Result:
        """Run a stress test on a copy of what this visitor sees. Raises UserError when it cannot be run."""
        ...

    def switch_logging(self, on: bool) -> None:
        """Log this visitor's questions, or no longer."""
        ...

    def votes(self) -> VoteStore:
        """Which answers this visitor found most helpful."""
        ...

    def judged(self) -> JudgedStore:
        """Which answers this visitor called right or wrong or saved as test cases."""
        ...

    def clear_log(self) -> int:
        """Delete this visitor's log; how many retrievals it held."""
        ...
