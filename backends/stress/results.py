"""Finished stress tests on disk, so that advice can name the run a number comes from.

Enters: results. Leaves: one JSON file each below <workspace>/stress/, and the newest of a test. Only numbers
and the sentence are kept: answers quote documents, and what was forgotten must not live on here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backends.evaluation.statistics import Interval
from backends.stress.records import Result, StressTest
from backends.system.files import write_whole
from backends.system.json_values import plain

FOLDER = "stress"
KEPT = 100


@dataclass(frozen=True)
class StoredRow:
    """The main measure of one backend."""

    backend: str
    value: float
    interval: Interval
    count: int


@dataclass(frozen=True)
class Stored:
    run: str
    test: str
    sentence: str
    rows: tuple[StoredRow, ...]


def keep(workspace: Path, result: Result) -> str:
    """Write it down whole; returns the run's id. The oldest beyond 100 go."""
    folder = workspace / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    at = datetime.now(UTC)
    run = f"{result.test}-{at:%Y%m%d-%H%M%S-%f}"
    record = {
        "run": run, "test": result.test, "at": at.isoformat(timespec="seconds"), "seed": result.seed,
        "sentence": result.sentence, "rows": [plain(row) for row in result.rows],
    }  # fmt: skip
    write_whole(folder / f"{run}.json", json.dumps(record, ensure_ascii=False, indent=1))
    for old in sorted(folder.glob("*.json"), key=_time, reverse=True)[KEPT:]:
        old.unlink(missing_ok=True)
    return run


def newest(workspaces: Sequence[Path], test: StressTest, backends: Sequence[str]) -> Stored | None:
    """The last run of this test, in any of these, that has a row for each of these backends."""
    found = {path for workspace in workspaces for path in (workspace / FOLDER).glob(f"{test}-*.json")}
    for path in sorted(found, key=_time, reverse=True):
        stored = _read(path)
        if set(backends) <= {row.backend for row in stored.rows}:
            return stored
    return None


def _time(path: Path) -> str:
    return path.stem.partition("-")[2]


def _read(path: Path) -> Stored:
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    rows = tuple(StoredRow(r["backend"], r["value"], tuple(r["interval"]), r["count"]) for r in raw["rows"])
    return Stored(raw["run"], raw["test"], raw["sentence"], rows)
