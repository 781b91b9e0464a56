"""Two app servers, each a process with a folder of its own, on one PostgreSQL: they answer as one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.system.files import ROOT
from tests.scale.conftest import needed

Ask = Callable[[str, str], Any]


@pytest.fixture
def servers(database: str, tmp_path: Path) -> Iterator[list[Ask]]:
    """Two of them; each does what it is asked and says what came of it."""
    needed("psycopg")
    command = [sys.executable, "-m", "tests.scale.app_server_process", database]
    processes = [
        subprocess.Popen(
            [*command, str(tmp_path / name)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]

    def asking(process: subprocess.Popen[str]) -> Ask:
        def ask(do: str, what: str = "") -> Any:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps([do, what]) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        return ask

    yield [asking(process) for process in processes]
    for process in processes:
        process.communicate()


def test_what_one_adds_changes_and_forgets_holds_on_the_other_at_its_next_question(
    servers: list[Ask], tmp_path: Path
) -> None:
    one, two = servers
    lamp, soup = tmp_path / "lamp.md", tmp_path / "soup.md"
    soup.write_text("Soup is served at noon.", encoding="utf-8")
    for number, (here, there) in enumerate(((one, two), (two, one), (one, two)), start=1):
        lamp.write_text(f"The lamp has colour number {number}.", encoding="utf-8")
        assert here("add", str(lamp)) == ["indexed" if number == 1 else "replaced"]
        assert there("ask", "lamp colour") == [["lamp.md", number, f"The lamp has colour number {number}."]]
    assert two("add", str(soup)) == ["indexed"] and two("add", str(lamp)) == ["unchanged"]
    for question in ("lamp colour", "soup noon", "what is served", "number 3"):
        assert one("ask", question) == two("ask", question) != []
    assert one("texts", "") == two("texts", "") and len(one("texts", "")) == 2
    assert two("forget", "lamp.md") is True
    assert one("ask", "lamp colour number 3") == two("ask", "lamp colour number 3") == [
        ["soup.md", 1, "Soup is served at noon."]
    ]  # fmt: skip
    assert one("texts", "") == [["soup.md", "Soup is served at noon."]]
