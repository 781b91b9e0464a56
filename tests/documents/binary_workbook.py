"""Writes Excel's binary workbooks (xlsb) for the tests.

Enters: the records of a sheet and the styles of its cells. Leaves: a file of [MS-XLSB] records in a zip.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from backends.documents.parsers.excel_records import (
    COLUMN,
    COMMENT,
    COMMENT_TEXT,
    FONT,
    FORMAT,
    MERGED,
    PROPERTIES,
    ROW,
    SHEET,
    STRING,
    STYLE,
    STYLES_BEGIN,
    STYLES_END,
)

_KIND = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def record(kind: int, data: bytes = b"") -> bytes:
    """Type and length in bytes of seven bits, then the contents."""
    return _varying(kind) + _varying(len(data)) + data


def _varying(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varying(rest) if rest else bytes([low])


def wide(text: str) -> bytes:
    """A text with its length before it."""
    data = text.encode("utf-16-le")
    return struct.pack("<I", len(data) // 2) + data


def rich(text: str, *runs: tuple[int, int]) -> bytes:
    """A text in runs of (first letter, font)."""
    listed = b"".join(struct.pack("<HH", *run) for run in runs)
    return bytes([bool(runs)]) + wide(text) + (struct.pack("<I", len(runs)) + listed if runs else b"")


def row_of(number: int, *cells: tuple[int, int, bytes], hidden: bool = False) -> bytes:
    """A row of (record type, style, contents) cells."""
    head = struct.pack("<IIHBB", number, 0, 300, 0, 0x10 if hidden else 0)
    made = (
        record(kind, struct.pack("<II", at, style) + data) for at, (kind, style, data) in enumerate(cells)
    )
    return record(ROW, head) + b"".join(made)


def merged(top: int, bottom: int, left: int, right: int) -> bytes:
    """An area of merged cells."""
    return record(MERGED, struct.pack("<4I", top, bottom, left, right))


def hidden_column(at: int) -> bytes:
    """A column that is not displayed."""
    return record(COLUMN, struct.pack("<4IH", at, at, 2000, 0, 1))


def workbook(
    path: Path,
    sheet: bytes,
    *,
    formats: Sequence[str] = (),
    styles: Sequence[tuple[int, int]] = ((0, 0),),
    texts: Iterable[bytes] = (),
    comments: Iterable[tuple[int, int, str]] = (),
    hidden: bool = False,
    epoch_1904: bool = False,
) -> Path:
    """One sheet; formats are numbered from 164, styles are (format, font), fonts are plain, bold, raised."""
    fonts = [
        struct.pack("<HHHH", 220, 0, weight, script) for weight, script in ((400, 0), (700, 0), (400, 1))
    ]
    looks = [record(FORMAT, struct.pack("<H", 164 + at) + wide(code)) for at, code in enumerate(formats)]
    looks += [record(FONT, font) for font in fonts]
    looks += [record(STYLE, struct.pack("<HHH", 0xFFFF, 9, 1))]  # one that others are made from
    cells = [record(STYLE, struct.pack("<HHH", 0, code, font)) for code, font in styles]
    noted = [
        record(COMMENT, struct.pack("<5I", 0, at, at, column, column)) + record(COMMENT_TEXT, rich(text))
        for at, column, text in comments
    ]
    about = struct.pack("<II", int(hidden), 1) + wide("r1") + wide("Plan")
    parts = {
        "xl/workbook.bin": record(PROPERTIES, bytes([epoch_1904, 0, 0, 0])) + record(SHEET, about),
        "xl/_rels/workbook.bin.rels": _relations(
            r1=("worksheet", "s.bin"), r2=("styles", "styles.bin"), r3=("sharedStrings", "texts.bin")
        ),
        "xl/styles.bin": b"".join([*looks, record(STYLES_BEGIN), *cells, record(STYLES_END)]),
        "xl/texts.bin": b"".join(record(STRING, text) for text in texts),
        "xl/s.bin": sheet,
        "xl/_rels/s.bin.rels": _relations(r1=("comments", "notes.bin")),
        "xl/notes.bin": b"".join(noted),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def _relations(**targets: tuple[str, str]) -> str:
    listed = "".join(
        f'<Relationship Id="{name}" Type="{_KIND}/{kind}" Target="{target}"/>'
        for name, (kind, target) in targets.items()
    )
    spaces = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'<Relationships xmlns="{spaces}">{listed}</Relationships>'
