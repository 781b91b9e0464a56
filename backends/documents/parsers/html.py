"""HTML to lines: headings, paragraphs, list items and table rows, code as it stands.

Enters: a page's source, or an element of the page once it is parsed. Leaves: text in which every line can be
read alone. What of a page is no content it does not know (`boilerplate`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from lxml.etree import _Element as Element

from backends.documents.parsers.common import Cell, clean, literal, on_one_line, one_line, prices, table_lines
from backends.documents.parsers.html_elements import (
    control,
    footnote_marks,
    formula,
    is_footnote,
    name_of,
    note_mark,
    numeral,
    picture,
    preformatted,
    whole_number,
    words,
)
from backends.documents.parsers.html_tables import (
    GRIDS,
    grid_rows,
    is_layout,
    own_cells,
    own_rows,
    split_at_headings,
)

_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "button", "center", "dd", "details", "dialog", "dir",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5",
    "h6", "header", "hgroup", "hr", "html", "legend", "li", "listing", "main", "menu", "nav", "ol", "p",
    "plaintext", "pre", "section", "summary", "table", "ul", "xmp",
}  # fmt: skip
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_NOTES = ("footnote", "endnote", "rearnote")  # of books
_CODE = {"pre", "listing", "xmp", "plaintext"}
_STAND_APART = {
    "a",
    "button",
    "input",
    "label",
    "option",
    "select",
    "textarea",
}  # however close their tags are
# A mark between a number and its unit goes behind them: "250 kg" can be found.
_NOTE = re.compile(r"(?:\[([^\]]{1,60})\]|\(?(\d{1,3}|[*†‡§]|[a-z])[.):]?)\s+")  # the mark in front of a note
_NOTED = re.compile(
    r"(?<=\d) (\(note [^)]{1,5}\))( ?(?:[%‰€$£°]|(?:[kmcdµ]?[gmlsVWAJ]|k?Hz|kWh|t|h|min|EUR|USD|GBP|euros?"
    r"|dollars?|hours?|days?|years?|minutes?|people|users?)\b))"
)


def parse_html(source: str) -> Element:
    """The root element of a page or a fragment."""
    from lxml import etree

    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    root: Element | None = etree.fromstring(source.encode("utf-8", errors="replace"), parser)
    return etree.fromstring(b"<body></body>", parser) if root is None else root  # nothing is in it


def html_text(elements: Iterable[Element]) -> str:
    """The lines of these elements, one after the other."""
    elements = list(elements)
    marks = {mark for element in elements for mark in footnote_marks(element)}
    writer = _Writer(frozenset(marks))
    return clean("\n".join(line for element in elements for line in writer.blocks(element)), keep_spaces=True)


def inline_text(element: Element) -> str:
    """The words of a heading or the like on one line."""
    run = _Run()
    _Writer().inline(element, run)
    return one_line(run.text)


def _without_breaks(text: str) -> str:
    if text.isprintable():
        return text
    return text.replace("\n", " ").replace("\r", " ").replace("\x85", "…")


def _line(text: str) -> str:
    """Running text without line breaks as it is read."""
    line = one_line(text)
    return prices(_NOTED.sub(r"\2 \1", line) if "(note " in line else line)


def _leaf(element: Element) -> Iterator[str]:
    """The line of an element that holds nothing but text."""
    if element.text and (line := _line(_without_breaks(element.text))):
        yield literal(line) + "\n"


class _Run:
    """Running text: white space is one space, line breaks are the author's."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def add(self, text: str | None) -> None:
        if text:
            self._parts.append(_without_breaks(text))

    def __bool__(self) -> bool:
        return bool(self._parts)

    def line_break(self) -> None:
        self._parts.append("\n")

    @property
    def text(self) -> str:
        return "".join(self._parts)

    @property
    def last(self) -> str:
        """The last letter so far."""
        return next((part[-1] for part in reversed(self._parts) if part), "")

    def word_before(self) -> str:
        return re.split(r"\W", "".join(self._parts[-3:]))[-1]

    def ends_in_point(self) -> bool:
        """Whether a decimal point stands last."""
        return bool(re.search(r"\d[.,]$", "".join(self._parts[-3:])))

    def flush(self) -> Iterator[str]:
        lines = [*filter(None, map(_line, self.text.split("\n")))]
        self._parts.clear()
        if lines:
            yield literal("\n".join(lines)) + "\n"


