"""A document as a reader would have it: headings, lists and tables instead of the extracted lines.

Enters: a document. Leaves: safe HTML. All readers write headings with #, list items with - and table rows as
`Column: value; Column: value`; what is none of these is a paragraph. Markdown is rendered as Markdown, with
markup of its own shown as text and without pictures, which would be loaded from elsewhere.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt

from backends.datatypes import Document
from backends.training.table_questions import cells
from pages.ui.text import json_text, plain_html

_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_ITEM = re.compile(r"[-*•]\s+(.*)")
CELL = "padding:.3rem .6rem;border:1px solid color-mix(in srgb,currentColor 20%,transparent);text-align:left"
SOFT = "opacity:.7;font-size:.85rem;border-bottom:1px solid color-mix(in srgb,currentColor 20%,transparent)"


def rendered(document: Document, longest: int) -> str:
    """HTML of the first `longest` characters."""
    text = document.text[:longest]
    if document.type == "json" and (code := json_text(text)):
        return f"<pre>{plain_html(code)}</pre>"
    if document.type == "markdown":
        return _markdown(text)
    if not document.pages:
        return _blocks(text)
    parts = []
    for page in document.pages:
        if page.start < len(text):
            name = f"{page.label} · {page.number}" if page.label else f"Page {page.number}"
            parts.append(
                f'<div style="{SOFT}">{plain_html(name)}</div>{_blocks(text[page.start : page.end])}'
            )
    return "".join(parts)


def _markdown(text: str) -> str:
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    return str(reader.render(text))


def _blocks(text: str) -> str:
    return "".join(_block(kind, list(lines)) for kind, lines in itertools.groupby(_lines(text), key=_kind))


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines() if line.strip())


def _kind(line: str) -> str:
    """What a line is; rows of other columns are another table."""
    if row := cells(line):
        return "table " + "\n".join(name for name, _ in row)
    return "heading" if _HEADING.match(line) else "item" if _ITEM.match(line) else "text"


def _block(kind: str, lines: Sequence[str]) -> str:
    if kind.startswith("table"):
        return _table([cells(line) for line in lines])
    if kind == "item":
        items = (plain_html(_ITEM.sub(r"\1", line)) for line in lines)
        return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"
    if kind == "heading":
        return "".join(_heading(line) for line in lines)
    return "".join(f"<p>{plain_html(line)}</p>" for line in lines)


def _heading(line: str) -> str:
    found = _HEADING.match(line)
    level = min(6, len(found[1]) + 3) if found else 6  # below the page's own headings
    return f"<h{level}>{plain_html(found[2] if found else line)}</h{level}>"


def _table(rows: Sequence[Sequence[tuple[str, str]]]) -> str:
    head = "".join(f'<th style="{CELL}">{plain_html(name)}</th>' for name, _ in rows[0])
    body = "".join(
        "<tr>" + "".join(f'<td style="{CELL}">{plain_html(value)}</td>' for _, value in row) + "</tr>"
        for row in rows
    )
    return (
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;font-size:.9rem">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
