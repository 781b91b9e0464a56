"""Joins the product to its evaluation: `Triptych` as a subject, and the question sets that come with it.

Enters: an opened `Triptych`. Leaves: a `Subject` that answers, finds passages and tells what it is made of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from backends.datatypes import Answer, BackendName, Question, UserError
from backends.evaluation.archive import Archive, Setting
from backends.evaluation.judging import HOW, Endpoint, Judge
from backends.evaluation.ragas_judge import RagasJudge, check_installed
from backends.evaluation.runner import machine
from backends.evaluation.scoring import Passage
from backends.product import Triptych, shared_embedder
from backends.settings import Settings
from backends.training.adapters import ADAPTER_KINDS, AdapterKind


class TriptychSubject:
    """One opened workspace, as evaluation sees it."""

    def __init__(self, triptych: Triptych) -> None:
        self._triptych = triptych

    def answer(self, question: Question, backend: BackendName, settings: Settings) -> Answer:
        return self._triptych.answer(question, backend, settings)

    def warm_up(self, backends: Sequence[BackendName], settings: Settings) -> None:
        self._triptych.warm_up(backends, settings)

    def found(self, question: str, settings: Settings) -> list[Passage]:
        retriever = self._triptych.library.retriever(settings, role=self._triptych.role)
        hits = retriever.search(question, top_k=settings.top_k, mode=settings.mode)
        chunks = [hit.chunk for hit in hits]
        return [Passage(c.document, c.version, c.start, c.end, c.text) for c in chunks]

    def likeness(self, one: str, other: str) -> float:
        first, second = shared_embedder().embed([one, other])
        return float(first @ second)

    def describe(self, settings: Settings) -> Setting:
        model = self._triptych.asked("base", settings)
        adapters: dict[str, dict[str, str]] = {
            kind: made for kind in ADAPTER_KINDS if (made := self._adapter(kind, settings))
        }
        library, role = self._triptych.library, self._triptych.role
        return Setting(
            corpus=library.fingerprint_for(role),
            role=role or "",
            documents={document.name: document.version for document in library.documents(role)},
            model=model.name,
            model_fingerprint=model.fingerprint,
            adapters=adapters,
            machine=machine(),
        )

    def _adapter(self, kind: AdapterKind, settings: Settings) -> dict[str, str]:
        """Name and fingerprint of what answers as this tuned backend; empty where nothing does."""
        try:
            served = self._triptych.served(kind, settings)
        except UserError:  # models.toml names none: the backend says so when it is asked
            return {}
        if served is not None:
            return {"name": served.tuned_name, "fingerprint": served.fingerprint}
        adapter = self._triptych.adapters.active(kind, self._triptych.model(settings).fingerprint)
        return {"name": adapter.name, "fingerprint": _digest(adapter.folder)} if adapter else {}


@contextmanager
def configured_judge() -> Iterator[Judge]:
    """The judge model of the environment, asked through RAGAS. UserError when there is none or no RAGAS."""
    endpoint = Endpoint.configured()
    if endpoint is None:
        raise UserError(f"No judge model is configured. {HOW}")
    check_installed()
    with RagasJudge(endpoint, shared_embedder().embed) as judge:
        yield judge


def _digest(folder: Path) -> str:
    """Of the weights themselves: the same on every machine and after every copy."""
    with (folder / "adapter_model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def archive_of(triptych: Triptych) -> Archive:
    """Where the runs of these documents are kept: beside them, so that private ones stay private."""
    return Archive(triptych.library.workspace.path)
