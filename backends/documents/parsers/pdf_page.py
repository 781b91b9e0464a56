"""A page of a PDF as PDFium holds it: its text as runs with their places, its ruling lines, its pictures.

Enters: a page. Leaves: what is drawn on it, in points as the page is seen, y growing upwards. It knows no
words, tables or paragraphs. Letters are asked for one by one only where runs meet: a call costs microseconds,
and a page has thousands.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pypdfium2.raw as raw

if TYPE_CHECKING:
    from pypdfium2 import PdfObject, PdfPage, PdfTextPage

CELL_GAP = 0.6  # white space that wide, in font sizes, may separate cells
THIN = 3.0  # points; what is thinner is a ruling line
MOST_OBJECTS = 5000  # a page with more is a drawing, and its lines are no table
WHITE = 0xFFFFFF
NEARLY_WHITE = 250  # the least of a colour's parts that nobody tells from paper
MOST_POINTS = 400  # of a path; one with more is a drawing
RAISED, LOWERED, LEVEL = "\ufdd1", "\ufdd2", "\ufdd3"  # noncharacters, in no text: see `pdf_scripts`
BULLET = re.compile(r"^(?:[•◦▪‣●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+")
BARE_BULLET = re.compile(r"^[•◦▪‣●○■–—*-]$")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ft", "ﬆ": "st"})
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc]")

Box = tuple[float, float, float, float]  # left, bottom, right, top
Turn = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class TextLine:
    """A run of text on one baseline."""

    text: str
    left: float
    right: float
    bottom: float  # the baseline
    top: float
    size: float
    upright: bool = True
    font: bytes = b""  # its name
    seen: bool = True


@dataclass
class Drawing:
    """What is drawn beside the text."""

    across: list[tuple[float, float, float]] = field(default_factory=list)  # level rules: y, from x, to x
    down: list[tuple[float, float, float]] = field(default_factory=list)  # upright rules: x, from y, to y
    fills: list[tuple[Box, int]] = field(default_factory=list)  # shaded areas and their colour
    painted: list[Box] = field(default_factory=list)  # whatever white text may be seen on
    pictures: list[Box] = field(default_factory=list)
    objects: int = 0  # of the page, its runs of text too

    def add_rule(self, left: float, bottom: float, right: float, top: float) -> None:
        """A thin area; what is neither level nor upright is left out."""
        if top - bottom <= THIN < right - left:
            self.across.append(((bottom + top) / 2, left, right))
        elif right - left <= THIN < top - bottom:
            self.down.append(((left + right) / 2, bottom, top))


def turning(rotation: int) -> Turn:
    """Coordinates turned clockwise with the page; only distances matter, so the origin may lie anywhere."""
    turns: dict[int, Turn] = {
        0: lambda x, y: (x, y),
        90: lambda x, y: (y, -x),
        180: lambda x, y: (-x, -y),
        270: lambda x, y: (-y, x),
    }
    return turns[rotation]


def turned_box(turn: Turn, left: float, bottom: float, right: float, top: float) -> Box:
    """The box turned, its corners in order again."""
    (x0, y0), (x1, y1) = turn(left, bottom), turn(right, top)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


# --- drawing ---------------------------------------------------------------------------------------


def read_drawing(page: PdfPage, turn: Turn) -> Drawing:
    """Rules, shaded areas and pictures. A page of very many objects is a drawing: only its pictures count."""
    drawing = Drawing()
    handle = page.raw
    count = raw.FPDFPage_CountObjects(handle)
    drawing.objects = count
    sides = [ctypes.c_float() for _ in range(4)]
    places = [ctypes.byref(side) for side in sides]
    for at in range(min(count, MOST_OBJECTS)):
        each = raw.FPDFPage_GetObject(handle, at)
        kind = raw.FPDFPageObj_GetType(each)
        if kind == raw.FPDF_PAGEOBJ_TEXT or not raw.FPDFPageObj_GetBounds(each, *places):
            continue
        box = turned_box(turn, *(side.value for side in sides))
        if kind != raw.FPDF_PAGEOBJ_PATH:
            drawing.painted.append(box)
            drawing.pictures += [box] if kind == raw.FPDF_PAGEOBJ_IMAGE else []
        elif count <= MOST_OBJECTS:
            _add_path(drawing, each, box, turn)
    return drawing


def _add_path(drawing: Drawing, path: PdfObject, box: Box, turn: Turn) -> None:
    left, bottom, right, top = box
    if min(right - left, top - bottom) <= THIN:
        drawing.add_rule(*box)
        return
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(path, fill, stroke)
    if fill.value and _colour(path) != WHITE:
        drawing.painted.append(box)
    points = raw.FPDFPath_CountSegments(path)
    if not 2 <= points <= MOST_POINTS:
        return
    if fill.value and not stroke.value and points <= 6:
        drawing.fills.append((box, _colour(path)))
        return
    for corner, other in pairwise(_points(path, turn)):
        if corner is not None and other is not None:
            (x0, y0), (x1, y1) = corner, other
            drawing.add_rule(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def _points(path: PdfObject, turn: Turn) -> Iterator[tuple[float, float] | None]:
    """The corners of a path, each closed ring back to its start; None where the pen was lifted."""
    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(path, matrix)
    x, y = ctypes.c_float(), ctypes.c_float()
    start: tuple[float, float] | None = None
    for at in range(raw.FPDFPath_CountSegments(path)):
        segment = raw.FPDFPath_GetPathSegment(path, at)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = turn(
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            yield None
            start = point
        elif kind == raw.FPDF_SEGMENT_BEZIERTO:
            yield None
        yield point
        if raw.FPDFPathSegment_GetClose(segment):
            yield start


def _colour(path: PdfObject) -> int:
    parts = [ctypes.c_uint() for _ in range(4)]
    raw.FPDFPageObj_GetFillColor(path, *parts)
    red, green, blue, _ = (part.value for part in parts)
    return red << 16 | green << 8 | blue


# --- text ------------------------------------------------------------------------------------------


def read_lines(textpage: PdfTextPage, turn: Turn, drawing: Drawing) -> list[TextLine]:
    """The page's runs of text in the order of the file, which most writers make the reading order."""
    text = textpage.get_text_range()
    if textpage.count_chars() != len(text):  # characters beyond the basic plane shift the offsets
        text = "".join(chr(raw.FPDFText_GetUnicode(textpage, at)) for at in range(textpage.count_chars()))
    letters = _Letters(textpage, turn, drawing)
    lines: list[TextLine] = []
    begins = False  # the last line is the first on its height
    for match in re.finditer(r"[^\r\n\ufffe]+", text):
        words = match.group()
        if words.strip():
            first = match.start() + len(words) - len(words.lstrip())
            for gap, run in letters.runs(words.strip(), first):
                if lines and (joined := _joined(lines[-1], run, gap, drawing, begins)) is not None:
                    lines[-1] = joined
                else:
                    begins = gap == "\n" and not (lines and _beside(lines[-1], run))
                    lines.append(run)
            if text[match.end() : match.end() + 1] == "\ufffe":  # PDFium's mark of a hyphen at a line end
                lines[-1] = replace(lines[-1], text=lines[-1].text + "-")
    lines = upright_heads(lines)
    # Stamps along the margin come last: they belong to no paragraph.
    return _with_bullets([x for x in lines if x.upright]) + [x for x in lines if not x.upright]


