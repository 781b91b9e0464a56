"""`python -m benchmarks.readers [FOLDER]`: how much of a file is read, in every format.

Enters: nothing, or a folder of files with their references beside them (`a.pdf.truth.json`). Leaves: a table
per format and what was missed, or JSON. Without a folder the documents of `made` are written in every format
by other programs than those that read them. `--write FOLDER` keeps them; `--reader NAME` reads them with
another library that is installed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backends.datatypes import UserError
from backends.documents.parsing import parse_file
from benchmarks.readers.made import Made, documents
from benchmarks.readers.score import Score, Truth, score
from benchmarks.readers.writers import WRITERS

TRUTH = ".truth.json"
DELIMITED = (".csv", ".tsv")
# Formats without merged cells: what these say is in their first row only.
FLAT = (*DELIMITED, ".md", ".txt", ".rst", ".org", ".ipynb")
COLUMNS = ("format", "files", "words", "extra", "glued", "numbers", "altered", "rows", "labels right",
           "false labels", "reordered", "CPU seconds")  # fmt: skip

WHOLE = (("words_found", "words"), ("numbers_found", "numbers"), ("rows_right", "rows"))

Reader = Callable[[Path], str]


def own(path: Path) -> str:
    return parse_file(path).text


def markitdown(path: Path) -> str:
    from markitdown import MarkItDown

    return str(MarkItDown().convert(str(path)).text_content)


def docx2python(path: Path) -> str:
    from docx2python import docx2python as read

    return str(read(path).text)


def mammoth(path: Path) -> str:
    import mammoth as library

    with path.open("rb") as file:
        return str(library.extract_raw_text(file).value)


READERS: dict[str, Reader] = {each.__name__: each for each in (own, markitdown, docx2python, mammoth)}


def write(folder: Path, seed: int, formats: set[str] | None = None) -> None:
    """The documents in these formats, or in every one, and what they hold beside them."""
    for made in documents(seed):
        for suffix, writer in WRITERS.items():
            if (formats and suffix not in formats) or (suffix in DELIMITED and not made.tables):
                continue
            path = folder / f"{made.name}{suffix}"
            writer(made, path)
            truth = truth_of(made, suffix)
            (folder / (path.name + TRUTH)).write_text(json.dumps(asdict(truth)), encoding="utf-8")


def truth_of(made: Made, suffix: str) -> Truth:
    lines = (
        made.lines if suffix not in DELIMITED else [table.caption for table in made.tables if table.caption]
    )
    flat = suffix in FLAT
    rows = [row for table in made.tables for row in (unmerged(table) if flat else table.rows)]
    if suffix == ".txt":  # a table drawn in plain text stays as it is
        rows = [[("", cell) for cell in row if cell] for table in made.tables for row in table.cells]
    return Truth(lines, rows)


def unmerged(table: Any) -> list[list[tuple[str, str]]]:
    """The rows of a table whose merged cells are empty but for the first."""
    body = table.cells[table.headers :]
    pairs = zip(table.rows, body, strict=True)
    return [[(label, value) for label, value in row if value in cells] for row, cells in pairs]


def measure(folder: Path, reader: Reader, formats: set[str]) -> Iterator[dict[str, Any]]:
    """A record per file; what could not be read is a score of nothing, with the reason."""
    for path in sorted(folder.rglob("*")):
        truth = path.with_name(path.name + TRUTH)
        if not truth.exists() or (formats and path.suffix not in formats):
            continue
        given = json.loads(truth.read_text(encoding="utf-8"))
        wanted = Truth(given["lines"], [[(label, value) for label, value in row] for row in given["rows"]])
        began = time.process_time()
        error, text = None, ""
        try:
            text = reader(path)
        except UserError as refused:
            error = str(refused)
        seconds = time.process_time() - began
        name = path.relative_to(folder).as_posix()
        yield {"file": name, "seconds": seconds, "error": error, **asdict(score(wanted, text))}


def table(records: list[dict[str, Any]]) -> list[str]:
    """A Markdown table with a row per format."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    for suffix in sorted({Path(record["file"]).suffix for record in records}):
        own_records = [record for record in records if Path(record["file"]).suffix == suffix]
        total = sum((_score(record) for record in own_records), Score())
        cells = [
            suffix[1:], len(own_records), _share(total.words_found, total.words), total.words_extra,
            total.glued,
            _share(total.numbers_found, total.numbers), total.numbers_altered,
            _share(total.rows_found, total.rows), _share(total.rows_right, total.rows), total.labels_false,
            _share(total.reordered, total.steps), f"{sum(r['seconds'] for r in own_records):.1f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def _score(record: dict[str, Any]) -> Score:
    return Score(**{name: record[name] for name in Score.__dataclass_fields__})


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.readers", description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="files with their references beside them")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="only write the documents here")
    parser.add_argument("--reader", choices=sorted(READERS), default="own")
    parser.add_argument("--format", action="append", default=[], help="only this suffix (repeat for several)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="a JSON row a file instead of the table")
    given = parser.parse_args()
    if given.write:
        given.write.mkdir(parents=True, exist_ok=True)
        write(given.write, given.seed)
        return
    suffixes = {f".{each.lstrip('.')}" for each in given.format}
    with tempfile.TemporaryDirectory() as place:
        folder = given.folder or Path(place)
        if given.folder is None:
            write(folder, given.seed, suffixes)
        records = []
        for record in measure(folder, READERS[given.reader], suffixes):
            records.append(record)
            if given.json:
                print(json.dumps(record), flush=True)
    if not given.json:
        print("\n".join(table(records)))
        for record in records:
            if (
                record["error"]
                or record["rows_right"] < record["rows"]
                or record["words_found"] < record["words"]
            ):
                print(f"{record['file']}: {record['error'] or short(record)}")


def short(record: dict[str, Any]) -> str:
    return (
        f"words {record['words_found']}/{record['words']}, "
        f"numbers {record['numbers_found']}/{record['numbers']}, "
        f"rows {record['rows_right']} right and {record['rows_found']} found of {record['rows']}"
    )


if __name__ == "__main__":
    main()
