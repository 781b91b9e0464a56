"""Which adapters earn their place, by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from backends.datatypes import UserError
from backends.training.gain import check_finite, gain_of


def report(
    before: range, after: range, rows: int = 48, losses: tuple[float | None, float | None] = (2.0, 1.0)
) -> Mapping[str, Any]:
    return {
        "score_before": {"rows": rows, "right": list(before)},
        "score_after": {"rows": rows, "right": list(after)},
        "loss_before": losses[0],
        "loss_after": losses[1],
    }


@pytest.mark.parametrize(
    ("given", "verdict", "said"),
    [
        # 6 gained, none lost: p = 2 / 2^6 = 0.031
        (
            report(range(10), range(16)),
            "better",
            "without it 10: better outside chance (p = 0.031)",
        ),
        # 5 gained: p = 2 / 2^5 = 0.0625
        (
            report(range(10), range(15)),
            "unproven",
            "without it 10: no gain outside chance (p = 0.062)",
        ),
        (report(range(16), range(10)), "worse", "10 right, without it 16: worse outside chance (p = 0.031)"),
        # as many right as before, but others: chance
        (report(range(10), range(5, 15)), "unproven", "no gain outside chance (p = 1.000)"),
        # nothing right before or after, and the loss rose: train-worse
        (report(range(0), range(0), 4, (2.4, 5.9)), "worse", "worse than the model without it"),
        (report(range(0), range(2), 4, (2.4, 2.0)), "unproven", "so few held-out questions cannot show one"),
        # a dearer loss beside better answers is no fault: learning by heart makes errors dear
        (report(range(10), range(20), 48, (1.0, 1.5)), "better", "The held-out loss rose from 1.00 to 1.50."),
        ({"score_before": None, "score_after": None}, "unproven", "Nothing was held out"),
    ],
)
def test_an_adapter_earns_its_place_by_a_paired_test(given: Any, verdict: str, said: str) -> None:
    gain = gain_of(given)
    assert (gain.verdict, gain.better) == (verdict, verdict == "better")
    assert said in gain.sentence


def test_a_tuned_search_is_judged_by_the_passages_it_finds() -> None:
    found = {**report(range(10), range(16)), "found_among": 3}
    said = gain_of(found).sentence
    assert "For 16 of 48 held-out questions the right passage is among the first 3, before for 10" in said
    assert (
        "worse outside chance (p = 0.031) than what is used now"
        in gain_of({**report(range(16), range(10)), "found_among": 3}).sentence
    )


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_with_a_sentence(loss: float) -> None:
    with pytest.raises(UserError, match=r"came apart in epoch 3: .* learning rate of 0\.05 is too high"):
        check_finite(loss, 3, 0.05)
    check_finite(1e9, 3, 0.05)
    check_finite(None, 3, 0.05)
