"""Vectors that ship with the sample corpus, so that a new workspace need not compute them again.

Enters: keys as of `sentence_vectors.window_key`, which name a text, a model and a precision. Leaves: the
sentence vectors that are shipped under these keys. A text that was edited has another key and is embedded as
ever: nothing here can be stale. `sample_corpus/embed_documents.py` writes the file.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from backends.retrieval.embedding import MODEL_SHA256
from backends.system.files import SAMPLE_CORPUS

SHIPPED = SAMPLE_CORPUS / "vectors.safetensors"

log = logging.getLogger(__name__)


def shipped_vectors(keys: Iterable[str], file: Path = SHIPPED) -> dict[str, np.ndarray]:
    """The vectors among `keys` that are shipped, float16; those of one key as one flat row."""
    if not (wanted := set(keys)) or not file.is_file():
        return {}
    try:
        with safe_open(file, "numpy") as opened:
            about = opened.metadata() or {}
            if about.get("model_sha256") != MODEL_SHA256:
                return {}
            places: dict[str, tuple[int, int]] = json.loads(about["keys"])
            known = wanted & places.keys()
            rows = opened.get_slice("vectors") if known else None
            return {key: rows[slice(*places[key])] for key in known} if rows is not None else {}
    except SafetensorError as error:
        log.warning("%s cannot be read, its vectors are computed instead: %s", file.name, error)
        return {}


def save_vectors(vectors: Mapping[str, np.ndarray], file: Path = SHIPPED) -> None:
    """Write these flat float16 rows."""
    places: dict[str, tuple[int, int]] = {}
    end = 0
    for key in sorted(vectors):
        places[key] = (end, end + len(vectors[key]))
        end = places[key][1]
    rows = np.concatenate([vectors[key] for key in sorted(vectors)]).astype(np.float16)
    save_file({"vectors": rows}, file, {"model_sha256": MODEL_SHA256, "keys": json.dumps(places)})
