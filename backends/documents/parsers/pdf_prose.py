"""Tells paragraphs that stand beside each other from the cells of a table.

Enters: columns of lines. Leaves: whether they are prose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from backends.documents.parsers.pdf_page import TextLine

SHORTEST = 18  # characters of a column's lines on average


def is_prose(columns: Sequence[Sequence[TextLine]]) -> bool:
    """Lines of prose fill their column, follow each other closely and mostly begin within a sentence."""
    pairs = [pair for column in columns for pair in pairwise(column)]
    average = min(sum(len(line.text) for line in column) / len(column) for column in columns)
    close = sum(one.bottom - two.bottom < 1.8 * one.size for one, two in pairs)
    if average < SHORTEST or close < 0.6 * len(pairs):
        return False
    going_on = [
        (one, two, max(line.right for line in column) - min(line.left for line in column))
        for column in columns
        for one, two in pairwise(column)
        if not re.search(r"[.!?:;]$", one.text)
    ]
    full = sum(one.right - one.left > 0.7 * width for one, _, width in going_on)
    inside = sum(two.text[:1].islower() for _, two, _ in going_on)
    return full >= 0.7 * len(going_on) and inside >= 0.3 * len(pairs)
