"""Which approach: RAG first, and what would have to be true for tuning or a hybrid."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
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
    advise,
    flip_words,
    prefill,
)
from backends.advice.findings import STRESSED, change_rate, evidence_of, fitting, stress_findings
from backends.costs.monthly import OperatingPlan
from backends.datatypes import BackendName
from backends.evaluation.probes import chosen, questions_for
from backends.language.answer_text import is_json
from backends.system.jobs import Job
from pages.advise import advice_report
from pages.ui import resources, session
from pages.ui.evaluator import KIND, Order
from pages.ui.look import LOOKS
from pages.ui.own_prices import own_book
from pages.ui.service import Service
from pages.ui.text import listing, markdown

PAGES = Path(__file__).resolve().parents[1]
EVALUATE, STRESS = str(PAGES / "evaluate" / "evaluate_page.py"), str(PAGES / "stress" / "stress_page.py")
POLL = 0.6
QUESTIONS = 24
STRUCTURED = 6
DAYS_A_MONTH = 30.4


# --- what is known ---------------------------------------------------------------------------------


def known(service: Service) -> dict[str, Prefilled]:
    """Answers that need not be asked, each with where it comes from."""
    found: dict[str, Prefilled] = {}
    histories = [service.history(document.name) for document in service.documents()]
    starts = [datetime.fromisoformat(entry.at) for history in histories for entry in history[:1]]
    if starts:
        months = (datetime.now(min(starts).tzinfo) - min(starts)).days / DAYS_A_MONTH
        if (rate := change_rate(histories, months)) is not None:
            found["changes"] = rate
    adapter = service.adapters().active("fine_tuned")
    if adapter is not None and adapter.card.rows:
        found["rows"] = Prefilled(
            adapter.card.rows, f"the training rows of the adapter {adapter.name}, as its card says"
        )
    return found


def evidence_for(service: Service, now: session.Session, answers: Answers) -> MeasuredFindings:
    """The newest evaluation of every approach, priced, and the newest stress tests; empty without any."""
    evaluator = service.evaluator(now.visitor)
    stressed = tuple(stress_findings([evaluator.own.workspace, evaluator.shared.workspace]))
    record = fitting(evaluator.runs())
    if record is None:
        return MeasuredFindings(stressed)
    scored = evidence_of(
        evaluator.board(record.run), own_book(now, service), OperatingPlan(changes=answers.changes)
    )
    return MeasuredFindings((*scored.findings, *stressed))


# --- questions -------------------------------------------------------------------------------------


def questionnaire(found: dict[str, Prefilled]) -> Answers:
    answers = prefill(found)
    for ask in ASKS:
        value = _level(ask, answers) if ask.levels else _number(ask, answers)
        changed: dict[str, Any] = {ask.key: value}
        answers = replace(answers, **changed)
        if ask.key in found and value == getattr(prefill(found), ask.key):
            st.caption(f"From {markdown(found[ask.key].source)}.")
    return answers


def _level(ask: AdviceQuestion, answers: Answers) -> int:
    chosen_ = st.segmented_control(
        ask.question, list(range(len(ask.levels))), format_func=ask.levels.__getitem__,
        default=getattr(answers, ask.key), key=f"ask-{ask.key}", required=True, help=_help(ask),
    )  # fmt: skip
    return int(chosen_ or 0)


def _number(ask: AdviceQuestion, answers: Answers) -> float:
    return float(
        st.number_input(
            ask.question, ask.low, ask.high, float(getattr(answers, ask.key)),
            key=f"ask-{ask.key}", format="%g", help=_help(ask),
        )
    )  # fmt: skip


def _help(ask: AdviceQuestion) -> str:
    return f"{ask.help} (Guides {', '.join(ask.guides)}.)"


def weights() -> dict[str, float]:
    with st.expander("How much each point weighs"):
        return {
            c.key: float(st.slider(c.label, 0.0, 5.0, float(c.weight), 0.5, key=f"weight-{c.key}"))
            for c in CRITERIA
        }


# --- the advice ------------------------------------------------------------------------------------


def advice_card(advice: Advice, answers: Answers) -> None:
    look = LOOKS[advice.recommended]
    with st.container(border=True):
        st.markdown(f"### :{look.tint}[{look.mark} {NAMES[advice.recommended]}]")
        st.markdown(markdown(advice.gap.text))
        st.caption(markdown(f"Rests on {advice_report.basis_words(advice.gap)}."))
    st.markdown("**Why**")
    for reason in advice.reasons:
        st.markdown(f"- {markdown(reason.text)}  \n  :small[{markdown(advice_report.basis_words(reason))}]")
    st.markdown("**What would change it**")
    if not advice.flips:
        st.caption("No single other answer changes the recommendation.")
    for flip in advice.flips:
        st.markdown(f"- {markdown(flip_words(flip, answers))}")
    st.markdown("**How sure**")
    st.markdown(markdown(advice_report.robust_words(advice)))
    st.caption(markdown("Guides: " + "; ".join(f"{letter}: {name}" for letter, name in GUIDES.items()) + "."))


def marks_table(advice: Advice) -> None:
    st.markdown("**Marks, 0 to 1, and their weights**")
    rows: list[dict[str, Any]] = [
        {
            "Point": s.criterion.label + ("" if s.measured else " (assumed)"),
            "Weight": f"{s.weight:g}",
            **{NAMES[name]: s.marks[name] for name in APPROACHES},
        }
        for s in advice.scores
    ]
    rows.append({"Point": "Weighted mean", "Weight": "", **{NAMES[n]: advice.totals[n] for n in APPROACHES}})
    columns: dict[str, Any] = {
        NAMES[n]: st.column_config.ProgressColumn(width=104, min_value=0.0, max_value=1.0, format="%.2f")
        for n in APPROACHES
    }
    columns["Point"] = st.column_config.TextColumn(width=170)
    columns["Weight"] = st.column_config.TextColumn(width=56, alignment="right")
    frame = pd.DataFrame(rows)
    st.dataframe(
        frame, hide_index=True, column_config=columns, height=38 + 35 * len(frame),
        alt="Marks of RAG, hybrid and fine-tuning on every point, and the weighted mean.",
    )  # fmt: skip


def findings_table(evidence: MeasuredFindings) -> None:
    if not evidence.findings:
        return
    stressed = [f for f in evidence.findings if f.key in dict(STRESSED)]
    st.markdown("**Measured**")
    with st.container(horizontal=True):
        if len(stressed) < len(evidence.findings):
            st.page_link(EVALUATE, label="Open the evaluation", icon=":material/analytics:")
        if stressed:
            st.page_link(STRESS, label="Open the stress tests", icon=":material/bolt:")
    frame = pd.DataFrame(
        [
            {
                "What": MEASURE_WORDS[f.key],
                "Of": NAMES[f.backend],
                "Value": f.value,
                "95 %": "" if f.low is None else f"{f.low:.3g} to {f.high:.3g}",
                "Run": f.run,
            }
            for f in evidence.findings
        ]
    )
    st.dataframe(
        frame, hide_index=True, alt="Every measured number with its interval.",
        column_config={"Value": st.column_config.NumberColumn(format="%.4g")},
    )  # fmt: skip


def not_known(advice: Advice, job: Job | None, working: bool) -> None:
    """What is missing, and the button that measures it."""
    if advice.unknown:
        missing = listing([MEASURE_WORDS[key] for key in advice.unknown])
        st.info(f"Not known yet: {missing}. Until it is measured, the guides' view or nothing stands in.")
        if set(advice.unknown) & set(dict(STRESSED)):
            st.page_link(
                STRESS, label="Run the freshness and erasure tests to know them", icon=":material/bolt:"
            )
    if working and job is not None:
        st.fragment(progress, run_every=POLL)(job)
        return
    st.button(
        f"Measure with {QUESTIONS + STRUCTURED} questions" if advice.unknown else "Measure again",
        key="measure-all", on_click=measure, icon=":material/timer:",
        help="An evaluation of RAG, fine-tuning and the hybrid on the same questions; it is stored.",
    )  # fmt: skip


def progress(job: Job) -> None:
    if job.finished:
        st.rerun()
    done, total, what = job.progress
    left = job.seconds_left
    rest = f", about {max(1, round(left))} s left" if left is not None and total else ""
    st.progress(job.fraction, text=f"Answer {done:,} of {total:,}{rest}" if total else markdown(what))
    st.button("Cancel", on_click=job.cancel, key="cancel-advice", icon=":material/close:")


def measure() -> None:
    now = session.current()
    service = resources.service(now.visitor)
    pool = questions_for(service.documents())
    labels = [q for q in pool if q.answers and is_json(q.answers[0])]
    plain = [q for q in pool if q not in labels]
    asked = (*chosen(plain, QUESTIONS, 0), *chosen(labels, STRUCTURED, 0))
    backends: tuple[BackendName, ...] = ("rag", "fine_tuned", "hybrid")
    order = Order(asked, "advisor", backends, now.settings, name="For the advisor")
    resources.jobs().start(KIND, now.visitor, service.evaluator(now.visitor).ordered(order))


# --- the page --------------------------------------------------------------------------------------


def page() -> None:
    now = session.current()
    service = resources.service(now.visitor)
    st.title("Which approach fits", anchor=False)
    st.caption(
        "RAG comes first; tuning or a hybrid has to earn its place by a measured gap or a requirement."
    )
    left, right = st.columns([1, 1.5], gap="large")
    with left:
        answers = questionnaire(known(service))
        moved = weights()
    job, working = resources.newest_job(now.visitor, KIND)
    evidence = evidence_for(service, now, answers)
    advice = advise(answers, evidence, moved)
    with right:
        advice_card(advice, answers)
        not_known(advice, job, working)
        marks_table(advice)
        findings_table(evidence)
        st.download_button(
            "One-page report",
            advice_report.as_html(answers, advice, evidence, datetime.now().astimezone()),
            file_name="triptych-advice.html",
            mime="text/html",
            key="advice-report",
            on_click="ignore",
            icon=":material/description:",
            help="HTML that prints on one or two sheets, with every number and the run it comes from.",
        )


page()
