"""The chart of the Library health page: questions a day.

Enters: a `Health`. Leaves: a `Chart`.
"""

from __future__ import annotations

from datetime import date

import pandas as pd
import plotly.graph_objects as go

from backends.feedback.retrieval_log import Health
from pages.ui.charts import Chart
from pages.ui.look import LOOKS, Theme
from pages.ui.text import plural


def volume(health: Health, theme: Theme) -> Chart:
    """A bar a day."""
    days = [f"{date.fromisoformat(day):%-d %b}" for day, _ in health.per_day]
    counts = [count for _, count in health.per_day]
    most = max(counts)
    busiest = days[counts.index(most)]
    figure = go.Figure(
        go.Bar(
            x=days,
            y=counts,
            marker={"color": LOOKS["rag"].colour(theme)},
            hovertemplate="%{x}: %{y}<extra></extra>",
        )
    )
    figure.update_layout(
        height=240, margin={"l": 8, "r": 8, "t": 8, "b": 8}, dragmode=False, bargap=0.35, showlegend=False
    )
    figure.update_xaxes(type="category", nticks=8)
    figure.update_yaxes(title="questions", rangemode="tozero", tickformat=",d", nticks=5)
    if most < 5:
        figure.update_yaxes(dtick=1)  # no fractions that round to the same number
    title = f"{plural(health.questions, 'question')} in {len(days)} days"
    all_ = "" if health.questions == 1 else "all "
    title += f", most on {busiest} ({most:,})" if most < health.questions else f", {all_}on {busiest}"
    alt = f"Questions a day. {title}."
    return Chart(title, figure, alt, pd.DataFrame(health.per_day, columns=["day", "questions"]), "volume")
