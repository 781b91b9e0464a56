"""Fusion by hand, evidence within its budget, vectors made once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from backends.datatypes import Chunk, Document, Filters
from backends.retrieval import retriever as module
from backends.retrieval.fusion import (
    DENSE_WEIGHT,
    LONE_WORD,
    SENTENCE_WEIGHT,
    dense_weight,
    fused_scores,
    highest,
    with_best_sentences,
)
from backends.retrieval.index import PassageIndex
from backends.retrieval.passages import passage_text
from backends.retrieval.retriever import JUDGED, Retriever
from backends.retrieval.sentence_choice import Fit, SentenceVectors, sentences_of
from backends.retrieval.statements import copy_key
from tests.fakes import HashingEmbedder

TEXTS = [
    "The Team plan costs 24 EUR a month. It includes 25 monitors. Support answers on weekdays.",
    "Lark One is a home monitor. It costs 149 EUR.",
    "Returns are free. Unused products may be returned within 30 days.",
    "The canteen opens at noon. Soup is served daily.",
]


def words(text: str) -> int:
    return len(text.split())


def line(number: int, title: str, sentences: Sequence[str]) -> str:
    return f"[{number}] {title}: {' '.join(sentences)}"


SELECT: Any = {"count_tokens": words, "format_line": line}


class ScriptedRanker:
    """Judges a text by how often it holds a word; remembers what it was shown."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.read: list[str] = []

    def score(self, question, texts):
        self.read += texts
        return np.array([20 * text.count(self.word) for text in texts], np.float32)


@pytest.fixture
def retriever() -> Retriever:
    embedder = HashingEmbedder(512)
    chunks = [
        Chunk(f"d{at}.md", 1, 100, 100 + len(text), text, None, len(text), f"Title {at}")
        for at, text in enumerate(TEXTS)
    ]
    return Retriever(chunks, embedder.embed([passage_text(c) for c in chunks]), embedder)


@limits(deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), max_size=20), st.integers(1, 25))
def test_the_highest_scores_are_those_of_a_full_sort(scores, count):
    array = np.array(scores, np.float32)
    expected = [int(at) for at in np.argsort(-array, kind="stable")[:count] if array[at] > 0]
    assert highest(array, count) == expected


def test_fused_scores_are_weighted_deviations_from_the_mean():
    cosines, bm25 = np.array([0.1, 0.3, 0.5]), np.array([9.0, 0.0, 0.0])
    third, deviations = math.sqrt(1.5), math.sqrt(2)
    expected = [-0.6 * third + 0.4 * deviations, -0.4 * deviations / 2, 0.6 * third - 0.4 * deviations / 2]
    assert fused_scores(cosines, bm25, 0.6) == pytest.approx(expected)
    assert fused_scores(cosines, bm25, 0.0).argmax() == 0
    assert fused_scores(cosines, np.zeros(3), 0.6) == pytest.approx([-0.6 * third, 0, 0.6 * third])
    assert fused_scores(np.zeros(0), np.zeros(0), 0.6).shape == (0,)


def test_a_part_number_that_one_passage_holds_outweighs_likeness():
    rng = np.random.default_rng(0)
    cosines = rng.normal(0.3, 0.1, 100)
    cosines[7], bm25 = cosines.min(), np.zeros(100)
    bm25[7] = 8.0
    assert fused_scores(cosines, bm25, DENSE_WEIGHT).argmax() == 7


def test_bm25_counts_by_how_much_of_the_question_it_covers():
    assert dense_weight(0.0) == 1.0
    assert dense_weight(0.1) == pytest.approx(1 - 0.4 / 4)
    assert dense_weight(0.2) == pytest.approx(DENSE_WEIGHT) == dense_weight(0.45)
    assert dense_weight(0.3, lone=True) == pytest.approx(1 - 0.4 * LONE_WORD)


