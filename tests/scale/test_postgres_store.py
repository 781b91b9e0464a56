"""What only a store in PostgreSQL has: connections that end, a graph of vectors, pages on a disk."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from backends.cli.main import app
from backends.datatypes import Document, Filters, UserError
from backends.documents.library import Library, Reporter
from backends.documents.opening import open_store as open_chosen
from backends.documents.store import Workspace
from backends.erasure import removal
from backends.settings import Settings, store_address
from tests.fakes import HashingEmbedder

SETTINGS = SimpleNamespace(chunk_size=32, chunk_overlap=0, chunking="sentences")
SECRET = "zebra quartz 8841 umbrella violet 3307 xylophone"


@pytest.fixture
def library(database: str, tmp_path: Path) -> Library:
    from backends.postgres.postgres_store import PostgresStore

    return Library(PostgresStore.open(database, tmp_path / "workspace"), HashingEmbedder())


def put(library: Library, name: str, text: str, **more: Any) -> None:
    document = Document(name, 1, name, "text", text, content_hash=f"{name} {hash(text)}", **more)
    library._take(document, SETTINGS, Reporter(None, 0, 0, name))


def found(library: Library, question: str, role: str | None = None, **more: Any) -> list[str]:
    asked: dict[str, Any] = {"top_k": 9, "mode": "dense"} | more
    hits = library.retriever(SETTINGS, role=role).search(question, **asked)
    return [hit.chunk.document for hit in hits]


def test_a_connection_that_ends_in_a_transaction_leaves_nothing_and_the_next_call_works(
    library, database, monkeypatch
):
    import psycopg

    put(library, "a.md", "The lamp is green.")
    before = library.fingerprint
    keep = library.workspace.add_reading

    def killed(*given: Any) -> None:
        keep(*given)
        with psycopg.connect(database, autocommit=True) as other:
            (pid,) = library.workspace.server.row("SELECT pg_backend_pid()")
            other.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))

    monkeypatch.setattr(library.workspace, "add_reading", killed)
    with pytest.raises(UserError, match="nothing half done was stored"):
        put(library, "a.md", "The lamp is blue.")
    monkeypatch.undo()
    assert library.fingerprint == before and library.versions("a.md") == [1]
    put(library, "a.md", "The lamp is blue.")
    assert library.versions("a.md") == [1, 2] and found(library, "lamp blue") == ["a.md"]


def test_many_passages_are_searched_by_a_graph_that_filters_as_it_goes(library, monkeypatch):
    from backends.postgres import passage_search

    rng = np.random.default_rng(3)
    words = [f"word{number}" for number in range(200)]
    for number in range(60):
        text = " ".join(" ".join(rng.choice(words, 9)).capitalize() + "." for _ in range(12))
        put(library, f"d{number}.md", text, roles=("few",) if number % 20 == 7 else ("many",))
    exact = {role: found(library, "word3 word4 word5", role) for role in (None, "few", "many")}
    monkeypatch.setattr(passage_search, "EXACT_UP_TO", 50)
    monkeypatch.setattr(passage_search, "SCANNED", 20)  # a filtered search of the graph alone gives up early
    again = Library(library.workspace, library.embedder)
    again.retriever(SETTINGS)
    (scheme,) = library.workspace.server.row("SELECT id FROM schemes")
    with library.workspace.server.snapshot() as cursor:
        for way in ("enable_seqscan", "enable_sort"):
            cursor.execute(f"SET LOCAL {way} = off")
        for role, names in exact.items():
            assert sorted(set(found(again, "word3 word4 word5", role))) == sorted(set(names))
            few = again.retriever(SETTINGS, role=role).search(
                "word3", top_k=9, mode="dense", filters=Filters(documents=("d7.md", "d8.md"))
            )
            assert {hit.chunk.document for hit in few} == {
                None: {"d7.md", "d8.md"},
                "few": {"d7.md"},
                "many": {"d8.md"},
            }[role]
    assert library.workspace.server.row(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)",
        (passage_search.graph_name(scheme),),
    ) == (True,)
    put(library, "new.md", "Hazelnut walnut almond.")
    assert found(again, "hazelnut walnut almond", top_k=1) == ["new.md"]


def on_disk(server: Any, oid: int, piece: str) -> tuple[bool, bool]:
    """Whether the server's files of this database hold a piece of text, and whether its log does."""
    data = Path(server.pgdata)
    tables = any(piece.encode() in file.read_bytes() for file in (data / "base" / str(oid)).iterdir())
    journal = any(piece.encode() in file.read_bytes() for file in (data / "pg_wal").glob("0*"))
    return tables, journal


def test_forgotten_text_leaves_the_servers_tables_and_the_proof_says_what_it_cannot_promise(
    library, postgres, database
):
    import psycopg

    put(library, "keep.md", "A quiet page about gardens.")
    put(library, "secret.md", f"The code is {SECRET}. Nobody else knows.")
    with psycopg.connect(database, autocommit=True) as other:
        (oid,) = other.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
        other.execute("CHECKPOINT")
        assert on_disk(postgres, oid, SECRET)[0]
        proof = removal.forget(library, "secret.md")
        other.execute("CHECKPOINT")
        tables, journal = on_disk(postgres, oid, SECRET)
    assert not tables
    assert proof.proven and proof.scanned_files > 13  # every table, and files
    assert journal and "write-ahead log" in " ".join(proof.limits)  # said, because it is so


