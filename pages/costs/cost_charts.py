"""The charts of the costs page: a month by volume, and what moves the crossover.

Enters: a priced case. Leaves: a `Chart`. With `charts` the only modules that import plotly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from backends.costs.monthly import (
    CLAIMED_VOLUME,
    CostCase,
    CostLine,
    Crossover,
    Swing,
    line,
    rounded,
    spread_words,
)
from backends.system.wording import money
from pages.ui.charts import Chart, wrapped
from pages.ui.look import LOOKS, Theme, ink_on, label, soft_ink

VOLUMES = np.logspace(2, 8, 61).tolist()
DASHES = {"rag": "solid", "fine_tuned": "dash", "hybrid": "dot", "base": "longdash"}
TICKS = ["100", "1,000", "10,000", "100,000", "1 M", "10 M", "100 M"]
SHOWN = 8  # inputs of the tornado


def monthly(case: CostCase, found: Crossover | None, theme: Theme) -> Chart:
    """Monthly totals over the volume, both axes logarithmic, with bands, the crossover and the claim."""
    lines = [line(case, name, VOLUMES) for name in LOOKS if name in case.measured]
    figure = go.Figure()
    for drawn in lines:
        _band(figure, drawn, theme)
    for drawn in lines:
        _line(figure, drawn, case.book.currency, theme)
    ink = soft_ink(theme)
    figure.add_vline(x=CLAIMED_VOLUME, line={"color": ink, "width": 1, "dash": "dot"})
    figure.add_annotation(
        x=math.log10(CLAIMED_VOLUME), y=1.0, yref="paper", yanchor="top", xanchor="left", showarrow=False,
        text=" often claimed: 100,000", font={"size": 12, "color": ink},
    )  # fmt: skip
    if found is not None and found.volume is not None and VOLUMES[0] <= found.volume <= VOLUMES[-1]:
        _crossing(figure, case, found, ink)
    figure.update_layout(
        height=430,
        margin={"l": 8, "r": 28, "t": 28, "b": 8},
        dragmode=False,
        hovermode="x unified",
    )
    figure.update_xaxes(
        type="log", title="questions a month", range=[2, 8],
        tickvals=[10**n for n in range(2, 9)], ticktext=TICKS,
    )  # fmt: skip
    figure.update_yaxes(type="log", title=f"{case.book.currency} a month", dtick=1, tickformat=",~g")
    rows = [
        {"backend": drawn.backend, "questions_a_month": round(v), "total": t, "low": a, "high": b}
        for drawn in lines
        for v, t, a, b in zip(drawn.volumes, drawn.totals, drawn.low, drawn.high, strict=True)
    ]
    title = (spread_words(found) if found is not None else "") or "What a month costs, by its questions"
    at = [(drawn, float(np.interp(CLAIMED_VOLUME, drawn.volumes, drawn.totals))) for drawn in lines]
    alt = "Cost of 100,000 questions a month. " + " ".join(
        f"{label(drawn.backend)}: {money(total, case.book.currency)}." for drawn, total in at
    )
    return Chart(title, figure, alt, pd.DataFrame(rows), "monthly-cost")


def _band(figure: go.Figure, drawn: CostLine, theme: Theme) -> None:
    look = LOOKS[drawn.backend]
    figure.add_scatter(
        x=np.concatenate([drawn.volumes, drawn.volumes[::-1]]),
        y=np.concatenate([drawn.high, drawn.low[::-1]]),
        fill="toself",
        fillcolor=_faint(look.colour(theme)),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )


def _line(figure: go.Figure, drawn: CostLine, currency: str, theme: Theme) -> None:
    look = LOOKS[drawn.backend]
    figure.add_scatter(
        x=drawn.volumes,
        y=drawn.totals,
        mode="lines",
        name=f"{look.mark} {look.label}",
        line={"color": look.colour(theme), "width": 2.5, "dash": DASHES[drawn.backend]},
        customdata=[
            _range(float(t), float(a), float(b), currency)
            for t, a, b in zip(drawn.totals, drawn.low, drawn.high, strict=True)
        ],
        hovertemplate=f"{look.label}: %{{customdata}}<extra></extra>",
    )


def _range(total: float, low: float, high: float, currency: str) -> str:
    """`$1.20 ($1.10 to $1.30)`; no range where both ends read the same."""
    said, ends = money(total, currency), (money(low, currency), money(high, currency))
    return said if ends[0] == ends[1] else f"{said} ({ends[0]} to {ends[1]})"


def _crossing(figure: go.Figure, case: CostCase, found: Crossover, ink: str) -> None:
    volume = found.volume or 1.0
    total = float(line(case, found.incumbent, [volume]).totals[0])
    figure.add_scatter(
        x=[volume],
        y=[total],
        mode="markers",
        marker={"symbol": "diamond", "size": 12, "color": ink},
        name=f"Same cost at {rounded(volume)}",
        hoverinfo="skip",
    )


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.16)"


def tornado(swings: Sequence[Swing], found: Crossover, theme: Theme) -> Chart:
    """Bars from the crossover with half of an input to the one with twice as much; open where it is never."""
    shown = list(swings[:SHOWN])
    finite = [v for s in shown for v in (s.at_low, s.at_high) if math.isfinite(v)] + [found.volume or 1.0]
    edge = max(finite) * 10
    figure = go.Figure()
    colours = {"half as much": LOOKS["rag"].colour(theme), "twice as much": LOOKS["fine_tuned"].colour(theme)}
    here = found.volume or edge
    for words, end in (("half as much", "at_low"), ("twice as much", "at_high")):
        ends = [getattr(swing, end) for swing in shown]
        figure.add_bar(
            y=[wrapped(swing.name) for swing in shown],
            base=[math.log10(here)] * len(shown),
            x=[math.log10(min(value, edge)) - math.log10(here) for value in ends],
            orientation="h",
            name=words,
            marker={
                "color": colours[words],
                "pattern": {
                    "shape": "" if end == "at_low" else "/",
                    "fillmode": "overlay",
                    "fgcolor": "#FFFFFF",
                    "fgopacity": 0.5,
                    "solidity": 0.2,
                },
            },
            customdata=[rounded(value) for value in ends],
            text=["never" if math.isinf(value) else "" for value in ends],
            textposition="inside",
            insidetextfont={"color": ink_on(colours[words])},
            hovertemplate=f"%{{y}}, {words}: %{{customdata}}<extra></extra>",
        )
    low, high = math.floor(math.log10(min(finite))), math.ceil(math.log10(edge))
    figure.update_layout(
        height=120 + 36 * len(shown),
        barmode="overlay",
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        bargap=0.35,
        dragmode=False,
    )
    step = max(1, math.ceil((high - low) / 6))
    ticks = list(range(low, high + 1, step))
    figure.update_xaxes(
        title="crossover, questions a month", tickvals=ticks, ticktext=[rounded(10.0**t) for t in ticks],
        range=[low, math.log10(edge)],
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", ticksuffix="  ", automargin=True)
    first = shown[0]
    title = (
        f"What moves the crossover most: “{first.name}” "
        f"(halved {rounded(first.at_low)}, doubled {rounded(first.at_high)})"
    )
    alt = "Crossover with an input halved and doubled. " + " ".join(
        f"{s.name}: {rounded(s.at_low)}, {rounded(s.at_high)}." for s in shown
    )
    rows = [
        {
            "input": swing.name,
            "halved": swing.low_input,
            "doubled": swing.high_input,
            "crossover_halved": rounded(swing.at_low) if math.isinf(swing.at_low) else swing.at_low,
            "crossover_doubled": rounded(swing.at_high) if math.isinf(swing.at_high) else swing.at_high,
        }
        for swing in swings
    ]
    return Chart(title, figure, alt, pd.DataFrame(rows), "crossover-sensitivity")
