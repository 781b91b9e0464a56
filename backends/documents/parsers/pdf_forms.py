"""Form fields and comments of a PDF page, which are no part of its text.

Enters: a page and the document's form environment. Leaves: what was filled in, put where a reader of the page
sees it, and the comments. It knows no layout beyond the line or label beside a field.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pypdfium2.raw as raw

from backends.documents.parsers.common import one_line
from backends.documents.parsers.pdf_page import Box, TextLine, Turn, turned_box

if TYPE_CHECKING:
    from pypdfium2 import PdfFormEnv, PdfPage, PdfTextPage
    from pypdfium2.raw import FPDF_ANNOTATION as Annotation

BESIDE = 250.0  # points from a field to its label, at most
_COMMENTS = {
    raw.FPDF_ANNOT_TEXT,
    raw.FPDF_ANNOT_FREETEXT,
    raw.FPDF_ANNOT_LINE,
    raw.FPDF_ANNOT_SQUARE,
    raw.FPDF_ANNOT_CIRCLE,
    raw.FPDF_ANNOT_POLYGON,
    raw.FPDF_ANNOT_POLYLINE,
    raw.FPDF_ANNOT_HIGHLIGHT,
    raw.FPDF_ANNOT_UNDERLINE,
    raw.FPDF_ANNOT_SQUIGGLY,
    raw.FPDF_ANNOT_STRIKEOUT,
    raw.FPDF_ANNOT_STAMP,
    raw.FPDF_ANNOT_CARET,
    raw.FPDF_ANNOT_INK,
}
_TICKED = {raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON}
_WRITTEN = {raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX}
_FILLED = b"\0"  # the font of lines that are values of fields: no labels
_PASSWORD = 1 << 13  # flag of a text field whose letters are not shown


@dataclass(frozen=True)
class FormField:
    """A form field: what was written, or for a box whether it is ticked."""

    box: Box
    name: str
    value: str = ""
    ticked: bool | None = None

    @property
    def middle(self) -> float:
        """Height of the middle of the box, in points."""
        return (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True)
class Annotations:
    """What lies on a page beside its text."""

    fields: tuple[FormField, ...] = ()
    comments: tuple[str, ...] = ()
    struck: tuple[Box, ...] = ()  # places of the page where text is struck out, not turned with it


def read_annotations(page: PdfPage, forms: PdfFormEnv | None, turn: Turn) -> Annotations:
    """`forms` is the document's form environment, None where it has no form."""
    fields: list[FormField] = []
    comments: list[str] = []
    struck: list[Box] = []
    for at in range(raw.FPDFPage_GetAnnotCount(page)):
        with _annotation(page, at) as each:
            kind = raw.FPDFAnnot_GetSubtype(each) if each else None
            if kind == raw.FPDF_ANNOT_WIDGET and forms:
                field = _field(each, forms, turn)
                fields += [field] if field else []
            elif kind in _COMMENTS:
                struck += _places(each) if kind == raw.FPDF_ANNOT_STRIKEOUT else []
                comments += _comment(each)
    return Annotations(tuple(fields), tuple(comments), tuple(struck))


@contextmanager
def _annotation(page: PdfPage, at: int) -> Iterator[Annotation]:
    each = raw.FPDFPage_GetAnnot(page, at)
    try:
        yield each
    finally:
        if each:
            raw.FPDFPage_CloseAnnot(each)


def _text(call: Callable[..., int], *handles: PdfFormEnv | Annotation | bytes | None) -> str:
    """A string that PDFium writes in UTF-16 into a buffer of the length it asks for."""
    length = call(*handles, None, 0)
    if length <= 2:
        return ""
    buffer = ctypes.create_string_buffer(length)
    call(*handles, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), length)
    return one_line(buffer.raw[: length - 2].decode("utf-16-le", "replace"))


def _comment(annotation: Annotation) -> list[str]:
    words = _text(raw.FPDFAnnot_GetStringValue, annotation, b"Contents")
    author = _text(raw.FPDFAnnot_GetStringValue, annotation, b"T")
    return [f"Comment{f' by {author}' if author else ''}: {words}"] if words else []


def _places(annotation: Annotation) -> list[Box]:
    """The parts of lines that an annotation marks."""
    places: list[Box] = []
    corners = raw.FS_QUADPOINTSF()
    for at in range(raw.FPDFAnnot_CountAttachmentPoints(annotation)):
        if raw.FPDFAnnot_GetAttachmentPoints(annotation, at, corners):
            xs = (corners.x1, corners.x2, corners.x3, corners.x4)
            ys = (corners.y1, corners.y2, corners.y3, corners.y4)
            places.append((min(xs), min(ys), max(xs), max(ys)))
    return places


