"""Excel workbooks of before 2007, and binary ones of later.

Enters: xls and xlsb. Leaves: sheets with their rows, numbers by the format of their cells. An xlsb gives no
formats: its numbers are shown whole, and a note says so.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backends.datatypes import UserError
from backends.documents.parsers.common import Cell, one_line
from backends.documents.parsers.number_formats import plain, shown
from backends.documents.parsers.sheets import Findings, Merged, Sheet, column_name

if TYPE_CHECKING:
    from xlrd.book import Book
    from xlrd.formatting import XF
    from xlrd.sheet import Cell as XlsCell
    from xlrd.sheet import Sheet as XlsSheet


def open_sheets(path: Path, name: str, findings: Findings) -> Iterator[Sheet]:
    """The sheets of an xls in their order, hidden ones too."""
    import xlrd

    try:
        book = xlrd.open_workbook(str(path), formatting_info=True, on_demand=True, logfile=_Silence())
    except xlrd.XLRDError as error:
        if "encrypted" in str(error).lower():
            raise UserError(
                f"{name} is protected with a password; save it without one to have it read."
            ) from error
        raise
    for number in range(book.nsheets):
        sheet = book.sheet_by_index(number)
        if sheet.visibility:
            findings.hidden.append(one_line(sheet.name))
        _note_hidden(sheet, findings)
        yield Sheet(one_line(sheet.name), _rows(book, sheet))
        book.unload_sheet(number)


# What calamine gives for a cell.
CellValue = str | int | float | bool | datetime.date | datetime.time | datetime.timedelta


def _note_hidden(sheet: XlsSheet, findings: Findings) -> None:
    name = one_line(sheet.name)
    columns = [at for at, about in sheet.colinfo_map.items() if about.hidden and at < sheet.ncols]
    rows = [at for at, about in sheet.rowinfo_map.items() if about.hidden and at < sheet.nrows]
    findings.hidden_parts += [f"{name} column {column_name(at)}" for at in sorted(columns)]
    findings.hidden_parts += [f"{name} row {at + 1}" for at in sorted(rows)]


class _Silence:
    def write(self, text: str) -> int:
        return len(text)


def _rows(book: Book, sheet: XlsSheet) -> Iterator[list[str | Cell]]:
    areas = [(top, left, bottom - 1, right - 1) for top, bottom, left, right in sheet.merged_cells]
    merged = Merged(areas)
    comments = {place: one_line(note.text) for place, note in sheet.cell_note_map.items()}
    styles = [_Style(*_look(book, style)) for style in book.xf_list]
    epoch_1904 = bool(book.datemode)
    for number in range(sheet.nrows):
        row: list[str | Cell] = []
        for at, cell in enumerate(sheet.row(number)):
            style = styles[cell.xf_index] if cell.xf_index is not None else _PLAIN
            text = _text(cell, style, epoch_1904)
            bold = style.bold and bool(text)
            comment = comments.get((number, at), "") if comments else ""
            row.append(Cell(text, heading=bold, comment=comment) if bold or comment else text)
        yield merged.row(number, row)


@dataclass(frozen=True)
class _Style:
    code: str = "General"
    bold: bool = False


_PLAIN = _Style()


def _look(book: Book, style: XF) -> tuple[str, bool]:
    """(number format, whether bold); the day as the country has it is written as elsewhere."""
    key = style.format_key
    code = {14: "yyyy-mm-dd", 22: "yyyy-mm-dd h:mm"}.get(key)
    if code is None:
        code = book.format_map[key].format_str if key in book.format_map else "General"
    return code, book.font_list[style.font_index].weight >= 600


def _text(cell: XlsCell, style: _Style, epoch_1904: bool) -> str:
    kind = cell.ctype
    if kind == 1:
        return str(cell.value)
    if kind in (2, 3):  # a number, a day
        return shown(cell.value, style.code, epoch_1904=epoch_1904)
    if kind == 4:
        return "yes" if cell.value else "no"
    return _ERRORS.get(cell.value, "") if kind == 5 else ""


# What a cell shows in place of a value that cannot be had, by its code in the file.
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}


def open_binary_sheets(path: Path, name: str, findings: Findings) -> Iterator[Sheet]:
    """The sheets of an xlsb."""
    from python_calamine import CalamineWorkbook, PasswordError, SheetVisibleEnum

    try:
        book = CalamineWorkbook.from_path(str(path))
    except PasswordError as error:
        raise UserError(
            f"{name} is protected with a password; save it without one to have it read."
        ) from error
    findings.other.append(
        "percent and currency formats of an xlsb are not read: its numbers are shown as stored"
    )
    for about in book.sheets_metadata:
        if about.visible != SheetVisibleEnum.Visible:
            findings.hidden.append(about.name)
        sheet = book.get_sheet_by_name(about.name)
        merged = Merged(
            (top, left, bottom, right) for (top, left), (bottom, right) in sheet.merged_cell_ranges or ()
        )
        rows = enumerate(sheet.to_python(skip_empty_area=False))
        yield Sheet(about.name, (merged.row(at, [*map(_value, row)]) for at, row in rows))


def _value(value: CellValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return plain(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "minutes").removesuffix(" 00:00")
    if isinstance(value, datetime.timedelta):
        return shown(value.total_seconds() / 86400, "[h]:mm:ss")
    return str(value)
