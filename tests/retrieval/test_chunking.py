"""Sentences lose nothing, passages are slices, sizes hold."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.datatypes import Document, Page
from backends.retrieval.chunking import chunk_document, split_sentences
from tests.fakes import HashingEmbedder

WORDS = st.sampled_from(
    [
        "Lark",
        "costs",
        "149",
        "EUR.",
        "e.g.",
        "Dr.",
        "why?",
        "yes!",
        "§ 4.2",
        "a: b; c: d",
        "naïve",
        "東京。",
        "(x).",
    ]
)
LINES = st.lists(WORDS, max_size=30).map(" ".join) | st.sampled_from(["", "# Head", "## Two words", "- item"])
TEXTS = st.lists(LINES, max_size=12).map("\n".join) | st.text(max_size=200)


def document(text: str, pages: tuple[Page, ...] = ()) -> Document:
    return Document("d.txt", 1, "Title", "text", text, "hash", pages)


@settings(max_examples=80, deadline=None)
@given(TEXTS)
def test_sentences_hold_every_character_but_white_space_once_and_in_order(text):
    spans = split_sentences(text)
    covered = "".join(text[start:end] for start, end in spans)
    assert re.sub(r"\s", "", covered) == re.sub(r"\s", "", text)
    for start, end in spans:  # an indented line is code and keeps its indentation
        assert text[start:end].strip() and text[start:end] == text[start:end].rstrip()
        assert not text[start].isspace() or (text[start] == " " and text[start - 1 : start] in ("", "\n"))
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert all("\n" not in text[start:end] for start, end in spans)


WAYS = ("sentences", "sections", "semantic", "tokens")


def by_words(text: str):
    """Vectors of spans for semantic chunking: spans with the same words are alike."""
    embedder = HashingEmbedder()
    return lambda spans: embedder.embed([text[start:end] for start, end in spans])


@given(TEXTS, st.integers(4, 40), st.integers(0, 39), st.integers(0, 3), st.sampled_from(WAYS))
@settings(max_examples=200, deadline=None)
def test_chunks_are_slices_within_size_and_page_and_hold_every_sentence(text, size, overlap, cuts, way):
    overlap = min(overlap, size - 1)
    borders = [len(text) * at // (cuts + 1) for at in range(cuts + 2)]
    pages = tuple(Page(at + 1, borders[at], borders[at + 1]) for at in range(cuts + 1)) if cuts else ()
    embedder = HashingEmbedder()
    made = document(text, pages)
    chunks = chunk_document(
        made,
        chunk_size=size,
        chunk_overlap=overlap,
        tokenizer=embedder,
        chunking=way,
        vectors_of=by_words(text),
    )
    covered = set()
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end] == chunk.text.rstrip() and chunk.text.strip()
        assert chunk.tokens <= size
        assert chunk.page == made.page_at(chunk.start)
        assert made.page_at(chunk.end - 1) == chunk.page
        covered |= set(range(chunk.start, chunk.end))
    assert {at for at, character in enumerate(text) if not character.isspace()} <= covered
    assert [c.start for c in chunks] == sorted({c.start for c in chunks})
    if way != "tokens" and not cuts:  # begins and ends with a sentence, or cuts one too long for any
        ends = {at for span in split_sentences(text) for at in span}
        cut = [s for s in split_sentences(text) if len(embedder.token_spans(text[slice(*s)])) > size]
        for at in (at for chunk in chunks for at in (chunk.start, chunk.end)):
            assert at in ends or any(start < at < end for start, end in cut)


def test_fixed_passages_hold_as_many_tokens_as_fit_and_share_the_overlap():
    text = "\n".join(f"word{n} and more." for n in range(40))  # four tokens a line
    chunks = chunk_document(
        document(text), chunk_size=10, chunk_overlap=4, tokenizer=HashingEmbedder(), chunking="tokens"
    )
    assert chunks[0].text.split() == ["word0", "and", "more.", "word1", "and", "more.", "word2", "and"]
    # The last word may not be torn from its full stop, so a passage may hold a token less.
    assert all(9 <= chunk.tokens <= 10 for chunk in chunks[:-1])
    for chunk, following in pairwise(chunks):
        shared = text[following.start : chunk.end]
        assert 2 <= len(HashingEmbedder().token_spans(shared)) <= 4
        assert text[following.start - 1].isspace() and text[chunk.end].isspace()


def test_sections_end_at_headings_and_carry_their_path():
    text = (
        "# Returns\n\n## Costs\n\nWe pay the way back.\n\n### Abroad\n\nYou pay. Ask first.\n\n"
        "## Time\n\nThirty days.\n\n# Warranty\n\nTwo years."
    )
    chunks = chunk_document(
        document(text), chunk_size=200, chunk_overlap=0, tokenizer=HashingEmbedder(), chunking="sections"
    )
    assert [(c.heading, c.text.split("\n")[0]) for c in chunks] == [
        ("Returns > Costs", "# Returns"),  # a heading without text of its own goes with the next
        ("Returns > Costs > Abroad", "### Abroad"),
        ("Returns > Time", "## Time"),
        ("Warranty", "# Warranty"),
    ]


def test_semantic_passages_end_where_the_subject_changes():
    cats = [f"Cats purr and cats sleep, cat {n}." for n in range(5)]
    taxes = [f"Taxes rise and taxes fall, tax {n}." for n in range(5)]
    text = " ".join([*cats, *taxes])
    chunks = chunk_document(
        document(text),
        chunk_size=100,
        chunk_overlap=20,
        tokenizer=HashingEmbedder(),
        chunking="semantic",
        vectors_of=by_words(text),
    )
    assert [chunk.text for chunk in chunks] == [" ".join(cats), " ".join(taxes)]
    with pytest.raises(ValueError, match="vectors"):
        chunk_document(
            document(text), chunk_size=9, chunk_overlap=0, tokenizer=HashingEmbedder(), chunking="semantic"
        )


def test_neighbours_share_whole_sentences_up_to_the_overlap():
    text = " ".join(
        f"Sentence number {word} ends." for word in ("one", "two", "three", "four", "five", "six")
    )
    chunks = chunk_document(document(text), chunk_size=15, chunk_overlap=5, tokenizer=HashingEmbedder())
    assert [c.text for c in chunks][:2] == [
        "Sentence number one ends. Sentence number two ends. Sentence number three ends.",
        "Sentence number three ends. Sentence number four ends. Sentence number five ends.",
    ]
    without = chunk_document(document(text), chunk_size=15, chunk_overlap=0, tokenizer=HashingEmbedder())
    assert [len(split_sentences(c.text)) for c in without] == [3, 3]


def test_headings_stand_alone_name_their_passages_and_never_end_one():
    text = "# Returns\n\nThirty days. Unused goods.\n\n## Costs\n\nWe pay the way back. You pay nothing."
    chunks = chunk_document(document(text), chunk_size=16, chunk_overlap=0, tokenizer=HashingEmbedder())
    firsts = [(c.heading, c.text.split("\n")[0]) for c in chunks]
    assert firsts == [("Returns", "# Returns"), ("Returns > Costs", "## Costs")]
    assert not any(c.text.split("\n")[-1].startswith("#") for c in chunks)


def test_a_sentence_longer_than_a_passage_is_cut_between_tokens():
    text = "word " * 50 + "end."
    chunks = chunk_document(document(text), chunk_size=10, chunk_overlap=3, tokenizer=HashingEmbedder())
    assert [c.tokens for c in chunks] == [10, 10, 10, 10, 10, 2]
    assert all(not c.text.startswith("ord") for c in chunks)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs 149 EUR. Ask Dr. Wu, e.g. by mail.", ["It costs 149 EUR.", "Ask Dr. Wu, e.g. by mail."]),
        ("2.1 Orders are by mail. They are confirmed.", ["2.1 Orders are by mail.", "They are confirmed."]),
        ("1. Purpose of it. Second.", ["1. Purpose of it.", "Second."]),
        ('He said "Stop." Then he left!  Why?', ['He said "Stop."', "Then he left!", "Why?"]),
        ("Tier: A; Terms: By mail. Six; Price: 3", ["Tier: A; Terms: By mail. Six; Price: 3"]),
        ("Version 4.3 of J. K. Smith is out. Use it.", ["Version 4.3 of J. K. Smith is out.", "Use it."]),
        ("東京です。大阪です。", ["東京です。", "大阪です。"]),
        ("\n# A heading. Really\nText", ["# A heading. Really", "Text"]),
        ('go:\n    say("Hi. There")\n # A comment', ["go:", '    say("Hi. There")', " # A comment"]),
        ("2024-05-02 10:00:01 WARN Full. Stopped.", ["2024-05-02 10:00:01 WARN Full. Stopped."]),
        ("[10:00:01] Full. Stopped.", ["[10:00:01] Full. Stopped."]),
        ("Hall | Is open. Daily | 4", ["Hall | Is open. Daily | 4"]),
    ],
)
def test_sentence_borders(text, expected):
    assert [text[start:end] for start, end in split_sentences(text)] == expected
