"""How long a training will take, from how long others took for each row and epoch.

Enters: the number of rows, adapters and runs. Leaves: seconds, and where they were measured; None where
nothing was. It measures nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backends.training.adapters import Adapter, AdapterKind, Adapters
from backends.training.lora import LoraParams
from backends.training.runs import TrainingRun


@dataclass(frozen=True)
class Expected:
    """How long a training will take, and what that rests on."""

    seconds: float
    here: bool  # measured on this machine, by a training of this workspace


def expected(
    rows: int, params: LoraParams, kind: AdapterKind, runs: Iterable[TrainingRun], adapters: Adapters
) -> Expected | None:
    """For a training of this kind; by the newest run of the kind here, else by the adapter in use."""
    for run in runs:
        done = len(run.rows()) * int(run.plan.params.get("epochs", 0))
        if run.plan.kind == kind and run.state == "done" and run.seconds and done:
            return Expected(run.seconds / done * rows * params.epochs, here=True)
    per = _of_card(adapters.active(kind))
    return Expected(per * rows * params.epochs, here=False) if per else None


def _of_card(adapter: Adapter | None) -> float:
    """Seconds that its card reports for a row and epoch; 0 where it does not."""
    if adapter is None:
        return 0.0
    card = adapter.card
    done = card.rows * int(card.report.get("epochs_done") or card.parameters.get("epochs") or 0)
    return float(card.report.get("seconds") or 0.0) / done if done else 0.0


def together(found: Sequence[Expected | None]) -> Expected | None:
    """Several trainings one after another; None where one of them is not known."""
    known = [each for each in found if each is not None]
    if not known or len(known) < len(found):
        return None
    return Expected(sum(each.seconds for each in known), all(each.here for each in known))
