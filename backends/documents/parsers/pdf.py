"""PDF.

Enters: a PDF file. Leaves: its pages with paragraphs put together again from lines, headings recognised by
their size, words joined that were broken at line ends, and repeated page headers and footers left out.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from backends.datatypes import ParsedFile, PasswordNeeded, UserError
from backends.documents import limits
from backends.documents.parsers.common import PageText, assemble, clean, iso_date, one_line, stem, table_lines

CELL_GAP = 0.6  # white space that wide, in font sizes, may separate cells
_BULLET = re.compile(r"^(?:[•◦▪‣●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+")
_BARE_BULLET = re.compile(r"^[•◦▪‣●○■–—*-]$")
_BROKEN_WORD = re.compile(r"(?<=[a-zà-ÿ])[-\u00ad\u2010\x02]$")
_BREAK = "\ufdd0"  # a noncharacter, in no text: where a word was broken, until all pages are read
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ft", "ﬆ": "st"})


@dataclass(frozen=True)
class _Line:
    """A run of text on one baseline; coordinates in points as the page is seen, y grows upwards."""

    text: str
    left: float
    right: float
    bottom: float  # the baseline
    top: float
    size: float
    upright: bool = True


def parse(path: Path, kind: str, name: str, passwords: Sequence[str] = ()) -> ParsedFile:
    document = _open(path, name, passwords)
    try:
        if len(document) > limits.MAX_PAGES:
            raise UserError(
                f"{name} has {len(document):,} pages; documents of up to {limits.MAX_PAGES:,} are read."
            )
        pages = [_in_columns(_lines(document[number])) for number in range(len(document))]
        about = document.get_metadata_dict()
    finally:
        document.close()
    if not any(any(c.isalnum() for c in line.text) for page in pages for line in page):
        raise UserError(
            f"{name} has {len(pages)} page(s) but no text, only images; it needs text recognition first."
        )
    parsed = _put_together(pages, one_line(about.get("Title", "")), name, kind)
    return replace(parsed, date=iso_date(about.get("CreationDate", "") or about.get("ModDate", "")))


def _open(path: Path, name: str, passwords: Sequence[str]) -> Any:
    """The opened document. Many files are encrypted with an empty password: those open without asking."""
    import pypdfium2 as pdfium

    for password in (None, *passwords):
        try:
            return pdfium.PdfDocument(path, password=password)
        except pdfium.PdfiumError as error:
            if "password" not in str(error).lower():
                raise UserError(f"{name} is broken or not a real PDF ({one_line(error)}).") from error
    fits = "none of the passwords given opens it" if passwords else "give the password to have it read"
    raise PasswordNeeded(f"{name} is protected with a password; {fits}.")


def _put_together(pages: list[list[_Line]], title: str, name: str, kind: str) -> ParsedFile:
    pages = _without_running_lines(pages)
    sizes = [line.size for page in pages for line in page for _ in range(1 + len(line.text) // 20)]
    body = median(sizes) if sizes else 10.0
    texts = _whole_words([_page_text(lines, body) for lines in pages])
    biggest = max((x for x in pages[0] if x.upright), key=lambda x: x.size, default=None) if pages else None
    first = biggest.text if biggest and biggest.size > 1.15 * body and len(biggest.text) < 120 else ""
    heading = re.search(rf"^#+ (.*{re.escape(first)}.*)$", texts[0], re.M) if first else None
    junk = re.search(r"untitled|anonymous|microsoft word|\.(docx?|tex|indd|dvi)\b", title, re.I)
    useful = title if 3 < len(title) < 150 and not junk else ""
    numbered = [PageText(number, text) for number, text in enumerate(texts, start=1)]
    found = heading.group(1) if heading and len(heading.group(1)) < 150 else first
    return assemble(numbered, title=useful or one_line(found) or stem(name), kind=kind)


# --- letters to lines ------------------------------------------------------------------------------


def _lines(page: Any) -> list[_Line]:
    """The page's runs of text in the order of the file, which most writers make the reading order."""
    import pypdfium2.raw as raw

    textpage = page.get_textpage()
    try:
        text = textpage.get_text_range()
        if textpage.count_chars() != len(text):  # characters beyond the basic plane shift the offsets
            text = "".join(chr(raw.FPDFText_GetUnicode(textpage, at)) for at in range(textpage.count_chars()))
        letters = _Letters(textpage, page.get_rotation())
        lines: list[_Line] = []
        for match in re.finditer(r"[^\r\n\ufffe]+", text):
            words = match.group()
            if words.strip():
                lead = len(words) - len(words.lstrip())
                first = match.start() + lead
                for piece in letters.pieces(words.strip(), first):
                    if lines and _goes_on(lines[-1], piece):
                        lines[-1] = _glued(lines[-1], piece)
                    else:
                        lines.append(piece)
                if text[match.end() : match.end() + 1] == "\ufffe":  # PDFium's mark of a hyphen at a line end
                    lines[-1] = replace(lines[-1], text=lines[-1].text + "-")
        # Stamps along the margin come last: they belong to no paragraph.
        return [x for x in lines if x.upright] + [x for x in lines if not x.upright]
    finally:
        textpage.close()
        page.close()


