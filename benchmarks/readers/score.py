"""How much of what a file holds a reader gave back: words, numbers, table rows, order.

Enters: a reference (`Truth`) and the text that was read. Leaves: `Score`. It knows no file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

_WORD = re.compile(r"[-+−]?\d[\w.,:/-]*\w|\w+(?:[-'’.@/]\w+)*|[%€$£¥]")
_PARTS = re.compile(r"; |\s*\|\s*")  # of a row's line; rows of plain text stay as they are
_NUMBER = re.compile(r"\d")


@dataclass(frozen=True)
class Truth:
    """Lines in order, but for the rows of tables: these are (label, value) pairs, with "" for no label."""

    lines: list[str]
    rows: list[list[tuple[str, str]]]


@dataclass(frozen=True)
class Score:
    """Counts, so that they can be added up.

    A row is found when its values stand on one line, and right when each stands there under its own label and
    nothing else does. A value under a label that is not its own is false.
    """

    words: int = 0
    words_found: int = 0
    words_extra: int = 0
    glued: int = 0
    numbers: int = 0
    numbers_found: int = 0
    numbers_altered: int = 0
    rows: int = 0
    rows_found: int = 0
    rows_right: int = 0
    labels_false: int = 0
    steps: int = 0
    reordered: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Score)))


def score(truth: Truth, text: str) -> Score:
    """Compare what was read with what the file holds."""
    wanted = Counter(_words(truth))
    got = Counter(tokens(text))
    extra = [word for word in got if word not in wanted]
    found = {word: min(count, got[word]) for word, count in wanted.items()}
    numbers = {word: count for word, count in wanted.items() if _NUMBER.search(word)}
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    right, complete, false = _rows(truth.rows, lines)
    steps, reordered = _order(truth.lines, text)
    return Score(
        sum(wanted.values()), sum(found.values()), len(extra), _glued(truth, extra),
        sum(numbers.values()), sum(found[word] for word in numbers), sum(map(_is_number, extra)),
        len(truth.rows), complete, right, false, steps, reordered,
    )  # fmt: skip


def tokens(text: str) -> list[str]:
    """Words and numbers; an apostrophe, a hyphen or the point of a number does not part them."""
    return [word.rstrip(".,:/-") for word in _WORD.findall(text)]


def _is_number(word: str) -> bool:
    return bool(_NUMBER.search(word))


def _words(truth: Truth) -> list[str]:
    """Every word of the reference; labels count once, however often they are said."""
    words = [word for line in truth.lines for word in tokens(line)]
    words += [word for row in truth.rows for _, value in row for word in tokens(value)]
    labels = {label for row in truth.rows for label, _ in row}
    return words + [word for label in labels for word in tokens(label)]


def _glued(truth: Truth, extra: Sequence[str]) -> int:
    """Words that are two neighbours of the reference in one."""
    texts = [*truth.lines, *("  ".join(f"{label} {value}" for label, value in row) for row in truth.rows)]
    pairs = {one + two for text in texts for one, two in pairwise(tokens(text))}
    return sum(word in pairs for word in extra)


def _rows(rows: Sequence[Sequence[tuple[str, str]]], lines: Sequence[str]) -> tuple[int, int, int]:
    """(right, found on one line, lines with a value under a false label)."""
    parsed = [[_pair(part) for part in _PARTS.split(line.strip("| ")) if part] for line in lines]
    own = {(label, value) for row in rows for label, value in row}
    values = {value for row in rows for _, value in row}
    labels = {label for row in rows for label, _ in row}
    false = [
        {
            pair
            for pair in line
            if pair[0] and pair[1] in values and pair not in own and pair[0] in labels | values
        }
        for line in parsed
    ]
    right = complete = 0
    free = Counter(tuple(sorted(row)) for row in parsed)
    for row in rows:
        key = tuple(sorted(row))
        if free[key] > 0:
            free[key] -= 1
            right += 1
        elif len(row) == 2 and not row[0][0] and f"{row[0][1]}: {row[1][1]}" in lines:
            right += 1
        complete += any(all(value in line for _, value in row) for line in lines)
    return right, complete, sum(map(bool, false))


def _pair(part: str) -> tuple[str, str]:
    label, mark, value = part.partition(": ")
    return (label, value) if mark else ("", part)


def _order(wanted: Sequence[str], text: str) -> tuple[int, int]:
    """(neighbouring lines found, those of them in the wrong order)."""
    flat = " ".join(text.split())
    places = [flat.find(line) for line in wanted if flat.count(line) == 1]
    return max(len(places) - 1, 0), sum(after < before for before, after in pairwise(places))