def test_one_chance_word_of_a_question_in_other_words_does_not_outweigh_the_meaning():
    lanterns = [f"Lantern {number} hangs in the yard." for number in range(20)]
    texts = ["Moorings are let by the season.", "The kiosk opens early.", *lanterns]
    question = "What is the rental fee payable annually for keeping vessels in an early spring"
    index = PassageIndex(texts, np.eye(len(texts)))
    covered = index.covered(question, index.bm25(question)).share
    assert index.bm25(question).argmax() == 1 and covered < 0.1
    cosines = np.array([0.6, 0.4, *[0.1] * 20])
    assert fused_scores(cosines, index.bm25(question), DENSE_WEIGHT).argmax() == 1
    assert fused_scores(cosines, index.bm25(question), dense_weight(covered)).argmax() == 0


def test_no_passage_covers_more_than_the_whole_question():
    texts = ["berth berth berth 12", "berth fees", "nothing of the kind"]
    index = PassageIndex(texts, np.eye(3))
    for question in ("berth 12 fees", "berth berth", "zebra crossing", "the of and"):
        assert 0 <= index.covered(question, index.bm25(question)).share <= 1
    known, beside = (
        index.covered(question, index.bm25(question)) for question in ("berth", "berth of a zebra")
    )
    assert known.share > beside.share > 0  # a word that no passage holds counts too


def test_a_lone_word_of_several_is_told_from_a_question_of_one():
    index = PassageIndex(["a crossing costs 24 EUR", "tickets", "timetable of E-21"], np.eye(3))

    def lone(question: str) -> bool:
        return index.covered(question, index.bm25(question)).lone

    assert lone("what does ferrying a lorry cost") and lone("crossing by lorry")
    assert not lone("tickets") and not lone("what does a crossing cost")
    assert not lone("what does E-21 mean") and not lone("zebra and lorry")


@limits(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=30),
    st.integers(1, 30),
    st.floats(0, 1),
)
def test_those_whose_sentences_were_not_read_stay_behind_in_their_order(rows, count, weight):
    scores, cosines, best = (np.array(column) for column in zip(*rows, strict=True))
    order = np.argsort(-scores, kind="stable")
    first, others = order[:count], order[count:]
    lifted = with_best_sentences(scores, cosines, first, best[first], weight)
    if len(others):
        assert lifted[others].max() <= lifted[first].min() + 1e-9
        assert (np.diff(lifted[others]) <= 1e-9).all()


def test_the_best_sentence_lifts_in_the_measure_of_the_cosines():
    scores, cosines = np.array([1.0, 0.5, -2.0]), np.array([0.4, 0.4, 0.1])
    deviation = cosines.std()
    lifted = with_best_sentences(scores, cosines, np.array([0, 1]), np.array([0.4, 0.8]), 0.5)
    gained = 0.5 * SENTENCE_WEIGHT * 0.2 / deviation
    assert lifted[:2] == pytest.approx([1 - gained, 0.5 + gained])


def test_a_passage_on_many_things_is_found_by_its_one_sentence():
    axes = np.eye(4, dtype=np.float32)
    told = {"Cats stay. Fleas are treated. Guests visit at five.": axes[:3], "Tablets are given.": axes[3:]}

    class Asks(HashingEmbedder):
        def embed(self, texts):
            return np.tile(np.array([0, 0, 0.8, 0.6], np.float32), (len(texts), 1))

    chunks = [Chunk("d.md", 1, 0, len(text), text, None, 9) for text in told]
    means = np.stack([rows.mean(0) / np.linalg.norm(rows.mean(0)) for rows in told.values()])
    for stored, found in ((None, "Tablets"), (lambda chunk, sentences: told[chunk.text], "Cats")):
        hits = Retriever(chunks, means, Asks(), stored=stored).search("when", top_k=2, mode="hybrid")
        assert hits[0].chunk.text.startswith(found)
        assert [hit.dense for hit in hits] == pytest.approx(
            [float(hit.chunk.text.startswith("Tablets")) * 0.6 or 0.8 / 3**0.5 for hit in hits]
        )


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
    evidence = empty.select_evidence("anything", [], budget=50, rerank=True, **SELECT)
    assert evidence.sources == () and len(evidence.warnings) == 1


