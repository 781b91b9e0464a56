"""From a file to a document of the library: zips, passwords, twins, dates and languages."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backends.datatypes import ParsedFile
from backends.documents.library import IngestResult, Library
from backends.documents.store import Workspace
from tests.documents.test_archives import make_zip
from tests.documents.test_formats import SENTENCES
from tests.documents.test_parsing import password_pdf
from tests.fakes import HashingEmbedder

SETTINGS = SimpleNamespace(chunk_size=32, chunk_overlap=8, chunking="sentences")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(Workspace.open(tmp_path / "workspace"), HashingEmbedder())


def ingest(library: Library, paths: Sequence[Path], **more: Any) -> list[IngestResult]:
    return list(library.ingest(paths, settings=SETTINGS, **more))


def test_the_files_of_a_zip_are_documents_named_by_their_paths(library: Library, tmp_path: Path) -> None:
    archive = make_zip(
        tmp_path / "a.zip", {"hr/leave.md": "Thirty days of leave.", "b.bin": "x", "c.zip": "x"}
    )
    results = {result.document: result for result in ingest(library, [archive])}
    assert {name: result.status for name, result in results.items()} == {
        "hr/leave.md": "indexed", "b.bin": "rejected", "c.zip": "rejected",
    }  # fmt: skip
    assert library.get("hr/leave.md").text == "Thirty days of leave."
    assert [result.status for result in ingest(library, [archive])].count("unchanged") == 1
    (tmp_path / "broken.zip").write_text("no zip")
    (broken,) = ingest(library, [tmp_path / "broken.zip"])
    assert broken.status == "rejected" and "not a real zip file" in str(broken.error)


def test_the_same_contents_under_another_name_are_recognised(library: Library, tmp_path: Path) -> None:
    one, two, hidden = (tmp_path / name for name in ("one.md", "two.md", "hidden.md"))
    for path in (one, two, hidden):
        path.write_text("The very same words.")
    assert [result.same_as for result in ingest(library, [one, two])] == [None, "one.md"]
    ingest(library, [one, two], roles=("hr",))
    (result,) = ingest(library, [hidden])
    assert result.same_as is None  # of a restricted document nothing is said


def test_a_file_that_needs_a_password_says_so_and_opens_with_it(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "locked.pdf"
    path.write_bytes(password_pdf())
    (refused,) = ingest(library, [path])
    assert (refused.status, refused.needs_password) == ("rejected", True)
    (wrong,) = ingest(library, [path], passwords=["wrong"])
    assert (wrong.status, wrong.needs_password) == ("rejected", True)
    (read,) = ingest(library, [path], passwords=["wrong", "secret"])
    assert (read.status, read.needs_password) == ("indexed", False)


def test_documents_keep_their_language_and_date(library: Library, tmp_path: Path) -> None:
    page = '<html lang="x"><head><meta name="date" content="2026-03-01"></head><body>'
    (tmp_path / "a.html").write_text(f"{page}<p>{SENTENCES['de']}</p></body></html>", encoding="utf-8")
    ingest(library, [tmp_path / "a.html"])
    document = library.get("a.html")
    assert (document.language, document.date, document.type) == ("de", "2026-03-01", "html")


def test_what_a_reader_left_out_is_kept_with_its_version(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = (
        "2 formulas without values",
        "the sheet \N{LEFT DOUBLE QUOTATION MARK}x\N{RIGHT DOUBLE QUOTATION MARK} is hidden",
    )
    made = [ParsedFile("Some words.", "A", "xlsx", notes=notes), ParsedFile("Other words.", "A", "xlsx")]
    monkeypatch.setattr("backends.documents.preparing.parse_isolated", lambda *_, **__: made.pop(0))
    (tmp_path / "a.xlsx").write_text("first")
    assert [result.notes for _ in range(2) for result in ingest(library, [tmp_path / "a.xlsx"])] == [
        notes
    ] * 2
    (tmp_path / "a.xlsx").write_text("second")
    assert [result.notes for result in ingest(library, [tmp_path / "a.xlsx"])] == [()]
    reopened = Library(Workspace.open(library.workspace.path), HashingEmbedder())
    assert [reopened.get("a.xlsx", version).notes for version in (1, 2)] == [notes, ()]


@pytest.mark.own_file
@pytest.mark.parametrize(("column", "value"), [("language", ""), ("notes", ())])
def test_a_workspace_from_before_a_column_is_opened(tmp_path: Path, column: str, value: object) -> None:
    (tmp_path / "old.md").write_text("Hello again.")
    library = Library(Workspace.open(tmp_path), HashingEmbedder())
    ingest(library, [tmp_path / "old.md"])
    library.workspace.close()
    with sqlite3.connect(tmp_path / "triptych.db") as db:
        db.execute(f"ALTER TABLE documents DROP COLUMN {column}")
    (tmp_path / "a.md").write_text("Hello there.")
    library = Library(Workspace.open(tmp_path), HashingEmbedder())
    ingest(library, [tmp_path / "a.md"])
    assert [getattr(library.get(name), column) for name in ("a.md", "old.md")] == [value, value]
