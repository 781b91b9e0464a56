"""Text to sentences, sentences to passages, in one of four ways; offsets are exact everywhere.

Enters: a document whose parser wrote one paragraph, heading, list item or table row a line. Leaves: sentence
spans and `Chunk`s with text == document.text[start:end]. It knows tokens only as spans that a tokenizer
reports, and meaning only as vectors it is handed. (Splitters on the market give either token sizes or exact
sentence offsets, not both together with headings and rows as units; measured alternatives were slower.)
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from backends.datatypes import Chunk, Chunking, Document

Spans = Sequence[tuple[int, int]]
VectorsOf = Callable[[Spans], np.ndarray]  # (n, d), rows of length 1, for character spans of the document

PATH = " > "  # between the headings of a path
HEADING = re.compile(r"#{1,6} \S")
_HEADING_LINE = re.compile(r"^(#{1,6}) (\S.*)$", re.MULTILINE)
# A table row as our parsers write it: "Header: value; Header: value".
_ROW = re.compile(r"[^:;]{1,80}: [^;]*(; [^:;]{1,80}: [^;]*)+$")
_ROW_CELL = re.compile(r"(?:^|; )([^:;]{1,80}): ([^;]*)")
# An entry of a log begins with its time.
_ENTRY = re.compile(r"\W?(?:\d{4}-\d\d-\d\d[T ]|[A-Z][a-z]{2} [ \d]\d )?\d\d:\d\d:\d\d\b")
_LONGEST_ROW = 600  # characters; beyond that even a row is read sentence by sentence
# A stop, closing quotes or brackets, white space, and something a sentence can begin with.
_STOP = re.compile(r"""[.!?…]+["'”’»)\]]*(?=\s+["'“‘«(\[¿¡]*[^\W_a-z])|[。！？]+[」』”）]*""")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:[A-Za-z]|(?:[A-Za-z]\.)+[A-Za-z]|(?i:mr|mrs|ms|dr|prof|sr|jr|st|vs|cf|fig|figs|eq|no|nos|vol|pp"
    r"|art|sec|approx|incl|dept|gen|col|lt|sgt|rev|hon|al|etc|eg|ie))\.$"
)
_ENUMERATION = re.compile(r"^[ \t]*(?:[-*•]\s*)?(?:§\s*)?\(?[0-9A-Za-z]{1,3}(?:\.[0-9]{1,3})*\.$")


class Tokenizer(Protocol):
    """What finds the tokens of a text."""

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) character offsets of the tokens of `text`, in order."""
        ...


def is_heading(text: str) -> bool:
    """Whether a line is a heading."""
    return HEADING.match(text) is not None


def is_row(line: str) -> bool:
    """Whether a line is a table row that is read whole."""
    return len(line) <= _LONGEST_ROW and _ROW.match(line) is not None


def cells_of(row: str) -> list[tuple[str, str]]:
    """(header, value) of the cells of a table row; none for a line that is no row."""
    return _ROW_CELL.findall(row) if is_row(row) else []


def split_sentences(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Spans of the sentences in text[start:end]: ordered, disjoint, without outer white space, none lost.

    A line end always ends a sentence, so headings, list items and table rows stand alone. A line that begins
    with white space is code: it is one sentence, and keeps its indentation.
    """
    end = len(text) if end is None else end
    spans: list[tuple[int, int]] = []
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        spans.extend(_line_sentences(text, start, stop))
        start = stop + 1
    return spans


def _line_sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    line = text[start:end]
    if line[:1] == " " and not line.isspace():
        yield start, start + len(line.rstrip())
        return
    if not is_heading(line) and not _stands_alone(line):
        first = 0
        for match in _STOP.finditer(line):
            before = line[first : match.end()]
            if match.group() == "." and (_ABBREVIATION.search(before) or _ENUMERATION.match(before)):
                continue
            yield from _trimmed(text, start + first, start + match.end())
            first = match.end()
        start += first
    yield from _trimmed(text, start, end)


def _stands_alone(line: str) -> bool:
    """Whether a line is a row of a table or an entry of a log, which says what it says as a whole."""
    return len(line) <= _LONGEST_ROW and bool(_ROW.match(line) or _ENTRY.match(line) or line.count(" | ") > 1)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    part = text[start:end]
    stripped = part.strip()
    if stripped:
        begin = start + len(part) - len(part.lstrip())
        yield begin, begin + len(stripped)


@dataclass(frozen=True)
class _Unit:
    """A sentence, or a piece of one that is longer than a passage may be. Tokens are counted by position."""

    start: int
    end: int
    first_token: int
    last_token: int  # exclusive
    page: int | None
    section: int  # counts headings: units of one section share it
    is_heading: bool


