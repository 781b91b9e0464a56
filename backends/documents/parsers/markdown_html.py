"""Markdown as HTML, as far as the reader of HTML looks at it: emphasis, say, has no tags.

Enters: Markdown's source. Leaves: HTML, and how many comments are left out of it. pulldown-cmark parses
(CommonMark, tables, footnotes). What looks like mark-up and is none (<placeholders>, Vec<u8>, a<b, __init__,
2*3*4) stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from backends.datatypes import JsonValue

if TYPE_CHECKING:
    from pyromark import Markdown
    from pyromark.event import Range

_ALONE = {"br", "hr", "wbr"}  # tags that are mark-up without a partner or an attribute
_VOID = {"img", "input", "link", "meta", "source", "col"}
_TAG = re.compile(r"<(/?)([a-zA-Z][\w.-]*)((?:\s[^>]*)?)/?>")
_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+)"""
_ATTRIBUTES = re.compile(rf"(?:\s+[\w:@.-]+\s*=\s*{_VALUE}|\s+(?:open|hidden|checked))*\s*/?")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_MOST_CELLS = 100  # of a row beyond which no columns are added
_LONGEST_HEADING = 100  # characters of a line above "---" that is taken for a heading
# How each block is written, by pulldown-cmark's names.
_BLOCKS = {
    "Paragraph": ("<p>", "</p>\n"),
    "Item": ("<li>", "</li>\n"),
    "BlockQuote": ("<blockquote>", "</blockquote>\n"),
    "FootnoteDefinition": ("<div>", "</div>\n"),
    "Table": ("<table>", ""),
    "TableHead": ("<thead><tr>", "</tr></thead>\n"),
    "TableRow": ("<tr>", "</tr>\n"),
}
_NESTED = ("List", "Item", "BlockQuote", "FootnoteDefinition")
_DEEPEST = 40  # lists and quotes within each other; those further in have no tags of their own


def markdown_html(text: str) -> tuple[str, int]:
    """(the text as HTML, how many comments were left out)."""
    renderer = _Renderer(_with_all_cells(_with_drawn_tables(text)))
    return renderer.html(), renderer.comments.count


@dataclass
class _Comments:
    count: int = 0

    def without(self, html: str) -> str:
        closed = html.rfind("-->") + 3 if "-->" in html else 0
        text, found = _COMMENT.subn("", html[:closed])
        self.count += found
        return text + html[closed:].replace("<!--", "&lt;!--")  # what nothing closes is no comment


# --- tables ----------------------------------------------------------------------------------------

_DELIMITER = re.compile(r"\s{0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)+\|?\s*")
_FENCE = re.compile(r"\s{0,3}(?:```|~~~)")
_DRAWN = re.compile(
    r"^[ \t]*(?P<fence>```|~~~)[^`\n]*\n[\s\S]*?(?:^[ \t]*(?P=fence)|\Z)"
    r"|^(?P<table>\+[-=:+]{3,}\+[ \t]*(?:\n[|+].*)+)",
    re.MULTILINE,
)
_BAR = re.compile(r"(?<!\\)\|")
_MARKED = re.compile(r"\s*(?:[|>]|[-+*]\s|\d{1,9}[.)]\s)")  # a bar in front, or an item or a quote


def _with_drawn_tables(text: str) -> str:
    """Tables drawn with +---+ as code: nothing else keeps their lines."""
    if "+--" not in text and "+==" not in text:
        return text
    return _DRAWN.sub(lambda found: f"```\n{found[0]}\n```" if found["table"] else found[0], text)


def _with_all_cells(text: str) -> str:
    """Tables with a column for each cell: CommonMark's readers drop cells that have none.

    A bar within code parts no cells where a row has more of them than names.
    """
    if "|" not in text:
        return text
    lines = text.split("\n")
    fenced = False
    for at, line in enumerate(lines):
        if "```" in line or "~~~" in line:
            fenced ^= bool(_FENCE.match(line))
        if at and "|" in lines[at - 1] and not fenced and _DELIMITER.fullmatch(line):
            _widen(lines, at)
    return "\n".join(lines)


