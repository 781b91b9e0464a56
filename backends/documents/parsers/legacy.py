"""Word and PowerPoint of before 2007.

Enters: doc, ppt, both OLE containers. Leaves: paragraphs and table rows of a doc, the slides of a ppt as
pages. Only the text is looked for, by the published layouts ([MS-DOC] and [MS-PPT]); macros and objects are
not touched.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backends.datatypes import ParsedFile, UserError
from backends.documents.parsers import rtf, web, word_xml
from backends.documents.parsers.common import PageText, assemble, clean, iso_date, one_line, stem, table_lines

if TYPE_CHECKING:
    from olefile import OleFileIO


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    import olefile

    if (other := _other_kind(path)) and kind == "doc":
        return other(path, kind, name)
    if not olefile.isOleFile(str(path)):
        raise UserError(f"{name} is broken or not a real {kind} file.")
    with olefile.OleFileIO(str(path)) as container:
        about = container.get_metadata()
        title, date = one_line(decoded(about.title)), iso_date(about.last_saved_time or about.create_time)
        if kind == "doc":
            text = _word(container, name)
            first = text.split("\n", 1)[0]
            named = title or (first if 3 <= len(first) <= 90 else "") or stem(name)
            return ParsedFile(text, named, kind, date=date)
        pages = [PageText(number, text) for number, text in enumerate(_slides(container, name), start=1)]
    headed = next((line[2:] for page in pages for line in page.text.split("\n") if line.startswith("# ")), "")
    useful = title if title.lower() not in ("powerpoint presentation", "presentation", "slide 1") else ""
    parsed = assemble(pages, title=useful or headed or stem(name), kind=kind)
    return ParsedFile(parsed.text, parsed.title, kind, parsed.pages, date=date)


def _other_kind(path: Path) -> Callable[[Path, str, str], ParsedFile] | None:
    """The reader of what a file named doc often is."""
    with path.open("rb") as file:
        head = file.read(1000).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"{\\rtf"):
        return rtf.parse
    if head.startswith(b"PK"):
        return word_xml.parse
    return web.parse if re.match(rb"<(?:!doctype html|html)\b", head, re.I) else None


def decoded(value: bytes | str | int | None) -> str:
    """A property of an old file as text."""
    return value.decode("cp1252", errors="replace") if isinstance(value, bytes) else str(value or "")


def _stream(container: OleFileIO, label: str, name: str) -> bytes:
    if not container.exists(label):
        raise UserError(f"{name} holds no document ({label} is missing).")
    return bytes(container.openstream(label).read())


# --- doc -------------------------------------------------------------------------------------------

_FIELD = re.compile("\x13[^\x13\x14\x15]*(?:\x14([^\x13\x14\x15]*))?\x15")  # instruction, result
_SAME = {
    "\x0b": "\n",
    "\x0c": "\n\n",
    "\x0d": "\n\n",
    "\x1e": "-",
    "\x1f": "",
    "\x05": "",
    "\x01": "",
    "\x08": "",
}


def _word(container: OleFileIO, name: str) -> str:
    main = _stream(container, "WordDocument", name)
    magic, flags = struct.unpack_from("<H8xH", main)
    if magic != 0xA5EC:
        raise UserError(f"{name} was written by a Word too old to be read; save it as docx.")
    if flags & 0x0100:
        raise UserError(f"{name} is protected with a password; save it without one to have it read.")
    table = _stream(container, "1Table" if flags & 0x0200 else "0Table", name)
    # Lengths of the main text, footnotes, page headers, macros, comments and endnotes, in this order.
    body, notes, heads, macros, comments, endnotes = struct.unpack_from("<6i", main, 0x4C)
    text = "".join(_pieces(main, table))
    last = body + notes + heads + macros + comments
    parts = [text[:body], text[body : body + notes], text[last : last + endnotes]]
    return clean("\n\n".join(_word_lines(part) for part in parts))


def _pieces(main: bytes, table: bytes) -> Iterator[str]:
    """The text of the piece table: each piece lies in the main stream, in one byte a letter or in two."""
    start, length = struct.unpack_from("<ii", main, 0x01A2)
    pieces = table[start : start + length]
    while pieces[:1] == b"\x01":  # formatting that comes before the table
        pieces = pieces[3 + struct.unpack_from("<H", pieces, 1)[0] :]
    (size,) = struct.unpack_from("<i", pieces, 1)
    count = (size - 4) // 12
    ends = struct.unpack_from(f"<{count + 1}i", pieces, 5)
    for at in range(count):
        (place,) = struct.unpack_from("<I", pieces, 5 + 4 * (count + 1) + 8 * at + 2)
        letters = ends[at + 1] - ends[at]
        if place & 0x40000000:
            first = (place & 0x3FFFFFFF) // 2
            yield main[first : first + letters].decode("cp1252", errors="replace")
        else:
            yield main[place : place + 2 * letters].decode("utf-16-le", errors="replace")


def _word_lines(text: str) -> str:
    while _FIELD.search(text):  # fields may hold fields: from the inside out
        text = _FIELD.sub(lambda field: field.group(1) or "", text)
    # A cell ends with a bell, and so does a row: two bells end the row's last cell and the row.
    rows: list[list[str]] = []
    blocks: list[str] = []
    for paragraph in re.split("(?<=\x07\x07)|\r", text):
        if "\x07" in paragraph:
            rows.append(paragraph.removesuffix("\x07\x07").split("\x07"))
            continue
        if rows:
            blocks.append("\n".join(table_lines(rows)))
            rows = []
        blocks.append(paragraph)
    blocks += ["\n".join(table_lines(rows))] if rows else []
    return re.sub(
        "[\x01-\x08\x0b-\x0d\x1e\x1f]", lambda mark: _SAME.get(mark.group(), ""), "\n\n".join(blocks)
    )


# --- ppt -------------------------------------------------------------------------------------------

_SLIDE, _NOTES, _LIST, _SLIDE_START, _TEXT_KIND = 0x03EE, 0x03F0, 0x0FF0, 0x03F3, 0x0F9F
_WIDE, _NARROW, _USER_EDIT, _DIRECTORY, _CRYPT = 0x0FA0, 0x0FA8, 0x0FF5, 0x1772, 0x2F14
_TITLES = {0, 6}  # kinds of text: title, centred title


@dataclass(frozen=True)
class _Record:
    kind: int
    instance: int
    container: bool
    start: int  # of its contents
    end: int


def _records(data: bytes, start: int, end: int) -> Iterator[_Record]:
    while start + 8 <= end:
        head, kind, length = struct.unpack_from("<HHI", data, start)
        stop = min(start + 8 + length, end)
        yield _Record(kind, head >> 4, head & 0xF == 0xF, start + 8, stop)
        start = stop


def _within(data: bytes, record: _Record) -> Iterator[_Record]:
    """Every record inside one, containers opened in their place."""
    for inner in _records(data, record.start, record.end):
        yield inner
        if inner.container:
            yield from _within(data, inner)


def _slides(container: OleFileIO, name: str) -> list[str]:
    """The text of each slide: its outline (title, bullets), then its boxes; speaker notes last."""
    data = _stream(container, "PowerPoint Document", name)
    top = list(_records(data, 0, len(data)))
    if any(record.kind == _CRYPT for record in top):
        raise UserError(f"{name} is protected with a password; save it without one to have it read.")
    places = _places(data, top)
    by_start = {record.start - 8: record for record in top}
    lists = {
        record.instance: record for outer in top for record in _within(data, outer) if record.kind == _LIST
    }
    slides: list[list[str]] = []
    if 0 in lists:
        for place, lines in _outline(data, lists[0]):
            slide = by_start.get(places.get(place, -1))
            boxes = _texts(data, slide) if slide is not None else []
            slides.append([*lines, *(box for box in boxes if box not in lines)])
    else:
        slides = [_texts(data, record) for record in top if record.kind == _SLIDE]
    notes = [_texts(data, record) for record in top if record.kind == _NOTES]
    texts = ["\n".join(lines) for lines in slides]
    if len(notes) == len(texts):
        texts = [
            f"{text}\n\nNotes: {one_line(' '.join(note))}" if note else text
            for text, note in zip(texts, notes, strict=True)
        ]
    return texts


def _places(data: bytes, top: list[_Record]) -> dict[int, int]:
    """Where each numbered object begins; later saves add directories that replace earlier places."""
    places: dict[int, int] = {}
    for record in top:
        if record.kind == _DIRECTORY:
            at = record.start
            while at + 4 <= record.end:
                (packed,) = struct.unpack_from("<I", data, at)
                first, count = packed & 0xFFFFF, packed >> 20
                for number in range(min(count, (record.end - at - 4) // 4)):
                    (places[first + number],) = struct.unpack_from("<I", data, at + 4 + 4 * number)
                at += 4 + 4 * count
    return places


def _outline(data: bytes, record: _Record) -> Iterator[tuple[int, list[str]]]:
    """(number of the slide's object, its lines) in the order of the show."""
    place, lines, kind = -1, list[str](), -1
    for inner in _records(data, record.start, record.end):
        if inner.kind == _SLIDE_START:
            if place >= 0:
                yield place, lines
            (place,) = struct.unpack_from("<I", data, inner.start)
            lines = []
        elif inner.kind == _TEXT_KIND:
            (kind,) = struct.unpack_from("<I", data, inner.start)
        elif inner.kind in (_WIDE, _NARROW):
            lines += _lines(data, inner, kind)
    if place >= 0:
        yield place, lines


def _texts(data: bytes, record: _Record) -> list[str]:
    kind, lines = -1, []
    for inner in _within(data, record):
        if inner.kind == _TEXT_KIND:
            (kind,) = struct.unpack_from("<I", data, inner.start)
        elif inner.kind in (_WIDE, _NARROW):
            lines += _lines(data, inner, kind)
    return lines


def _lines(data: bytes, record: _Record, kind: int) -> list[str]:
    encoding = "utf-16-le" if record.kind == _WIDE else "latin-1"
    text = data[record.start : record.end].decode(encoding, errors="replace")
    if kind in _TITLES:
        return [f"# {one_line(text)}\n"] if one_line(text) else []
    lines = [one_line(line.replace("\x0b", " ")) for line in text.split("\r")]
    lines = [line for line in lines if line and line != "*"]  # "*" stands for a slide's number or date
    return [f"- {line}" for line in lines] if len(lines) > 1 else lines
