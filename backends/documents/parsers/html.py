"""HTML to lines: headings, paragraphs, list items and table rows, code as it stands.

Enters: a page's source, or an element of the page once it is parsed. Leaves: text in which every line can be
read alone. What of a page is no content it does not know (`boilerplate`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from backends.documents.parsers.common import Cell, clean, literal, one_line, table_lines

_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "button", "center", "dd", "details", "dialog", "dir",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5",
    "h6", "header", "hgroup", "hr", "html", "legend", "li", "listing", "main", "menu", "nav", "ol", "p",
    "plaintext", "pre", "section", "summary", "table", "ul", "xmp",
}  # fmt: skip
_CODE = {"pre", "listing", "xmp", "plaintext"}
_STAND_APART = {"a", "button", "input", "label", "option", "select"}  # however close their tags are
_TYPED = {"text", "number", "date", "email", "tel", "url", "month", "week", "time", "datetime-local"}
_UNIT = re.compile(r"[a-zA-Z]|[cdkmµn]m|ft|in|yd|mi|sec|min|dB|kg|mol|rad")  # what is raised to a power
# A mark between a number and its unit goes behind them: "250 kg" can be found.
_NOTED = re.compile(
    r"(?<=\d) (\(note [^)]{1,5}\))( ?(?:[%‰€$£°]|(?:[kmcdµ]?[gmlsVWAJ]|k?Hz|kWh|t|h|min|EUR|USD|GBP|euros?"
    r"|dollars?|hours?|days?|years?|minutes?|people|users?)\b))"
)
_LONG_CELL = 400  # characters of a cell that lays out a page rather than tell a value


def parse_html(source: str) -> Any:
    """The root element of a page or a fragment."""
    from lxml import html

    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    data = source.encode("utf-8", errors="replace")
    # An empty page has no root.
    return html.document_fromstring(data if data.strip() else b"<body></body>", parser=parser)


def html_text(elements: Iterable[Any]) -> str:
    """The lines of these elements, one after the other."""
    elements = list(elements)
    marks = {mark for element in elements for mark in _footnotes(element)}
    writer = _Writer(frozenset(marks))
    return clean("\n".join(line for element in elements for line in writer.blocks(element)), keep_spaces=True)


def inline_text(element: Any) -> str:
    """The words of a heading or the like on one line."""
    run = _Run()
    _Writer().inline(element, run)
    return one_line(run.text)


def _name(element: Any) -> str:
    """The tag, "" for comments and the like."""
    return element.tag.lower() if isinstance(element.tag, str) else ""


def _footnotes(element: Any) -> Iterator[str]:
    """Marks that a block begins with, raised: its footnotes bear the same."""
    for raised in element.iter("sup"):
        before = raised.getprevious()
        parent = raised.getparent()
        if before is None and parent is not None and not (parent.text or "").strip():
            yield one_line("".join(raised.itertext()))


class _Run:
    """Running text: white space is one space, line breaks are the author's."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def add(self, text: str | None) -> None:
        if text:
            self._parts.append(text.replace("\n", " ").replace("\r", " ").replace("\x85", "…"))

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

    def flush(self) -> Iterator[str]:
        lines = [_NOTED.sub(r"\2 \1", line) for line in map(one_line, self.text.split("\n")) if line]
        self._parts.clear()
        if lines:
            yield literal("\n".join(lines)) + "\n"


