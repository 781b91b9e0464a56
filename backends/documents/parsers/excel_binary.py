"""Excel workbooks of before 2007.

Enters: xls. Leaves: sheets with their rows, numbers by the format of their cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backends.datatypes import UserError
from backends.documents.parsers.common import Cell, one_line
from backends.documents.parsers.excel_records import ERRORS
from backends.documents.parsers.number_formats import shown
from backends.documents.parsers.sheets import Findings, Merged, Sheet, column_name

if TYPE_CHECKING:
    from xlrd.book import Book
    from xlrd.formatting import XF
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
    noted = {row for row, _ in comments}
    bold = {at for at, style in enumerate(styles) if style.bold}
    codes = [style.code for style in styles]
    for number in range(sheet.nrows):
        looks = sheet._cell_xf_indexes[number]  # xlrd's own way asks for each cell in turn
        values = zip(sheet.row_types(number), sheet.row_values(number), looks, strict=True)
        texts: list[str] = [
            value if kind == 1 else _text(kind, value, codes[look], epoch_1904)
            for kind, value, look in values
        ]
        row: list[str | Cell] = [*texts]
        if number in noted or not bold.isdisjoint(looks):
            row = [
                Cell(text, heading=look in bold and bool(text), comment=comments.get((number, at), ""))
                for at, (text, look) in enumerate(zip(texts, looks, strict=True))
            ]
        yield merged.row(number, row)


@dataclass(frozen=True)
class _Style:
    code: str = "General"
    bold: bool = False


def _look(book: Book, style: XF) -> tuple[str, bool]:
    """(number format, whether bold); the day as the country has it is written as elsewhere."""
    key = style.format_key
    code = {14: "yyyy-mm-dd", 22: "yyyy-mm-dd h:mm"}.get(key)
    if code is None:
        code = book.format_map[key].format_str if key in book.format_map else "General"
    return code, book.font_list[style.font_index].weight >= 600


def _text(kind: int, value: str | float, code: str, epoch_1904: bool) -> str:
    if kind in (2, 3):  # a number, a day
        return shown(value, code, epoch_1904)
    if kind == 4:
        return "yes" if value else "no"
    return ERRORS.get(int(value), "") if kind == 5 else ""
