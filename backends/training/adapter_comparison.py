"""How two adapters differ, and what an adapter cost.

Enters: `Adapter` records with their cards. Leaves: differences in words, sizes, seconds times prices.
"""

from __future__ import annotations

from dataclasses import dataclass

from backends.datatypes import JsonObject, JsonValue
from backends.training.adapters import Adapter


@dataclass(frozen=True)
class AdapterDifference:
    """One thing in which two adapters differ, in words."""

    what: str
    first: str
    second: str


def compare(first: Adapter, second: Adapter) -> list[AdapterDifference]:
    """Everything in which two adapters differ: data, parameters, scores, time, size."""
    one, two = _facts(first), _facts(second)
    return [
        AdapterDifference(name, one.get(name, "-"), two.get(name, "-"))
        for name in dict.fromkeys([*one, *two])
        if one.get(name, "-") != two.get(name, "-")
    ]


def _facts(adapter: Adapter) -> dict[str, str]:
    card, report = adapter.card, adapter.card.report
    facts = {
        "Kind": card.kind.replace("_", "-"),
        "Base model": card.base_model,
        "Made": card.created,
        "Rows": str(card.rows),
        "Documents": ", ".join(f"{seen.name} (version {seen.version})" for seen in card.documents) or "-",
        "Data fingerprint": card.data_fingerprint or "-",
        "Size": f"{size_of(adapter) / 1e6:.1f} MB",
    }
    facts |= {name.replace("_", " ").capitalize(): str(value) for name, value in card.parameters.items()}
    if report:
        facts |= {
            "Held-out loss": _number(report.get("loss_after")),
            "Held-out answers right": score_words(report.get("score_after")),
            "Epochs": str(report.get("epochs_done", "-")),
            "Seconds": _number(report.get("seconds"), 1),
        }
    return facts


def same_rows(first: Adapter, second: Adapter) -> bool:
    """Whether both were measured on the same held-out rows of the same data, so that scores compare."""
    return bool(first.card.data_fingerprint) and (first.card.data_fingerprint == second.card.data_fingerprint)


def score_words(score: JsonObject | None) -> str:
    """`31 of 48` for the record of a held-out score."""
    if not score:
        return "-"
    return f"{round(score['contains'] * score['rows'])} of {score['rows']}"


def _number(value: JsonValue, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if isinstance(value, int | float) else "-"


def size_of(adapter: Adapter) -> int:
    """Bytes of the adapter's files."""
    return sum(path.stat().st_size for path in adapter.folder.iterdir() if path.is_file())


@dataclass(frozen=True)
class TrainingCost:
    """What a run cost; watts and price are inputs, seconds are measured."""

    seconds: float
    watt_hours: float
    amount: float


def training_cost(report: JsonObject, *, watts: float, price_per_hour: float) -> TrainingCost:
    """Measured seconds x the machine's watts, and x the price of its hour."""
    seconds = float(report.get("seconds") or 0.0)
    return TrainingCost(seconds, watts * seconds / 3600, price_per_hour * seconds / 3600)
