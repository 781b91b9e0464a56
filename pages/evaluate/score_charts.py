"""The charts of the evaluation page: scores with their intervals, categories, stages, sweeps.

Enters: scoreboards. Leaves: `Chart`s with a title in words. Intervals are drawn as thin bars, a best one is
named only where the difference is significant. With `charts` and `cost_charts` the only plotly modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from backends.datatypes import JsonValue
from backends.evaluation.comparison import Board, arm_label, clearly_best
from backends.evaluation.scoring import BY_KEY, Score, Scoreboard
from backends.evaluation.sweeps import Point, pareto_front
from backends.system.wording import money
from pages.ui.charts import PATTERNS, STAGES, SYMBOLS, Chart, wrapped
from pages.ui.look import LOOKS, Theme, ink_on, is_control, soft_ink
from pages.ui.text import plain_html, seconds

SCALES = {  # one hue each, more is darker in light and lighter in dark
    "light": [[0, "#F3F7FA"], [1, "#7FB0DE"]],
    "dark": [[0, "#1D2126"], [1, "#2F6391"]],
}


def interval_chart(board: Board, key: str, theme: Theme) -> Chart | None:
    """One measure: a mark and a thin bar per backend; None when it applies to none."""
    measure = BY_KEY[key]
    scores = {name: arm.scores[key] for name, arm in board.arms.items() if key in arm.scores}
    if not scores:
        return None
    share = measure.kind == "share"
    figure = go.Figure()
    _marks(figure, {_named(name): (name, score) for name, score in scores.items()}, share, theme)
    _layout(figure, len(scores), "of 100 questions" if share else "0 to 1", [0, 105 if share else 1.05])
    best = clearly_best(board, key)
    if best is not None:
        title = f"{measure.label}: {arm_label(best)} is clearly ahead with {_amount(scores[best], share)}"
    elif len(scores) == 1:
        title = f"{measure.label}: {_amount(next(iter(scores.values())), share)}"
    else:
        title = f"{measure.label}: nobody is clearly ahead"
    alt = f"{measure.label}. " + " ".join(
        f"{arm_label(name)}: {_amount(s, share)}, 95 % interval {_range(s, share)}."
        for name, s in scores.items()
    )
    return Chart(title, figure, alt, _frame(scores), f"score-{key}")


def _marks(
    figure: go.Figure, rows: Mapping[str, tuple[str, Score]], share: bool, theme: Theme, **kept: Any
) -> None:
    factor = 100 if share else 1
    for row, (arm, score) in rows.items():
        backend = arm.partition(", ")[0]
        colour = LOOKS[backend].colour(theme)  # type: ignore[index]
        low, high = score.interval
        figure.add_scatter(
            x=[factor * score.value],
            y=[row],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [factor * (high - score.value)],
                "arrayminus": [factor * (score.value - low)],
                "thickness": 2,
                "width": 5,
                "color": colour,
            },
            mode="markers",
            marker={"symbol": SYMBOLS[backend], "size": 12, "color": colour},
            customdata=[[_amount(score, share), _range(score, share), score.count]],
            hovertemplate="%{y}: %{customdata[0]}<br>95 % interval %{customdata[1]}"
            "<br>%{customdata[2]} questions<extra></extra>",
            showlegend=False,
            **kept,
        )


def latency_chart(board: Board, theme: Theme) -> Chart:
    """Median with the 10th to 90th percentile."""
    arms = {name: arm.latency_ms["total"] for name, arm in board.arms.items()}
    figure = go.Figure()
    for name, times in arms.items():
        colour, (low, middle, high) = _colour(name, theme), (times[p] / 1000 for p in (10, 50, 90))
        figure.add_scatter(
            x=[middle],
            y=[_named(name)],
            error_x={
                "type": "data", "symmetric": False, "array": [high - middle],
                "arrayminus": [middle - low], "thickness": 2, "width": 5, "color": colour,
            },
            mode="markers",
            marker={"symbol": SYMBOLS[name.partition(", ")[0]], "size": 12, "color": colour},
            customdata=[[seconds(times[50]), seconds(times[10]), seconds(times[90])]],
            hovertemplate="%{y}: median %{customdata[0]}<br>8 of 10 between %{customdata[1]} and "
            "%{customdata[2]}<extra></extra>",
            showlegend=False,
        )  # fmt: skip
    _layout(figure, len(arms), "seconds, bar: 8 of 10 answers", None)
    ordered = [(name, arms[name]) for name in sorted(to_choose(list(arms)), key=lambda n: arms[n][50])]
    title = f"Typical time: {arm_label(ordered[0][0])} {seconds(ordered[0][1][50])}"
    if len(ordered) > 1:
        title += f", {arm_label(ordered[-1][0])} {seconds(ordered[-1][1][50])}"
    alt = "Median time. " + " ".join(f"{arm_label(n)}: {seconds(t[50])}." for n, t in arms.items())
    rows = [{"arm": name, **{f"p{p}_ms": v for p, v in times.items()}} for name, times in arms.items()]
    return Chart(title, figure, alt, pd.DataFrame(rows), "score-latency")


def cost_chart(costs: Mapping[str, float], currency: str, theme: Theme) -> Chart:
    """What a thousand such answers of each arm cost at the visitor's prices."""
    figure = go.Figure()
    figure.add_bar(
        y=[_named(name) for name in costs],
        x=list(costs.values()),
        orientation="h",
        marker={"color": [_colour(name, theme) for name in costs]},
        text=[money(cost, currency) for cost in costs.values()],
        textposition="auto",
        insidetextfont={"color": [ink_on(_colour(name, theme)) for name in costs]},
        hovertemplate="%{y}: %{text} for 1,000 answers<extra></extra>",
        showlegend=False,
    )
    _layout(figure, len(costs), f"{currency} for 1,000 answers, your prices", None)
    cheapest = min(to_choose(list(costs)), key=costs.__getitem__)
    title = f"Cheapest for 1,000 answers: {arm_label(cheapest)}, {money(costs[cheapest], currency)}"
    if len(to_choose(list(costs))) < len(costs):
        title += "; Base is the control"
    alt = "Cost of 1,000 answers. " + " ".join(
        f"{arm_label(name)}: {money(cost, currency)}." for name, cost in costs.items()
    )
    rows = [{"arm": name, "cost_per_1000": cost, "currency": currency} for name, cost in costs.items()]
    return Chart(title, figure, alt, pd.DataFrame(rows), "score-cost")


