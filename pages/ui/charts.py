"""Every chart: a figure, a title that says in words what it shows, a text for who cannot see it, its data.

Enters: answer records. Leaves: a `Chart`, which `show` puts on the page with its download. The only module
that imports plotly; it measures nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from backends.datatypes import Answer, JsonValue
from backends.system.csv_file import without_formula
from backends.system.wording import money
from pages.ui import session
from pages.ui.asking import Round
from pages.ui.look import LOOKS, Look, Theme, arm_look, backend_of, label, soft_ink
from pages.ui.text import markdown, plain_html, plural, seconds, times

STAGES = {
    "rewrite": "Rewrite",
    "retrieve": "Find passages",
    "rerank": "Choose sentences",
    "queue": "Network and queue",
    "retry": "Further tries",
    "generate": "Write",
}
# Stages are told apart by pattern; the colour stays the backend's.
PATTERNS = {"rewrite": ".", "retrieve": "/", "rerank": "x", "queue": "-", "retry": "+", "generate": ""}
SYMBOLS = {"rag": "circle", "fine_tuned": "triangle-up", "hybrid": "square", "base": "circle-open"} | {
    "embedder": "diamond"
}


# Above the picture, which makes room for as many lines as the window needs.
LEGEND: dict[str, JsonValue] = {
    "orientation": "h", "yref": "container", "y": 1, "yanchor": "top", "x": 0, "traceorder": "normal",
}  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """A figure with its title, a text that says the same, and its data."""

    title: str
    figure: go.Figure
    alt: str
    data: pd.DataFrame
    name: str  # of the downloaded file


def show(chart: Chart) -> None:
    """The chart below its title, with its numbers to take away."""
    ink = soft_ink(session.theme())
    for axis in (chart.figure.update_xaxes, chart.figure.update_yaxes):
        axis(tickfont_color=ink, title_font_color=ink)
    chart.figure.for_each_xaxis(lambda axis: axis.update(title_text=wrapped(axis.title.text or "", 30)))
    chart.figure.update_layout(legend=LEGEND)
    st.markdown(f"**{markdown(chart.title)}**")
    st.plotly_chart(chart.figure, key=f"chart-{chart.name}", alt=chart.alt, config={"displayModeBar": False})
    st.download_button(
        "Data as CSV",
        chart.data.map(without_formula).rename(columns=without_formula).to_csv(index=False),
        file_name=f"triptych-{chart.name}.csv",
        mime="text/csv",
        key=f"data-{chart.name}",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def wrapped(text: str, width: int = 24) -> str:
    """A label of an axis on several lines, so that a phone keeps room for the picture; all of it text, as a
    picture reads HTML in its words."""
    return "<br>".join(map(plain_html, wrap(text, width)))


# --- one question ----------------------------------------------------------------------------------


def latency(answers: Sequence[Answer], theme: Theme) -> Chart:
    """Stacked bars: where each backend spent its time."""
    figure = go.Figure()
    names = [_named(answer) for answer in answers]
    for stage, words in STAGES.items():
        if not any(stage in answer.latency_ms for answer in answers):
            continue
        figure.add_bar(
            y=names,
            x=[answer.latency_ms[stage] / 1000 if stage in answer.latency_ms else None for answer in answers],
            name=words,
            orientation="h",
            marker={
                "color": [_look(answer).colour(theme) for answer in answers],
                "pattern": {"shape": PATTERNS[stage], "bgcolor": _page(theme), "solidity": 0.45},
                "line": {"color": _page(theme), "width": 1},
            },
            customdata=[seconds(answer.latency_ms.get(stage, 0.0)) for answer in answers],
            hovertemplate=f"%{{y}}<br>{words}: %{{customdata}}<extra></extra>",
            showlegend=False,
        )
        _legend(figure, words, PATTERNS[stage], theme)
    figure.add_scatter(
        y=names,
        x=[
            ms / 1000 if (ms := answer.latency_ms.get("first_token")) is not None else None
            for answer in answers
        ],
        name="First word",
        mode="markers",
        marker={
            "symbol": "diamond",
            "size": 11,
            "color": _ink(theme),
            "line": {"color": _page(theme), "width": 2},
        },
        customdata=[seconds(answer.latency_ms.get("first_token", 0.0)) for answer in answers],
        hovertemplate="%{y}<br>First word after %{customdata}<extra></extra>",
    )
    _horizontal(figure, len(answers), "seconds")
    figure.update_layout(barmode="stack")
    rows = [
        {"backend": answer.backend, "stage": stage, "milliseconds": ms}
        for answer in answers
        for stage, ms in answer.latency_ms.items()
    ]
    alt = "Time by stage. " + " ".join(f"{_name(a)}: {_stage_words(a)}." for a in answers)
    return Chart(_latency_title(answers), figure, alt, pd.DataFrame(rows), "latency")


def _latency_title(answers: Sequence[Answer]) -> str:
    ordered = sorted(answers, key=lambda answer: answer.latency_ms["total"])
    fastest, slowest = ordered[0], ordered[-1]
    low, high = fastest.latency_ms["total"], slowest.latency_ms["total"]
    if len(ordered) == 1:
        return f"{_name(fastest)} took {seconds(low)}"
    if high <= low * 1.1:
        return f"All took about {seconds(high)}"
    return f"{_name(fastest)} was {times(high / low)} as fast as {_name(slowest)}"


def _stage_words(answer: Answer) -> str:
    stages = [f"{STAGES[s].lower()} {seconds(ms)}" for s, ms in answer.latency_ms.items() if s in STAGES]
    return f"{', '.join(stages)}, {seconds(answer.latency_ms['total'])} in all"


def tokens(answers: Sequence[Answer], theme: Theme) -> Chart:
    """Bars of prompt and answer tokens."""
    figure = go.Figure()
    names = [_named(answer) for answer in answers]
    colours = [_look(answer).colour(theme) for answer in answers]
    for field, words, pattern in (
        ("prompt_tokens", "Prompt", "/"),
        ("completion_tokens", "Answer", ""),
    ):
        figure.add_bar(
            y=names,
            x=[getattr(answer.usage, field) for answer in answers],
            name=words,
            orientation="h",
            marker={
                "color": colours,
                "pattern": {"shape": pattern, "bgcolor": _page(theme), "solidity": 0.45},
                "line": {"color": _page(theme), "width": 1},
            },
            hovertemplate=f"%{{y}}<br>{words}: %{{x:,}} tokens<extra></extra>",
            showlegend=False,
        )
        _legend(figure, words, pattern, theme)
    _horizontal(figure, len(answers), "tokens")
    figure.update_layout(barmode="stack")
    rows = [
        {
            "backend": answer.backend,
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
        }
        for answer in answers
    ]
    most = max(answers, key=lambda answer: answer.usage.prompt_tokens)
    least = min(answers, key=lambda answer: answer.usage.prompt_tokens)
    ratio = most.usage.prompt_tokens / max(1, least.usage.prompt_tokens)
    title = (
        f"{_name(most)} read {times(ratio)} as many tokens as {_name(least)}"
        if ratio >= 1.1
        else f"Every backend read about {plural(most.usage.prompt_tokens, 'token')}"
    )
    alt = "Tokens. " + " ".join(
        f"{_name(a)}: {a.usage.prompt_tokens} prompt, {a.usage.completion_tokens} answer." for a in answers
    )
    return Chart(title, figure, alt, pd.DataFrame(rows), "tokens")


def cost(answers: Sequence[Answer], theme: Theme) -> Chart | None:
    """Bars of what a thousand such answers cost: one alone is too small a number to picture.

    None where they are priced in several currencies.
    """
    if len({answer.cost.currency for answer in answers}) > 1:
        return None
    figure = go.Figure()
    figure.add_bar(
        y=[_named(answer) for answer in answers],
        x=[1000 * answer.cost.amount for answer in answers],
        orientation="h",
        marker={"color": [_look(answer).colour(theme) for answer in answers]},
        text=[money(1000 * answer.cost.amount, answer.cost.currency) for answer in answers],
        textposition="auto",
        hovertemplate="%{y}<br>%{text} for 1,000 answers<extra></extra>",
        showlegend=False,
    )
    currency = answers[0].cost.currency
    _horizontal(figure, len(answers), f"{currency} for 1,000 answers like this one")
    rows = [
        {"backend": a.backend, "amount": a.cost.amount, "currency": a.cost.currency, "basis": a.cost.basis}
        for a in answers
    ]
    ordered = sorted(answers, key=lambda answer: answer.cost.amount)
    low, high = ordered[0].cost.amount, ordered[-1].cost.amount
    title = (
        "No prices are set" if high == 0 else f"A thousand such answers cost {money(1000 * high, currency)}"
    )
    if 0 < low < high / 1.1:
        title = (
            f"A thousand such answers cost {money(1000 * low, currency)} with {_name(ordered[0])} "
            f"and {money(1000 * high, currency)} with {_name(ordered[-1])}"
        )
    alt = "Cost of 1,000 answers. " + " ".join(
        f"{_name(a)}: {money(1000 * a.cost.amount, currency)}." for a in answers
    )
    return Chart(title, figure, alt, pd.DataFrame(rows), "cost")


# --- the session so far ------------------------------------------------------------------------------


def session_frame(rounds: Sequence[Round]) -> pd.DataFrame:
    """One row per answer of these rounds, oldest first."""
    rows = [
        {
            "question_number": number,
            "question": answer.question,
            "backend": answer.backend,
            "seconds": answer.latency_ms["total"] / 1000,
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
            "cost": answer.cost.amount,
            "currency": answer.cost.currency,
            "groundedness": answer.groundedness,
        }
        for number, round_ in enumerate(rounds, start=1)
        for answer in round_.answers
    ]
    return pd.DataFrame(rows)


def session_times(frame: pd.DataFrame, theme: Theme) -> Chart:
    """Time of every answer, question by question."""
    figure = _per_question(frame, "seconds", theme, "%{y:.2f} s")
    _upright(figure, "seconds")
    median = frame.groupby("backend")["seconds"].median().sort_values()
    fastest, slowest = str(median.index[0]), str(median.index[-1])
    asked = plural(int(frame["question_number"].nunique()), "question")
    title = f"Typical time over {asked}: {label(fastest)} {median.iloc[0]:.2f} s"
    if fastest != slowest:
        title += f", {label(slowest)} {median.iloc[-1]:.2f} s"
    alt = "Median seconds. " + " ".join(f"{label(str(n))}: {v:.2f}." for n, v in median.items())
    return Chart(title, figure, alt, frame[["question_number", "backend", "seconds"]], "session-time")


def session_support(frame: pd.DataFrame, theme: Theme) -> Chart | None:
    """Groundedness of every answer; None when none was judged."""
    judged = frame.dropna(subset=["groundedness"])
    if judged.empty:
        return None
    figure = _per_question(judged, "groundedness", theme, "%{y:.2f}")
    _upright(figure, "words found in one place, share")
    figure.update_yaxes(range=[-0.05, 1.05])
    mean = judged.groupby("backend")["groundedness"].mean().sort_values(ascending=False)
    best = str(mean.index[0])
    title = f"Most words found in the documents: {label(best)} ({mean.iloc[0]:.2f} on average)"
    alt = "Mean share of words found. " + " ".join(f"{label(str(n))}: {v:.2f}." for n, v in mean.items())
    data = judged[["question_number", "backend", "groundedness"]]
    return Chart(title, figure, alt, data, "session-groundedness")


def session_tokens(frame: pd.DataFrame, theme: Theme) -> Chart:
    """Tokens of every prompt and its answer together."""
    both = frame.assign(tokens=frame["prompt_tokens"] + frame["completion_tokens"])
    figure = _per_question(both, "tokens", theme, "%{y:,} tokens")
    _upright(figure, "tokens")
    median = both.groupby("backend")["tokens"].median().sort_values()
    least, most = str(median.index[0]), str(median.index[-1])
    title = f"Typical tokens per answer: {label(least)} {median.iloc[0]:,.0f}"
    if least != most:
        title += f", {label(most)} {median.iloc[-1]:,.0f}"
    alt = "Median tokens. " + " ".join(f"{label(str(n))}: {v:,.0f}." for n, v in median.items())
    data = both[["question_number", "backend", "prompt_tokens", "completion_tokens"]]
    return Chart(title, figure, alt, data, "session-tokens")


def session_cost(frame: pd.DataFrame, theme: Theme) -> Chart | None:
    """What the session would have cost, adding up; None where prices are in several currencies."""
    currency, *others = frame["currency"].unique()
    if others:
        return None
    running = frame.assign(total=frame.groupby("backend")["cost"].cumsum() * 1000)
    figure = _per_question(running, "total", theme, f"%{{y:.3g}} thousandths of a {currency}")
    _upright(figure, f"thousandths of a {currency}, added up")
    totals = frame.groupby("backend")["cost"].sum().sort_values()
    title = f"The session so far: {money(float(totals.sum()), currency)} at the prices that are set"
    alt = "Cost so far. " + " ".join(
        f"{label(str(n))}: {money(float(v), currency)}." for n, v in totals.items()
    )
    data = frame[["question_number", "backend", "cost"]]
    return Chart(title, figure, alt, data, "session-cost")


def _per_question(frame: pd.DataFrame, field: str, theme: Theme, shown: str) -> go.Figure:
    figure = go.Figure()
    for name in sorted(frame["backend"].unique(), key=lambda arm: list(LOOKS).index(backend_of(arm))):
        mine, look = frame[frame["backend"] == name], arm_look(name)
        figure.add_scatter(
            x=mine["question_number"],
            y=mine[field],
            name=look.label,
            mode="lines+markers",
            line={"color": look.colour(theme), "width": 2, "dash": "solid" if name in LOOKS else "dot"},
            marker={"symbol": SYMBOLS[backend_of(name)], "size": 9},
            customdata=[plain_html(question[:80]) for question in mine["question"]],
            hovertemplate=f"{look.label}: {shown}<br>%{{customdata}}<extra></extra>",
        )
    last = int(frame["question_number"].max())
    figure.update_xaxes(title="question", range=[0.5, last + 0.5], dtick=1 if last <= 20 else None)
    return figure


# --- shared ------------------------------------------------------------------------------------------


# --- passages --------------------------------------------------------------------------------------


def passage_sizes(now: Sequence[int], tried: Sequence[int] | None, theme: Theme) -> Chart:
    """Histogram of how many tokens passages hold; with another cut that is being tried beside it."""
    width = max(8, -(-max([*now, *(tried or []), 1]) // 16))
    figure = go.Figure()
    cuts = [("Now", now, LOOKS["rag"].colour(theme), "")]
    cuts += [("Tried", tried, LOOKS["hybrid"].colour(theme), "/")] if tried is not None else []
    rows = []
    for name, sizes, colour, pattern in cuts:
        counts = Counter(size // width for size in sizes)
        bins = range(max(counts, default=0) + 1)
        words = [f"{at * width} to {at * width + width - 1} tokens" for at in bins]
        figure.add_bar(
            x=[(at + 0.5) * width for at in bins],
            y=[counts[at] for at in bins],
            name=name,
            customdata=words,
            hovertemplate=f"{name}: %{{y}} passages of %{{customdata}}<extra></extra>",
            marker={"color": colour, "pattern": {"shape": pattern, "bgcolor": _page(theme)}},
        )
        rows += [
            {"cut": name, "tokens": w, "passages": counts[at]} for at, w in zip(bins, words, strict=True)
        ]
    figure.update_layout(_layout(height=230) | {"barmode": "group", "bargap": 0.08})
    figure.update_xaxes(title="tokens in a passage", rangemode="tozero")
    figure.update_yaxes(title="passages", rangemode="tozero")
    title = f"Now: {_sizes_in_words(now)}"
    title += f"; tried: {_sizes_in_words(tried)}" if tried is not None else ""
    return Chart(title, figure, f"How long passages are. {title}.", pd.DataFrame(rows), "passage-sizes")


def _sizes_in_words(sizes: Sequence[int]) -> str:
    if not sizes:
        return "no passages"
    return f"{plural(len(sizes), 'passage')}, half of them longer than {round(median(sizes))} tokens"


def _legend(figure: go.Figure, words: str, pattern: str, theme: Theme) -> None:
    """A grey entry for a pattern: it means the same in every backend's colour."""
    grey = LOOKS["base"].colour(theme)
    filled = {"shape": pattern, "fgcolor": grey, "bgcolor": _page(theme), "solidity": 0.45}
    figure.add_bar(
        x=[None], y=[None], name=words, marker={"color": grey, "pattern": filled if pattern else {}}
    )


def _horizontal(figure: go.Figure, bars: int, unit: str) -> None:
    figure.update_layout(**_layout(height=110 + 46 * bars))
    figure.update_xaxes(title=unit, rangemode="tozero")
    figure.update_yaxes(autorange="reversed", ticksuffix="  ")


def _upright(figure: go.Figure, unit: str) -> None:
    figure.update_layout(**_layout(height=280))
    figure.update_yaxes(title=unit, rangemode="tozero")


def _layout(height: int) -> dict[str, JsonValue]:
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "bargap": 0.35,
        "hoverlabel": {"align": "left"},
        "dragmode": False,
    }


def _look(answer: Answer) -> Look:
    return arm_look(answer.backend)


def _name(answer: Answer) -> str:
    return label(answer.backend)


def _named(answer: Answer) -> str:
    """As a picture shows it, which reads HTML in its words."""
    look = _look(answer)
    return plain_html(f"{look.mark} {look.label}")


def _page(theme: Theme) -> str:
    return "#14171B" if theme == "dark" else "#FFFFFF"


def _ink(theme: Theme) -> str:
    return "#E8E6E1" if theme == "dark" else "#1B1F24"
