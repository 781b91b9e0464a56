"""Sheets of OpenDocument, as a person sees them.

Enters: ods. Leaves: sheets with their rows. The file holds each cell as its sheet shows it ("19 %",
"1.234,50 €"), and that is what is taken, but for days, which are written YYYY-MM-DD, and long numbers, which
are written out.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from lxml.etree import _Element as Element

from backends.documents.parsers.common import Cell, one_line
from backends.documents.parsers.number_formats import plain
from backends.documents.parsers.open_document import (
    OFFICE,
    STYLE,
    TABLE,
    TEXT,
    Styles,
    refuse_encrypted,
    text_of,
)
from backends.documents.parsers.sheets import Findings, Sheet, column_name

_CELL, _HEADER_ROWS = f"{TABLE}table-cell", f"{TABLE}table-header-rows"
_AGAIN, _STYLE_NAME, _KIND = f"{TABLE}number-columns-repeated", f"{TABLE}style-name", f"{OFFICE}value-type"
_ACROSS, _DOWN = f"{TABLE}number-columns-spanned", f"{TABLE}number-rows-spanned"
_P, _ANNOTATION, _ROW = f"{TEXT}p", f"{OFFICE}annotation", f"{TABLE}table-row"
_ROW_AGAIN, _FORMULA = f"{TABLE}number-rows-repeated", f"{TABLE}formula"
_LIST, _DAY = f"{TEXT}list", f"{OFFICE}date-value"
_PERIOD = re.compile(r"-?PT(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:[.,]\d+)?)S)?")
_CUT_SHORT = re.compile(r"\dE[+-]?\d|#{3}")  # as a column that is too narrow shows a number
_VISIBLE = f"{TABLE}visibility"
MOST_REPEATED = 1000  # rows or cells that one element may stand for


def open_sheets(path: Path, name: str, findings: Findings) -> Iterator[Sheet]:
    """The sheets in their order, hidden ones too; a sheet's rows are to be taken before the next sheet."""
    from lxml import etree

    with zipfile.ZipFile(path) as archive:
        refuse_encrypted(archive, name)
        with archive.open("content.xml") as stream:
            wanted = (f"{STYLE}style", f"{TABLE}table", f"{TABLE}table-column", f"{TABLE}table-row")
            events = etree.iterparse(
                stream, events=("start", "end"), tag=wanted, resolve_entities=False, huge_tree=True
            )
            reader = _Reader(events, findings)
            yield from reader.sheets()


