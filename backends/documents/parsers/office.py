"""Word, PowerPoint and OpenDocument text.

Enters: docx, pptx, odt. Leaves: paragraphs, headings and tables in reading order; a slide is a page.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.datatypes import ParsedFile, UserError
from backends.documents import limits
from backends.documents.parsers.common import (
    Cell,
    PageText,
    assemble,
    clean,
    iso_date,
    one_line,
    stem,
    table_lines,
)

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_REFERENCES = tuple(f"{_W}{kind}Reference" for kind in ("footnote", "endnote", "comment"))
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_GAPS = {f"{_W}tab", f"{_W}br", f"{_W}cr"}
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    check_archive(path, kind, name)
    return {"docx": _docx, "pptx": _pptx, "odt": _odt}[kind](path, name)


def check_archive(path: Path, kind: str, name: str) -> None:
    """UserError unless the file is a zip archive of bearable size."""
    with path.open("rb") as file:
        if file.read(8) == OLE:
            raise UserError(
                f"{name} is protected with a password or in an old format; "
                f"save it as {kind} without a password."
            )
    if not zipfile.is_zipfile(path):
        raise UserError(f"{name} is broken or not a real {kind} file.")
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > limits.MAX_UNPACKED:
        raise UserError(
            f"{name} unpacks to {unpacked / limits.MB:.0f} MB, more than the "
            f"{limits.MAX_UNPACKED // limits.MB} MB that are read."
        )


# --- docx ----------------------------------------------------------------------------------------


def _docx(path: Path, name: str) -> ParsedFile:
    """Read from the XML itself: minimal files without styles or properties are common and must work."""
    from lxml import etree

    with zipfile.ZipFile(path) as archive:
        main = _main_part(archive)
        body = etree.fromstring(archive.read(main), etree.XMLParser(huge_tree=True, resolve_entities=False))[
            0
        ]
        word = _Word(_heading_styles(archive), _notes(archive))
        title, date = _core(archive)
    blocks = list(_word_blocks(body, word))
    text = clean("\n".join(blocks))
    heading = next((line.lstrip("# ") for line in text.split("\n") if line.startswith("#")), "")
    return ParsedFile(text, title or heading or stem(name), "docx", date=date)


@dataclass(frozen=True)
class _Word:
    """What paragraphs refer to: heading levels of styles, texts of notes and comments by (kind, id)."""

    levels: dict[str, int]
    notes: dict[tuple[str, str], str]


def _notes(archive: zipfile.ZipFile) -> dict[tuple[str, str], str]:
    from lxml import etree

    notes: dict[tuple[str, str], str] = {}
    for kind in ("footnote", "endnote", "comment"):
        member = f"word/{kind}s.xml"
        if member in archive.namelist():
            for note in etree.fromstring(archive.read(member)).iter(f"{_W}{kind}"):
                notes[kind, note.get(f"{_W}id", "")] = one_line(_word_text(note))
    return notes


def _main_part(archive: zipfile.ZipFile) -> str:
    names = archive.namelist()
    return next(
        n for n in ("word/document.xml", "word/document2.xml", *names) if n in names and "document" in n
    )


def _heading_styles(archive: zipfile.ZipFile) -> dict[str, int]:
    """Level of each style that is a heading, also in files of other languages (by outline level)."""
    from lxml import etree

    if "word/styles.xml" not in archive.namelist():
        return {}
    levels: dict[str, int] = {}
    for style in etree.fromstring(archive.read("word/styles.xml")).iter(f"{_W}style"):
        identifier = style.get(f"{_W}styleId", "")
        named = style.find(f"{_W}name")
        label = (named.get(f"{_W}val", "") if named is not None else "").lower()
        outline = style.find(f"{_W}pPr/{_W}outlineLvl")
        if label == "title":
            levels[identifier] = 1
        elif label.startswith("heading ") and label[8:].isdigit():
            levels[identifier] = min(int(label[8:]) + 1, 6)
        elif outline is not None and int(outline.get(f"{_W}val", "9")) < 6:
            levels[identifier] = min(int(outline.get(f"{_W}val")) + 2, 6)
    return levels


def _core(archive: zipfile.ZipFile, member: str = "docProps/core.xml") -> tuple[str, str]:
    """(title, day of the last change) of the file's properties; OpenDocument's have the same names."""
    from lxml import etree

    if member not in archive.namelist():
        return "", ""
    found = {
        etree.QName(element).localname: element.text or ""
        for element in etree.fromstring(archive.read(member)).iter()
        if isinstance(element.tag, str)
    }
    changed = found.get("modified") or found.get("date") or found.get("created") or found.get("creation-date")
    return one_line(found.get("title", "")), iso_date(changed)


def _word_blocks(parent: Any, word: _Word) -> Iterator[str]:
    """Paragraphs and tables of a body, in order; content controls and the like are looked into."""
    for element in parent:
        if element.tag == f"{_W}p":
            text = one_line(_word_text(element))
            if not text:
                continue
            style = element.find(f"{_W}pPr/{_W}pStyle")
            level = word.levels.get(style.get(f"{_W}val", ""), 0) if style is not None else 0
            listed = element.find(f"{_W}pPr/{_W}numPr") is not None or (
                style is not None and style.get(f"{_W}val", "").lower().startswith("list")
            )
            yield f"\n{'#' * level} {text}\n" if level else f"- {text}" if listed else f"{text}\n"
            for reference in element.iter(*_REFERENCES):
                kind = reference.tag[len(_W) : -len("Reference")]
                if note := word.notes.get((kind, reference.get(f"{_W}id", ""))):
                    yield f"{'Comment' if kind == 'comment' else 'Note'}: {note}\n"
        elif element.tag == f"{_W}tbl":
            rows = [_word_row(row) for row in element.iter(f"{_W}tr") if _owner(row) is element]
            yield "\n" + "\n".join(table_lines(rows, has_header=_header_flag(element))) + "\n"
        elif element.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}customXml", f"{_W}smartTag"):
            yield from _word_blocks(element, word)


def _owner(row: Any) -> Any:
    """The table a row belongs to; rows may be wrapped."""
    element = row.getparent()
    while element.tag != f"{_W}tbl":
        element = element.getparent()
    return element


def _word_text(element: Any) -> str:
    parts: list[str] = []
    for item in _shown_items(element):
        if item.tag in (f"{_W}t", f"{_M}t"):
            parts.append(item.text or "")
        elif item.tag in _GAPS and item.getparent().tag == f"{_W}r":  # tab stops of styles are tabs too
            parts.append(" ")
        elif item.tag == f"{_W}noBreakHyphen":
            parts.append("-")
    return "".join(parts)


def _shown_items(element: Any) -> Iterator[Any]:
    """An element and all in it, but not what older programs are to show instead: it says the same again."""
    for item in element:
        if item.tag != _FALLBACK:
            yield item
            yield from _shown_items(item)


def _word_row(row: Any) -> list[str]:
    cells = []
    for cell in row.iter(f"{_W}tc"):
        if _nearest(cell, f"{_W}tr") is not row:
            continue  # a cell of a table within a cell: its text is in the outer cell
        cells.append(one_line(" ".join(_word_text(p) for p in cell.iter(f"{_W}p"))))
        span = cell.find(f"{_W}tcPr/{_W}gridSpan")
        cells += [""] * (int(span.get(f"{_W}val", "1")) - 1 if span is not None else 0)
    return cells


def _nearest(element: Any, tag: str) -> Any:
    element = element.getparent()
    while element is not None and element.tag != tag:
        element = element.getparent()
    return element


def _header_flag(table: Any) -> bool | None:
    """True when the first row is marked or set in bold throughout; None when nothing is said."""
    rows = list(table.iter(f"{_W}tr"))
    if not rows:
        return None
    if rows[0].find(f"{_W}trPr/{_W}tblHeader") is not None:
        return True
    texts = [run for run in rows[0].iter(f"{_W}r") if run.find(f"{_W}t") is not None]
    bold = [run.find(f"{_W}rPr/{_W}b") is not None for run in texts]
    rest = [run.find(f"{_W}rPr/{_W}b") is not None for row in rows[1:] for run in row.iter(f"{_W}r")]
    return True if bold and all(bold) and rest and not all(rest) else None


# --- pptx ----------------------------------------------------------------------------------------


def _pptx(path: Path, name: str) -> ParsedFile:
    from pptx import Presentation

    deck = Presentation(str(path))
    pages = [PageText(number, "\n".join(_slide(slide))) for number, slide in enumerate(deck.slides, start=1)]
    first = next(
        (line.lstrip("# ") for page in pages for line in page.text.split("\n") if line.startswith("#")), ""
    )
    title = one_line(deck.core_properties.title or "")
    useful = title if title.lower() not in ("", "powerpoint presentation", "presentation") else ""
    parsed = assemble(pages, title=useful or first or stem(name), kind="pptx")
    return replace(parsed, date=iso_date(deck.core_properties.modified or deck.core_properties.created))


def _slide(slide: Any) -> Iterator[str]:
    heading = slide.shapes.title
    if heading is not None and one_line(heading.text_frame.text):
        yield f"# {one_line(heading.text_frame.text)}\n"
    others = [shape for shape in slide.shapes if heading is None or shape.shape_id != heading.shape_id]
    yield from _shapes(others)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = one_line(slide.notes_slide.notes_text_frame.text)
        if notes:
            yield f"\nNotes: {notes}"


def _shapes(shapes: Iterable[Any]) -> Iterator[str]:
    """Text of shapes from top to bottom, then left to right, groups opened in their place."""
    for shape in sorted(shapes, key=lambda each: (each.top or 0, each.left or 0)):
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        elif getattr(shape, "has_table", False) and shape.has_table:
            rows = [[*map(_slide_cell, filter(_is_shown, row.cells))] for row in shape.table.rows]
            said = None if shape.table.first_row else False  # that there is one is what every table says
            yield "\n" + "\n".join(table_lines(rows, has_header=said)) + "\n"
        elif getattr(shape, "has_text_frame", False) and shape.has_text_frame:
            lines = [one_line(paragraph.text) for paragraph in shape.text_frame.paragraphs]
            lines = [line for line in lines if line]
            if lines:
                yield "\n".join(f"- {line}" for line in lines) if len(lines) > 1 else lines[0] + "\n"


def _is_shown(cell: Any) -> bool:
    return not cell.is_spanned


def _slide_cell(cell: Any) -> Cell:
    return Cell(cell.text, cell.span_width, cell.span_height)


# --- odt -----------------------------------------------------------------------------------------

_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"


def _odt(path: Path, name: str) -> ParsedFile:
    from lxml import etree

    with zipfile.ZipFile(path) as archive:
        root = etree.fromstring(archive.read("content.xml"), etree.XMLParser(resolve_entities=False))
        title, date = _core(archive, "meta.xml")
    text = clean("\n".join(_odt_blocks(root)))
    heading = next((line.lstrip("# ") for line in text.split("\n") if line.startswith("#")), "")
    return ParsedFile(text, title or heading or stem(name), "odt", date=date)


def _odt_blocks(parent: Any) -> Iterator[str]:
    for element in parent:
        if element.tag == f"{_TEXT}h":
            level = min(int(element.get(f"{_TEXT}outline-level", "1")), 6)
            yield f"\n{'#' * level} {one_line(''.join(element.itertext()))}\n"
        elif element.tag == f"{_TEXT}p":
            yield one_line("".join(element.itertext())) + "\n"
        elif element.tag == f"{_TABLE}table":
            rows = [
                ["".join(cell.itertext()) for cell in row.iter(f"{_TABLE}table-cell")]
                for row in element.iter(f"{_TABLE}table-row")
            ]
            yield "\n" + "\n".join(table_lines(rows)) + "\n"
        else:
            yield from _odt_blocks(element)
