"""Home: one question, the answers side by side, and what lies behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

import streamlit as st

from backends.answering.asked_question import asks_nothing, check_question, what_can_be_asked
from backends.datatypes import BackendName, CatalogueEntry, UserError
from backends.evaluation import first_minutes
from backends.settings import Settings
from backends.system.jobs import Job
from pages.ask import answer_actions, details, link, own_documents, scenario_choices, voting
from pages.ask.verdict import verdict
from pages.ui import resources, scope, session, suggestions, uploading
from pages.ui.answer_card import card
from pages.ui.asking import KIND, Asked, Column, Round, arms_of, asking, model_of, round_of, rounds_of
from pages.ui.look import CONTROL, LOOKS, backend_of, is_control, label
from pages.ui.places import places
from pages.ui.service import BackendReadiness, Service
from pages.ui.session import MINE
from pages.ui.settings_words import differences
from pages.ui.text import markdown

POLL = 0.35  # seconds; drawing takes processor time from the model that is being timed
Statuses = Mapping[BackendName, BackendReadiness]


def ask(question: str) -> None:
    """Start the answers to this question; a question that cannot be asked changes nothing else."""
    now = session.current()
    try:
        question = check_question(question)
        if asks_nothing(question):
            titles = [each.title for each in resources.service(now.visitor).catalogue()]
            raise UserError(what_can_be_asked(titles))
    except UserError as error:
        now.question_problem = str(error)
        return
    now.question_problem = None
    service = resources.service(now.visitor)
    jobs = resources.jobs().owned_by(now.visitor, KIND)
    for running in [*jobs, *resources.jobs().owned_by(now.visitor, suggestions.SUGGEST)]:
        if not running.finished:
            running.cancel()
    earlier = tuple(made.asked.question for made in rounds_of(reversed(jobs)))
    arms, settings = wanted(now, service, service.catalogue())
    arms = voting.order(arms, now.blind)
    asked = Asked(question, arms, settings, datetime.now().astimezone(), now.blind, earlier)
    job = resources.jobs().start(KIND, now.visitor, asking(service, asked))
    if job.refused:
        now.question_problem = job.error
        return
    now.round_id = job.id


def wanted(
    now: session.Session, service: Service, documents: Sequence[CatalogueEntry]
) -> tuple[tuple[str, ...], Settings]:
    """Who is to answer, and with which settings; a single model is one of the settings."""
    settings = scope.asking(now, documents)
    models = [model for model in service.models() if model in now.models]
    if len(models) == 1:
        settings = settings.model_copy(update={"model": models[0]})
    return arms_of(now.backends, models), settings


def ask_typed() -> None:
    """Ask what stands in the question box."""
    ask(session.read("question", ""))


def ask_example(question: str) -> None:
    """Ask an example and put it into the box."""
    session.put("question", question)
    ask(question)


def stop(job: Job) -> None:
    """Stop what is being answered."""
    job.cancel()


# --- the question ----------------------------------------------------------------------------------


def question_box(asked: str, examples: Sequence[str]) -> None:
    """The box, its button and the examples."""
    session.restore("question", asked)
    with (
        st.container(key="ask-form"),
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
        if examples:
            st.caption("For example:", width="content")
        for number, question in enumerate(examples):
            st.button(
                markdown(question),
                key=f"example-{number}",
                on_click=ask_example,
                args=(question,),
                type="tertiary",
            )


def examples_of(now: session.Session, service: Service, documents: Sequence[CatalogueEntry]) -> Sequence[str]:
    """Questions to try: the sample's, or where the visitor's own documents are asked, some made from them."""
    wanted = set(scope.names(now, documents))
    if not any(scope.is_own(document) for document in documents if document.name in wanted):
        return first_minutes.suggested()
    job = suggestions.job(now, service, scope.own(documents))
    suggested = suggestions.found(job)
    if job is not None and not job.finished:
        st.fragment(_watch, run_every=1.0)(job)
    own = suggested.questions if suggested else ()
    return own or (first_minutes.suggested() if scope.chosen(now, documents) != MINE else ())


def _watch(job: Job) -> None:
    if job.finished:
        st.rerun()
    st.caption("Questions are being made from your documents.")


def which_documents(now: session.Session, documents: Sequence[CatalogueEntry], asked: str) -> None:
    """The one choice of the first screen: the sample or one's own documents; how to vote, and the link."""
    options = scope.choices(now, documents)
    chosen = scope.chosen(now, documents)
    session.put("scope-here", chosen)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Ask:", width="content")
        st.pills(
            "Documents asked",
            options,
            default=chosen,
            format_func=lambda each: scope.label(each, now, documents),
            key="scope-here",
            label_visibility="collapsed",
            on_change=session.take_scope,
            args=("scope-here",),
            width="content",
        )
        voting.switch()
        if asked:
            link.popover(asked, now, documents)


