"""Passages come and go in both indexes; the search stays right, exact while small and measured when large."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from backends.retrieval import index as module
from backends.retrieval.index import PassageIndex

PROGRAM = """
import sys
import numpy as np
from backends.retrieval.index import PassageIndex

first = []
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "faiss"):
            first.append(name)
sys.meta_path.insert(0, Watch())
PassageIndex(["text"], np.eye(1, 4, dtype=np.float32)).dense(np.ones(4, np.float32), 1)
assert first == ["torch", "faiss"], first
"""


def test_torch_is_imported_before_faiss():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=120)


def unit(count: int, width: int = 32, seed: int = 0) -> np.ndarray:
    """Vectors in clusters, as those of passages are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(20, width))
    rows = centres[rng.integers(0, 20, count)] + 0.6 * rng.normal(size=(count, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(params=["flat", "cells"])
def kind(request, monkeypatch) -> str:
    if request.param == "cells":
        monkeypatch.setattr(module, "EXACT_UP_TO", 500)
    return request.param


def nearest(rows: np.ndarray, at: list[int], query: np.ndarray, k: int) -> list[int]:
    return [at[row] for row in np.argsort(-(rows[at] @ query), kind="stable")[:k]]


@pytest.mark.parametrize("built_first", [True, False], ids=["after the first search", "before"])
def test_added_passages_are_found_and_removed_ones_never(kind, built_first):
    rows = unit(1200)
    index = PassageIndex(["text"] * 1000, rows[:1000])
    if built_first:
        assert index.dense(rows[3], 1)[0][0] == 3
    assert index.add(["new"] * 200, rows[1000:]) == range(1000, 1200)
    index.remove([3, 700, 1100])
    there = [at for at in range(1200) if at not in (3, 700, 1100)]
    assert index.kind == kind or not built_first
    found = [
        len({at for at, _ in index.dense(q, 10)} & set(nearest(rows, there, q, 10))) / 10 for q in rows[:60]
    ]
    assert np.mean(found) == 1 if kind == "flat" else np.mean(found) > 0.95
    everything = {at for at, _ in index.dense(rows[3], 1200)}
    assert everything <= set(there)
    assert index.dense(rows[1050], 1)[0][0] == 1050
    assert index.kind == kind
    cosines = (rows[[0, 1199]] @ rows[0]).tolist()
    assert index.similarity(rows[0], [0, 1199]) == pytest.approx(cosines, abs=2e-3)
    assert len(index) == 1200 and np.flatnonzero(index.bm25("new")).tolist() == [
        at for at in range(1000, 1200) if at != 1100
    ]


def test_the_number_of_cells_is_chosen_for_its_recall(monkeypatch):
    monkeypatch.setattr(module, "EXACT_UP_TO", 500)
    rows = unit(3000)
    index = PassageIndex(["text"] * 3000, rows)
    index.build()
    assert index.recall is not None and index.recall >= module.RECALL
    assert index._faiss.nprobe < index._faiss.nlist


def test_an_empty_index_can_be_searched_and_filled():
    index = PassageIndex([], np.zeros((0, 4), np.float32))
    assert index.dense(np.ones(4, np.float32), 3) == [] and index.bm25("x").shape == (0,)
    index.add(["x"], np.eye(1, 4, dtype=np.float32))
    assert index.dense(np.ones(4, np.float32), 3) == [(0, 1.0)]
    index.remove([0])
    assert index.dense(np.ones(4, np.float32), 3) == []


def test_texts_and_vectors_must_match():
    with pytest.raises(ValueError, match="2 texts but 1 vectors"):
        PassageIndex(["a", "b"], np.eye(1))