def category_chart(board: Board, theme: Theme) -> Chart | None:
    """Answered right by category, every backend in its row; None without categories."""
    categories = sorted({name for arm in board.arms.values() for name in arm.by_category})
    if not categories:
        return None
    figure = go.Figure()
    rows: list[dict[str, JsonValue]] = []
    spread = 0.16
    names = list(board.arms)
    for place, (arm, scores) in enumerate(board.arms.items()):
        backend = arm.partition(", ")[0]
        found = [(at, c, scores.by_category[c]) for at, c in enumerate(categories) if c in scores.by_category]
        shift = spread * (place - (len(names) - 1) / 2)
        figure.add_scatter(
            x=[100 * s.value for _, _, s in found],
            y=[at + shift for at, _, _ in found],
            name=_named(arm),
            error_x={
                "type": "data", "symmetric": False, "thickness": 1.5, "width": 3,
                "array": [100 * (s.interval[1] - s.value) for _, _, s in found],
                "arrayminus": [100 * (s.value - s.interval[0]) for _, _, s in found],
            },
            mode="markers",
            marker={"symbol": SYMBOLS[backend], "size": 9, "color": _colour(arm, theme)},
            customdata=[
                [plain_html(_words(c)), _amount(s, True), _range(s, True), s.count] for _, c, s in found
            ],
            hovertemplate=f"{arm_label(arm)}, %{{customdata[0]}}: %{{customdata[1]}}<br>95 % interval "
            "%{customdata[2]}<br>%{customdata[3]} questions<extra></extra>",
        )  # fmt: skip
        rows += [
            {"arm": arm, "category": c, "right": s.value, "low": s.interval[0], "high": s.interval[1],
             "questions": s.count} for _, c, s in found
        ]  # fmt: skip
    counts = {row["category"]: row["questions"] for row in rows}
    figure.update_layout(
        height=90 + 72 * len(categories),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        dragmode=False,
    )
    figure.update_xaxes(title="of 100 questions answered right", range=[-2, 102])
    figure.update_yaxes(
        tickvals=list(range(len(categories))),
        ticktext=[f"{wrapped(f'{_words(c)} ({counts[c]})', 16)}  " for c in categories],
        range=[len(categories) - 0.5, -0.5],
        zeroline=False,
    )
    fewest = min(counts.values())
    title = "Answered right by kind of question"
    if fewest < 30:
        title += f"; with as few as {fewest} a kind, the wide bars matter more than the marks"
    alt = "Answered right by category. " + " ".join(
        f"{arm_label(row['arm'])} {_words(row['category'])}: {100 * row['right']:.0f} of 100." for row in rows
    )
    return Chart(title, figure, alt, pd.DataFrame(rows), "score-categories")


