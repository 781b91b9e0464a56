"""Puts the parts together: command line and pages ask questions through this module alone.

Enters: a workspace folder and settings. Leaves: backends, their status, and streams of answers. Models and
the embedder are shared by the whole process in bounded caches, so opening is cheap and can be done anew
for every call.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from backends.access.audit import Auditor
from backends.answering import answerability
from backends.answering.answerability import Abstainer
from backends.answering.asked_question import (
    as_question,
    asks_nothing,
    check_question,
    what_can_be_asked,
)
from backends.answering.backend import Backend
from backends.answering.checks import WrittenAnswer, check
from backends.answering.evidence import PassageSearch as Finder
from backends.answering.evidence import evidence_for
from backends.answering.part_by_part import PartByPart
from backends.answering.schemas import asked_schema
from backends.answering.stopwatch import WARM_UP_QUESTION, AnswerContext, stream, warm_up
from backends.answering.whole_documents import WholeDocuments
from backends.base import Base
from backends.costs.price_book import SAMPLE_PRICES, PriceBook
from backends.datatypes import (
    BACKEND_NAMES,
    Answer,
    AnswerEvent,
    BackendName,
    CatalogueEntry,
    Checks,
    Evidence,
    Filters,
    JsonObject,
    Question,
    Source,
    UserError,
)
from backends.documents.library import Library, Progress
from backends.documents.opening import open_folder, open_library, open_session
from backends.erasure import removal
from backends.fine_tuned import FineTuned
from backends.hybrid import Hybrid
from backends.language import models_file
from backends.language.generation import LanguageModel
from backends.language.models_file import ServedModel
from backends.language.protocol import Model
from backends.rag import Rag
from backends.retrieval.cross_encoder import shipped
from backends.retrieval.embedding import MODEL_SHA256, Embedder, MiniLM
from backends.retrieval.follow_ups import standalone
from backends.retrieval.other_embedder import embedder_in
from backends.retrieval.retriever import Retriever
from backends.settings import Settings
from backends.system import traces
from backends.system.viewers import role_words, session_folder
from backends.system.wording import NEVER_LEARNED, UNDER_LOAD
from backends.training.adapters import (
    CARD,
    Adapter,
    AdapterKind,
    Adapters,
    AnsweringKind,
    adapters_of,
    stale_documents,
    tuned_embedder,
)
from backends.training.runs import somebody_trains

if TYPE_CHECKING:
    from backends.language.endpoint import EndpointModel

MAX_MODELS = 2
MAX_ENDPOINTS = 16
MAX_EMBEDDERS = 4
TRAINED_MEANWHILE = f"{UNDER_LOAD} an adapter was being trained on this machine meanwhile."
MAX_LIBRARIES = 32
JUDGE_PASSAGES = 10  # what groundedness is read against, for every backend alike
MAX_WARMED = 128
ABOUT = 3  # passages whose documents a question is taken to be about

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Status:
    """Whether a backend can answer, and what the user should know about it."""

    state: Literal["ready", "untrained", "stale", "withheld"]
    reason: str = ""
    adapter: str | None = None

    @property
    def usable(self) -> bool:
        """Whether the backend can answer."""
        return self.state in ("ready", "stale")


class Triptych:
    """One workspace, seen by one reader: its library, its adapters, and the four backends."""

    def __init__(
        self,
        workspace: Path,
        settings: Settings,
        library: Library,
        *,
        role: str | None = None,
        adapters: Adapters | None = None,
        model: LanguageModel | None = None,
        progress: Callable[[Progress], None] | None = None,
        published: Embedder | None = None,
    ) -> None:
        """`published` finds passages where no tuned embedder is active; without, the library's own does."""
        self.workspace = workspace
        self.settings = settings
        self.library = library
        self.role = role
        self.adapters = adapters or adapters_of(workspace)
        self.published = published or library.embedder
        self.log: Callable[[Answer, Evidence | None], None] | None = None  # told of every answer
        self.audit: Auditor | None = None  # told who asked and trained, and with which documents
        self._model = model
        self._progress = progress

    @classmethod
    def open(
        cls,
        workspace: Path,
        settings: Settings,
        *,
        documents: Path | None = None,
        session: str | None = None,
        role: str | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Self:
        """The workspace's documents, or exactly those of the folder `documents`, or a visitor's private copy.

        Prices are the workspace's in every case, and so are adapters, but for those a visitor has trained on
        the private copy. The language model is loaded at first need.
        """
        traces.check()
        adapters = adapters_of(workspace)
        if session is not None:  # what is learned from private documents stays private
            adapters = adapters_of(session_folder(workspace, session), adapters)
        tuned = tuned_embedder(adapters, MODEL_SHA256)
        embedder = shared_embedder(tuned.folder if tuned is not None else None)
        if documents is not None:
            library = open_folder(workspace, documents, embedder, settings, progress=progress)
        elif session is not None:
            library = open_session(workspace, session, embedder)
        else:
            library = open_library(workspace, embedder, settings, progress=progress)
        removal.finish(library.workspace)
        library.ranker = shipped()
        library = shared_library(library, str(documents.resolve()) if documents is not None else "")
        made = cls(
            workspace,
            settings,
            library,
            role=role,
            adapters=adapters,
            progress=progress,
            published=shared_embedder(),
        )
        made.use_active_embedder()
        return made

    def seen_by(self, role: str | None) -> Self:
        """The same workspace as a reader of this role sees it; None sees everything."""
        other = copy(self)
        other.role = role
        return other

    def as_now(self) -> Self:
        """The same workspace with the adapters of this moment, whatever is trained or activated meanwhile."""
        other = copy(self)
        other.adapters = self.adapters.as_now()
        return other

    def model(self, settings: Settings | None = None) -> LanguageModel:
        """The language model of these settings; loading it takes a second or more, once per process.

        Raises UserError when it is one behind an address: what needs the weights cannot be done with it.
        """
        name = (settings or self.settings).model
        if name in models_file.names(self.workspace):
            raise UserError(
                f"The model {name} answers behind an address: here it can be asked, but neither trained nor "
                "looked into. Choose a model that lies on this machine."
            )
        return self._model or shared_model(name)

    def models(self) -> list[str]:
        """What `Settings.model` may be here: the usual one, then the names of models.toml."""
        try:
            named = models_file.names(self.workspace)
        except UserError:  # a file that cannot be read is said where one of its models is asked
            named = []
        return list(dict.fromkeys([self.settings.model, *named]))

    def asked(self, name: BackendName, settings: Settings | None = None) -> Model:
        """The model that this backend asks: of this process, or behind an address of models.toml.

        Raises UserError when models.toml names none for it.
        """
        settings = settings or self.settings
        served = self.served(name, settings)
        return self.model(settings) if served is None else shared_endpoint(served)

    def served(self, name: BackendName, settings: Settings | None = None) -> ServedModel | None:
        """What models.toml says of the model that this backend asks; None where it runs in this process.

        Raises UserError when models.toml names none for this backend.
        """
        settings = settings or self.settings
        if settings.model not in models_file.names(self.workspace):
            return None
        found = models_file.served(self.workspace, settings.model, name)
        if found is None:
            raise UserError(
                f"models.toml names no model for {settings.model}.{name}: add a table of that name with the "
                "name under which the tuned model is served."
            )
        return found

    def backend(
        self,
        name: BackendName,
        settings: Settings | None = None,
        stop: threading.Event | None = None,
        schema: JsonObject | None = None,
    ) -> Backend:
        """A backend ready to run; `stop` ends its answers early, with `schema` they are JSON that keeps it.

        Raises UserError when it is untrained, and for a schema that cannot be compiled.
        """
        settings = settings or self.settings
        if not (status := self.status(name, settings)).usable:
            raise UserError(status.reason)
        model = self.asked(name, settings)
        if schema is not None:
            model.prepare_schema(schema)
        if name == "base":
            return Base(model, stop, schema)
        if name == "rag":
            return Rag(model, self._finder(settings, stop), stop, schema, self._abstainer)
        adapter = self._adapter_folder(name, model, settings)
        merged = model.prepare(adapter)
        if name == "fine_tuned":
            return FineTuned(model, adapter, stop, schema, merged)
        return Hybrid(model, adapter, self._finder(settings, stop), stop, schema, merged, self._abstainer)

    def status(self, name: BackendName, settings: Settings | None = None) -> Status:
        """Ready, untrained (no adapter for this model), stale (documents changed since it learned them) or
        withheld: weights have no roles, so a role is answered only by those that learned what it may read.
        """
        return self._status(name, settings, self._entries)

    def statuses(self, settings: Settings | None = None) -> dict[BackendName, Status]:
        """What `status` says of every backend; the catalogue is read at most once."""
        entries = cache(self._entries)
        return {name: self._status(name, settings, entries) for name in BACKEND_NAMES}

    def _entries(self) -> dict[str, CatalogueEntry]:
        return {entry.name: entry for entry in self.library.catalogue(self.role)}

    def _status(
        self, name: BackendName, settings: Settings | None, entries: Callable[[], dict[str, CatalogueEntry]]
    ) -> Status:
        if name not in ("fine_tuned", "hybrid"):
            return Status("ready")
        try:
            served = self.served(name, settings)
        except UserError as error:
            return Status("untrained", str(error))
        if served is not None:
            return self._served_status(served.tuned_name)
        model = self.model(settings)
        adapter = self._adapter(name, model)
        if adapter is None:
            what = "fine-tuned" if name == "fine_tuned" else "hybrid"
            return Status("untrained", f"There is no {what} adapter for the model {model.name}: train one.")
        documents = entries()
        current = {name: document.content_hash for name, document in documents.items()}
        if self.role is not None and any(seen.name not in current for seen in adapter.card.documents):
            return Status(
                "withheld",
                f"The adapter {adapter.name} is not asked for {role_words(self.role)}: it learned documents "
                "that are not among those this role may read, and weights cannot leave anything out.",
                adapter=adapter.name,
            )
        changed = stale_documents(adapter.card, current.get)
        if not changed:
            return Status("ready", adapter=adapter.name)
        learned = {seen.name: seen.version for seen in adapter.card.documents}
        now = {name: documents[name].version for name in changed if name in documents}
        words = [f"{name} ({_since(learned[name], now.get(name))})" for name in changed[:3]]
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        return Status(
            "stale",
            f"The adapter {adapter.name} learned documents that have changed or are gone here: "
            f"{', '.join(words)}{more}.",
            adapter=adapter.name,
        )

    def _served_status(self, name: str) -> Status:
        """Of a tuned model behind an address: what it learned is not known here."""
        if self.role is None:
            return Status("ready", adapter=name)
        return Status(
            "withheld",
            f"The model {name} is not asked for {role_words(self.role)}: which documents it learned is not "
            "known here, and weights cannot leave anything out.",
            adapter=name,
        )

    def ask(
        self,
        question: Question | str,
        backend: BackendName,
        settings: Settings | None = None,
        stop: threading.Event | None = None,
        earlier: Sequence[str] = (),
    ) -> Iterator[AnswerEvent]:
        """Ask one backend; its events end with its `Answer`, unless `stop` was set before it began.

        With the setting `follow_ups`, what a question leaves to the `earlier` ones, oldest first, is put in.
        Setting `stop` ends the answer early. Raises UserError when the question cannot be asked or this
        backend cannot answer it.
        """
        settings, asked = settings or self.settings, as_question(question)
        check_question(asked.question)
        if asks_nothing(asked.question):
            raise UserError(what_can_be_asked([each.title for each in self.library.catalogue(self.role)]))
        if stop is not None and stop.is_set():
            return
        schema = asked_schema(asked) if settings.constrained_decoding else None
        runner = self.backend(backend, settings, stop, schema)
        self._warm(backend, settings)
        status = self.status(backend, settings)
        notes = [status.reason] if status.state == "stale" else []
        evidence, told = None, False
        for event in stream(
            runner if schema is not None else PartByPart(runner),
            asked,
            settings,
            context=self._answer_context(backend, settings),
            notes=[*notes, *self._new_to(backend, asked.question, settings)],
            reword=partial(standalone, earlier=earlier) if earlier and settings.follow_ups else None,
            stop=stop,
        ):
            if isinstance(event, Evidence):
                evidence = event
            if not told or isinstance(event, Evidence):  # before anything of it is shown
                self._audit_asking(backend, asked.question, evidence)
                told = True
            if isinstance(event, Answer):
                traces.answered(event)
                if self.log is not None:
                    self.log(event, evidence)
            yield event

    def _audit_asking(self, backend: BackendName, question: str, evidence: Evidence | None) -> None:
        if self.audit is not None:
            hits = [*(each.hit for each in evidence.sources), *evidence.left_out] if evidence else []
            found = [hit.chunk.document for hit in hits]
            self.audit("asked", found, detail=backend, question=question)

    def answer(
        self,
        question: Question | str,
        backend: BackendName,
        settings: Settings | None = None,
        stop: threading.Event | None = None,
        earlier: Sequence[str] = (),
    ) -> Answer:
        """One backend's record alone; raises what `ask` raises, and UserError when it was stopped before."""
        for event in self.ask(question, backend, settings, stop, earlier):
            if isinstance(event, Answer):
                return event
        raise UserError("Stopped before the answer began.")

    def warm_up(
        self,
        backends: Sequence[BackendName],
        settings: Settings | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        """Load, index and answer once with each usable backend, so that the first real answer is typical.

        Raises UserError when `stop` is set while documents are indexed.
        """
        settings = settings or self.settings
        for name in backends:
            if self.status(name, settings).usable:
                self._warm(name, settings, stop)

    def _warm(self, name: BackendName, settings: Settings, stop: threading.Event | None = None) -> None:
        """Answer once, unmeasured, whenever something is about to be used for the first time."""
        model = self.asked(name, settings)
        key: tuple[object, ...] = (name, model.fingerprint)
        if name in ("fine_tuned", "hybrid") and (adapter := self._adapter(name, model)):
            key += (str(adapter.folder), adapter.card.created)
        if name in ("rag", "hybrid"):
            key += (self._fingerprint, self.role, settings.chunk_size, settings.chunk_overlap)
            key += (settings.chunking, self.library.embedder.name)
            key += (settings.mode, settings.rerank, settings.cross_encoder)
        with _warming:
            if key not in _warmed:
                if self.served(name, settings) is None:
                    warm_up(self.backend(name, settings, stop), settings)
                elif name in ("rag", "hybrid"):  # the server is not ours to warm; what runs here is
                    evidence_for(WARM_UP_QUESTION, self._finder(settings, stop), model, settings)
                _keep(_warmed, key, None, MAX_WARMED)

    def _new_to(self, name: BackendName, question: str, settings: Settings) -> list[str]:
        """What to say where a backend answers from weights about documents that these never learned."""
        if name != "fine_tuned" or self.served(name, settings) is not None:
            return []
        adapter = self._adapter(name, self.asked(name, settings))
        found = (
            self.retriever(settings).within(settings.only).search(question, top_k=ABOUT, mode=settings.mode)
        )
        about = list(dict.fromkeys(hit.chunk.document for hit in found))
        learned = {seen.name for seen in adapter.card.documents} if adapter is not None else set()
        if not about or not learned or learned & set(about):  # rows of the visitor's own name no documents
            return []
        return [
            f"{NEVER_LEARNED} {about[0]}, which the question seems to be about: it can only guess or decline."
        ]

    def _adapter(self, kind: AdapterKind, model: Model) -> Adapter | None:
        return self.adapters.active(kind, model.fingerprint)

    def _adapter_folder(self, kind: AnsweringKind, model: Model, settings: Settings) -> Path:
        """The adapter's folder; of a tuned model behind an address its name alone."""
        if (served := self.served(kind, settings)) is not None:
            return Path(served.tuned_name)
        adapter = self._adapter(kind, model)
        if adapter is None:  # deleted since it was looked for
            raise UserError(self.status(kind, settings).reason)
        return adapter.folder

    def answering_words(self, question: str, passage: str) -> tuple[int, int] | None:
        """The characters of a passage that answer a question; None where it hardly does."""
        return None if (found := self._abstainer) is None else found.answering_words(question, passage)

    @property
    def _abstainer(self) -> Abstainer | None:
        """What declines; its rule was fitted together with the cross-encoder."""
        return answerability.shipped() if self.library.ranker is not None else None

    def _finder(self, settings: Settings, stop: threading.Event | None = None) -> Finder:
        """What finds the evidence of these settings: the retriever, or the documents as they are."""
        if settings.whole_documents:
            wanted = Filters(documents=settings.only)
            return WholeDocuments([d for d in self.library.documents(self.role) if wanted.admit(d)])
        return self.retriever(settings, stop=stop).fresh().within(settings.only)

    def retriever(
        self,
        settings: Settings | None = None,
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Retriever:
        """What this reader can search, with the embedder that is active now."""
        self.use_active_embedder()
        return self.library.retriever(
            settings or self.settings, role=self.role, progress=progress or self._progress, cancel=stop
        )

    # --- the embedder ------------------------------------------------------------------------------

    def tuned_embedder(self) -> Adapter | None:
        """The version that finds passages; None for the published weights."""
        return tuned_embedder(self.adapters, MODEL_SHA256, self.library.restricted())

    def use_active_embedder(self) -> None:
        """Let the library search with the embedder that is active now; costs nothing where it does."""
        adapter = self.tuned_embedder()
        self.library.use(shared_embedder(adapter.folder) if adapter is not None else self.published)

    def read_with(
        self,
        adapter: Adapter,
        report: Callable[[int, int, str], None],
        cancel: threading.Event | None = None,
    ) -> None:
        """Let a tuned embedder read every document; what neither it nor the present one read is dropped."""
        embedder = shared_embedder(adapter.folder)

        def progress(step: Progress) -> None:
            report(step.done, step.total, f"Reading {step.item} with {adapter.name}")

        self.library.read_with(embedder, self.settings, progress, cancel)
        self.library.keep_readings([embedder, self.published, self.library.embedder])

    def _answer_context(self, name: BackendName, settings: Settings) -> AnswerContext:
        return AnswerContext(
            judge=lambda question, text: self._passages(f"{question} {text}", settings),
            prices=self._prices(self.served(name, settings)),
            check=lambda draft: self._checked(draft, settings),
            page_of=self._page_of,
            corpus=self._fingerprint,
            load=self._load,
        )

    def _load(self) -> list[str]:
        """The trainings of every visitor count: they work on the same processors."""
        return [TRAINED_MEANWHILE] if somebody_trains(self.workspace) else []

    @property
    def _fingerprint(self) -> str:
        return self.library.fingerprint_for(self.role)

    def _checked(self, draft: WrittenAnswer, settings: Settings) -> Checks:
        """The labels of an answer, by what this reader may see."""
        read = found.reader.read if (found := self._abstainer) is not None else None
        library = self.retriever(settings).within(settings.only)
        return check(draft, library, settings.mode, self._page_at, read)

    def _page_at(self, name: str, version: int, offset: int, otherwise: int | None = None) -> int | None:
        try:
            return self.library.get(name, version, self.role).page_at(offset)
        except UserError:  # forgotten while the answer was being written
            return otherwise

    def _passages(self, text: str, settings: Settings) -> list[str]:
        """What the library finds for these words: the same yardstick whether a backend retrieves or not."""
        retriever = self.retriever(settings).within(settings.only)
        hits = retriever.search(text, top_k=JUDGE_PASSAGES, mode=settings.mode)
        return [hit.chunk.text for hit in hits]

    def _prices(self, served: ServedModel | None) -> PriceBook:
        """The workspace's price book, or the price that models.toml gives for this model."""
        book = PriceBook.load(self.price_file)
        if served is None or served.prompt_per_million_tokens is None:
            return book
        return book.of_model(
            f"{served.model} at {served.place}",
            served.prompt_per_million_tokens,
            served.completion_per_million_tokens or 0.0,
            served.currency,
            served.price_date,
        )

    def endpoint_prices(self, model: str) -> dict[BackendName, PriceBook]:
        """The price book of each backend whose model of this name has a price in models.toml."""
        found: dict[BackendName, PriceBook] = {}
        for name in BACKEND_NAMES:
            try:
                served = self.served(name, self.settings.model_copy(update={"model": model}))
            except UserError:  # it has no model of this name, and answers nothing
                continue
            if served is not None and served.prompt_per_million_tokens is not None:
                found[name] = self._prices(served)
        return found

    @property
    def price_file(self) -> Path:
        """The workspace's price book, or the sample's where it has none."""
        own = self.workspace / "prices.toml"
        return own if own.is_file() else SAMPLE_PRICES

    def _page_of(self, source: Source, offset: int) -> int | None:
        chunk = source.hit.chunk
        return self._page_at(chunk.document, chunk.version, offset, chunk.page)


def _since(learned: int, now: int | None) -> str:
    """What became of a learned version. In a folder that takes the library's place numbers begin anew."""
    if now is None:
        return "gone"
    return f"learned version {learned}, now " + (f"version {now}" if now != learned else "another")


# --- shared by the process -----------------------------------------------------------------------

_models: OrderedDict[str, LanguageModel] = OrderedDict()
_endpoints: OrderedDict[str, EndpointModel] = OrderedDict()
_embedders: OrderedDict[tuple[str, int], Embedder] = OrderedDict()
_libraries: OrderedDict[tuple[tuple[object, ...], str], Library] = OrderedDict()
_warmed: OrderedDict[tuple[object, ...], None] = OrderedDict()
_loading = threading.Lock()
_warming = threading.Lock()


def shared_model(name: str) -> LanguageModel:
    """The model of this name, loaded once; the least recently used of more than MAX_MODELS is let go."""
    with _loading:
        model = _models.get(name) or LanguageModel.load(name)
        _keep(_models, name, model, MAX_MODELS)
        return model


def shared_endpoint(served: ServedModel) -> EndpointModel:
    """The model behind this address, with its connections kept open; at most MAX_ENDPOINTS."""
    from backends.language.endpoint import EndpointModel  # its client takes long to import

    key = served.model_dump_json()
    with _loading:
        model = _endpoints.get(key) or EndpointModel(served)
        _keep(_endpoints, key, model, MAX_ENDPOINTS)
        return model


def shared_embedder(adapter: Path | None = None) -> Embedder:
    """The published embedder, or the one that this folder stands for now: tuned, or another model.

    Raises UserError when the folder is gone.
    """
    try:
        key = (str(adapter), (adapter / CARD).stat().st_mtime_ns if adapter is not None else 0)
    except OSError as error:
        raise UserError(f"The embedder {adapter.name if adapter else ''} is gone.") from error
    with _loading:
        known = _embedders.get(key) or (MiniLM() if adapter is None else embedder_in(adapter))
        _keep(_embedders, key, known, MAX_EMBEDDERS)
        return known


def shared_library(library: Library, documents: str) -> Library:
    """The library object that this process already has for the same database, with its built indexes."""
    key = (library.workspace.identity, documents)
    with _loading:
        known = _libraries.get(key, library)
        _keep(_libraries, key, known, MAX_LIBRARIES)
        return known


def _keep(cache: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > most:
        cache.popitem(last=False)
