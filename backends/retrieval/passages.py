"""Where passages are looked for: in this process's memory here, or where a database keeps them.

Enters: passages with vectors, then what is `Wanted`. Leaves: `Candidates`, the best by vector and by words
with both scores. It knows no fusion, no sentence and no role: what may not be found was never put in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from threading import RLock
from typing import Protocol

import numpy as np

from backends.datatypes import Chunk, Document, Filters
from backends.retrieval.acronyms import Acronyms, Pair
from backends.retrieval.bm25 import Covered
from backends.retrieval.fusion import highest
from backends.retrieval.index import PassageIndex
from backends.retrieval.sentence_choice import context_of

RELATED_WEIGHT = 0.3  # of the BM25 score of related words beside the question's own


def passage_text(chunk: Chunk) -> str:
    """What is embedded and indexed for a passage: where it stands, then its text."""
    return "\n".join([*(part for part in context_of(chunk) if part not in chunk.text), chunk.text])


@dataclass(frozen=True)
class Wanted:
    """What is looked for. A passage must pass all `filters`; `related` words count for less."""

    question: str
    depth: int  # candidates of each ranking
    vector: np.ndarray | None = None  # (d,) of length 1; None looks by words alone
    words: bool = True  # False looks by the vector alone
    related: tuple[str, ...] = ()
    filters: tuple[Filters, ...] = ()


NOTHING = Covered(0.0, 0, 0)


@dataclass(frozen=True)
class Candidate:
    """A passage with its scores; None for a ranking that was not asked for."""

    chunk: Chunk
    cosine: float | None
    bm25: float | None


@dataclass(frozen=True)
class Candidates:
    """The first `depth` of each ranking, in the order of their places, and what the best by words, of all
    that may be found, covers of the question."""

    found: Sequence[Candidate] = ()
    covered: Covered = NOTHING


class Passages(Protocol):
    """What a `Retriever` needs of where passages lie. Safe to use from several threads."""

    @property
    def chunks(self) -> Sequence[Chunk]:
        """All that can be found."""
        ...

    def build(self) -> None:
        """Do now what the first search would have to wait for."""
        ...

    def candidates(self, wanted: Wanted) -> Candidates:
        """The best passages of each ranking."""
        ...

    def shared_words(self, question: str, texts: Sequence[str]) -> np.ndarray:
        """(len(texts),) share of the question's distinct words in each text, weighted by rarity, 0 to 1."""
        ...

    def distinctive_words(
        self, texts: Sequence[str], weights: Sequence[float], but: str, count: int
    ) -> list[str]:
        """The words that tell these texts from the other passages, without those of `but`."""
        ...

    def explained_in(self, question: str) -> list[Pair]:
        """Abbreviations that the documents explain and of which the question uses a form."""
        ...

    def date(self, name: str) -> str:
        """The date that a document carries, "" where none is known."""
        ...