def stage_chart(board: Board, theme: Theme) -> Chart:
    """Median time of each stage, stacked."""
    figure = go.Figure()
    arms = board.arms
    rows: list[dict[str, JsonValue]] = [
        {"arm": name, "stage": stage, **{f"p{p}_ms": v for p, v in shares.items()}}
        for name, arm in arms.items()
        for stage, shares in arm.latency_ms.items()
    ]
    for stage, words in STAGES.items():
        if not any(stage in arm.latency_ms for arm in arms.values()):
            continue
        values = [arm.latency_ms.get(stage, {}).get(50) for arm in arms.values()]
        figure.add_bar(
            y=[_named(name) for name in arms],
            x=[value / 1000 if value is not None else None for value in values],
            name=words,
            orientation="h",
            marker={
                "color": [_colour(name, theme) for name in arms],
                "pattern": {"shape": PATTERNS[stage], "bgcolor": _page(theme), "solidity": 0.45},
                "line": {"color": _page(theme), "width": 1},
            },
            customdata=[[words, seconds(value or 0.0)] for value in values],
            hovertemplate="%{y}<br>%{customdata[0]}: median %{customdata[1]}<extra></extra>",
        )
    _layout(figure, len(arms), "seconds, medians of the stages", None)
    figure.update_layout(
        barmode="stack", height=130 + 46 * len(arms),
    )  # fmt: skip
    alt = "Median time by stage. " + " ".join(
        f"{arm_label(r['arm'])} {r['stage']}: {seconds(r['p50_ms'])}." for r in rows
    )
    title = "Where the time goes, compared within this run only"
    return Chart(title, figure, alt, pd.DataFrame(rows), "score-stages")


# --- sweeps --------------------------------------------------------------------------------------


def heat_maps(
    points: Sequence[Point],
    axes: Mapping[str, Sequence[str | int]],
    across: str,
    down: str | None,
    theme: Theme,
) -> list[Chart]:
    """Quality, latency and cost over one or two varied settings; the points must agree in all others."""
    currency, *others = sorted({point.currency for point in points})
    drawn = (
        ("quality", "Answered right, of 100", lambda p: 100 * p.right.value, "%.0f", "highest"),
        ("latency", "Typical time, ms", lambda p: p.milliseconds, "%.0f", "lowest"),
        ("cost", f"Cost of 1,000 answers, {currency}", lambda p: p.cost, "%.3g", "lowest"),
    )
    return [
        _heat_map(what, points, axes, across, down, value, digits, theme, best=best, name=name)
        for name, what, value, digits, best in drawn
        if name != "cost" or not others  # amounts in several currencies have no best one
    ]


