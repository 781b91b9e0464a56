"""Excel workbooks of binary records in a zip archive.

Enters: xlsb. Leaves: sheets with their rows, numbers by the format of their cells, merged areas and comments
in their places, bold rows as headers. Records are those of [MS-XLSB]: a type, a length, then bytes.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from pathlib import Path

from backends.documents.parsers.common import Cell, one_line, raised
from backends.documents.parsers.number_formats import BUILT_IN, shown
from backends.documents.parsers.office import related
from backends.documents.parsers.sheets import MOST_AREAS, Area, Findings, Merged, Sheet, column_name

_BOOK = "xl/workbook.bin"
ROW, NUMBER, ERROR, FLAG, REAL, TEXT, SHARED = 0, 2, 3, 4, 5, 6, 7
FORMULA_TEXT, FORMULA_REAL, FORMULA_FLAG, FORMULA_ERROR, RICH_TEXT = 8, 9, 10, 11, 62
STRING, FONT, FORMAT, STYLE, COLUMN, PROPERTIES, SHEET, MERGED = 19, 43, 44, 47, 60, 153, 156, 176
STYLES_BEGIN, STYLES_END, COMMENT, COMMENT_TEXT = 617, 618, 635, 637
_HIDDEN_ROW, _HIDDEN_COLUMN, _BOLD = 0x10, 0x01, 600
_SCRIPTS = {1: "superscript", 2: "subscript"}
# What a cell shows in place of a value that cannot be had, by its code in the file.
ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}


@dataclass
class _Looks:
    """Number formats, fonts and the styles that name them by number."""

    codes: dict[int, str] = field(default_factory=lambda: dict(BUILT_IN))
    bold: list[bool] = field(default_factory=list)  # by font
    scripts: list[str | None] = field(default_factory=list)
    styles: list[tuple[str, bool]] = field(default_factory=list)  # (format code, whether bold)


def records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, contents) of each; a record that is cut off ends them."""
    at = 0
    while at < len(data):
        kind, at = _varying(data, at, 2)
        size, at = _varying(data, at, 4)
        if at + size > len(data):
            return
        yield kind, data[at : at + size]
        at += size


def _varying(data: bytes, at: int, most: int) -> tuple[int, int]:
    """(a number in bytes of seven bits, the place behind it)."""
    number = 0
    for step in range(most):
        byte = data[at + step] if at + step < len(data) else 0
        number |= (byte & 0x7F) << (7 * step)
        if byte < 0x80:
            return number, at + step + 1
    return number, at + most


def open_sheets(path: Path, findings: Findings) -> Iterator[Sheet]:
    """The sheets of a workbook in their order, hidden ones too; `findings` fills as their rows are taken."""
    with zipfile.ZipFile(path) as archive:
        yield from _Book(archive, findings).sheets()


