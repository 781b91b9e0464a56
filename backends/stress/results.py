"""Finished stress tests on disk, so that a page shows them again and advice can name the run of a number.

Enters: results. Leaves: one JSON file each below <workspace>/stress/, and the newest of a test. Only numbers
and the sentence are kept: answers quote documents, and what was forgotten must not live on here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backends.datatypes import JsonObject, JsonValue
from backends.stress.records import Measurement, Result, StressRow, StressTest
from backends.system.files import read_json, write_whole
from backends.system.json_values import plain

FOLDER = "stress"
KEPT = 100


@dataclass(frozen=True)
class Stored:
    """A finished test without its answers; `at` is UTC, ISO 8601."""

    run: str
    at: str
    result: Result


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


def newest(workspaces: Sequence[Path], test: StressTest, backends: Sequence[str] = ()) -> Stored | None:
    """The last run of this test, in any of these, that has a row for each of these backends."""
    found = {path for workspace in workspaces for path in (workspace / FOLDER).glob(f"{test}-*.json")}
    for path in sorted(found, key=_time, reverse=True):
        stored = _read(path)
        if set(backends) <= {row.backend for row in stored.result.rows}:
            return stored
    return None


def _time(path: Path) -> str:
    return path.stem.partition("-")[2]


def _read(path: Path) -> Stored:
    raw: dict[str, JsonValue] = read_json(path)
    rows = tuple(_row(row) for row in raw["rows"])
    result = Result(raw["test"], rows, raw["sentence"], (), seed=raw["seed"])
    return Stored(raw["run"], raw["at"], result)


def _row(raw: JsonObject) -> StressRow:
    details = {name: _detail(value) for name, value in raw["details"].items()}
    return StressRow(**{**raw, "interval": tuple(raw["interval"]), "details": details})


def _detail(value: JsonValue) -> JsonValue:
    """Measurements as they were before they became JSON, also those within a mapping."""
    if not isinstance(value, dict):
        return value
    if set(value) == {"value", "interval", "count"}:
        return Measurement(value["value"], tuple(value["interval"]), value["count"])
    return {name: _detail(each) for name, each in value.items()}
