"""`python -m benchmarks.readers.headers TABLES.jsonl.xz`: how often a header is told, and how often wrongly.

Enters: rows with a table as delimited text in `context`, its header in the first line (WikiTableQuestions has
such rows; not part of this repository). Leaves: the share of tables whose header is found, and of the same
tables without it, cut at a random row, whose first row is taken for one; by the number of rows below, beside
Python's own `csv.Sniffer`.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import lzma
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from backends.documents.parsers.common import one_line
from backends.documents.parsers.headers import layout

ROWS_BELOW = (2, 3, 5, 10)

Grid = list[list[str]]


def tables(path: Path, source: str) -> list[Grid]:
    """Different tables of the file, the header first."""
    data = path.read_bytes()
    lines = (lzma.decompress(data) if path.suffix == ".xz" else data).decode("utf-8").split("\n")
    rows = (json.loads(line) for line in lines if line)
    texts = dict.fromkeys(row["context"] for row in rows if row.get("source", source) == source)
    read = ([[one_line(cell) for cell in row] for row in csv.reader(io.StringIO(text))] for text in texts)
    return [[row for row in table if any(row)] for table in read]


def own(rows: Grid) -> bool:
    return layout(rows).headers > 0


def sniffer(rows: Grid) -> bool:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    try:
        return csv.Sniffer().has_header(out.getvalue())
    except csv.Error:
        return False


def measure(found: Sequence[Grid], tell: Callable[[Grid], bool], below: int) -> tuple[int, int, int]:
    """(tables, headers found, rows taken for a header where there was none)."""
    random_ = random.Random(below)
    count = right = wrong = 0
    for header, *body in (table for table in found if len(table) > below + 2):
        at = random_.randrange(len(body) - below)
        part = body[at : at + below + 1]
        count += 1
        right += tell([header, *part[:-1]])
        wrong += tell(part)
    return count, right, wrong


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.readers.headers", description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--source", default="wikitablequestions")
    given = parser.parse_args()
    found = tables(given.file, given.source)
    print("| rows below | tables | header found | taken for one | csv.Sniffer: found | taken for one |")
    print("|---|---|---|---|---|---|")
    for below in ROWS_BELOW:
        count, right, wrong = measure(found, own, below)
        _, sniffed, mistaken = measure(found, sniffer, below)
        shares = (f"{100 * part / count:.1f} %" for part in (right, wrong, sniffed, mistaken))
        print(f"| {below} | {count:,} | " + " | ".join(shares) + " |")


if __name__ == "__main__":
    main()