def chunk_document(
    document: Document,
    *,
    chunk_size: int,
    chunk_overlap: int,
    tokenizer: Tokenizer,
    chunking: Chunking = "sentences",
    vectors_of: VectorsOf | None = None,
) -> list[Chunk]:
    """Passages of at most `chunk_size` tokens; none crosses a page (or slide, or sheet).

    tokens: as many tokens as fit, cut between words wherever that falls; neighbours share `chunk_overlap`.
    sentences: whole sentences; neighbours in one section share whole sentences of up to `chunk_overlap`
    tokens, and a heading never ends a passage. sections: the same, but a passage never goes on after the
    next heading. semantic: the same as sentences, but a passage
    ends where the sentences before and after differ most in meaning, by `vectors_of`.
    Only tokens cuts a sentence that is not longer than `chunk_size`. `heading` is the path to where a passage
    begins ("A > B").
    """
    headings = Headings(document)
    if chunking == "tokens":
        return [
            document.chunk(start, end, tokens=tokens, page=page, heading=headings.path(start))
            for start, end, page, tokens in _fixed(document, chunk_size, chunk_overlap, tokenizer)
        ]
    units = _units(document, chunk_size, tokenizer)
    links = None
    if chunking == "semantic":
        if vectors_of is None:
            raise ValueError("semantic chunking needs the vectors of sentences")
        links = _links(units, vectors_of)
    need = _borders(units, chunk_size, chunking, links)
    chunks: list[Chunk] = []
    for first, last in _pack(units, chunk_size, chunk_overlap, need, links):
        start, end = units[first].start, units[last - 1].end
        tokens = units[last - 1].last_token - units[first].first_token
        begin = start
        if chunking == "sections":
            bodies = (unit.start for unit in units[first:last] if not unit.is_heading)
            begin = next(bodies, units[last - 1].start)
        heading = headings.path(begin)
        chunks.append(document.chunk(start, end, tokens=tokens, page=units[first].page, heading=heading))
    return chunks


def _pages(document: Document) -> Iterator[tuple[int, int, int | None]]:
    """(start, end, number) of every page; the whole text where there are none."""
    starts = [page.start for page in document.pages]
    for start, end in pairwise(sorted({0, *starts, len(document.text)})):
        number = document.pages[max(0, bisect_right(starts, start) - 1)].number if starts else None
        yield start, end, number


class Headings:
    """Which headings an offset stands under."""

    def __init__(self, document: Document) -> None:
        self._starts: list[int] = []
        self._paths: list[str] = []
        above: list[tuple[int, str]] = []
        for match in _HEADING_LINE.finditer(document.text):
            level, title = len(match.group(1)), match.group(2).strip()
            above = [*(each for each in above if each[0] < level), (level, title)]
            names = [name for _, name in above]
            self._starts.append(match.start(1))
            self._paths.append(PATH.join(names[1:] if names[0] == document.title and names[1:] else names))

    def path(self, offset: int) -> str:
        """ "A > B": the nearest heading and those above it, without the document's title in front."""
        at = bisect_right(self._starts, offset) - 1
        return self._paths[at] if at >= 0 else ""

    def above(self, offset: int) -> str:
        """The path, less a heading that begins at this very offset."""
        at = bisect_right(self._starts, offset) - 1
        path = self.path(offset)
        return PATH.join(path.split(PATH)[:-1]) if at >= 0 and self._starts[at] == offset else path


# --- fixed tokens ----------------------------------------------------------------------------------


def _fixed(
    document: Document, size: int, overlap: int, tokenizer: Tokenizer
) -> Iterator[tuple[int, int, int | None, int]]:
    """(start, end, page, tokens) of passages cut by counting alone."""
    spans = tokenizer.token_spans(document.text)
    starts = [start for start, _ in spans]
    for page_start, page_end, number in _pages(document):
        for start, end in _trimmed(document.text, page_start, page_end):
            first, last = bisect_left(starts, start), bisect_left(starts, end)
            for begin, stop in _windows(spans, first, last, size, overlap):
                piece_start = start if begin == first else starts[begin]
                border = end if stop == last else starts[stop]
                piece = document.text[piece_start:border].rstrip()
                yield piece_start, piece_start + len(piece), number, stop - begin