def _heat_map(
    what: str,
    points: Sequence[Point],
    axes: Mapping[str, Sequence[str | int]],
    across: str,
    down: str | None,
    value: Callable[[Point], float],
    digits: str,
    theme: Theme,
    *,
    best: str,
    name: str,
) -> Chart:
    columns, lines = list(axes[across]), list(axes[down]) if down else [""]
    grid: list[list[float | None]] = [[None] * len(columns) for _ in lines]
    for point in points:
        row = lines.index(point.at[down]) if down else 0
        grid[row][columns.index(point.at[across])] = value(point)
    figure = go.Figure(
        go.Heatmap(
            z=grid,
            x=[str(v) for v in columns],
            y=[f"{v}  " for v in lines],
            colorscale=SCALES[theme],
            texttemplate="%{text}",
            textfont={"color": ink_on(str(SCALES[theme][1][1]))},
            text=[["" if v is None else digits % v for v in row] for row in grid],
            hovertemplate=f"{_words(across)} %{{x}}, {_words(down or '')} %{{y}}: %{{text}}<extra></extra>",
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    figure.update_layout(
        height=110 + 44 * len(lines), margin={"l": 8, "r": 8, "t": 8, "b": 8}, dragmode=False
    )
    figure.update_xaxes(title=_words(across), type="category")
    figure.update_yaxes(title=_words(down) if down else None, type="category")
    chosen = (max if best == "highest" else min)(points, key=value)
    where = ", ".join(f"{_words(k)} {v}" for k, v in chosen.at.items())
    title = f"{what}: {best} at {where}"
    rows = [{"backend": p.backend, **p.at, name: value(p)} for p in points]
    alt = f"{what}. " + " ".join(
        f"{', '.join(map(str, p.at.values()))}: {digits % value(p)}." for p in points
    )
    return Chart(title, figure, alt, pd.DataFrame(rows), f"sweep-{name}")


def pareto_chart(points: Sequence[Point], theme: Theme) -> Chart:
    """Quality against latency; the points worth having are filled and joined."""
    front = pareto_front(points)
    figure = go.Figure()
    rest = [point for point in points if point not in front]
    for group, words, filled in ((rest, "beaten by another point", False), (front, "worth having", True)):
        if not group:
            continue
        figure.add_scatter(
            x=[p.milliseconds for p in group],
            y=[100 * p.right.value for p in group],
            name=words,
            mode="markers+lines" if filled else "markers",
            line={"color": soft_ink(theme), "width": 1, "dash": "dot"},
            marker={
                "symbol": [_symbol(p.backend, filled) for p in group],
                "size": 12 if filled else 9,
                "color": [_colour(p.backend, theme) for p in group],
            },
            customdata=[[arm_label(p.arm), f"{100 * p.right.value:.0f}", seconds(p.milliseconds),
                         f"{p.cost:.3g} {p.currency}"] for p in group],
            hovertemplate="%{customdata[0]}<br>%{customdata[1]} of 100 right, %{customdata[2]}, "
            "%{customdata[3]} for 1,000<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=340, margin={"l": 8, "r": 8, "t": 8, "b": 8}, dragmode=False,
    )  # fmt: skip
    figure.update_xaxes(title="typical time, milliseconds", rangemode="tozero")
    figure.update_yaxes(title="answered right, of 100", rangemode="tozero")
    title = f"{len(front)} of {len(points)} combinations are worth having (Pareto front)"
    alt = "Worth having: " + "; ".join(
        f"{arm_label(p.arm)}: {100 * p.right.value:.0f} of 100, {seconds(p.milliseconds)}" for p in front
    )
    rows = [
        {"arm": p.arm, **p.at, "right": p.right.value, "median_ms": p.milliseconds, "cost_per_1000": p.cost,
         "worth_having": p in front} for p in points
    ]  # fmt: skip
    return Chart(title, figure, alt, pd.DataFrame(rows), "sweep-front")


# --- shared --------------------------------------------------------------------------------------


def _layout(figure: go.Figure, rows: int, unit: str, bounds: list[float] | None) -> None:
    figure.update_layout(
        height=80 + 40 * rows, margin={"l": 8, "r": 12, "t": 8, "b": 8}, bargap=0.45, dragmode=False
    )
    figure.update_xaxes(title=unit, rangemode="tozero", range=bounds)
    figure.update_yaxes(autorange="reversed", ticksuffix="  ", type="category")


def _named(arm: str) -> str:
    backend, comma, rest = arm.partition(", ")
    look = LOOKS.get(backend)  # type: ignore[call-overload]
    return plain_html(f"{look.mark} {look.label}{comma}{rest}" if look else arm)


def _symbol(backend: str, filled: bool) -> str:
    closed = SYMBOLS[backend].removesuffix("-open")
    return closed if filled else f"{closed}-open"


def _colour(arm: str, theme: Theme) -> str:
    colour: str = LOOKS[arm.partition(", ")[0]].colour(theme)  # type: ignore[index]
    return colour


def _amount(score: Score, share: bool) -> str:
    return f"{100 * score.value:.0f} of 100" if share else f"{score.value:.2f}"


def _range(score: Score, share: bool) -> str:
    low, high = score.interval
    return f"{100 * low:.0f} to {100 * high:.0f}" if share else f"{low:.2f} to {high:.2f}"


def _frame(scores: Mapping[str, Score]) -> pd.DataFrame:
    rows = [
        {"arm": n, "value": s.value, "low": s.interval[0], "high": s.interval[1], "questions": s.count}
        for n, s in scores.items()
    ]
    return pd.DataFrame(rows)


def _money(arm: Scoreboard) -> str:
    return money(1000 * arm.cost, arm.currency)


def to_choose(arms: Sequence[str]) -> Sequence[str]:
    """The arms that people choose from: without the control, unless nothing else was asked."""
    return [arm for arm in arms if not is_control(arm)] or arms


def _words(name: str) -> str:
    return name.replace("_", " ")


def _page(theme: Theme) -> str:
    return "#14171B" if theme == "dark" else "#FFFFFF"
