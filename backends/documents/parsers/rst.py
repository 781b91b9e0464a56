"""reStructuredText as docutils renders it; what only Sphinx knows is kept as words.

Enters: an rst file. Leaves: headings, paragraphs, rows, code as it stands. No other file is opened.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from backends.datatypes import JsonValue, ParsedFile
from backends.documents.parsers.boilerplate import remove_invisible
from backends.documents.parsers.common import clean, iso_date, stem
from backends.documents.parsers.html import html_text, inline_text, parse_html
from backends.system.encodings import decoded

if TYPE_CHECKING:
    from docutils.parsers.rst import Parser

_ROLE = re.compile(r":[\w.+:-]{1,60}:`[!~]?([^`<]{0,300})(?:<[^`>]{0,300}>)?`(?!_)")
_DIRECTIVE = re.compile(r"^( *)\.\. ([\w:.-]+)::(.*)$")
_OPTION = re.compile(r" +:[\w-]+:")
_NO_CONTENT = {"toctree", "literalinclude", "index", "highlight"}
_MARK = re.compile(r"[*`_|\\]")  # one of these is in whatever is more than text
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "report_level": 5,
    "halt_level": 5,
    "line_length_limit": 10**8,
    "syntax_highlight": "none",
    "embed_stylesheet": False,
    "smart_quotes": False,
}


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    from docutils.core import publish_parts

    file = decoded(path.read_bytes())
    source = "\n".join(_known(clean(file.text, keep_spaces=True).split("\n")))
    parts = publish_parts(source, parser=_parser(), writer="html5", settings_overrides=_SETTINGS)
    root = parse_html(parts["html_body"])
    comments = parts["html_body"].count("<!--")
    remove_invisible(root)
    heading = next(root.iter("h1", "h2", "h3"), None)
    title = inline_text(heading) if heading is not None else ""
    dated = next((element for element in root.iter("dd") if element.get("class") == "date"), None)
    notes = (*file.notes, *([f"comments left out ({comments})"] if comments else []))
    date = iso_date(inline_text(dated)) if dated is not None else ""
    return ParsedFile(html_text([root]), title or stem(name), kind, date=date, notes=notes)


def _parser() -> Parser:
    """docutils' own, but addresses stay text, and text without marks is not searched for them.

    Both took most of the time. A class of its own would not do: docutils reads its patterns from the class.
    """
    from docutils import nodes
    from docutils.parsers.rst import Parser, states

    inliner = states.Inliner()
    marked = inliner.parse

    def text_of(text: str, lineno: int) -> list[nodes.Text]:  # noqa: ARG001  # as docutils calls it
        return [nodes.Text(text)] if text else []

    def parse_text(text: str, lineno: int, memo: JsonValue, parent: nodes.Element) -> JsonValue:
        return marked(text, lineno, memo, parent) if _MARK.search(text) else (text_of(text, lineno), [])

    inliner.implicit_inline = text_of  # type: ignore[method-assign]
    inliner.parse = parse_text  # type: ignore[method-assign]
    return Parser(inliner=inliner)


def _known(lines: list[str]) -> list[str]:
    """Directives and roles that docutils does not know as the words they hold."""
    from docutils.parsers.rst.languages import en

    found: list[str] = []
    skipped = -1  # indentation of a directive whose options are left out
    for line in lines:
        if skipped >= 0 and _OPTION.match(line) and len(line) - len(line.lstrip()) > skipped:
            continue
        skipped = -1
        directive = _DIRECTIVE.match(line)
        if directive and directive[2] not in _NO_CONTENT and directive[2] not in en.directives:
            skipped = len(directive[1])
            line = f"{directive[1]}{directive[2].rpartition(':')[2]}: {directive[3].strip()}".rstrip(": ")
            found += [line, ""]
            continue
        found.append(_ROLE.sub(lambda role: _said(role, en.roles), line))
    return found


def _said(role: re.Match[str], known: dict[str, str]) -> str:
    name = role[0][1:].split(":`", 1)[0]
    return role[0] if name in known else f"``{role[1].strip()}``"
