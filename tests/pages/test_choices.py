"""What a visitor chose is kept and read again; which documents are asked; links; what differs in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.settings import make_settings
from pages.ask import link
from pages.ui import choices, scope
from pages.ui.choices import Choices
from pages.ui.session import ALL, COLLECTION, MINE, SAMPLE, SELECTED, Session
from pages.ui.settings_words import differences
from tests.pages.scripted import document

SAMPLED: list[Any] = [document("a.md", "A"), document("b.md", "B")]
OWN: list[Any] = [
    document("mine.txt", "M", source="upload"),
    document("old.txt", "O", source="/files"),
]


def test_choices_come_back_and_a_file_that_is_broken_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "visitors" / "ada"
    assert choices.load(folder) == Choices()
    kept = Choices({"top_k": 3}, ("rag",), "mine", ("a.md",), {"Contracts": ("a.md", "b.md")})
    choices.save(folder, kept)
    assert choices.load(folder) == kept
    (folder / choices.FILE).write_text('{"settings": 3')
    assert choices.load(folder) == Choices()


@pytest.mark.parametrize(
    ("documents", "there", "chosen"),
    [
        (SAMPLED, [SAMPLE, MINE], SAMPLE),
        (SAMPLED + OWN, [MINE, SAMPLE, ALL], MINE),
        (OWN, [ALL], ALL),
    ],
)
def test_own_documents_come_first(documents, there, chosen) -> None:
    now = Session("ada")
    assert scope.choices(now, documents) == there
    assert scope.chosen(now, documents) == chosen


def test_settings_keep_answers_to_the_scope_and_nothing_is_not_everything() -> None:
    now = Session("ada", selected=("b.md", "gone.md"), collections={"C": ("mine.txt",)})
    everything = SAMPLED + OWN

    def only(chosen: str, documents=everything) -> tuple[str, ...]:
        now.scope = chosen
        return scope.asking(now, documents).only

    assert only(ALL) == ()
    assert only(MINE) == ("mine.txt", "old.txt")
    assert only(SAMPLE) == ("a.md", "b.md")
    assert only(SAMPLE, SAMPLED) == ()
    assert only(SELECTED) == ("b.md",)
    assert only(COLLECTION + "C") == ("mine.txt",)
    assert only(MINE, SAMPLED) == (scope.NOTHING,)
    assert scope.label(MINE, now, SAMPLED) == "My documents"


def test_a_link_brings_settings_backends_and_documents_and_says_what_is_missing() -> None:
    now = Session("bob")
    given = {"q": ["Why?"], "who": ["hybrid,rag,nobody"], "top_k": ["3"], "rerank": ["False"],
             "collection": ["*Contracts*"], "document": ["a.md", "gone.md"],
             "model": ["company"]}  # fmt: skip
    notes = link.take(given, now, ["a.md", "b.md"])
    assert (now.settings.top_k, now.settings.rerank, now.backends) == (3, False, ("rag", "hybrid"))
    assert (now.scope, now.collections) == (COLLECTION + "Contracts", {"Contracts": ("a.md",)})
    assert "1 document, gone.md" in notes and now.models == ("company",)
    now.settings = make_settings()
    many = link.take({"q": ["Why?"], "document": ["a", "b", "c", "d"]}, now, [])
    assert "4 documents, among them a, b and c. What you chose yourself is asked instead." in many
    assert "do not fit" in link.take({"q": ["Why?"], "top_k": ["900"]}, now, [])
    assert now.settings == make_settings()


def test_what_differs_is_said_with_both_values() -> None:
    changed = make_settings(top_k=3, temperature=0.5, mode="bm25", rerank=False, only=("a.md",))
    assert differences(changed, make_settings()) == [
        "top-k 3 (default 8)",
        "search words (default both)",
        "best sentences off (default on)",
        "temperature 0.5 (default 0)",
        "documents asked: 1 document (default all)",
    ]
    assert differences(changed, changed) == []