@pytest.mark.parametrize("rerank", [True, False])
@pytest.mark.parametrize("budget", [1, 12, 25, 60, 1000])
def test_evidence_keeps_to_the_budget_and_loses_no_hit(retriever, rerank, budget):
    question = "What does the Team plan cost a month?"
    hits = retriever.search(question, top_k=4, mode="dense")
    evidence = retriever.select_evidence(question, hits, budget=budget, rerank=rerank, **SELECT)
    shown = [source.hit.chunk.document for source in evidence.sources]
    left = [hit.chunk.document for hit in evidence.left_out]
    assert sorted(shown + left) == sorted(hit.chunk.document for hit in hits)
    assert [source.rank for source in evidence.sources] == list(range(1, len(shown) + 1))
    cost = 0
    for source in evidence.sources:
        chunk = source.hit.chunk
        assert source.sentences
        best, *others = source.sentences
        assert best.score == max(s.score for s in source.sentences)
        assert others == sorted(others, key=lambda s: s.start)
        for s in source.sentences:
            assert chunk.text[s.start - chunk.start : s.end - chunk.start] == s.text
        cost += words(f"[{source.rank}] {chunk.title}: " + " ".join(s.text for s in source.sentences))
    assert cost <= budget or len(evidence.sources) == len(evidence.sources[0].sentences) == 1


def test_reranked_evidence_begins_with_the_best_sentence(retriever):
    question = "How many days until unused products may be returned?"
    hits = retriever.search(question, top_k=4, mode="dense")
    worst_first = list(reversed(hits))
    evidence = retriever.select_evidence(question, worst_first, budget=500, rerank=True, **SELECT)
    assert "within 30 days" in evidence.sources[0].sentences[0].text
    best = [max(s.score for s in source.sentences) for source in evidence.sources]
    assert best == sorted(best, reverse=True)
    assert [h.chunk for h in retriever.rerank(question, worst_first)] == [
        s.hit.chunk for s in evidence.sources
    ]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("What does item LF-1 cost?", "Item: LF-1; Product: Gateway; Price: 199 EUR; Note: new"),
        ("What did item LF-1 cost in 2025?", "Item: LF-1; Product: Gateway; Price: 219 EUR"),
    ],
)
def test_of_one_statement_with_two_figures_that_of_the_later_document_comes_first(question, first):
    rows = {
        "2025": [
            "Item: LF-1; Product: Gateway; Price: 219 EUR",
            "Item: LF-2; Product: Gateway; Price: 9 EUR",
        ],
        "2026": ["Item: LF-1; Product: Gateway; Price: 199 EUR; Note: new"],
    }
    chunks, documents = [], []
    for year, lines in rows.items():
        text = "\n".join(lines)
        chunks.append(Chunk(f"{year}.csv", 1, 0, len(text), text, None, len(text), "Prices"))
        documents.append(Document(f"{year}.csv", 1, "Prices", "csv", text, "", date=f"{year}-01-01"))
    embedder = HashingEmbedder(512)
    ranker = ScriptedRanker("219")
    vectors = embedder.embed([passage_text(c) for c in chunks])
    retriever = Retriever(chunks, vectors, embedder, ranker, documents)
    hits = retriever.search(question, top_k=2, mode="hybrid")
    assert retriever.best_sentences(question, hits)[0][0][1].text == first


def dated_library(texts, ranker):
    """Documents of one sentence each: (name, title, date, text)."""
    chunks = [Chunk(n, 1, 0, len(t), t, None, len(t), title) for n, title, _, t in texts]
    documents = [Document(n, 1, title, "eml", t, "", date=date) for n, title, date, t in texts]
    embedder = HashingEmbedder(512)
    vectors = embedder.embed([passage_text(c) for c in chunks])
    return Retriever(chunks, vectors, embedder, ranker, documents)