class _Book:
    def __init__(self, archive: zipfile.ZipFile, findings: Findings) -> None:
        self._archive, self._findings = archive, findings
        self._related = related(archive, _BOOK)
        self._looks = self._read_looks()
        self._texts = [
            self._rich(item) for kind, item in self._records(self._part("sharedStrings")) if kind == STRING
        ]
        about = (item for kind, item in self._records(_BOOK) if kind == PROPERTIES)
        self._epoch_1904 = bool(next(about, b"\0")[0] & 1)

    def _part(self, kind: str) -> str:
        return next((part for known, part in self._related.values() if known == kind), "")

    def _records(self, part: str) -> Iterator[tuple[int, bytes]]:
        return records(self._archive.read(part)) if part in self._archive.namelist() else iter(())

    def sheets(self) -> Iterator[Sheet]:
        for kind, item in self._records(_BOOK):
            if kind != SHEET:
                continue
            identifier, end = _wide(item, 8)
            name = one_line(_wide(item, end)[0])
            role, part = self._related.get(identifier, ("", ""))
            if role == "worksheet":
                if item[0] & 3:
                    self._findings.hidden.append(name)
                yield Sheet(name, self._rows(part, name))

    def _read_looks(self) -> _Looks:
        looks = _Looks()
        inside = False  # styles of cells, not those that these are made from
        for kind, item in self._records(self._part("styles")):
            if kind == FORMAT:
                looks.codes[_short(item, 0)] = _wide(item, 2)[0]
            elif kind == FONT:
                looks.bold.append(_short(item, 4) >= _BOLD)
                looks.scripts.append(_SCRIPTS.get(_short(item, 6)))
            elif kind in (STYLES_BEGIN, STYLES_END):
                inside = kind == STYLES_BEGIN
            elif kind == STYLE and inside:
                font = _short(item, 4)
                bold = font < len(looks.bold) and looks.bold[font]
                looks.styles.append((looks.codes.get(_short(item, 2), "General"), bold))
        return looks

    def _rich(self, item: bytes) -> str:
        """A text in runs; raised and lowered ones are told apart."""
        whole, end = _wide(item, 1)
        if not item[0] & 1 or len(item) < end + 4:
            return whole
        count = min(_long(item, end), (len(item) - end - 4) // 4)
        runs = [struct.unpack_from("<HH", item, end + 4 + 4 * at) for at in range(count)]
        cuts = [(0, -1), *runs, (len(whole), -1)]
        text = ""
        for (begin, font), (stop, _) in pairwise(cuts):
            place = self._looks.scripts[font] if 0 <= font < len(self._looks.scripts) else None
            text += raised(text, whole[begin:stop], place)
        return text

    def _comments(self, part: str) -> dict[tuple[int, int], str]:
        found: dict[tuple[int, int], str] = {}
        place = (0, 0)
        listing = next(
            (target for kind, target in related(self._archive, part).values() if kind == "comments"), ""
        )
        for kind, item in self._records(listing):
            if kind == COMMENT:
                place = (_long(item, 4), _long(item, 12))
            elif kind == COMMENT_TEXT:
                found[place] = one_line(self._rich(item))
        return found

    def _rows(self, part: str, sheet: str) -> Iterator[list[str | Cell]]:
        comments = self._comments(part)
        merged = Merged(islice(_areas(self._records(part)), MOST_AREAS))
        row: list[str | Cell] | None = None
        number, width = -1, 0
        hidden: list[tuple[int, int]] = []
        for kind, item in self._records(part):
            if kind == COLUMN and item[16] & _HIDDEN_COLUMN:
                hidden.append((_long(item, 0), _long(item, 4)))
            elif kind == ROW:
                if row is not None:
                    yield merged.row(number, row)
                if _long(item, 0) > number + 1:
                    yield []
                number, row = _long(item, 0), []
                if item[11] & _HIDDEN_ROW:
                    self._findings.hidden_parts.append(f"{sheet} row {number + 1}")
            elif row is not None and (kind == RICH_TEXT or 0 < kind <= FORMULA_ERROR):
                at = min(_long(item, 0), 16_384)
                row.extend([""] * (at - len(row)))
                row.append(self._cell(kind, item, comments.get((number, at), "")))
                width = max(width, len(row))
        if row is not None:
            yield merged.row(number, row)
        for first, last in hidden:
            columns = range(first, min(last + 1, width))
            self._findings.hidden_parts += [f"{sheet} column {column_name(column)}" for column in columns]

    def _cell(self, kind: int, item: bytes, comment: str) -> str | Cell:
        look = int.from_bytes(item[4:7], "little")
        code, bold = self._looks.styles[look] if look < len(self._looks.styles) else ("General", False)
        text = self._text(kind, item, code)
        return Cell(text, heading=bold and bool(text), comment=comment) if comment or bold else text

    def _text(self, kind: int, item: bytes, code: str) -> str:
        if kind == SHARED:
            at = _long(item, 8)
            return self._texts[at] if at < len(self._texts) else ""
        if kind in (TEXT, FORMULA_TEXT):
            return _wide(item, 8)[0]
        if kind == RICH_TEXT:
            return self._rich(item[8:])
        if kind in (FLAG, FORMULA_FLAG):
            return "yes" if item[8] else "no"
        if kind in (ERROR, FORMULA_ERROR):
            return ERRORS.get(item[8], "")
        if kind == NUMBER:
            return shown(_packed(_long(item, 8)), code, self._epoch_1904)
        if kind in (REAL, FORMULA_REAL):
            return shown(struct.unpack_from("<d", item, 8)[0], code, self._epoch_1904)
        return ""


def _areas(found: Iterator[tuple[int, bytes]]) -> Iterator[Area]:
    for kind, item in found:
        if kind == MERGED:
            top, bottom, left, right = struct.unpack_from("<4I", item)
            yield top, left, bottom, right


def _packed(number: int) -> float:
    """A number in four bytes: a whole one or the upper half of a real one, perhaps of a hundredth."""
    if number & 2:
        value = float((number - (1 << 32) if number >> 31 else number) >> 2)
    else:
        value = struct.unpack("<d", struct.pack("<Q", (number & ~3) << 32))[0]
    return value / 100 if number & 1 else value


def _short(item: bytes, at: int) -> int:
    return int.from_bytes(item[at : at + 2], "little")


def _long(item: bytes, at: int) -> int:
    return int.from_bytes(item[at : at + 4], "little")


def _wide(item: bytes, at: int) -> tuple[str, int]:
    """(a text with its length before it, the place behind it); a length of all ones is no text."""
    length = _long(item, at)
    if length == 0xFFFFFFFF:
        return "", at + 4
    end = at + 4 + 2 * length
    return item[at + 4 : end].decode("utf-16-le", errors="replace"), end