def upright_heads(lines: list[TextLine]) -> list[TextLine]:
    """The lines with the turned headings of columns set level, at the foot of their cells.

    Headings are turned lines side by side with values close below; a stamp in the margin has none.
    """
    turned = sorted((x for x in lines if not x.upright), key=lambda x: x.left)
    heads = [x for x in turned if any(y is not x and _share_height(x, y) for y in turned)]
    foot = min((x.bottom for x in heads), default=0.0)
    below = [x for x in lines if x.upright and foot - 4 * x.size < x.bottom < foot]
    if len(heads) < 2 or len(below) < 2 or not any(_under(x, heads) for x in below):
        return lines
    top = max(x.top for x in heads)
    beside = [x for x in lines if x.upright and foot - 0.6 * x.size < x.bottom < top]  # names not turned
    bottom = min((x.bottom for x in beside), default=foot)
    made = [replace(x, bottom=bottom, top=bottom + 0.7 * x.size, upright=True) for x in heads]
    row = sorted([*made, *(x for x in beside if x.bottom == bottom)], key=lambda x: x.left)
    rest = [x for x in lines if not any(x is y for y in (*heads, *row))]
    first = next((at for at, x in enumerate(rest) if any(x is y for y in below)), len(rest))
    return [*rest[:first], *row, *rest[first:]]