def test_what_others_can_still_see_is_no_proof_yet(library, database, monkeypatch):
    import psycopg

    from backends.postgres import cleaning

    monkeypatch.setattr(cleaning, "CLEANING_SECONDS", 0.1)
    put(library, "secret.md", f"The code is {SECRET}.")
    with psycopg.connect(database) as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM pg_class")
        proof = removal.forget(library, "secret.md")
        assert not proof.proven and proof.busy == (library.workspace.name,)
        assert library.workspace.erasures()
    finished = removal.finish(library.workspace)
    assert [each.proven for each in finished] == [True] and library.workspace.erasures() == []


def test_the_server_that_began_an_erasure_finishes_it_for_its_folder_holds_the_words_too(
    library, database, tmp_path, monkeypatch
):
    from backends.postgres import postgres_store

    put(library, "secret.md", f"The code is {SECRET}.")
    (library.workspace.path / "answers.json").write_text(json.dumps({"text": f"The code is {SECRET}."}))
    library.set_aside("secret.md")  # and is killed
    other = postgres_store.PostgresStore.open(database, tmp_path / "other")
    assert other.documents() == [] and removal.finish(other) == []
    again = postgres_store.PostgresStore.open(database, library.workspace.path)
    assert [each.proven for each in removal.finish(again)] == [True]
    assert SECRET not in (library.workspace.path / "answers.json").read_text()
    put(library, "secret.md", f"The code is {SECRET}.")
    library.set_aside("secret.md")  # and does not come back
    monkeypatch.setattr(postgres_store, "LEFT_TO_OTHERS", timedelta(0))
    assert [each.proven for each in removal.finish(other)] == [True]
    assert again.erasures() == [] == again._metas(postgres_store.BEGUN)


def test_text_left_anywhere_in_the_database_is_found(library, database):
    """Also in tables of others: a queue of jobs that shares the database, for one."""
    import psycopg

    put(library, "secret.md", f"The code is {SECRET}.")
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("CREATE TABLE public.queue (args jsonb)")
        other.execute("INSERT INTO public.queue VALUES (%s)", (json.dumps({"text": f"is {SECRET}."}),))
        proof = removal.forget(library, "secret.md")
    assert not proof.proven and [name.rpartition(" ")[2] for name in proof.found_in] == ["public.queue"]


def test_one_erases_at_a_time_across_servers(library, database, tmp_path):
    from backends.postgres.postgres_store import PostgresStore

    other = PostgresStore.open(database, tmp_path / "other")
    with library.workspace.erasing(), pytest.raises(BlockingIOError), other.erasing(wait=False):
        pass
    with other.erasing(wait=False):
        pass


def test_tables_are_made_once_and_those_of_a_newer_program_are_left_alone(database, tmp_path):
    from backends.postgres.postgres_store import PostgresStore
    from backends.postgres.store_tables import FORM

    failures: list[BaseException] = []

    def opened() -> None:
        try:
            PostgresStore.open(database, tmp_path)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=opened) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    PostgresStore.open(database, tmp_path).set_meta(FORM, "99")
    with pytest.raises(UserError, match="newer Triptych"):
        PostgresStore.open(database, tmp_path)


def test_an_address_that_leads_nowhere_is_said_without_its_password(tmp_path, postgres):
    from backends.postgres.postgres_store import PostgresStore

    with pytest.raises(UserError) as told:
        PostgresStore.open(f"postgresql://nina:hunter2@/nowhere?host={tmp_path}", tmp_path)
    assert "nowhere" in str(told.value) and "hunter2" not in str(told.value)


def test_the_address_comes_from_environment_or_settings_file_and_stands_in_no_answer(
    monkeypatch, tmp_path, database
):
    from backends.postgres.postgres_store import PostgresStore

    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("TRIPTYCH_STORE", raising=False)
    assert isinstance(open_chosen(tmp_path / "w"), Workspace)
    (tmp_path / "settings.toml").write_text(f'store = "{database}"\nchunk_size = 99\n')
    assert isinstance(open_chosen(tmp_path), PostgresStore)
    assert "store" not in Settings().model_dump() and Settings().chunk_size == 99
    monkeypatch.setenv("TRIPTYCH_STORE", "")  # the file's choice is taken back for this call
    assert store_address(tmp_path) == ""
    monkeypatch.setenv("TRIPTYCH_STORE", "mysql://x")
    with pytest.raises(UserError, match="postgresql://"):
        open_chosen(tmp_path)


def test_the_command_line_works_on_a_store_in_postgres(database, tmp_path, monkeypatch):
    from backends.postgres.postgres_store import PostgresStore

    monkeypatch.setenv("TRIPTYCH_WORKSPACE", "")  # what a verb sets is taken back after the test
    monkeypatch.setenv("TRIPTYCH_STORE", "")
    workspace = tmp_path / "workspace"
    PostgresStore.open(database, workspace).set_meta("seeded", "1")  # without the sample
    page = tmp_path / "kettle.md"

    def run(*words: str) -> list[dict[str, Any]]:
        more = ("--json", "--workspace", str(workspace), "--store", database)
        result = CliRunner().invoke(app, [*words, *more])
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    page.write_text("# Kettle\n\nThe Osprey kettle boils a litre in 95 seconds.")
    assert [row["status"] for row in run("ingest", str(page))] == ["indexed"]
    page.write_text("# Kettle\n\nThe Osprey kettle boils a litre in 90 seconds.")
    assert [row["status"] for row in run("ingest", str(page))] == ["replaced"]
    assert [(row["document"], row["version"]) for row in run("documents", "list")] == [("kettle.md", 2)]
    assert "90 seconds" in run("search", "How fast does the Osprey kettle boil?")[0]["text"]
    (proof,) = run("documents", "forget", "kettle.md")
    assert proof["proven"] and proof["versions"] == 2 and proof["limits"]
    assert run("documents", "list") == [] and not (workspace / "triptych.db").exists()
