"""Excel workbooks of before 2007, and binary ones of later.

Enters: xls and xlsb. Leaves: sheets with their rows, numbers by the format of their cells. An xlsb gives no
formats: its numbers are shown whole, and a note says so.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backends.datatypes import UserError
from backends.documents.parsers.common import Cell, one_line
from backends.documents.parsers.number_formats import plain, shown
from backends.documents.parsers.sheets import Findings, Merged, Sheet


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
        yield Sheet(one_line(sheet.name), _rows(book, sheet))
        book.unload_sheet(number)


class _Silence:
    def write(self, text: str) -> int:
        return len(text)


def _rows(book: Any, sheet: Any) -> Iterator[list[str | Cell]]:
    areas = [(top, left, bottom - 1, right - 1) for top, bottom, left, right in sheet.merged_cells]
    merged = Merged(areas)
    comments = {place: one_line(note.text) for place, note in sheet.cell_note_map.items()}
    for number in range(sheet.nrows):
        row: list[str | Cell] = []
        for at, cell in enumerate(sheet.row(number)):
            text = _text(book, cell)
            bold = bool(text) and _is_bold(book, cell)
            comment = comments.get((number, at), "")
            row.append(Cell(text, heading=bold, comment=comment) if bold or comment else text)
        yield merged.row(number, row)


def _is_bold(book: Any, cell: Any) -> bool:
    style = book.xf_list[cell.xf_index] if cell.xf_index is not None else None
    return style is not None and book.font_list[style.font_index].weight >= 600


def _text(book: Any, cell: Any) -> str:
    import xlrd

    if cell.ctype in (xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE):
        style = book.xf_list[cell.xf_index]
        code = book.format_map[style.format_key].format_str if style.format_key in book.format_map else ""
        if style.format_key in (14, 22):  # the day as the country has it
            code = "yyyy-mm-dd" if style.format_key == 14 else "yyyy-mm-dd h:mm"
        return shown(cell.value, code, epoch_1904=bool(book.datemode))
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "yes" if cell.value else "no"
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, ""))
    return str(cell.value)


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


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return plain(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "minutes").removesuffix(" 00:00")
    if isinstance(value, datetime.timedelta):
        return shown(value.total_seconds() / 86400, "[h]:mm:ss")
    return str(value)
