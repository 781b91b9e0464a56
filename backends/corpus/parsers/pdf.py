"""PDF.

Enters: a PDF file. Leaves: its pages with paragraphs put together again from lines, headings recognised by
their size, words joined that were broken at line ends, and repeated page headers and footers left out.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from backends.corpus.parsers.common import PageText, assemble, clean, one_line, stem, table_lines
from backends.datatypes import ParsedFile, UserError

MAX_PAGES = 3000
CELL_GAP = 0.6  # white space that wide, in font sizes, may separate cells
_BULLET = re.compile(r"^(?:[•◦▪‣●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+")
_BARE_BULLET = re.compile(r"^[•◦▪‣●○■–—*-]$")
_BROKEN_WORD = re.compile(r"(?<=[a-zà-ÿ])[-\u00ad\u2010\x02]$")
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
        for match in re.finditer(r"[^\r\n\ufffe]+", text):
            words = match.group()
            if words.strip():
                lead = len(words) - len(words.lstrip())
                first, last = match.start() + lead, match.start() + len(words.rstrip()) - 1
                lines += _pieces(textpage, words.strip(), first, last)
                if text[match.end() : match.end() + 1] == "\ufffe":  # PDFium's mark of a hyphen at a line end
                    lines[-1] = replace(lines[-1], text=lines[-1].text + "-")
        return lines
    finally:
        textpage.close()
        page.close()


def _pieces(textpage: Any, text: str, first: int, last: int) -> list[_Line]:
    """A baseline's text, cut where a wide gap sets cells or columns apart (but no bullet from its item)."""
    whole = _line(textpage, text, first, last)
    if textpage.count_rects(first, last - first + 1) < 2:  # one run of text, the usual case
        return [whole]
    cuts = [0]
    for at in range(1, len(text)):
        if text[at - 1] == " " and text[at] != " " and not _BULLET.fullmatch(text[:at]):
            before = len(text[:at].rstrip()) - 1
            if _box(textpage, first + at)[0] - _box(textpage, first + before)[1] > CELL_GAP * whole.size:
                cuts.append(at)
    pieces = []
    for begin, end in pairwise([*cuts, len(text)]):
        part = text[begin:end].rstrip()
        pieces.append(_line(textpage, part, first + begin, first + begin + len(part) - 1))
    return pieces


def _box(textpage: Any, at: int) -> tuple[float, float, float, float]:
    """(left, right, bottom, top) of one character."""
    import pypdfium2.raw as raw

    edges = [ctypes.c_double() for _ in range(4)]
    raw.FPDFText_GetCharBox(textpage, at, *edges)
    left, right, bottom, top = (edge.value for edge in edges)
    return left, right, bottom, top


def _line(textpage: Any, text: str, first: int, last: int) -> _Line:
    import pypdfium2.raw as raw

    begin, end = _box(textpage, first), _box(textpage, last)
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
    """Drop page headers and footers: outermost lines that most pages share but for their numbers.

    Two pages alone share too much by chance; there only lines whose numbers differ go, with their baseline.
    """
    if len(pages) < 2:
        return pages
    outer = [{*_edge(page)} for page in pages]
    seen: dict[tuple[str, int], list[str]] = {}
    for edge in outer:
        for shape, text in {_shape(line): line.text for line in edge}.items():
            seen.setdefault(shape, []).append(text)
    least = max(2, 0.5 * len(pages))
    running = {
        shape
        for shape, texts in seen.items()
        if len(texts) >= least and (len(pages) > 2 or len(set(texts)) > 1)
    }
    heights = [{round(line.bottom) for line in edge if _shape(line) in running} for edge in outer]
    return [
        [line for line in page if not (line in edge and round(line.bottom) in dropped)]
        for page, edge, dropped in zip(pages, outer, heights, strict=True)
    ]


def _edge(page: Sequence[_Line]) -> list[_Line]:
    """Everything on the two highest and the two lowest baselines."""
    tops = sorted({round(line.bottom) for line in page})
    return [line for line in page if round(line.bottom) in {*tops[:2], *tops[-2:]}]


def _shape(line: _Line) -> tuple[str, int]:
    return re.sub(r"\d+", "0", line.text), round(line.bottom / 10)


