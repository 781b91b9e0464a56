"""Spreadsheets and delimited text.

Enters: xlsx, xls, xlsb, ods, csv, tsv. Leaves: one line per row, "Header: value; Header: value"; a sheet is
a page.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from backends.datatypes import ParsedFile, UserError
from backends.documents import limits
from backends.documents.parsers import excel_binary, excel_xml, ods
from backends.documents.parsers.common import Budget, PageText, assemble, clean, stem, table_lines
from backends.documents.parsers.encodings import decoded
from backends.documents.parsers.office import OLE, check_archive
from backends.documents.parsers.sheets import Findings, Sheet, blocks


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    if kind == "csv":
        return _delimited(path, name)
    findings = Findings()
    budget = Budget(name)
    pages = []
    for number, sheet in enumerate(_sheets(path, kind, name, findings), start=1):
        tables = ("\n".join(budget.limit(table_lines(table))) for table in blocks(sheet.rows))
        pages.append(PageText(number, "\n\n".join(tables), sheet.name))
    labelled = [PageText(p.number, f"## {p.label}\n\n{p.text}" if p.text else "", p.label) for p in pages]
    parsed = assemble(labelled if len(pages) > 1 else pages, title=stem(name), kind=kind)
    return replace(parsed, notes=findings.notes)


def _sheets(path: Path, kind: str, name: str, findings: Findings) -> Iterator[Sheet]:
    """The reader that fits what the file is: workbooks are often named for another of their kinds."""
    with path.open("rb") as file:
        is_ole = file.read(8) == OLE
    if is_ole and (kind != "xls" or _is_locked(path)):
        raise UserError(f"{name} is protected with a password; save it without one to have it read.")
    if is_ole or (kind == "xls" and not zipfile.is_zipfile(path)):
        return excel_binary.open_sheets(path, name, findings)
    check_archive(path, kind, name)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if "xl/workbook.bin" in names:
        return excel_binary.open_binary_sheets(path, name, findings)
    if "content.xml" in names:
        return ods.open_sheets(path, name, findings)
    return excel_xml.open_sheets(path, findings)


def _is_locked(path: Path) -> bool:
    """Whether an OLE container holds an encrypted workbook of a newer kind."""
    import olefile

    with olefile.OleFileIO(str(path)) as container:
        return bool(container.exists("EncryptedPackage"))


def _delimited(path: Path, name: str) -> ParsedFile:
    file = decoded(path.read_bytes())
    text = file.text
    csv.field_size_limit(limits.MAX_CHARACTERS)  # of the whole process: it stays from file to file
    first = [line for line in text[:100_000].split("\n", 40)[:40] if line.strip()]
    mark = _delimiter(first)
    if first and (said := re.fullmatch(r"\ufeff?sep=(.)\s*", first[0], re.I)):  # Excel's own hint
        mark, text = said[1], text.partition("\n")[2]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    lines = Budget(name).limit(table_lines(rows))
    return ParsedFile(clean("\n".join(lines)), stem(name), "csv", notes=file.notes)


def _delimiter(lines: list[str]) -> str:
    """The separator that cuts the first lines into the most and most equal columns."""

    def merit(mark: str) -> tuple[int, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=mark)]
        common = max(set(counts), key=counts.count, default=1)
        return (counts.count(common) if common > 1 else 0, common)

    return max(",;\t|", key=merit)
