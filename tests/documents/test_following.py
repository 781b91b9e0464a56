"""A copy that stays follows the shared documents, and keeps what its owner did."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from backends.datatypes import Document
from backends.documents.following import CopyLibrary, follow
from backends.documents.library import Library
from backends.documents.store import Workspace
from backends.settings import make_settings
from backends.system.viewers import held
from tests.fakes import HashingEmbedder

SETTINGS = make_settings(chunk_size=32, chunk_overlap=4)
FINANCE, NOBODY = held(["finance"]), held([])


class Both:
    """A shared library and a person's copy of it."""

    def __init__(self, folder: Path) -> None:
        shared = Library(Workspace.open(folder / "shared"), HashingEmbedder())
        self.shared = CopyLibrary(shared.workspace, shared)

    def share(self, name: str, text: str, *roles: str) -> None:
        put(self.shared, name, text, *roles)

    def copy(self, folder: Path) -> CopyLibrary:
        return CopyLibrary(self.shared.workspace.copy_to(folder / "copy"), self.shared)


def put(library: CopyLibrary, name: str, text: str, *roles: str) -> None:
    content = hashlib.sha256(text.encode()).hexdigest()
    library.put(Document(name, 1, name, "text", text, content, roles=roles, source="upload"), SETTINGS)


def texts(library: Library) -> dict[str, str]:
    return {document.name: document.text for document in library.documents()}


@pytest.fixture
def both(tmp_path: Path) -> Both:
    made = Both(tmp_path)
    for name in ("a", "b", "c", "d"):
        made.share(name, f"First of {name}.")
    made.share("pay", "The salary.", "finance")
    return made


def test_what_the_person_may_not_read_is_not_in_the_copy_at_all(both: Both, tmp_path: Path) -> None:
    copy = both.copy(tmp_path)
    follow(copy.workspace, both.shared, NOBODY, SETTINGS)
    assert set(texts(copy)) == {"a", "b", "c", "d"}
    assert not [name for _, name, _, text in copy.workspace.texts() if "salary" in text]
    follow(copy.workspace, both.shared, FINANCE, SETTINGS)  # the person joins another group
    assert texts(copy)["pay"] == "The salary."
    assert copy.entry("pay").roles == ("finance",)
    follow(copy.workspace, both.shared, NOBODY, SETTINGS)  # and leaves it
    assert "pay" not in texts(copy)


def test_changes_arrive_and_what_the_person_did_stays(both: Both, tmp_path: Path) -> None:
    copy = both.copy(tmp_path)
    follow(copy.workspace, both.shared, NOBODY, SETTINGS)
    put(copy, "own", "Mine alone.")
    put(copy, "b", "My own words on b.")
    copy.workspace.remove_document("", "c")
    both.share("a", "Second of a.")
    both.share("b", "Second of b.")
    both.share("c", "Second of c.")
    both.share("d", "First of d.", "finance")  # the same words, from now on for others
    both.share("e", "First of e.")
    both.share("own", "A shared one of the same name.")
    for _ in range(2):  # a second time changes nothing
        follow(copy.workspace, both.shared, NOBODY, SETTINGS)
        assert texts(copy) == {
            "a": "Second of a.", "b": "My own words on b.", "e": "First of e.", "own": "Mine alone.",
        }  # fmt: skip
    hits = copy.retriever(SETTINGS).search("Second of a", top_k=1, mode="bm25")
    assert [hit.chunk.text for hit in hits] == ["Second of a."]
    both.shared.workspace.remove_document("", "e")
    follow(copy.workspace, both.shared, NOBODY, SETTINGS)
    assert set(texts(copy)) == {"a", "b", "own"}


def test_a_copy_of_before_it_was_followed_knows_what_was_shared(both: Both, tmp_path: Path) -> None:
    copy = both.copy(tmp_path)
    put(copy, "own", "Mine alone.")
    both.share("a", "Second of a.")
    follow(copy.workspace, both.shared, NOBODY, SETTINGS)
    assert texts(copy)["a"] == "Second of a." and "pay" not in texts(copy) and "own" in texts(copy)
