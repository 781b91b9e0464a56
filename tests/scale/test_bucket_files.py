"""Files in a bucket, over moto's server: the promises of shared files, versions, and two app servers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backends.datatypes import UserError
from backends.documents.library import Library
from backends.erasure import removal
from backends.system.file_places import open_files
from backends.system.shared_files import SharedFiles
from backends.training.adapters import adapters_of
from tests.fakes import HashingEmbedder
from tests.scale.conftest import needed
from tests.system.test_shared_files import check_files, check_machines
from tests.training.test_adapters import save

needed("obstore")
boto3 = needed("boto3")
needed("moto")
needed("psycopg")

from backends.postgres.postgres_store import PostgresStore  # noqa: E402

SETTINGS = SimpleNamespace(chunk_size=32, chunk_overlap=8, chunking="sentences")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def environment(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return s3


def new_bucket(endpoint: str, *, versions: bool) -> str:
    name = f"test-{uuid.uuid4().hex[:12]}"
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket=name)
    if versions:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture(params=[False, True], ids=["plain", "with versions"])
def address(request: Any, environment: str) -> str:
    return f"s3://{new_bucket(environment, versions=request.param)}/some/prefix"


@pytest.fixture
def files(address: str) -> SharedFiles:
    return open_files(address)


def test_a_bucket_keeps_what_shared_files_promise(files: SharedFiles) -> None:
    """But for swaps at the same moment: S3 takes one of them, moto looks first and then writes."""
    check_files(files)


def test_machines_have_the_same_entries(files: SharedFiles, tmp_path: Path) -> None:
    check_machines(files, tmp_path)


def test_earlier_versions_are_read_and_removed(environment: str) -> None:
    bucket = new_bucket(environment, versions=True)
    files = open_files(f"s3://{bucket}/prefix")
    for text in (b"the code is seven", b"the code is nine"):
        files.put("originals/a", text)
    boto3.client("s3", endpoint_url=environment, region_name="us-east-1").delete_object(
        Bucket=bucket, Key="prefix/originals/a"
    )
    assert files.get("originals/a") is None and files.keys() == ["originals/a"]
    assert sorted(b"".join(data) for _, data in files.dumps()) == [b"the code is nine", b"the code is seven"]
    files.remove("originals/a")
    assert files.keys() == [] and list(files.dumps()) == []


def test_a_bucket_that_is_not_there_is_said(environment: str) -> None:
    with pytest.raises(UserError, match="s3://no-such-bucket"):
        open_files("s3://no-such-bucket/x").put("key", b"")


def test_the_file_of_a_document_lies_in_the_bucket_and_goes_with_it(
    environment: str, database: str, tmp_path: Path
) -> None:
    bucket = new_bucket(environment, versions=True)
    files = open_files(f"s3://{bucket}")
    library = Library(PostgresStore.open(database, tmp_path / "one", files), HashingEmbedder())
    other = Library(PostgresStore.open(database, tmp_path / "two", files), HashingEmbedder())
    for name in ("gone.md", "kept.md"):
        (tmp_path / name).write_text(f"# Page\n\nThis is what {name} says of lamps.")
        list(library.ingest([tmp_path / name], settings=SETTINGS))
        identifier = library.workspace.identifier("", name, 1)
        assert identifier is not None
        library.workspace.keep_original(identifier, f"%PDF of {name}".encode())
    files.put("originals/left-by-a-killed-reader", b"%PDF of gone.md, once more")
    assert other.original("gone.md") == b"%PDF of gone.md"
    assert b"%PDF" not in b"".join(part for _, parts in one_database(other) for part in parts)
    proof = removal.forget(other, "gone.md")
    assert proof.proven and any("bucket" in sentence for sentence in proof.limits)
    assert [b"".join(data) for _, data in files.dumps()] == [b"%PDF of kept.md"]
    assert library.original("kept.md") == b"%PDF of kept.md"
    with pytest.raises(UserError, match="TRIPTYCH_FILES"):
        Library(PostgresStore.open(database, tmp_path / "three"), HashingEmbedder()).original("kept.md")


def one_database(library: Library) -> Iterator[tuple[str, Iterator[bytes]]]:
    """What the database alone holds."""
    return ((name, data) for name, data in library.workspace.dumps() if "PostgreSQL" in name)


def test_a_proof_reads_the_bucket(environment: str, database: str, tmp_path: Path) -> None:
    files = open_files(f"s3://{new_bucket(environment, versions=True)}")
    library = Library(PostgresStore.open(database, tmp_path / "one", files), HashingEmbedder())
    (tmp_path / "a.md").write_text("The vault code is seven seven hazelnut.")
    list(library.ingest([tmp_path / "a.md"], settings=SETTINGS))
    files.put("somebody's/export.txt", b"The vault code is seven seven hazelnut.")
    files.put("somebody's/export.txt", b"nothing any more")
    proof = removal.forget(library, "a.md")
    assert not proof.proven
    assert ["somebody's/export.txt" in name for name in proof.found_in] == [True]


def test_an_adapter_of_another_machine_answers_here(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_FILES", address)
    worker, server = tmp_path / "worker", tmp_path / "server"
    trained = adapters_of(worker)
    save(tmp_path / "made" / "ours", "hybrid")
    (tmp_path / "made/ours/adapter_model.safetensors").write_bytes(bytes(range(256)) * 9000)
    trained.install(tmp_path / "made" / "ours")
    trained.activate("ours")
    found = adapters_of(server)
    active = found.active("hybrid")
    assert active is not None and active.name == "ours" and active.folder.is_relative_to(server)
    assert (active.folder / "adapter_model.safetensors").read_bytes() == (
        worker / "adapters/ours/adapter_model.safetensors"
    ).read_bytes()
    found.delete("ours")
    assert "ours" not in {each.name for each in adapters_of(worker).all()}
    assert not (worker / "adapters/ours").exists()