class _Reader:
    def __init__(self, events: Iterator[tuple[str, Element]], findings: Findings) -> None:
        self._events, self._findings = events, findings
        self._styles = Styles()

    def sheets(self) -> Iterator[Sheet]:
        for event, element in self._events:
            if event == "end" and element.tag == f"{STYLE}style":
                self._styles.take(element)
            elif event == "start" and element.tag == f"{TABLE}table":
                name = one_line(element.get(f"{TABLE}name", ""))
                if element.get(f"{TABLE}style-name") in self._styles.unseen:
                    self._findings.hidden.append(name)
                yield Sheet(name, self._rows(element, name))

    def _rows(self, table: Element, name: str) -> Iterator[list[str | Cell]]:
        number = column = width = 0
        hidden: list[int] = []
        for event, element in self._events:
            if event == "end" and element.tag == f"{TABLE}table-column":
                again = int(element.get(_AGAIN, 1))
                if element.get(_VISIBLE, "visible") != "visible":
                    hidden += range(column, column + min(again, MOST_REPEATED))
                column += again
            if event == "end" and element is table:
                seen = [f"{name} column {column_name(at)}" for at in hidden if at < width]
                self._findings.hidden_parts += seen
                return
            if event == "end" and element.tag == _ROW:
                about = dict(element.items())
                again = int(about.get(_ROW_AGAIN, 1))
                place = f"{name} row {number + 1}"
                cells = self._cells(element, place)
                filled = any(cells)
                if filled and about.get(_VISIBLE, "visible") != "visible":
                    self._findings.hidden_parts.append(place)
                number += again
                width = max(width, len(cells) if filled else 0)
                for _ in range(min(again, MOST_REPEATED) if filled else 1):
                    yield [*cells]
                element.clear()

    def _cells(self, row: Element, place: str) -> list[str | Cell]:
        heading = row.getparent().tag == _HEADER_ROWS
        cells: list[str | Cell] = []
        for cell in row.iterchildren(_CELL):  # without those covered by a merged one
            about: dict[str, str] = dict(cell.items())  # to ask for each by name takes three times as long
            made = self._cell(cell, about, heading, place)
            if (again := about.get(_AGAIN)) is None:
                cells.append(made)
            else:
                cells += [made] * min(int(again), MOST_REPEATED)
        return cells

    def _cell(self, cell: Element, about: Mapping[str, str], heading: bool, place: str) -> str | Cell:
        parts = len(cell)
        only = cell[0] if parts == 1 else None
        noted = parts > 1
        # One paragraph of nothing but text, as in nearly all cells: to ask for its name takes time.
        if only is not None and type(only) is Element and not len(only) and only.text:
            seen = only.text
        elif parts:
            noted = noted or cell[0].tag == _ANNOTATION
            texts = (text_of(each, self._styles) for each in cell.iterchildren(_P, _LIST))
            seen = one_line("\n".join(texts))
        else:
            seen = ""
        kind = about.get(_KIND, "")
        if not kind and not seen and about.get(_FORMULA):
            self._findings.uncalculated.append(place)
        written = kind == "string" or (kind == "float" and seen.isdecimal())
        text = seen if written else as_shown(kind, seen, about)
        heading = bool(text) and (heading or about.get(_STYLE_NAME) in self._styles.bold)
        if not noted and not heading and _ACROSS not in about and _DOWN not in about:
            return text  # nearly all cells
        note = cell.find(_ANNOTATION)
        comment = "" if note is None else " ".join(text_of(each, self._styles) for each in note.iter(_P))
        across, down = int(about.get(_ACROSS, 1)), int(about.get(_DOWN, 1))
        return Cell(text, across, down, heading, one_line(comment))


def as_shown(kind: str, seen: str, about: Mapping[str, str]) -> str:
    """A cell's text: what it shows, but whole days in one form and numbers in all their digits.

    `about` are the attributes of its element.
    """
    if kind == "date" and (not seen or _is_whole_day(seen)):
        day, _, clock = about.get(_DAY, "").partition("T")
        clock = clock[:5] if ":" in seen or not seen else ""
        return f"{day} {clock}".removesuffix(" 00:00").strip() or seen
    if kind == "time" and not seen:
        return _clock(about.get(f"{OFFICE}time-value", ""))
    if kind == "boolean":
        return "yes" if about.get(f"{OFFICE}boolean-value") == "true" else "no"
    cut = ("E" in seen or "#" in seen) and _CUT_SHORT.search(seen)
    if kind not in ("float", "percentage", "currency") or (seen and not cut):
        return seen
    value = about.get(f"{OFFICE}value", "")
    try:
        number = plain(value)
        return {
            "percentage": f"{plain(float(value) * 100)} %",
            "currency": f"{number} {about.get(f'{OFFICE}currency', '')}".strip(),
        }.get(kind, number)
    except ValueError:
        return seen or value


def _clock(period: str) -> str:
    """26:15 or 26:15:30 of PT26H15M30S."""
    found = _PERIOD.fullmatch(period)
    if found is None:
        return period
    hours, minutes, seconds = (int(float(part or 0)) for part in found.groups())
    return f"{hours:02d}:{minutes:02d}" + (f":{seconds:02d}" if seconds else "")


@lru_cache(maxsize=4096)
def _is_whole_day(seen: str) -> bool:
    """Day, month and year: three numbers, or two with the name of the month."""
    numbers = len(re.findall(r"\d+", seen.split(" ")[0] if seen.count(":") else seen))
    return numbers >= 3 or (numbers == 2 and bool(re.search(r"[^\W\d]{3}", seen)))
