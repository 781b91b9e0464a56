"""The chart of the votes: how often each backend was chosen, with the 95 % interval.

Enters: win rates. Leaves: a `Chart`. It measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from backends.feedback.votes import WinRate
from pages.ui.charts import SYMBOLS, Chart
from pages.ui.look import LOOKS, Theme, arm_look, backend_of, label
from pages.ui.text import listing, plural


def win_rates(rates: Sequence[WinRate], votes: int, theme: Theme) -> Chart:
    """One row a backend: the share of votes that chose it, and how sure that is."""
    ordered = sorted(rates, key=lambda rate: (list(LOOKS).index(backend_of(rate.backend)), rate.backend))
    looks = [arm_look(rate.backend) for rate in ordered]
    colours = [look.colour(theme) for look in looks]
    figure = go.Figure()
    for rate, look, colour in zip(ordered, looks, colours, strict=True):
        figure.add_scatter(
            x=[rate.share],
            y=[f"{look.mark} {look.label}"],
            mode="markers",
            marker={"size": 12, "color": colour, "symbol": SYMBOLS[backend_of(rate.backend)]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [rate.interval[1] - rate.share],
                "arrayminus": [rate.share - rate.interval[0]],
                "color": colour,
                "thickness": 1.5,
            },
            hovertemplate=f"%{{y}}: {in_words(rate)}<extra></extra>",
            showlegend=False,
        )
    figure.update_layout(
        height=90 + 34 * len(ordered), margin={"l": 8, "r": 8, "t": 8, "b": 8}, dragmode=False
    )
    figure.update_xaxes(title="votes that chose it", tickformat=".0%", range=[-0.02, 1.02])
    figure.update_yaxes(autorange="reversed", ticksuffix="  ")
    rows = [
        {
            "backend": rate.backend,
            "chosen": rate.won,
            "votes": rate.votes,
            "low": rate.interval[0],
            "high": rate.interval[1],
        }
        for rate in ordered
    ]
    alt = "Votes. " + " ".join(f"{label(rate.backend)}: {in_words(rate)}." for rate in ordered)
    return Chart(_title(ordered, votes), figure, alt, pd.DataFrame(rows), "votes")


def in_words(rate: WinRate) -> str:
    """A win rate with its interval, in words."""
    low, high = rate.interval
    return f"chosen in {rate.won} of {plural(rate.votes, 'vote')} ({low:.0%} to {high:.0%})"


def _title(rates: Sequence[WinRate], votes: int) -> str:
    """Who is ahead; only where no other interval reaches it is that more than chance may do."""
    most = max(rate.share for rate in rates)
    if not most:
        return f"No answer was chosen in {plural(votes, 'vote')}"
    best = [rate for rate in rates if rate.share == most]
    names = listing([label(rate.backend) for rate in best])
    if len(best) > 1:
        return f"{names} were chosen alike in {plural(votes, 'vote')}"
    rest = [rate.interval[1] for rate in rates if rate is not best[0]]
    sure = bool(rest) and best[0].interval[0] > max(rest)
    count = f"{best[0].won} of {plural(best[0].votes, 'vote')}"
    return f"{names} was chosen in {count}" + ("" if sure else "; that may still be chance")
