"""Home: one question, what to make of the answers, the answers side by side, and what lies behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from pages.ui.conclusion import conclusion
from pages.ui.look import CONTROL, LOOKS, backend_of, is_control, label
from pages.ui.places import places
from pages.ui.service import BackendReadiness, Service
from pages.ui.session import MINE
from pages.ui.settings_words import differences
from pages.ui.text import markdown

POLL = 0.35  # seconds; drawing takes processor time from the model that is being timed
EXAMPLES = "examples"  # key of the popover that holds them
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
    session.put(EXAMPLES, False)
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


def question_box(asked: str) -> None:
    """The box and its button."""
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


def to_try(now: session.Session, service: Service, documents: Sequence[CatalogueEntry], asked: str) -> None:
    """Examples and scenarios to ask at a click: the sample's, or of the visitor's own documents."""
    examples = examples_of(now, service, documents)
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
    if not asks_own(now, service, documents):
        scenario_choices.choose(service, asked, ask_example)


def asks_own(now: session.Session, service: Service, documents: Sequence[CatalogueEntry]) -> bool:
    """Whether documents of the visitor's own are among those asked."""
    wanted = set(scope.names(now, documents))
    return service.may_change and any(scope.is_own(each) for each in documents if each.name in wanted)


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


def which_documents(
    now: session.Session,
    documents: Sequence[CatalogueEntry],
    asked: str,
    examples: Callable[[], None] | None,
) -> None:
    """The one choice of the first screen: the sample or one's own documents; vote, link, examples."""
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
        if examples is not None:
            with st.popover(
                "Examples", icon=":material/lightbulb:", type="tertiary", key=EXAMPLES, on_change="rerun"
            ):
                examples()


# --- the answers -----------------------------------------------------------------------------------


def shown_round(job: Job, jobs: Sequence[Job]) -> Round | None:
    """The round of this job, with the answers that were asked for again since."""
    again = [other for other in jobs if other.about == job.id]
    return next(iter(rounds_of([job, *again])), None)


def answers(job: Job, statuses: Statuses, polled: bool, veiled: bool, service: Service) -> None:
    """The columns and what lies behind them; run again and again while the job works, then with the page.

    A click in here runs only this part: where it changes what stands elsewhere, the page is asked to follow.
    """
    # Read before the round: whatever came earlier is in it.
    jobs = jobs_of(job)
    finished = not at_work(job, jobs)
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
    # A place of its own: what is drawn while answers are made never stands where the details will.
    with st.container():
        if finished and made is not None:
            voting.vote_buttons(made, votes, hidden)
            if not hidden:
                st.caption("Underlined with dots: words that no other answer has.")
                scenario_choices.checked(made.asked.question, made.answers)
                details.draw(made, rounds_of(reversed(jobs)), service)
    if polled is finished or (veiled and not hidden):
        st.rerun()  # asked again at every look until the page has taken it


def outcome(job: Job, service: Service) -> None:
    """How far the answers are, then what to make of them; run again and again like the answers.

    It is drawn at every look: Streamlit may drop a rerun of the page or part of what it sent.
    """
    jobs = jobs_of(job)
    running = at_work(job, jobs)
    made = shown_round(job, jobs)
    with st.container(key="outcome"):
        if running:
            running_line(running[0])
        elif made is not None and voting.hidden(made, service.votes()):
            st.caption("What to make of the answers is told after your vote.")
        elif made is not None:
            verdict_lines(made)


def jobs_of(job: Job) -> Sequence[Job]:
    """All of this visitor's, the newest first."""
    return resources.jobs().owned_by(job.owner, KIND)


def at_work(job: Job, jobs: Sequence[Job]) -> list[Job]:
    """The jobs that still make answers of this round."""
    return [each for each in jobs if job.id in (each.id, each.about) and not each.finished]


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


def verdict_lines(made: Round) -> None:
    """What to make of the answers, and of those that stand who was fastest and cheapest."""
    told = verdict(made.answers)
    if told.conclusion:
        conclusion(told.conclusion, " · ".join(f"{name}: {text}" for name, text in told.parts))


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
    earlier = rounds_of(reversed(jobs))
    mine = asks_own(now, service, documents)
    new = job is None or (mine and not own_documents.asked_about(scope.own(documents), earlier))
    names = set(scope.names(now, documents))
    examples = partial(to_try, now, service, documents, asked)
    which_documents(now, documents, asked, examples if names and not new else None)
    link.notice(now, asked)
    if now.notice:
        st.warning(markdown(now.notice))
        now.notice = None
    if not names:
        nothing_to_ask(now, service, documents)
        return
    question_box(asked)
    working = job is not None and bool(at_work(job, jobs))
    if job is not None:
        st.fragment(outcome, run_every=POLL if working else None)(job, service)
    if new:
        examples()
    if mine:
        own_documents.steps(now, service, scope.own(documents), earlier, ask_example)
        uploading.news(now)
    else:
        scenario_choices.others(service, asked, ask_example)
    if job is None:
        st.caption("Nothing was asked yet: the answers of all backends will stand here side by side.")
        return
    if begun is not None and job.finished:
        stale_line(begun, now, service, documents)
    statuses = service.statuses()  # once here, not at every look at the job
    veiled = begun is not None and voting.hidden(begun, service.votes())
    st.fragment(answers, run_every=POLL if working else None)(job, statuses, working, veiled, service)


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
