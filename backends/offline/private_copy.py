"""Joins the product to its stress tests: a private copy of the documents, free to be edited and poisoned.

Enters: an opened `Triptych`. Leaves: a `StressSubject` on a copy in a temporary folder: whatever a test
edits, forgets or poisons is gone with it. Vectors that the original knows are not computed again.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from backends.answering import stopwatch
from backends.answering.overlap import sentences
from backends.costs.monthly import RETRIEVING, OperatingPlan, change_cost
from backends.costs.prices import load_book
from backends.datatypes import (
    Answer,
    BackendName,
    Chunk,
    Document,
    Evidence,
    Hit,
    JsonValue,
    Question,
    RetrievalMode,
    Sentence,
    Source,
    UserError,
)
from backends.documents.following import CopyLibrary
from backends.documents.store import Workspace
from backends.erasure.forget import Beside, forget
from backends.evaluation.probes import questions_for
from backends.fine_tuned import FineTuned
from backends.hybrid import Hybrid
from backends.language.prompts import build_messages, format_evidence
from backends.offline.trainer import Trainer
from backends.product import Triptych
from backends.rag import Rag
from backends.retrieval.embedding import Embedder
from backends.retrieval.retriever import Retriever
from backends.settings import Settings
from backends.stress.all_tests import TESTS
from backends.stress.forgetting import erasure
from backends.stress.latency import SIZES, latency
from backends.stress.records import Result, Retraining, SearchTimes, ShownPassage, StressRun, StressTest
from backends.system.files import SAMPLE_CORPUS
from backends.system.json_texts import is_json
from backends.system.reporting import Report, no_report
from backends.system.wording import roughly
from backends.training.adapters import ANSWERING, Adapters
from backends.training.lora import train_adapter

TRAINING = SAMPLE_CORPUS / "training"
SYNTHETIC_POOL = 600  # different sentences that made-up passages consist of
SYNTHETIC_SENTENCES = 6
SPREAD = 0.7  # how far made-up passages lie from the sentence they begin with
FOUND = 8  # passages looked at when the index is probed
REEMBEDDED_CHARACTERS_PER_TOKEN = 4


@contextmanager
def private_copy(triptych: Triptych, settings: Settings) -> Iterator[PrivateCopySubject]:
    """A subject on a copy of what this reader may see; the copy goes when the block ends."""
    with tempfile.TemporaryDirectory(prefix="triptych-stress-", ignore_cleanup_errors=True) as folder:
        workspace = Workspace.open(Path(folder))
        library = CopyLibrary(workspace, triptych.library)
        for document in triptych.library.documents(triptych.role):
            library.put(replace(document, roles=()), settings)
        copied = Triptych(
            triptych.workspace,
            settings,
            library,
            adapters=Adapters(Path(folder) / "adapters", parent=triptych.adapters),
            model=triptych.model(settings),
        )
        try:
            yield PrivateCopySubject(copied, library, settings)
        finally:
            workspace.close()


class PrivateCopySubject:
    """The four backends over a library that may be changed freely."""

    def __init__(self, triptych: Triptych, library: CopyLibrary, settings: Settings) -> None:
        self._triptych = triptych
        self._library = library
        self._settings = settings
        self._book = load_book(triptych.price_file)

    def documents(self) -> list[Document]:
        return self._library.documents()

    def answer(
        self,
        question: Question | str,
        backend: BackendName,
        *,
        constrained: bool | None = None,
        ignore_orders: bool | None = None,
    ) -> Answer:
        given = {"constrained_decoding": constrained, "ignore_orders": ignore_orders}
        changed = {name: value for name, value in given.items() if value is not None}
        return self._triptych.answer(question, backend, self._settings.model_copy(update=changed))

    def answer_from(self, question: str, backend: BackendName, passages: Sequence[ShownPassage]) -> Answer:
        made = self._triptych.backend(backend, self._settings)
        if not isinstance(made, Rag | Hybrid):
            raise UserError(f"{backend} reads no passages.")
        shown = replace(made, retriever=Given(passages))
        return stopwatch.answer(
            shown, Question("given", question), self._settings, context=stopwatch.AnswerContext()
        )

    def put(self, name: str, text: str) -> float:
        began = time.perf_counter()
        digest = hashlib.sha256(text.encode()).hexdigest()
        known = {document.name: document for document in self.documents()}
        old = known.get(name) or Document(name, 1, name, "text", text, digest)
        self._library.put(replace(old, text=text, content_hash=digest, pages=()), self._settings)
        self._library.retriever(self._settings).search("which documents are there", top_k=1, mode="hybrid")
        return time.perf_counter() - began

    def forget(self, name: str) -> None:
        forget(self._library, name, Beside())

    def found(self, question: str) -> list[ShownPassage]:
        retriever = self._library.retriever(self._settings)
        hits = retriever.search(question, top_k=FOUND, mode=self._settings.mode)
        return [ShownPassage(hit.chunk.document, hit.chunk.title, hit.chunk.text) for hit in hits]

    def searcher(self, passages: int, seed: int) -> Callable[[str], SearchTimes]:
        made = synthetic(self.documents(), self._library.embedder, passages, seed)
        retriever = Retriever(*made.parts, self._library.embedder, self._library.ranker, (), made.stored)
        retriever.build()
        model, settings = self._triptych.model(self._settings), self._settings

        def search(question: str) -> SearchTimes:
            fresh = retriever.fresh()
            began = time.perf_counter()
            hits = fresh.search(question, top_k=settings.top_k, mode=settings.mode)
            searched = time.perf_counter()
            evidence = fresh.select_evidence(
                question,
                hits,
                budget=settings.context_tokens,
                count_tokens=model.count_tokens,
                rerank=settings.rerank,
                format_line=format_evidence,
            )
            chosen = time.perf_counter()
            best = evidence.sources[0].hit.chunk.document if evidence.sources else ""
            return SearchTimes(best, searched - began, chosen - searched)

        return search

    def likelihood(self, question: str, answer: str, backend: BackendName) -> float:
        made = self._triptych.backend(backend, self._settings)
        adapter = made.adapter if isinstance(made, FineTuned | Hybrid) else None
        model = self._triptych.model(self._settings)
        return model.log_likelihood(build_messages(question), answer, adapter=adapter)

    def retrain(
        self, backend: BackendName, how: Retraining, report: Callable[[str], None], cancelled: threading.Event
    ) -> float:
        kind = next((kind for kind in ANSWERING if kind == backend), None)
        fingerprint = self._triptych.model(self._settings).fingerprint
        adapter = self._triptych.adapters.active(kind, fingerprint) if kind else None
        if kind is None or adapter is None:
            raise UserError(f"There is no {backend} adapter to train again.")
        trainer = Trainer(self._triptych)
        train, held = trainer.renewed(adapter).sides()
        params = trainer.parameters(adapter)
        if how.epochs is not None:
            params = replace(params, epochs=how.epochs)
        name = f"{backend.replace('_', '-')}-again"
        done = train_adapter(
            trainer.model_name,
            trainer.examples(train, kind),
            trainer.examples(held, kind),
            trainer.adapters.path_for(name),
            params,
            kind=kind,
            documents=trainer.learned(row for _, row in [*train, *held]),
            progress=lambda step: report(
                f"epoch {step.epoch} of {step.epochs}, about {roughly(step.seconds_left)} left"
            ),
            cancel=cancelled,
        )
        trainer.adapters.activate(name)
        return done.seconds

    def change_cost(self, backend: BackendName, characters: int) -> dict[str, JsonValue]:
        """Embedding the document again; for tuned backends also one training run as its card measured it."""
        tokens, seconds, basis = characters / REEMBEDDED_CHARACTERS_PER_TOKEN, 0.0, []
        if backend in RETRIEVING:
            basis.append(f"about {tokens:,.0f} tokens embedded again")
        if backend in ("fine_tuned", "hybrid"):
            adapter = self._triptych.adapters.active(
                backend, self._triptych.model(self._settings).fingerprint
            )
            seconds = float(adapter.card.report.get("seconds", 0.0)) if adapter is not None else 0.0
            basis.append(f"one training run of {seconds:,.0f} s")
        plan = OperatingPlan(training_hours=seconds / 3600, changes_per_retraining=1, people_per_retraining=0)
        return {
            "amount": round(change_cost(self._book, plan, backend, tokens), 8),
            "currency": self._book.currency,
            "basis": " and ".join(basis) or "nothing to do: it follows no change",
            "tokens": round(tokens),
        }


@dataclass(frozen=True)
class Given:
    """A retriever that finds exactly these passages and keeps all of them, in their order."""

    passages: Sequence[ShownPassage]

    def search(self, question: str, *, top_k: int, mode: RetrievalMode, **_: object) -> list[Hit]:
        return [
            Hit(Chunk(p.document, 1, 0, len(p.text), p.text, None, 0, p.title), rank, 1 / rank)
            for rank, p in enumerate(self.passages, start=1)
        ]

    def related(self, question: str, mode: RetrievalMode) -> list[str]:
        return []

    def select_evidence(self, question: str, hits: Sequence[Hit], **_: object) -> Evidence:
        sources = [
            Source(hit.rank, hit, (Sentence(0, len(hit.chunk.text), hit.chunk.text, 1.0),)) for hit in hits
        ]
        return Evidence(tuple(sources))


@dataclass(frozen=True)
class Synthetic:
    """Made-up passages: runs of real sentences in random order, near to the meaning of the first."""

    chunks: Sequence[Chunk]
    vectors: np.ndarray  # (passages, width), rows of length 1
    known: Mapping[str, np.ndarray]  # by sentence

    @property
    def parts(self) -> tuple[Sequence[Chunk], np.ndarray]:
        """The made passages and their vectors."""
        return self.chunks, self.vectors

    def stored(self, _: Chunk, found: Sequence[Sentence]) -> np.ndarray:
        """The vectors of these sentences, as a library has them from when it read the document."""
        other = next(iter(self.known.values()))  # of a sentence that was cut otherwise
        return np.stack([self.known.get(each.text.strip(), other) for each in found])


def synthetic(documents: Sequence[Document], embedder: Embedder, count: int, seed: int) -> Synthetic:
    """`count` passages, 20 to a document. Raises UserError where there is no sentence to make them of."""
    draw = np.random.default_rng(seed)
    pool = sorted(
        {" ".join(s.split()) for d in documents for s in sentences(d.text) if 5 < len(s.split()) < 40}
    )
    if not pool:
        raise UserError("These documents hold no sentence to make passages of.")
    picked = [pool[at] for at in draw.permutation(len(pool))[:SYNTHETIC_POOL]]
    anchors = embedder.embed(picked)
    runs = draw.integers(0, len(picked), (count, SYNTHETIC_SENTENCES))
    vectors = anchors[runs[:, 0]] + draw.normal(
        0, SPREAD / anchors.shape[1] ** 0.5, (count, anchors.shape[1])
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [" ".join(picked[at] for at in run) for run in runs]
    chunks = [Chunk(f"made-{n // 20}.md", 1, 0, len(text), text, None, 0) for n, text in enumerate(texts)]
    return Synthetic(chunks, vectors.astype(np.float32), dict(zip(picked, anchors, strict=True)))


def learned_questions(folder: Path = TRAINING) -> list[Question]:
    """The sample's training rows as questions; an answer's first sentence is its short answer."""
    rows = [
        json.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
        if line.strip()
    ]
    return [
        Question(f"row-{n}", row["question"], (short_answer(row["answer"]),), tuple(row["documents"]))
        for n, row in enumerate(rows)
        if row.get("documents") and not is_json(row["answer"])
    ]


def short_answer(answer: str) -> str:
    """The bare answer of a row."""
    return sentences(answer)[0].rstrip(".")


def stress(
    triptych: Triptych,
    test: StressTest,
    backends: Sequence[BackendName],
    settings: Settings,
    *,
    questions: Sequence[Question] | None = None,
    number: int = 6,
    seed: int = 0,
    document: str | None = None,
    sizes: Sequence[int] = SIZES,
    retraining: Retraining | None = None,
    progress: Report = no_report,
    cancelled: threading.Event | None = None,
) -> Result:
    """Run one test on a private copy of the current documents.

    Raises UserError when nothing can be tested, when no backend can answer, or when it was cancelled.
    """
    progress(0, 0, "copying the documents")
    with private_copy(triptych, settings) as subject:
        pool = list(questions) if questions is not None else questions_for(subject.documents())
        learned = learned_questions() if test == "erasure" else []
        run = StressRun(
            subject,
            backends,
            pool,
            number,
            seed,
            retraining,
            learned,
            progress,
            cancelled or threading.Event(),
        )
        given: dict[StressTest, Callable[[StressRun], Result]] = {
            "erasure": partial(erasure, document=document),
            "latency": partial(latency, sizes=sizes),
        }
        result = given.get(test, TESTS[test])(run)
    if not result.rows:
        raise UserError(" ".join(result.skipped.values()) or "No backend could be asked.")
    return result
