"""Whole documents in the prompt: all that fit, in order, and a warning about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.answering.evidence import evidence_for
from backends.answering.whole_documents import WholeDocuments
from backends.datatypes import Document, Stage
from backends.documents.opening import open_folder
from backends.language.generation import LanguageModel
from backends.product import Triptych
from backends.settings import make_settings
from tests.fakes import HashingEmbedder, tiny_language_model

SETTINGS = make_settings(
    whole_documents=True, max_tokens=16, context_tokens=64, chunk_size=32, chunk_overlap=4
)


class Words:
    """A model of which only the counting is needed: a token a word."""

    name = "words"
    fingerprint = ""

    def __init__(self, context: int) -> None:
        self.context = context

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def render(self, messages: list[dict[str, str]]) -> str:
        return " ".join(message["content"] for message in messages)

    def room_for_prompt(self, max_tokens: int) -> int:
        return self.context - max_tokens


def documents(*counts: int) -> WholeDocuments:
    """Documents of so many sentences of five words."""
    made = []
    for n, count in enumerate(counts):
        text = " ".join(f"Sentence {n} {i} says this." for i in range(count))
        made.append(Document(f"d{n}.md", 1, f"D{n}", "markdown", text, ""))
    return WholeDocuments(made)


def shown(context: int, *counts: int) -> tuple[list[tuple[str, int]], tuple[str, ...]]:
    model = Words(context)
    evidence = evidence_for("Why is it so?", documents(*counts), model, SETTINGS)  # type: ignore[arg-type]
    kept = [(source.hit.chunk.document, len(source.sentences)) for source in evidence.sources]
    for source in evidence.sources:
        for sentence in source.sentences:
            assert source.hit.chunk.text[sentence.start : sentence.end] == sentence.text
    return kept, evidence.warnings


def test_everything_is_shown_where_it_fits_beyond_the_evidence_budget() -> None:
    kept, warnings = shown(2000, 30, 40, 2)
    assert kept == [("d0.md", 30), ("d1.md", 40), ("d2.md", 2)]
    assert warnings == ()


def test_what_does_not_fit_is_cut_and_told() -> None:
    kept, (warning,) = shown(350, 30, 40, 2)
    assert kept[0] == ("d0.md", 30)
    assert [name for name, _ in kept] == ["d0.md", "d1.md"]
    assert 0 < kept[1][1] < 40
    assert warning.startswith("Only 1 of 3 documents are in the prompt whole")
    exactly = next(context for context in range(150, 400) if shown(context, 30, 40)[0][-1] == ("d0.md", 30))
    assert shown(exactly, 30, 40)[1][0].startswith("Only 1 of 2 ")


def test_no_document_is_told() -> None:
    assert shown(350) == ([], ("There is no document to show.",))


@pytest.mark.parametrize("role", [None, "guest"])
def test_rag_over_whole_documents_searches_nothing_and_minds_roles(tmp_path: Path, role: str | None) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.md").write_text("# Returns\n\nGoods are returned within 30 days.\n")
    library = open_folder(tmp_path / "workspace", folder, HashingEmbedder(), SETTINGS)
    model = LanguageModel.load(tiny_language_model(tmp_path / "base", context=1024))
    triptych = Triptych(tmp_path / "workspace", SETTINGS, library, role=role, model=model)
    events = list(triptych.backend("rag").run("How long?", SETTINGS))
    assert [event.name for event in events if isinstance(event, Stage)] == ["retrieve", "generate"]
    answer = triptych.answer("How long?", "rag")
    assert [source.document for source in answer.sources] == ["a.md"]
    assert "rerank" not in answer.latency_ms
