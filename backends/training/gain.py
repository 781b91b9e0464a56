"""Whether a finished adapter has earned its place: held-out rows before and after, tested in pairs.

Enters: the report of a training. Leaves: a `Gain` with its verdict and the sentence that says so, and an
error for a loss that is no number any more. It knows no model and activates nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from backends.datatypes import JsonObject, UserError
from backends.system.paired_test import SIGNIFICANT, McNemar, mcnemar

Verdict = Literal["better", "worse", "unproven"]
FEWEST_PAIRS = 6  # with fewer rows that changed, even if all for the better, chance is not ruled out


@dataclass(frozen=True)
class Gain:
    """What an adapter gained on rows it never saw: answers right, and the loss in nats per answer token."""

    rows: int  # held-out rows that were answered before and after
    before: int  # of them right without the adapter
    after: int  # and with it
    test: McNemar  # right only with the adapter, right only without
    loss_before: float | None
    loss_after: float | None
    found_among: int = 0  # of an embedder: right is a passage found among so many

    @property
    def verdict(self) -> Verdict:
        """`better` and `worse` are outside chance, or worse by the loss where the answers tell nothing."""
        if self.test.p < SIGNIFICANT:
            return "better" if self.after > self.before else "worse"
        return "worse" if self._loss_rose and self.after <= self.before else "unproven"

    @property
    def better(self) -> bool:
        """Whether the gain is outside chance."""
        return self.verdict == "better"

    @property
    def sentence(self) -> str:
        """The finding in words, with the numbers it rests on."""
        if not self.rows:
            return f"Nothing was held out to test it on, so no gain is shown.{self._loss_words}"
        right = self._counted
        if self.verdict == "better":
            return f"{right}: better outside chance ({self._p}).{self._loss_words}"
        if self.verdict == "worse":
            sure = f" outside chance ({self._p})" if self.test.p < SIGNIFICANT else ""
            than = "what is used now" if self.found_among else "the model without it"
            return f"{right}: worse{sure} than {than}.{self._loss_words}"
        few = (
            f"; so few held-out questions cannot show one: at least {FEWEST_PAIRS} have to change"
            if self.rows < FEWEST_PAIRS
            else ""
        )
        return f"{right}: no gain outside chance ({self._p}){few}.{self._loss_words}"

    @property
    def _counted(self) -> str:
        if not self.found_among:
            return (
                f"Of {self.rows} held-out questions it answers {self.after} right, without it {self.before}"
            )
        return (
            f"For {self.after} of {self.rows} held-out questions the right passage is among the first "
            f"{self.found_among}, before for {self.before}"
        )

    @property
    def _loss_rose(self) -> bool:
        return None not in (self.loss_before, self.loss_after) and self.loss_after > self.loss_before  # type: ignore[operator]

    @property
    def _loss_words(self) -> str:
        if self.loss_before is None or self.loss_after is None:
            return ""
        way = "rose" if self._loss_rose else "fell"
        return f" The held-out loss {way} from {self.loss_before:.2f} to {self.loss_after:.2f}."

    @property
    def _p(self) -> str:
        return "p < 0.001" if self.test.p < 0.001 else f"p = {self.test.p:.3f}"


def gain_of(report: JsonObject) -> Gain:
    """The gain that a training's report tells of (`TrainingReport` as a mapping, as the card keeps it)."""
    before, after = (report.get(f"score_{when}") or {} for when in ("before", "after"))
    rows = min(int(score.get("rows", 0)) for score in (before, after))
    right_before, right_after = (set(score.get("right", ())) for score in (before, after))
    numbers = sorted(right_before | right_after)
    return Gain(
        rows=rows,
        before=len(right_before),
        after=len(right_after),
        test=mcnemar([n in right_after for n in numbers], [n in right_before for n in numbers]),
        loss_before=report.get("loss_before"),
        loss_after=report.get("loss_after"),
        found_among=int(report.get("found_among", 0)),
    )


def check_finite(loss: float | None, epoch: int, learning_rate: float) -> None:
    """Raises UserError when a loss is no finite number: the weights are lost, no later step mends them."""
    if loss is not None and not math.isfinite(loss):
        raise UserError(
            f"The training came apart in epoch {epoch}: its loss is no finite number any more. The learning "
            f"rate of {learning_rate:g} is too high for these rows; try a tenth of it."
        )
