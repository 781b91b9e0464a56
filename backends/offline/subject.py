"""Joins the product to its evaluation: `Triptych` as a subject, and the question sets that come with it.

Enters: an opened `Triptych`. Leaves: a `Subject` that answers, finds passages and tells what it is made of.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from backends.datatypes import Answer, BackendName, Evidence, Question, UserError
from backends.evaluation.archive import RunStore, Setting
from backends.evaluation.judging import HOW, Endpoint, Judge
from backends.evaluation.ragas_judge import RagasJudge, check_installed
from backends.evaluation.run_rows import open_runs
from backends.evaluation.runner import Answered, machine
from backends.evaluation.scoring import Passage
from backends.product import Triptych, shared_embedder
from backends.settings import Settings
from backends.training.adapters import ANSWERING, AnsweringKind

WEIGHTS = "adapter_model.safetensors"


class TriptychSubject:
    """One opened workspace, as evaluation sees it."""

    def __init__(self, triptych: Triptych) -> None:
        self._triptych = triptych

    def as_now(self) -> TriptychSubject:
        return TriptychSubject(self._triptych.as_now())

    def fingerprint(self, settings: Settings) -> str:
        model = self._triptych.asked("base", settings)
        parts = [self._triptych.library.fingerprint_for(self._triptych.role), model.fingerprint]
        return " ".join([*parts, *(seen["fingerprint"] for seen in self._adapters(settings).values())])

    def answer(self, question: Question, backend: BackendName, settings: Settings) -> Answered:
        evidence: Evidence | None = None
        for event in self._triptych.ask(question, backend, settings):
            if isinstance(event, Evidence):
                evidence = event
            elif isinstance(event, Answer):
                found = () if settings.whole_documents else _found(evidence)
                return Answered(event, found)
        raise UserError("Stopped before the answer began.")

    def warm_up(
        self, backends: Sequence[BackendName], settings: Settings, stop: threading.Event | None = None
    ) -> None:
        self._triptych.warm_up(backends, settings, stop)

    def likeness(self, one: str, other: str) -> float:
        first, second = shared_embedder().embed([one, other])
        return float(first @ second)

    def describe(self, settings: Settings) -> Setting:
        model = self._triptych.asked("base", settings)
        library, role = self._triptych.library, self._triptych.role
        return Setting(
            corpus=library.fingerprint_for(role),
            role=role or "",
            documents={entry.name: entry.version for entry in library.catalogue(role)},
            model=model.name,
            model_fingerprint=model.fingerprint,
            adapters=self._adapters(settings),
            machine=machine(),
        )

    def _adapters(self, settings: Settings) -> dict[str, dict[str, str]]:
        """Name and fingerprint of what answers as each tuned backend, by its kind."""
        return {kind: made for kind in ANSWERING if (made := self._adapter(kind, settings))}

    def _adapter(self, kind: AnsweringKind, settings: Settings) -> dict[str, str]:
        """Name and fingerprint of what answers as this tuned backend; empty where nothing does."""
        try:
            served = self._triptych.served(kind, settings)
        except UserError:  # models.toml names none: the backend says so when it is asked
            return {}
        if served is not None:
            return {"name": served.tuned_name, "fingerprint": served.fingerprint}
        adapter = self._triptych.adapters.active(kind, self._triptych.model(settings).fingerprint)
        return {"name": adapter.name, "fingerprint": _digest(adapter.folder)} if adapter else {}


def _found(evidence: Evidence | None) -> tuple[Passage, ...]:
    """The passages in the order in which the answer's own search ranked them; those not shown come last."""
    if evidence is None:
        return ()
    hits = [*(source.hit for source in evidence.sources), *evidence.left_out]
    return tuple(Passage(c.document, c.version, c.start, c.end, c.text) for c in (hit.chunk for hit in hits))


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
    """Of the weights themselves: the same on every machine and after every copy; "gone" without any."""
    try:
        status = (folder / WEIGHTS).stat()
        return _digest_of(folder, status.st_size, status.st_mtime_ns)
    except OSError:
        return "gone"


@lru_cache(maxsize=64)
def _digest_of(folder: Path, _size: int, _time: int) -> str:
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def archive_of(triptych: Triptych) -> RunStore:
    """Where the runs of these documents are kept: beside them, so that private ones stay private."""
    return open_runs(triptych.library.workspace.path)
