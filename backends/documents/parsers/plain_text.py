"""Plain text, logs and SQL.

Enters: a text file in any encoding. Leaves: one paragraph a line where lines were broken at a fixed width;
lines that mean something (logs, code, addresses, columns) stay as they stand, their white space included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import compress, pairwise
from pathlib import Path
from typing import NamedTuple

from backends.datatypes import ParsedFile
from backends.documents.parsers.common import clean, stem
from backends.documents.parsers.languages import FUNCTION_WORDS
from backends.documents.parsers.pdf_words import HYPHENS, is_broken, join, whole_words
from backends.system.encodings import decoded

ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_RULE = re.compile(r"^\s*([-*_=~^#\"'+.])\1{2,}\s*$")
_HEADING = re.compile(r"#{1,6}\s")
_HYPHENS = frozenset(HYPHENS)
_LINES = (".log", ".sql")  # files in which every line end means something
_NARROWEST, _WIDEST = 45, 120  # characters at which texts are broken
_LONGEST_LINE = 200  # a longer one is a paragraph, not a line of something
_CONTINUED = 0.4  # share of full lines that go on with a small letter, in prose; German has 0.6
# Columns, entries of a log, code: no line of prose looks so.
_NO_PROSE = re.compile(
    r"\S {2,}\S.* {2,}\S|\S {3,}\S|\t\S|\S +\| +\S|^\W?\d{2,4}[-/:.]\d\d[-/:.]\d\d|[;{}]$|^\s*(--|//|#!)"
    r"|\s--\s|^\s*[\w.-]+\s*[=:]\s*\S{1,40}$|^\s*(CREATE|INSERT|SELECT|UPDATE|DELETE|ALTER|DROP)\s"
)
# One of these is in each such line, unless it begins with digits or a word in capitals.
_SIGNS = ("  ", "--", "//", "#!", "\t", "|", ";", "{", "}", "=", ":")


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


class _Block(NamedTuple):  # made in a third of the time that a frozen dataclass takes
    """Lines without a blank one between them, and counts of what they look like."""

    lines: tuple[str, ...]
    odd: int  # lines that look like code, columns or entries
    full: tuple[bool, ...]  # whether each but the last is as long as it could be: the next word did not fit
    going_on: int  # those of the full ones that end within a sentence

    @property
    def is_prose(self) -> bool:
        return self.odd <= len(self.lines) / 4


def unwrap(text: str) -> str:
    """The text cleaned, lines of paragraphs joined that were broken at a fixed width, and words with them."""
    text = clean(text, keep_spaces=True)
    signs = [sign for sign in _SIGNS if sign in text]
    blocks = [_block(block, signs) for block in text.split("\n\n")]
    prose = [block for block in blocks if block.is_prose]
    full, going_on = sum(sum(block.full) for block in prose), sum(block.going_on for block in prose)
    usual = full > 0 and going_on >= _CONTINUED * full
    whole = whole_words([_written(block, usual) for block in blocks])
    return "\n\n".join(filter(None, whole))


def _block(text: str, signs: Sequence[str]) -> _Block:
    """`signs` are those of `_SIGNS` that the document has."""
    lines = text.split("\n")
    block = tuple([line for line in lines if line[:1].isalnum() or not _RULE.match(line)])
    full = _full(block)
    going_on = sum(map(_runs_over_line, compress(pairwise(block), full))) if full else 0
    asked: Iterable[str] = block
    if not signs or not any(sign in text for sign in signs):  # most paragraphs
        asked = [line for line in block if not line[:1].isalpha() or line[:4].isupper()]
    return _Block(block, sum(map(_looks_odd, asked)) if asked else 0, full, going_on)


def _looks_odd(line: str) -> bool:
    """Whether a line is none of prose: code, columns, entries."""
    return len(line) <= _LONGEST_LINE and _NO_PROSE.search(line) is not None


def _full(block: Sequence[str]) -> tuple[bool, ...]:
    width = max(map(len, block), default=0)
    if not _NARROWEST <= width <= _WIDEST:
        return ()
    least = 0.7 * width
    return tuple([len(line) > least and _is_full(line, next_, width) for line, next_ in pairwise(block)])


def _is_full(line: str, following: str, width: int) -> bool:
    words = following.lstrip()
    if not words or len(line) + 1 + len(words.partition(" ")[0]) <= width - 3:
        return False
    item = not following[:1].isalpha() and ITEM.match(following)
    return not item and not (line[:1] == "#" and _HEADING.match(line))


def _runs_over_line(pair: tuple[str, str]) -> bool:
    """Whether a sentence clearly runs over the end of a line."""
    line, first = pair[0], pair[1].lstrip()[:1]
    if first.islower() or line.endswith((",", "-")) or line.rpartition(" ")[2] in FUNCTION_WORDS:
        return True
    caseless = first.isalpha() and first.lower() == first.upper()
    return caseless and line[-1:] not in ".!?。"


def _written(block: _Block, usual: bool) -> str:
    """A paragraph on one line, or lines as they stand."""
    lines, full, going_on = block.lines, sum(block.full), block.going_on
    wrapped = full > 0 and block.is_prose and going_on >= _CONTINUED * full
    if not wrapped and not (usual and 0 < full <= 2 and block.is_prose and going_on):
        return _kept(block)
    if all(block.full) and _HYPHENS.isdisjoint([line[-1:] for line in lines]):
        return " ".join(" ".join(lines).split())
    first, *rest = (" ".join(line.split()) for line in lines)
    pieces = [first]
    for piece, is_full in zip(rest, block.full, strict=True):
        last = pieces.pop()
        joined = join(last, piece) if is_full or _breaks(last, piece) else f"{last}\n{piece}"
        pieces += [joined[: len(joined) - len(piece)], piece]
    return "".join(pieces)


def _kept(block: _Block) -> str:
    """Lines as they stand where their white space means something."""
    lines = block.lines
    depths = {len(line) - len(line.lstrip()) for line in lines}
    stepped = len(depths) > 1 and max(depths) > 1
    if len(lines) > 1 and (stepped or block.odd) and max(map(len, lines)) <= _LONGEST_LINE:
        return "\n".join(lines)
    kept: list[str] = []
    for line in lines:
        line = " ".join(line.split())
        if kept and _breaks(kept[-1], line):
            kept[-1] = join(kept[-1], line)
        else:
            kept.append(line)
    return "\n".join(kept)


def _breaks(line: str, following: str) -> bool:
    """Whether a line of prose ends within a word, however long the lines are."""
    return " " in line and is_broken(line, following)
