"""Word documents in Open XML.

Enters: docx, of the transitional and the strict kind. Leaves: headings, numbered clauses, paragraphs, lists,
tables, text boxes, charts, notes and comments in reading order, and the page headers once. Read from the XML
itself: minimal files without styles or properties are common and must work, and much of this no library
gives. Hidden, struck-out and deleted text is left out, and said.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lxml.etree import _Element as Element

from backends.datatypes import ParsedFile
from backends.documents.parsers.common import (
    Cell,
    clean,
    on_one_line,
    one_line,
    prices,
    raised,
    stem,
    table_lines,
)
from backends.documents.parsers.numbering import Numbering, W, numbering_of
from backends.documents.parsers.office import (
    LeftOut,
    chart_lines,
    check_archive,
    core_properties,
    diagram_lines,
    parse_xml,
    related,
    transitional,
)

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_NOTES = ("footnote", "endnote", "comment")
_REFERENCES = tuple(f"{W}{kind}Reference" for kind in _NOTES)
_GAPS = {f"{W}tab", f"{W}br", f"{W}cr", f"{W}ptab"}
_BOX = f"{W}txbxContent"
_RUN, _LETTERS, _LOOK, _SYMBOL, _HYPHEN = (f"{W}{name}" for name in ("r", "t", "rPr", "sym", "noBreakHyphen"))
_PARAGRAPH, _ABOUT, _TABLE, _ROW, _CELL = (f"{W}{name}" for name in ("p", "pPr", "tbl", "tr", "tc"))
_ABOUT_ROW, _ABOUT_CELL, _BOLD = (f"{W}{name}" for name in ("trPr", "tcPr", "b"))
_TOLD = {f"{W}{name}" for name in ("rStyle", "vanish", "strike", "dstrike", "vertAlign")}
_SIMPLE_FIELD = f"{W}fldSimple"
_SAID = {_LETTERS, _SYMBOL, _HYPHEN, *_GAPS, f"{W}fldChar", f"{W}instrText"}
_PASSED_OVER = {_FALLBACK, _BOX, _LOOK, _ABOUT, f"{W}bookmarkStart", f"{W}bookmarkEnd", f"{W}proofErr"}
_DRAWN = (_BOX, "{*}chart", "{*}relIds")
_HELD = (*_REFERENCES, *_DRAWN)  # what is told behind its paragraph
_WRAPPERS = {f"{W}{kind}" for kind in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag")}
_DELETED = {f"{W}del", f"{W}moveFrom"}
_CONTROL, _PROMPT = f"{W}sdt", f"{W}sdtPr/{W}showingPlcHdr"
# The boxes of forms, in the fonts they are mostly taken from.
_SYMBOLS = {"F0FE": "☒", "F0FD": "☒", "F0A8": "☐", "F06F": "☐", "F0FC": "✓", "F0FB": "✗", "F0B7": "•"}
_PAGE_FIELD = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b", re.I)
_PAGE = re.compile(
    r"\W*\b(?:page|seite|side|sida|pagina|página|strona)\b\W*(?:\d*\W*\w{0,3}\W*\d*\W*)$", re.I
)


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    check_archive(path, kind, name)
    with zipfile.ZipFile(transitional(path)) as archive:
        word = _Word(archive)
        title, date = core_properties(archive)
        text = clean("\n".join(word.blocks()))
    heading = next((line.lstrip("# ") for line in text.split("\n") if line.startswith("#")), "")
    return ParsedFile(text, title or heading or stem(name), kind, date=date, notes=word.left_out.notes)


@dataclass(frozen=True)
class _Style:
    """What a style, or a run, says about its text; None leaves it to the style below."""

    level: int = 0  # of a heading
    hidden: bool | None = None
    struck: bool | None = None


_PLAIN = _Style()


@dataclass
class _Word:
    """One document on its way to text."""

    archive: zipfile.ZipFile
    left_out: LeftOut = field(default_factory=LeftOut)
    _fields: list[str] = field(default_factory=list)  # the instructions of the fields that are open
    _holding: set[Element] = field(default_factory=set)  # paragraphs with notes, pictures or text boxes

    def __post_init__(self) -> None:
        names = self.archive.namelist()
        wanted = ("word/document.xml", "word/document2.xml", *names)
        self._main = next(name for name in wanted if name in names and "document" in name)
        self._related = related(self.archive, self._main)
        styles = self._part("word/styles.xml")
        self._styles = _styles(styles)
        self._numbering: Numbering = numbering_of(self._part("word/numbering.xml"), styles)
        self._notes = self._read_notes()

    def _part(self, name: str) -> Element | None:
        return parse_xml(self.archive.read(name)) if name in self.archive.namelist() else None

    def _read_notes(self) -> dict[tuple[str, str], str]:
        notes: dict[tuple[str, str], str] = {}
        for kind in _NOTES:
            part = self._part(f"word/{kind}s.xml")
            for note in part.iter(f"{W}{kind}") if part is not None else ():
                text = " ".join(filter(None, (one_line(self._text(p)) for p in note.iter(f"{W}p"))))
                notes[kind, note.get(f"{W}id", "")] = text
        return notes

    def blocks(self) -> Iterator[str]:
        """The document: page headers once, the body, page footers once."""
        yield from self._running("header")
        yield from self._read(parse_xml(self.archive.read(self._main))[0])
        yield from self._running("footer")

    def _running(self, kind: str) -> Iterator[str]:
        said: set[str] = set()
        for found, part in self._related.values():
            if found == kind and part in self.archive.namelist():
                for block in self._read(parse_xml(self.archive.read(part))):
                    for line in map(str.strip, block.split("\n")):
                        bare = _PAGE.sub("", line)
                        if len(re.findall(r"[^\W\d_]", bare)) > 2 and bare not in said:
                            said.add(bare)
                            yield f"Page {kind}: {bare}\n"

    # --- blocks ---------------------------------------------------------------------------------

    def _read(self, root: Element) -> Iterator[str]:
        """The blocks of a part of the file."""
        for item in root.iter(*_HELD):  # looked for once: most paragraphs hold none
            self._holding.update(item.iterancestors(_PARAGRAPH))
        yield from self._blocks(root)

    def _blocks(self, parent: Element) -> Iterator[str]:
        """Paragraphs and tables, in order; content controls and the like are looked into."""
        for element in parent:
            if element.tag == _PARAGRAPH:
                yield from self._paragraph(element)
            elif element.tag == _TABLE:
                lines = table_lines(self._rows(element), **_said_header(element))
                yield "\n" + "\n".join(lines) + "\n"
            elif element.tag in _WRAPPERS and not self._asks(element):
                yield from self._blocks(element)
            elif element.tag in _DELETED:
                self.left_out.note("deleted text")

    def _asks(self, element: Element) -> bool:
        """Whether it is a field of a form that nobody has filled in: its text says what to do."""
        asks = element.tag == _CONTROL and element.find(_PROMPT) is not None
        if asks:
            self.left_out.note("unfilled form field")
        return asks

    def _paragraph(self, element: Element) -> Iterator[str]:
        about = _parts(element, _ABOUT)
        style = _value(about, "pStyle")
        text = prices(one_line(self._text(element, self._styles.get(style, _PLAIN))))
        if text:
            yield self._written(about.get(f"{W}numPr"), style, text)
        if element not in self._holding:
            return
        for reference in element.iter(*_REFERENCES):
            kind = reference.tag[len(W) : -len("Reference")]
            if note := self._notes.get((kind, reference.get(f"{W}id", ""))):
                yield f"{'Comment' if kind == 'comment' else 'Note'}: {note}\n"
        for item in element.iter(*_DRAWN):
            if _is_own(item, element):
                yield from self._blocks(item) if item.tag == _BOX else self._drawing(item)

    def _written(self, listed: Element | None, style: str, text: str) -> str:
        level = self._styles.get(style, _PLAIN).level
        label = self._numbering.label(listed, style)
        if level:
            return f"\n{'#' * level} {f'{label} ' if label.strip('-') else ''}{text}\n"
        if label.strip("-"):
            return f"{label} {text}"
        in_list = label or listed is not None or style.lower().startswith("list")
        return f"- {text}" if in_list else f"{text}\n"

    def _drawing(self, item: Element) -> Iterator[str]:
        """A chart or a diagram, which lie in parts of their own."""
        identifier = item.get(f"{_R}id") or item.get(f"{_R}dm") or ""
        kind, name = self._related.get(identifier, ("", ""))
        part = self._part(name)
        if part is not None and kind in ("chart", "diagramData"):
            lines = chart_lines(part) if kind == "chart" else diagram_lines(part)
            yield "\n" + "\n".join(lines) + "\n"

    # --- tables ---------------------------------------------------------------------------------

    def _rows(self, table: Element) -> list[list[str | Cell]]:
        """Rows with their merged cells; those that go on with a cell above are left out."""
        placed = [self._placed(row) for row in table.iter(_ROW) if _nearest(row, _TABLE) is table]
        places = [{at: goes_on for at, _, goes_on, _ in row} for row in placed]
        rows = []
        for number, row in enumerate(placed):
            cells: list[str | Cell] = []
            for at, span, goes_on, cell in row:
                if goes_on:
                    continue
                down = 1
                while number + down < len(places) and places[number + down].get(at):
                    down += 1
                text = self._cell(cell) if cell is not None else ""
                heading = bool(text) and _is_bold(cell)
                cells.append(Cell(text, span, down, heading) if heading or span > 1 or down > 1 else text)
            rows.append(cells)
        return rows

    @staticmethod
    def _placed(row: Element) -> list[tuple[int, int, bool, Element]]:
        """(column, columns, whether it goes on with the cell above, cell); None for columns left free."""
        free = _count(_parts(row, _ABOUT_ROW), "gridBefore", 0)
        cells: list[tuple[int, int, bool, Element]] = [(at, 1, False, None) for at in range(min(free, 60))]
        at = len(cells)
        for cell in row.iter(_CELL):
            if _nearest(cell, _ROW) is row:
                about = _parts(cell, _ABOUT_CELL)
                span = max(_count(about, "gridSpan", 1), 1)
                merge = about.get(f"{W}vMerge")
                cells.append((at, span, merge is not None and merge.get(f"{W}val") != "restart", cell))
                at += span
        return cells

    def _cell(self, cell: Element) -> str:
        """A cell on one line; the rows of a table in it are parted by slashes."""
        parts: list[str] = []
        for block in self._blocks(cell):
            lines = [line.lstrip("# ") for line in block.strip().split("\n") if line.strip()]
            parts.append(" / ".join(lines))
        return on_one_line("\n".join(parts))

    # --- text -----------------------------------------------------------------------------------

    def _text(self, element: Element, style: _Style | None = None) -> str:
        """The words of a paragraph; text boxes in it are paragraphs of their own."""
        text = ""
        for item in element:
            tag = item.tag
            if tag == _LETTERS and not self._fields:
                text += item.text or ""
            elif tag == _RUN:
                text += self._run(item, text, style or _PLAIN)
            elif tag in _SAID:
                text += self._said(item)
            elif not isinstance(tag, str) or tag in _PASSED_OVER:
                continue
            elif tag in _DELETED:
                self.left_out.note("deleted text")
            elif self._asks(item):
                continue
            elif tag.startswith(_M):
                text += _formula(item)
            elif tag != _SIMPLE_FIELD or not _PAGE_FIELD.match(item.get(f"{W}instr", "")):
                text += self._text(item, style)
        return text

    def _said(self, item: Element) -> str:
        """What a piece of a run says."""
        tag = item.tag
        if tag == _LETTERS:
            return (item.text or "") if not any(map(_PAGE_FIELD.match, self._fields)) else ""
        if tag in _GAPS:  # tab stops of styles are tabs too
            return " " if item.getparent().tag == _RUN else ""
        if tag == _SYMBOL:
            return _SYMBOLS.get(item.get(f"{W}char", "").upper(), "")
        if tag == _HYPHEN:
            return "-"
        self._field(item)
        return ""

    def _field(self, item: Element) -> None:
        """Keep the instructions of open fields: page numbers are no text."""
        kind = item.get(f"{W}fldCharType", "")
        if kind == "begin":
            self._fields.append("")
        elif kind == "end" and self._fields:
            self._fields.pop()
        elif not kind and self._fields:
            self._fields[-1] += item.text or ""

    def _run(self, run: Element, before: str, style: _Style) -> str:
        text = self._text(run)
        look = _parts(run, _LOOK)
        if not text or (_TOLD.isdisjoint(look) and not (style.hidden or style.struck)):
            return text
        named = self._styles.get(_value(look, "rStyle"), _PLAIN)
        hidden = (_switch(look, "vanish"), named.hidden, style.hidden)
        struck = (_switch(look, "strike", "dstrike"), named.struck, style.struck)
        for what, said in (("hidden text", hidden), ("struck-out text", struck)):
            if next((each for each in said if each is not None), False):
                if text.strip():
                    self.left_out.note(what)
                return ""
        return raised(before, text, _value(look, "vertAlign"))


def _is_own(item: Element, paragraph: Element) -> bool:
    """Whether it lies in this paragraph, not in a text box of it, nor in what older programs are to show."""
    above = item.getparent()
    while above is not paragraph:
        if above.tag in (_FALLBACK, _BOX):
            return False
        above = above.getparent()
    return True


def _styles(part: Element | None) -> dict[str, _Style]:
    """Headings, also in files of other languages (by outline level), and styles of text that is not seen."""
    styles: dict[str, _Style] = {}
    for style in part.iter(f"{W}style") if part is not None else ():
        if style.get(f"{W}type") == "table":  # often most of them, and no paragraph or run has one
            continue
        about = _by_tag(style)
        label = _value(about, "name").lower()
        outline = _by_tag(about.get(_ABOUT)).get(f"{W}outlineLvl")
        level = 0
        if label == "title":
            level = 1
        elif label.startswith("heading ") and label[8:].isdigit():
            level = min(int(label[8:]) + 1, 6)
        elif outline is not None and int(outline.get(f"{W}val", "9")) < 6:
            level = min(int(outline.get(f"{W}val")) + 2, 6)
        look = _by_tag(about.get(_LOOK))
        styles[style.get(f"{W}styleId", "")] = _Style(
            level, _switch(look, "vanish"), _switch(look, "strike", "dstrike")
        )
    return styles


def _parts(element: Element, group: str) -> dict[str, Element]:
    """What a group of an element's properties holds, by its tag."""
    return _by_tag(next(element.iterchildren(group), None))


