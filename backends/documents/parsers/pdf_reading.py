"""All that a PDF holds, page by page, and what of it was not read.

Enters: an opened document. Leaves: the lines of its pages with form values among them, what is drawn,
comments, and notes. Pages that are images are read by text recognition where that is installed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from backends.documents import limits
from backends.documents.parsers import recognition
from backends.documents.parsers.common import one_line
from backends.documents.parsers.pdf_forms import read_annotations, with_fields, without_struck
from backends.documents.parsers.pdf_page import Drawing, TextLine, read_drawing, read_lines, turning
from backends.documents.parsers.pdf_tables import reading_order

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfFormEnv, PdfPage, PdfTextPage

FEW = 15  # letters on a page that is a picture all the same
OUTLINES = 20  # objects of a page without letters that may be letters drawn as outlines
POINTS_PER_INCH = 72
DOTS_PER_INCH = 300
MOST_DOTS = 5000  # of a page's longer side
MOST_NAMES = 20  # of attached files or pages in a note


@dataclass(frozen=True)
class PageContents:
    """One page; `picture` is the share of it that its largest picture covers."""

    lines: list[TextLine]
    drawing: Drawing
    comments: tuple[str, ...] = ()
    picture: float = 0.0
    struck: bool = False  # text marked as struck out was left out
    unseen: bool = False  # text that is white on white or not drawn was left out
    fate: str = ""  # of a page that is an image or damaged: one of the keys of _FATES


@dataclass(frozen=True)
class Contents:
    """A document's pages, and what is worth knowing about their reading."""

    pages: list[PageContents]
    notes: tuple[str, ...]


_FATES = {  # what is said of one page, of many
    "recognised": (
        "is an image, read by text recognition, which makes mistakes",
        "are images, read by text recognition, which makes mistakes",
    ),
    "empty": (
        "is an image in which text recognition found nothing",
        "are images in which text recognition found nothing",
    ),
    "late": (
        "is an image and was not read: text recognition took too long",
        "are images and were not read: text recognition took too long",
    ),
    "off": (
        "is an image and was not read: no text recognition (tesseract) is installed",
        "are images and were not read: no text recognition (tesseract) is installed",
    ),
    "damaged": ("is damaged and was not read", "are damaged and were not read"),
}


def contents(document: PdfDocument) -> Contents:
    """Everything, in memory; the document may be closed afterwards."""
    document.init_forms()
    clock = _Clock(limits.RECOGNITION_SECONDS)
    pages = [_page(document, number, clock) for number in range(len(document))]
    return Contents(pages, tuple(_notes(document, pages)))


@dataclass
class _Clock:
    """Seconds left for the text recognition of a document."""

    left: float


def _page(document: PdfDocument, number: int, clock: _Clock) -> PageContents:
    try:
        page = document[number]
        textpage = page.get_textpage()
    except pdfium.PdfiumError:
        return PageContents([], Drawing(), fate="damaged")
    try:
        read = _read(page, textpage, document.formenv)
        return _recognised(page, read, clock) if _is_image(read) else read
    finally:
        textpage.close()
        page.close()


def _read(page: PdfPage, textpage: PdfTextPage, forms: PdfFormEnv | None) -> PageContents:
    turn = turning(page.get_rotation())
    drawing = read_drawing(page, turn)
    lines = read_lines(textpage, turn, drawing)
    unseen = not all(line.seen for line in lines) and any(line.seen for line in lines)
    lines = [line for line in lines if line.seen or not unseen]
    beside = read_annotations(page, forms, turn)
    if beside.struck:
        lines = without_struck(lines, textpage, beside.struck, turn)
    if beside.fields:
        lines = with_fields(lines, beside.fields)
    width, height = page.get_size()
    areas = ((right - left) * (top - bottom) for left, bottom, right, top in drawing.pictures)
    picture = max(areas, default=0.0) / max(1.0, width * height)
    return PageContents(lines, drawing, beside.comments, picture, bool(beside.struck), unseen)


def _is_image(page: PageContents) -> bool:
    letters = sum(len(line.text) for line in page.lines)
    return (letters < FEW and page.picture > 0.5) or (
        letters == 0 and (page.picture > 0.05 or page.drawing.objects > OUTLINES)
    )


