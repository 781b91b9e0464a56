"""Compares two arms on the same questions: the paired test, its interval, and words that say what it shows.

Enters: one number per question for each of two arms. Leaves: a `Paired`, corrected for how many were made.
It knows no backend and no measure: our own runs and the results of other tools are compared here alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Any, Self, TypeVar

from backends.datatypes import JsonValue
from backends.evaluation.statistics import (
    Interval,
    bootstrap_interval,
    holm,
    permutation_test,
    smallest_detectable,
)
from backends.system.paired_test import SIGNIFICANT, mcnemar


@dataclass(frozen=True, kw_only=True)
class Paired:
    """First minus second on one measure, over the questions that both have a score for."""

    first: str
    second: str
    count: int
    first_value: float
    second_value: float
    interval: Interval  # of the difference, paired bootstrap over questions
    p: float  # exact McNemar for shares, permutation test for means
    corrected: float  # the same after Holm's correction for all tests made together
    detectable: float  # the smallest true difference that so many questions find in 80 of 100 cases
    only_first: int | None = None  # right only by the first; None for means
    only_second: int | None = None

    @classmethod
    def from_scores(cls, one: Sequence[float], other: Sequence[float], *, share: bool, **names: Any) -> Self:
        """Of scores on the same questions in the same order; `share`: every score is 0 or 1.

        Raises ValueError without a question.
        """
        gaps = [a - b for a, b in zip(one, other, strict=True)]
        discordant = mcnemar([a > 0.5 for a in one], [b > 0.5 for b in other]) if share else None
        p = discordant.p if discordant else permutation_test(one, other)
        return cls(
            count=len(gaps),
            first_value=sum(one) / len(one),
            second_value=sum(other) / len(other),
            interval=bootstrap_interval(gaps),
            p=p,
            corrected=p,
            detectable=smallest_detectable(gaps, shares=share),
            only_first=discordant.only_first if discordant else None,
            only_second=discordant.only_second if discordant else None,
            **names,
        )

    @property
    def difference(self) -> float:
        """Mean of the first less mean of the second."""
        return self.first_value - self.second_value

    @property
    def significant(self) -> bool:
        """Whether the corrected p value is below 5 %."""
        return self.corrected < SIGNIFICANT

    @property
    def share(self) -> bool:
        """Whether the scores are right or wrong, and not numbers."""
        return self.only_first is not None

    @property
    def needed(self) -> int | None:
        """About how many questions would show a difference of this size; None where there is none.

        The smallest detectable difference falls with the root of the number of questions (Bloom 1995).
        """
        if not isfinite(self.detectable) or abs(self.difference) < 1e-12:
            return None
        return ceil(self.count * (self.detectable / abs(self.difference)) ** 2)


P = TypeVar("P", bound=Paired)


def swapped(made: P) -> P:
    """The same comparison with the sides changed."""
    low, high = made.interval
    return replace(
        made,
        first=made.second, second=made.first, first_value=made.second_value, second_value=made.first_value,
        interval=(-high, -low), only_first=made.only_second, only_second=made.only_first,
    )  # fmt: skip


def correct(differences: Sequence[P]) -> list[P]:
    """The same with p values corrected for their number."""
    corrected = holm([made.p for made in differences])
    return [replace(made, corrected=p) for made, p in zip(differences, corrected, strict=True)]


# --- words ---------------------------------------------------------------------------------------


def chance(made: Paired) -> str:
    """Whether the difference may be chance, and what so many questions could tell."""
    questions = f"{made.count} question{'' if made.count == 1 else 's'}"
    if made.significant:
        return f"with {questions} this is unlikely to be chance."
    if abs(made.difference) < 1e-12 and made.p == 1.0 and not made.only_first:
        return f"{questions} show no difference."
    if made.detectable == float("inf") or (made.share and made.detectable > 0.99):
        return f"with only {questions} this may well be chance: so few can hardly show any difference."
    least = number(made.detectable, made)
    return f"with {questions} this may be chance: they reliably show only differences of {least} or more."


def number(value: float, made: Paired) -> str:
    """`25 of 100` for a share, `0.66` for a mean, more digits where the numbers are small."""
    if made.share:
        return f"{100 * value:.0f} of 100"
    largest = max(abs(made.first_value), abs(made.second_value))
    return f"{value:.2f}" if largest >= 0.1 or value == 0 else f"{value:.2g}"


def p_value(p: float) -> str:
    """A p value as people write it."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def evidence(made: Paired) -> str:
    """The numbers behind a sentence."""
    low, high = made.interval
    parts = [f"difference {made.difference:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}"]
    if made.only_first is not None:
        parts.append(f"{made.only_first} right only by the first, {made.only_second} only by the second")
    parts.append(f"{p_value(made.p)}, corrected {p_value(made.corrected)}")
    return "; ".join(parts)


def paired_row(made: Paired, measure: str) -> dict[str, JsonValue]:
    """A comparison as `--json` prints it."""
    return {
        "test": "mcnemar" if made.share else "permutation",
        "metric": measure,
        "first": made.first,
        "second": made.second,
        "count": made.count,
        "first_value": made.first_value,
        "second_value": made.second_value,
        "difference": made.difference,
        "interval": list(made.interval),
        "only_first": made.only_first,
        "only_second": made.only_second,
        "p": made.p,
        "p_corrected": made.corrected,
        "significant": made.significant,
        "smallest_detectable": made.detectable if isfinite(made.detectable) else None,
    }
