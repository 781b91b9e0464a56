"""Where the repository's own files lie, and files written whole or not at all.

Enters: a path and contents. Leaves: that file, old or new, never half of it. It knows no format.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_CORPUS = ROOT / "sample_corpus"
MODELS = ROOT / "models"


def write_whole(path: Path, contents: str | bytes) -> None:
    """Replace the file at `path`; text is written as UTF-8. It is on the disk when this returns.

    Whoever reads meanwhile, or after a crash, finds the old contents or the new. Raises OSError.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with partial.open("wb") as file:
            file.write(contents.encode("utf-8") if isinstance(contents, str) else contents)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