def _page_text(lines: list[_Line], body: float) -> str:
    blocks: list[str] = []
    before: _Line | None = None
    at = 0
    while at < len(lines):
        line = lines[at]
        if rows := _table_at(lines, at):
            blocks.append(
                "\n" + "\n".join(table_lines([[cell for _, cell in row] for row in _grid(rows)])) + "\n"
            )
            at += sum(len(row) for row in rows)
            before = None
            continue
        level = _heading_level(line, body)
        if before is not None and _BARE_BULLET.match(before.text):
            blocks[-1] = f"- {line.text}"
        elif before is not None and _continues(before, line, lines, body):
            blocks[-1] = _join(blocks[-1], line.text)
        elif level:
            blocks.append(f"\n{'#' * level} {line.text}\n")
        else:
            bullet = re.sub(r"^[•◦▪‣●○■]\s*", "- ", line.text)
            gap = "\n" if before is not None and before.bottom - line.top > 0.7 * line.size else ""
            blocks.append(gap + bullet)
        before = line
        at += 1
    return clean("\n".join(blocks))


def _table_at(lines: Sequence[_Line], at: int) -> list[list[_Line]]:
    """Rows of the table that begins at line `at` (two at least, else none), in the order of the file.

    A row is a piece, then others to its right whose first line stands on the same height; each may be
    followed by more lines of its own cell.
    """
    rows: list[list[_Line]] = []
    while at < len(lines):
        row = _row_at(lines, at)
        if len({round(piece.left) for piece in row}) < 2:
            break
        if rows and (abs(row[0].left - rows[0][0].left) > 6 or row[0].top > rows[-1][0].top):
            break
        rows.append(row)
        at += len(row)
    return rows if len(rows) > 1 else []


def _row_at(lines: Sequence[_Line], at: int) -> list[_Line]:
    first = lines[at]
    row, cells = [first], 1
    for piece in lines[at + 1 : at + 40]:
        last = row[-1]
        aligned = abs(piece.bottom - first.bottom) < 0.4 * first.size
        below = abs(piece.left - last.left) < 2 and 0 < last.bottom - piece.bottom < 1.6 * first.size
        if aligned and piece.left > last.left + first.size:
            cells += 1
        elif not below or (cells == 1 and len(row) == 4):  # so many lines are a paragraph
            break
        row.append(piece)
    while cells > 1 and _opens_next_row(row, lines[at + len(row) : at + len(row) + 1]):
        row.pop()
    return row if cells > 1 else row[:1]


def _opens_next_row(row: Sequence[_Line], following: Sequence[_Line]) -> bool:
    """Whether the last line of a row is level with what follows it, so that both belong to the next row."""
    last = row[-1]
    return bool(
        following
        and abs(last.bottom - row[0].bottom) > 0.4 * last.size
        and abs(following[0].bottom - last.bottom) < 0.4 * last.size
        and following[0].left > last.left + last.size
    )


def _grid(rows: Sequence[Sequence[_Line]]) -> list[list[tuple[float, str]]]:
    """Cells of each row put under their columns, which begin where cells begin."""
    starts: list[float] = []
    for left in sorted(piece.left for row in rows for piece in row):
        if not starts or left - starts[-1] > 6:
            starts.append(left)
    grid = []
    for row in rows:
        cells = dict.fromkeys(starts, "")
        for piece in row:
            column = max((start for start in starts if start <= piece.left + 0.01), default=starts[0])
            cells[column] = _join(cells[column], piece.text) if cells[column] else piece.text
        grid.append(list(cells.items()))
    return grid


def _heading_level(line: _Line, body: float) -> int:
    if line.size < 1.12 * body or len(line.text) > 120 or not re.search(r"[^\W\d]{2}", line.text):
        return 0
    return 1 if line.size > 1.5 * body else 2 if line.size > 1.25 * body else 3


def _continues(before: _Line, line: _Line, lines: Sequence[_Line], body: float) -> bool:
    """Whether a line goes on with the paragraph of the one before it."""
    if abs(before.size - line.size) > 0.12 * body or _BULLET.match(line.text):
        return False
    if abs(before.bottom - line.bottom) < 0.3 * line.size:  # pieces of one baseline that are no table
        return 0 <= line.left - before.right < 3 * line.size
    if _BARE_BULLET.match(before.text):
        return False
    if _heading_level(before, body):
        return 0 < before.bottom - line.bottom < 1.6 * line.size
    below = before.bottom - line.bottom
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
