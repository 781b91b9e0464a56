"""A document read once: the vectors of its sentences, from which every other vector of it is made.

Enters: a document and an embedder. Leaves: a `Reading`, whose `vectors` of any spans (passages of any cut,
single sentences) are a weighted sum, so that nothing of a document is embedded a second time: the embedder's
vector of a text is the mean over its tokens. The document is read in windows of whole sentences with title
and headings in front, and for each sentence the mean of its tokens is kept in half precision. Against vectors
of the passages themselves this costs nothing measurable (benchmarks/pooling.py).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from backends.datatypes import Document
from backends.retrieval.chunking import Headings, is_heading, split_sentences
from backends.retrieval.embedding import Embedder

PART = 64  # tokens: a longer sentence is kept in several parts
WINDOW = 112  # tokens of text read together
WAY = 2  # how documents are read and cut; raised when that changes, so that nothing made before is mixed in
AT_ONCE = 64  # spans summed together
CONTEXT = 160  # characters of title and headings in front of a window

Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Window:
    """Text that is embedded in one go, and where in it the parts lie whose means are kept."""

    key: str
    text: str
    parts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Outline:
    """Where the tokens and the sentences of a document are; small enough to be stored beside it."""

    tokens: np.ndarray  # (t, 2) int32 character offsets
    parts: np.ndarray  # (n, 2) int32 character offsets of the sentences, long ones in several parts


def outline(document: Document, embedder: Embedder) -> Outline:
    """Tokens and sentence parts; no part crosses a page."""
    spans = embedder.token_spans(document.text)
    starts = [start for start, _ in spans]
    parts: list[tuple[int, int]] = []
    for first, last in pairwise(sorted({0, *(page.start for page in document.pages), len(document.text)})):
        for start, end in split_sentences(document.text, first, last):
            cuts = starts[bisect_left(starts, start) + PART : bisect_left(starts, end) : PART]
            parts += pairwise([start, *cuts, end])
    return Outline(
        np.asarray(spans, np.int32).reshape(-1, 2),
        np.asarray(parts, np.int32).reshape(-1, 2),
    )


def windows(document: Document, outlined: Outline, embedder: Embedder) -> list[Window]:
    """How the document is read: whole parts of at most WINDOW tokens, within a page, from a heading on."""
    text = document.text
    headings = Headings(document)
    result = []
    for first, last in _groups(document, outlined):
        start, end = (int(at) for at in (outlined.parts[first][0], outlined.parts[last - 1][1]))
        body = text[start:end]
        above = headings.above(start)[-CONTEXT // 2 :]  # the nearest say most
        around = dict.fromkeys(part for part in (document.title[: CONTEXT // 2], above) if part)
        front = "".join(f"{part}\n" for part in around if part not in body)
        places = tuple(
            (len(front) + int(a) - start, len(front) + int(b) - start) for a, b in outlined.parts[first:last]
        )
        result.append(Window(window_key(embedder, front + body, places), front + body, places))
    return result


def _groups(document: Document, outlined: Outline) -> Iterator[tuple[int, int]]:
    """(first, last exclusive) parts of each window."""
    counts = np.diff(_first_tokens(outlined)).tolist()
    heads = [is_heading(document.text[a:b]) for a, b in outlined.parts.tolist()]
    pages = np.searchsorted([page.start for page in document.pages], outlined.parts[:, 0], "right").tolist()
    first, size = 0, 0
    for at, count in enumerate(counts):
        full = size + count > WINDOW or (heads[at] and not heads[at - 1] and size > WINDOW // 2)
        if at > first and (full or pages[at] != pages[first]):
            yield first, at
            first, size = at, 0
        size += count
    if counts:
        yield first, len(counts)


def _first_tokens(outlined: Outline) -> np.ndarray:
    """(n + 1,) number of the first token of each part, and the count of all."""
    firsts = np.searchsorted(outlined.tokens[:, 0], outlined.parts[:, 0])
    return np.append(firsts, len(outlined.tokens))


def window_key(embedder: Embedder, text: str, places: Spans) -> str:
    """Under which the vectors of a window are kept: what was read, by which model, in which precision."""
    cuts = ",".join(f"{start}-{end}" for start, end in places)
    return hashlib.sha256(
        f"{WAY}\0{embedder.name}\0{embedder.precision}\0{cuts}\0{text}".encode()
    ).hexdigest()


def reader_name(embedder: Embedder) -> str:
    """Who read a document, and how: readings of two are kept apart."""
    return f"{embedder.name} {embedder.precision} {WAY}"


@dataclass(frozen=True)
class Reading:
    """A document's outline and the mean state of the tokens in each part, (n, d)."""

    outline: Outline
    means: np.ndarray

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        outlined = self.outline.tokens.nbytes + self.outline.parts.nbytes
        return self.means.nbytes + outlined + self._starts.nbytes

    def token_spans(self, _text: str) -> list[tuple[int, int]]:
        """The document's tokens, as its tokenizer reported them when it was read."""
        return [(start, end) for start, end in self.outline.tokens.tolist()]

    def vectors(self, spans: Spans) -> np.ndarray:
        """(len(spans), d) float32 rows of length 1: the mean over the tokens in each character span."""
        if not spans:
            return np.zeros((0, self.means.shape[1]), np.float32)
        bounds = np.searchsorted(self._starts, np.asarray(spans))
        sums = np.concatenate(
            [self._sums(*bounds[at : at + AT_ONCE].T) for at in range(0, len(spans), AT_ONCE)]
        )
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        # Where no token begins, the part around it speaks.
        for row in np.flatnonzero(lengths[:, 0] < 1e-6).tolist():
            part = max(0, int(np.searchsorted(self.outline.parts[:, 0], spans[row][0], "right")) - 1)
            sums[row] = self.means[part]
            lengths[row] = max(np.linalg.norm(sums[row]), 1e-12)
        vectors: np.ndarray = sums / lengths
        return vectors

    def _sums(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """(n, d) float32 sums over tokens first..last (exclusive); each counts as its part's mean."""
        firsts, means = self._firsts, self.means
        begin = np.maximum(0, np.searchsorted(firsts, first, "right") - 1)
        end = np.maximum(begin, np.minimum(np.searchsorted(firsts, last), len(means)))
        low, high = int(begin.min()), int(end.max())
        inside = np.minimum(last[:, None], firsts[low + 1 : high + 1]) - np.maximum(
            first[:, None], firsts[low:high]
        )
        weights = np.maximum(inside, 0).astype(np.float32)
        sums: np.ndarray = weights @ means[low:high].astype(np.float32)
        return sums

    @cached_property
    def _starts(self) -> np.ndarray:
        """(t,) where the tokens begin, side by side."""
        return np.ascontiguousarray(self.outline.tokens[:, 0])

    @cached_property
    def _firsts(self) -> np.ndarray:
        return _first_tokens(self.outline)


@dataclass(frozen=True)
class Read:
    """What reading a document gave: enough to store it, and how many windows had to be embedded."""

    outline: Outline
    windows: Sequence[Window]
    means: Mapping[str, np.ndarray]  # by the window's key, float16
    embedded: int
    made_by: str  # as of `reader_name`

    @property
    def reading(self) -> Reading:
        """What is kept of it."""
        rows = [self.means[window.key].reshape(len(window.parts), -1) for window in self.windows]
        return Reading(self.outline, np.concatenate(rows) if rows else np.zeros((0, 1), np.float16))


def read(
    document: Document,
    embedder: Embedder,
    known: Callable[[Sequence[str]], Mapping[str, np.ndarray]],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    at_once: int = 64,
) -> Read:
    """Read a document; the means of windows that are `known` by their keys are not computed again, unless
    they are damaged.

    `progress` is told how many of the new windows are done before each `at_once` of them; it may raise.
    """
    outlined = outline(document, embedder)
    plan = windows(document, outlined, embedder)
    found = known([window.key for window in plan])
    sizes = {window.key: len(window.parts) * embedder.dimension for window in plan}
    means = {key: rows for key, rows in found.items() if rows.size == sizes[key] and np.isfinite(rows).all()}
    missing = list({window.key: window for window in plan if window.key not in means}.values())
    for first in range(0, len(missing), at_once):
        progress(first, len(missing))
        part = missing[first : first + at_once]
        made = embedder.embed_parts([window.text for window in part], [window.parts for window in part])
        means |= {window.key: rows.astype(np.float16) for window, rows in zip(part, made, strict=True)}
    return Read(outlined, plan, means, len(missing), reader_name(embedder))