class _Writer:
    """Writes elements as lines. `footnotes` are the marks of the notes below the text."""

    def __init__(self, footnotes: frozenset[str] = frozenset(), in_cell: bool = False) -> None:
        self._footnotes = footnotes
        self._in_cell = in_cell

    def blocks(self, parent: Element) -> Iterator[str]:
        """Lines of an element; running text is collected until a block begins or ends."""
        if not len(parent):  # most paragraphs
            yield from _leaf(parent)
            return
        run = _Run()
        run.add(parent.text)
        for child in parent:
            name, tail = name_of(child), child.tail
            if name in _BLOCKS or (len(child) and not _BLOCKS.isdisjoint(each.tag for each in child.iter())):
                if run:
                    yield from run.flush()
                yield from self._block(child, name)
                if tail and not tail.isspace():
                    run.add(tail)
                continue
            if name:
                self.inline(child, run)
            run.add(tail)
        yield from run.flush()

    def _block(self, element: Element, name: str) -> Iterator[str]:
        if name == "p" and not element.keys():  # most blocks
            yield from self.blocks(element)
        elif name in _HEADINGS:
            text = " ".join(line for block in self.blocks(element) for line in block.split())
            yield f"\n{'#' * int(name[1])} {text}\n" if text else ""
        elif name == "table":
            yield from self._table(element)
        elif element.get("role") in GRIDS and (rows := grid_rows(element)):
            cells = ([self._cell(cell, in_head=False) for cell in row] for row in rows)
            yield "\n" + "\n".join(table_lines(cells)) + "\n"
        elif name in _CODE:
            yield f"\n{literal(preformatted(element))}\n"
        elif name == "dl":
            yield from self._definitions(element)
        elif name in ("ul", "ol", "menu", "dir"):
            yield from self._list(element, name == "ol")
        elif element.get("role") == "doc-footnote" or element.get("epub:type") in _NOTES:
            text = " ".join(map(one_line, self.blocks(element)))
            mark = _NOTE.match(text)
            yield f"(note {mark[1] or mark[2]}) {text[mark.end() :]}\n" if mark else f"Note: {text}\n"
        elif name == "li":  # of no list
            yield from self._item(element, "-")
        else:
            yield from self.blocks(element)

    # --- running text ------------------------------------------------------------------------------

    def inline(self, element: Element, run: _Run) -> None:
        """Add the words of an element to the running text."""
        name = name_of(element)
        if name in _STAND_APART:
            before = element.getprevious()
            if before is not None and not before.tail and name_of(before) in _STAND_APART:
                run.add(" ")
        if name == "br":
            run.line_break()
        elif element.get("role") == "doc-noteref" or element.get("epub:type") == "noteref":
            run.add(note_mark(words(element), run.last))
        elif name in ("sup", "sub"):
            (self._raised if name == "sup" else self._lowered)(element, run)
        elif name == "math":
            run.add(formula(element))
        elif name == "img":
            run.add(picture(element))
        elif name == "input":
            run.add(control(element))
        elif name == "select":
            chosen = (option for option in element.iter("option") if "selected" in option.attrib)
            run.add(" ".join(map(words, chosen)))
        else:
            opening, closing = ("“", "”") if name == "q" else ("", "")
            run.add(opening)
            run.add(element.text)
            for child in element:
                if name_of(child):
                    self.inline(child, run)
                run.add(child.tail)
            run.add(closing)

    def _raised(self, element: Element, run: _Run) -> None:
        """A power is "10^6", a footnote's mark "(note 1)", never a digit of the number before it."""
        text = words(element)
        base, word = run.last, run.word_before()
        if not text:
            return
        if run.ends_in_point() and re.fullmatch(r"\d\d", text):  # a price: 2.49
            run.add(text)
        elif is_footnote(element, base, word, self._footnotes):
            run.add(note_mark(text, base))
        elif re.fullmatch(r"[-+−–]?\d[\d.,/]*|[-+−–]?\d*[a-z]", text) and (base.isalnum() or base in ")]|"):
            run.add("^" + text.replace("−", "-").replace("–", "-"))
        elif re.search(r"\d", text) and base.isalnum():
            run.add(f"^({text})")
        else:
            run.add(text)  # 1st, Mlle, TM

    def _lowered(self, element: Element, run: _Run) -> None:
        """H2O, but x_i, and log_2 8 where a number follows."""
        text = words(element)
        number_follows = (element.tail or "")[:1].isdigit()
        plain = text.isdigit() and not run.last.isdigit() and not number_follows
        run.add(f"{text if plain or not run.last.isalnum() else '_' + text}{' ' if number_follows else ''}")

    # --- lists -------------------------------------------------------------------------------------

    def _list(self, element: Element, ordered: bool) -> Iterator[str]:
        number = whole_number(element.get("start"), 1)
        run = _Run()
        run.add(element.text)
        for child in element:
            if name_of(child) == "li":
                yield from run.flush()
                number = whole_number(child.get("value"), number)
                yield from self._item(child, numeral(number, element.get("type", "1")) if ordered else "-")
                number += 1
            elif name_of(child):
                yield from run.flush()
                yield from self._block(child, name_of(child))
            run.add(child.tail)
        yield from run.flush()
        yield ""

    def _item(self, item: Element, mark: str) -> Iterator[str]:
        blocks = list(self.blocks(item))
        marked = bool(blocks) and not blocks[0].startswith(("\n", "- "))  # headings, tables and code stay
        lines = [line for block in blocks for line in block.split("\n") if line.strip()]
        yield from (f"{mark} {line}" if at == 0 and marked else line for at, line in enumerate(lines))
        if item.find("p") is not None:  # set apart by its author
            yield ""

    def _definitions(self, element: Element) -> Iterator[str]:
        """ "Term: what it is" on one line where both are short."""
        terms: list[str] = []
        parts = [part for child in element for part in ([*child] if name_of(child) == "div" else [child])]
        for part in parts:
            if name_of(part) == "dt":
                terms.append(one_line(" ".join(self.blocks(part))))
                continue
            lines = [line for block in self.blocks(part) for line in block.split("\n") if line.strip()]
            term = ", ".join(filter(None, terms))
            terms.clear()
            if term and len(term) <= 80 and len(lines) == 1 and not lines[0].startswith(("#", "- ", " ")):
                yield f"{term}{'' if term[-1] in '?:!' else ':'} {lines[0]}\n"
            else:
                yield "\n".join([*filter(None, [term]), *lines]) + "\n"
        yield from (f"{term}\n" for term in terms)

    # --- tables ------------------------------------------------------------------------------------

    def _table(self, table: Element) -> Iterator[str]:
        """Rows of data tables; tables that only lay out a page are read as blocks."""
        rows = own_rows(table)
        caption = next((child for child in table if name_of(child) == "caption"), None)
        if caption is not None:
            yield from self.blocks(caption)
        if is_layout(table, rows):
            for row in rows:
                for cell in own_cells(row):
                    yield from self.blocks(cell)
            return
        lines = [line for part in split_at_headings(rows) for line in table_lines(map(self._row, part))]
        if self._in_cell:
            yield " / ".join(line.replace("; ", ", ").replace(": ", " ") for line in lines) + "\n"
        else:
            yield "\n" + "\n".join(lines) + "\n"

    def _row(self, row: Element) -> list[str | Cell]:
        in_head = name_of(row.getparent()) == "thead"
        cells = [self._cell(cell, in_head) for cell in own_cells(row)]
        names = [cell for cell in cells if isinstance(cell, Cell)]
        if in_head and not all(cell.text for cell in names[1:]):  # half a header: the words have to decide
            return [replace(cell, heading=False) for cell in names]
        return cells

    def _cell(self, cell: Element, in_head: bool) -> str | Cell:
        if len(cell):
            text = on_one_line("\n".join(_Writer(self._footnotes, in_cell=True).blocks(cell)))
        else:
            text = _line(_without_breaks(cell.text or "")).removeprefix("- ")
        across = min(max(1, whole_number(cell.get("colspan") or cell.get("aria-colspan"), 1)), 100)
        down = min(whole_number(cell.get("rowspan"), 1) or 10_000, 10_000)  # 0: to the end
        heading = in_head or name_of(cell) == "th" or cell.get("role") in ("columnheader", "rowheader")
        if across == down == 1 and not heading:
            return text  # most cells
        return Cell(text, across, max(1, down), heading)
