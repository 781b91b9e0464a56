"""Markdown as it is rendered: headings, lists and rows, code as it stands, front matter as a line.

Enters: Markdown's source. Leaves: what a reader of the rendered page sees. `markdown_html` renders it, `html`
writes the lines.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from backends.datatypes import JsonValue, ParsedFile
from backends.documents.parsers.boilerplate import remove_invisible
from backends.documents.parsers.common import iso_date, line_ends, one_line, stem
from backends.documents.parsers.html import html_text, inline_text, parse_html
from backends.documents.parsers.markdown_html import markdown_html
from backends.documents.parsers.nested_values import flat
from backends.system.encodings import decoded

_FRONT = re.compile(r"\A\ufeff?---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_LONGEST_FRONT = 20_000  # characters
_DATES = ("updated", "last_updated", "lastmod", "last_modified", "modified", "date", "published", "created")


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    file = decoded(path.read_bytes())
    parsed = parse_markdown(file.text, name, kind)
    return replace(parsed, notes=(*file.notes, *parsed.notes))


def parse_markdown(text: str, name: str, kind: str = "markdown") -> ParsedFile:
    """A Markdown file; `kind` is the type of the file that it comes from."""
    front, body = _front_matter(line_ends(text))
    html, comments = markdown_html(body)
    root = parse_html(html)
    notes = remove_invisible(root)
    headings = [found for level in "123456" for found in root.iter(f"h{level}")]
    title = one_line(front.get("title", "")) or (inline_text(headings[0]) if headings else "") or stem(name)
    about = flat({key: value for key, value in front.items() if key != "title"})
    lines = html_text([root.find("body") if root.find("body") is not None else root])
    date = next((day for key in _DATES if (day := iso_date(front.get(key)))), "")
    notes += (f"comments left out ({comments})",) if comments else ()
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
