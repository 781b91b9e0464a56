"""Text to sentences, sentences to passages; offsets are exact everywhere.

Enters: a document whose parser wrote one paragraph, heading, list item or table row a line. Leaves: sentence
spans and `Chunk`s with text == document.text[start:end]. It knows tokens only as spans that a tokenizer
reports. (Splitters on the market give either token sizes or exact sentence offsets, not both together with
headings and rows as units; measured alternatives were slower than these few rules.)
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from backends.datatypes import Chunk, Document

HEADING = re.compile(r"#{1,6} \S")
# A table row as our parsers write it: "Header: value; Header: value".
_ROW = re.compile(r"[^:;]{1,80}: [^;]*(; [^:;]{1,80}: [^;]*)+$")
_LONGEST_ROW = 600  # characters; beyond that even a row is read sentence by sentence
# A stop, closing quotes or brackets, white space, and something a sentence can begin with.
_STOP = re.compile(r"""[.!?…]+["'”’»)\]]*(?=\s+["'“‘«(\[¿¡]*[^\W_a-z])|[。！？]+[」』”）]*""")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:[A-Za-z]|(?:[A-Za-z]\.)+[A-Za-z]|(?i:mr|mrs|ms|dr|prof|sr|jr|st|vs|cf|fig|figs|eq|no|nos|vol|pp"
    r"|art|sec|approx|incl|dept|gen|col|lt|sgt|rev|hon|al|etc|eg|ie))\.$"
)
_ENUMERATION = re.compile(r"^[ \t]*(?:[-*•]\s*)?(?:§\s*)?\(?[0-9A-Za-z]{1,3}(?:\.[0-9]{1,3})*\.$")


class Tokenizer(Protocol):
    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) character offsets of the tokens of `text`, in order."""
        ...


def is_heading(text: str) -> bool:
    return HEADING.match(text) is not None


def heading_title(text: str) -> str:
    return text.lstrip("#").strip()


def split_sentences(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Spans of the sentences in text[start:end]: ordered, disjoint, without outer white space, none lost.

    A line end always ends a sentence, so headings, list items and table rows stand alone.
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
    if not is_heading(line) and not (len(line) <= _LONGEST_ROW and _ROW.match(line)):
        first = 0
        for match in _STOP.finditer(line):
            before = line[first : match.end()]
            if match.group() == "." and (_ABBREVIATION.search(before) or _ENUMERATION.match(before)):
                continue
            yield from _trimmed(text, start + first, start + match.end())
            first = match.end()
        start += first
    yield from _trimmed(text, start, end)


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
    document: Document, *, chunk_size: int, chunk_overlap: int, tokenizer: Tokenizer
) -> list[Chunk]:
    """Passages of at most `chunk_size` tokens that begin and end with a sentence.

    Neighbours in one section share whole sentences of up to `chunk_overlap` tokens. A passage never crosses a
    page (or slide, or sheet), and a heading never ends one. Only a sentence longer than `chunk_size` is cut.
    """
    units = _units(document, chunk_size, tokenizer)
    headings = [unit for unit in units if unit.is_heading]
    heading_starts = [unit.start for unit in headings]
    chunks: list[Chunk] = []
    for first, last in _pack(units, chunk_size, chunk_overlap):
        start, end = units[first].start, units[last - 1].end
        above = bisect_right(heading_starts, start) - 1
        heading = (
            heading_title(document.text[headings[above].start : headings[above].end]) if above >= 0 else ""
        )
        chunks.append(
            Chunk(
                document=document.name,
                version=document.version,
                start=start,
                end=end,
                text=document.text[start:end],
                page=units[first].page,
                tokens=units[last - 1].last_token - units[first].first_token,
                title=document.title,
                heading=heading,
            )
        )
    return chunks


def _units(document: Document, chunk_size: int, tokenizer: Tokenizer) -> list[_Unit]:
    text = document.text
    spans = tokenizer.token_spans(text)
    starts = [start for start, _ in spans]
    ends = [end for _, end in spans]
    page_starts = [page.start for page in document.pages]
    units: list[_Unit] = []
    section = 0
    for start, end in _within_pages(document):
        heading = is_heading(text[start:end])
        section += heading
        number = document.pages[max(0, bisect_right(page_starts, start) - 1)].number if page_starts else None
        first, last = bisect_right(ends, start), bisect_left(starts, end)
        for piece_first in range(first, max(last, first + 1), chunk_size):
            piece_last = min(piece_first + chunk_size, last)
            piece_start = start if piece_first == first else starts[piece_first]
            piece_end = end if piece_last == last else starts[piece_last]
            piece_end -= len(text[piece_start:piece_end]) - len(text[piece_start:piece_end].rstrip())
            units.append(_Unit(piece_start, piece_end, piece_first, piece_last, number, section, heading))
    return units


def _within_pages(document: Document) -> Iterator[tuple[int, int]]:
    """Sentence spans, none of which crosses a page."""
    borders = sorted({0, *(page.start for page in document.pages), len(document.text)})
    for start, end in pairwise(borders):
        yield from split_sentences(document.text, start, end)


def _pack(units: list[_Unit], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """(first, last exclusive) of each passage."""
    first, covered = 0, 0
    while covered < len(units):
        last = _fill(units, first, covered, size)
        yield first, last
        covered = last
        first = _step_back(units, first, last, overlap) if last < len(units) else last
        # Shared sentences may not push out the first new one.
        while first < covered and units[covered].last_token - units[first].first_token > size:
            first += 1


def _fill(units: list[_Unit], first: int, covered: int, size: int) -> int:
    """Where a passage that begins at `first` and adds at least unit `covered` ends (exclusive)."""
    begin = units[first].first_token
    last = covered + 1
    while last < len(units):
        unit = units[last]
        if unit.last_token - begin > size or unit.page != units[first].page:
            break
        if unit.is_heading and units[last - 1].last_token - begin >= size // 2:
            break
        last += 1
    full = last
    while last > covered + 1 and last < len(units) and units[last - 1].is_heading:
        last -= 1  # a heading belongs to what follows
    return full if units[last - 1].is_heading else last


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
