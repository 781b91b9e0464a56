"""The proof of a forgetting reads what jobs of all servers have told, and what a cluster may hold is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends.cli.opener import reading
from backends.datatypes import UserError
from backends.documents.library import Library
from backends.documents.opening import open_store
from backends.erasure import removal
from backends.erasure.forget import ON_A_CLUSTER
from backends.system.commands import Command
from tests.fakes import HashingEmbedder
from tests.scale.conftest import needed

needed("psycopg")
needed("procrastinate")

from backends.system.shared_jobs import SharedJobs  # noqa: E402

SECRET = "The vault code is seven seven hazelnut."
SETTINGS = SimpleNamespace(chunk_size=32, chunk_overlap=8, chunking="sentences")


@pytest.fixture
def library(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setenv("TRIPTYCH_STORE", database)
    made = Library(open_store(tmp_path / "workspace"), HashingEmbedder())
    (tmp_path / "vault.md").write_text(SECRET)
    list(made.ingest([tmp_path / "vault.md"], settings=SETTINGS))
    return made


@pytest.fixture
def jobs(database: str) -> Iterator[SharedJobs]:
    made = SharedJobs(database)
    yield made
    made.close()


def test_what_a_job_told_of_the_document_goes_before_the_proof(library: Library, jobs: SharedJobs) -> None:
    job = jobs.start("evaluate", "ada", Command(("evaluate",)))
    attempt = jobs.begin(job.id, "here")
    assert attempt is not None
    attempt.emit({"answer": SECRET, "sources": [{"document": "vault.md", "text": SECRET}]})
    attempt.emit({"answer": "Nobody knows.", "sources": []})
    proof = removal.forget(library, "vault.md")
    assert proof.proven and proof.found_in == ()
    assert job.events_since(0) == [{"answer": "Nobody knows.", "sources": []}]


def test_a_text_that_is_left_in_a_table_of_jobs_is_found(library: Library, jobs: SharedJobs) -> None:
    """Told without the document's name: nothing knows that it came from there."""
    job = jobs.start("evaluate", "ada", Command(("evaluate",)))
    attempt = jobs.begin(job.id, "here")
    assert attempt is not None
    attempt.emit({"answer": SECRET})
    proof = removal.forget(library, "vault.md")
    assert not proof.proven
    assert [name.rpartition(".")[2] for name in proof.found_in] == ["triptych_job_events"]


def test_a_cluster_that_was_joined_is_named_in_every_proof_from_then_on(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed("ray")
    with pytest.raises(UserError, match="no Ray cluster"), reading(library, "ray", "127.0.0.1:1", None):
        pass
    assert ON_A_CLUSTER in removal.forget(library, "vault.md").limits
