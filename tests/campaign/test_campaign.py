"""The quick campaign finds each of ten faults that are planted into the product."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.campaign.cases import Case, Part, Plan, run, table
from tests.campaign.plants import PLANTED, found

PATIENCE = 240


@pytest.fixture(scope="module")
def processes():
    """Children are forked from a small clean process: this one has threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.campaign.plants"])
    return context


def look(name: str, send) -> None:
    send.send(found(name))


@pytest.mark.parametrize("name", PLANTED)
def test_the_quick_campaign_finds_a_planted_fault(
    name: str, processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A page that ran before in this process has left itself as its main module; a child would run it again.
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    receive, send = processes.Pipe(duplex=False)
    child = processes.Process(target=look, args=(name, send))
    child.start()
    assert receive.poll(PATIENCE)
    case = receive.recv()
    child.join(PATIENCE)
    assert case, f"no case of quick finds: {name}"


def test_there_are_ten_planted_faults() -> None:
    assert len(PLANTED) == 10


def test_a_row_counts_what_was_tried_and_names_the_first_that_failed(tmp_path: Path) -> None:
    def fail() -> None:
        raise AssertionError("a word went missing")

    cases = [Case("words", "w-1", lambda: 5), Case("words", "w-2", fail), Case("words", "w-3", fail)]
    part = Part("example", lambda plan: iter(cases), {"words": 40})
    (row,) = run(part, Plan(7, True, tmp_path), 60.0)
    assert (row.tried, row.failed, row.wanted, row.seed) == (7, 2, 40, 7)
    assert (row.repeat, row.first) == ("w-2", "AssertionError: a word went missing")
    assert "| example | words | 40 | 7 | 2 (w-2) | 7 |" in table([row])
    (again,) = run(part, Plan(7, True, tmp_path), 60.0, only="w-1")
    assert (again.tried, again.failed) == (5, 0)
