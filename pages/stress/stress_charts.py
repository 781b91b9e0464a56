"""The charts of the stress page: shares with their 95 % intervals, and right answers by noise.

Enters: the result of a stress test. Leaves: a `Chart`. It measures nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import plotly.graph_objects as go

from backends.datatypes import JsonValue
from backends.stress.latency import CLAIMED
from backends.stress.records import Measurement, Result, StressRow
from pages.ui.charts import Chart
from pages.ui.look import LOOKS, Theme

Series = tuple[str, Callable[[StressRow], Measurement | None]]


def _detail(name: str) -> Callable[[StressRow], Measurement | None]:
    def get(row: StressRow) -> Measurement | None:
        found = row.details.get(name)
        return found if isinstance(found, Measurement) else None

    return get


def _main(row: StressRow) -> Measurement:
    return Measurement(row.value, row.interval, row.count)


SERIES: dict[str, Sequence[Series]] = {
    "freshness": (
        ("new fact", _main),
        ("old fact", _detail("old")),
        ("neither", _detail("neither")),
        ("new fact after retraining", _detail("new_after_retraining")),
    ),
    "erasure": (
        ("before forgetting", _detail("before")),
        ("after forgetting", _main),
        ("after retraining without it", _detail("after_retraining")),
    ),
    "format": (
        ("prompt only", _main),
        ("few-shot", _detail("few_shot_valid")),
        ("constrained decoding", _detail("constrained_valid")),
    ),
    "injection": (
        ("obeyed", _main),
        ("obeyed, no defence", _detail("undefended")),
        ("recited", _detail("quoted")),
    ),
}
AXES = {
    "freshness": "answers after the edit, percent",
    "erasure": "probes that give a fact of the document, percent",
    "format": "answers that keep the JSON schema, percent",
    "noise": "right answers, percent",
    "injection": "answers that obey the order, percent",
}
PATTERNS = ("", "/", "x", ".")
DASHES = {"rag": "solid", "hybrid": "dot"}
SYMBOLS = {"rag": "circle", "hybrid": "square"}


def chart(result: Result, theme: Theme) -> Chart:
    """What the result's sentence says, as a picture."""
    rows = sorted(result.rows, key=lambda row: list(LOOKS).index(row.backend))
    if result.test == "noise" and any("distractors" in row.details for row in rows):
        return _noise(result, rows, theme)
    if result.test == "latency":
        return _latency(result, rows, theme)
    return _bars(result, rows, theme)


def _bars(result: Result, rows: Sequence[StressRow], theme: Theme) -> Chart:
    """Per backend one bar a series, each with its interval."""
    figure = go.Figure()
    names = [f"{LOOKS[row.backend].mark} {LOOKS[row.backend].label}" for row in rows]
    series = SERIES.get(result.test, (("measured", _main),))
    data: list[dict[str, JsonValue]] = []
    for (words, get), pattern in zip(series, PATTERNS, strict=False):
        found = [get(row) for row in rows]
        if not any(found):
            continue
        figure.add_bar(
            y=names,
            x=[100 * m.value if m else None for m in found],
            name=words,
            orientation="h",
            error_x=_errors(found),
            marker={
                "color": [LOOKS[row.backend].colour(theme) for row in rows],
                "pattern": {"shape": pattern, "bgcolor": _page(theme), "solidity": 0.45},
                "line": {"color": [LOOKS[row.backend].colour(theme) for row in rows], "width": 1},
            },
            customdata=[_words(m) for m in found],
            hovertemplate=f"%{{y}}, {words}: %{{customdata}}<extra></extra>",
            showlegend=False,
        )
        grey = LOOKS["base"].colour(theme)
        figure.add_bar(
            y=[None], x=[None], name=words, orientation="h",
            marker={"color": grey, "pattern": {"shape": pattern, "bgcolor": _page(theme), "solidity": 0.45}},
        )  # fmt: skip
        data += [_data(row, words, m) for row, m in zip(rows, found, strict=True) if m]
    _layout(figure, 110 + 26 * len(rows) * len(series))
    figure.update_xaxes(title=AXES[result.test], range=[0, 102])
    figure.update_yaxes(autorange="reversed", ticksuffix="  ")
    return Chart(result.sentence, figure, result.sentence, pd.DataFrame(data), f"stress-{result.test}")


