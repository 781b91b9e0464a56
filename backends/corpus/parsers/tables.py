"""Spreadsheets and delimited text.

Enters: xlsx, xls, csv, tsv. Leaves: one line per row, "Header: value; Header: value"; a sheet is a page.
"""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from backends.corpus.parsers.common import PageText, assemble, clean, decode, stem, table_lines
from backends.datatypes import ParsedFile, UserError

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_ROWS = 200_000


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    if kind == "csv":
        return _delimited(path, name)
    with path.open("rb") as file:
        is_ole = file.read(8) == _OLE
    if kind == "xlsx" and is_ole:
        raise UserError(f"{name} is protected with a password; save it without one to have it read.")
    sheets = _xls(path) if kind == "xls" else _xlsx(path)
    pages = [
        PageText(number, "\n\n".join("\n".join(table_lines(block)) for block in _blocks(rows)), label)
        for number, (label, rows) in enumerate(sheets, start=1)
    ]
    labelled = [PageText(p.number, f"## {p.label}\n\n{p.text}" if p.text else "", p.label) for p in pages]
    return assemble(labelled if len(pages) > 1 else pages, title=stem(name), kind=kind)


def _delimited(path: Path, name: str) -> ParsedFile:
    text = decode(path.read_bytes())
    lines = [line for line in text.split("\n", 40)[:40] if line.strip()]
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(lines)))
    if len(rows) > MAX_ROWS:
        raise UserError(f"{name} has {len(rows):,} rows; tables of up to {MAX_ROWS:,} rows are read.")
    return ParsedFile(clean("\n".join(table_lines(rows))), stem(name), "csv")


def _delimiter(lines: list[str]) -> str:
    """The separator that cuts the first lines into the most and most equal columns."""

    def merit(mark: str) -> tuple[int, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=mark)]
        common = max(set(counts), key=counts.count, default=1)
        return (counts.count(common) if common > 1 else 0, common)

    return max(",;\t|", key=merit)


def _xlsx(path: Path) -> Iterator[tuple[str, list[list[str]]]]:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # some programs write wrong ones
            rows = [
                [_shown(cell.value, getattr(cell, "number_format", "")) for cell in row]
                for row in sheet.iter_rows()
            ]
            yield sheet.title, rows
    finally:
        book.close()


def _xls(path: Path) -> Iterator[tuple[str, list[list[str]]]]:
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_path(str(path))
    for label in book.sheet_names:
        yield (
            label,
            [[_shown(value, "") for value in row] for row in book.get_sheet_by_name(label).to_python()],
        )


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


def _blocks(rows: list[list[str]]) -> Iterator[list[list[str]]]:
    """Tables on a sheet are kept apart by empty rows."""
    for filled, block in groupby(rows, key=lambda row: any(cell.strip() for cell in row)):
        if filled:
            table = list(block)
            width = max(at for row in table for at, cell in enumerate(row) if cell.strip()) + 1
            yield [row[:width] for row in table]
