"""Two indexes over the same passages: FAISS over vectors, BM25 over stemmed words. Passages come and go.

Enters: texts and their vectors. Leaves: scores and positions. It knows nothing of documents, roles or fusion,
and is the only module that imports faiss. What may not be found must not be put in.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from backends.retrieval.bm25 import Covered, WordIndex

EXACT_UP_TO = 50_000  # passages; beyond, only the nearest cells are looked through
RECALL = 0.98  # of the ten nearest, for which the number of cells is chosen
TRIED = 256  # stored vectors that recall is measured with


class PassageIndex:
    """Cosine search and BM25 over the same passages, held in memory. Safe to use from several threads.

    A passage keeps its position; those of removed ones are not given again.
    """

    def __init__(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        self._lock = threading.RLock()
        self._words = WordIndex()
        self._faiss: Any = None
        self._waiting: list[np.ndarray] = []  # vectors that came before faiss was needed
        self._removed: list[int] = []
        self.recall: float | None = None  # measured, where the search is not exact
        self.add(texts, vectors)

    def __len__(self) -> int:
        """Positions given so far, the removed ones included."""
        return len(self._words)

    @property
    def kind(self) -> str:
        """flat: every vector is compared; cells: those of the nearest cells."""
        return "flat" if self.recall is None else "cells"

    def add(self, texts: Sequence[str], vectors: np.ndarray) -> range:
        """Put passages in; returns their positions."""
        if len(texts) != len(vectors):
            raise ValueError(f"{len(texts)} texts but {len(vectors)} vectors")
        rows = np.ascontiguousarray(vectors, np.float32)
        with self._lock:
            first = len(self)
            self._words.add(texts)
            if self._faiss is None:
                self._waiting.append(rows)
            else:
                self._faiss.add_with_ids(rows, np.arange(first, len(self)))
            return range(first, len(self))

    def remove(self, positions: Iterable[int]) -> None:
        """Take passages out; no later search finds them."""
        gone = sorted(set(positions))
        with self._lock:
            self._words.remove(gone)
            if self._faiss is None:
                self._removed += gone
            elif gone:
                self._drop(gone)

    def build(self) -> None:
        """Make the index of the vectors now rather than at the first search."""
        with self._lock:
            if self._faiss is None:
                self._make()

    def dense(self, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """The k nearest passages as (position, cosine), best first."""
        with self._lock:
            self.build()
            if k < 1 or not self._faiss.ntotal:
                return []
            count = min(k, self._faiss.ntotal)
            scores, positions = self._faiss.search(vector.reshape(1, -1).astype(np.float32), count)
        pairs = zip(positions[0], scores[0], strict=True)
        return [(int(at), float(score)) for at, score in pairs if at >= 0]

    def similarity(self, vector: np.ndarray, positions: Sequence[int]) -> list[float]:
        """Cosine of the vector with chosen passages."""
        if not len(positions):
            return []
        with self._lock:
            self.build()
            rows = self._faiss.reconstruct_batch(np.asarray(positions, np.int64))
        return [float(score) for score in rows @ vector.astype(np.float32)]

    def bm25(self, question: str) -> np.ndarray:
        """BM25 score at every position; 0 where no word is shared or nothing is left."""
        with self._lock:
            return self._words.scores(question)

    def covered(self, question: str, scores: np.ndarray) -> Covered:
        """What the passage with the best of these BM25 scores covers of the question."""
        with self._lock:
            if not scores.any():
                return Covered(0.0, 0, 0)
            best = int(scores.argmax())
            return self._words.covered(question, best, float(scores[best]))

    def distinctive_words(
        self, texts: Sequence[str], weights: Sequence[float], but: str, count: int
    ) -> list[str]:
        """The words that tell these texts from the other passages, without those of `but`."""
        with self._lock:
            return self._words.distinctive_words(texts, weights, but, count)

    def shared_words(self, question: str, texts: Sequence[str]) -> np.ndarray:
        """Share of the question's distinct words that each text holds, weighted by rarity, 0 to 1."""
        with self._lock:
            return self._words.shared(question, texts)

    def _make(self) -> None:
        """Exact search up to EXACT_UP_TO passages; cells beyond, as many of them as RECALL needs.

        No HNSW: faiss cannot remove from it, and what was forgotten must be gone without a rebuild.
        """
        import torch  # noqa: F401  (its OpenMP pool must be the first)

        # isort: split
        import faiss

        rows = np.concatenate(self._waiting) if self._waiting else np.zeros((0, 1), np.float32)
        if len(rows) - len(self._removed) <= EXACT_UP_TO:
            self._faiss = faiss.IndexIDMap2(faiss.IndexFlatIP(rows.shape[1]))
        else:
            self._faiss = _cells(rows)
        self._faiss.add_with_ids(rows, np.arange(len(rows)))
        self._waiting = []
        if self._removed:
            self._drop(self._removed)
            self._removed = []
        if len(rows) > EXACT_UP_TO:
            self.recall = _choose_cells(self._faiss, rows)

    def _drop(self, positions: Sequence[int]) -> None:
        import faiss

        self._faiss.remove_ids(faiss.IDSelectorArray(np.asarray(positions, np.int64)))


def _cells(rows: np.ndarray) -> Any:
    """An inverted file in half precision, trained on a sample of its own vectors, still empty."""
    import faiss

    width = rows.shape[1]
    cells = 2 ** round(math.log2(2 * math.sqrt(len(rows))))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width), width, cells, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    index.by_residual = False
    index.cp.niter = 8
    sample = np.random.default_rng(0).choice(len(rows), min(len(rows), 40 * cells), replace=False)
    index.train(rows[sample])
    index.set_direct_map_type(faiss.DirectMap.Hashtable)  # type: ignore[attr-defined]  # for removal
    return index


def _choose_cells(index: Any, rows: np.ndarray) -> float:
    """Let it look through the fewest cells that reach RECALL; returns the recall of the ten nearest."""
    import faiss

    rng = np.random.default_rng(1)
    asked = rows[rng.choice(len(rows), min(len(rows), TRIED), replace=False)]
    # Questions lie near passages, not on them.
    noise = rng.normal(size=asked.shape).astype(np.float32)
    asked = asked + 0.7 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    _, exact = faiss.knn(asked, rows, 10, faiss.METRIC_INNER_PRODUCT)
    recall, probed = 0.0, 4
    while recall < RECALL and probed < index.nlist:
        probed *= 2
        index.nprobe = min(probed, index.nlist)
        _, found = index.search(asked, 10)
        recall = float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, exact, strict=True)]))
    return recall