def _noise(result: Result, rows: Sequence[StressRow], theme: Theme) -> Chart:
    figure = go.Figure()
    data: list[dict[str, JsonValue]] = []
    for row in rows:
        levels: dict[str, Measurement] = row.details.get("distractors", {})
        if not levels:
            continue
        look = LOOKS[row.backend]
        found = list(levels.values())
        figure.add_scatter(
            x=[int(level) for level in levels],
            y=[100 * m.value for m in found],
            error_y=_errors(found),
            name=f"{look.mark} {look.label}",
            mode="lines+markers",
            line={"color": look.colour(theme), "width": 2, "dash": DASHES[row.backend]},
            marker={"symbol": SYMBOLS[row.backend], "size": 10},
            customdata=[_words(m) for m in found],
            hovertemplate=f"{look.label}, %{{x}} wrong passages: %{{customdata}}<extra></extra>",
        )
        data += [_data(row, f"{level} distractors", m) for level, m in levels.items()]
        data += [
            _data(row, f"gold passage {where}", m) for where, m in row.details.get("position", {}).items()
        ]
    _layout(figure, 340)
    figure.update_xaxes(title="wrong passages beside the right one", tickvals=[0, 1, 2, 4, 8])
    figure.update_yaxes(title=AXES["noise"], range=[0, 102])
    return Chart(result.sentence, figure, result.sentence, pd.DataFrame(data), "stress-noise")


def _latency(result: Result, rows: Sequence[StressRow], theme: Theme) -> Chart:
    figure = go.Figure()
    low, high = CLAIMED
    figure.add_hrect(
        y0=low, y1=high, fillcolor=LOOKS["base"].colour(theme), opacity=0.18, line_width=0,
        annotation={"text": f"often quoted: {low:.0f} to {high:.0f} ms", "font": {"size": 13}},
        annotation_position="top left",
    )  # fmt: skip
    data: list[dict[str, JsonValue]] = []
    for row in rows:
        look, found = LOOKS[row.backend], row.details["by_size"]
        figure.add_scatter(
            x=[int(size) for size in found],
            y=[m.value for m in found.values()],
            error_y={
                **_errors(list(found.values())),
                "array": [m.interval[1] - m.value for m in found.values()],
                "arrayminus": [m.value - m.interval[0] for m in found.values()],
            },
            name=f"{look.mark} {look.label}",
            mode="lines+markers",
            line={"color": look.colour(theme), "width": 2, "dash": DASHES[row.backend]},
            marker={"symbol": SYMBOLS[row.backend], "size": 10},
            hovertemplate=f"{look.label}, among %{{x:,}} passages: %{{y:,.0f}} ms<extra></extra>",
        )
        data += [_data(row, f"among {size} passages, ms", m) for size, m in found.items()]
    sizes = sorted({int(size) for row in rows for size in row.details["by_size"]})
    most = max(m.interval[1] for row in rows for m in row.details["by_size"].values())
    _layout(figure, 340)
    figure.update_xaxes(
        type="log", title="passages", tickvals=sizes, ticktext=[f"{size:,}" for size in sizes]
    )
    figure.update_yaxes(title="milliseconds to find passages", range=[0, 1.1 * max(most, high)])
    return Chart(result.sentence, figure, result.sentence, pd.DataFrame(data), "stress-latency")


def _errors(found: Sequence[Measurement | None]) -> dict[str, JsonValue]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [100 * (m.interval[1] - m.value) if m else 0 for m in found],
        "arrayminus": [100 * (m.value - m.interval[0]) if m else 0 for m in found],
        "thickness": 1.2,
        "width": 4,
        "color": "#8A9099",
    }


def _words(measured: Measurement | None) -> str:
    if measured is None:
        return ""
    low, high = measured.interval
    return f"{measured.value:.0%} of {measured.count} ({low:.0%} to {high:.0%})"


def _data(row: StressRow, series: str, measured: Measurement) -> dict[str, JsonValue]:
    return {
        "backend": row.backend,
        "series": series,
        "share": measured.value,
        "low": measured.interval[0],
        "high": measured.interval[1],
        "asked": measured.count,
    }


def _layout(figure: go.Figure, height: int) -> None:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        bargap=0.3,
        dragmode=False,
    )


def _page(theme: Theme) -> str:
    return "#14171B" if theme == "dark" else "#FFFFFF"
