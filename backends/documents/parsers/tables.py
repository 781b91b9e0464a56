"""Spreadsheets and delimited text.

Enters: xlsx, xls, xlsb, ods, csv, tsv. Leaves: one line per row, "Header: value; Header: value"; a sheet is
a page.
"""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from backends.datatypes import ParsedFile, UserError
from backends.documents import limits
from backends.documents.parsers.common import Budget, PageText, assemble, clean, decode, stem, table_lines
from backends.documents.parsers.office import OLE, check_archive


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    if kind == "csv":
        return _delimited(path, name)
    with path.open("rb") as file:
        is_ole = file.read(8) == OLE
    if is_ole and kind != "xls":
        raise UserError(f"{name} is protected with a password; save it without one to have it read.")
    if not is_ole:
        check_archive(path, kind, name)
    budget = Budget(name)
    pages = []
    for number, (label, rows) in enumerate(_xlsx(path) if kind == "xlsx" else _calamine(path), start=1):
        tables = ("\n".join(budget.spend(table_lines(table))) for table in _blocks(rows))
        pages.append(PageText(number, "\n\n".join(tables), label))
    labelled = [PageText(p.number, f"## {p.label}\n\n{p.text}" if p.text else "", p.label) for p in pages]
    return assemble(labelled if len(pages) > 1 else pages, title=stem(name), kind=kind)


def _delimited(path: Path, name: str) -> ParsedFile:
    text = decode(path.read_bytes())
    first = [line for line in text[:100_000].split("\n", 40)[:40] if line.strip()]
    csv.field_size_limit(limits.MAX_CHARACTERS)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first))
    return ParsedFile(clean("\n".join(Budget(name).spend(table_lines(rows)))), stem(name), "csv")


def _delimiter(lines: list[str]) -> str:
    """The separator that cuts the first lines into the most and most equal columns."""

    def merit(mark: str) -> tuple[int, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=mark)]
        common = max(set(counts), key=counts.count, default=1)
        return (counts.count(common) if common > 1 else 0, common)

    return max(",;\t|", key=merit)


def _xlsx(path: Path) -> Iterator[tuple[str, Iterator[list[str]]]]:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # some programs write wrong ones
            yield (
                sheet.title,
                (
                    [_shown(cell.value, getattr(cell, "number_format", "")) for cell in row]
                    for row in sheet.iter_rows()
                ),
            )
    finally:
        book.close()


def _calamine(path: Path) -> Iterator[tuple[str, Iterator[list[str]]]]:
    """Old Excel, binary Excel and OpenDocument sheets."""
    from python_calamine import CalamineWorkbook, PasswordError

    try:
        book = CalamineWorkbook.from_path(str(path))
    except PasswordError as error:
        raise UserError(
            f"{path.name} is protected with a password; save it without one to have it read."
        ) from error
    for label in book.sheet_names:
        rows = book.get_sheet_by_name(label).to_python()
        yield label, ([_shown(value, "") for value in row] for row in rows)


def _shown(value: Any, number_format: str) -> str:
    """A cell as its sheet shows it, as far as that changes the meaning: percent, whole numbers, dates."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and "%" in (number_format or ""):
        decimals = len(number_format.split("%")[0].partition(".")[2])
        return f"{value * 100:.{decimals}f} %"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "minutes")
    return str(value)


def _blocks(rows: Iterable[list[str]]) -> Iterator[Iterator[list[str]]]:
    """Tables on a sheet are kept apart by empty rows; empty cells at the end of a row do not count."""
    for filled, block in groupby(map(_trimmed, rows), key=bool):
        if filled:
            yield block


def _trimmed(row: list[str]) -> list[str]:
    while row and not row[-1].strip():
        row.pop()
    return row
