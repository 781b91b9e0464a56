"""PDF files of many layouts whose words, numbers, rows and lines are known: all is read, nothing altered."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.readers.pdf_layouts import LAYOUTS, own
from benchmarks.readers.score import Truth, score


@pytest.mark.parametrize("make", LAYOUTS, ids=lambda make: make.__name__)
def test_what_is_written_is_what_is_read(make, tmp_path: Path) -> None:
    layout = make(random.Random(f"test {make.__name__}"))
    path = tmp_path / "a.pdf"
    path.write_bytes(layout.data)
    text, _ = own(path)
    found = score(Truth(layout.lines, layout.rows), text)
    assert (found.words_found, found.words_extra) == (found.words, 0)
    assert (found.numbers_found, found.numbers_altered) == (found.numbers, 0)
    assert (found.rows_right, found.labels_false) == (found.rows, 0)
    flat = " ".join(text.split())
    assert [line for line in layout.lines if line not in flat] == []
