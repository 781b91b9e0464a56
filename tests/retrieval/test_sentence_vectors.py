"""A document is read once; every vector of it follows from that reading."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.datatypes import Document, Page
from backends.retrieval.embedding import MiniLM
from backends.retrieval.sentence_vectors import (
    AT_ONCE,
    PART,
    WINDOW,
    Outline,
    Reading,
    outline,
    read,
    window_key,
    windows,
)
from tests.fakes import HashingEmbedder
from tests.retrieval.test_chunking import TEXTS, document


def reading_of(made: Document, embedder) -> Reading:
    return read(made, embedder, lambda keys: {}).reading


@settings(max_examples=80, deadline=None)
@given(TEXTS, st.integers(0, 3))
def test_windows_hold_every_part_once_within_their_page_and_size(text, cuts):
    borders = [len(text) * at // (cuts + 1) for at in range(cuts + 2)]
    pages = tuple(Page(at + 1, borders[at], borders[at + 1]) for at in range(cuts + 1)) if cuts else ()
    made, embedder = document(text, pages), HashingEmbedder()
    outlined = outline(made, embedder)
    plan = windows(made, outlined, embedder)
    shown = [window.text[start:end] for window in plan for start, end in window.parts]
    assert shown == [text[start:end] for start, end in outlined.parts.tolist()]
    covered = {at for start, end in outlined.parts.tolist() for at in range(start, end)}
    assert {at for at, character in enumerate(text) if not character.isspace()} <= covered
    parts = iter(outlined.parts.tolist())
    for window in plan:
        own = [next(parts) for _ in window.parts]
        assert len({made.page_at(at) for part in own for at in (part[0], part[1] - 1)}) == 1
        tokens = embedder.token_spans(text[own[0][0] : own[-1][1]])
        assert len(tokens) <= WINDOW or len(own) == 1
        assert all(len(embedder.token_spans(text[start:end])) <= PART + 1 for start, end in own)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_the_vector_of_a_span_is_the_mean_over_its_tokens(parts, seed):
    """Against the plain definition, for spans that begin and end anywhere."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 6, parts)
    tokens = np.stack([np.arange(counts.sum()) * 3, np.arange(counts.sum()) * 3 + 2], 1).astype(np.int32)
    firsts = np.cumsum(counts) - counts
    places = np.stack([tokens[firsts, 0], tokens[firsts + counts - 1, 1]], 1).astype(np.int32)
    means = rng.normal(size=(parts, 8)).astype(np.float16)
    reading = Reading(Outline(tokens, places), means)
    owner = np.repeat(np.arange(parts), counts)
    spans = []
    for _ in range(AT_ONCE + 5):
        first, last = sorted(rng.choice(len(tokens) + 1, 2, replace=False))
        spans.append((int(tokens[first, 0]), int(tokens[last - 1, 1])))
    for (start, end), vector in zip(spans, reading.vectors(spans), strict=True):
        inside = (tokens[:, 0] >= start) & (tokens[:, 0] < end)
        expected = means.astype(np.float64)[owner[inside]].sum(0)
        np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-4)


def test_known_windows_are_not_read_again_and_a_change_costs_only_its_own():
    lines = [f"## Part {n}\n\n" + " ".join(f"Word{n}x{k} stands here." for k in range(20)) for n in range(6)]
    embedder = HashingEmbedder()
    store: dict[str, np.ndarray] = {}

    def known(keys):
        return {key: store[key] for key in keys if key in store}

    first = read(document("\n\n".join(lines)), embedder, known)
    store |= first.means
    assert first.embedded == len(first.windows) == len(embedder.embedded)
    again = read(document("\n\n".join(lines)), embedder, known)
    assert again.embedded == 0 and (again.reading.means == first.reading.means).all()
    lines[3] = lines[3].replace("Word3x7", "Changed")
    assert read(document("\n\n".join(lines)), embedder, known).embedded == 1


def test_a_text_without_tokens_still_has_a_direction():
    class Blind(HashingEmbedder):
        def token_spans(self, text):
            return []

    vectors = reading_of(document("\u200b"), Blind()).vectors([(0, 1)])
    assert np.isfinite(vectors).all()


@pytest.fixture(scope="module")
def genuine() -> MiniLM:
    return MiniLM("fp32")


def test_a_window_on_its_own_has_the_vector_of_its_text(genuine):
    """The pooled vector of a whole text is the model's own, but for the two special tokens."""
    text = "The warranty lasts 24 months. It begins on the day of delivery. Batteries are excluded."
    made = Document("d.txt", 1, "", "text", text, "")
    (pooled,) = reading_of(made, genuine).vectors([(0, len(text))])
    assert pooled @ genuine.embed([text])[0] > 0.99


def test_parts_see_the_whole_text_they_stand_in(genuine):
    """The same sentence has another vector in other company, and the parts' mean is the text's."""
    parts = [[(0, 11), (12, 30)], [(0, 11), (12, 31)]]
    texts = ["It is free. Delivery in May.  ", "It is free. The prison cell ... "]
    one, other = genuine.embed_parts(texts, parts)
    assert one.shape == (2, 384)
    assert one[0] @ other[0] / np.linalg.norm(one[0]) / np.linalg.norm(other[0]) < 0.99
    assert [a.shape for a in genuine.embed_parts(["x"], [[]])] == [(0, 384)]


def test_keys_tell_text_cuts_and_precision_apart():
    keys = {
        window_key(MiniLM(precision), text, parts)
        for precision in ("fp32", "bf16")
        for text in ("a b", "a c")
        for parts in ([(0, 3)], [(0, 1), (2, 3)])
    }
    assert len(keys) == 8
