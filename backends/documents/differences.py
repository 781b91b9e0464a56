"""What changed between two versions of a document: line by line and, in a changed line, word by word.

Enters: two texts. Leaves: `DiffRow`s whose old sides make up the old text and whose new sides the new one. It
draws nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Literal

Kind = Literal["same", "gone", "new"]
ALIKE = 0.5  # share of common words from which two lines are one that changed
EXACT = 4_000_000  # pairs of lines up to which no popular line is skipped in matching


@dataclass(frozen=True)
class Part:
    """A run of characters: in both versions, only in the old one, or only in the new one."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class DiffRow:
    """One line, without its line end: as it was and as it is, None where it is missing on that side."""

    old: str | None
    new: str | None
    parts: tuple[Part, ...]

    @property
    def changed(self) -> bool:
        """Whether the two sides differ."""
        return self.old != self.new


def compare(old: str, new: str) -> list[DiffRow]:
    """All lines in order. A line that changed is one row; one that went or came has one side only."""
    before, after = old.split("\n"), new.split("\n")
    rows: list[DiffRow] = []
    for tag, a, b, c, d in _blocks(before, after):
        if tag == "equal":
            rows += [DiffRow(line, line, (Part("same", line),)) for line in before[a:b]]
        else:
            rows += _changed(before[a:b], after[c:d])
    return rows


def _blocks(a: Sequence[str], b: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    matcher = SequenceMatcher(None, a, b, autojunk=len(a) * len(b) > EXACT)
    return [tuple(block) for block in matcher.get_opcodes()]  # type: ignore[misc]


def _changed(before: Sequence[str], after: Sequence[str]) -> Iterator[DiffRow]:
    """Lines that stand in each other's place: pairs that are alike become one row."""
    for old, new in zip_longest(before, after):
        parts = _words(old, new) if old is not None and new is not None else []
        common = sum(len(part.text) for part in parts if part.kind == "same")
        if old is not None and new is not None and common >= ALIKE * max(len(old), len(new), 1):
            yield DiffRow(old, new, tuple(parts))
            continue
        if old is not None:
            yield DiffRow(old, None, (Part("gone", old),))
        if new is not None:
            yield DiffRow(None, new, (Part("new", new),))


def _words(old: str, new: str) -> list[Part]:
    """Both lines as one run of parts, cut between words."""
    before, after = re.findall(r"\s+|\S+", old), re.findall(r"\s+|\S+", new)
    parts: list[Part] = []
    for tag, a, b, c, d in _blocks(before, after):
        if tag == "equal":
            parts.append(Part("same", "".join(before[a:b])))
            continue
        if b > a:
            parts.append(Part("gone", "".join(before[a:b])))
        if d > c:
            parts.append(Part("new", "".join(after[c:d])))
    return parts
