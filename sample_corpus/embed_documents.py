"""Computes the vectors that ship with the sample corpus, so that a first start need not wait for them.

Enters: documents/ and earlier_versions/ as a new workspace takes them. Leaves: vectors.safetensors, for
machines with and without fast bfloat16. Run it after a document was edited, or when the way documents are
read or embedded has changed; without it everything works, only the first start is slower.

    python -m sample_corpus.embed_documents
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from backends.documents.opening import open_library
from backends.retrieval.embedding import MiniLM
from backends.retrieval.minilm import Precision
from backends.retrieval.shipped_vectors import SHIPPED, save_vectors
from backends.settings import Settings

PRECISIONS: tuple[Precision, ...] = ("bf16", "fp32")


def main() -> None:
    SHIPPED.unlink(missing_ok=True)
    vectors: dict[str, np.ndarray] = {}
    for precision in PRECISIONS:
        with tempfile.TemporaryDirectory() as folder:
            made = open_library(Path(folder), MiniLM(precision), Settings()).workspace.all_vectors()
        vectors |= made
        print(f"{precision}: {len(made)} windows of text")
    save_vectors(vectors)
    print(f"{SHIPPED.name}: {SHIPPED.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
