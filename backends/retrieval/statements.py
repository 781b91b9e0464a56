"""Which texts say the same, and which is only an earlier edition of the other.

Enters: passages and sentences with their title and headings. Leaves: keys and verdicts. Two texts count as
one only where no word that matters differs, in them or in what they stand under: the warranty of a kettle is
not that of a toaster, however alike the sentences are. It searches nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from backends.datatypes import Chunk, Sentence
from backends.retrieval.chunking import cells_of
from backends.retrieval.folding import folded

NAMING = 2  # cells at the head of a row that say what it is about
ALIKE = 0.75  # share of the words in common of two sentences that state the same thing with other figures

_ARTICLES = frozenset(["a", "an", "the"])
# Words, and the marks that change what a figure says; other punctuation does not.
_TOKEN = re.compile(r"\w+|[<>=≤≥±+%‰$€£¥°§#−]|-(?=\d)")
_WORD = re.compile(r"[\w-]*[^\W\d][\w-]*")
_REPLY = re.compile(r"^(?:\s*(?:re|fwd?|aw|wg|tr|sv|vs)\s*:)+", re.IGNORECASE)
# What tells editions of one document apart, beside figures.
_EDITION = frozenset(
    """
    edition version revision rev draft final amended updated update new old current previous valid from of as
    until to since till superseded replaced withdrawn expired obsolete archived
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec spring summer autumn winter quarter q h v
    """.split()  # noqa: SIM905  (a list of these would fill the page)
)


def copy_key(chunk: Chunk) -> tuple[tuple[str, ...], ...]:
    """The same for passages that differ in nothing that matters: title, headings and text, word by word.

    Articles and punctuation may differ; case may not, for a capital can make a name of a word.
    """
    return tuple(
        tuple(token for token in _TOKEN.findall(text) if token.lower() not in _ARTICLES)
        for text in (chunk.title, chunk.heading, chunk.text)
    )


@dataclass(frozen=True)
class Statement:
    """What a sentence says beside its figures, and under which title and headings, editions apart."""

    words: frozenset[str]  # without figures and articles
    codes: frozenset[str]  # words of letters and digits
    place: tuple[frozenset[str], frozenset[str]]  # of title and headings, without what tells editions apart
    cells: tuple[tuple[str, str], ...]  # header and value, of a table row


def statement_of(chunk: Chunk, sentence: Sentence) -> Statement:
    """What a sentence of a passage says."""
    words = _words(sentence.text)
    title = _REPLY.sub("", chunk.title)
    return Statement(
        words,
        frozenset(word for word in words if any(map(str.isdigit, word))),
        (_lasting(title), _lasting(chunk.heading)),
        tuple((folded(header), folded(value)) for header, value in cells_of(sentence.text)),
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(folded(text))) - _ARTICLES


def _lasting(title: str) -> frozenset[str]:
    words = re.findall(r"[^\W\d_]+", folded(title))
    return frozenset(words) - _EDITION - _ARTICLES


def same_statement(one: Statement, two: Statement) -> bool:
    """Whether both say the same with other figures, in editions of one document.

    One may say more than the other (a note added to a row); a word in place of another makes it a statement
    about something else. Of rows that begin alike the last cell may be worded anew (a remark). A title of
    which nothing lasts tells no document from another.
    """
    if one.place != two.place or not one.place[0]:
        return False
    if _same_row(one, two):
        return True
    if one.codes != two.codes:
        return False
    more, less = (one.words, two.words) if len(one.words) > len(two.words) else (two.words, one.words)
    return less <= more and len(less) >= ALIKE * len(more)


def _same_row(one: Statement, two: Statement) -> bool:
    """Whether both are rows that name the same thing, and differ at most in the words of their last cell."""
    if min(len(one.cells), len(two.cells)) < NAMING + 2 or one.cells[:NAMING] != two.cells[:NAMING]:
        return False
    there = dict(two.cells)
    other = [name for name, value in one.cells if name in there and _words(there[name]) != _words(value)]
    return not other or other == [one.cells[-1][0]] == [two.cells[-1][0]]
