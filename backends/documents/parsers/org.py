"""Org mode files, by way of Markdown: both mark the same things.

Enters: an org file. Leaves: headings, paragraphs, rows, code as it stands. Drawers and settings are left out.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from backends.datatypes import ParsedFile
from backends.documents.parsers.common import clean, iso_date
from backends.documents.parsers.markdown import parse_markdown
from backends.system.encodings import decoded

_BEGIN = re.compile(r"\s*#\+begin_(\w+)", re.I)
_KEYWORD = re.compile(r"\s*#\+(\w+):\s*(.*)$")
_SHOWN = {"title", "author", "date", "subtitle", "caption", "email"}
_CODE = {"src", "example", "export", "verse"}
_TABLE_RULE = re.compile(r"\s*\|[-+|]+\s*$")
_INLINE: tuple[tuple[str, re.Pattern[str], str], ...] = (  # what each begins with, what it is in Markdown
    ("[[", re.compile(r"\[\[[^\[\]]+\]\[([^\[\]]+)\]\]"), r"\1"),
    ("[[", re.compile(r"\[\[(?:file:)?([^\[\]]+)\]\]"), r"\1"),
    ("[fn:", re.compile(r"\[fn:(\w+)\]"), r"[^\1]"),
    ("*", re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"**\1**"),
    ("/", re.compile(r"(?<![\w/:])/(?=\S)([^/\n]+?)(?<=\S)/(?![\w/])"), r"*\1*"),
    ("=", re.compile(r"(?<![\w=])=(?=\S)([^=\n]+?)(?<=\S)=(?![\w=])"), r"`\1`"),
    ("~", re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])"), r"`\1`"),
    ("+", re.compile(r"(?<![\w+])\+(?=[^\s+])([^+\n]+?)(?<=\S)\+(?![\w+])"), r"~~\1~~"),
)
_MARKS = re.compile(r"[\[*/=~+]")


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    file = decoded(path.read_bytes())
    about: dict[str, str] = {}
    lines = list(_markdown(clean(file.text, keep_spaces=True).split("\n"), about))
    parsed = parse_markdown("\n".join(lines), name, kind)
    title = about.pop("title", "") or parsed.title
    head = "; ".join(f"{key}: {value}" for key, value in about.items())
    text = "\n\n".join(filter(None, [head, parsed.text]))
    date = iso_date(about.get("date", "").strip("<>[]")[:10])
    return replace(parsed, text=text, title=title, date=date, notes=(*file.notes, *parsed.notes))


def _markdown(lines: list[str], about: dict[str, str]) -> Iterator[str]:
    """The same text in Markdown; `about` is told what the file says of itself."""
    block = ""
    table: list[str] = []
    for line in [*lines, ""]:
        if not block and not table and (not line or line[0].isalpha()):  # running text: none of what follows
            yield _inline(line)
            continue
        if not block and line.lstrip().startswith("|"):
            table.append(line)
            continue
        yield from _table(table)
        table = []
        began = _BEGIN.match(line)
        if block:
            ends = re.match(rf"\s*#\+end_{block}", line, re.I)
            yield _fence(block) if ends else f"> {line}" if block == "quote" else line
            block = "" if ends else block
        elif began:
            block = began[1].lower()
            yield _fence(block)
        elif found := _KEYWORD.match(line):
            if found[1].lower() in _SHOWN and found[2]:
                about[found[1].lower()] = found[2].strip()
        elif re.match(r"\s*#( |$)|\s*:[\w-]+:( .*)?$", line):
            continue  # comments, drawers
        else:
            yield _line(line)


def _fence(block: str) -> str:
    return "```" if block in _CODE else ""


def _table(lines: list[str]) -> Iterator[str]:
    """The rows of a table; as HTML where Org has no rule below the first row, which Markdown must have."""
    rows = [line for line in lines if not _TABLE_RULE.match(line)]
    ruled = [at for at, line in enumerate(lines) if _TABLE_RULE.match(line) and at]
    heads = sum(not _TABLE_RULE.match(line) for line in lines[: ruled[0]]) if ruled else 0
    if not rows:
        return
    yield ""
    if heads == 1:
        head, *body = map(_inline, rows)
        yield from [head, lines[ruled[0]].replace("+", "|"), *body]
        return
    made = (_html_row(line, "th" if at < heads < len(rows) else "td") for at, line in enumerate(rows))
    yield f"<table>{''.join(made)}</table>"
    yield ""


def _html_row(line: str, tag: str) -> str:
    for _, pattern, _ in _INLINE:
        line = pattern.sub(r"\1", line)
    cells = (html.escape(cell.strip()) for cell in line.strip().strip("|").split("|"))
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def _line(line: str) -> str:
    if heading := re.match(r"(\*+) (.*?)(\s+:[\w@:]+:)?$", line):
        return f"{'#' * min(len(heading[1]), 6)} {_inline(heading[2])}"
    line = re.sub(r"^(\s*[-+] .*?) :: ", r"\1: ", line)
    return _inline(re.sub(r"^(\s*)\+ ", r"\1- ", line))


def _inline(text: str) -> str:
    if _MARKS.search(text):
        for mark, pattern, replacement in _INLINE:
            if mark in text:
                text = pattern.sub(replacement, text)
    return text