class _Writer:
    """Writes elements as lines. `footnotes` are the marks of the notes below the text."""

    def __init__(self, footnotes: frozenset[str] = frozenset(), in_cell: bool = False) -> None:
        self._footnotes = footnotes
        self._in_cell = in_cell

    def blocks(self, parent: Any) -> Iterator[str]:
        """Lines of an element; running text is collected until a block begins or ends."""
        run = _Run()
        run.add(parent.text)
        for child in parent:
            name = _name(child)
            if name in _BLOCKS or (name and next(child.iterdescendants(*_BLOCKS), None) is not None):
                yield from run.flush()
                yield from self._block(child, name)
            elif name:
                self.inline(child, run)
            run.add(child.tail)
        yield from run.flush()

    def _block(self, element: Any, name: str) -> Iterator[str]:
        if re.fullmatch("h[1-6]", name):
            text = " ".join(line for block in self.blocks(element) for line in block.split())
            yield f"\n{'#' * int(name[1])} {text}\n" if text else ""
        elif name == "table":
            yield from self._table(element)
        elif name in _CODE:
            yield f"\n{literal(_preformatted(element))}\n"
        elif name == "dl":
            yield from self._definitions(element)
        elif name in ("ul", "ol", "menu", "dir"):
            yield from self._list(element, name == "ol")
        elif element.get("role") == "doc-footnote":
            mark, _, text = " ".join(map(one_line, self.blocks(element))).partition("] ")
            yield f"(note {mark.strip('[ ')}) {text}\n"
        elif name == "li":  # of no list
            yield from self._item(element, "-")
        else:
            yield from self.blocks(element)

    # --- running text ------------------------------------------------------------------------------

    def inline(self, element: Any, run: _Run) -> None:
        """Add the words of an element to the running text."""
        name = _name(element)
        before = element.getprevious()
        if name in _STAND_APART and before is not None and _name(before) in _STAND_APART:
            run.add(" ")
        if name == "br":
            run.line_break()
        elif element.get("role") == "doc-noteref":
            run.add(_note(_words(element), run.last))
        elif name in ("sup", "sub"):
            (self._raised if name == "sup" else self._lowered)(element, run)
        elif name == "math":
            run.add(_formula(element))
        elif name == "img":
            run.add(_picture(element))
        elif name == "input":
            run.add(_control(element))
        elif name == "select":
            chosen = (option for option in element.iter("option") if "selected" in option.attrib)
            run.add(" ".join(map(_words, chosen)))
        else:
            opening, closing = ("“", "”") if name == "q" else ("", "")
            run.add(opening)
            run.add(element.text)
            for child in element:
                if _name(child):
                    self.inline(child, run)
                run.add(child.tail)
            run.add(closing)

    def _raised(self, element: Any, run: _Run) -> None:
        """A power is "10^6", a footnote's mark "(note 1)", never a digit of the number before it."""
        text = _words(element)
        base, word = run.last, run.word_before()
        if not text:
            return
        if self._is_footnote(element, text, base, word):
            run.add(_note(text, base))
        elif re.fullmatch(r"[-+−–]?\d[\d.,/]*|[-+−–]?\d*[a-z]", text) and (base.isalnum() or base in ")]|"):
            run.add("^" + text.replace("−", "-").replace("–", "-"))
        elif re.search(r"\d", text) and base.isalnum():
            run.add(f"^({text})")
        else:
            run.add(text)  # 1st, Mlle, TM

    def _is_footnote(self, element: Any, text: str, base: str, word: str) -> bool:
        hints = f"{element.get('class', '')} {element.get('id', '')} {element.get('role', '')}".lower()
        links = [link.get("href", "") for link in element.iter("a")]
        if any(link.startswith("#") for link in links) or re.search(r"\b(foot|note|ref|fn)", hints):
            return True
        if re.fullmatch(r"[\[(]\w{1,3}[\])]|[*†‡§]+|1|\d+(, ?\d+)+", text):
            return True
        if text in self._footnotes and not _UNIT.fullmatch(word):
            return True
        after_word = word.isalpha() and len(word) > 3
        return text.isdigit() and (after_word or base in ".,;:!?\"'”’»")

    def _lowered(self, element: Any, run: _Run) -> None:
        """H2O, but x_i, and log_2 8 where a number follows."""
        text = _words(element)
        number_follows = (element.tail or "")[:1].isdigit()
        plain = text.isdigit() and not run.last.isdigit() and not number_follows
        run.add(f"{text if plain or not run.last.isalnum() else '_' + text}{' ' if number_follows else ''}")

    # --- lists -------------------------------------------------------------------------------------

    def _list(self, element: Any, ordered: bool) -> Iterator[str]:
        number = _whole(element.get("start"), 1)
        run = _Run()
        run.add(element.text)
        for child in element:
            if _name(child) == "li":
                yield from run.flush()
                number = _whole(child.get("value"), number)
                yield from self._item(child, _numeral(number, element.get("type", "1")) if ordered else "-")
                number += 1
            elif _name(child):
                yield from run.flush()
                yield from self._block(child, _name(child))
            run.add(child.tail)
        yield from run.flush()
        yield ""

    def _item(self, item: Any, mark: str) -> Iterator[str]:
        blocks = list(self.blocks(item))
        marked = bool(blocks) and not blocks[0].startswith(("\n", "- "))  # headings, tables and code stay
        lines = [line for block in blocks for line in block.split("\n") if line.strip()]
        yield from (f"{mark} {line}" if at == 0 and marked else line for at, line in enumerate(lines))
        if item.find("p") is not None:  # set apart by its author
            yield ""

    def _definitions(self, element: Any) -> Iterator[str]:
        """ "Term: what it is" on one line where both are short."""
        terms: list[str] = []
        parts = [part for child in element for part in ([*child] if _name(child) == "div" else [child])]
        for part in parts:
            if _name(part) == "dt":
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

    def _table(self, table: Any) -> Iterator[str]:
        """Rows of data tables; tables that only lay out a page are read as blocks."""
        rows = _own_rows(table)
        caption = next((child for child in table if _name(child) == "caption"), None)
        if caption is not None:
            yield from self.blocks(caption)
        if _is_layout(table, rows):
            for row in rows:
                for cell in _own_cells(row):
                    yield from self.blocks(cell)
            return
        lines = [line for part in _parts(rows) for line in table_lines(map(self._row, part))]
        if self._in_cell:
            yield " / ".join(line.replace("; ", ", ").replace(": ", " ") for line in lines) + "\n"
        else:
            yield "\n" + "\n".join(lines) + "\n"

    def _row(self, row: Any) -> list[Cell]:
        in_head = _name(row.getparent()) == "thead"
        cells = [self._cell(cell, in_head) for cell in _own_cells(row)]
        if in_head and not all(cell.text for cell in cells[1:]):  # half a header: the words have to decide
            return [replace(cell, heading=False) for cell in cells]
        return cells

    def _cell(self, cell: Any, in_head: bool) -> Cell:
        text = "\n".join(_Writer(self._footnotes, in_cell=True).blocks(cell)).strip()
        text = one_line(re.sub(r"\n+- ", ", ", text.removeprefix("- ")))
        across = min(max(1, _whole(cell.get("colspan"), 1)), 100)
        down = min(_whole(cell.get("rowspan"), 1) or 10_000, 10_000)  # 0: to the end
        return Cell(text, across, max(1, down), in_head or _name(cell) == "th" or not text)


