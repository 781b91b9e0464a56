"""Differences lose nothing: the rows' sides are the two texts, whatever changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backends.documents.differences import DiffRow, Part, compare

lines = st.text(alphabet="ab c\t.", max_size=12)
texts = st.lists(lines, max_size=8).map("\n".join)


def old_side(rows):
    return "\n".join(row.old for row in rows if row.old is not None)


def new_side(rows):
    return "\n".join(row.new for row in rows if row.new is not None)


@given(texts, texts)
def test_the_sides_are_the_texts_and_the_parts_are_the_lines(old, new):
    rows = compare(old, new)
    assert (old_side(rows), new_side(rows)) == (old, new)
    for row in rows:
        assert "".join(part.text for part in row.parts if part.kind != "new") == (row.old or "")
        assert "".join(part.text for part in row.parts if part.kind != "gone") == (row.new or "")


@given(texts)
def test_a_text_does_not_differ_from_itself(text):
    assert not any(row.changed for row in compare(text, text))


def test_a_changed_word_is_marked_within_its_line():
    rows = compare("Title\nReturns within 14 days.\nEnd", "Title\nReturns within 30 days.\nEnd\nMore")
    assert rows[1] == DiffRow(
        "Returns within 14 days.",
        "Returns within 30 days.",
        (Part("same", "Returns within "), Part("gone", "14"), Part("new", "30"), Part("same", " days.")),
    )
    assert [row.changed for row in rows] == [False, True, False, True]
    assert rows[3] == DiffRow(None, "More", (Part("new", "More"),))


def test_lines_with_nothing_in_common_are_one_gone_and_one_new():
    rows = compare("The lamp is red.", "Prices rise in May")
    assert [(row.old, row.new) for row in rows] == [
        ("The lamp is red.", None),
        (None, "Prices rise in May"),
    ]
