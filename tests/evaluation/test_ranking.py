"""Ranking measures by hand, against scikit-learn, and against trec_eval, by way of ir-measures."""

from __future__ import annotations

import math
import random

import ir_measures
import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score

from backends.evaluation.ranking import average_precision, ndcg_at, precision_at, recall_at, reciprocal_rank

NAMES = [f"d{number}" for number in range(12)]


def random_case(seed: int) -> tuple[list[str], set[str]]:
    draw = random.Random(seed)
    found = draw.sample(NAMES, draw.randint(0, 12))
    return found, set(draw.sample(NAMES, draw.randint(1, 5)))


def test_by_hand() -> None:
    found, relevant = ["a", "b", "c", "d"], {"b", "d", "x"}
    assert recall_at(found, relevant, 2) == pytest.approx(1 / 3)
    assert recall_at(found, relevant, 4) == pytest.approx(2 / 3)
    assert precision_at(found, relevant, 4) == 0.5
    assert precision_at(found, relevant, 10) == 0.2  # of ten, though only four were found
    assert reciprocal_rank(found, relevant) == 0.5
    dcg = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg_at(found, relevant, 4) == pytest.approx(dcg / ideal)
    assert ndcg_at(["b", "d", "x"], relevant, 10) == 1
    assert average_precision([False, True, False, True]) == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_nothing_found_and_nothing_relevant() -> None:
    assert (recall_at([], {"a"}, 5), reciprocal_rank([], {"a"}), ndcg_at([], {"a"}, 5)) == (0, 0, 0)
    for measure in (recall_at, precision_at, ndcg_at):
        assert measure(["a"], set(), 5) is None
    assert reciprocal_rank(["a"], set()) is None
    assert average_precision([False]) is None


def test_a_document_found_by_two_passages_counts_once_where_it_came_first() -> None:
    assert reciprocal_rank(["a", "a", "b"], {"b"}) == 0.5
    assert recall_at(["a", "a", "b"], {"b"}, 2) == 1


@pytest.mark.parametrize("seed", range(40))
def test_ndcg_agrees_with_scikit_learn(seed: int) -> None:
    found, relevant = random_case(seed)
    order = [*found, *(name for name in NAMES if name not in found)]
    # What was not found must not be reached: it has no gain in the reference either.
    truth = np.array([[float(name in relevant and name in found) for name in order]])
    ideal = np.array([[float(name in relevant) for name in order]])
    scores = -np.arange(len(order))[None, :].astype(float)
    for k in (1, 3, 10):
        dcg = ndcg_score(truth, scores, k=k) * dcg_of(sorted(truth[0], reverse=True), k)
        expected = dcg / dcg_of(sorted(ideal[0], reverse=True), k)
        assert ndcg_at(found, relevant, k) == pytest.approx(expected)


def dcg_of(gains: list[float], k: int) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains[:k], start=1))


@pytest.mark.parametrize("seed", range(20))
def test_mrr_agrees_with_scikit_learn_for_one_relevant(seed: int) -> None:
    draw = random.Random(seed)
    found = draw.sample(NAMES, 12)
    relevant = draw.choice(NAMES)
    truth = np.array([[name == relevant for name in found]])
    expected = label_ranking_average_precision_score(truth, -np.arange(12.0)[None, :])
    assert reciprocal_rank(found, {relevant}) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(60))
def test_agrees_with_trec_eval(seed: int) -> None:
    found, relevant = random_case(seed)
    ranking = {"q": {name: float(-rank) for rank, name in enumerate(found)}}
    for k in (1, 5, 10):
        ours = {
            ir_measures.RR: reciprocal_rank(found, relevant),
            ir_measures.nDCG @ k: ndcg_at(found, relevant, k),
            ir_measures.P @ k: precision_at(found, relevant, k),
            ir_measures.R @ k: recall_at(found, relevant, k),
        }
        theirs = ir_measures.calc_aggregate(list(ours), {"q": dict.fromkeys(relevant, 1)}, ranking)
        assert ours == {measure: pytest.approx(value) for measure, value in theirs.items()}
