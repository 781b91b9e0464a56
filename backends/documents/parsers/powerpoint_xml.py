"""PowerPoint presentations in Open XML.

Enters: pptx, of the transitional and the strict kind. Leaves: a page per slide: title, text of shapes in
reading order (columns one after the other), tables, charts, diagrams, comments and notes. Struck-out text is
left out, and said; hidden slides are read, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from pathlib import Path

from lxml.etree import _Element as Element

from backends.datatypes import ParsedFile
from backends.documents.parsers.common import (
    Cell,
    PageText,
    assemble,
    iso_date,
    one_line,
    prices,
    raised,
    stem,
    table_lines,
)
from backends.documents.parsers.office import (
    LeftOut,
    chart_lines,
    check_archive,
    diagram_lines,
    parse_xml,
    transitional,
)

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
COLUMN_TEXT = 40  # letters of a column that make it more than a label


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    from pptx import Presentation

    check_archive(path, kind, name)
    file = transitional(path)
    deck = Presentation(str(file) if isinstance(file, Path) else file)
    reader = _Slides()
    pages = [
        PageText(number, "\n".join(reader.slide(slide, number)))
        for number, slide in enumerate(deck.slides, start=1)
    ]
    lines = (line for page in pages for line in page.text.split("\n"))
    first = next((line.lstrip("# ") for line in lines if line.startswith("#")), "")
    title = one_line(deck.core_properties.title or "")
    useful = title if title.lower() not in ("", "powerpoint presentation", "presentation") else ""
    parsed = assemble(pages, title=useful or first or stem(name), kind=kind)
    date = iso_date(deck.core_properties.modified or deck.core_properties.created)
    return replace(parsed, date=date, notes=reader.notes)


@dataclass
class _Slides:
    left_out: LeftOut = field(default_factory=LeftOut)
    hidden: list[int] = field(default_factory=list)

    @property
    def notes(self) -> tuple[str, ...]:
        numbers = ", ".join(map(str, self.hidden))
        many = "slides" if len(self.hidden) > 1 else "slide"
        said = (f"hidden {many} read too: {numbers}",) if self.hidden else ()
        return (*self.left_out.notes, *said)

    def slide(self, slide: Element, number: int) -> Iterator[str]:
        if slide.element.get("show") == "0":
            self.hidden.append(number)
        heading = slide.shapes.title
        if heading is not None and (title := one_line(self._frame(heading.text_frame, " "))):
            yield f"# {title}\n"
        shapes = [shape for shape in slide.shapes if heading is None or shape.shape_id != heading.shape_id]
        yield from self._shapes(shapes, slide)
        for related in slide.part.rels.values():
            if not related.is_external and related.reltype.endswith("/comments"):
                for comment in parse_xml(related.target_part.blob).iter("{*}text", "{*}txBody"):
                    yield f"\nComment: {one_line(' '.join(comment.itertext()))}"
        frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
        if frame is not None and (notes := one_line(self._frame(frame, " "))):
            yield f"\nNotes: {notes}"

    def _shapes(self, shapes: Iterable[Element], slide: Element) -> Iterator[str]:
        """The text of shapes in reading order, groups opened in their place."""
        for box in in_order([*map(_Box, shapes)]):
            shape = box.shape
            if hasattr(shape, "shapes"):
                yield from self._shapes(shape.shapes, slide)
            elif getattr(shape, "has_table", False):
                rows = map(self._row, shape.table._tbl.iterchildren(f"{_A}tr"))
                yield "\n" + "\n".join(table_lines(rows, likely=bool(shape.table.first_row))) + "\n"
            elif getattr(shape, "has_chart", False):
                yield "\n" + "\n".join(chart_lines(parse_xml(shape.chart.part.blob))) + "\n"
            elif getattr(shape, "has_text_frame", False):
                yield from self._text_shape(shape)
            else:
                yield from self._diagram(shape, slide)

    def _text_shape(self, shape: Element) -> Iterator[str]:
        lines = [one_line(line) for line in self._frame(shape.text_frame, "\n").split("\n")]
        lines = [line for line in lines if line]
        if lines:
            yield "\n".join(f"- {line}" for line in lines) if len(lines) > 1 else lines[0] + "\n"

    def _diagram(self, shape: Element, slide: Element) -> Iterator[str]:
        for element in shape.element.iter("{*}relIds"):
            identifier = element.get(f"{_R}dm")
            if identifier in slide.part.rels:
                yield "\n".join(diagram_lines(parse_xml(slide.part.rels[identifier].target_part.blob))) + "\n"

    def _row(self, row: Element) -> list[Cell]:
        """The cells of a row, without those that another lies over."""
        cells = (cell for cell in row.iterchildren(f"{_A}tc") if not (cell.hMerge or cell.vMerge))
        return [
            Cell(self._text(cell.find(f"{_A}txBody"), " "), cell.gridSpan, cell.rowSpan) for cell in cells
        ]

    def _frame(self, frame: Element, mark: str) -> str:
        return self._text(frame._txBody, mark)

    def _text(self, body: Element | None, mark: str) -> str:
        """The paragraphs of a text body; a soft line break within one is a space."""
        paragraphs = body.iterchildren(f"{_A}p") if body is not None else ()
        return mark.join(prices(self._paragraph(paragraph)) for paragraph in paragraphs)

    def _paragraph(self, paragraph: Element) -> str:
        text = ""
        for item in paragraph:
            if item.tag == f"{_A}br":
                text += " "
            elif item.tag in (f"{_A}r", f"{_A}fld"):
                text += self._run(item, text)
            else:  # formulas and what newer programs add
                text += "".join(each.text or "" for each in item.iter("{*}t"))
        return text

    def _run(self, run: Element, before: str) -> str:
        words = "".join(each.text or "" for each in run.iterchildren(f"{_A}t"))
        look = run.find(f"{_A}rPr")
        if look is None:
            return words
        if look.get("strike", "noStrike") != "noStrike":
            if words.strip():
                self.left_out.note("struck-out text")
            return ""
        height = look.get("baseline", "0").rstrip("%")
        place = "" if height in ("0", "") else "subscript" if height.startswith("-") else "superscript"
        return raised(before, words, place)


# --- reading order -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Box:
    """A shape and its place, which is looked up once: most lie where their layout says, and ask it."""

    shape: Element

    @cached_property
    def left(self) -> int:
        return self.shape.left or 0

    @cached_property
    def top(self) -> int:
        return self.shape.top or 0

    @cached_property
    def width(self) -> int:
        return self.shape.width or 0

    @cached_property
    def height(self) -> int:
        return self.shape.height or 0

    @property
    def letters(self) -> int:
        return sum(len(text.text or "") for text in self.shape.element.iter(f"{_A}t"))


def in_order(boxes: Sequence[_Box]) -> list[_Box]:
    """Shapes from top to bottom, and column after column where white space parts columns of text."""
    if len(boxes) < 2:
        return [*boxes]
    columns = _parted(boxes, attrgetter("left"), attrgetter("width"))
    if len(columns) > 1 and len(boxes) > len(columns):
        heavy = [sum(box.letters for box in column) >= COLUMN_TEXT for column in columns]
        if all(heavy):
            return [box for column in columns for box in in_order(column)]
    rows = _parted(boxes, attrgetter("top"), attrgetter("height"))
    if len(rows) > 1:
        return [box for row in rows for box in in_order(row)]
    return sorted(boxes, key=attrgetter("top", "left"))


def _parted(
    boxes: Sequence[_Box], start: Callable[[_Box], int], size: Callable[[_Box], int]
) -> list[list[_Box]]:
    """Groups that no shape reaches out of, in one direction."""
    groups: list[list[_Box]] = []
    end = 0
    for box in sorted(boxes, key=start):
        if groups and start(box) < end:
            groups[-1].append(box)
        else:
            groups.append([box])
        end = max(end, start(box) + size(box))
    return groups
