"""Sweeps: axes, points, and the Pareto front against the definition written out."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from backends.evaluation.comparison import Board
from backends.evaluation.run_rows import open_runs
from backends.evaluation.runner import carry_out, plan, sweep_arms
from backends.evaluation.scoring import Score
from backends.evaluation.sweeps import Point, axes_of, pareto_front, points_of
from backends.settings import Settings
from tests.evaluation.subjects import ScriptedSubject, make_questions


def point(right: float, milliseconds: float, cost: float) -> Point:
    return Point(f"{right}", "rag", {}, Score(right, (0, 1), 10), milliseconds, cost, "USD")


def test_costs_in_two_currencies_beat_nobody() -> None:
    dollars, euros = point(0.2, 20, 6), replace(point(0.8, 10, 5), currency="EUR")
    assert pareto_front([dollars, euros]) == [euros, dollars]  # the fastest first
    assert pareto_front([dollars, replace(euros, currency="USD")]) == [replace(euros, currency="USD")]


def test_front_by_hand() -> None:
    fast, right, beaten, cheap = point(0.2, 10, 5), point(0.8, 50, 9), point(0.2, 20, 6), point(0.1, 30, 1)
    assert pareto_front([right, beaten, fast, cheap]) == [fast, cheap, right]
    assert pareto_front([fast, fast]) == [fast, fast]  # equals do not beat each other
    assert pareto_front([]) == []


@pytest.mark.parametrize("seed", range(20))
def test_every_point_is_on_the_front_or_beaten_by_one_that_is(seed: int) -> None:
    draw = random.Random(seed)
    points = [point(draw.randint(0, 4), draw.randint(1, 4), draw.randint(1, 4)) for _ in range(15)]
    front = pareto_front(points)

    def beats(a: Point, b: Point) -> bool:
        at_least = a.right.value >= b.right.value and a.milliseconds <= b.milliseconds and a.cost <= b.cost
        better = a.right.value > b.right.value or a.milliseconds < b.milliseconds or a.cost < b.cost
        return at_least and better

    assert not any(beats(a, b) for a in front for b in front)
    assert all(p in front or any(beats(f, p) for f in front) for p in points)


def test_axes_are_what_was_varied_without_the_overlap_that_follows(tmp_path: Path) -> None:
    subject, archive = ScriptedSubject(), open_runs(tmp_path)
    grid = [{"chunk_size": size, "top_k": k} for size in (32, 128) for k in (8, 1)]
    planned = plan(subject, make_questions(10), sweep_arms(["rag"], Settings(), grid), question_set="t")
    board = Board(carry_out(archive, archive.begin(planned), subject))
    assert axes_of(board) == {"chunk_size": [32, 128], "top_k": [1, 8]}
    points = points_of(board)
    assert {(p.at["chunk_size"], p.at["top_k"]) for p in points} == {(32, 1), (32, 8), (128, 1), (128, 8)}
    assert {p.milliseconds for p in points if p.at["top_k"] == 8} == {180.0}
