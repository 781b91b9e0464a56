"""Vectors that ship with the sample corpus, so that a new workspace need not compute them again.

Enters: keys as of `embedding.vector_key`, which name a text, a model and a precision. Leaves: the vectors
that are shipped under these keys. An edited text has another key and is embedded as ever.
`sample_corpus/embed_passages.py` writes the file.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from backends.corpus.embedding import MODEL_SHA256

SHIPPED = Path(__file__).resolve().parents[2] / "sample_corpus" / "vectors.safetensors"

log = logging.getLogger(__name__)


def shipped_vectors(keys: Iterable[str], file: Path = SHIPPED) -> dict[str, np.ndarray]:
    """The vectors among `keys` that are shipped: float32 rows of length 1."""
    if not (wanted := set(keys)) or not file.is_file():
        return {}
    try:
        with safe_open(file, "numpy") as opened:
            about = opened.metadata() or {}
            if about.get("model_sha256") != MODEL_SHA256:
                return {}
            rows = opened.get_tensor("vectors")
    except SafetensorError as error:
        log.warning("%s cannot be read, its vectors are computed instead: %s", file.name, error)
        return {}
    places = {key: row for row, key in enumerate(json.loads(about["keys"])) if key in wanted}
    found = rows[list(places.values())].astype(np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return dict(zip(places, found, strict=True))


def save_vectors(vectors: Mapping[str, np.ndarray], file: Path = SHIPPED) -> None:
    """Write these vectors, in half precision: their cosines change by less than 0.001."""
    rows = np.stack([vectors[key] for key in sorted(vectors)]).astype(np.float16)
    about = {"model_sha256": MODEL_SHA256, "keys": json.dumps(sorted(vectors))}
    save_file({"vectors": rows}, file, about)
