"""BM25: the scores of the formula, whatever came and went before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.retrieval import bm25
from backends.retrieval.bm25 import WordIndex
from backends.retrieval.folding import words_of

WORDS = ["red", "green", "blue", "apple", "pear", "SB-42", "4.3", "the", "running", "runs"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), max_size=12)
QUESTION = "red apples running on SB-42, red"


def index_of(texts) -> WordIndex:
    index = WordIndex()
    index.add(texts)
    return index


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_scores_are_those_of_bm25s(texts):
    """bm25s is the reference implementation (method "lucene", k1 1.5, b 0.75)."""
    bm25s = pytest.importorskip("bm25s")
    index = index_of(texts)
    corpus = [index.stems(words_of(text)) for text in texts]
    if not any(corpus):
        assert not index.scores(QUESTION).any()
        return
    reference = bm25s.BM25()
    reference.index(corpus, show_progress=False)
    known = [word for word in index.stems(words_of(QUESTION)) if word in reference.vocab_dict]
    expected = reference.get_scores(known) if known else np.zeros(len(texts))
    np.testing.assert_allclose(index.scores(QUESTION), expected, rtol=1e-5)


@settings(max_examples=80, deadline=None)
@given(st.lists(TEXTS, max_size=6), st.randoms(use_true_random=False), st.integers(1, 4))
def test_coming_and_going_leaves_the_scores_of_what_is_there(batches, random, at_once):
    index, texts, gone = WordIndex(), [], set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bm25, "BUILT_AT_ONCE", at_once)
        patch.setattr(bm25, "SEGMENTS", 2)
        for batch in batches:
            index.add(batch)
            texts += batch
            leaving = [at for at in range(len(texts)) if at not in gone and random.random() < 0.3]
            index.remove(leaving)
            gone |= set(leaving)
    there = [at for at in range(len(texts)) if at not in gone]
    alone = index_of([texts[at] for at in there])
    scores = index.scores(QUESTION)
    assert len(index) == len(texts) == len(scores)
    np.testing.assert_allclose(scores[there], alone.scores(QUESTION), rtol=1e-5)
    assert not scores[sorted(gone)].any()
    np.testing.assert_allclose(index.shared(QUESTION, texts), alone.shared(QUESTION, texts), rtol=1e-5)


def test_what_was_removed_is_in_no_segment():
    index = index_of(["one word", "another word"])
    index.remove([0])
    assert all(0 not in segment.passages for segment in index._segments)


def test_no_passages_no_scores():
    assert index_of([]).scores("anything").shape == (0,)
    assert index_of(["the"]).scores("the").tolist() == [0]
    assert index_of([]).shared("red", ["red"]).tolist() == [0]


def test_telling_words_are_frequent_in_the_texts_and_rare_elsewhere():
    texts = ["monitors last eighteen days", "monitors last nine days"]
    index = index_of([*texts, *["the canteen opens"] * 6])
    # "last" and "days" stand in both texts and tell most; "monitor" was asked for; ties go by the stem.
    assert index.distinctive_words(texts, [1.0, 1.0], "one monitor", 2) == ["days", "last"]
    assert index.distinctive_words(texts, [1.0, 0.1], "one monitor", 3) == ["eighteen", "days", "last"]
    assert index.distinctive_words([], [], "monitor", 3) == []
