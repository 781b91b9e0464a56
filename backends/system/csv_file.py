"""Reads CSV files as spreadsheets write them, in Europe too, and keeps cells of ours from being formulas.

Enters: a path. Leaves: the column names and each row with the line it ends on, or a UserError that names the
line. Commas, semicolons and tabs are told apart by the head line. Encodings other than UTF-8 and UTF-16 with
a mark are guessed, as Excel saves CSV in the one of the country; a letter that cannot be read is refused. It
knows no columns.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from backends.datatypes import JsonValue, UserError
from backends.system.encodings import decoded

_FORMULA = tuple("=+-@|%＝＋－＠")  # what some spreadsheet takes for the beginning of one
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_csv(path: Path) -> tuple[list[str], Iterator[tuple[int, Mapping[str, str]]]]:
    """(column names in lower case, rows as (line, cells by column)); empty cells are left out of a row.

    Raises UserError when the file cannot be read, and while rows are read for a row that does not fit.
    """
    # A line is what csv takes for one: cells may hold line breaks, and JSON in a cell may hold U+2028.
    lines = _decoded(path).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    said = re.fullmatch(r"sep=(.)", lines[0].strip('" '))  # Excel's own first line
    mark = said[1] if said else max(",;\t", key=re.sub('"[^"]*"', "", lines[0]).count)
    skipped = 1 if said else 0
    reader = csv.reader((f"{line}\n" for line in lines[skipped:]), delimiter=mark, strict=True)
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
    except csv.Error as error:
        raise UserError(f"{path.name}, line 1: {error}.") from error
    return columns, _rows(path.name, reader, columns, skipped)


def without_formula(value: JsonValue) -> JsonValue:
    """A text that a spreadsheet might run as a formula gets a quote in front; whatever is no text stays.

    A carriage return becomes a line feed: Python's writer does not quote it, and it would begin a row.
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if value[:1] in ("\t", "\r") or text.lstrip().startswith(_FORMULA) else text


def _rows(
    name: str, reader: Iterator[list[str]], columns: list[str], skipped: int
) -> Iterator[tuple[int, Mapping[str, str]]]:
    while True:
        number = getattr(reader, "line_num", 0) + skipped + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise UserError(f"{name}, line {number}: {error}.") from error
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
            raise UserError(f"{name}, line {number}: the line has more cells than the head line.")
        row = {column: cell for column, cell in zip(columns, cells, strict=False) if cell.strip()}
        yield getattr(reader, "line_num", 0) + skipped, row


def _decoded(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if b"\0" in raw and not raw.startswith(_UTF16):
        raise UserError(f"{path.name} is no text (byte {raw.index(0)}).")
    text = decoded(raw).text.removeprefix("\ufeff")
    if "\ufffd" in text:
        line = text[: text.index("\ufffd")].count("\n") + 1
        raise UserError(f"{path.name}, line {line}: a letter cannot be read; save it as CSV UTF-8.")
    return text