def _share_height(one: TextLine, two: TextLine) -> bool:
    """Whether two turned lines begin, end or have their middles on one height, with a gap between them."""
    apart = max(one.left, two.left) - min(one.right, two.right) > 0.5 * one.size
    ends = (one.bottom - two.bottom, one.top - two.top, (one.bottom + one.top - two.bottom - two.top) / 2)
    return apart and min(map(abs, ends)) < 2


def _under(line: TextLine, heads: list[TextLine]) -> bool:
    return any(line.left < head.right + head.size and line.right > head.left - head.size for head in heads)


def _with_bullets(lines: list[TextLine]) -> list[TextLine]:
    """Bullets and numbers that the file draws apart from their items, in front of these."""
    marks = [x for x in lines if BARE_BULLET.match(x.text) or re.fullmatch(r"\(?\d{1,3}[.)]", x.text)]
    for mark in marks:
        at = next(place for place, line in enumerate(lines) if line is mark)
        if at + 1 < len(lines) and _beside(mark, lines[at + 1]):
            continue
        item = min(
            (line for line in lines if _beside(mark, line) and line.left - mark.right < 4 * line.size),
            key=lambda line: line.left,
            default=None,
        )
        if item is not None:
            joined = replace(item, text=f"{mark.text} {item.text}", left=mark.left)
            lines = [joined if line is item else line for line in lines if line is not mark]
    return lines