def _windows(spans: Spans, first: int, last: int, size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """(first, last exclusive) tokens of each passage within first..last."""
    begin = first
    while True:
        stop = min(begin + size, last)
        if stop < last:
            words = (at for at in range(stop, begin + 1, -1) if spans[at][0] > spans[at - 1][1])
            stop = next(words, stop)
        yield begin, stop
        if stop >= last:
            return
        words = (at for at in range(max(begin + 1, stop - overlap), stop) if spans[at][0] > spans[at - 1][1])
        begin = next(words, stop)


# --- whole sentences -------------------------------------------------------------------------------


def _units(document: Document, chunk_size: int, tokenizer: Tokenizer) -> list[_Unit]:
    text = document.text
    spans = tokenizer.token_spans(text)
    starts = [start for start, _ in spans]
    ends = [end for _, end in spans]
    units: list[_Unit] = []
    section = 0
    for page_start, page_end, page in _pages(document):
        for start, end in split_sentences(text, page_start, page_end):
            heading = is_heading(text[start:end])
            section += heading
            first, last = bisect_right(ends, start), bisect_left(starts, end)
            for piece_first in range(first, max(last, first + 1), chunk_size):
                piece_last = min(piece_first + chunk_size, last)
                piece_start = start if piece_first == first else starts[piece_first]
                piece_end = end if piece_last == last else starts[piece_last]
                piece_end -= len(text[piece_start:piece_end]) - len(text[piece_start:piece_end].rstrip())
                units.append(_Unit(piece_start, piece_end, piece_first, piece_last, page, section, heading))
    return units


def _links(units: list[_Unit], vectors_of: VectorsOf) -> np.ndarray:
    """(n,) how like the two units from each unit on are to the two before it (cosine); 1 for the first."""
    if len(units) < 2:
        return np.ones(len(units), np.float32)
    last = len(units) - 1
    before = vectors_of([(units[max(0, at - 2)].start, units[at - 1].end) for at in range(1, len(units))])
    after = vectors_of([(units[at].start, units[min(last, at + 1)].end) for at in range(1, len(units))])
    return np.concatenate([np.ones(1, np.float32), (before * after).sum(1)])


def _borders(units: list[_Unit], size: int, chunking: Chunking, links: np.ndarray | None) -> list[float]:
    """Before each unit: how many tokens a passage must hold to end there of its own accord.

    0 always ends it, infinity never does. A link is clearly weak when it is more than a standard deviation
    below what is usual in this document.
    """
    weak = links.mean() - links.std() if links is not None and len(links) else -1.0
    need: list[float] = []
    for at, unit in enumerate(units):
        before = units[at - 1] if at else unit
        if unit.page != before.page or (chunking == "sections" and unit.is_heading and not before.is_heading):
            need.append(0)
        elif links is not None and links[at] < weak:
            need.append(size // 4)
        elif unit.is_heading:
            need.append(size // 2)
        else:
            need.append(math.inf)
    return need


def _pack(
    units: list[_Unit], size: int, overlap: int, need: list[float], links: np.ndarray | None
) -> Iterator[tuple[int, int]]:
    """(first, last exclusive) of each passage."""
    first, covered = 0, 0
    while covered < len(units):
        last = _fill(units, first, covered, size, need, links)
        yield first, last
        covered = last
        shares = last < len(units) and need[last] == math.inf
        first = _step_back(units, first, last, overlap) if shares else last
        # Shared sentences may not push out the first new one.
        while first < covered and units[covered].last_token - units[first].first_token > size:
            first += 1


def _fill(
    units: list[_Unit], first: int, covered: int, size: int, need: list[float], links: np.ndarray | None
) -> int:
    """Where a passage that begins at `first` and adds at least unit `covered` ends (exclusive)."""
    begin = units[first].first_token
    last = covered + 1
    while last < len(units) and units[last].last_token - begin <= size:
        if units[last - 1].last_token - begin >= need[last]:
            break
        last += 1
    if links is not None and last < len(units) and need[last] == math.inf:
        last = _weakest(units, begin, covered, last, size, links)
    full = last
    while last > covered + 1 and last < len(units) and units[last - 1].is_heading:
        last -= 1  # a heading belongs to what follows
    return full if units[last - 1].is_heading else last


def _weakest(units: list[_Unit], begin: int, covered: int, full: int, size: int, links: np.ndarray) -> int:
    """Of the borders in a full passage's second half, the one whose neighbours are least alike."""
    half = [at for at in range(covered + 1, full + 1) if units[at - 1].last_token - begin >= size // 2]
    return min(half, key=lambda at: (links[at], -at), default=full)


def _step_back(units: list[_Unit], first: int, last: int, overlap: int) -> int:
    """First unit of the passage after `last`: back over whole sentences of the same section and page."""
    following = units[last]
    begin = last
    while begin - 1 > first:
        unit = units[begin - 1]
        shared = units[last - 1].last_token - unit.first_token
        if shared > overlap or unit.section != following.section or unit.page != following.page:
            break
        if unit.is_heading:
            break
        begin -= 1
    return begin
