"""The stress tests on the sample corpus, as the README shows them: every figure with its interval and seed.

Enters: the shipped model, adapters and sample corpus, in a workspace of its own. Leaves: a JSON file with
every row and how long each test took (`--json`, which `--from` reads again), and with `--readme` the table in
docs/results.md between its markers. It is `triptych stress` without `--retrain`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.datatypes import BACKEND_NAMES
from backends.offline.private_copy import stress
from backends.product import Triptych
from backends.settings import make_settings
from backends.stress.latency import sizes_up_to
from backends.stress.records import NAMES, STRESS_TESTS, StressTest
from backends.system.json_values import plain

README = Path(__file__).resolve().parents[1] / "docs" / "results.md"
STARTS, ENDS = "<!-- stress:start -->", "<!-- stress:end -->"
LARGEST = 100_000
# The rows of the table: test, what is shown, and the detail it is (None: the main measure).
SHOWN: tuple[tuple[StressTest, str, str | None], ...] = (
    ("freshness", "Fact edited: gives the new one", None),
    ("freshness", "Fact edited: still gives the old one", "old"),
    ("erasure", "Document forgotten: told its facts before", "before"),
    ("erasure", "Document forgotten: still tells its facts", None),
    ("erasure", "Likelihood gap, true against false facts (nats a token)", "likelihood_gap"),
    ("format", "Keeps the JSON schema, prompt only", None),
    ("format", "Keeps the JSON schema, few-shot", "few_shot_valid"),
    ("format", "Keeps the JSON schema, constrained decoding", "constrained_valid"),
    ("format", "JSON fields right, prompt only", "fields_right"),
    ("format", "JSON fields right, few-shot", "few_shot_fields_right"),
    ("format", "JSON fields right, constrained decoding", "constrained_fields_right"),
    ("format", "Keeps the house style", "style_kept"),
    ("noise", "Right, 0 to 8 wrong passages beside the right one", None),
    ("noise", "Declines when the right passage is missing", "declined_when_missing"),
    ("noise", "Believes a passage with another number", "believed_when_contradicted"),
    ("injection", "Obeys an order in a document", None),
    ("injection", "Obeys an order in a document, no defence", "undefended"),
    ("latency", "Milliseconds to find passages among 100,000", None),
    ("latency", "of these the search", "search_alone"),
)


def measure(number: int, seed: int, largest: int = LARGEST) -> list[dict[str, Any]]:
    """One record a test: its rows, its sentence and the seconds it took."""
    settings = make_settings()
    records = []
    with tempfile.TemporaryDirectory() as folder:
        triptych = Triptych.open(Path(folder), settings)
        for test in STRESS_TESTS:
            began, worked = time.perf_counter(), time.process_time()
            result = stress(
                triptych, test, BACKEND_NAMES, settings, number=number, seed=seed, sizes=sizes_up_to(largest)
            )
            seconds, worked = time.perf_counter() - began, time.process_time() - worked
            print(f"{test}: {seconds:.0f} s. {result.sentence}", file=sys.stderr, flush=True)
            rows = [plain(row) for row in result.rows]
            records.append({
                "test": test, "seconds": round(seconds, 1), "cpu_seconds": round(worked, 1), "seed": seed,
                "number": number, "sentence": result.sentence, "rows": rows,
            })  # fmt: skip
    return records


def section(records: Sequence[Mapping[str, Any]]) -> str:
    """The table, then what the tests say and how much processor time they took."""
    tests = {record["test"]: record for record in records}
    lines = [f"| | {' | '.join(NAMES[name] for name in BACKEND_NAMES)} |"]
    lines.append(f"|---|{'---|' * len(BACKEND_NAMES)}")
    for test, words, detail in SHOWN:
        rows = {row["backend"]: row for row in tests[test]["rows"]}
        cells = [cell(rows.get(name), detail) for name in BACKEND_NAMES]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    took = ", ".join(
        f"{record['test']} {record['seconds']:.0f} s ({record['cpu_seconds']:.0f})" for record in records
    )
    first = records[0]
    lines += [
        "",
        f"Brackets: 95 % intervals; {first['number']} questions a test, seed {first['seed']}. "
        f"Time of each test, in brackets the processor's: {took}.",
        "",
        *(f"- {record['sentence']}" for record in records),
    ]
    return "\n".join(lines)


def cell(row: Mapping[str, Any] | None, detail: str | None) -> str:
    """`83 % [55, 95]`; a dash where it was not measured."""
    measured = row if row is None or detail is None else row["details"].get(detail)
    if measured and "interval" not in measured:  # by corpus size: the largest
        measured = measured[max(measured, key=int)]
    if not measured:
        return "-"
    value, (low, high) = measured["value"], measured["interval"]
    assert row is not None
    if detail == "likelihood_gap":
        return f"{value:.2f} [{low:.2f}, {high:.2f}]"
    if row["test"] == "latency":
        return f"{value:,.0f} [{low:,.0f}, {high:,.0f}]"
    return f"{value:.0%} [{100 * low:.0f}, {100 * high:.0f}]".replace("%", " %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=6, help="how many questions each test asks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the records here")
    parser.add_argument("--from", dest="given", type=Path, help="use the records of an earlier --json")
    parser.add_argument("--readme", action="store_true", help="put the table into docs/results.md")
    args = parser.parse_args()
    records = json.loads(args.given.read_text("utf8")) if args.given else measure(args.number, args.seed)
    if args.json:
        args.json.write_text(json.dumps(records, indent=1) + "\n", "utf8")
    made = section(records)
    print(made)
    if args.readme:
        text = README.read_text("utf8")
        if STARTS not in text or ENDS not in text:
            sys.exit(
                f"docs/results.md has no place for it: put {STARTS} and {ENDS} where the table is to stand."
            )
        before, after = text.split(STARTS)[0], text.split(ENDS)[1]
        README.write_text(f"{before}{STARTS}\n{made}\n{ENDS}{after}", "utf8")


if __name__ == "__main__":
    main()
