"""Fusion by hand, evidence within its budget, vectors made once."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from backends.corpus.index import PassageIndex
from backends.corpus.retrieval import Retriever, SentenceVectors, passage_text, reciprocal_rank_fusion
from backends.datatypes import Chunk
from tests.fakes import HashingEmbedder

TEXTS = [
    "The Team plan costs 24 EUR a month. It includes 25 monitors. Support answers on weekdays.",
    "Lark One is a home monitor. It costs 149 EUR.",
    "Returns are free. Unused products may be returned within 30 days.",
    "The canteen opens at noon. Soup is served daily.",
]


def words(text: str) -> int:
    return len(text.split())


@pytest.fixture
def retriever() -> Retriever:
    embedder = HashingEmbedder(512)
    chunks = [
        Chunk(f"d{at}.md", 1, 100, 100 + len(text), text, None, len(text), f"Title {at}")
        for at, text in enumerate(TEXTS)
    ]
    return Retriever(chunks, embedder.embed([passage_text(c) for c in chunks]), embedder)


def test_reciprocal_rank_fusion_is_the_sum_of_inverse_ranks():
    fused = reciprocal_rank_fusion([[7, 3, 5], [3, 9]], k=60)
    assert fused == [(3, 1 / 62 + 1 / 61), (7, 1 / 61), (9, 1 / 62), (5, 1 / 63)]
    assert reciprocal_rank_fusion([[2], [1]]) == [(1, 1 / 61), (2, 1 / 61)]
    assert reciprocal_rank_fusion([]) == []


def test_dense_search_equals_the_products_sorted():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = PassageIndex(["x"] * 200, vectors)
    query = vectors[17]
    expected = np.argsort(-(vectors @ query))[:10]
    assert [position for position, _ in index.dense(query, 10)] == list(expected)
    assert index.similarity(query, [17]) == pytest.approx([1.0])


def test_bm25_finds_codes_whole_and_in_parts_and_stems_words():
    index = PassageIndex(["Part SB-42 measures carbon dioxide", "Firmware 4.3 fixes the clock"], np.eye(2))
    assert index.bm25("SB-42").argmax() == 0
    assert index.bm25("fixing clocks in firmware 4.3").argmax() == 1
    assert not index.bm25("the of and").any()
    assert not index.bm25("zebra").any()


@pytest.mark.parametrize("mode", ["hybrid", "dense", "bm25"])
def test_search_ranks_from_one_with_falling_scores_and_says_which_parts_ran(retriever, mode):
    hits = retriever.search("When may unused products be returned?", top_k=3, mode=mode)
    assert hits[0].chunk.document == "d2.md"
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert all(a.score >= b.score for a, b in pairwise(hits))
    assert all((hit.dense is None) == (mode == "bm25") for hit in hits)
    assert all((hit.bm25 is None) == (mode == "dense") for hit in hits)


def test_an_empty_library_finds_nothing_and_says_so():
    empty = Retriever([], np.zeros((0, 4)), HashingEmbedder())
    assert empty.search("anything", top_k=5, mode="hybrid") == []
    evidence = empty.select_evidence("anything", [], budget=50, count_tokens=words, rerank=True)
    assert evidence.sources == () and len(evidence.warnings) == 1


@pytest.mark.parametrize("rerank", [True, False])
@pytest.mark.parametrize("budget", [1, 12, 25, 60, 1000])
def test_evidence_keeps_to_the_budget_and_loses_no_hit(retriever, rerank, budget):
    question = "What does the Team plan cost a month?"
    hits = retriever.search(question, top_k=4, mode="dense")
    evidence = retriever.select_evidence(question, hits, budget=budget, count_tokens=words, rerank=rerank)
    shown = [source.hit.chunk.document for source in evidence.sources]
    left = [hit.chunk.document for hit in evidence.left_out]
    assert sorted(shown + left) == sorted(hit.chunk.document for hit in hits)
    assert [source.rank for source in evidence.sources] == list(range(1, len(shown) + 1))
    cost = 0
    for source in evidence.sources:
        chunk = source.hit.chunk
        assert source.sentences
        assert list(source.sentences) == sorted(source.sentences, key=lambda s: s.start)
        for s in source.sentences:
            assert chunk.text[s.start - chunk.start : s.end - chunk.start] == s.text
        cost += words(f"[{source.rank}] {chunk.title}: " + " ".join(s.text for s in source.sentences))
    assert cost <= budget or len(evidence.sources) == len(evidence.sources[0].sentences) == 1


def test_reranked_evidence_begins_with_the_best_sentence(retriever):
    question = "How many days until unused products may be returned?"
    hits = retriever.search(question, top_k=4, mode="dense")
    worst_first = list(reversed(hits))
    evidence = retriever.select_evidence(question, worst_first, budget=500, count_tokens=words, rerank=True)
    assert "within 30 days" in max(evidence.sources[0].sentences, key=lambda s: s.score).text
    best = [max(s.score for s in source.sentences) for source in evidence.sources]
    assert best == sorted(best, reverse=True)
    assert [h.chunk for h in retriever.rerank(question, worst_first)] == [
        s.hit.chunk for s in evidence.sources
    ]


def test_without_reranking_hits_keep_their_order_and_their_beginning(retriever):
    hits = retriever.search("monitor", top_k=4, mode="dense")
    evidence = retriever.select_evidence("monitor", hits, budget=500, count_tokens=words, rerank=False)
    assert [source.hit for source in evidence.sources] == hits
    assert all(source.sentences[0].start == source.hit.chunk.start for source in evidence.sources)


def test_overlapping_passages_show_a_sentence_once():
    text = "Alpha one is here. Beta two is here. Gamma three is here."
    embedder = HashingEmbedder()
    chunks = [Chunk("d.md", 1, 0, 36, text[:36], None, 8), Chunk("d.md", 1, 19, 57, text[19:], None, 8)]
    retriever = Retriever(chunks, embedder.embed([passage_text(c) for c in chunks]), embedder)
    hits = retriever.search("beta two", top_k=2, mode="dense")
    evidence = retriever.select_evidence("beta", hits, budget=500, count_tokens=words, rerank=False)
    shown = [s.text for source in evidence.sources for s in source.sentences]
    assert len(shown) == len(set(shown)) == 3


def test_a_fresh_retriever_shares_the_index_and_remembers_no_question(retriever):
    question = "What does the Team plan cost a month?"
    known = retriever.search(question, top_k=3, mode="hybrid")
    embedder = retriever._embedder
    embedder.embedded.clear()
    assert retriever.search(question, top_k=3, mode="hybrid") == known and embedder.embedded == []
    assert retriever.fresh().search(question, top_k=3, mode="hybrid") == known
    assert embedder.embedded == [question]


def test_shared_words_weigh_by_rarity():
    index = PassageIndex(["red apple", "red pear", "blue plum"], np.eye(3, 4, dtype=np.float32))
    red, plum = math.log(1 + 3 / 3), math.log(1 + 3 / 2)
    shares = index.shared_words("Is the plum red?", ["A red thing.", "Plums", "plum, red plum", "green"])
    assert shares == pytest.approx([red / (red + plum), plum / (red + plum), 1, 0])
    assert not index.shared_words("the of", ["anything"]).any()


def test_sentence_vectors_embed_once_and_stay_bounded():
    embedder = HashingEmbedder()
    cache = SentenceVectors(embedder, 3)
    first = cache.of(["a b", "c", "a b"])
    assert embedder.embedded == ["a b", "c"]
    assert (cache.of(["c", "a b"]) == first[[1, 0]]).all()
    assert embedder.embedded == ["a b", "c"]
    cache.of(["d", "e"])
    cache.of(["a b"])
    assert embedder.embedded == ["a b", "c", "d", "e"]  # "c" was the oldest and fell out
