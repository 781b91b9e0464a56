"""Copies of visitors: kept while somebody has them open, removed a day later, and not without a word."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backends.documents.library import Library
from backends.documents.opening import open_session
from backends.documents.session_lease import KEPT_SECONDS, NOTES_KEPT_SECONDS, dismiss, removed_at
from backends.documents.store import Workspace
from backends.settings import make_settings
from tests.fakes import HashingEmbedder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    library = Library(Workspace.open(tmp_path / "base"), HashingEmbedder())
    (tmp_path / "shared.md").write_text("The canteen opens at noon.")
    list(library.ingest([tmp_path / "shared.md"], settings=make_settings()))
    return tmp_path / "base"


def visit(base: Path, person: str) -> Library:
    return open_session(base, person, HashingEmbedder())


def idle(folder: Path, seconds: float = KEPT_SECONDS + 60) -> None:
    """As if nobody had used it for so long."""
    at = time.time() - seconds
    os.utime(folder, (at, at))


def test_a_session_folder_idle_for_a_day_stays_while_a_cached_session_holds_it(base, tmp_path) -> None:
    ada = visit(base, "ada")
    (tmp_path / "mine.md").write_text("Only mine.")
    list(ada.ingest([tmp_path / "mine.md"], settings=make_settings()))
    idle(ada.workspace.path)
    visit(base, "bob")
    assert [document.name for document in ada.documents()] == ["mine.md", "shared.md"]
    assert removed_at(ada.workspace.path) is None


def test_a_copy_that_nobody_holds_goes_and_its_visitor_is_told(base) -> None:
    ada = visit(base, "ada")
    folder = ada.workspace.path
    del ada
    gc.collect()  # closes the database too, which counts as use
    idle(folder)
    visit(base, "bob")
    assert not folder.exists()
    assert removed_at(folder) is not None
    again = visit(base, "ada")
    assert removed_at(again.workspace.path) is not None  # until it is dismissed
    dismiss(folder)
    assert removed_at(folder) is None


def test_use_begins_the_day_anew(base) -> None:
    ada = visit(base, "ada")
    folder = ada.workspace.path
    idle(folder)
    assert ada.lease is not None
    ada.lease.renew()
    assert time.time() - folder.stat().st_mtime > KEPT_SECONDS  # it was renewed less than a minute ago
    ada.lease._renewed -= 120
    ada.lease.renew()
    assert time.time() - folder.stat().st_mtime < 60


def test_another_process_that_holds_it_counts_too(base) -> None:
    ada = visit(base, "ada")
    folder = ada.workspace.path
    script = f"""
import sys
from pathlib import Path
from backends.documents.session_lease import Lease
lease = Lease(Path({str(folder)!r}))
print("held", flush=True)
sys.stdin.readline()
"""
    command = [sys.executable, "-c", script]
    other = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    del ada
    gc.collect()  # closes the database too, which counts as use
    idle(folder)
    bob = visit(base, "bob")
    assert folder.exists()
    other.communicate("\n")
    idle(folder)
    visit(base, "bob")
    assert not folder.exists() and bob.documents()


def test_notes_and_leases_do_not_pile_up(base) -> None:
    ada = visit(base, "ada")
    note = ada.workspace.path.parent / ".leases" / "ada"
    idle(note, NOTES_KEPT_SECONDS + 60)
    visit(base, "bob")
    assert note.exists()  # somebody holds it
    del ada
    gc.collect()
    visit(base, "bob")
    assert not note.exists()
