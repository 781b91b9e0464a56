"""Plain text, logs and SQL.

Enters: a text file in any encoding. Leaves: one paragraph a line where lines were broken at a fixed width;
lines that mean something (logs, code, addresses, columns) stay as they stand, their white space included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from backends.datatypes import ParsedFile
from backends.documents.parsers.common import clean, one_line, stem
from backends.documents.parsers.languages import FUNCTION_WORDS
from backends.documents.parsers.pdf_words import is_broken, join, whole_words
from backends.system.encodings import decoded

ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_RULE = re.compile(r"^\s*([-*_=~^#\"'+.])\1{2,}\s*$")
_HEADING = re.compile(r"#{1,6}\s")
_LINES = (".log", ".sql")  # files in which every line end means something
_NARROWEST, _WIDEST = 45, 120  # characters at which texts are broken
_LONGEST_LINE = 200  # a longer one is a paragraph, not a line of something
_CONTINUED = 0.4  # share of full lines that go on with a small letter, in prose; German has 0.6
# Columns, entries of a log, code: no line of prose looks so.
_NO_PROSE = re.compile(
    r"\S {2,}\S.* {2,}\S|\S {3,}\S|\t\S|\S +\| +\S|^\W?\d{2,4}[-/:.]\d\d[-/:.]\d\d|[;{}]$|^\s*(--|//|#!)"
    r"|\s--\s|^\s*[\w.-]+\s*[=:]\s*\S{1,40}$|^\s*(CREATE|INSERT|SELECT|UPDATE|DELETE|ALTER|DROP)\s"
)
# Without one of these, or a capital word or a digit in front, it need not be asked: most lines are prose.
_SIGNS = ("  ", "\t", "|", ";", "{", "}", "--", "//", "#!", "=", ":")


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    file = decoded(path.read_bytes())
    if name.lower().endswith(_LINES):
        return ParsedFile(clean(file.text, keep_spaces=True), stem(name), kind, notes=file.notes)
    text = unwrap(file.text)
    return ParsedFile(text, title_of(text) or stem(name), kind, notes=file.notes)


def title_of(text: str) -> str:
    """A first line that stands alone and does not end like a sentence; "" when it does."""
    first = text.split("\n", 1)[0].strip()
    stands_alone = 3 <= len(first) <= 90 and first[-1] not in ".,;:" and not ITEM.match(first)
    return first.lstrip("# ") if stands_alone and not _NO_PROSE.search(first) else ""


@dataclass(frozen=True)
class _Block:
    """Lines without a blank one between them."""

    lines: tuple[str, ...]
    full: tuple[tuple[str, str], ...]  # neighbouring lines of which the first was as long as a line could be
    is_prose: bool  # nothing in it looks like code, columns or entries


def unwrap(text: str) -> str:
    """The text cleaned, lines of paragraphs joined that were broken at a fixed width, and words with them."""
    text = clean(text, keep_spaces=True)
    blocks = [
        _block(line for line in block.split("\n") if not _RULE.match(line)) for block in text.split("\n\n")
    ]
    breaks = [pair for block in blocks if block.is_prose for pair in block.full]
    usual = sum(map(_runs_over_line, breaks)) >= _CONTINUED * len(breaks) if breaks else False
    whole = whole_words([_written(block, usual) for block in blocks])
    return "\n\n".join(filter(None, whole))


def _block(lines: Iterable[str]) -> _Block:
    block = tuple(lines)
    return _Block(block, tuple(_full(block)), sum(map(_looks_odd, block)) <= len(block) / 4)


def _looks_odd(line: str) -> bool:
    """Whether a line is none of prose: code, columns, entries."""
    if len(line) > _LONGEST_LINE:
        return False
    may_be = line.lstrip()[:4].isupper() or any(map(str.isdigit, line[:2]))
    may_be = may_be or any(sign in line for sign in _SIGNS)
    return may_be and bool(_NO_PROSE.search(line))


def _full(block: Sequence[str]) -> list[tuple[str, str]]:
    """Neighbouring lines of which the first was as long as a line could be: the next word did not fit."""
    width = max((len(line) for line in block), default=0)
    if not _NARROWEST <= width <= _WIDEST:
        return []
    return [(line, following) for line, following in pairwise(block) if _is_full(line, following, width)]


def _is_full(line: str, following: str, width: int) -> bool:
    next_word = len(following.strip().split(" ", 1)[0])
    full = len(line) + 1 + next_word > width - 3 and len(line) > 0.7 * width
    return full and bool(following.strip()) and not ITEM.match(following) and not _HEADING.match(line)


def _runs_over_line(pair: tuple[str, str]) -> bool:
    """Whether a sentence clearly runs over the end of a line."""
    line, first = pair[0], pair[1].lstrip()[:1]
    if first.islower() or line.endswith((",", "-")) or line.rpartition(" ")[2] in FUNCTION_WORDS:
        return True
    caseless = first.isalpha() and first.lower() == first.upper()
    return caseless and line[-1:] not in ".!?。"


def _written(block: _Block, usual: bool) -> str:
    """A paragraph on one line, or lines as they stand."""
    lines, full = block.lines, block.full
    going_on = sum(map(_runs_over_line, full))
    wrapped = bool(full) and block.is_prose and going_on >= _CONTINUED * len(full)
    if not wrapped and not (usual and 0 < len(full) <= 2 and block.is_prose and going_on):
        return _kept(lines)
    width = max(map(len, lines))
    pieces = [one_line(lines[0])]
    for line, following in pairwise(lines):
        last, piece = pieces[-1], one_line(following)
        goes_on = _is_full(line, following, width) or _breaks(last, piece)
        joined = join(last, piece) if goes_on else f"{last}\n{piece}"
        pieces[-1:] = [joined[: len(joined) - len(piece)], piece]
    return "".join(pieces)


def _kept(block: Sequence[str]) -> str:
    """Lines as they stand where their white space means something."""
    depths = {len(line) - len(line.lstrip()) for line in block}
    stepped = len(depths) > 1 and max(depths) > 1
    set_out = stepped or any(map(_looks_odd, block))
    if len(block) > 1 and set_out and max(map(len, block)) <= _LONGEST_LINE:
        return "\n".join(block)
    lines: list[str] = []
    for line in map(one_line, block):
        goes_on = bool(lines) and _breaks(lines[-1], line)
        lines[-1:] = [join(lines[-1], line)] if goes_on else [*lines[-1:], line]
    return "\n".join(lines)


def _breaks(line: str, following: str) -> bool:
    """Whether a line of prose ends within a word, however long the lines are."""
    return " " in line and is_broken(line, following)