@pytest.mark.parametrize(
    ("old", "new", "question", "first"),
    [
        (
            ("Mixer M1", "The guarantee of the mixer lasts 3 years from the day of sale."),
            ("Grinder G2", "The guarantee of the grinder lasts 6 years from the day of sale."),
            "How long does the guarantee of the mixer last?",
            "old",
        ),
        (  # the sentence does not say what it is about, the title does
            ("Branch in Oslo", "The branch opens at 9 and closes at 17."),
            ("Branch in Turin", "The branch opens at 8 and closes at 20."),
            "When does the branch in Oslo open?",
            "old",
        ),
        (  # in editions of one document too a row about something else stays behind
            ("Tariff 2023", "Item: Mixer; Group: Kitchen; Unit: piece; Price: 20 EUR"),
            ("Tariff 2024", "Item: Grinder; Group: Kitchen; Unit: piece; Price: 30 EUR"),
            "What is the price of the item Mixer?",
            "old",
        ),
        (
            ("Canteen rules, edition of May 2023", "A lunch costs 6 euros for trainees."),
            ("Canteen rules, edition of June 2024", "A lunch costs 7 euros for trainees."),
            "What does a lunch cost for trainees?",
            "new",
        ),
        (  # a remark that is worded anew makes no other row of it
            (
                "Tariff 2023",
                "Code: SV-9; Item: Survey; Price: 250 EUR; Until: 2024-02-28; Note: not credited",
            ),
            ("Tariff 2024", "Code: SV-9; Item: Survey; Price: 290 EUR; Note: credited on the order"),
            "What is the price of SV-9?",
            "new",
        ),
        (  # what says that an edition is the old one is no name of another document
            (
                "Fees 2023 (superseded, valid until May 2024)",
                "Code: F-2; Item: Locker; Price: 25 EUR; Unit: year",
            ),
            ("Fees 2024", "Code: F-2; Item: Locker; Price: 29 EUR; Unit: year"),
            "What is the price of F-2?",
            "new",
        ),
        (  # a cell in the middle is no remark: it may be what is asked about
            ("Tariff 2023", "Country: Norway; Service: parcel; Size: small; Price: 5 EUR"),
            ("Tariff 2024", "Country: Norway; Service: parcel; Size: large; Price: 9 EUR"),
            "What does a small parcel to Norway cost?",
            "old",
        ),
        (  # two cells that differ: it may be about something else
            ("Tariff 2023", "City: Oslo; Line: Tram; Class: adults; Zone: inner; Price: 20 EUR"),
            ("Tariff 2024", "City: Oslo; Line: Tram; Class: children; Zone: outer; Price: 30 EUR"),
            "What is the price in Oslo by tram for adults, inner zone?",
            "old",
        ),
        (  # the figure at the head of a row names it
            ("Tariff 2023", "Size: 40; Model: A; Price: 20 EUR; Note: for one room"),
            ("Tariff 2024", "Size: 80; Model: A; Price: 30 EUR; Note: for two rooms"),
            "What is the price of model A of size 40?",
            "old",
        ),
        (
            ("Parking fee", "Parking costs 2 euros a day for visitors."),
            ("Re: Parking fee", "Parking costs 3 euros a day for visitors."),
            "What does parking cost for visitors?",
            "new",
        ),
    ],
)
def test_only_a_later_edition_of_the_same_statement_comes_first(old, new, question, first):
    texts = [("old", old[0], "2023-05-01", old[1]), ("new", new[0], "2024-06-01", new[1])]
    retriever = dated_library(texts, ScriptedRanker(old[1].split()[-1]))
    hits = retriever.search(question, top_k=2, mode="hybrid")
    assert retriever.best_sentences(question, hits)[0][0][0].chunk.document == first