def _own_rows(table: Any) -> list[Any]:
    """The rows of a table, not those of tables within it; the foot may stand first and comes last."""
    parts = [(_name(part), [part] if _name(part) == "tr" else [*part]) for part in table]
    parts.sort(key=lambda part: {"thead": 0, "tfoot": 2}.get(part[0], 1))
    return [row for name, rows in parts if name in ("tr", "thead", "tbody", "tfoot") for row in rows
            if _name(row) == "tr"]  # fmt: skip


def _own_cells(row: Any) -> list[Any]:
    return [cell for cell in row if _name(cell) in ("td", "th")]


def _parts(rows: list[Any]) -> Iterator[list[Any]]:
    """A row of headings further down begins a table of its own."""
    part: list[Any] = []
    for row in rows:
        cells = _own_cells(row)
        heads = len(cells) > 1 and all(_name(cell) == "th" or not _words(cell) for cell in cells)
        if heads and part and any(_name(cell) == "td" for cell in _own_cells(part[-1])):
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def _is_layout(table: Any, rows: list[Any]) -> bool:
    """Whether a table only lays out a page: nothing marks it as data, and its cells hold parts of a page."""
    if table.get("role") in ("presentation", "none"):
        return True
    cells = [cell for row in rows for cell in _own_cells(row)]
    if any(_name(cell) == "th" or cell.get("scope") or cell.get("headers") for cell in cells):
        return False
    if table.get("summary") or any(_name(child) in ("caption", "thead") for child in table):
        return False
    nested = any(cell.find(".//table") is not None for cell in cells)
    few = sum(len(_own_cells(row)) > 1 for row in rows) < 2
    return any(map(_is_part_of_page, cells)) or (nested and few) or (few and any(map(_has_blocks, cells)))


