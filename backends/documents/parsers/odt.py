"""Texts of OpenDocument.

Enters: odt. Leaves: headings, paragraphs, lists and tables in reading order, notes and comments behind their
paragraph, page headers once. Hidden, struck-out and deleted text is left out, and said.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from lxml.etree import _Element as Element

from backends.datatypes import ParsedFile
from backends.documents.parsers.common import Cell, clean, on_one_line, one_line, prices, stem, table_lines
from backends.documents.parsers.office import LeftOut, check_archive, core_properties, parse_xml
from backends.documents.parsers.open_document import (
    OFFICE,
    STYLE,
    TABLE,
    TEXT,
    Styles,
    refuse_encrypted,
    text_of,
)

_ROWS = (f"{TABLE}table-rows", f"{TABLE}table-row-group")
_COVERED = f"{TABLE}covered-table-cell"
MOST_REPEATED = 200


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    check_archive(path, kind, name)
    with zipfile.ZipFile(path) as archive:
        refuse_encrypted(archive, name)
        body = parse_xml(archive.read("content.xml"))
        about = parse_xml(archive.read("styles.xml")) if "styles.xml" in archive.namelist() else None
        title, date = core_properties(archive, "meta.xml")
    reader = _Reader(body, about)
    text = clean("\n".join(reader.document()))
    heading = next((line.lstrip("# ") for line in text.split("\n") if line.startswith("#")), "")
    return ParsedFile(text, title or heading or stem(name), kind, date=date, notes=reader.left_out.notes)


class _Reader:
    def __init__(self, content: Element, styles: Element | None) -> None:
        self.left_out = LeftOut()
        self._content, self._masters = content, styles
        self._styles = Styles(on_skip=self.left_out.note)
        for part in (styles, content):
            for style in part.iter(f"{STYLE}style") if part is not None else ():
                self._styles.take(style)

    def document(self) -> Iterator[str]:
        yield from self._running("header")
        for body in self._content.iter(f"{OFFICE}text"):
            yield from self._blocks(body)
        yield from self._running("footer")

    def _running(self, kind: str) -> Iterator[str]:
        said: set[str] = set()
        for part in self._masters.iter(f"{STYLE}{kind}") if self._masters is not None else ():
            for paragraph in part.iter(f"{TEXT}p", f"{TEXT}h"):
                line = one_line(text_of(paragraph, self._styles))
                if len(line) > 12 and line not in said:  # shorter ones are page numbers
                    said.add(line)
                    yield f"Page {kind}: {line}\n"

    def _blocks(self, parent: Element) -> Iterator[str]:
        for element in parent:
            if element.tag == f"{TEXT}h":
                level = min(int(element.get(f"{TEXT}outline-level", "1")), 6)
                yield from self._paragraph(element, f"\n{'#' * level} ", "\n")
            elif element.tag == f"{TEXT}p":
                yield from self._paragraph(element, "", "\n")
            elif element.tag == f"{TEXT}list-item":
                yield from self._item(element)
            elif element.tag == f"{TABLE}table":
                yield "\n" + "\n".join(table_lines(self._rows(element, heading=False))) + "\n"
            elif element.tag == f"{TEXT}tracked-changes":
                if element.find(f".//{TEXT}deletion") is not None:
                    self.left_out.note("deleted text")
            elif isinstance(element.tag, str):
                yield from self._blocks(element)

    def _paragraph(self, element: Element, before: str, after: str) -> Iterator[str]:
        if element.get(f"{TEXT}style-name", "") in self._styles.unseen:
            self.left_out.note("hidden text")
            return
        text = prices(one_line(text_of(element, self._styles)))
        if text:
            yield f"{before}{text}{after}"
        for note in element.iter(f"{TEXT}note"):
            for body in note.iter(f"{TEXT}note-body"):
                yield f"Note: {self._inner(body)}\n"
        for comment in element.iter(f"{OFFICE}annotation"):
            words = [one_line(text_of(each, self._styles)) for each in comment.iter(f"{TEXT}p")]
            yield f"Comment: {' '.join(words)}\n"
        for box in element.iter("{*}text-box"):
            yield from self._blocks(box)

    def _inner(self, element: Element) -> str:
        """All of an element on one line."""
        return on_one_line("\n".join(line.lstrip("# ") for line in self._blocks(element)))

    def _item(self, item: Element) -> Iterator[str]:
        first, *others = [block.strip() for block in self._blocks(item) if block.strip()] or [""]
        yield first if first.startswith("- ") else f"- {first}"
        yield from others

    def _rows(self, table: Element, heading: bool) -> Iterator[list[Cell]]:
        for element in table:
            if element.tag == f"{TABLE}table-row":
                cells = self._cells(element, heading)
                again = int(element.get(f"{TABLE}number-rows-repeated", 1))
                yield from (cells for _ in range(min(again, MOST_REPEATED)))
            elif element.tag == f"{TABLE}table-header-rows":
                yield from self._rows(element, heading=True)
            elif element.tag in _ROWS:
                yield from self._rows(element, heading)

    def _cells(self, row: Element, heading: bool) -> list[Cell]:
        cells: list[Cell] = []
        for cell in row.iterchildren(f"{TABLE}table-cell"):
            made = Cell(
                self._inner(cell),
                int(cell.get(f"{TABLE}number-columns-spanned", 1)),
                int(cell.get(f"{TABLE}number-rows-spanned", 1)),
                heading or self._is_bold(cell),
            )
            cells += [made] * min(int(cell.get(f"{TABLE}number-columns-repeated", 1)), MOST_REPEATED)
        return cells

    def _is_bold(self, cell: Element) -> bool:
        """Whether every paragraph of a cell is set in bold, as a whole or in its spans."""
        bold = [
            each.get(f"{TEXT}style-name", "") in self._styles.bold
            or (len(each) > 0 and not (each.text or "").strip()
                and all(part.get(f"{TEXT}style-name", "") in self._styles.bold for part in each))
            for each in cell.iterchildren(f"{TEXT}p")
        ]  # fmt: skip
        return bool(bold) and all(bold)
