"""Shipped vectors: the same as computed ones, complete for the sample corpus, and never stale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from backends.corpus import shipped
from backends.corpus.bert import Precision
from backends.corpus.embedding import MiniLM, vector_key
from backends.corpus.library import Library, open_library
from backends.corpus.retrieval import passage_text
from backends.corpus.shipped import SHIPPED, save_vectors, shipped_vectors
from backends.settings import Settings


class Refusing(MiniLM):
    """Splits and names, and computes nothing."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        raise AssertionError(
            f"{len(texts)} passages have no shipped vector, the first is {texts[0][:60]!r}: "
            "run `python -m sample_corpus.embed_passages`"
        )


@pytest.fixture(scope="module", params=["bf16", "fp32"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A new workspace, opened without an embedding model."""
    precision: Precision = request.param
    return open_library(tmp_path_factory.mktemp("workspace"), Refusing(precision), Settings())


def test_new_workspace_computes_no_vector_and_they_equal_computed_ones(library: Library) -> None:
    retriever = library.retriever(Settings())
    some = [passage_text(chunk) for chunk in retriever.chunks[::40]]
    embedder = MiniLM(library.embedder.precision)  # type: ignore[arg-type]
    found = shipped_vectors(vector_key(embedder, text) for text in some)
    stored = np.stack([found[vector_key(embedder, text)] for text in some])
    assert len(retriever.chunks) > 400
    np.testing.assert_allclose(np.linalg.norm(stored, axis=1), 1, atol=1e-6)
    # Half precision in the file, and bfloat16 rounds by how many texts are computed together.
    assert (stored * embedder.embed(some)).sum(axis=1).min() > (
        0.999 if embedder.precision == "bf16" else 0.999999
    )


def test_edited_text_other_precision_and_other_model_are_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "vectors.safetensors"
    embedder = MiniLM("fp32")
    key = vector_key(embedder, "The lamp costs 99 euros.")
    save_vectors({key: np.eye(1, 384, dtype=np.float32)[0]}, file)
    assert list(shipped_vectors([key], file)) == [key]
    assert shipped_vectors([vector_key(embedder, "The lamp costs 98 euros.")], file) == {}
    assert shipped_vectors([vector_key(MiniLM("bf16"), "The lamp costs 99 euros.")], file) == {}
    monkeypatch.setattr(shipped, "MODEL_SHA256", "another")
    assert shipped_vectors([key], file) == {}


def test_damaged_or_missing_file_only_costs_time(tmp_path: Path) -> None:
    damaged = tmp_path / "vectors.safetensors"
    damaged.write_bytes(SHIPPED.read_bytes()[:1000])
    assert shipped_vectors(["a"], damaged) == {}
    assert shipped_vectors(["a"], tmp_path / "none.safetensors") == {}
