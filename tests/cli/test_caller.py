"""Where people sign in, no verb shows anything to who may not see it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from backends.access import audit, sign_in
from backends.access.audit import AuditLog
from backends.access.tokens import VARIABLE, Tokens
from backends.cli import main, opener
from backends.documents.library import DocumentDetails, Library
from backends.documents.store import Workspace
from backends.settings import make_settings
from tests.access.test_sign_in import FILE
from tests.fakes import HashingEmbedder

SETTINGS = make_settings(rerank=False)
TEXTS = {"open.md": "The lamp costs 99 euros.", "secret.md": "The salary costs 99 thousand euros."}

# What each verb needs to be called at all. A new verb has to be added, and with it who may call it.
FOR_OWNERS: dict[str, list[str]] = {
    "demo": [],
    "ingest": ["FILE"],
    "evaluate": ["--questions", "FILE"],
    "compare": ["FILE", "FILE"],
    "train": [],
    "stress": ["noise"],
    "audit": [],
    "ready": [],
    "documents forget": ["open.md"],
    "adapters": [],
    "adapters list": [],
    "adapters activate": ["x"],
    "adapters back": ["fine_tuned"],
    "adapters compare": ["x", "y"],
    "adapters delete": ["x"],
    "adapters export": ["x", "FILE"],
    "adapters gguf": ["x", "FILE"],
    "adapters import": ["FILE"],
    "tokens": [],
    "tokens list": [],
    "tokens make": ["x"],
    "tokens revoke": ["x"],
    "jobs add": ["--", "ingest", "FILE"],
    "jobs list": [],
    "jobs cancel": ["x"],
    "jobs forget": ["x"],
    "worker": [],
}
ONLY_HELP = {"jobs"}  # alone it tells what it is for
FOR_READERS = {
    "search": ["What costs 99?", "--no-rerank"],
    "ask": ["What costs 99?"],
    "documents": [],
    "documents list": [],
    "documents history": [],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace where people sign in, with a document for everyone and one for finance."""
    folder, files = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("files")
    for name, text in TEXTS.items():
        (files / name).write_text(text)
    library = Library(Workspace.open(folder), HashingEmbedder())
    details = {"secret.md": DocumentDetails(roles=("finance",))}
    assert len(list(library.ingest([files], settings=SETTINGS, details=details))) == 2
    library.workspace.close()
    (folder / sign_in.FILE).write_text(FILE)
    return folder


@pytest.fixture
def workspace(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "workspace"
    shutil.copytree(made, folder)
    (tmp_path / "file.md").write_text("Some file.")
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(folder))
    for variable in (sign_in.VARIABLE, VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(opener, "open_library", lambda *_: Library(Workspace.open(folder), HashingEmbedder()))
    return folder


def call(verb: str, arguments: list[str], file: Path) -> tuple[int, str, str]:
    given = [str(file) if each == "FILE" else each for each in arguments]
    result = CliRunner().invoke(main.app, [*verb.split(), *given])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def rows(*arguments: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(main.app, [*arguments, "--json"])
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def commands(group: Any, before: str = "") -> set[str]:
    found = set()
    for name, command in group.commands.items():
        found |= (
            {f"{before}{name}"} | commands(command, f"{name} ")
            if hasattr(command, "commands")
            else {f"{before}{name}"}
        )
    return found


def test_every_verb_is_for_owners_or_reads_as_a_role() -> None:
    assert commands(typer.main.get_command(main.app)) == {*FOR_OWNERS, *FOR_READERS, *ONLY_HELP}


@pytest.mark.parametrize("verb", FOR_OWNERS)
def test_a_token_for_roles_opens_no_verb_of_the_owners(
    verb: str, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, Tokens(workspace).make("t", ["finance"], owner=False, days=1))
    before = sorted(workspace.rglob("*"))
    status, stdout, stderr = call(verb, FOR_OWNERS[verb], tmp_path / "file.md")
    assert (status, stdout) == (2, "") and "This is for owners" in stderr
    assert sorted(workspace.rglob("*")) == before


@pytest.mark.parametrize("verb", [*FOR_OWNERS, *FOR_READERS])
def test_another_account_of_the_machine_needs_a_token(
    verb: str, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: workspace.stat().st_uid + 4711)
    file = tmp_path / "file.md"
    status, stdout, stderr = call(verb, {**FOR_OWNERS, **FOR_READERS}[verb], file)
    assert (status, stdout) == (2, "") and "set TRIPTYCH_TOKEN" in stderr


def test_a_token_reads_what_its_roles_may_read(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(workspace)
    assert {row["document"] for row in rows("documents")} == set(TEXTS)  # the local owner
    for roles, seen in ((["finance"], set(TEXTS)), (["hr"], {"open.md"}), ([], {"open.md"})):
        monkeypatch.setenv(VARIABLE, tokens.make("-".join(roles) or "none", roles, owner=False, days=1))
        assert {row["document"] for row in rows("documents")} == seen
        assert {row["document"] for row in rows("documents", "history")} == seen
        assert {row["document"] for row in rows("search", "What costs 99?", "--no-rerank")} == seen
        status, stdout, stderr = call("search", ["What costs 99?", "--as", "finance"], workspace)
        assert (status, stdout) == (2, "") and "Only an owner looks through" in stderr


def test_owners_look_through_roles_and_all_of_it_is_audited(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rows("search", "What costs 99?", "--no-rerank", "--as", "hr")
    assert [row["document"] for row in found] == ["open.md"]
    made = rows("tokens", "make", "boss", "--owner")[0]
    monkeypatch.setenv(VARIABLE, str(made["secret"]))
    assert {row["document"] for row in rows("search", "What costs 99?", "--no-rerank")} == set(TEXTS)
    entries = list(AuditLog(workspace).entries())
    assert [(e.person == "local-owner", e.action, set(e.documents), e.detail) for e in entries] == [
        (True, "searched", {"open.md"}, "viewed as hr"),
        (True, "token", set(), "made boss"),
        (False, "searched", set(TEXTS), ""),
    ]
    assert str(made["secret"]) not in (workspace / audit.FILE).read_text()
    assert [row["action"] for row in rows("audit", "--document", "secret.md")] == ["searched"]


def test_without_sign_in_everything_is_as_ever_and_nothing_is_audited(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / sign_in.FILE).unlink()
    monkeypatch.setattr(os, "geteuid", lambda: workspace.stat().st_uid + 4711)
    assert len(rows("search", "What costs 99?", "--no-rerank")) == 2
    assert not (workspace / audit.FILE).exists()