def _widen(lines: list[str], at: int) -> None:
    """Give the table whose delimiters stand in line `at` as many columns as its longest row has cells."""
    wanted = widest = _bars(lines[at])
    for number in range(at + 1, len(lines)):
        if "|" not in lines[number]:
            break
        if _bars(lines[number]) > wanted:
            lines[number] = re.sub(r"`[^`]*`", lambda code: _BAR.sub(r"\\|", code[0]), lines[number])
        widest = max(widest, _bars(lines[number]))
    for _ in range(min(widest, _MOST_CELLS) - wanted):
        lines[at - 1] = f"{lines[at - 1].rstrip().removesuffix('|')}| |"
        lines[at] = f"{lines[at].rstrip().removesuffix('|')}|---|"
    below_text = at > 1 and lines[at - 2].strip() and _bars(lines[at - 1]) == _bars(lines[at])
    if below_text and not _MARKED.match(lines[at - 1]):  # where the parser looks for a bar in front
        lines[at - 1] = f"|{lines[at - 1].lstrip()}"


def _bars(line: str) -> int:
    """Bars between the cells of a row."""
    return len(_BAR.findall(line.strip().removeprefix("|").removesuffix("|")))


# --- blocks ----------------------------------------------------------------------------------------


@cache
def _parser() -> Markdown:
    from pyromark import Markdown, Options

    return Markdown(options=Options.ENABLE_TABLES | Options.ENABLE_STRIKETHROUGH | Options.ENABLE_FOOTNOTES)


@dataclass(slots=True)
class _Mark:
    """What stands in running text besides the text itself."""

    kind: str  # "tag" of HTML as it was written, "open" or "close" of emphasis, "text", or "other"
    written: str  # in the source, or in HTML for what is "other"


_LINE_BREAK = _Mark("other", "<br>\n")


