"""Computes the vectors that ship with the sample corpus, so that a first start need not wait for them.

Enters: documents/ and earlier_versions/ as a new workspace takes them, with the default chunk settings.
Leaves: vectors.safetensors, for machines with and without fast bfloat16. Run it after an edit, or
when they are read, split or embedded in another way; without it only the first start is slower.

    python -m sample_corpus.embed_passages
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backends.corpus.bert import Precision
from backends.corpus.embedding import MiniLM, vector_key
from backends.corpus.library import open_library
from backends.corpus.shipped import SHIPPED, save_vectors
from backends.settings import Settings

PRECISIONS: tuple[Precision, ...] = ("bf16", "fp32")


class Remembering(MiniLM):
    """The embedder, which keeps what it has made."""

    def __init__(self, precision: Precision) -> None:
        super().__init__(precision)
        self.made: dict[str, np.ndarray] = {}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        vectors = super().embed(texts)
        self.made |= {vector_key(self, text): vector for text, vector in zip(texts, vectors, strict=True)}
        return vectors


def main() -> None:
    SHIPPED.unlink(missing_ok=True)
    vectors: dict[str, np.ndarray] = {}
    for precision in PRECISIONS:
        embedder = Remembering(precision)
        with tempfile.TemporaryDirectory() as folder:
            open_library(Path(folder), embedder, Settings())
        vectors |= embedder.made
        print(f"{precision}: {len(embedder.made)} passages")
    save_vectors(vectors)
    print(f"{SHIPPED.name}: {SHIPPED.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