def _by_tag(group: Element | None) -> dict[str, Element]:
    return {part.tag: part for part in group} if group is not None else {}


def _switch(parts: Mapping[str, Element], *names: str) -> bool | None:
    """Whether a property is on; None where nothing is said."""
    found = [parts[tag] for name in names if (tag := f"{W}{name}") in parts]
    return any(each.get(f"{W}val", "1") not in ("0", "false", "off") for each in found) if found else None


def _value(parts: Mapping[str, Element], name: str) -> str:
    found = parts.get(f"{W}{name}")
    return "" if found is None else str(found.get(f"{W}val", ""))


def _count(parts: Mapping[str, Element], name: str, default: int) -> int:
    value = _value(parts, name)
    return int(value) if value.isdigit() else default


def _nearest(element: Element, tag: str) -> Element:
    element = element.getparent()
    while element is not None and element.tag != tag:
        element = element.getparent()
    return element


def _is_bold(cell: Element) -> bool:
    """Whether all words of a cell are bold, and there are some."""
    if next(cell.iter(_BOLD), None) is None:
        return False
    words = [letters for letters in cell.iter(_LETTERS) if (letters.text or "").strip()]
    runs = (_nearest(letters, _RUN) for letters in words)
    return bool(words) and all(run is not None and _switch(_parts(run, _LOOK), "b") for run in runs)


def _said_header(table: Element) -> dict[str, Element]:
    """What a table says of its header rows: that they are repeated on every page, or look apart."""
    count = 0
    for row in table.iterchildren(f"{W}tr"):
        if row.find(f"{W}trPr/{W}tblHeader") is None:
            break
        count += 1
    if count:
        return {"has_header": True, "header_rows": count}
    look = table.find(f"{W}tblPr/{W}tblLook")
    first = look.get(f"{W}firstRow", "") if look is not None else ""
    return {"likely": first in ("1", "true", "on")}


def _formula(element: Element) -> str:
    """A formula on one line: x^2, (a)/(b)."""
    tag = element.tag[len(_M) :]
    if tag == "t":
        return element.text or ""
    parts = {child.tag[len(_M) :]: _formula(child) for child in element if str(child.tag).startswith(_M)}
    if tag == "sSup":
        return f"{parts.get('e', '')}^{parts.get('sup', '')}"
    if tag == "f":
        return f"({parts.get('num', '')})/({parts.get('den', '')})"
    if tag == "rad":
        return f"√({parts.get('e', '')})"
    return "".join(_formula(child) for child in element if str(child.tag).startswith(_M))