def _field(annotation: Annotation, forms: PdfFormEnv | None, turn: Turn) -> FormField | None:
    kind = raw.FPDFAnnot_GetFormFieldType(forms, annotation)
    rect = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, rect)
    box = turned_box(turn, rect.left, rect.bottom, rect.right, rect.top)
    name = _text(raw.FPDFAnnot_GetFormFieldAlternateName, forms, annotation) or _text(
        raw.FPDFAnnot_GetFormFieldName, forms, annotation
    )
    if kind in _TICKED:
        return FormField(box, name, ticked=bool(raw.FPDFAnnot_IsChecked(forms, annotation)))
    hidden = raw.FPDFAnnot_GetFormFieldFlags(forms, annotation) & _PASSWORD
    if kind not in _WRITTEN or (kind == raw.FPDF_FORMFIELD_TEXTFIELD and hidden):
        return None
    value = _text(raw.FPDFAnnot_GetFormFieldValue, forms, annotation)
    return FormField(box, name, value) if value else None


def without_struck(
    lines: Sequence[TextLine], textpage: PdfTextPage, struck: Sequence[Box], turn: Turn
) -> list[TextLine]:
    """The lines without the words that are struck out."""
    kept = list(lines)
    for place in struck:
        words = one_line(textpage.get_text_bounded(*place))
        _, bottom, _, top = turned_box(turn, *place)
        for at, line in enumerate(kept):
            if words and words in line.text and bottom - 2 <= line.bottom <= top:
                kept[at] = replace(line, text=_without(line.text, words))
                break
    return [line for line in kept if line.text]


def _without(text: str, words: str) -> str:
    """Without the words that lie wholly in the part that is struck out, which may touch the next letter."""
    start, end = text.find(words), text.find(words) + len(words)
    while end < len(text) and text[end].isalnum() and text[end - 1].isalnum() and end > start:
        end -= 1
    while 0 < start < end and text[start - 1].isalnum() and text[start].isalnum():
        start += 1
    return " ".join(f"{text[:start]} {text[end:]}".split())


# --- fields among the lines ------------------------------------------------------------------------


def with_fields(lines: Sequence[TextLine], fields: Sequence[FormField]) -> list[TextLine]:
    """The lines with what was filled in: behind its label, in front of it for a box, else at its place."""
    placed = list(lines)
    for field in sorted(fields, key=lambda field: (-round(field.middle / 6), field.box[0])):
        at = _label(placed, field, fields)
        if at is not None:
            placed[at] = _labelled(placed[at], field)
        else:
            placed.insert(_place(placed, field), _alone(field, fields))
    return placed


def _label(lines: Sequence[TextLine], field: FormField, fields: Sequence[FormField]) -> int | None:
    """The line that names a field: to the right of a box, else to the left, else above; None without one."""
    left, bottom, right, top = field.box
    level = [
        at
        for at, line in enumerate(lines)
        if line.upright and line.font != _FILLED and bottom - 3 < line.bottom + 2 < top + 3
    ]
    after = [at for at in level if 0 <= lines[at].left - right + 2 < 3 * lines[at].size]
    before = [at for at in level if -2 < left - lines[at].right < BESIDE]
    before = [at for at in before if not _between(lines[at].right, left, field, fields)]
    if field.ticked is not None and after and not any(lines[at].text.endswith(":") for at in before):
        return min(after, key=lambda at: lines[at].left)
    if before:
        return max(before, key=lambda at: lines[at].right)
    if _in_row(field, fields):
        return None  # a row of fields: their labels are the table's
    above = [
        at
        for at, line in enumerate(lines)
        if line.upright
        and line.font != _FILLED
        and abs(line.left - left) < 12
        and -2 < line.bottom - top < 1.2 * line.size
    ]
    return above[0] if above else None


def _in_row(field: FormField, fields: Sequence[FormField]) -> bool:
    return any(each is not field and abs(each.middle - field.middle) < 4 for each in fields)


def _value(field: FormField) -> str:
    return field.value if field.ticked is None else "yes" if field.ticked else "no"


def _between(start: float, end: float, field: FormField, fields: Sequence[FormField]) -> bool:
    """Whether another field stands between a label and this one."""
    return any(
        each is not field and abs(each.middle - field.middle) < 4 and start - 2 < each.box[0] < end - 2
        for each in fields
    )


def _labelled(line: TextLine, field: FormField) -> TextLine:
    left, _, right, _ = field.box
    if field.ticked is not None and line.left >= right - 3:
        return replace(line, text=f"{'[x]' if field.ticked else '[ ]'} {line.text}", left=left)
    value = _value(field)
    mark = "" if line.text.endswith((":", "?", "=")) else ":"
    return replace(line, text=f"{line.text}{mark} {value}", right=max(line.right, right))


def _alone(field: FormField, fields: Sequence[FormField]) -> TextLine:
    """A field without a label beside it: with its own name; in a row of fields its value alone, as a cell."""
    left, _, right, _ = field.box
    value = _value(field)
    if field.name and not _in_row(field, fields):
        value = f"{field.name}: {value}"
    baseline = field.middle - 3.5
    return TextLine(value, left, right, baseline, baseline + 7.0, 10.0, True, _FILLED)


def _place(lines: Sequence[TextLine], field: FormField) -> int:
    """Behind the last line that stands above the field, or to its left."""
    place = 0
    for at, line in enumerate(lines, start=1):
        level = abs(line.bottom + 3.5 - field.middle) < 6
        if (level and line.left < field.box[0]) or (not level and line.bottom > field.middle):
            place = at
    return place