class _Letters:
    """Where the letters of a page are, in the coordinates of a page that is turned the way it is read."""

    def __init__(self, textpage: Any, rotation: int) -> None:
        self._page, self._rotation = textpage, rotation

    def pieces(self, text: str, first: int) -> list[_Line]:
        """A baseline's text, cut where a wide gap sets cells apart (not a bullet from its item)."""
        whole = self.line(text, first)
        if self._page.count_rects(first, len(text)) < 2:  # one run of text, the usual case
            return [whole]
        cuts = [0]
        for at in range(1, len(text)):
            if text[at - 1] == " " and text[at] != " " and not _BULLET.fullmatch(text[:at]):
                before = len(text[:at].rstrip()) - 1
                if self._box(first + at)[0] - self._box(first + before)[1] > CELL_GAP * whole.size:
                    cuts.append(at)
        pieces = []
        for begin, end in pairwise([*cuts, len(text)]):
            pieces.append(self.line(text[begin:end].rstrip(), first + begin))
        return pieces

    def line(self, text: str, first: int) -> _Line:
        last = first + len(text) - 1
        begin, end = self._box(first), self._box(last)
        size, upright = self._size(first)
        _, baseline = self._origin(first)
        return _Line(
            text.translate(_LIGATURES),
            min(begin[0], end[0]),
            max(begin[1], end[1]),
            baseline,
            baseline + 0.7 * size,
            size,
            upright,
        )

    def _size(self, at: int) -> tuple[float, bool]:
        """(size in points as seen, whether text runs from left to right): fonts may be scaled or turned."""
        import pypdfium2.raw as raw

        size, matrix = raw.FPDFText_GetFontSize(self._page, at), raw.FS_MATRIX()
        if not raw.FPDFText_GetMatrix(self._page, at, matrix):
            return size or 1.0, True
        along = self._turned(matrix.a, matrix.b)
        return max(size * math.hypot(matrix.c, matrix.d), 1.0), along[0] > abs(along[1])

    def _origin(self, at: int) -> tuple[float, float]:
        import pypdfium2.raw as raw

        x, y = ctypes.c_double(), ctypes.c_double()
        raw.FPDFText_GetCharOrigin(self._page, at, x, y)
        return self._turned(x.value, y.value)

    def _box(self, at: int) -> tuple[float, float]:
        """(left, right) of one letter."""
        import pypdfium2.raw as raw

        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        raw.FPDFText_GetCharBox(self._page, at, left, right, bottom, top)
        one, _ = self._turned(left.value, bottom.value)
        other, _ = self._turned(right.value, top.value)
        return min(one, other), max(one, other)

    def _turned(self, x: float, y: float) -> tuple[float, float]:
        """Turned clockwise with the page; only distances matter, so the origin may lie anywhere."""
        return {0: (x, y), 90: (y, -x), 180: (-x, -y), 270: (-y, x)}[self._rotation]


def _goes_on(before: _Line, piece: _Line) -> bool:
    """Whether a run is the same line, set apart only by a raised or smaller letter or a change of font."""
    size = max(before.size, piece.size)
    return (
        before.upright == piece.upright
        and abs(before.bottom - piece.bottom) < 0.45 * size
        and -0.3 * size < piece.left - before.right < CELL_GAP * size
        and not _BARE_BULLET.match(before.text)
    )


def _glued(before: _Line, piece: _Line) -> _Line:
    gap = "" if piece.left - before.right < 0.12 * max(before.size, piece.size) else " "
    main = before if len(before.text) >= len(piece.text) else piece
    right, text = max(before.right, piece.right), f"{before.text}{gap}{piece.text}"
    return replace(main, text=text, left=min(before.left, piece.left), right=right)


