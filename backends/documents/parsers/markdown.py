"""Markdown as it is rendered: headings, lists and rows, code as it stands, front matter as a line.

Enters: Markdown's source. Leaves: what a reader of the rendered page sees. markdown-it parses (CommonMark and
tables), `html` writes the lines. What looks like mark-up and is none (<placeholders>, Vec<u8>, a<b, __init__,
2*3*4) stays as it was written.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, cast

from backends.datatypes import JsonValue, ParsedFile
from backends.documents.parsers.boilerplate import remove_invisible
from backends.documents.parsers.common import iso_date, line_ends, one_line, stem
from backends.documents.parsers.html import html_text, inline_text, parse_html
from backends.documents.parsers.nested_values import flat
from backends.system.encodings import decoded

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

_FRONT = re.compile(r"\A\ufeff?---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_LONGEST_FRONT = 20_000  # characters
_DATES = ("updated", "last_updated", "lastmod", "last_modified", "modified", "date", "published", "created")
_ALONE = {"br", "hr", "wbr"}  # tags that are mark-up without a partner or an attribute
_VOID = {"img", "input", "link", "meta", "source", "col"}
_TAG = re.compile(r"<(/?)([a-zA-Z][\w.-]*)((?:\s[^>]*)?)/?>")
_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+)"""
_ATTRIBUTES = re.compile(rf"(?:\s+[\w:@.-]+\s*=\s*{_VALUE}|\s+(?:open|hidden|checked))*\s*/?")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_MOST_CELLS = 100  # of a row beyond which no columns are added
_LONGEST_HEADING = 100  # characters of a line above "---" that is taken for a heading


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    file = decoded(path.read_bytes())
    parsed = parse_markdown(file.text, name, kind)
    return replace(parsed, notes=(*file.notes, *parsed.notes))


def parse_markdown(text: str, name: str, kind: str = "markdown") -> ParsedFile:
    """A Markdown file; `kind` is the type of the file that it comes from."""
    front, body = _front_matter(line_ends(text))
    comments = _Comments()
    root = parse_html(_rendered(body, comments))
    notes = remove_invisible(root)
    headings = [found for level in "123456" for found in root.iter(f"h{level}")]
    title = one_line(front.get("title", "")) or (inline_text(headings[0]) if headings else "") or stem(name)
    about = flat({key: value for key, value in front.items() if key != "title"})
    lines = html_text([root.find("body") if root.find("body") is not None else root])
    date = next((day for key in _DATES if (day := iso_date(front.get(key)))), "")
    notes += (f"comments left out ({comments.count})",) if comments.count else ()
    return ParsedFile("\n\n".join(filter(None, [about, lines])), title, kind, date=date, notes=notes)


def _front_matter(text: str) -> tuple[dict[str, JsonValue], str]:
    """(what YAML at the top says, the rest). A rule at the top of a text opens no front matter."""
    import yaml

    found = _FRONT.match(text)
    if found is None or len(found[1]) > _LONGEST_FRONT or re.search(r":\s+[&*]\w", found[1]):
        return {}, text
    try:
        front = yaml.load(found[1], Loader=yaml.BaseLoader)  # strings only
    except yaml.YAMLError:
        return {}, text
    return (front, text[found.end() :]) if isinstance(front, dict) else ({}, text)


# --- rendering -------------------------------------------------------------------------------------


@dataclass
class _Comments:
    count: int = 0

    def without(self, html: str) -> str:
        closed = html.rfind("-->") + 3 if "-->" in html else 0
        text, found = _COMMENT.subn("", html[:closed])
        self.count += found
        return text + html[closed:].replace("<!--", "&lt;!--")  # what nothing closes is no comment


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    rules = {rule.name: rule.fn for rule in parser.block.ruler.__rules__}

    def reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        """Footnotes look like the addresses of links, and are text."""
        line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
        return not line.startswith("[^") and bool(rules["reference"](state, start, end, silent))

    def inline(state: StateCore) -> None:
        """What holds no mark is text and needs no tokens of its own: so are most cells of tables."""
        for token in state.tokens:
            if token.type == "inline" and _MARKS.search(token.content):
                token.children = state.md.inline.parse(token.content, state.md, state.env, [])

    parser.block.ruler.at("reference", reference)
    parser.core.ruler.at("inline", inline)
    return parser


# What the parser's rules for running text begin at, and the white space that it drops around a line break.
_MARKS = re.compile(r"[\\`~*_\[<&]|  \n")
_LINE_BREAK = re.compile(r" ?\n[ \t]*")
_DELIMITER = re.compile(r"\s{0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)+\|?\s*")
_FENCE = re.compile(r"\s{0,3}(?:```|~~~)")
_PARTS_OF_TABLES = ("td", "th", "tr", "thead", "tbody")  # how they are aligned says nothing
_BAR = re.compile(r"(?<!\\)\|")


def _with_all_cells(text: str) -> str:
    """Tables with a column for each cell: CommonMark's readers drop cells that have none.

    A bar within code parts no cells where a row has more of them than names.
    """
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


