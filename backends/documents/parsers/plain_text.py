"""Markdown, plain text, reStructuredText, Org and RTF.

Enters: a text file in any common encoding. Leaves: its words without mark-up, one paragraph a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

from backends.datatypes import ParsedFile
from backends.documents.parsers.common import clean, one_line, stem, table_lines
from backends.documents.parsers.encodings import decode

_FENCE = re.compile(r"^\s{0,3}(```|~~~)")
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_RULE = re.compile(r"^\s*([-*_=~^#\"'+.])\1{2,}\s*$")
_ATX = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_INLINE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),  # images: their description
    (re.compile(r"\[([^\]]+)\]\((?:[^()\s]|\([^()]*\))*(?:\s+\"[^\"]*\")?\)"), r"\1"),  # links: their words
    (re.compile(r"<(https?://[^>\s]+|[^>\s@]+@[^>\s]+)>"), r"\1"),
    (re.compile(r"</?[a-zA-Z][^>]*>"), ""),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<![\w_])_(?=\S)([^_]+?)(?<=\S)_(?![\w_])"), r"\1"),
    (re.compile(r"`+([^`]+?)`+"), r"\1"),
    (re.compile(r"\\([\\`*_{}\[\]()#+.!|<>-])"), r"\1"),
)


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    data = path.read_bytes()
    if kind == "rtf":
        from striprtf.striprtf import rtf_to_text

        text = re.sub(r"\|\n", "\n", rtf_to_text(data.decode("latin-1"), errors="replace"))
        return _parsed("\n".join(_rtf_lines(text.split("\n"))), kind, name)
    text = decode(data)
    if kind == "markdown":
        return parse_markdown(text, name)
    return _parsed(unwrap(text), kind, name)


def _parsed(text: str, kind: str, name: str) -> ParsedFile:
    text = clean(text)
    first = text.split("\n", 1)[0].strip()
    # A first line that stands alone and does not end like a sentence is the title.
    title = first if 3 <= len(first) <= 90 and first[-1] not in ".,;:" and not _ITEM.match(first) else ""
    return ParsedFile(text, title.lstrip("# ") or stem(name), kind)


def _rtf_lines(lines: list[str]) -> Iterator[str]:
    """The reader sets the cells of a row apart with "|"; rows that follow each other are one table."""
    for piped, group in groupby(lines, key=lambda line: "|" in line):
        block = list(group)
        yield from table_lines(line.split("|") for line in block) if piped else block


def unwrap(text: str) -> str:
    """Join the lines of paragraphs that were broken at a fixed width; other line ends mean something."""
    blocks = re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n\n".join(_unwrap_block(block.split("\n")) for block in blocks)


def _unwrap_block(lines: list[str]) -> str:
    lines = [line for line in lines if not _RULE.match(line)]
    width = max((len(line.rstrip()) for line in lines), default=0)
    joined: list[str] = []
    for at, line in enumerate(lines):
        before = lines[at - 1].rstrip() if at else ""
        # A wrapped line is about as long as a line can be: the next word would not have fitted.
        next_word = len(line.split(" ", 1)[0]) if line.strip() else 0
        wrapped = 45 <= width <= 120 and len(before) + 1 + next_word > width - 3 and len(before) > 0.7 * width
        if at and wrapped and not _ITEM.match(line) and not _ATX.match(before):
            joined[-1] = f"{joined[-1].rstrip()} {line.strip()}"
        else:
            joined.append(line)
    return "\n".join(joined)


# --- Markdown ------------------------------------------------------------------------------------


def parse_markdown(text: str, name: str, kind: str = "markdown") -> ParsedFile:
    """Mark-up removed, headings kept as "# ..." lines, tables as rows that can be read alone."""
    lines = _without_front_matter(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    blocks: list[str] = []
    at = 0
    while at < len(lines):
        at, block = _block(lines, at)
        if block:
            blocks.append(block)
    result = clean("\n\n".join(blocks))
    heading = re.search(r"^# (.+)$", result, re.M) or re.search(r"^#{2,6} (.+)$", result, re.M)
    return ParsedFile(result, heading.group(1) if heading else stem(name), kind)


def _without_front_matter(lines: list[str]) -> list[str]:
    if lines and lines[0].strip() == "---":
        for at, line in enumerate(lines[1:60], start=1):
            if line.strip() in ("---", "..."):
                return lines[at + 1 :]
    return lines


def _block(lines: list[str], at: int) -> tuple[int, str]:
    """(line after it, text) of the block that begins at line `at`."""
    line = lines[at]
    if not line.strip():
        return at + 1, ""
    if fence := _FENCE.match(line):
        end = _find(lines, at + 1, lambda each: each.strip().startswith(fence.group(1)))
        return end + 1, "\n".join(lines[at + 1 : end])
    if heading := _ATX.match(line):
        return at + 1, f"{heading.group(1)} {one_line(_inline(heading.group(2)))}"
    if at + 1 < len(lines) and "|" in line and "-" in lines[at + 1] and _TABLE_RULE.match(lines[at + 1]):
        end = _find(lines, at + 2, lambda each: "|" not in each)
        rows = [_cells(lines[at]), *(_cells(each) for each in lines[at + 2 : end])]
        return end, "\n".join(table_lines(rows, has_header=True))
    if _RULE.match(line):
        return at + 1, ""
    if at + 1 < len(lines) and re.match(r"^\s{0,3}(=+|-{2,})\s*$", lines[at + 1]) and not _ITEM.match(line):
        level = "#" if "=" in lines[at + 1] else "##"
        return at + 2, f"{level} {one_line(_inline(line))}"
    return _paragraph(lines, at)


def _paragraph(lines: list[str], at: int) -> tuple[int, str]:
    """A paragraph or one list: lines up to a blank one; each item on a line of its own."""
    parts: list[str] = []
    while at < len(lines) and lines[at].strip():
        line = lines[at]
        if parts and (_ATX.match(line) or _FENCE.match(line)):
            break
        line = re.sub(r"^\s*(>\s?)+", "", line)
        if parts and not _ITEM.match(line) and not parts[-1].endswith("\n"):
            parts[-1] += " " + line.strip()
        else:
            parts.append(_ITEM.sub(_bullet, line).strip())
        if line.endswith("  ") or line.endswith("\\"):
            parts[-1] = parts[-1].rstrip("\\ ") + "\n"
        at += 1
    return at, "\n".join(one_line(_inline(part)) for part in parts)


def _bullet(match: re.Match[str]) -> str:
    mark = match.group().strip()
    return f"{mark} " if mark[0].isdigit() else "- "


def _find(lines: list[str], at: int, test: Callable[[str], bool]) -> int:
    while at < len(lines) and not test(lines[at]):
        at += 1
    return at


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [_inline(cell.strip()) for cell in re.split(r"(?<!\\)\|", inner)]


def _inline(text: str) -> str:
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    return text