class _Letters:
    """Where the letters of a page are."""

    def __init__(self, page: PdfPage, turn: Turn, drawing: Drawing) -> None:
        self._page, self._turn, self._drawing = page.raw, turn, drawing
        self._colour = [ctypes.c_uint() for _ in range(3)]
        self._colour_places = [*map(ctypes.byref, self._colour), ctypes.byref(ctypes.c_uint())]
        self._numbers = [ctypes.c_double() for _ in range(4)]
        self._places = [ctypes.byref(number) for number in self._numbers]
        self._matrix = raw.FS_MATRIX()
        self._name = ctypes.create_string_buffer(128)

    def runs(self, text: str, first: int) -> Iterator[tuple[str, TextLine]]:
        """A baseline's text as (white space before, run): a run is what the file draws at once."""
        last, shows = first + len(text) - 1, self._shows(first)
        alike = self._object(first) == self._object(last) or shows == self._shows(last)
        if alike and raw.FPDFText_CountRects(self._page, first, len(text)) == 1:  # the usual case
            yield "\n", self._line(text, first, self._whole_box(), shows)
            return
        gap = "\n"  # a new line of the file
        for begin, end in pairwise([*self._cuts(text, first), len(text)]):
            words = text[begin:end].rstrip()
            box = self._box(first + begin, first + begin + len(words) - 1)
            yield gap, self._line(words, first + begin, box, self._shows(first + begin))
            gap = " " if len(words) < end - begin else ""

    def _cuts(self, text: str, first: int) -> list[int]:
        """Where runs begin."""
        cuts, before = [0], None
        for word in re.finditer(r"\S+", text):
            begin, end = word.span()
            head = self._object(first + begin)
            tail = self._object(first + end - 1) if end - begin > 1 else head
            if before is not None and head != before:
                cuts.append(begin)
            if head != tail and any(map(str.isdigit, word.group())):
                cuts += self._inner_cuts(word, first)
            before = tail
        return cuts

    def _inner_cuts(self, word: re.Match[str], first: int) -> Iterator[int]:
        """Where runs of other size or height meet within a word with figures: powers, marks of notes."""
        begin, end = word.span()
        text = word.string
        before, looks = self._object(first + begin), None
        last = begin
        for at in range(begin + 1, end):
            each = self._object(first + at)
            if each is None or each == before:
                continue
            looks = looks or self._print(first + last, text[last].isdigit())
            now = self._print(first + at, text[at].isdigit())
            if now != looks:
                yield at
            before, looks, last = each, now, at

    def _object(self, at: int) -> int | None:
        """A number for the text object that a letter belongs to; None for letters PDFium put in."""
        pointer = raw.FPDFText_GetTextObject(self._page, at)
        return ctypes.addressof(pointer.contents) if pointer else None

    def _print(self, at: int, digit: bool) -> tuple[int, int]:
        """(size, baseline) in tenths of a point."""
        size, baseline = self._size(at)[0], self._baseline(at)
        if digit:
            size, baseline = self._raised(size, baseline, self._box(at, at))
        return round(10 * size), round(10 * baseline)

    def _line(self, text: str, first: int, box: Box, shows: bool) -> TextLine:
        size, upright = self._size(first)
        baseline = self._baseline(first)
        if text[0].isdigit() and upright and len(text) < 4:
            size, baseline = self._raised(size, baseline, box)
        text = text if text.isascii() else _whole(text).translate(_LIGATURES)
        bottom, top = (baseline, baseline + 0.7 * size) if upright else (box[1], box[3])
        seen = shows or self._has_behind(first, box)
        return TextLine(text, box[0], box[2], bottom, top, size, upright, self._font(first), seen)

    def _shows(self, at: int) -> bool:
        """Whether a letter is drawn, and not in the colour of paper."""
        if self._is_invisible(at):
            return False
        raw.FPDFText_GetFillColor(self._page, at, *self._colour_places)
        return any(part.value < NEARLY_WHITE for part in self._colour)

    def _is_invisible(self, at: int) -> bool:
        mode = raw.FPDFTextObj_GetTextRenderMode(raw.FPDFText_GetTextObject(self._page, at))
        return bool(mode == raw.FPDF_TEXTRENDERMODE_INVISIBLE)

    def _has_behind(self, at: int, box: Box) -> bool:
        """Whether white words may stand on something coloured, or invisible ones on the picture of a scan."""
        behind = self._drawing.pictures if self._is_invisible(at) else self._drawing.painted
        return self._drawing.objects > MOST_OBJECTS or any(_overlaps(box, each) for each in behind)

    def _raised(self, size: float, baseline: float, box: Box) -> tuple[float, float]:
        """(size, baseline) as seen: some fonts have letters that are small and raised in themselves."""
        _, low, _, high = box
        if low - baseline > 0.2 * size and 0.2 * size < high - low < 0.55 * size:
            return (high - low) / 0.7, low
        return size, baseline

    def _size(self, at: int) -> tuple[float, bool]:
        """(size in points as seen, whether text runs from left to right): fonts may be scaled or turned."""
        size, matrix = raw.FPDFText_GetFontSize(self._page, at), self._matrix
        if not raw.FPDFText_GetMatrix(self._page, at, matrix):
            return size or 1.0, True
        along = self._turn(matrix.a, matrix.b)
        return max(size * math.hypot(matrix.c, matrix.d), 1.0), along[0] > abs(along[1])

    def _font(self, at: int) -> bytes:
        length = raw.FPDFText_GetFontInfo(self._page, at, self._name, 128, None)
        return self._name.value if 0 < length <= 128 else b""

    def _baseline(self, at: int) -> float:
        raw.FPDFText_GetCharOrigin(self._page, at, *self._places[:2])
        return self._turn(self._numbers[0].value, self._numbers[1].value)[1]

    def _whole_box(self) -> Box:
        """Where the ink of the text is whose rectangles were last counted."""
        raw.FPDFText_GetRect(self._page, 0, *self._places)
        left, top, right, bottom = (number.value for number in self._numbers)
        return turned_box(self._turn, left, bottom, right, top)

    def _box(self, first: int, last: int) -> Box:
        """Where the ink of two letters is, and what lies between them."""
        raw.FPDFText_GetCharBox(self._page, first, *self._places)
        x0, x1, y0, y1 = (number.value for number in self._numbers)
        if last == first:
            return turned_box(self._turn, x0, y0, x1, y1)
        raw.FPDFText_GetCharBox(self._page, last, *self._places)
        x2, x3, y2, y3 = (number.value for number in self._numbers)
        return turned_box(self._turn, min(x0, x2), min(y0, y2), max(x1, x3), max(y1, y3))


