"""PDF.

Enters: a PDF file. Leaves: its pages with paragraphs put together again from lines, headings recognised by
their size, words joined that were broken at line ends, and repeated page headers and footers left out.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from backends.corpus.parsers.common import PageText, assemble, clean, one_line, stem
from backends.datatypes import ParsedFile, UserError

MAX_PAGES = 3000
_BULLET = re.compile(r"^(?:[•◦▪‣●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+")
_BROKEN_WORD = re.compile(r"(?<=[a-zà-ÿ])(?:[-\u00ad\u2010\x02]|\ufffe)$")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ft", "ﬆ": "st"})


@dataclass(frozen=True)
class _Line:
    """A run of text on one baseline; coordinates in points, y grows upwards."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    size: float


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise UserError(
                f"{name} is protected with a password; save it without one to have it read."
            ) from error
        raise UserError(f"{name} is broken or not a real PDF ({one_line(error)}).") from error
    try:
        if len(document) > MAX_PAGES:
            raise UserError(f"{name} has {len(document):,} pages; documents of up to {MAX_PAGES:,} are read.")
        pages = [_lines(document[number]) for number in range(len(document))]
        title = one_line(document.get_metadata_dict().get("Title", ""))
    finally:
        document.close()
    if not any(any(c.isalnum() for c in line.text) for page in pages for line in page):
        raise UserError(
            f"{name} has {len(pages)} page(s) but no text, only images; it needs text recognition first."
        )
    return _put_together(pages, title, name, kind)


def _put_together(pages: list[list[_Line]], title: str, name: str, kind: str) -> ParsedFile:
    pages = _without_running_lines(pages)
    sizes = [line.size for page in pages for line in page for _ in range(1 + len(line.text) // 20)]
    body = median(sizes) if sizes else 10.0
    texts = [PageText(number, _page_text(lines, body)) for number, lines in enumerate(pages, start=1)]
    biggest = max((line for line in pages[0]), key=lambda line: line.size, default=None) if pages else None
    first = biggest.text if biggest and biggest.size > 1.15 * body and len(biggest.text) < 120 else ""
    junk = re.search(r"untitled|anonymous|microsoft word|\.(docx?|tex|indd|dvi)\b", title, re.I)
    useful = title if 3 < len(title) < 150 and not junk else ""
    return assemble(texts, title=useful or one_line(first) or stem(name), kind=kind)


def _lines(page: Any) -> list[_Line]:
    """The page's runs of text in the order of the file, which writers make the reading order."""
    import pypdfium2.raw as raw

    textpage = page.get_textpage()
    try:
        text = textpage.get_text_range()
        if textpage.count_chars() != len(text):  # characters beyond the basic plane shift the offsets
            text = "".join(chr(raw.FPDFText_GetUnicode(textpage, at)) for at in range(textpage.count_chars()))
        lines = []
        for match in re.finditer(r"[^\r\n]+", text):
            words = match.group()
            if words.strip():
                lead = len(words) - len(words.lstrip())
                first, last = match.start() + lead, match.start() + len(words.rstrip()) - 1
                lines.append(_line(textpage, words.strip(), first, last))
        return lines
    finally:
        textpage.close()
        page.close()


def _line(textpage: Any, text: str, first: int, last: int) -> _Line:
    import pypdfium2.raw as raw

    def box(at: int) -> tuple[float, float, float, float]:
        edges = [ctypes.c_double() for _ in range(4)]
        raw.FPDFText_GetCharBox(textpage, at, *edges)
        left, right, bottom, top = (edge.value for edge in edges)
        return left, right, bottom, top

    begin, end = box(first), box(last)
    size = raw.FPDFText_GetFontSize(textpage, first)
    height = max(begin[3], end[3]) - min(begin[2], end[2])
    # Writers that scale the page leave a font size of 1; the letters' height is the better measure then.
    return _Line(
        text.translate(_LIGATURES),
        min(begin[0], end[0]),
        max(begin[1], end[1]),
        min(begin[2], end[2]),
        max(begin[3], end[3]),
        size if size > 2 else max(height * 1.4, 1.0),
    )


def _without_running_lines(pages: list[list[_Line]]) -> list[list[_Line]]:
    """Drop page headers and footers: the outermost lines that most pages share but for their numbers."""
    if len(pages) < 3:
        return pages
    outer = [{*_edge(page)} for page in pages]
    seen = Counter(
        _shape(line) for lines in outer for line in {_shape(each): each for each in lines}.values()
    )
    often = {shape for shape, count in seen.items() if count >= max(3, 0.5 * len(pages))}
    return [
        [line for line in page if not (line in edge and _shape(line) in often)]
        for page, edge in zip(pages, outer, strict=True)
    ]


def _edge(page: Sequence[_Line]) -> list[_Line]:
    """The two highest and the two lowest lines."""
    by_height = sorted(page, key=lambda line: -line.top)
    return by_height[:2] + by_height[-2:]


def _shape(line: _Line) -> tuple[str, int]:
    return re.sub(r"\d+", "0", line.text), round(line.bottom / 10)


def _page_text(lines: list[_Line], body: float) -> str:
    blocks: list[str] = []
    for at, line in enumerate(lines):
        before = lines[at - 1] if at else None
        level = _heading_level(line, body)
        if before is not None and _continues(before, line, lines, body):
            blocks[-1] = _join(blocks[-1], line.text)
        elif level:
            blocks.append(f"\n{'#' * level} {line.text}\n")
        else:
            bullet = re.sub(r"^[•◦▪‣●○■]\s*", "- ", line.text)
            gap = "\n" if before is not None and before.bottom - line.top > 0.7 * line.size else ""
            blocks.append(gap + bullet)
    return clean("\n".join(blocks))


def _heading_level(line: _Line, body: float) -> int:
    if line.size < 1.12 * body or len(line.text) > 120 or not re.search(r"[^\W\d]{2}", line.text):
        return 0
    return 1 if line.size > 1.5 * body else 2 if line.size > 1.25 * body else 3


def _continues(before: _Line, line: _Line, lines: Sequence[_Line], body: float) -> bool:
    """Whether a line goes on with the paragraph of the one before it."""
    if abs(before.size - line.size) > 0.12 * body or _BULLET.match(line.text):
        return False
    if _heading_level(before, body):
        return 0 < before.bottom - line.bottom < 1.6 * line.size
    below = before.bottom - line.bottom
    if abs(below) < 0.3 * line.size:  # the same baseline: cells of a row
        return False
    next_column = below < 0 or below > 12 * line.size
    if not next_column and below > 2.1 * line.size:
        return False
    if next_column and re.search(r"[.!?:]$", before.text):
        return False
    # A line that stopped short of its column's right edge ended its paragraph.
    peers = [each.right for each in lines if abs(each.left - before.left) < 40]
    edge = max(peers)
    width = edge - min(before.left, *(each.left for each in lines if abs(each.left - before.left) < 40))
    ragged = edge - before.right
    next_word = (line.right - line.left) * (len(line.text.split(" ", 1)[0]) + 1) / max(1, len(line.text))
    return width > 12 * body and ragged < max(next_word, 0.06 * width) + 0.5 * body


def _join(text: str, following: str) -> str:
    if _BROKEN_WORD.search(text) and following[:1].islower():
        return text[:-1] + following
    return f"{text} {following}"
