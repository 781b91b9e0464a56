"""Which approach: RAG first, and what would have to be true for tuning or a hybrid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import streamlit as st

from backends.advice.advisor import (
    APPROACHES,
    ASKS,
    CRITERIA,
    GUIDES,
    MEASURE_WORDS,
    NAMES,
    Advice,
    AdviceQuestion,
    Answers,
    MeasuredFindings,
    Prefilled,
    Reason,
    advise,
    flip_words,
    prefill,
    value_words,
)
from backends.advice.findings import STRESSED, books_of, evidence_of, stress_findings
from backends.costs.prices import Book
from backends.datatypes import BackendName, JsonValue
from backends.stress import results
from pages.advise import advice_report
from pages.ui import assumptions, measured, resources, session
from pages.ui.conclusion import conclusion
from pages.ui.measured import MeasuredAnswers
from pages.ui.own_prices import own_book
from pages.ui.plain_table import Cell, plain_table, word_table
from pages.ui.service import Service
from pages.ui.text import listing, markdown

PAGES = Path(__file__).resolve().parents[1]
EVALUATE, STRESS = str(PAGES / "evaluate" / "evaluate_page.py"), str(PAGES / "stress" / "stress_page.py")
COMES_WITH = "comes with Triptych"


# --- what is known ---------------------------------------------------------------------------------


def known(service: Service) -> dict[str, Prefilled]:
    """Answers that need not be asked, each with where it comes from."""
    found: dict[str, Prefilled] = {}
    if (rate := assumptions.change_rate_of(service)) is not None:
        found["changes"] = rate
    adapter = service.adapters().active("fine_tuned")
    if adapter is not None and adapter.card.rows:
        found["rows"] = Prefilled(
            adapter.card.rows, f"the training rows of the adapter {adapter.name}, as its card says"
        )
    return found


def evidence_for(service: Service, now: session.Session) -> tuple[MeasuredFindings, dict[str, str]]:
    """The evaluation that counts, priced, and the newest stress tests; and who measured each run."""
    evaluator = service.evaluator(now.visitor)
    found = measured.basis(now, service)
    stressed = tuple(stress_findings([evaluator.own.workspace, evaluator.shared.workspace]))
    by = {each.run: _by(evaluator.own.workspace, each.run) for each in stressed}
    if not stressed and found.shipped:
        stressed = tuple(stress_findings([evaluator.shipped.workspace]))
        by = {each.run: COMES_WITH for each in stressed}
    if found.board is None:
        return MeasuredFindings(stressed), by
    run = found.board.run.record.run
    by[run] = COMES_WITH if found.shipped else measured.whose(evaluator, run)
    scored = evidence_of(found.board, prices_of(found, now, service), assumptions.own_plan(now, service))
    return replace(scored, findings=(*scored.findings, *stressed)), by


def _by(own: Path, run: str) -> str:
    """Who measured a stress test."""
    mine = (own / results.FOLDER / f"{run}.json").is_file()
    return "measured by you" if mine else "measured by somebody on this server"


def prices_of(found: MeasuredAnswers, now: session.Session, service: Service) -> dict[BackendName, Book]:
    """Of each approach in a run: the visitor's book, or the prices of the endpoint it asked."""
    arms = found.board.run.record.arms if found.board is not None else ()
    model = str(arms[0].settings.get("model")) if arms else ""
    return books_of(own_book(now, service), service.endpoint_prices(model), APPROACHES)


# --- questions -------------------------------------------------------------------------------------


def questionnaire(found: dict[str, Prefilled], service: Service) -> Answers:
    """Every question; what is asked as an assumption of the costs too is the same number here."""
    answers, shared = prefill(found), assumptions.assumed(service)
    for ask in ASKS:
        if ask.key in shared:
            value: float = assumptions.ask(replace(shared[ask.key], help=_help(ask)), ask.question)
        else:
            value = _level(ask, answers) if ask.levels else _number(ask, answers)
        changed: dict[str, JsonValue] = {ask.key: value}
        answers = replace(answers, **changed)
        if ask.key in found and value == getattr(prefill(found), ask.key):
            st.caption(f"From {markdown(found[ask.key].source)}.")
    return answers


def _level(ask: AdviceQuestion, answers: Answers) -> int:
    key = f"ask-{ask.key}"
    chosen_ = st.segmented_control(
        ask.question, list(range(len(ask.levels))), format_func=ask.levels.__getitem__,
        default=session.recall(key, getattr(answers, ask.key)), key=key, required=True, help=_help(ask),
    )  # fmt: skip
    session.keep(key, chosen_)
    return int(chosen_ or 0)


def _number(ask: AdviceQuestion, answers: Answers) -> float:
    known_ = float(getattr(answers, ask.key))
    return assumptions.ask(
        assumptions.Assumed(f"ask-{ask.key}", ask.question, ask.low, ask.high, known_, _help(ask))
    )


def _help(ask: AdviceQuestion) -> str:
    return f"{ask.help} (Guides {', '.join(ask.guides)}.)"


def weights() -> dict[str, float]:
    """The sliders of the weights; returns them."""
    with st.expander("How much each point weighs"):
        return {
            c.key: float(st.slider(c.label, 0.0, 5.0, float(c.weight), 0.5, key=f"weight-{c.key}"))
            for c in CRITERIA
        }


# --- the advice ------------------------------------------------------------------------------------


