"""Databases of released forms come forward, once and for good, while servers of the release before go on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends.datatypes import UserError
from backends.documents.library import Library
from tests.fakes import HashingEmbedder
from tests.scale.conftest import needed

needed("psycopg")

from backends.postgres import store_tables  # noqa: E402
from backends.postgres.postgres_store import PostgresStore  # noqa: E402

SETTINGS = SimpleNamespace(chunk_size=32, chunk_overlap=0, chunking="sentences")
# A step that was released is never changed: databases that have taken it will not take it again.
RELEASED = ("f150a192",)
# What the first release stored, in its own columns.
FIRST_ROWS = """
INSERT INTO documents (collection, name, version, current, title, type, text, content_hash,
    pages, roles, tags, date, source, language, notes) VALUES
    ('', 'lamp.md', 1, false, 'Lamp', 'text', 'The lamp is green.', 'h1', '[]', '{}', '{}', '',
     'upload', 'en', '[]'),
    ('', 'lamp.md', 2, true, 'Lamp', 'text', 'The lamp is blue.', 'h2', '[]', '{hr}', '{light}', '2026-03',
     'upload', 'en', '["a note"]');
INSERT INTO history (collection, name, version, event, at, content_hash) VALUES
    ('', 'lamp.md', 1, 'indexed', '2026-01-01T09:00:00+00:00', 'h1'),
    ('', 'lamp.md', 2, 'replaced', '2026-03-01T09:00:00+00:00', 'h2'),
    ('', 'gone.md', 1, 'forgotten', '2026-03-02T09:00:00+00:00', '');
INSERT INTO meta (key, value) VALUES ('seeded', '1');
"""
NEXT = "ALTER TABLE documents ADD COLUMN reviewed boolean NOT NULL DEFAULT false"


def library_at(database: str, folder: Path) -> Library:
    return Library(PostgresStore.open(database, folder), HashingEmbedder())


def form_of(library: Library) -> str | None:
    return library.workspace.get_meta(store_tables.FORM)


def test_released_steps_are_as_they_were_released() -> None:
    made = [hashlib.sha256(step.encode()).hexdigest()[:8] for step in store_tables.STEPS]
    assert made[: len(RELEASED)] == list(RELEASED)


@pytest.mark.parametrize("taken", range(1, len(store_tables.STEPS) + 1))
def test_a_database_of_an_earlier_form_comes_forward_with_all_it_holds(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    steps = store_tables.STEPS
    monkeypatch.setattr(store_tables, "STEPS", steps[:taken])
    first = library_at(database, tmp_path)
    assert form_of(first) == str(taken)
    store = first.workspace
    assert isinstance(store, PostgresStore)
    for rows in FIRST_ROWS.strip().split(";\n"):
        store.server.run(rows)
    monkeypatch.setattr(store_tables, "STEPS", (*steps, NEXT))
    library = library_at(database, tmp_path)
    assert form_of(library) == str(len(steps) + 1)
    assert (library.get("lamp.md", 1).text, library.get("lamp.md").text) == (
        "The lamp is green.",
        "The lamp is blue.",
    )
    document = library.get("lamp.md")
    assert (document.roles, document.tags, document.date, document.notes) == (
        ("hr",), ("light",), "2026-03", ("a note",),
    )  # fmt: skip
    assert [entry.event for entry in library.history("lamp.md")] == ["indexed", "replaced"]
    (hit,) = library.retriever(SETTINGS, role="hr").search("lamp blue", top_k=3, mode="hybrid")
    assert (hit.chunk.document, hit.chunk.version, hit.chunk.text) == ("lamp.md", 2, "The lamp is blue.")
    assert not library.retriever(SETTINGS, role="sales").search("lamp blue", top_k=3, mode="hybrid")
    library_at(database, tmp_path)  # a second opening takes no step again


def test_an_old_server_goes_on_through_a_rolling_upgrade_and_is_not_opened_anew(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = store_tables.STEPS
    page = tmp_path / "page.md"
    old = library_at(database, tmp_path / "old")
    monkeypatch.setattr(store_tables, "STEPS", (*steps, NEXT))
    new = library_at(database, tmp_path / "new")
    page.write_text("The old server took this in.", encoding="utf-8")
    assert [each.status for each in old.ingest([page], settings=SETTINGS)] == ["indexed"]
    assert new.get("page.md").text == "The old server took this in."
    page.write_text("The new server took this in.", encoding="utf-8")
    assert [each.status for each in new.ingest([page], settings=SETTINGS)] == ["replaced"]
    (hit,) = old.retriever(SETTINGS).search("new server", top_k=1, mode="hybrid")
    assert hit.chunk.text == "The new server took this in."
    monkeypatch.setattr(store_tables, "STEPS", steps)
    with pytest.raises(UserError, match=f"form {len(steps) + 1}; this one knows up to {len(steps)}"):
        library_at(database, tmp_path / "old")
    assert old.get("page.md").version == 2  # what is open stays open


def test_a_step_that_fails_leaves_the_form_before(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    steps = store_tables.STEPS
    library = library_at(database, tmp_path)
    monkeypatch.setattr(store_tables, "STEPS", (*steps, NEXT, "ALTER TABLE documents DROP COLUMN absent"))
    with pytest.raises(psycopg.errors.UndefinedColumn):
        library_at(database, tmp_path)
    assert form_of(library) == str(len(steps))
    monkeypatch.setattr(store_tables, "STEPS", (*steps, NEXT))
    assert form_of(library_at(database, tmp_path)) == str(len(steps) + 1)
