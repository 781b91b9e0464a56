"""The order in which two libraries with OpenMP pools are loaded."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import numpy as np
from backends.corpus.index import PassageIndex

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
