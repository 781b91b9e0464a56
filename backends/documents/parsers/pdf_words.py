"""Words of a PDF that were broken at line ends, in one piece again.

Enters: lines to be joined, then the text of all pages. Leaves: text. It knows no places.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

HYPHENS = ("-", "\u00ad", "\u2010", "\x02")
_BROKEN_WORD = re.compile(rf"(?<=[^\W\d_])[{''.join(HYPHENS)}]$")
# Behind these a hyphen stands for the rest of the word: "Ein- und Ausgänge", "two- or three-year".
_HANGING = re.compile(r"(?:und|oder|bzw|sowie|bis|and|or|to|et|ou|y|o|e|en|of|och|eller|og|i|lub|a)\b")
_FIRST_HALVES = {"well", "self", "e", "x"}  # of words that have a hyphen wherever they stand
_LONGEST = 60  # letters of half a word: without a limit the search takes the square of a long one
_BREAK = "\ufdd0"  # a noncharacter, in no text: where a word was broken, until all pages are read
_BROKEN = re.compile(rf"([\w-]{{0,{_LONGEST}}}){_BREAK}([\w-]{{0,{_LONGEST}}})")


def join(text: str, following: str) -> str:
    """Two lines of a paragraph as one; where a word was broken is settled by `whole_words`."""
    if not text.endswith(HYPHENS):
        return f"{text} {following}"
    if is_broken(text, following):
        return f"{text[:-1]}{_BREAK}{following}"
    own = text.endswith("-") and re.search(r"\w-$", text) and following[:1].isalnum()
    if own and not _HANGING.match(following):  # "Lucene-", "BM25": the hyphen is the word's own
        return f"{text}{following}"
    return f"{text} {following}"


def is_broken(text: str, following: str) -> bool:
    """Whether a line ends within a word that the next line goes on with."""
    if not (text.endswith(HYPHENS) and text[-2:-1].islower() and following[:1].islower()):
        return False
    return bool(_BROKEN_WORD.search(text)) and not _HANGING.match(following)


def join_all(lines: Iterable[str]) -> str:
    """Lines as one text, words broken at line ends made whole."""
    whole = ""
    for line in lines:
        whole = join(whole, line) if whole else line
    return whole


def whole_words(texts: Sequence[str]) -> list[str]:
    """Words broken at a line end in one piece again; the rest of the document tells whether with a hyphen."""
    if not any(_BREAK in text for text in texts):
        return [*texts]
    words = set(re.findall(r"[\w-]+", "\n".join(texts).lower()))

    def whole(match: re.Match[str]) -> str:
        one, two = match.groups()
        plain, hyphened = f"{one}{two}".lower(), f"{one}-{two}".lower()
        compound = "-" in one or one.lower() in _FIRST_HALVES or (hyphened in words and plain not in words)
        return f"{one}-{two}" if compound else f"{one}{two}"

    return [_BROKEN.sub(whole, text).replace(_BREAK, "") if _BREAK in text else text for text in texts]
