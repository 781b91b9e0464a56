"""Reads the text of an answer: its citation markers, whether it declines.

Enters: text. Leaves: markers, text without them, verdicts. It knows no documents.
"""

from __future__ import annotations

import re

_HEADING = re.compile(r"[^?:]+[?:] ")
_MARKER = re.compile(r"\[(\d{1,2})\]")


def cited_markers(text: str) -> list[int]:
    """Markers [n] in the order they first appear in an answer."""
    return list(dict.fromkeys(int(number) for number in _MARKER.findall(text)))


def without_markers(text: str) -> str:
    """The answer's words alone, for scoring and alignment."""
    return re.sub(r"\s*\[\d{1,2}\]", "", text).strip()


def is_abstention(text: str) -> bool:
    """Whether an answer declines: our two fixed sentences, or the usual wordings of other models.

    An answer of several lines, each headed by a part of its question, declines when every part does.
    """
    lines = [line for line in without_markers(text).splitlines() if line.strip()]
    if len(lines) > 1 and all(_HEADING.match(line) for line in lines):
        return all(_declines(_HEADING.sub("", line, count=1)) for line in lines)
    return _declines(" ".join(lines))


def _declines(words: str) -> bool:
    return bool(
        re.match(
            r"(the|these) (documents?|passages?|sources?) (do|does) not (say|mention|tell|answer|contain)"
            r"|i (do not|don't) know|not (stated|mentioned) in the documents",
            words.lower(),
        )
    )
