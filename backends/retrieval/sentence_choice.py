"""The sentences of passages: how well the best fits, which fill a token budget.

Enters: passages and scored sentences. Leaves: `Evidence`, verdicts, cached vectors. It searches nothing.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from backends.datatypes import (
    Chunk,
    Evidence,
    Hit,
    Sentence,
    Source,
)
from backends.retrieval.chunking import PATH, is_heading, is_row, split_sentences
from backends.retrieval.embedding import Embedder

# Below this best cosine, or this best logit, nothing fits. On the sample's development questions they warn of
# 92 % of questions about something else, 38 % of unanswerable ones and 10 % of answerable ones.
RELEVANT = 0.38
ANSWERS = -1.25
LONG = 360  # characters beyond which a sentence is read clause by clause
SHORT = 80  # characters that a clause of it has at least
_CLAUSE = re.compile(r"[;:,](?=\s)|[；：，、]")
FormatLine = Callable[[int, str, Sequence[str]], str]


@dataclass(frozen=True)
class Fit:
    """How well the best sentence of a search fits the question; `logit` is None without a cross-encoder."""

    cosine: float
    logit: float | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of an answer should know of a poor fit."""
        if self.cosine < RELEVANT:
            return (f"No passage fits this question well (best similarity {self.cosine:.2f}).",)
        if self.logit is not None and self.logit < ANSWERS:
            chance = 1 / (1 + math.exp(-self.logit))
            return (f"No sentence found seems to answer this question (the best one's odds: {chance:.0%}).",)
        return ()


def best_first(found: tuple[Hit, Sentence]) -> tuple[float, int, int]:
    """Sorts found sentences: the best first, then by rank and place."""
    hit, sentence = found
    return -sentence.score, hit.rank, sentence.start


def sentences_of(chunk: Chunk) -> list[Sentence]:
    """The sentences of a passage, placed in its document; headings only where there is nothing else.

    A sentence of more than LONG characters, table rows aside, comes clause by clause: no model reads to the
    end of a legal sentence of 200 words, and the budget has no room for it.
    """
    spans = [
        piece for start, end in split_sentences(chunk.text) for piece in _clauses(chunk.text, start, end)
    ]
    all_ = [Sentence(chunk.start + start, chunk.start + end, chunk.text[start:end]) for start, end in spans]
    return [s for s in all_ if not is_heading(s.text)] or all_


def _clauses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of at least SHORT and, where its commas allow, at most LONG characters."""
    while end - start > LONG and not is_row(text[start:end]):
        ends = [
            match.end() for match in _CLAUSE.finditer(text, start + SHORT, min(start + LONG, end - SHORT))
        ]
        if not ends:
            break
        yield start, ends[-1]
        start = ends[-1] + len(text[ends[-1] : end]) - len(text[ends[-1] : end].lstrip())
    yield start, end


def context_of(chunk: Chunk) -> list[str]:
    """What a passage stands under: its document's title and the headings above it, each once."""
    return list(dict.fromkeys(part for part in (chunk.title, *chunk.heading.split(PATH)) if part))


def sentence_text(chunk: Chunk, sentence: Sentence) -> str:
    """What is compared with the question for a sentence: its title and heading say what it is about."""
    return ". ".join([*context_of(chunk), sentence.text])


class Chooser:
    """Fills a token budget with sentences, each shown once, grouped by the hit they come from."""

    def __init__(self, budget: int, count_tokens: Callable[[str], int], format_line: FormatLine) -> None:
        self._budget = budget
        self._count = count_tokens
        self._format = format_line
        self._shown: set[tuple[str, int, int]] = set()
        self._kept: dict[int, tuple[Hit, list[Sentence]]] = {}  # by rank of the hit, in order of arrival
        self._cost: dict[int, int] = {}
        self.sentences = 0

    def add(self, hit: Hit, sentence: Sentence) -> bool:
        """Keep the sentence if the budget allows; False when it does not. The first one always fits."""
        key = (hit.chunk.document, sentence.start, sentence.end)
        if key in self._shown:
            return True
        kept = self._kept[hit.rank][1] if hit.rank in self._kept else []
        number = [*self._kept, hit.rank].index(hit.rank) + 1
        trial = [*kept[:1], *sorted([*kept[1:], sentence], key=lambda s: s.start)] if kept else [sentence]
        tokens = self._count(self._format(number, hit.chunk.title, [s.text for s in trial]) + "\n")
        if self._kept and sum(self._cost.values()) - self._cost.get(hit.rank, 0) + tokens > self._budget:
            return False
        self._kept[hit.rank] = (hit, trial)
        self._cost[hit.rank] = tokens
        self._shown.add(key)
        self.sentences += 1
        return True

    def evidence(self, hits: Sequence[Hit], warnings: tuple[str, ...]) -> Evidence:
        """The chosen sentences as numbered sources."""
        sources = tuple(
            Source(number, hit, tuple(kept))
            for number, (hit, kept) in enumerate(self._kept.values(), start=1)
        )
        return Evidence(sources, tuple(hit for hit in hits if hit.rank not in self._kept), warnings)


class SentenceVectors:
    """Vectors of recently seen texts; the oldest fall out when `size` is reached."""

    def __init__(self, embedder: Embedder, size: int) -> None:
        self._embedder = embedder
        self._size = size
        self._known: OrderedDict[str, np.ndarray] = OrderedDict()
        self._lock = Lock()

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) rows for the texts; only those not seen lately are embedded."""
        with self._lock:
            found: dict[str, np.ndarray] = {text: self._known[text] for text in texts if text in self._known}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            found |= dict(zip(missing, self._embedder.embed(missing), strict=True))
        self._remember(found)
        return np.stack([found[text] for text in texts])

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._known.clear()

    def _remember(self, vectors: Mapping[str, np.ndarray]) -> None:
        with self._lock:
            for text, vector in vectors.items():
                self._known[text] = vector
                self._known.move_to_end(text)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
