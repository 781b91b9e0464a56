"""Which documents a filter admits by their names."""

from __future__ import annotations

import pytest

from backends.datatypes import Document, Filters


@pytest.mark.parametrize(
    ("name", "pattern", "fits"),
    [
        ("[draft] fees.txt", "[draft] fees.txt", True),
        ("d fees.txt", "[draft] fees.txt", False),
        ("[draft] fees.txt", "[draft]*", True),
        ("a?b*.txt", "a?b*.txt", True),
        ("notes-1.md", "notes-?.md", True),
        ("notes-10.md", "notes-?.md", False),
    ],
)
def test_brackets_in_a_name_are_letters(name: str, pattern: str, fits: bool) -> None:
    document = Document(name, 1, name, "text", "x", "")
    assert Filters(documents=(pattern,)).admit(document) is fits
