"""Reads a sweep: which settings were varied, what each point of the grid gave, which points are worth having.

Enters: a `Board` of a sweep. Leaves: `Point`s and the Pareto front: the points that no other one beats or
equals in quality, latency and cost all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backends.datatypes import JsonObject, JsonValue
from backends.evaluation.comparison import Board
from backends.evaluation.scoring import Score

FOLLOWS = "chunk_overlap"  # shrinks with a small chunk size: no axis of its own


@dataclass(frozen=True)
class Point:
    """One backend with one set of settings."""

    arm: str
    backend: str
    at: JsonObject  # the varied settings
    right: Score
    milliseconds: float  # median
    cost: float  # of 1,000 answers
    currency: str


def axes_of(board: Board) -> dict[str, list[JsonValue]]:
    """The settings that were varied, each with its values in order."""
    arms = board.run.record.arms
    axes: dict[str, list[JsonValue]] = {}
    for name in arms[0].settings:
        given = [arm.settings.get(name) for arm in arms]
        values = [value for n, value in enumerate(given) if value not in given[:n]]  # some are lists
        if len(values) > 1:
            axes[name] = sorted(values, key=lambda value: (isinstance(value, str), value))
    if len(axes) > 1:
        axes.pop(FOLLOWS, None)
    return axes


def points_of(board: Board) -> list[Point]:
    """Every point of the grid that answered anything."""
    axes = axes_of(board)
    return [
        Point(
            arm=arm.name,
            backend=arm.backend,
            at={name: arm.settings[name] for name in axes},
            right=scores.scores["right"],
            milliseconds=scores.latency_ms["total"][50],
            cost=1000 * scores.cost,
            currency=scores.currency,
        )
        for arm in board.run.record.arms
        if (scores := board.arms.get(arm.name)) is not None
    ]


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Points that no other point dominates, the fastest first."""
    front = [point for point in points if not any(dominates(other, point) for other in points)]
    return sorted(front, key=lambda point: point.milliseconds)


def dominates(one: Point, other: Point) -> bool:
    """At least as good in quality, latency and cost, and better in one of them.

    Costs in two currencies cannot be held against each other: then neither dominates.
    """
    if one.currency != other.currency:
        return False
    mine = (one.right.value, -one.milliseconds, -one.cost)
    theirs = (other.right.value, -other.milliseconds, -other.cost)
    return mine != theirs and all(a >= b for a, b in zip(mine, theirs, strict=True))