def test_an_abbreviation_is_found_in_both_its_forms():
    texts = [
        ("a.md", "Rules", "", "Early shift bonus (ESB) must be claimed by hand."),
        ("b.md", "Dates", "", "Unclaimed ESB lapses in April."),
        ("c.md", "Other", "", "Shoes and gloves are handed over early at the gate."),
    ]
    retriever = dated_library(texts, None)
    question = "When does the early shift bonus end?"
    assert retriever.search(question, top_k=3, mode="bm25")[1].chunk.document == "b.md"
    hits = retriever.search("When does the early shift bonus lapse?", top_k=3, mode="hybrid")
    found, _ = retriever.best_sentences("When does the early shift bonus lapse?", hits)
    assert found[0][1].text == "Unclaimed ESB lapses in April."
    retriever.change(["a.md"])  # and its explanation with it
    assert [hit.chunk.document for hit in retriever.search("ESB", top_k=3, mode="bm25")] == ["b.md"]
    assert [hit.chunk.document for hit in retriever.search(question, top_k=3, mode="bm25")] == ["c.md"]


def test_the_clauses_of_a_long_sentence_are_read_one_by_one():
    part = "the tenant keeps the stairs, the yard and the cellar clean at his own cost and clears the snow"
    text = "Title line.\n" + ", provided that ".join([part] * 9) + ", and the contract lapses after 7 years."
    chunk = Chunk("d.md", 1, 50, 50 + len(text), text, None, 9)
    found = sentences_of(chunk)
    assert len(found) > 3 and all(80 <= len(s.text) <= 360 for s in found[1:])
    assert "after 7 years." in found[-1].text and found[-1].end == chunk.end
    assert all(text[s.start - 50 : s.end - 50] == s.text for s in found)
    assert " ".join(s.text for s in found) == text.replace("\n", " ")
    row = "; ".join(f"Column {at}: value, with a comma" for at in range(14))
    assert [s.text for s in sentences_of(Chunk("r.csv", 1, 0, len(row), row, None, 9))] == [row]


def test_a_question_in_a_script_that_the_embedder_does_not_read_is_answered_by_words_and_says_so():
    texts = [
        ("pool.md", "游泳馆", "", "游泳馆的票价是三十元。"),
        ("gym.md", "体育馆", "", "体育馆的灯在十点关闭。"),
        ("en.md", "Gym", "", "The gym closes at ten."),
    ]
    retriever = dated_library(texts, None)
    question = "体育馆的灯几点关闭？"
    hits = retriever.search(question, top_k=3, mode="hybrid")
    assert hits[0].chunk.document == "gym.md" and (hits[0].bm25 or 0) > 0
    evidence = retriever.select_evidence(question, hits, budget=200, rerank=True, **SELECT)
    assert any("script" in warning for warning in evidence.warnings)
    english = retriever.select_evidence("When does the gym close?", hits, budget=200, rerank=True, **SELECT)
    assert not any("script" in warning for warning in english.warnings)


class FixedRanker:
    """Gives each text the logit of the first listed word that it holds."""

    def __init__(self, **logits: float) -> None:
        self.logits = logits

    def score(self, question, texts):
        return np.array([next(v for word, v in self.logits.items() if word in t) for t in texts], np.float32)


@pytest.mark.parametrize(
    ("logits", "likely"),
    [
        ({"north": 3.0, "south": 0.0, "east": 0.0, "west": 0.0}, ["north"]),
        ({"north": 3.0, "south": 2.5, "east": 0.0, "west": 2.0}, ["north", "south", "west"]),
        ({"north": 3.0, "south": 2.9, "east": 2.8, "west": 2.7}, ["north", "south", "east"]),
        ({"north": -6.0, "south": -9.0, "east": -9.0, "west": -9.0}, ["north"]),  # the best always is
    ],
)
def test_sentences_nearly_as_good_as_the_best_are_likely_too(monkeypatch, logits, likely):
    monkeypatch.setattr(module, "BLEND", 0.0)
    embedder = HashingEmbedder(512)
    chunks = [
        Chunk(f"{word}.md", 1, 0, 30, f"The {word} gate opens at nine.", None, 8, "Gates") for word in logits
    ]
    vectors = embedder.embed([passage_text(c) for c in chunks])
    retriever = Retriever(chunks, vectors, embedder, FixedRanker(**logits))
    hits = retriever.search("When does the gate open?", top_k=4, mode="hybrid")
    found, _ = retriever.best_sentences("When does the gate open?", hits)
    assert [s.text.split()[1] for _, s in found if s.likely] == likely
    unread, _ = retriever.best_sentences("When does the gate open?", hits, cross_encoder=False)
    assert not any(s.likely for _, s in unread)


