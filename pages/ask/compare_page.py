"""Home: one question, the answers side by side, and what lies behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st

from backends.answering.asked_question import check_question
from backends.datatypes import BackendName, UserError
from backends.settings import Settings
from backends.system.jobs import Job
from pages.ask import details, scenario_choices, voting
from pages.ask.verdict import verdict
from pages.ui import resources, session
from pages.ui.answer_card import card
from pages.ui.asking import KIND, Asked, Column, Round, asking, round_of, rounds_of
from pages.ui.look import CONTROL, LOOKS, label
from pages.ui.service import BackendReadiness, Service
from pages.ui.text import markdown, plural

POLL = 0.35  # seconds; drawing takes processor time from the model that is being timed
Statuses = Mapping[BackendName, BackendReadiness]
EXAMPLES = (
    "What may a customer gift cost?",
    "Who is the landlord in Leipzig?",
    "What does a set of three Lark One cost?",
    "How deep can a Lark One dive?",
)


def ask(question: str) -> None:
    """Start the answers to this question; a question that cannot be asked changes nothing else."""
    now = session.current()
    try:
        question = check_question(question)
    except UserError as error:
        now.question_problem = str(error)
        return
    now.question_problem = None
    jobs = resources.jobs().owned_by(now.visitor, KIND)
    running = next((job for job in jobs if not job.finished), None)
    if running is not None:
        running.cancel()
    earlier = tuple(made.asked.question for made in rounds_of(reversed(jobs)))
    backends = voting.order(now.backends, now.blind)
    asked = Asked(question, backends, now.settings, datetime.now().astimezone(), now.blind, earlier)
    job = resources.jobs().start(KIND, now.visitor, asking(resources.service(now.visitor), asked))
    now.round_id = job.id


def ask_typed() -> None:
    ask(session.read("question", ""))


def ask_example(question: str) -> None:
    session.put("question", question)
    ask(question)


def stop(job: Job) -> None:
    job.cancel()


# --- the question ----------------------------------------------------------------------------------


def question_box(asked: str) -> None:
    session.restore("question", asked)
    with (
        st.form("ask", border=False, enter_to_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        st.text_input(
            "Ask a question about the documents",
            value=asked,
            key="question",
            placeholder="Ask a question about the documents",
            label_visibility="collapsed",
        )
        st.form_submit_button("Ask", type="primary", on_click=ask_typed, icon=":material/arrow_forward:")
    problem = session.current().question_problem
    if problem:
        st.error(markdown(problem))
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.caption("For example:", width="content")
        for number, question in enumerate(EXAMPLES):
            st.button(
                question, key=f"example-{number}", on_click=ask_example, args=(question,), type="tertiary"
            )
        voting.switch()


# --- the answers -----------------------------------------------------------------------------------


def answers(job: Job, statuses: Statuses, polled: bool, jobs: Sequence[Job], service: Service) -> None:
    """The columns and what is said of them; run again and again while the job works, then with the page.

    The verdict is drawn here, at every look: Streamlit may drop a rerun of the page or part of what it sent.
    """
    finished = job.finished  # read before the round: whatever came earlier is in it
    made = round_of(job)
    votes = service.votes()
    hidden = made is not None and voting.hidden(made, votes)
    if made is not None and hidden:
        voting.blind_columns(made)
    elif made is not None:
        columns(made, statuses)
    elif finished:
        st.error(markdown(job.error or "The question was stopped before it began."))
    else:
        st.caption("Another question is being answered; yours is next, so that each is timed alone.")
    # A place of its own: what is drawn while answers are made never stands where the verdict will.
    with st.container():
        if not finished:
            running_line(job)
        elif made is not None:
            voting.vote_buttons(made, votes, hidden)
            if not hidden:
                verdict_line(made)
                scenario_choices.checked(made.asked.question, made.answers)
                details.draw(made, rounds_of(reversed(jobs)), service)
    if polled and finished:
        st.rerun()  # the rest of the page; asked again at every look until the page has taken it


def columns(made: Round, statuses: Statuses) -> None:
    compared = [column for name, column in made.columns.items() if name != CONTROL]
    control = made.columns.get(CONTROL)
    if compared:
        for cell, column in zip(st.columns(len(compared)), compared, strict=True):
            with cell:
                _draw(column, made, statuses)
    if control is not None:
        with st.expander(f"{LOOKS[CONTROL].mark} Base: the control, without documents or training"):
            _draw(control, made, statuses)


def _draw(column: Column, made: Round, statuses: Statuses) -> None:
    others = [
        other.text
        for other in made.columns.values()
        if other.backend not in (column.backend, CONTROL) and other.state == "done"
    ]
    busy = next((c.backend for c in made.columns.values() if c.state == "answering"), None)
    card(column, others, statuses[column.backend], waiting_for=label(busy) if busy else None)


def running_line(job: Job) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("The backends answer one after another, so that each is timed alone.")
        st.button("Stop", on_click=stop, args=(job,), icon=":material/stop:", key="stop")


def verdict_line(made: Round) -> None:
    parts = verdict(made.answers).parts
    if parts:
        st.markdown(" · ".join(f"**{name}:** {markdown(text)}" for name, text in parts))
        st.caption("Underlined with dots: words that no other answer has.")


# --- the page --------------------------------------------------------------------------------------


def corpus_line(service: Service, settings: Settings) -> str:
    counts = service.passages(settings)
    passages = f", {plural(sum(counts.values()), 'passage')}" if counts is not None else ""
    whose = "Your own copy of the documents" if service.private else "Sample company"
    return f"{whose}: {plural(len(service.documents()), 'document')}{passages}"


def page() -> None:
    now = session.current()
    service = resources.service(now.visitor)
    jobs = resources.jobs().owned_by(now.visitor, KIND)
    if not jobs:
        ask_example(EXAMPLES[0])
        jobs = resources.jobs().owned_by(now.visitor, KIND)
    job = next((job for job in jobs if job.id == now.round_id), jobs[0])
    working = not job.finished

    st.title("Ask once, compare every approach", anchor=False)
    st.caption(corpus_line(service, now.settings))
    begun = round_of(job)
    asked = begun.asked.question if begun else ""
    question_box(asked)
    scenario_choices.choose(service, asked, ask_example)
    statuses = {name: service.status(name) for name in LOOKS}  # once here, not at every look at the job
    st.fragment(answers, run_every=POLL if working else None)(job, statuses, working, jobs, service)


page()
