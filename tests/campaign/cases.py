"""What the campaign is made of: cases, counted by what they check, within a bounded time, and their table.

Enters: a part, which is a named stream of cases. Leaves: one `Row` for each check: how many were tried, how
many failed, and the case that repeats the first failure. It knows nothing of what is tried.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "benchmarks" / "reliability.json"
TABLE = ROOT / "docs" / "reliability.md"
START, END = "<!-- figures:start -->", "<!-- figures:end -->"


@dataclass(frozen=True)
class Case:
    """One thing to try. `run` raises when it goes wrong; the number it returns counts as tried (None: 1).

    `id` names it within its part, whatever else is run: `--only ID` repeats it.
    """

    check: str
    id: str
    run: Callable[[], int | None]
    measures: bool = False  # what fails is a figure, and no fault to be mended


@dataclass(frozen=True)
class Plan:
    """How much of a part is run: `small` is what `quick` has time for."""

    seed: int
    small: bool
    folder: Path  # to work in; removed afterwards


@dataclass(frozen=True)
class Part:
    """A part of the campaign by name. `wanted` says how many of each check a whole campaign tries."""

    name: str
    cases: Callable[[Plan], Iterator[Case]]
    wanted: Mapping[str, int]


@dataclass(frozen=True)
class Row:
    part: str
    check: str
    wanted: int
    tried: int
    failed: int
    seed: int
    seconds: float
    repeat: str = ""  # the id of the first case that failed
    first: str = ""  # and what it said
    measures: bool = False
    on: str = ""  # the day it was run


def run(
    part: Part,
    plan: Plan,
    seconds: float,
    only: str = "",
    tell: Callable[[str], None] = lambda _: None,
    check: str = "",
) -> list[Row]:
    """Run the cases of a part, or those of one id or check, until they or the time are at an end."""
    rows: dict[str, Row] = {}
    began = time.monotonic()
    for case in part.cases(plan):
        if time.monotonic() - began > seconds:
            break
        if (only and case.id != only) or (check and case.check != check):
            continue
        known = rows.get(case.check) or Row(
            part.name,
            case.check,
            part.wanted.get(case.check, 0),
            0,
            0,
            plan.seed,
            0.0,
            measures=case.measures,
        )
        started = time.monotonic()
        tried, said = _try(case)
        if said:
            tell(f"{part.name}: {case.check}: {case.id}\n{said}")
        if said:
            first = said.strip().splitlines()[-1]
            known = replace(known, repeat=known.repeat or case.id, first=known.first or first)
        rows[case.check] = replace(
            known,
            tried=known.tried + tried,
            failed=known.failed + bool(said),
            seconds=round(known.seconds + time.monotonic() - started, 2),
        )
    return list(rows.values())


def _try(case: Case) -> tuple[int, str]:
    """(how many were tried, the traceback of what went wrong or nothing)"""
    try:
        tried = case.run()
    except Exception:
        return 1, traceback.format_exc()
    return 1 if tried is None else tried, ""


# --- figures -------------------------------------------------------------------------------------


def keep(rows: list[Row], day: str) -> None:
    """Put these rows in place of those of the same parts, and write the table anew."""
    parts = {row.part for row in rows}
    stored = [Row(**row) for row in json.loads(FIGURES.read_text("utf-8"))] if FIGURES.exists() else []
    kept = [row for row in stored if row.part not in parts] + [replace(row, on=day) for row in rows]
    kept.sort(key=lambda row: row.part)
    FIGURES.write_text(json.dumps([asdict(row) for row in kept], indent=1) + "\n", "utf-8")
    before, _, rest = TABLE.read_text("utf-8").partition(START)
    after = rest.partition(END)[2]
    TABLE.write_text(f"{before}{START}\n{table(kept)}{END}{after}", "utf-8")


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| part | what was tried | meant | tried | failed | seed | seconds | on |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        failed = f"{row.failed} ({row.repeat})" if row.failed else "0"
        counts = f"{row.wanted or '-'} | {row.tried:,} | {failed}"
        lines.append(f"| {row.part} | {row.check} | {counts} | {row.seed} | {row.seconds:,.0f} | {row.on} |")
    return "\n".join(lines) + "\n"