def test_of_a_statement_and_its_earlier_wording_only_one_is_likely():
    texts = {
        "2025": "Item: LF-1; Product: Gateway; Price: 219 EUR",
        "2026": "Item: LF-1; Product: Gateway; Price: 199 EUR",
    }
    chunks = [Chunk(f"{y}.csv", 1, 0, len(t), t, None, len(t), "Prices") for y, t in texts.items()]
    documents = [Document(f"{y}.csv", 1, "Prices", "csv", t, "", date=f"{y}-01-01") for y, t in texts.items()]
    embedder = HashingEmbedder(512)
    vectors = embedder.embed([passage_text(c) for c in chunks])
    retriever = Retriever(chunks, vectors, embedder, FixedRanker(Item=1.0), documents)
    hits = retriever.search("What does item LF-1 cost?", top_k=2, mode="hybrid")
    found, _ = retriever.best_sentences("What does item LF-1 cost?", hits)
    assert [(s.text[-7:], s.likely) for _, s in found] == [("199 EUR", True), ("219 EUR", False)]


def test_the_cross_encoder_orders_the_sentences_that_the_blend_chose():
    text = " ".join(f"Sentence {at} tells of wares." for at in range(30)) + " The depot keeps zebra files."
    embedder = HashingEmbedder(512)
    chunks = [Chunk("d.md", 1, 0, len(text), text, None, len(text), "Title")]
    ranker = ScriptedRanker("zebra")
    retriever = Retriever(chunks, embedder.embed([passage_text(c) for c in chunks]), embedder, ranker)
    question = "Where does the depot keep files?"
    hits = retriever.search(question, top_k=1, mode="hybrid")
    ranked, _ = retriever.best_sentences(question, hits)
    assert len(ranker.read) == len(ranked) == JUDGED and ranked[0][1].text == "The depot keeps zebra files."
    evidence = retriever.select_evidence("wares", hits, budget=40, rerank=True, **SELECT)
    first, *others = evidence.sources[0].sentences
    assert "zebra" not in first.text  # not among the best of the blend, so never read
    assert others and others == sorted(others, key=lambda s: s.start)
    evidence = retriever.select_evidence(question, hits, budget=40, rerank=True, **SELECT)
    first, *others = evidence.sources[0].sentences
    assert "zebra" in first.text and others and all(s.start < first.start for s in others)
    ranker.read.clear()
    plain = retriever.select_evidence(question, hits, budget=40, rerank=True, cross_encoder=False, **SELECT)
    assert ranker.read == [] and plain.sources


def test_each_part_of_a_question_gets_its_best_sentence(retriever):
    parts = ["What does the Team plan cost a month?", "What does Lark One cost?"]
    hits = retriever.search(" ".join(parts), top_k=4, mode="dense")
    evidence = retriever.select_evidence(
        " ".join(parts), hits, budget=500, rerank=True, parts=parts, **SELECT
    )
    first, second, *_ = evidence.sources
    assert first.sentences[0].text == "The Team plan costs 24 EUR a month."
    assert second.hit.chunk.document == "d1.md"


@pytest.mark.parametrize(
    ("fit", "warned"),
    [
        (Fit(0.2), "similarity 0.20"),
        (Fit(0.6), ""),
        (Fit(0.6, -3.0), "odds: 5%"),
        (Fit(0.2, 3.0), "similarity 0.20"),
        (Fit(0.6, 0.0), ""),
    ],
)
def test_a_poor_fit_is_said(fit, warned):
    assert len(fit.warnings) == bool(warned) and all(warned in warning for warning in fit.warnings)


