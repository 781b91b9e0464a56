"""One audit log for all app servers: the promises of the file's, over a real PostgreSQL."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends.access.audit import FILE, FORGOTTEN, AuditData, AuditLog
from backends.datatypes import UserError
from backends.documents.library import Library
from backends.documents.opening import open_store
from backends.erasure import removal
from backends.system.line_logs import FileLines, LineLog
from tests.fakes import HashingEmbedder
from tests.scale.conftest import needed

needed("psycopg")
line_rows = pytest.importorskip("backends.postgres.line_rows")
SETTINGS = SimpleNamespace(chunk_size=32, chunk_overlap=8, chunking="sentences")


@pytest.fixture(params=["file", "postgres"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> LineLog:
    if request.param == "file":
        return FileLines(tmp_path / "log.jsonl")
    return line_rows.PostgresLines(request.getfixturevalue("database"), "log")


def test_lines_grow_in_order_and_change_in_place(log: LineLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_rows, "PART", 2)
    written = ["one", 'two "ü" \u2028 %s', "", "{}", "five"]
    for line in written:
        log.append(line)
    assert list(log.lines()) == written
    log.change(lambda line: "2" if line.startswith("two") else None)
    assert list(log.lines()) == ["one", "2", "", "{}", "five"]
    log.append("six")
    assert list(log.lines())[-2:] == ["five", "six"]


def test_a_change_that_fails_leaves_every_line(log: LineLog) -> None:
    for line in ("one", "two"):
        log.append(line)

    def fails(line: str) -> str:
        if line == "two":
            raise ValueError
        return "changed"

    with pytest.raises(ValueError):
        log.change(fails)
    assert list(log.lines()) == ["one", "two"]


def test_lines_of_many_writers_are_all_there(log: LineLog) -> None:
    def write(number: int) -> None:
        for line in range(10):
            log.append(f"{number} {line}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = list(log.lines())
    for n in range(4):
        assert [line for line in found if line.startswith(f"{n} ")] == [f"{n} {k}" for k in range(10)]


def test_every_server_writes_the_same_log_and_forgetting_reaches_it(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_STORE", "")
    AuditLog(tmp_path / "one", questions=True).record("read", "ada", ["before.md"])
    monkeypatch.setenv("TRIPTYCH_STORE", database)
    one, two = (AuditLog(tmp_path / name, questions=True) for name in ("one", "two"))
    one.record("asked", "ada", ["secret-merger.md"], question="Who buys the Osprey company?")
    two.record("read", "bob", ["secret-merger.md", "open.md"])
    two.record("read", "bob", ["secret-merger.md"], copy="person-1")
    assert [e.person for e in two.entries()] == ["ada", "bob", "bob"]
    assert next(one.entries()).documents == ("before.md",)
    library = Library(open_store(tmp_path / "two"), HashingEmbedder())
    (tmp_path / "secret-merger.md").write_text("Nobody knows yet that Lark buys the Osprey company.")
    list(library.ingest([tmp_path / "secret-merger.md"], settings=SETTINGS))
    proof = removal.forget(library, "secret-merger.md")
    assert proof.proven and proof.logged_questions == 1
    assert [(e.documents, e.question) for e in two.entries()] == [
        ((FORGOTTEN,), ""),
        ((FORGOTTEN, "open.md"), ""),
        (("secret-merger.md",), ""),  # of somebody's own copy, where it is not forgotten
    ]
    AuditData().forget(tmp_path / "one/sessions/person-1", "secret-merger.md")
    assert list(two.entries())[-1].documents == (FORGOTTEN,)
    assert not (tmp_path / "two" / FILE).exists()


def test_what_cannot_be_audited_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_STORE", "postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(UserError, match="does not answer"):
        AuditLog(tmp_path).record("read", "ada", ["a.md"])