class MemoryPassages:
    """Passages in memory, of which some can be taken out and others put in; no search sees half of it."""

    def __init__(
        self, chunks: Sequence[Chunk], vectors: np.ndarray, documents: Sequence[Document] = ()
    ) -> None:
        """`documents` are those of the chunks, for `Filters`; their texts are not kept."""
        self._lock = RLock()
        self._chunks: list[Chunk | None] = list(chunks)  # by position; None where one was removed
        self._documents = {each.name: replace(each, text="", pages=()) for each in documents}
        self._acronyms = Acronyms()
        for chunk in chunks:
            self._acronyms.add(chunk.document, chunk.text)
        self.index = PassageIndex([passage_text(chunk) for chunk in chunks], vectors)

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """The passages that can be found."""
        return tuple(chunk for chunk in self._chunks if chunk is not None)

    @property
    def needs_rebuild(self) -> bool:
        """Whether so much was removed that the indexes should be built anew."""
        return len(self._chunks) > 2 * len(self.chunks) + 1000

    def build(self) -> None:
        """Build the indexes now rather than at the first question."""
        self.index.build()

    def change(
        self,
        gone: Collection[str],
        chunks: Sequence[Chunk] = (),
        vectors: np.ndarray | None = None,
        documents: Sequence[Document] = (),
    ) -> None:
        """Take the documents of these names out, then put passages in."""
        with self._lock:
            chunks_now = enumerate(self._chunks) if gone else ()
            leaving = [at for at, chunk in chunks_now if chunk and chunk.document in gone]
            self.index.remove(leaving)
            for at in leaving:
                self._chunks[at] = None
            for name in gone:
                self._documents.pop(name, None)
                self._acronyms.remove(name)
            if vectors is not None and len(chunks):
                self.index.add([passage_text(chunk) for chunk in chunks], vectors)
                self._chunks += chunks
                for chunk in chunks:
                    self._acronyms.add(chunk.document, chunk.text)
            self._documents |= {each.name: replace(each, text="", pages=()) for each in documents}

    def candidates(self, wanted: Wanted) -> Candidates:
        """The first `depth` by vector and by words; places are those of arrival."""
        with self._lock:
            return self._candidates(wanted)

    def _candidates(self, wanted: Wanted) -> Candidates:
        allowed = self._allowed(wanted.filters)
        if not self._chunks or (allowed is not None and not len(allowed)):
            return Candidates()
        words = self._words(wanted.question, allowed) if wanted.words else None
        covered = self.index.covered(wanted.question, words) if words is not None else NOTHING
        if words is not None and wanted.related:
            words = words + RELATED_WEIGHT * self._words(" ".join(wanted.related), allowed)
        found = set(highest(words, wanted.depth)) if words is not None else set()
        if wanted.vector is not None:
            found |= set(self._nearest(wanted.vector, wanted.depth, allowed))
        places = sorted(found)
        near = self.index.similarity(wanted.vector, places) if wanted.vector is not None else None
        return Candidates(
            [
                Candidate(
                    self._at(place),
                    near[number] if near is not None else None,
                    float(words[place]) if words is not None else None,
                )
                for number, place in enumerate(places)
            ],
            covered,
        )

    def _at(self, position: int) -> Chunk:
        chunk = self._chunks[position]
        assert chunk is not None, "the index found a passage that was removed"
        return chunk

    def _allowed(self, filters: Sequence[Filters]) -> np.ndarray | None:
        """Positions of the passages that may be found; None for all of them."""
        given = [each for each in filters if each != Filters()]
        if not given:
            return None
        names = {
            name for name, document in self._documents.items() if all(each.admit(document) for each in given)
        }
        return np.array(
            [at for at, chunk in enumerate(self._chunks) if chunk and chunk.document in names], np.int64
        )

    def _nearest(self, vector: np.ndarray, depth: int, allowed: np.ndarray | None) -> list[int]:
        if allowed is None:
            return [position for position, _ in self.index.dense(vector, depth)]
        cosines = np.asarray(self.index.similarity(vector, [int(at) for at in allowed]))
        return [int(allowed[at]) for at in np.argsort(-cosines, kind="stable")[:depth]]

    def _words(self, question: str, allowed: np.ndarray | None) -> np.ndarray:
        scores = self.index.bm25(question)
        if allowed is None:
            return scores
        kept = np.zeros_like(scores)
        kept[allowed] = scores[allowed]
        return kept

    def shared_words(self, question: str, texts: Sequence[str]) -> np.ndarray:
        """Share of the question's distinct words in each text, weighted by rarity."""
        return self.index.shared_words(question, texts)

    def distinctive_words(
        self, texts: Sequence[str], weights: Sequence[float], but: str, count: int
    ) -> list[str]:
        """The words that tell these texts from the other passages, without those of `but`."""
        return self.index.distinctive_words(texts, weights, but, count)

    def explained_in(self, question: str) -> list[Pair]:
        """Abbreviations that the documents explain and of which the question uses a form."""
        return self._acronyms.used_in(question)

    def date(self, name: str) -> str:
        """The date that a document carries."""
        document = self._documents.get(name)
        return document.date if document else ""