def test_the_cross_encoder_orders_passages(retriever):
    judged = Retriever(
        retriever.chunks,
        HashingEmbedder(512).embed([passage_text(c) for c in retriever.chunks]),
        HashingEmbedder(512),
        ScriptedRanker("Soup"),
    )
    hits = judged.search("Team plan", top_k=4, mode="dense")
    assert hits[0].chunk.document == "d0.md"
    ranked = judged.rerank("Team plan", hits)
    assert ranked[0].chunk.document == "d3.md" and [hit.rank for hit in ranked] == [1, 2, 3, 4]
    assert judged.rerank("Team plan", hits, cross_encoder=False)[0].chunk.document == "d0.md"
    assert judged.rerank("Team plan", []) == []


LONG = (
    "Unused products may be returned within 30 days. The buyer fills in the form in the shop and puts the "
    "printed label on the parcel. We refund the full price on the same account as soon as the parcel is here."
)


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        (LONG, True),
        (LONG.replace("the printed label", "a printed label"), True),
        (LONG.replace("days. The", "days – the"), True),
        (LONG.replace("30 days", "14 days"), False),
        (LONG.replace("30 days", "-30 days"), False),
        (LONG.replace("may be", "may not be"), False),
        (LONG.replace("within", "after"), False),  # an opposite
        (LONG.replace("in the shop", "in the depot"), False),  # a place
        (LONG.replace("buyer", "Buyer"), False),
        (LONG.replace("buyer", "X").replace("shop", "buyer").replace("X", "shop"), False),
        (LONG[: len(LONG) // 2], False),
    ],
)
def test_passages_are_copies_when_no_word_that_matters_differs(changed, same):
    one, other = (
        Chunk(name, 1, 0, 9, text, None, 9, "Returns") for name, text in [("a", LONG), ("b", changed)]
    )
    assert (copy_key(one) == copy_key(other)) is same


def test_what_stands_under_another_title_or_heading_is_no_copy():
    one = Chunk("a.md", 1, 0, 9, LONG, None, 9, "Kettle KX", "Care > Returns")
    assert copy_key(one) == copy_key(replace(one, document="b.md"))
    assert copy_key(one) != copy_key(replace(one, title="Toaster TX"))
    assert copy_key(one) != copy_key(replace(one, heading="Use > Returns"))


def test_copies_are_one_hit_that_names_the_others():
    texts = [LONG, LONG.replace("the printed label", "a printed label"), LONG.replace("30", "14"), TEXTS[1]]
    embedder = HashingEmbedder(512)
    chunks = [Chunk(f"d{at}.md", 1, 0, len(t), t, None, 9) for at, t in enumerate(texts)]
    retriever = Retriever(chunks, embedder.embed(texts), embedder)
    hits = retriever.search("unused products returned within 30 days", top_k=3, mode="hybrid")
    shown = [(hit.chunk.document, [chunk.document for chunk in hit.also]) for hit in hits]
    assert sorted(shown[0][1] + [shown[0][0]]) == ["d0.md", "d1.md"]
    assert [also for _, also in shown[1:]] == [[], []] and [hit.rank for hit in hits] == [1, 2, 3]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "bm25"])
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(), {0, 1, 2, 3}),
        (Filters(documents=("d1.md", "d3*")), {1, 3}),
        (Filters(types=("pdf",)), {1, 3}),
        (Filters(tags=("new", "blue")), {1}),
        (Filters(since="2026-02"), {2, 3}),
        (Filters(until="2026-01"), {1}),
        (Filters(since="2026-01-15", until="2026-03-01"), {1, 2, 3}),
        (Filters(types=("eml",)), set()),
    ],
)
def test_filters_keep_a_search_to_some_documents(mode, filters, found):
    dates = ["", "2026-01-15", "2026-03-01", "2026-03"]
    tags = [(), ("new", "blue"), ("blue",), ("new",)]
    documents = [
        Document(f"d{at}.md", 1, "", ["markdown", "pdf"][at % 2], text, "", (), (), tags[at], dates[at])
        for at, text in enumerate(TEXTS)
    ]
    texts = [f"monitor {text}" for text in TEXTS]
    embedder = HashingEmbedder(512)
    chunks = [Chunk(f"d{at}.md", 1, 0, len(t), t, None, 9) for at, t in enumerate(texts)]
    retriever = Retriever(chunks, embedder.embed(texts), embedder, None, documents)
    hits = retriever.search("monitor", top_k=9, mode=mode, filters=filters)
    assert {int(hit.chunk.document[1]) for hit in hits} == found
    everything = retriever.search("monitor", top_k=9, mode="dense")
    if mode == "dense":
        assert [h.chunk for h in hits] == [h.chunk for h in everything if int(h.chunk.document[1]) in found]


