"""The product as evaluation sees it: what it searched is what is scored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from backends.datatypes import BackendName, Chunk, Evidence, Hit, Question, Sentence, Source, UserError
from backends.offline.subject import TriptychSubject
from backends.product import Triptych
from backends.settings import Settings
from backends.training.adapters import AdapterCard, Adapters, write_card
from tests.evaluation.subjects import ScriptedSubject

QUESTION = Question("q001", "How long is term 1?", ("1 days",))


def hit(document: str, rank: int) -> Hit:
    chunk = Chunk(document, 1, 0, 4, "Text", page=None, tokens=1, title=document, heading="")
    return Hit(chunk, rank, 1.0, None, None)


class Searched:
    """A product whose own search found b before a, and had no room for c."""

    def __init__(self, folder: Path) -> None:
        self.role = None
        self.adapters = Adapters(folder / "adapters", folder / "shipped")
        self.library = SimpleNamespace(fingerprint_for=lambda role: "c0")

    def model(self, settings: Settings) -> Any:
        return SimpleNamespace(fingerprint="f0", name="tiny")

    def asked(self, backend: str, settings: Settings) -> Any:
        return self.model(settings)

    def served(self, kind: str, settings: Settings) -> None:
        """Nothing is behind an address here."""

    def as_now(self) -> Searched:
        made = Searched(self.adapters.folder.parent)
        made.adapters = self.adapters.as_now()
        return made

    def ask(self, question: Question, backend: BackendName, settings: Settings) -> Iterator[Any]:
        if backend == "base":
            raise UserError("No such luck.")
        shown = [
            Source(rank, hit(name, at), (Sentence(0, 4, "Text"),))
            for rank, name, at in ((1, "b", 2), (2, "a", 1))
        ]
        yield Evidence(tuple(shown), (hit("c", 3),))
        yield replace(ScriptedSubject().answer(question, "rag", settings).answer)


@pytest.fixture
def searched(tmp_path: Path) -> Searched:
    return Searched(tmp_path)


def test_retrieval_scores_are_of_the_search_that_the_answer_made(searched: Searched) -> None:
    made = TriptychSubject(cast(Triptych, searched)).answer(QUESTION, "rag", Settings(multi_step=True))
    assert [passage.document for passage in made.found] == ["b", "a", "c"]
    with pytest.raises(UserError, match="No such luck"):
        TriptychSubject(cast(Triptych, searched)).answer(QUESTION, "base", Settings())


def adapter(folder: Path, name: str, weights: bytes) -> None:
    (folder / name).mkdir(parents=True)
    write_card(folder / name, AdapterCard(name, "fine_tuned", "tiny", "f0"))
    (folder / name / "adapter_model.safetensors").write_bytes(weights)


def test_an_adapter_activated_later_does_not_answer_for_the_run(searched: Searched) -> None:
    adapter(searched.adapters.folder, "first", b"1")
    searched.adapters.activate("first")
    now = TriptychSubject(cast(Triptych, searched))
    then = now.as_now()
    before = then.fingerprint(Settings())
    adapter(searched.adapters.folder, "second", b"2")
    searched.adapters.activate("second")
    assert then.fingerprint(Settings()) == before != now.fingerprint(Settings())
    (searched.adapters.folder / "first" / "adapter_model.safetensors").write_bytes(b"another")
    assert then.fingerprint(Settings()) != before
