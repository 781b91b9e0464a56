"""Processes that are really killed while they ingest, replace, forget and copy; then all is opened again.

What must hold: the database is sound, every acknowledged document is there as a whole, what was not
acknowledged is there as a whole or not at all, and of a forgotten document no file holds a word.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
from pathlib import Path

import pytest

from backends.documents.opening import open_session
from backends.erasure.scan import scan
from tests.documents import killing
from tests.documents.killing import ADDED, GONE, NEW, OLD, SECRETS, SETTINGS
from tests.fakes import HashingEmbedder

POINTS = {"ingest": 16, "replace": 14, "forget": 28, "visit": 6}
RANDOM_MOMENTS = 8
PATIENCE = 120  # seconds; a busy machine is slow, not wrong
KILLED = -9


@pytest.fixture(scope="module")
def processes():
    """Children are forked from a small clean process: this one has threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([killing.__name__])
    return context


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, processes) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    child = processes.Process(target=killing.prepare, args=(folder,))
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == 0
    return folder


@pytest.mark.parametrize("scenario", POINTS)
def test_killed_at_numbered_points(scenario, prepared, processes, tmp_path):
    whole = run(processes, copy_of(prepared, tmp_path / "whole"), scenario)
    passed = int((whole / "points").read_text())
    check(whole)
    chosen = spread(passed, POINTS[scenario])
    assert len(set(chosen)) == POINTS[scenario]
    for point in chosen:
        folder = copy_of(prepared, tmp_path / str(point))
        run(processes, folder, scenario, point)
        assert not (folder / "points").exists()  # it did not come to its end
        check(folder)


def test_killed_at_random_moments(prepared, processes, tmp_path):
    moments = random.Random(7)
    for number in range(RANDOM_MOMENTS):
        folder = copy_of(prepared, tmp_path / str(number))
        child = processes.Process(target=killing.act, args=(folder, "everything", None))
        child.start()
        child.join(moments.uniform(0.01, 0.6))
        child.kill()
        child.join(PATIENCE)
        check(folder)


def test_there_are_at_least_fifty_kill_points():
    assert sum(POINTS.values()) + RANDOM_MOMENTS >= 50


def copy_of(prepared: Path, folder: Path) -> Path:
    shutil.copytree(prepared, folder)
    return folder


def run(processes, folder: Path, scenario: str, point: int | None = None) -> Path:
    child = processes.Process(target=killing.act, args=(folder, scenario, point))
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == (0 if point is None else KILLED)
    return folder


def spread(passed: int, count: int) -> list[int]:
    """`count` numbers from 1 to `passed`, evenly; the last one among them."""
    return [passed * number // count for number in range(1, count + 1)]


# --- what must hold ------------------------------------------------------------------------------


def check(folder: Path) -> None:
    acknowledged = set()
    if (folder / "acknowledged").exists():
        acknowledged = set((folder / "acknowledged").read_text().split())
    base = killing.base_of(folder)
    library = killing.opened(base)
    session = open_session(base, "ada", HashingEmbedder())
    visitor = open_session(base, "bob", HashingEmbedder())
    texts = {name: sound(opened) for name, opened in (("", library), ("ada", session), ("bob", visitor))}
    for name, text in ADDED.items():
        assert texts[""].get(f"{name}.md") in ((text,) if f"{name}.md" in acknowledged else (text, None))
    for name, text in OLD.items():
        allowed = (NEW[name],) if f"{name}.md" in acknowledged else (text, NEW[name])
        assert texts[""][f"{name}.md"] in allowed
    assert json.loads((base / "run.json").read_text())["rows"]
    if "gone.md" in texts[""]:
        assert "gone.md" not in acknowledged
        assert library.versions("gone.md") == [1, 2]
        assert texts[""]["gone.md"] == texts["ada"]["gone.md"] == GONE[1]
    else:
        assert "gone.md" not in texts["ada"] and "gone.md" not in texts["bob"]
        assert scan([base], SECRETS).found_in == ()
        for path in base.rglob("*"):
            assert not path.is_file() or b"Zanzibar" not in path.read_bytes(), path
    for opened in (library, session, visitor):
        opened.workspace.close()


def sound(library) -> dict[str, str]:
    """The texts by name, after everything that must hold within one workspace was looked at."""
    db = library.workspace.connection()
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert library.workspace.erasures() == []
    documents = library.documents()
    for document in documents:
        assert library.versions(document.name) == list(range(1, document.version + 1))
        entry = library.history(document.name)[-1]
        assert (entry.version, entry.content_hash) == (document.version, document.content_hash)
        stored = library.workspace.document("", document.name)
        assert library.workspace.chunked([stored.id], library._scheme(SETTINGS)) == {stored.id}
        chunks = library.chunks(document.name, SETTINGS)
        assert chunks and all(c.text == document.text[c.start : c.end] for c in chunks)
    found = library.retriever(SETTINGS).chunks  # fails if a vector is missing
    assert {chunk.document for chunk in found} == {document.name for document in documents}
    return {document.name: document.text for document in documents}