class _Renderer:
    """Writes the events of the parser as HTML, one after the other."""

    def __init__(self, text: str) -> None:
        self.comments = _Comments()
        self._source = text.encode("utf-8", errors="replace")
        self._events: Iterator[tuple[JsonValue, Range]] = _parser().events_with_range(
            self._source.decode("utf-8"), merge_text=True
        )
        self._parts: list[str] = []
        self._run: list[str | _Mark] = []  # running text of the block that is being written
        self._plain = True  # whether it has no marks so far
        self._note = ""  # the mark of a footnote whose text comes next
        self._depth = 0
        self._cell = "td"
        self._in_table = False
        self._last_row = 0  # where it begins among the parts
        self._heading = ""  # the tag of the heading that is open

    def html(self) -> str:
        for event, place in self._events:
            if event == "SoftBreak":
                self._run.append("\n")
                continue
            if isinstance(event, str):
                self._alone(event)
                continue
            ((kind, value),) = event.items()
            if kind == "Text":
                self._run.append(value)
            elif kind == "Code":
                self._mark("other", escape(value, quote=False))
            elif kind == "InlineHtml":
                self._mark("tag", value)
            elif kind == "FootnoteReference":
                self._run.append(f"[^{value}]")
            else:
                name, about = (value, None) if isinstance(value, str) else next(iter(value.items()))
                act = self._start if kind == "Start" else self._end
                act(name, about, place["start"], place["end"])
        self._flush()
        return "".join(self._parts)

    def _mark(self, kind: str, written: str) -> None:
        self._plain = False
        self._run.append(_Mark(kind, written))

    def _alone(self, event: str) -> None:
        if event == "Rule":
            self._flush()
            self._parts.append("<hr>\n")
        else:
            self._plain = False
            self._run.append(_LINE_BREAK)

    def _start(self, name: str, about: JsonValue, start: int, end: int) -> None:
        if name == "TableCell":
            self._parts.append(f"<{self._cell}>")
        elif name in ("Emphasis", "Strong", "Strikethrough", "Link", "Image"):
            self._start_inline(name, about, start)
        else:
            self._start_block(name, about, start, end)

    def _end(self, name: str, about: JsonValue, start: int, end: int) -> None:
        if name == "TableCell":
            self._flush()
            self._parts.append(f"</{self._cell}>")
        elif name in ("Emphasis", "Strong"):
            self._mark("close", self._signs(name, start))
        elif name == "Strikethrough":
            self._struck(start, "</s>")
        elif name == "Link":
            self._mark("other", "</a>")
        else:
            self._end_block(name, about)

    # --- blocks ------------------------------------------------------------------------------------

    def _start_block(self, name: str, about: JsonValue, start: int, end: int) -> None:
        self._flush()
        if self._in_table and name not in ("TableHead", "TableRow"):
            # The parser adds so many missing cells and no more; that row comes again, as text with the rest.
            del self._parts[self._last_row :]
            self._end_table()
        if self._note and name != "Paragraph":
            self._write_note()
        if name == "FootnoteDefinition":
            self._note = about
        self._depth += name in _NESTED
        if name in _NESTED and self._depth > _DEEPEST:
            self._parts.append("<br>\n")
            return
        if name == "Heading":
            self._heading = "p" if self._is_prose(start, end) else about["level"].lower()
            self._parts.append(f"<{self._heading}>")
        elif name == "List":
            self._parts.append("<ul>" if about is None else f'<ol start="{about}">')
        elif name == "CodeBlock":
            self._parts.append(f"<pre><code>{escape(self._within())}</code></pre>\n")
        elif name == "HtmlBlock":
            self._parts.append(_escaped(self.comments.without(self._within())))
        else:
            self._in_table |= name == "Table"
            self._last_row = len(self._parts)
            self._cell = "th" if name == "TableHead" else "td"
            self._parts.append(_BLOCKS[name][0])
        if self._note and name == "Paragraph":
            self._run.append(f"[^{self._note}]: ")
            self._note = ""

    def _end_block(self, name: str, about: JsonValue) -> None:
        self._flush()
        if self._note:
            self._write_note()
        self._depth -= name in _NESTED
        if name in _NESTED and self._depth >= _DEEPEST:
            return
        if name == "Heading":
            self._parts.append(f"</{self._heading}>\n")
        elif name == "List":
            self._parts.append("</ol>\n" if about else "</ul>\n")
        elif name == "Table":
            self._end_table()
        else:
            self._parts.append(_BLOCKS[name][1])
            self._cell = "td"

    def _end_table(self) -> None:
        self._parts.append("</table>\n" if self._in_table else "")
        self._in_table = False

    def _write_note(self) -> None:
        """The mark of a footnote that does not begin with a paragraph, on a line of its own."""
        self._parts.append(f"<p>{_noted(f'[^{self._note}]:')}</p>")
        self._note = ""

    def _within(self) -> str:
        """The text of the element that has just begun, up to its end."""
        parts: list[str] = []
        depth = 1
        for event, _ in self._events:
            kind, value = ("", " ") if isinstance(event, str) else next(iter(event.items()))
            depth += (kind == "Start") - (kind == "End")
            if depth == 0:
                break
            if kind not in ("Start", "End"):
                parts.append(value)
        return "".join(parts)

    def _is_prose(self, start: int, end: int) -> bool:
        """Whether the rule under a paragraph was meant as a rule, not to make it a heading."""
        heading = self._source[start:end].decode("utf-8").strip()
        if heading.startswith("#"):
            return False
        words = heading.rpartition("\n")[0].rstrip()
        return len(words) > _LONGEST_HEADING or "\n" in words or words.endswith((".", ":", ";"))

    # --- running text ------------------------------------------------------------------------------

    def _start_inline(self, name: str, about: JsonValue, start: int) -> None:
        if name == "Image":
            self._run.append(self._within())
        elif name == "Link":
            self._mark("other", f'<a href="{escape(about["dest_url"])}">')
        elif name == "Strikethrough":
            self._struck(start, "<s>")
        else:
            self._mark("open", self._signs(name, start))

    def _signs(self, name: str, start: int) -> str:
        """What emphasis that begins at a place is marked with: *, _, ** or __."""
        return self._source[start : start + (2 if name == "Strong" else 1)].decode("ascii", errors="replace")

    def _struck(self, start: int, tag: str) -> None:
        """Two tildes strike text out, one is "about"."""
        if self._source.startswith(b"~~", start):
            self._mark("other", tag)
        else:
            self._run.append("~")

    def _flush(self) -> None:
        """Write the running text so far."""
        if not self._run:
            return
        if self._plain:
            self._parts.append(escape(_noted("".join(map(str, self._run))), quote=False))
        else:
            self._parts.append("".join(_inline(self._run, self.comments)))
        self._run.clear()
        self._plain = True


# --- running text ----------------------------------------------------------------------------------


