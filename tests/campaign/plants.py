"""Ten faults to plant into the product, and the cases of the quick campaign that must find each.

A fault is planted by exchanging the code of a function, so that whoever has imported it has the fault too. It
is done in a process that ends afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from backends.erasure import forget
from backends.system import csv_file, failures, files, viewers
from backends.system.jobs import Jobs
from backends.training import adapters
from pages.ui import text
from tests.campaign import faults, hostile, kills, load, privacy
from tests.campaign.cases import Part, Plan, run


@dataclass(frozen=True)
class Planted:
    part: Part
    check: str  # whose cases of `quick` are run
    where: Callable[..., Any]
    fault: Callable[..., Any]


def _in_place(path: Path, contents: str | bytes) -> None:
    path.write_bytes(contents.encode("utf-8") if isinstance(contents, str) else contents)


def _append_without_sync(path: Path, line: str) -> None:
    with _alone_with(path, "ab+") as file:  # type: ignore[name-defined]  # noqa: F821  # of `files`
        file.write(line.encode("utf-8") + b"\n")


def _no_visitors(self: Any, hashes: set[str]) -> int:
    return 0


def _nothing(error: BaseException) -> str | None:
    return None


def _card_or_fail(folder: Path) -> Any:
    return read_card(folder)  # type: ignore[name-defined]  # noqa: F821  # of `adapters`


def _anybody(roles: Any, role: str | None) -> bool:
    return True


def _kept_votes(file: Path, traces: Any) -> int:
    return 0


def _as_it_is(value: Any) -> Any:
    return value


def _raw(text: str) -> str:
    return text


def _first_come(self: Any, kind: str, waiting: Any) -> Any:
    return waiting.popleft()


PLANTED = {
    "files written in place": Planted(kills.PART, "activate", files.write_whole, _in_place),
    "answers not synced": Planted(kills.PART, "evaluate", files.append_line, _append_without_sync),
    "visitors' copies not erased": Planted(kills.PART, "forget", forget._Erasing._in_sessions, _no_visitors),
    "a full disk has no words": Planted(faults.PART, "disk full", failures.in_words, _nothing),
    "a damaged adapter hides the others": Planted(
        faults.PART, "damaged adapter", adapters._card, _card_or_fail
    ),
    "roles are not looked at": Planted(privacy.PART, privacy.OPERATIONS, viewers.admits, _anybody),
    "votes outlive what they quote": Planted(
        privacy.PART, privacy.OPERATIONS, forget._in_database, _kept_votes
    ),
    "cells may be formulas": Planted(
        hostile.PART, "formulas in exports", csv_file.without_formula, _as_it_is
    ),
    "reports show words as HTML": Planted(hostile.PART, hostile.MARKUP, text.plain_html, _raw),
    "first come, first served": Planted(load.PART, "turns taken", Jobs._next, _first_come),
}


def found(name: str, seed: int = 1) -> str:
    """The case of `quick` that finds this fault; empty when none does. It stays in this process."""
    planted = PLANTED[name]
    assert isinstance(planted.where, FunctionType) and isinstance(planted.fault, FunctionType)
    planted.where.__code__ = planted.fault.__code__
    with tempfile.TemporaryDirectory() as folder:
        rows = run(planted.part, Plan(seed, True, Path(folder)), 120.0, check=planted.check)
    return next((row.repeat for row in rows if row.failed), "")