def _in_columns(lines: list[_Line]) -> list[_Line]:
    """Two columns of prose that the file holds line by line across the page, put one after the other.

    Tables lie the same way; they are told apart by their cells, which begin with a capital or a number, while
    the lines of a paragraph mostly begin in the middle of a sentence.
    """
    pairs = [
        (one, two)
        for one, two in pairwise(lines)
        if one.upright and abs(one.bottom - two.bottom) < 0.3 * one.size and two.left > one.right
    ]
    prose = [(one, two) for one, two in pairs if min(len(one.text), len(two.text)) > 20]
    if len(prose) < 6 or len(prose) < 0.7 * len(pairs):
        return lines
    inside = sum(one.text[:1].islower() for one, _ in prose)
    gutter = (max(one.right for one, _ in prose), min(two.left for _, two in prose))
    if inside < 0.3 * len(prose) or gutter[0] >= gutter[1]:
        return lines
    middle = sum(gutter) / 2
    ordered: list[_Line] = []
    band: list[_Line] = []
    for line in [*sorted((x for x in lines if x.upright), key=lambda x: -x.bottom), None]:
        if line is None or line.left < middle < line.right:  # a line across both columns ends the band
            ordered += [x for x in band if x.right <= middle] + [x for x in band if x.left >= middle]
            ordered += [line] if line is not None else []
            band = []
        else:
            band.append(line)
    return ordered + [x for x in lines if not x.upright]


# --- lines to text ---------------------------------------------------------------------------------


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
            blocks[-1] = _join(blocks[-1].rstrip("\n"), line.text) + ("\n" if level else "")
        elif level:
            blocks.append(f"\n{'#' * level} {line.text}\n")
        elif not line.upright:
            blocks.append(f"\n{line.text}")
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
        if rows and (row[0].top > rows[-1][0].top or not _starts_a_column(row[0], rows[0])):
            break
        rows.append(row)
        at += len(row)
    return rows if len(rows) > 1 else []


def _starts_a_column(piece: _Line, first_row: Sequence[_Line]) -> bool:
    """A row begins in the first column, or in another of three or more when its first cells are empty."""
    others = first_row if len(first_row) > 2 else first_row[:1]
    return any(abs(piece.left - each.left) <= 6 for each in others)


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
    if (
        not line.upright
        or line.size < 1.12 * body
        or len(line.text) > 120
        or not re.search(r"[^\W\d]{2}", line.text)
    ):
        return 0
    return 1 if line.size > 1.5 * body else 2 if line.size > 1.25 * body else 3


def _continues(before: _Line, line: _Line, lines: Sequence[_Line], body: float) -> bool:
    """Whether a line goes on with the paragraph of the one before it."""
    if abs(before.size - line.size) > 0.12 * body or _BULLET.match(line.text) or not line.upright:
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
    if re.search(r"\w[-\u00ad\u2010]$", before.text) and line.text[:1].isalnum():
        return True
    if line.text[:1].islower() and not next_column and before.right - before.left > 12 * body:
        return not re.search(r"[.!?:;]$", before.text)
    # A line that stopped short of its column's right edge ended its paragraph.
    peers = [
        each
        for each in lines
        if abs(each.left - before.left) < 3 * body
        and abs(each.bottom - before.bottom) < 15 * body
        and abs(each.size - before.size) < 0.06 * body
    ]
    edge = max((each.right for each in peers), default=before.right)
    width = edge - min((each.left for each in peers), default=before.left)
    ragged = edge - before.right
    next_word = (line.right - line.left) * (len(line.text.split(" ", 1)[0]) + 1) / max(1, len(line.text))
    return width > 12 * body and ragged < max(next_word, 0.06 * width) + 0.5 * body


def _join(text: str, following: str) -> str:
    if _BROKEN_WORD.search(text) and following[:1].islower():
        return f"{text[:-1]}{_BREAK}{following}"
    if (
        re.search(r"\w-$", text) and following[:1].isalnum()
    ):  # "Lucene-" and "BM25": the hyphen is the word's own
        return f"{text}{following}"
    return f"{text} {following}"


def _whole_words(texts: Sequence[str]) -> list[str]:
    """Words broken at a line end in one piece again; the rest of the document tells whether with a hyphen."""
    words = set(re.findall(r"[\w-]+", "\n".join(texts).lower()))

    def whole(match: re.Match[str]) -> str:
        one, two = match.groups()
        plain, hyphened = f"{one}{two}".lower(), f"{one}-{two}".lower()
        compound = "-" in one or (hyphened in words and plain not in words)
        return f"{one}-{two}" if compound else f"{one}{two}"

    return [re.sub(rf"([\w-]*){_BREAK}([\w-]*)", whole, text).replace(_BREAK, "") for text in texts]
