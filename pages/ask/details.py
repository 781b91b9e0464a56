"""What lies behind the answers: sources, time, tokens and cost, the session so far, the exact prompts.

Enters: the round on the page, all rounds of the visitor, the service. Leaves: tabs; only the open one is
drawn. No fragment of its own: it is drawn inside one that is asked again and again, and Streamlit 1.67 may
then send what the inner fragment drew without the places of the outer one, which blanks the whole page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from pages.ask import answer_actions, earlier_answers, export, voting
from pages.ui import charts, session, sources
from pages.ui.asking import Round
from pages.ui.charts import Chart
from pages.ui.look import arm_look, label
from pages.ui.service import Service
from pages.ui.text import markdown, plural

SEVERAL_CURRENCIES = "No chart of costs: prices are in several currencies, and each answer tells its own."
BEHIND = "behind"  # key of the tabs
TABS = ("Sources", "Same question before", "Where the time went", "Tokens and cost", "This session", "Prompt")


def draw(made: Round, rounds: Sequence[Round], service: Service) -> None:
    """The tabs below the answers; only the open one is drawn, and it stays open with the next answers."""
    session.recall(BEHIND, TABS[0])
    drawings: tuple[Callable[[], None], ...] = (
        partial(sources.draw, made, service),
        partial(earlier_answers.draw, made, rounds),
        partial(_time, made),
        partial(_tokens_and_cost, made),
        partial(_session, rounds, service),
        partial(_prompts, made),
    )
    tabs = st.tabs(TABS, key=BEHIND, on_change="rerun")
    session.keep(BEHIND, session.read(BEHIND))
    for tab, drawing in zip(tabs, drawings, strict=True):
        if tab.open:
            with tab:
                drawing()


def _time(made: Round) -> None:
    _grid([charts.latency(made.answers, session.theme())] if made.answers else [])


def _tokens_and_cost(made: Round) -> None:
    theme = session.theme()
    costs = charts.cost(made.answers, theme) if made.answers else None
    _grid([charts.tokens(made.answers, theme), costs] if made.answers else [])
    if made.answers and costs is None:
        st.caption(SEVERAL_CURRENCIES)


def _grid(drawn: Sequence[Chart | None]) -> None:
    """Charts two in a row, a single one over the whole width."""
    present = [chart for chart in drawn if chart is not None]
    if not present:
        st.caption("No backend has answered this question.")
    for first in range(0, len(present), 2):
        row = present[first : first + 2]
        for cell, chart in zip(st.columns(len(row), gap="large"), row, strict=True):
            with cell:
                charts.show(chart)


def _session(rounds: Sequence[Round], service: Service) -> None:
    asked = [made for made in rounds if made.answers]
    theme = session.theme()
    frame = charts.session_frame(asked)
    if frame.empty:
        st.caption("Nothing has been answered yet.")
        return
    _downloads(asked)
    costs = charts.session_cost(frame, theme)
    _grid(
        [
            charts.session_times(frame, theme),
            charts.session_support(frame, theme),
            charts.session_tokens(frame, theme),
            costs,
        ]
    )
    if costs is None:
        st.caption(SEVERAL_CURRENCIES)
    voting.results(service.votes())
    answer_actions.results(service.judged().all())
    st.markdown(f"**{plural(len(asked), 'question')} so far**")
    for made in reversed(asked):
        if st.button(
            markdown(made.asked.question[:140]),
            key=f"round-{made.id}",
            type="tertiary",
            icon=":material/history:",
            help=f"Asked at {made.asked.at:%H:%M:%S}. Show these answers again.",
        ):
            session.current().round_id = made.id
            st.rerun()


def _downloads(rounds: Sequence[Round]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Take the session with you:", width="content")
        for name, make, mime in (
            ("CSV", export.as_csv, "text/csv"),
            ("JSON", export.as_json, "application/json"),
            ("HTML report", export.as_report, "text/html"),
        ):
            suffix = name.split()[0].lower()
            st.download_button(
                name,
                data=partial(make, rounds),
                file_name=f"triptych-answers.{suffix}",
                mime=mime,
                key=f"export-{suffix}",
                on_click="ignore",
                icon=":material/download:",
            )


def _prompts(made: Round) -> None:
    st.caption("The exact text each backend sent to its model.")
    for name, column in made.columns.items():
        if column.prompt is None:
            continue
        used = f", {plural(column.answer.usage.prompt_tokens, 'token')}" if column.answer else ""
        with st.expander(f"{arm_look(name).mark} {label(name)}{used}", expanded=True):
            st.code(
                column.prompt or "Nothing was sent: no passage was found.", language=None, wrap_lines=True
            )