def reasons(advice: Advice, answers: Answers) -> None:
    """Why, what speaks for the runner-up, what would change it, and how sure it is."""
    name, second = NAMES[advice.recommended], NAMES[advice.runner_up]
    st.subheader(f"Why {name}, not {second}", anchor=False)
    _list(advice.reasons)
    if advice.against:
        st.subheader(f"What speaks for {second}", anchor=False)
        _list(advice.against)
    st.subheader("What would change it", anchor=False)
    st.markdown(markdown(advice.gap.text))
    if not advice.flips:
        st.caption("No single other answer changes the recommendation.")
    for flip in advice.flips:
        st.markdown(f"- {markdown(flip_words(flip, answers))}")
    st.subheader("How sure", anchor=False)
    st.markdown(markdown(advice_report.robust_words(advice)))
    st.caption(markdown("Guides: " + "; ".join(f"{letter}: {name}" for letter, name in GUIDES.items()) + "."))


def _list(found: Sequence[Reason]) -> None:
    for reason in found:
        st.markdown(f"- {markdown(reason.text)}  \n  :small[{markdown(advice_report.basis_words(reason))}]")


def marks_table(advice: Advice) -> None:
    """Every approach's marks, criterion by criterion."""
    st.markdown("**Marks, 0 to 1, and their weights**")
    rows: list[list[Cell]] = [
        [
            s.criterion.label + ("" if s.measured else " (assumed)"),
            *(s.marks[name] for name in APPROACHES),
            f"{s.weight:g}",
        ]
        for s in advice.scores
    ]
    rows.append(["Weighted mean", *(advice.totals[name] for name in APPROACHES), ""])
    plain_table(
        ["Point", *(NAMES[name] for name in APPROACHES), "Weight"], rows,
        "Marks of RAG, hybrid and fine-tuning on every point, and the weighted mean",
    )  # fmt: skip


def findings_table(evidence: MeasuredFindings, by: Mapping[str, str]) -> None:
    """What was measured, with where it comes from."""
    if not evidence.findings:
        return

    def said(key: str, value: float) -> str:
        return value_words(key, value, evidence.currency)

    stressed = [f for f in evidence.findings if f.key in dict(STRESSED)]
    st.markdown("**Measured**")
    with st.container(horizontal=True):
        if len(stressed) < len(evidence.findings):
            st.page_link(EVALUATE, label="Open the evaluation", icon=":material/analytics:")
        if stressed:
            st.page_link(STRESS, label="Open the stress tests", icon=":material/bolt:")
    rows = [
        [
            MEASURE_WORDS[f.key],
            NAMES[f.backend],
            said(f.key, f.value),
            "" if f.low is None or f.high is None else f"{said(f.key, f.low)} to {said(f.key, f.high)}",
            by[f.run],
            f.run,
        ]
        for f in evidence.findings
    ]
    word_table(
        ["What", "Of", "Value", "95 %", "By", "Run"], rows,
        "Every measured number with its interval and who measured it",
    )  # fmt: skip


def not_known(advice: Advice) -> None:
    """What is missing, and where it is measured."""
    if not advice.unknown:
        return
    missing = listing([MEASURE_WORDS[key] for key in advice.unknown])
    st.info(f"Not known yet: {missing}. Until it is measured, the guides' view or nothing stands in.")
    if set(advice.unknown) & set(dict(STRESSED)):
        st.page_link(STRESS, label="Run the freshness and erasure tests to know them", icon=":material/bolt:")


# --- the page --------------------------------------------------------------------------------------


def page() -> None:
    """Draw the page."""
    now = session.current()
    service = resources.service(now.visitor)
    st.title("Advise", anchor=False)
    opening = st.container()
    left, right = st.columns([1, 1.5], gap="large")
    with left:
        st.subheader("Your case", anchor=False)
        answers = questionnaire(known(service), service)
        moved = weights()
    evidence, by = evidence_for(service, now)
    advice = advise(answers, evidence, moved)
    with opening:
        conclusion(advice.headline, _rests_on(advice, answers, by))
    with right:
        marks_table(advice)
        reasons(advice, answers)
        not_known(advice)
        measured.more(now, again="right" not in advice.unknown and COMES_WITH not in by.values())
    findings_table(evidence, by)
    st.download_button(
        "One-page report",
        advice_report.as_html(
            answers,
            advice,
            evidence,
            datetime.now().astimezone(),
            prices_of(measured.basis(now, service), now, service),
        ),
        file_name="triptych-advice.html",
        mime="text/html",
        key="advice-report",
        on_click="ignore",
        icon=":material/description:",
        help="HTML that prints on one or two sheets, with every number and the run it comes from.",
    )
    assumptions.expander(now, service, without=[ask.key for ask in ASKS])


def _rests_on(advice: Advice, answers: Answers, by: Mapping[str, str]) -> str:
    """What the recommendation rests on, and the nearest answer that would change it."""
    rests = f"Rests on your answers and on what was {listing(list(dict.fromkeys(by.values())))}."
    if not by:
        rests = "Rests on your answers and the guides alone: nothing has been measured yet."
    elif set(by.values()) == {COMES_WITH}:
        rests = "Rests on your answers and on the example that comes with Triptych: measure your own below."
    nearest = f" {flip_words(advice.flips[0], answers)}" if advice.flips else ""
    return rests + nearest


page()
