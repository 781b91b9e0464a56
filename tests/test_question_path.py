"""One question passes few functions between the page and the model: those that ARCHITECTURE.md lists."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from backends.datatypes import Event, Finished, Token, Usage
from backends.documents.library import Library
from backends.documents.store import Workspace
from backends.language.generation import LanguageModel
from backends.product import Triptych
from backends.settings import make_settings
from backends.system.jobs import Jobs
from pages.ui.asking import Asked, asking
from pages.ui.triptych_service import TriptychService
from tests.fakes import HashingEmbedder, tiny_language_model
from tests.readme_tree import PLACE, README, ROOT

SETTINGS = make_settings(max_tokens=8, context_tokens=200, top_k=2, chunk_size=32, chunk_overlap=4)
MOST_BETWEEN = 6  # functions between the page's own and the model's


def ours(frame: FrameType | None) -> list[tuple[str, str]]:
    """(file, function) of the frames that lie in our code, the outermost first."""
    found: list[tuple[str, str]] = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in ("backends", "pages"):
            found.append((str(path.relative_to(ROOT)), frame.f_code.co_qualname))
        frame = frame.f_back
    return found[::-1]


def test_a_question_passes_the_functions_that_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lamps.txt").write_text("The Lark lamp costs 99 euros. It weighs 2 kilos.\n")
    library = Library(Workspace.open(tmp_path / "workspace"), HashingEmbedder())
    assert [row.status for row in library.ingest([tmp_path / "lamps.txt"], settings=SETTINGS)] == ["indexed"]
    model = LanguageModel.load(tiny_language_model(tmp_path / "model", context=1024))
    triptych = Triptych(library.workspace.path, SETTINGS, library, model=model)
    service = TriptychService(triptych, lambda: triptych, person="ada")
    passed: list[list[tuple[str, str]]] = []

    def generate(self: LanguageModel, *_messages: Any, **_options: Any) -> Iterator[Event]:
        passed.append(ours(sys._getframe(1)))
        yield Token("99 euros [1].")
        yield Finished(Usage(1, 1), prompt="p", model=self.name, adapter=None)

    monkeypatch.setattr(LanguageModel, "generate", generate)
    asked = Asked("What does the lamp cost?", ("rag",), SETTINGS, datetime.now(UTC))
    jobs = Jobs({}, keep=4)
    job = jobs.start("ask", "ada", asking(service, asked))
    job.wait(60)
    assert job.error is None and passed
    way = README.read_text(encoding="utf-8").split("## The way of a question")[1].split("\n## ")[0]
    listed = [(file, function) for file, _, function in PLACE.findall(way)]
    called = passed[-1]
    assert called[called.index(listed[0]) :] == listed[:-1]
    assert len(listed) - 2 <= MOST_BETWEEN
