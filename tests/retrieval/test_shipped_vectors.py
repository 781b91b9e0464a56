"""Shipped vectors: the same as computed ones, complete for the sample corpus, and never stale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from backends.documents.library import Library
from backends.documents.opening import open_library
from backends.retrieval import shipped_vectors as module
from backends.retrieval.embedding import MiniLM
from backends.retrieval.minilm import Precision
from backends.retrieval.sentence_vectors import read
from backends.retrieval.shipped_vectors import SHIPPED, save_vectors, shipped_vectors
from backends.settings import Settings


class Refusing(MiniLM):
    """Splits and names, and computes nothing."""

    def embed_parts(
        self, texts: Sequence[str], parts: Sequence[Sequence[tuple[int, int]]]
    ) -> list[np.ndarray]:
        raise AssertionError(
            f"{len(texts)} texts have no shipped vectors, the first is {texts[0][:60]!r}: "
            "run `python -m sample_corpus.embed_documents`"
        )


@pytest.fixture(scope="module", params=["bf16", "fp32"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A new workspace, opened without an embedding model."""
    precision: Precision = request.param
    return open_library(tmp_path_factory.mktemp("workspace"), Refusing(precision), Settings())


def test_new_workspace_computes_no_vector_and_they_equal_computed_ones(library: Library) -> None:
    retriever = library.retriever(Settings())
    assert len(retriever.chunks) > 400
    assert (cut := library.cut(Settings())) is not None and cut.embedded == 0
    embedder = MiniLM(library.embedder.precision)  # type: ignore[arg-type]
    document = library.documents()[7]
    made = read(document, embedder, lambda keys: {})
    found = shipped_vectors(made.means)
    assert found.keys() == made.means.keys()
    for key, rows in made.means.items():
        one, other = rows.astype(np.float32), found[key].reshape(rows.shape).astype(np.float32)
        cosines = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
        # bfloat16 rounds by how many texts are computed together.
        assert cosines.min() > (0.995 if embedder.precision == "bf16" else 0.99999)


def test_what_is_not_shipped_and_what_another_model_made_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "vectors.safetensors"
    save_vectors({"b": np.arange(768, dtype=np.float16), "a": np.ones(384, np.float16)}, file)
    assert {key: rows.tolist() for key, rows in shipped_vectors(["b", "c"], file).items()} == {
        "b": list(range(768))
    }
    monkeypatch.setattr(module, "MODEL_SHA256", "another")
    assert shipped_vectors(["a"], file) == {}


def test_damaged_or_missing_file_only_costs_time(tmp_path: Path) -> None:
    damaged = tmp_path / "vectors.safetensors"
    damaged.write_bytes(SHIPPED.read_bytes()[:1000])
    assert shipped_vectors(["a"], damaged) == {}
    assert shipped_vectors(["a"], tmp_path / "none.safetensors") == {}
