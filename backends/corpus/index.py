"""Two indexes over the same passages: FAISS over vectors, BM25 over stemmed words.

Enters: texts and their vectors. Leaves: scores and positions. It knows nothing of documents, roles or fusion,
and is the only module that imports faiss. What may not be found must not be put in.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

_WORD = re.compile(r"\w+(?:[.,/:-]\w+)*")
_PART = re.compile(r"[.,/:_-]")
# Words that say nothing about what a passage is about; questions are full of them.
_STOP_WORDS = frozenset(
    """
    a an and are as at be been but by can could did do does for from had has have how i if in into is it its
    me my no not of on or our shall should so such tell than that the their them then there these they this to
    us was we were what when where which who whom whose why will with would you your
    """.split()  # noqa: SIM905  (a list of these would fill the page)
)


class PassageIndex:
    """Exact inner-product search and BM25 over the same passages, held in memory."""

    def __init__(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        if len(texts) != len(vectors):
            raise ValueError(f"{len(texts)} texts but {len(vectors)} vectors")
        self._texts = list(texts)
        self._vectors = np.ascontiguousarray(vectors, np.float32)

    def __len__(self) -> int:
        return len(self._texts)

    def dense(self, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """The k nearest passages as (position, cosine), best first."""
        if not self._texts or k < 1:
            return []
        scores, positions = self._faiss.search(vector.reshape(1, -1).astype(np.float32), min(k, len(self)))
        return [(int(at), float(score)) for at, score in zip(positions[0], scores[0], strict=True)]

    def similarity(self, vector: np.ndarray, positions: Sequence[int]) -> list[float]:
        """Cosine of the vector with chosen passages."""
        return [float(score) for score in self._vectors[list(positions)] @ vector]

    def bm25(self, question: str) -> np.ndarray:
        """BM25 score of every passage; 0 where no word is shared."""
        words = self._words([question])[0]
        if not self._texts or not words or self._bm25 is None:
            return np.zeros(len(self), np.float32)
        known = [word for word in words if word in self._bm25.vocab_dict]
        if not known:
            return np.zeros(len(self), np.float32)
        scores: np.ndarray = self._bm25.get_scores(known)
        return scores

    def shared_words(self, question: str, texts: Sequence[str]) -> np.ndarray:
        """Share of the question's distinct words that each text holds, weighted by rarity, 0 to 1.

        A word's weight is log(1 + N / (1 + n)) for n of the index's N passages holding it.
        """
        words = set(self._words([question])[0])
        weight = {word: math.log(1 + len(self) / (1 + self._passages_with[word])) for word in words}
        total = sum(weight.values())
        if not total:
            return np.zeros(len(texts), np.float32)
        held = [sum(weight[word] for word in words & set(own)) for own in self._words(texts)]
        return np.asarray(held, np.float32) / np.float32(total)

    @cached_property
    def _passages_with(self) -> Counter[str]:
        return Counter(word for own in self._passage_words for word in set(own))

    @cached_property
    def _passage_words(self) -> list[list[str]]:
        return self._words(self._texts)

    @cached_property
    def _faiss(self) -> Any:
        import torch  # noqa: F401  (its OpenMP pool must be the first)

        # isort: split
        import faiss

        index = faiss.IndexFlatIP(self._vectors.shape[1])
        index.add(self._vectors)
        return index

    @cached_property
    def _stemmer(self) -> Any:
        import Stemmer

        return Stemmer.Stemmer("english")

    @cached_property
    def _bm25(self) -> Any:
        """None when no passage holds a word."""
        import bm25s

        corpus = self._passage_words
        if not any(corpus):
            return None
        retriever = bm25s.BM25()
        retriever.index(corpus, show_progress=False)
        return retriever

    def _words(self, texts: Sequence[str]) -> list[list[str]]:
        """Stemmed words; a word with inner marks (SB-42, 4.3) counts whole and in parts."""
        result = []
        for text in texts:
            words: list[str] = []
            for word in _WORD.findall(text.lower()):
                parts = _PART.split(word)
                words += [word, *parts] if len(parts) > 1 else [word]
            result.append(self._stemmer.stemWords([w for w in words if w and w not in _STOP_WORDS]))
        return result