# --- the answers -----------------------------------------------------------------------------------


def shown_round(job: Job, jobs: Sequence[Job]) -> Round | None:
    """The round of this job, with the answers that were asked for again since."""
    again = [other for other in jobs if other.about == job.id]
    return next(iter(rounds_of([job, *again])), None)


def answers(job: Job, statuses: Statuses, polled: bool, jobs: Sequence[Job], service: Service) -> None:
    """The columns and what is said of them; run again and again while the job works, then with the page.

    The verdict is drawn here, at every look: Streamlit may drop a rerun of the page or part of what it sent.
    """
    # Read before the round: whatever came earlier is in it.
    running = [each for each in jobs if job.id in (each.id, each.about) and not each.finished]
    finished = not running
    made = shown_round(job, jobs)
    votes = service.votes()
    hidden = made is not None and voting.hidden(made, votes)
    if made is not None and hidden:
        voting.blind_columns(made)
    elif made is not None:
        columns(made, statuses, service)
    elif finished:
        st.error(markdown(job.error or "The question was stopped before it began."))
    else:
        st.caption("Another question is being answered; yours is next, so that each is timed alone.")
    # A place of its own: what is drawn while answers are made never stands where the verdict will.
    with st.container():
        if not finished:
            running_line(running[0])
        elif made is not None:
            voting.vote_buttons(made, votes, hidden)
            if not hidden:
                verdict_line(made)
                scenario_choices.checked(made.asked.question, made.answers)
                details.draw(made, rounds_of(reversed(jobs)), service)
    if polled and finished:
        st.rerun()  # the rest of the page; asked again at every look until the page has taken it


def columns(made: Round, statuses: Statuses, service: Service) -> None:
    """The answers side by side; of several models each has its row."""
    rows: dict[str, list[Column]] = {}
    for arm, column in made.columns.items():
        if not is_control(arm):
            rows.setdefault(model_of(arm, made.asked.settings), []).append(column)
    for compared in rows.values():
        for cell, column in zip(st.columns(len(compared)), compared, strict=True):
            with cell:
                _draw(column, made, statuses, service)
    controls = [column for arm, column in made.columns.items() if is_control(arm)]
    if controls:
        with st.expander(f"{LOOKS[CONTROL].mark} Base: the control, without documents or training"):
            for column in controls:
                _draw(column, made, statuses, service)


def _draw(column: Column, made: Round, statuses: Statuses, service: Service) -> None:
    others = [
        other.text
        for other in made.columns.values()
        if other.backend != column.backend and not is_control(other.backend) and other.state == "done"
    ]
    busy = next((c.backend for c in made.columns.values() if c.state == "answering"), None)
    card(
        column,
        others,
        _status(column, made, statuses, service),
        waiting_for=label(busy) if busy else None,
        place=places(service),
        below=partial(answer_actions.draw, made, judged=service.judged()) if made.finished else None,
    )