def _joined(before: TextLine, run: TextLine, gap: str, drawing: Drawing, begins: bool) -> TextLine | None:
    """The run put behind the one before, None where it begins a line or a cell of its own.

    `gap` is the white space between them in the file: a line end, a blank or nothing. A bullet is one only
    where the line before `begins` a height of the page.
    """
    if before.seen != run.seen or (gap == "\n" and not run.upright):
        return None
    size, space = max(before.size, run.size), run.left - before.right
    script = _script(before, run)
    level = abs(run.bottom - before.bottom) < 0.2 * size
    tight = 0.35 if run.size <= before.size else 0.8  # a raised mark in front of its note stands farther off
    if before.upright != run.upright or not (level or (script and space < tight * size)):
        return None
    if space < -0.3 * size and (gap == "\n" or not _RIGHT_TO_LEFT.search(run.text)):
        return None
    if begins and len(before.text) < 6 and BULLET.fullmatch(f"{before.text} "):
        widest = 0.0 if gap == "\n" else 4.0  # a bullet is no cell
    else:
        widest = CELL_GAP
    if (space > widest * size and not script) or (space > 1 and _ruled_off(drawing, before, run)):
        return None
    blank = " " if gap == " " or (gap == "\n" and space >= 0.12 * size) else ""
    return _glued(before, run, blank, script)


def _overlaps(one: Box, two: Box) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _whole(text: str) -> str:
    """Letters beyond the basic plane, which PDFium gives in two halves, in one piece."""
    if not re.search("[\ud800-\udbff]", text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _beside(before: TextLine, run: TextLine) -> bool:
    return abs(before.bottom - run.bottom) < 0.3 * run.size and run.left > before.right


def _script(before: TextLine, run: TextLine) -> str:
    """RAISED or LOWERED when the smaller of two neighbours is a power, an index or the mark of a note."""
    small, large = (run, before) if run.size <= before.size else (before, run)
    rise = (small.bottom - large.bottom) / large.size
    if small.size > 0.95 * large.size:  # as large: only what can be nothing else
        alone = small is run and re.fullmatch(r"[-−+]?\d{1,2}", run.text)
        close = run.left - before.right < 0.15 * run.size
        return RAISED if alone and close and 0.25 < rise < 0.6 else ""
    if len(small.text) > 5:
        return ""
    least = 0.25 if small.size > 0.85 * large.size else 0.12
    return RAISED if least < rise < 0.8 else LOWERED if -0.6 < rise < -0.4 * least else ""


def _glued(before: TextLine, run: TextLine, blank: str, script: str) -> TextLine:
    """Two neighbours as one line; the smaller one stands between marks if it is raised or lowered."""
    left, right = min(before.left, run.left), max(before.right, run.right)
    if script and run.size <= before.size:
        open_ = max(before.text.rfind(mark) for mark in (RAISED, LOWERED))
        goes_on = not blank and before.text.endswith(LEVEL) and before.text[open_] == script
        text = (
            f"{before.text[:-1]}{run.text}{LEVEL}"
            if goes_on
            else f"{before.text}{blank}{script}{run.text}{LEVEL}"
        )
        main = before  # "-" and "6" raised one after the other are one power
    elif script:
        text, main = f"{script}{before.text}{LEVEL}{blank}{run.text}", run
    else:
        text = f"{before.text}{blank}{run.text}"
        main = before if len(before.text) >= len(run.text) else run
    return replace(main, text=text, left=left, right=right)


def _ruled_off(drawing: Drawing, before: TextLine, run: TextLine) -> bool:
    """Whether an upright rule stands between two neighbours."""
    middle = (run.bottom + run.top) / 2
    return any(
        before.right - 0.5 <= x <= run.left + 0.5 and low <= middle <= high for x, low, high in drawing.down
    )
