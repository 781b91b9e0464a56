"""One spelling for what reads the same: the words of a text as an index keeps them.

Enters: text in any script. Leaves: its words in lower case, without accents, with full-width letters and
ligatures as plain ones, and pairs of letters where a script writes no spaces. Only comparisons see them:
what is shown and where it stands is the text as it was written.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

# Chinese, Japanese, Korean, Thai, Lao, Burmese, Khmer, Tibetan: no spaces between words, or too few to tell
# words by. Pairs of letters need no dictionary and cut question and passage alike (as Lucene's CJKAnalyzer).
UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_LETTERS = rf"[^\W{UNSPACED}]+"
_WORD = re.compile(rf"[{UNSPACED}]+|{_LETTERS}(?:[.,/:-]{_LETTERS})*")
_PAIRED = re.compile(rf"[{UNSPACED}]")
_ACCENTS = re.compile("[\u0300-\u036f]")
_INVISIBLE = re.compile("[\u00ad\u200c-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")  # hyphens, joiners
# Marks between thousands that are no comma and no full stop: 1 234 567 with thin spaces, 1'234'567.
_THOUSANDS = re.compile("(?<=[0-9])['\u2019\u00a0\u2007\u2009\u202f](?=[0-9]{3}(?![0-9]))")


def folded(text: str) -> str:
    """Lower case, compatibility forms as plain ones (NFKC), no accents, no invisible marks."""
    text = _THOUSANDS.sub(",", text)
    if text.isascii():
        return text.lower()
    text = _INVISIBLE.sub("", text).replace("\u200b", " ")
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFC", bare).casefold()


def words_of(text: str) -> list[str]:
    """The folded words in order; inner marks stay (sb-42, 4.3), unspaced scripts come in pairs of letters."""
    found: list[str] = []
    for word in _WORD.findall(folded(text)):
        if _PAIRED.match(word) and len(word) > 2:
            found += map("".join, pairwise(word))
        else:
            found.append(word)
    return found


def mostly_latin(text: str) -> bool:
    """Whether at least half of the letters are Latin ones; a text without letters is."""
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(letter.isascii() or "LATIN" in unicodedata.name(letter, "") for letter in letters)
    return 2 * latin >= len(letters)
