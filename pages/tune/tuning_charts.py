"""The charts of the fine-tuning page: the loss while a run learns, and what it gained on held-out questions.

Enters: a run's picture, adapters. Leaves: a `Chart`. With `charts` among the few modules that import plotly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from backends.datatypes import JsonObject
from backends.evaluation.statistics import wilson_interval
from backends.training.adapters import Adapter, AdapterKind
from pages.ui.charts import SYMBOLS, Chart
from pages.ui.look import Theme, look_of, soft_ink
from pages.ui.training_jobs import Picture


def losses(shown: Picture, kind: AdapterKind, name: str, theme: Theme) -> Chart | None:
    """Loss of training step by step and of the held-out rows epoch by epoch; None before the first step."""
    if not shown.steps:
        return None
    colour = look_of(kind).colour(theme)
    per_epoch = max(1, shown.steps[-1]["steps"] // shown.steps[-1]["epochs"])
    figure = go.Figure()
    figure.add_scatter(
        x=[step["step"] / per_epoch for step in shown.steps],
        y=[step["loss"] for step in shown.steps],
        name="Rows it learns",
        mode="lines",
        line={"color": colour, "width": 2},
        hovertemplate="epoch %{x:.1f}<br>loss %{y:.3f}<extra>Rows it learns</extra>",
    )
    held = [epoch for epoch in shown.epochs if epoch["held_out_loss"] is not None]
    figure.add_scatter(
        x=[epoch["epoch"] for epoch in held],
        y=[epoch["held_out_loss"] for epoch in held],
        name="Held-out rows",
        mode="lines+markers",
        line={"color": soft_ink(theme), "width": 2, "dash": "dot"},
        marker={"size": 8, "symbol": "diamond"},
        hovertemplate="after epoch %{x}<br>loss %{y:.3f}<extra>Held-out rows</extra>",
    )
    figure.update_layout(
        height=260,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        dragmode=False,
    )
    figure.update_xaxes(title="epoch (each row seen so often)", range=[0, shown.steps[-1]["epochs"]])
    figure.update_yaxes(title="loss (lower is better)", rangemode="tozero")
    first, last = shown.steps[0]["loss"], shown.steps[-1]["loss"]
    title = f"Loss so far: {first:.2f} at first, {last:.2f} now"
    if held:
        title += f"; held-out rows {held[0]['held_out_loss']:.2f} before, {held[-1]['held_out_loss']:.2f} now"
    data = pd.DataFrame(
        [{"step": s["step"], "epoch": s["epoch"], "loss": s["loss"]} for s in shown.steps]
        + [{"epoch": e["epoch"], "held_out_loss": e["held_out_loss"]} for e in held]
    )
    return Chart(title, figure, f"{title}.", data, f"loss-{name}")


@dataclass(frozen=True)
class RightAnswers:
    """Right answers on held-out rows with their 95 % interval, as shares."""

    right: int
    rows: int

    @classmethod
    def from_record(cls, record: JsonObject | None) -> RightAnswers | None:
        """Of a held-out score as a report has it; None without one."""
        return None if not record else cls(round(record["contains"] * record["rows"]), record["rows"])

    @property
    def share(self) -> float:
        """Right answers of all, 0 to 1."""
        return self.right / self.rows

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the share."""
        low, high = wilson_interval(self.right, self.rows)
        return low, high

    @property
    def words(self) -> str:
        """`5 of 8 (31 % to 86 %)`."""
        low, high = self.interval
        return f"{self.right} of {self.rows} ({low:.0%} to {high:.0%})"


def _named(adapter: Adapter) -> str:
    """The adapter's name; the shipped ones, named by their kind, as the columns are called."""
    return look_of(adapter.card.kind).label if adapter.name == adapter.card.kind else adapter.name


def gains(adapters: Sequence[Adapter], theme: Theme) -> Chart | None:
    """Held-out questions right before and after training, one row per adapter, with 95 % intervals."""
    scored = [
        (adapter, before, after)
        for adapter in adapters
        if (before := RightAnswers.from_record(adapter.card.report.get("score_before")))
        and (after := RightAnswers.from_record(adapter.card.report.get("score_after")))
    ]
    if not scored:
        return None
    figure = go.Figure()
    names = [f"{look_of(a.card.kind).mark} {_named(a)}" for a, _, _ in scored]
    for words, index, opened in (("Before training", 1, True), ("After training", 2, False)):
        scores: list[RightAnswers] = [row[index] for row in scored]  # type: ignore[misc]
        figure.add_scatter(
            x=[score.share for score in scores],
            y=names,
            name=words,
            mode="markers",
            orientation="h",  # before and after stand one below the other, each at its own share
            marker={
                "size": 12,
                "color": soft_ink(theme)
                if opened
                else [look_of(a.card.kind).colour(theme) for a, _, _ in scored],
                "symbol": [SYMBOLS[a.card.kind] + ("-open" if opened else "") for a, _, _ in scored],
                "line": {"width": 2},
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [score.interval[1] - score.share for score in scores],
                "arrayminus": [score.share - score.interval[0] for score in scores],
                "color": soft_ink(theme),
                "thickness": 1.5,
            },
            customdata=[score.words for score in scores],
            hovertemplate=f"%{{y}}<br>{words}: %{{customdata}}<extra></extra>",
        )
    figure.update_layout(
        height=120 + 46 * len(scored),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        dragmode=False,
        scattermode="group",
    )
    figure.update_xaxes(title="held-out questions right", tickformat=".0%", range=[-0.02, 1.02])
    figure.update_yaxes(autorange="reversed", ticksuffix="  ")
    best, was, now = max(scored, key=lambda row: row[2].share - row[1].share)
    title = f"{_named(best)}: {was.right} of {was.rows} held-out questions right"
    title += f" before training, {now.right} after"
    rows = [
        {
            "adapter": adapter.name,
            "kind": adapter.card.kind,
            "when": when,
            "right": score.right,
            "rows": score.rows,
            "low": score.interval[0],
            "high": score.interval[1],
        }
        for adapter, before, after in scored
        for when, score in (("before", before), ("after", after))
    ]
    alt = "Held-out questions right. " + " ".join(
        f"{_named(adapter)}: {before.words} before, {after.words} after." for adapter, before, after in scored
    )
    return Chart(title, figure, alt, pd.DataFrame(rows), "gains")