@cache
def _known_tags() -> frozenset[str]:
    from lxml.html import defs

    # <command> is older than HTML, and more often what the reader is to type.
    return frozenset(defs.tags) - {"command"} | {"bdi", "data", "main", "picture", "template"}


def _escaped(html: str) -> str:
    """HTML with tags that HTML does not know as text."""
    known = _known_tags()
    return _TAG.sub(lambda tag: tag[0] if tag[2].lower() in known else escape(tag[0]), html)


def _inline(run: Sequence[str | _Mark], comments: _Comments) -> Iterator[str]:
    """Running text as HTML, piece by piece."""
    kept = (
        each for each in run if isinstance(each, str) or each.kind != "tag" or comments.without(each.written)
    )
    items: list[str | _Mark] = []
    for is_text, group in groupby(kept, key=_is_text):
        pieces = [*group]
        items += ["".join(map(str, pieces))] if is_text else pieces
    _keep_placeholders([each for each in items if isinstance(each, _Mark) and each.kind == "tag"])
    _keep_operators(items)
    for item in items:
        if isinstance(item, str):
            yield escape(_noted(item), quote=False)
        elif item.kind == "text":
            yield escape(item.written, quote=False)
        elif item.kind in ("tag", "other"):
            yield item.written


def _is_text(item: str | _Mark) -> bool:
    return isinstance(item, str)


def _noted(text: str) -> str:
    """Text with the marks of footnotes as words."""
    if "[^" not in text:
        return text
    text = re.sub(r"^\[\^([^\]\s]+)\]:", r"(note \1)", text)
    return re.sub(r"\[\^([^\]\s]+)\]", _footnote, text)


def _footnote(mark: re.Match[str]) -> str:
    before = mark.string[: mark.start()][-1:]
    return f"{' ' if before.strip() else ''}(note {mark[1]})"


def _keep_placeholders(tags: Sequence[_Mark]) -> None:
    """Tags that are none stay text: unknown names, and those that nothing closes."""
    open_tags: list[tuple[str, _Mark]] = []
    for mark in tags:
        tag = _TAG.fullmatch(mark.written)
        name = tag[2].lower() if tag else ""
        if tag is None or name not in _known_tags() or not _ATTRIBUTES.fullmatch(tag[3]):
            mark.kind = "text"
        elif tag[1]:
            partner = next((each for each in reversed(open_tags) if each[0] == name), None)
            if partner is None:
                mark.kind = "text"
            else:
                del open_tags[open_tags.index(partner) :]
        elif name not in _ALONE and not (name in _VOID and tag[3].strip(" /")):
            open_tags.append((name, mark))
    for _, mark in open_tags:
        mark.kind = "text"


def _keep_operators(items: Sequence[str | _Mark]) -> None:
    """__init__ is a name and 2*3*4 a product, where emphasis would be set within a word."""
    for first, opening, last, closing in _emphasised(items):
        before = _as_text(items[first - 1])[-1:] if first else ""
        after = _as_text(items[last + 1])[:1] if last + 1 < len(items) else ""
        inner = _as_text(items[first + 1]) if last == first + 2 else ""
        name = closing.written == "__" and re.fullmatch(r"[a-z0-9_]+", inner)
        within = before.isalnum() and after.isalnum()
        product = inner and within and (len(inner) < 4 or re.search(r"\d", inner))
        head, tail = _as_text(items[first + 1])[:1], _as_text(items[last - 1])[-1:]
        factors = (before.isdigit() and head.isdigit()) or (tail.isdigit() and after.isdigit())
        if name or product or factors:
            opening.kind = closing.kind = "text"


def _emphasised(items: Sequence[str | _Mark]) -> list[tuple[int, _Mark, int, _Mark]]:
    """Where each emphasis begins and ends, and the marks there, in the order in which they begin."""
    begun: list[tuple[int, _Mark]] = []
    found: list[tuple[int, _Mark, int, _Mark]] = []
    for at, item in enumerate(items):
        if isinstance(item, _Mark) and item.kind == "open":
            begun.append((at, item))
        elif isinstance(item, _Mark) and item.kind == "close":
            found.append((*begun.pop(), at, item))
    return sorted(found, key=lambda each: each[0])


def _as_text(item: str | _Mark) -> str:
    if isinstance(item, str):
        return item
    return item.written if item.kind == "text" else ""
