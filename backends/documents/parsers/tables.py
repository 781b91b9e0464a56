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
from itertools import chain, islice, pairwise
from pathlib import Path

from backends.datatypes import ParsedFile, UserError
from backends.documents import limits
from backends.documents.parsers import excel_binary, excel_records, excel_xml, ods, web
from backends.documents.parsers.common import Budget, PageText, assemble, clean, line_ends, sheet_lines, stem
from backends.documents.parsers.office import OLE, check_archive
from backends.documents.parsers.sheets import Findings, Sheet, blocks
from backends.system.encodings import decoded

_KEPT_AS_TEXT = re.compile(r'="([^"]*)"')
_LOOKED_AT = 40  # rows


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    if kind == "csv":
        return _delimited(path, name)
    if kind == "xls" and (head := _head_of_text(path)):  # what many programs export by this name
        page = re.match(r"<(?:!doctype html|html|table|meta|head|style)\b", head, re.I)
        return replace(web.parse(path, kind, name) if page else _delimited(path, name), type=kind)
    findings = Findings()
    budget = Budget(name)
    pages = []
    for number, sheet in enumerate(_sheets(path, kind, name, findings), start=1):
        tables = ("\n".join(budget.limit(lines)) for lines in sheet_lines(blocks(sheet.rows)))
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
        return excel_records.open_sheets(path, findings)
    if "content.xml" in names:
        return ods.open_sheets(path, name, findings)
    return excel_xml.open_sheets(path, findings)


def _head_of_text(path: Path) -> str:
    """The beginning of a file that is a page or delimited text, not a workbook; else ""."""
    with path.open("rb") as file:
        data = file.read(2000)
    if b"\0" in data.removeprefix(b"\xff\xfe")[::2] or data.startswith((OLE, b"PK", b"<?xml", b"\x09")):
        return ""
    head = decoded(data).text.lstrip()
    return head if head[:1] == "<" or len(re.findall(r"[\t;,]", head)) > 2 else ""


def _is_locked(path: Path) -> bool:
    """Whether an OLE container holds an encrypted workbook of a newer kind."""
    import olefile

    with olefile.OleFileIO(str(path)) as container:
        return bool(container.exists("EncryptedPackage"))


def _delimited(path: Path, name: str) -> ParsedFile:
    file = decoded(path.read_bytes())
    text = line_ends(file.text)
    csv.field_size_limit(limits.MAX_CHARACTERS)  # of the whole process: it stays from file to file
    first = [line for line in text[:100_000].split("\n", 40)[:40] if line.strip()]
    mark = _delimiter(first)
    if first and (said := re.fullmatch(r"\ufeff?sep=(.)\s*", first[0], re.I)):  # Excel's own hint
        mark, text = said[1], text.partition("\n")[2]
    rows = ([*map(_as_excel, row)] for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark))
    budget = Budget(name)
    found = blocks([*row] for row in _without_gaps(rows))
    tables = ("\n".join(budget.limit(lines)) for lines in sheet_lines(found))
    return ParsedFile(clean("\n\n".join(tables)), stem(name), "csv", notes=file.notes)


def _as_excel(cell: str) -> str:
    """Excel's way to keep the zeros of a number in front: ="00501"."""
    found = _KEPT_AS_TEXT.fullmatch(cell) if cell[:2] == '="' else None
    return found[1] if found else cell


def _without_gaps(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows; where every other one is empty, as some programs write line ends, those go."""
    head = [*islice(rows, _LOOKED_AT)]
    filled = [any(map(str.strip, row)) for row in head]
    doubled = len(head) > 3 and not any(one == two for one, two in pairwise(filled))
    return (row for row in chain(head, rows) if not doubled or any(map(str.strip, row)))


def _delimiter(lines: list[str]) -> str:
    """The separator that cuts the first lines into the most and most equal columns."""

    def merit(mark: str) -> tuple[int, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=mark)]
        common = max(set(counts), key=counts.count, default=1)
        return (counts.count(common) if common > 1 else 0, common)

    return max(",;\t|", key=merit)