# --- pages that are images -------------------------------------------------------------------------


def _recognised(page: PdfPage, read: PageContents, clock: _Clock) -> PageContents:
    """The page with the lines that text recognition finds."""
    if not recognition.installed():
        return replace(read, fate="off")
    started = time.monotonic()
    try:
        lines = _recognised_lines(page, clock.left)
    except TimeoutError:
        return replace(read, fate="late")
    finally:
        clock.left -= time.monotonic() - started
    return replace(read, lines=[*read.lines, *lines], fate="recognised" if lines else "empty")


def _recognised_lines(page: PdfPage, seconds: float) -> list[TextLine]:
    """In points, row by row: the program takes the columns of a table for columns of text."""
    if seconds <= 0:
        raise TimeoutError
    scale = min(DOTS_PER_INCH / POINTS_PER_INCH, MOST_DOTS / max(page.get_size()))
    bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=False)
    width, height, stride = bitmap.width, bitmap.height, bitmap.stride
    data = bytes(bitmap.buffer)
    grey = b"".join(data[row * stride : row * stride + width] for row in range(height))
    found = recognition.recognised(grey, width, height, seconds)
    if not found:
        return []
    size = 1.3 * median(word.bottom - word.top for words in found for word in words)
    lines = []
    for words in (cell for line in found for cell in _cells(line, size)):
        text = " ".join(word.text for word in words)
        bottom = height - median(word.bottom for word in words)
        left, right, top = words[0].left, words[-1].right, bottom + 0.7 * size
        lines.append(TextLine(text, left / scale, right / scale, bottom / scale, top / scale, size / scale))
    return reading_order(lines)


def _cells(words: Sequence[recognition.Word], size: float) -> Iterator[list[recognition.Word]]:
    """A line's words, cut where a wide gap sets cells apart."""
    cell: list[recognition.Word] = []
    for word in words:
        if cell and word.left - cell[-1].right > size:
            yield cell
            cell = []
        cell.append(word)
    yield cell


# --- notes -----------------------------------------------------------------------------------------


def _notes(document: PdfDocument, pages: Sequence[PageContents]) -> Iterator[str]:
    numbered = list(enumerate(pages, start=1))
    for fate, (one, many) in _FATES.items():
        if numbers := [number for number, page in numbered if page.fate == fate]:
            yield f"{pages_in_words(numbers)} {many if len(numbers) > 1 else one}"
    if numbers := [number for number, page in numbered if _shows_pictures(page)]:
        yield f"pictures on {pages_in_words(numbers)} were not read"
    if numbers := [number for number, page in numbered if page.struck]:
        yield f"text struck out on {pages_in_words(numbers)} was left out"
    if numbers := [number for number, page in numbered if page.unseen]:
        yield f"text that cannot be seen on {pages_in_words(numbers)} was left out"
    if document.get_formtype() in (raw.FORMTYPE_XFA_FULL, raw.FORMTYPE_XFA_FOREGROUND):
        yield "the form is of a kind (XFA) of which not all fields are read"
    if names := _attached(document):
        yield f"attached files were not read: {', '.join(names)}"


def _shows_pictures(page: PageContents) -> bool:
    """Whether a page has a picture that may say something, and is no background behind the text."""
    return not page.fate and page.picture > 0.1 and (page.picture < 0.8 or len(page.lines) < 4)


def pages_in_words(numbers: Sequence[int]) -> str:
    """Page numbers in words: page 2; pages 2 and 3; pages 1, 4 to 9 and 12."""
    parts: list[str] = []
    for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        parts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run)
    if len(parts) > MOST_NAMES:
        parts = [*parts[: MOST_NAMES - 1], f"others, {len(numbers)} in all"]
    words = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"page{'s' if len(numbers) > 1 else ''} {words}"


def _attached(document: PdfDocument) -> list[str]:
    count = min(document.count_attachments(), MOST_NAMES)
    return [one_line(document.get_attachment(at).get_name()) or "unnamed" for at in range(count)]