def test_without_reranking_hits_keep_their_order_and_their_beginning(retriever):
    hits = retriever.search("monitor", top_k=4, mode="dense")
    evidence = retriever.select_evidence("monitor", hits, budget=500, rerank=False, **SELECT)
    assert [source.hit for source in evidence.sources] == hits
    assert all(source.sentences[0].start == source.hit.chunk.start for source in evidence.sources)


def test_overlapping_passages_show_a_sentence_once():
    text = "Alpha one is here. Beta two is here. Gamma three is here."
    embedder = HashingEmbedder()
    chunks = [Chunk("d.md", 1, 0, 36, text[:36], None, 8), Chunk("d.md", 1, 19, 57, text[19:], None, 8)]
    retriever = Retriever(chunks, embedder.embed([passage_text(c) for c in chunks]), embedder)
    hits = retriever.search("beta two", top_k=2, mode="dense")
    evidence = retriever.select_evidence("beta", hits, budget=500, rerank=False, **SELECT)
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
    first = cache.embed(["a b", "c", "a b"])
    assert embedder.embedded == ["a b", "c"]
    assert (cache.embed(["c", "a b"]) == first[[1, 0]]).all()
    assert embedder.embedded == ["a b", "c"]
    cache.embed(["d", "e"])
    cache.embed(["a b"])
    assert embedder.embedded == ["a b", "c", "d", "e"]  # "c" was the oldest and fell out


def test_related_words_lift_a_passage_that_shares_none_with_the_question(retriever):
    plain = retriever.search("canteen", top_k=4, mode="bm25")
    assert [hit.chunk.document for hit in plain] == ["d3.md"]
    assert "soup" in retriever.related("canteen", "bm25")
    wide = retriever.search("canteen", top_k=4, mode="bm25", related=["monitor"])
    assert wide[0].chunk.document == "d3.md" and wide[0].score == plain[0].score
    assert {hit.chunk.document for hit in wide[1:]} == {"d0.md", "d1.md"}


def test_a_search_within_documents_finds_nothing_else_and_leaves_the_retriever_as_it_was():
    texts = [f"monitor {text}" for text in TEXTS]
    embedder = HashingEmbedder(512)
    documents = [Document(f"d{at}.md", 1, "", "markdown", text, "") for at, text in enumerate(texts)]
    chunks = [Chunk(f"d{at}.md", 1, 0, len(t), t, None, 9) for at, t in enumerate(texts)]
    retriever = Retriever(chunks, embedder.embed(texts), embedder, None, documents)
    hits = retriever.fresh().within(["d1.md", "d3*"]).search("monitor", top_k=9, mode="hybrid")
    assert {hit.chunk.document for hit in hits} == {"d1.md", "d3.md"}
    assert retriever.within(["gone.md"]).search("monitor", top_k=9, mode="hybrid") == []
    assert len(retriever.within(()).search("monitor", top_k=9, mode="hybrid")) == len(texts)