def _is_part_of_page(cell: Any) -> bool:
    headed = next(cell.iter("h1", "h2", "h3", "h4", "main", "article"), None) is not None
    return headed or (_has_blocks(cell) and len(_words(cell)) > _LONG_CELL)


def _has_blocks(cell: Any) -> bool:
    return next(cell.iter("p", "div", "ul", "ol", "table", "form", "section"), None) is not None


# --- small pieces ----------------------------------------------------------------------------------


def _words(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


def _whole(text: str | None, otherwise: int) -> int:
    found = re.match(r"\s*(-?\d{1,9})", text or "")
    return int(found[1]) if found else otherwise


def _numeral(number: int, kind: str) -> str:
    """The mark of an item as its list's type has it: 4., d., D., iv."""
    if kind in ("a", "A") and 0 < number <= 26:
        return f"{chr(ord(kind) + number - 1)}."
    if kind in ("i", "I") and 0 < number < 40:
        roman = (
            "x" * (number // 10) + ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")[number % 10]
        )
        return f"{roman.upper() if kind == 'I' else roman}."
    return f"{number}."


def _preformatted(element: Any) -> str:
    """The text of a block of code, its line breaks included."""
    parts = [element.text or ""]
    for child in element:
        name = _name(child)
        parts += ["\n" if name == "br" else _preformatted(child) if name else "", child.tail or ""]
    return "".join(parts)


def _note(mark: str, before: str) -> str:
    return f"{' ' if before.strip() else ''}(note {mark.strip('[]()')}){' ' if not before else ''}"


def _formula(element: Any) -> str:
    """A formula in MathML: as its author describes it, else its signs with powers and fractions marked."""
    described = element.get("alttext") or next(
        (_words(note) for note in element.iter("annotation") if "tex" in note.get("encoding", "")), ""
    )
    return f" {described} " if described else _signs(element)


def _signs(element: Any) -> str:
    name = _name(element).rpartition(":")[2]
    if not name or name.startswith("annotation"):
        return ""
    parts = [_signs(child) for child in element]
    if name in ("msup", "mfrac") and len(parts) == 2:
        grouped = [part if len(part) == 1 or part.isalnum() else f"({part})" for part in parts]
        return ("^" if name == "msup" else "/").join(grouped)
    if name == "msqrt":
        return f"√({''.join(parts)})"
    return (element.text or "").strip() + "".join(parts)


def _picture(element: Any) -> str:
    """Pictures of formulas and of letters say what they show."""
    of_text = re.search(r"\b(tex|math|latex|equation|emoji)", element.get("class", ""), re.I)
    return element.get("alt", "") if of_text else ""


def _control(element: Any) -> str:
    """What a form was filled with."""
    kind = element.get("type", "text").lower()
    if kind in ("checkbox", "radio"):
        around = {_name(each) for each in (element.getparent(), element.getnext()) if each is not None}
        labelled = (element.tail or "").strip() or "label" in around
        mark = "[x] " if "checked" in element.attrib else "[ ] "
        return mark if labelled and element.get("role") != "button" else ""
    return f" {element.get('value', '')} " if kind in _TYPED else ""
