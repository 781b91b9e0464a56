"""Excel workbooks in Open XML, as a person sees their sheets.

Enters: xlsx and xlsm, of the transitional and the strict kind. Leaves: sheets with their rows, numbers by the
format of their cells (`number_formats`), merged areas and comments in their places, and what the file marks
as a header: bold rows, tables, filters, frozen rows. The sheet's XML is read row by row; no formula is
calculated.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO

from lxml.etree import _Element as Element

from backends.documents.parsers.common import Cell, one_line, raised
from backends.documents.parsers.number_formats import BUILT_IN, shown
from backends.documents.parsers.sheets import MOST_AREAS, Area, Findings, Merged, Sheet, column_name

_AREAS = re.compile(rb"<(?:\w+:)?(mergeCell|autoFilter|dimension|pane|col)\b[^>]*>")
_AREA = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})(?::\$?([A-Z]{1,3})\$?(\d{1,7}))?$")
_STEP = 1 << 20  # bytes of a sheet that are looked through at once
_LONGEST_TAG = 1 << 10
MOST_COLUMNS = 16_384


@dataclass(frozen=True)
class _Style:
    code: str = "General"
    bold: bool = False


@dataclass
class _Extras:
    """What belongs to a sheet beside its cells."""

    merged: list[Area] = field(default_factory=list)
    headers: set[int] = field(default_factory=set)  # rows that the file marks as a header
    comments: dict[tuple[int, int], str] = field(default_factory=dict)
    hidden: list[tuple[int, int]] = field(default_factory=list)  # first and last of hidden columns


def open_sheets(path: Path, findings: Findings) -> Iterator[Sheet]:
    """The sheets of a workbook in their order, hidden ones too; `findings` fills as their rows are taken."""
    with zipfile.ZipFile(path) as archive:
        book = _Book(archive, findings)
        yield from book.sheets()


class _Book:
    def __init__(self, archive: zipfile.ZipFile, findings: Findings) -> None:
        self._archive, self._findings = archive, findings
        self._members = {name.lower(): name for name in archive.namelist()}
        main = next(target for kind, target in self._related("").values() if kind == "officeDocument")
        self._related_to_book = self._related(main)
        self._tree = self._parse(main)
        self._epoch_1904 = any(e.get("date1904") in ("1", "true") for e in self._tree.iter("{*}workbookPr"))
        self._recalculate = any(
            e.get("fullCalcOnLoad") in ("1", "true") for e in self._tree.iter("{*}calcPr")
        )
        self._styles = self._read_styles()
        self._texts = self._read_texts()

    def sheets(self) -> Iterator[Sheet]:
        for element in self._tree.iter("{*}sheet"):
            identifier = next((value for key, value in element.items() if key.endswith("}id")), "")
            kind, part = self._related_to_book.get(identifier, ("", ""))
            if kind == "worksheet" and self._has(part):
                name = one_line(element.get("name", ""))
                if element.get("state", "visible") != "visible":
                    self._findings.hidden.append(name)
                yield Sheet(name, self._rows(part, name))

    # --- parts ----------------------------------------------------------------------------------

    def _has(self, part: str) -> bool:
        return part.lower() in self._members

    def _open(self, part: str) -> IO[bytes]:
        return self._archive.open(self._members[part.lower()])

    def _parse(self, part: str) -> Element:
        from lxml import etree

        with self._open(part) as stream:
            return etree.parse(stream, etree.XMLParser(resolve_entities=False, huge_tree=True)).getroot()

    def _related(self, part: str) -> dict[str, tuple[str, str]]:
        """{id: (kind, part)} of what a part refers to."""
        folder, name = posixpath.split(part)
        listing = posixpath.join(folder, "_rels", f"{name}.rels")
        if not self._has(listing):
            return {}
        return {
            element.get("Id", ""): (
                element.get("Type", "").rsplit("/", 1)[-1],
                posixpath.normpath(posixpath.join("/", folder, element.get("Target", ""))).lstrip("/"),
            )
            for element in self._parse(listing)
            if element.get("TargetMode") != "External"
        }

    def _read_texts(self) -> list[str]:
        from lxml import etree

        part = next((part for kind, part in self._related_to_book.values() if kind == "sharedStrings"), "")
        if not self._has(part):
            return []
        texts = []
        with self._open(part) as stream:
            for _, item in etree.iterparse(stream, tag="{*}si", resolve_entities=False, huge_tree=True):
                texts.append(rich_text(item))
                item.clear()
        return texts

    def _read_styles(self) -> list[_Style]:
        part = next((part for kind, part in self._related_to_book.values() if kind == "styles"), "")
        if not self._has(part):
            return []
        tree = self._parse(part)
        codes = BUILT_IN | {
            int(e.get("numFmtId", 0)): e.get("formatCode", "") for e in tree.iter("{*}numFmt")
        }
        bold = [
            any(mark.get("val", "1") not in ("0", "false") for mark in font.iterfind("{*}b"))
            for font in tree.iterfind("{*}fonts/{*}font")
        ]
        styles = []
        for cell in tree.iterfind("{*}cellXfs/{*}xf"):
            font = int(cell.get("fontId", 0))
            code = codes.get(int(cell.get("numFmtId", 0)), "General")
            styles.append(_Style(code, font < len(bold) and bold[font]))
        return styles

    def _extras(self, part: str) -> _Extras:
        with self._open(part) as stream:
            extras = _scanned(stream)
        for kind, target in self._related(part).values():
            if kind == "table" and self._has(target):
                table = self._parse(target)
                area = area_of(table.get("ref", ""))
                if area is not None and table.get("headerRowCount", "1") != "0":
                    extras.headers.add(area[0])
            elif kind in ("comments", "threadedComment") and self._has(target):
                _add_comments(extras.comments, self._parse(target))
        return extras

    # --- cells ----------------------------------------------------------------------------------

    def _rows(self, part: str, name: str) -> Iterator[list[str | Cell]]:
        from lxml import etree

        extras = self._extras(part)
        merged = Merged(extras.merged)
        at, width = -1, 0
        with self._open(part) as stream:
            for _, row in etree.iterparse(stream, tag="{*}row", resolve_entities=False, huge_tree=True):
                before, at = at, int(row.get("r") or at + 2) - 1
                if at > before + 1:
                    yield []
                cells = self._cells(row, at, name, extras)
                if row.get("hidden") in ("1", "true") and any(cells):
                    self._findings.hidden_parts.append(f"{name} row {at + 1}")
                width = max(width, len(cells))
                yield merged.row(at, cells)
                row.clear()
                while row.getprevious() is not None:
                    del row.getparent()[0]
        for first, last in extras.hidden:
            columns = range(first, min(last + 1, width))
            self._findings.hidden_parts += [f"{name} column {column_name(column)}" for column in columns]

    def _cells(self, row: Element, number: int, sheet: str, extras: _Extras) -> list[str | Cell]:
        cells: list[str | Cell] = []
        heading = number in extras.headers
        for cell in row.iterchildren("{*}c"):
            at = _column(cell.get("r", "")) if cell.get("r") else len(cells)
            cells.extend([""] * (at - len(cells)))
            style = self._style(cell)
            text = self._text(cell, style, sheet)
            comment = extras.comments.get((number, at), "")
            if (text and (heading or style.bold)) or comment:
                cells.append(Cell(text, heading=heading or style.bold, comment=comment))
            else:
                cells.append(text)
        return cells

    def _style(self, cell: Element) -> _Style:
        at = int(cell.get("s", 0))
        return self._styles[at] if at < len(self._styles) else _PLAIN

    def _text(self, cell: Element, style: _Style, sheet: str) -> str:
        kind = cell.get("t", "n")
        value, calculated = None, False
        for child in cell:
            tag = child.tag.rpartition("}")[2]
            if tag == "v":
                value = child.text
            elif tag == "is":
                return rich_text(child)
            elif tag == "f":
                calculated = True
        if calculated and (value is None or (value == "0" and self._recalculate)):
            self._findings.uncalculated.append(f"{sheet}!{cell.get('r', '')}")
            return ""
        return self._shown(value, kind, style) if value else ""

    def _shown(self, value: str, kind: str, style: _Style) -> str:
        if kind == "s":
            at = int(value)
            return self._texts[at] if at < len(self._texts) else ""
        if kind == "b":
            return "yes" if value == "1" else "no"
        if kind == "d":
            return re.sub(r"[T ]00:00(:00)?(\.0+)?$", "", value).replace("T", " ").removesuffix(":00")
        if kind != "n":
            return value
        try:
            return shown(value, style.code, self._epoch_1904)
        except ValueError:  # no number, whatever the file says
            return value


_PLAIN = _Style()


def rich_text(item: Element) -> str:
    """The text of a string in runs, without the reading aids of East Asian texts."""
    text = ""
    for child in item:
        tag = child.tag.rpartition("}")[2]
        if tag == "t":
            text += child.text or ""
        elif tag == "r":
            part = "".join(each.text or "" for each in child.iterchildren("{*}t"))
            place = child.find("{*}rPr/{*}vertAlign")
            text += raised(text, part, place.get("val") if place is not None else "")
    return text


def area_of(reference: str) -> Area | None:
    """(first row, first column, last row, last column) of "B2:C4", counted from 0."""
    found = _AREA.match(reference)
    if found is None:
        return None
    first, top, last, bottom = found.groups()
    return int(top) - 1, _column(first), int(bottom or top) - 1, _column(last or first)


def _column(reference: str) -> int:
    """Number of the column of "AB12" or "AB", from 0."""
    return _number_of(reference.rstrip("0123456789"))


@lru_cache(maxsize=1024)
def _number_of(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return min(max(number - 1, 0), MOST_COLUMNS)


def _scanned(stream: IO[bytes]) -> _Extras:
    """Merged areas, filters and frozen rows: they stand behind the cells, and are needed in front of them."""
    extras = _Extras()
    kept = b""
    while part := stream.read(_STEP):
        data = kept + part
        for match in _AREAS.finditer(data):
            if match.end() > len(kept):
                _take(extras, match[1], match[0].decode("utf-8", errors="replace"))
        kept = data[-_LONGEST_TAG:]
    return extras


def _take(extras: _Extras, kind: bytes, tag: str) -> None:
    area = area_of(_attribute(tag, "ref"))
    if kind == b"mergeCell" and area is not None and len(extras.merged) < MOST_AREAS:
        extras.merged.append(area)
    elif kind == b"col" and _attribute(tag, "hidden") in ("1", "true"):
        first, last = _attribute(tag, "min"), _attribute(tag, "max")
        if first.isdigit() and last.isdigit():
            extras.hidden.append((int(first) - 1, int(last) - 1))
    elif kind == b"autoFilter" and area is not None:
        extras.headers.add(area[0])
    elif kind == b"pane" and _attribute(tag, "state").startswith("frozen"):
        rows = _attribute(tag, "ySplit")
        if rows.isdigit() and 0 < int(rows) <= 10:
            extras.headers.add(int(rows) - 1)


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf"""\s{name}=["']([^"']*)""", tag)
    return found[1] if found else ""


def _add_comments(comments: dict[tuple[int, int], str], tree: Element) -> None:
    """Comments and the threads of newer files, which an old comment at the same place only announces."""
    for comment in tree:
        for element in [comment] if comment.get("ref") else comment.iterchildren("{*}comment"):
            area = area_of(element.get("ref", ""))
            texts = [rich_text(each) or each.text or "" for each in element.iterchildren("{*}text")]
            text = one_line(" ".join(texts))
            if area is None or not text:
                continue
            before = comments.get(area[:2], "")
            if text.startswith("[Threaded comment]"):
                comments.setdefault(area[:2], "")
            elif before and tree.tag.endswith("ThreadedComments"):
                comments[area[:2]] = f"{before} / {text}"
            else:
                comments[area[:2]] = text