def _status(column: Column, made: Round, statuses: Statuses, service: Service) -> BackendReadiness:
    """How its adapter is: one that answers behind an address has none here."""
    served = service.models()[1:]
    elsewhere = model_of(column.backend, made.asked.settings) in served
    return BackendReadiness("ready") if elsewhere else statuses[backend_of(column.backend)]


def stale_line(
    made: Round, now: session.Session, service: Service, documents: Sequence[CatalogueEntry]
) -> None:
    """Says that the answers below were made with other settings than those chosen now."""
    arms, settings = wanted(now, service, documents)
    found = differences(made.asked.settings, settings, "now")
    missing = [label(arm) for arm in arms if arm not in made.asked.arms]
    found += [f"without {', '.join(missing)}"] if missing else []
    if found:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="stale"):
            words = f"The answers below were made with other settings: {markdown(', '.join(found))}."
            st.caption(f":material/history: {words}", width="content")
            st.button(
                "Ask again", key="ask-again", on_click=ask_example, args=(made.asked.question,),
                icon=":material/refresh:", help="Both answers then stand under “Same question before”.",
            )  # fmt: skip


def running_line(job: Job) -> None:
    """How far the answers are, and the button that stops them."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("The backends answer one after another, so that each is timed alone.")
        st.button("Stop", on_click=stop, args=(job,), icon=":material/stop:", key="stop")


def verdict_line(made: Round) -> None:
    """Who was fastest and cheapest, where all have answered."""
    parts = verdict(made.answers).parts
    if parts:
        st.markdown(" · ".join(f"**{name}:** {markdown(text)}" for name, text in parts))
        st.caption("Underlined with dots: words that no other answer has.")


# --- the page --------------------------------------------------------------------------------------


def page() -> None:
    """Draw the page."""
    now = session.current()
    service = resources.service(now.visitor)
    linked = link.opened(now, service)
    if linked is not None:
        ask_example(linked)
    jobs = resources.jobs().owned_by(now.visitor, KIND)
    documents = service.catalogue()
    if not jobs and now.scope != MINE and not scope.own(documents):
        ask_example(first_minutes.suggested()[0])
        jobs = resources.jobs().owned_by(now.visitor, KIND)
    own = [each for each in jobs if not each.about]
    job = next((each for each in own if each.id == now.round_id), own[0] if own else None)

    st.title("Ask once, compare every approach", anchor=False)
    begun = round_of(job) if job is not None else None
    asked = begun.asked.question if begun else ""
    which_documents(now, documents, asked)
    link.notice(now, asked)
    if now.notice:
        st.warning(markdown(now.notice))
        now.notice = None
    names = set(scope.names(now, documents))
    if not names:
        nothing_to_ask(now, service, documents)
        return
    question_box(asked, examples_of(now, service, documents))
    if service.may_change and any(scope.is_own(each) for each in documents if each.name in names):
        earlier = rounds_of(reversed(jobs))
        own_documents.steps(now, service, scope.own(documents), earlier, ask_example)
        uploading.news(now)
    else:
        scenario_choices.choose(service, asked, ask_example)
    if job is None:
        st.caption("Nothing was asked yet: the answers of all backends will stand here side by side.")
        return
    if begun is not None and job.finished:
        stale_line(begun, now, service, documents)
    statuses = service.statuses()  # once here, not at every look at the job
    working = any(not each.finished for each in jobs if job.id in (each.id, each.about))
    st.fragment(answers, run_every=POLL if working else None)(job, statuses, working, jobs, service)


def nothing_to_ask(now: session.Session, service: Service, documents: Sequence[CatalogueEntry]) -> None:
    """The chosen documents are none: a drop zone for one's own, a sentence for a collection."""
    if scope.chosen(now, documents) != MINE:
        st.info("None of these documents is here any more: choose others above.")
    elif not service.may_change:
        st.info("Adding documents is for the owner: choose the owner's view first.")
    else:
        own_documents.drop_zone(now, service)
        uploading.panels(now)


page()