def _bars(line: str) -> int:
    """Bars between the cells of a row."""
    return len(_BAR.findall(line.strip().removeprefix("|").removesuffix("|")))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Tokens lie in no circles: to look for some among all of them, again and again, is in vain, and slow."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


@_no_collection()
def _rendered(text: str, comments: _Comments) -> str:
    parser = _parser()
    environment: dict[str, JsonValue] = {}
    tokens = parser.parse(_with_all_cells(text), environment)
    renderer, options = cast("RendererHTML", parser.renderer), parser.options
    parts: list[str] = []
    for at, token in enumerate(tokens):
        if token.type == "inline" and token.children:
            parts.append(renderer.renderInline(_inline(token.children, comments), options, environment))
        elif token.type == "inline":
            parts.append(escape(_LINE_BREAK.sub("\n", token.content), quote=False))
        elif token.tag in _PARTS_OF_TABLES:
            parts.append(f"<{token.tag}>" if token.nesting == 1 else f"</{token.tag}>")
        elif token.type == "html_block":
            parts.append(_escaped(comments.without(token.content)))
        elif token.type in renderer.rules:
            parts.append(renderer.rules[token.type](tokens, at, options, environment))
        else:
            if token.type == "heading_open" and token.markup in "-=" and _is_prose(tokens[at + 1].content):
                token.tag = tokens[at + 2].tag = "p"
            parts.append(renderer.renderToken(tokens, at, options, environment))
    return "".join(parts)


def _is_prose(heading: str) -> bool:
    """Whether a rule under a paragraph was meant as a rule, not to make it a heading."""
    return len(heading) > _LONGEST_HEADING or "\n" in heading or heading.rstrip().endswith((".", ":", ";"))


@cache
def _known_tags() -> frozenset[str]:
    from lxml.html import defs

    # <command> is older than HTML, and more often what the reader is to type.
    return frozenset(defs.tags) - {"command"} | {"bdi", "data", "main", "picture", "template"}


def _escaped(html: str) -> str:
    """HTML with tags that HTML does not know as text."""
    known = _known_tags()
    return _TAG.sub(lambda tag: tag[0] if tag[2].lower() in known else escape(tag[0]), html)


def _inline(children: Sequence[Token], comments: _Comments) -> list[Token]:
    tokens = [token for token in children if token.type != "html_inline" or comments.without(token.content)]
    for token in tokens:
        if token.type == "image":
            token.type, token.content = "text", "".join(each.content for each in token.children or ())
        elif token.type == "text":
            token.content = _with_footnotes(token.content)
    _keep_placeholders(tokens)
    _keep_operators(tokens)
    return tokens


def _with_footnotes(text: str) -> str:
    if "[^" not in text:
        return text
    noted = re.sub(r"^\[\^([^\]\s]+)\]:", r"(note \1)", text)
    return re.sub(r"\[\^([^\]\s]+)\]", _footnote, noted)


def _footnote(mark: re.Match[str]) -> str:
    before = mark.string[: mark.start()][-1:]
    return f"{' ' if before.strip() else ''}(note {mark[1]})"


def _as_text(token: Token, content: str) -> None:
    token.type, token.tag, token.nesting, token.content = "text", "", 0, content


def _keep_placeholders(tokens: Sequence[Token]) -> None:
    """Tags that are none stay text: unknown names, and those that nothing closes."""
    open_tags: list[tuple[str, Token]] = []
    for token in tokens:
        if token.type != "html_inline":
            continue
        tag = _TAG.fullmatch(token.content)
        name = tag[2].lower() if tag else ""
        if tag is None or name not in _known_tags() or not _ATTRIBUTES.fullmatch(tag[3]):
            _as_text(token, token.content)
        elif tag[1]:
            partner = next((each for each in reversed(open_tags) if each[0] == name), None)
            if partner is None:
                _as_text(token, token.content)
            else:
                del open_tags[open_tags.index(partner) :]
        elif name not in _ALONE and not (name in _VOID and tag[3].strip(" /")):
            open_tags.append((name, token))
    for _, token in open_tags:
        _as_text(token, token.content)


def _keep_operators(tokens: Sequence[Token]) -> None:
    """__init__ is a name and 2*3*4 a product, where emphasis would be set within a word."""
    for at, token in enumerate(tokens):
        if token.type not in ("strong_open", "em_open") or at + 2 >= len(tokens):
            continue
        inner, closing = tokens[at + 1], tokens[at + 2]
        if inner.type != "text" or closing.type != token.type.replace("open", "close"):
            continue
        before = tokens[at - 1].content[-1:] if at and tokens[at - 1].type == "text" else ""
        after = tokens[at + 3].content[:1] if at + 3 < len(tokens) and tokens[at + 3].type == "text" else ""
        name = token.markup == "__" and re.fullmatch(r"[a-z0-9_]+", inner.content)
        within = before.isalnum() and after.isalnum()
        product = within and (len(inner.content) < 4 or re.search(r"\d", inner.content))
        if name or product:
            _as_text(token, token.markup)
            _as_text(closing, closing.markup)
