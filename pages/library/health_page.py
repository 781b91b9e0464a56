"""Library health: what the questions of this visitor found, how fast, and which stayed unanswered."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backends.feedback.retrieval_log import Health, Unanswered
from pages.library.health_charts import volume
from pages.ui import resources, session
from pages.ui.charts import show
from pages.ui.conclusion import conclusion
from pages.ui.plain_table import plain_table, word_table
from pages.ui.service import Service
from pages.ui.text import markdown, plural, seconds

SHOWN = 50  # questions in the list
PERIODS = {7: "7 days", 30: "30 days", 90: "90 days"}


def switch(service: Service) -> None:
    """Switch the log on or off."""
    service.switch_logging(bool(session.read("logging")))


def delete(service: Service) -> None:
    """Delete the visitor's log."""
    gone = service.clear_log()
    session.current().notice = f"Your log is deleted: {plural(gone, 'retrieval')}."


def controls(service: Service) -> int:
    """The switch, the way to delete, and the period; returns its days."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        days = st.segmented_control(
            "Period", list(PERIODS), default=7, format_func=PERIODS.__getitem__, key="period", required=True
        )
        st.toggle(
            "Log my questions",
            value=service.logging,
            key="logging",
            on_change=switch,
            args=(service,),
            help="Question, passages found with their scores, and times; kept 90 days, seen by you alone.",
        )
        st.button(
            "Delete my log", key="delete-log", on_click=delete, args=(service,), icon=":material/delete:",
            type="tertiary",
        )  # fmt: skip
    return int(days or 7)


def figures(health: Health) -> None:
    """Four numbers, each with what it means."""
    cells = st.columns(4)
    cells[0].metric("Questions", f"{health.questions:,}", help=f"{health.retrievals:,} retrievals in all.")
    median, slow = health.median_ms, _slow(health)
    cells[1].metric(
        "Finding passages",
        "-" if median is None else seconds(median),
        help="Half of the retrievals took at most this long, choosing of sentences included.",
    )
    cells[1].caption(slow)
    cells[2].metric("Nothing fitted well", share(health.low, health.questions), help="Share of questions.")
    cells[2].caption(f"{health.low:,} of {health.questions:,}; nothing found at all: {health.empty:,}")
    cells[3].metric(
        "Unanswered",
        share(len(health.unanswered), health.questions),
        help="Nothing was found, nothing fitted well, or the answer was declined.",
    )
    cells[3].caption(f"{len(health.unanswered):,} of {health.questions:,}")


def _slow(health: Health) -> str:
    """How long the slow ones took; of few questions that is the slowest, of one there is nothing to add."""
    if health.p95_ms is not None:
        return f"95 of 100 within {seconds(health.p95_ms)}"
    return f"slowest {seconds(health.slowest_ms)}" if health.slowest_ms and health.questions > 1 else ""


def share(part: int, whole: int) -> str:
    """A share in words."""
    return f"{100 * part / whole:.0f} %" if whole else "-"


def in_words(health: Health, days: int, logging: bool) -> str:
    """How many questions the documents answered, and how fast passages were found."""
    if not health.questions:
        off = "" if logging else " Logging is switched off."
        return f"No question was logged in the last {PERIODS[days]}: ask one on the Compare page.{off}"
    answered = health.questions - len(health.unanswered)
    how = "were" if health.questions == 1 else "are typically"
    time = "" if health.median_ms is None else f"; passages {how} found in {seconds(health.median_ms)}"
    return (
        f"The documents answered {answered:,} of {plural(health.questions, 'question')} of the last "
        f"{PERIODS[days]}{time}."
    )


def tables(health: Health) -> None:
    """What stayed unanswered, and what is asked most."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**Questions the documents did not answer**")
        if health.unanswered:
            unanswered(health.unanswered)
        else:
            st.caption("None: every question found something that fitted.")
    with right:
        st.markdown("**Asked more than once**")
        if health.most_asked:
            plain_table(
                ["Question", "Times"], [[question, f"{times:,}"] for question, times in health.most_asked],
                f"{plural(len(health.most_asked), 'question')} by how often they were asked",
            )  # fmt: skip
        else:
            st.caption("None so far.")


def unanswered(found: Sequence[Unanswered]) -> None:
    """Each question with its reason, the newest first."""
    rows = [
        [
            each.question,
            each.reason,
            "" if each.best is None else f"{each.best:.2f}",
            f"{each.at:%Y-%m-%d %H:%M}",
        ]
        for each in found[:SHOWN]
    ]
    word_table(
        ["Question", "Why", "Closest", "When (UTC)"], rows,
        f"{plural(len(rows), 'question')} without an answer, newest first",
    )  # fmt: skip
    st.caption(
        (f"The newest {SHOWN} of {len(found):,}. " if len(found) > SHOWN else "")
        + "Closest: similarity of the best passage to the question, 1 at most."
    )


def page() -> None:
    """Draw the page."""
    now = session.current()
    service = resources.service(now.visitor)
    st.title("Library health", anchor=False)
    opening = st.container()
    seen = f", as far as they were asked in the view of {now.role}" if now.owner and now.role else ""
    rests = f"What your own questions found in the documents{seen}. Nobody else's questions are shown."
    days = controls(service)
    if now.notice:
        st.success(markdown(now.notice))
        now.notice = None
    health = service.health(days)
    with opening:
        conclusion(in_words(health, days, service.logging), rests)
    if not health.questions:
        return
    with st.container(key="figures"):
        figures(health)
    show(volume(health, session.theme()))
    tables(health)


page()
