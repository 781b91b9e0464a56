"""The collection of real files beside the repository, and whether each is read as its manifest says.

`python -m tests.documents.real_files [FOLDER]` prints the table; `test_parsing` asserts every row of it.
"""

from __future__ import annotations

import csv
import re
import sys
import tempfile
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from backends.datatypes import Attachment, PasswordNeeded, UserError
from backends.documents.reader_pool import Readers

FORMATS = Path(__file__).resolve().parents[3] / "shared" / "data" / "formats"


@dataclass(frozen=True)
class Row:
    """One file of the manifest."""

    file: str
    odd: str
    expected: str  # phrases parted by "||", alternatives by " OR ", or "(nothing)"

    @property
    def password(self) -> str:
        found = re.search(r'needs the password "(.+?)"', self.odd)
        return found.group(1) if found else ""


@dataclass(frozen=True)
class Outcome:
    as_expected: bool
    words: str  # what came out, or why nothing did
    seconds: float


def manifest(folder: Path) -> list[Row]:
    """The rows of MANIFEST.tsv; none where the collection is not at hand."""
    path = folder / "MANIFEST.tsv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Row(row[0], row[4], row[5]) for row in rows[1:]]


def read(row: Row, folder: Path, readers: Readers) -> Outcome:
    """Read one file as the app does; with a password, only after it was refused without."""
    began = time.perf_counter()
    try:
        if row.password:
            try:
                readers.parse(folder / row.file)
            except PasswordNeeded:
                parsed = readers.parse(folder / row.file, passwords=[row.password])
            else:
                return Outcome(False, "opened without its password", time.perf_counter() - began)
        else:
            parsed = readers.parse(folder / row.file)
    except UserError as error:
        return Outcome(row.expected == "(nothing)", str(error), time.perf_counter() - began)
    pages = f"{len(parsed.pages)} pages, " if parsed.pages else ""
    words = f"{parsed.title} ({pages}{len(parsed.text):,} characters)"
    text = "\n\n".join([parsed.text, *(within(each, readers) for each in parsed.attachments)])
    return Outcome(holds(text, row), words, time.perf_counter() - began)


def within(attachment: Attachment, readers: Readers) -> str:
    """The text of a file that came with a mail."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / attachment.name
        path.write_bytes(attachment.data)
        return readers.parse(path).text


def holds(text: str, row: Row) -> bool:
    """Whether every phrase occurs; white space, ligatures and our marks between cells do not count."""
    expected = row.expected
    if row.file.endswith("csv"):  # rows come out as "Header: cell; ...": look for the cells
        expected = expected.replace(",", "||").replace("amet consectetur", "amet || consectetur")
    alternatives = [[normal(phrase) for phrase in each.split("||")] for each in expected.split(" OR ")]
    return any(all(phrase in normal(text) for phrase in phrases) for phrases in alternatives)


def normal(text: str) -> str:
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text)).strip()


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FORMATS
    readers, failed = Readers(), 0
    print("| file | as expected | what came out | seconds |\n|---|---|---|---|")
    for row in manifest(folder):
        outcome = read(row, folder, readers)
        failed += not outcome.as_expected
        verdict = "yes" if outcome.as_expected else "NO"
        print(f"| {row.file} | {verdict} | {outcome.words} | {outcome.seconds:.2f} |", flush=True)
    readers.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
