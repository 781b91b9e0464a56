"""What a month costs with each backend: measured tokens, your prices, and where the lines cross."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

import pandas as pd
import streamlit as st

from backends.advice.findings import fitting
from backends.costs.monthly import (
    CLAIMED_VOLUME,
    CostCase,
    Crossover,
    OperatingPlan,
    Serving,
    crossover,
    fixed,
    fixed_parts,
    in_words,
    measured_of,
    per_answer,
    tornado,
)
from backends.costs.prices import FIELDS, YOURS, Book, Price, as_toml
from backends.datatypes import Answer, UserError
from backends.system.jobs import Job
from backends.system.json_values import plain
from backends.system.wording import duration, money, untypical
from pages.costs import cost_charts, measuring
from pages.ui import charts, resources, session
from pages.ui.look import LOOKS, label
from pages.ui.own_prices import hosted_models, keep_changes, own_book
from pages.ui.service import Service
from pages.ui.text import listing, markdown, plural

POLL = 0.5
QUESTIONS = 12
FEW = 8  # questions below which an interval says little
SERVING: dict[Serving, str] = {"hosted": "Hosted", "self_hosted": "Own machine"}
CHALLENGERS = ("fine_tuned", "hybrid")
BYTES_PER_PASSAGE = 384 * 4 + 1_000  # a vector and its text


# --- what was measured -----------------------------------------------------------------------------


def measured_so_far(now: session.Session) -> list[Answer]:
    """What there is, how much of it, and the button that measures more."""
    job, working = resources.newest_job(now.visitor, measuring.KIND)
    run, stored = stored_answers(now)
    answers = [*stored, *measuring.measured_answers(now.visitor)]
    counts = {name: len(m.ids) for name, m in measured_of(answers).items()}
    if left_out := sum(untypical(answer.warnings) for answer in answers):
        st.caption(
            f"{plural(left_out, 'answer')} not counted: stopped, cold, or timed under load, as they say."
        )
    if counts:
        said = listing([f"{label(name)} {count:,}" for name, count in counts.items()])
        where = f"in this session and in the evaluation run {markdown(run)}" if run else "in this session"
        st.caption(
            f"Measured {where}, different questions: {said}. Tokens and times are measured; every price is "
            "an input."
        )
    if job is not None:
        st.fragment(progress, run_every=POLL if working else None)(job, working)
    if not working:
        st.button(
            f"Measure with {QUESTIONS} questions",
            key="measure",
            icon=":material/timer:",
            on_click=measure,
            help="Every backend that is switched on answers the same questions about the documents; "
            "takes about half a minute on two processor cores.",
        )
    return answers


def stored_answers(now: session.Session) -> tuple[str, list[Answer]]:
    """The newest evaluation of every approach: its id and answers; nothing where there is none."""
    evaluator = resources.service(now.visitor).evaluator(now.visitor)
    record = fitting(evaluator.runs())
    if record is None:
        return "", []
    entries = evaluator.board(record.run).run.entries
    return record.run, [entry.answer for entry in entries if entry.answer is not None]


def measure() -> None:
    now = session.current()
    service = resources.service(now.visitor)
    work = measuring.measuring(service, now.backends, now.settings, QUESTIONS)
    resources.jobs().start(measuring.KIND, now.visitor, work)


def progress(job: Job, polled: bool) -> None:
    if polled and job.finished:
        st.rerun()
    if not job.finished:
        left = job.seconds_left
        rest = f", about {max(1, round(left))} s left" if left is not None else ""
        done, total, _ = job.progress
        st.progress(job.fraction, text=f"Answer {done:,} of {total:,}{rest}" if total else "Waiting")
        st.button("Cancel", on_click=job.cancel, key="cancel-measure", icon=":material/close:")
    elif job.state == "failed":
        st.error(markdown(job.error or "Measuring failed."))


# --- inputs ----------------------------------------------------------------------------------------


def chosen_plan(now: session.Session, service: Service) -> OperatingPlan:
    """How the product is run; whose prices count is remembered in the session."""
    passages = sum((service.passages(now.settings) or {}).values())
    serving = st.segmented_control(
        "How the model is served", list(SERVING), format_func=SERVING.__getitem__,
        default=session.recall("serving", "hosted"), key="serving", required=True,
        help="A hosted model is paid by the token, your own machine by the hour.",
    )  # fmt: skip
    session.keep("serving", serving)
    busy = 50
    if serving == "hosted":
        chosen_model(now, service)
    else:
        busy = st.slider(
            "Busy share of the machine", 5, 100, session.recall("busy", 50), 5, format="%d %%", key="busy",
            help="How much of a paid hour is spent answering; the rest is paid and idle.",
        )  # fmt: skip
        session.keep("busy", busy)
    changes = number(
        "Documents that change in a month", 0.0, 10_000.0, 4.0, key="changes",
        help_="Each change is embedded again; enough of them call for a new training run.",
    )  # fmt: skip
    gathered = number(
        "Changes that gather before retraining", 1.0, 10_000.0, 4.0, key="gathered",
        help_="A tuned model answers from the old state until then.",
    )  # fmt: skip
    minutes, said = training_minutes(service)
    minutes = number("Minutes of one training run", 0.0, 100_000.0, minutes, key="training", help_=said)
    months = number("Months that one-off costs are spread over", 1.0, 120.0, 12.0, key="months")
    tokens = passages * now.settings.chunk_size
    return OperatingPlan(
        serving=serving or "hosted",
        busy_share=busy / 100,
        months=months,
        changes=changes,
        changes_per_retraining=gathered,
        training_hours=minutes / 60,
        corpus_tokens=tokens,
        changed_tokens=tokens / max(1, len(service.documents())),
        gigabytes=passages * BYTES_PER_PASSAGE / 1e9,
    )


def number(
    label_: str, low: float, high: float, default: float, *, key: str, help_: str | None = None
) -> float:
    """A number to type, which survives a visit to another page."""
    value = st.number_input(
        label_, low, high, session.recall(key, default), 1.0, format="%g", key=key, help=help_
    )
    session.keep(key, value, default)
    return float(value)


def chosen_model(now: session.Session, service: Service) -> None:
    models = hosted_models(service)
    known = own_book(now, service).hosted
    if session.recall("hosted", known) not in models:
        session.put("hosted", known)
    now.hosted = st.selectbox(
        "Price of", list(models), list(models).index(session.read("hosted")),
        format_func=models.__getitem__, key="hosted",
    )  # fmt: skip


def training_minutes(service: Service) -> tuple[float, str]:
    """What the visitor's fine-tuned adapter took, as its card says, and that in words."""
    adapter = service.adapters().active("fine_tuned")
    seconds = float(adapter.card.report.get("seconds") or 0.0) if adapter is not None else 0.0
    if adapter is None or not seconds:
        return 0.0, "No adapter says what its training took: an input of yours."
    tokens = int(adapter.card.report.get("tokens") or 0)
    return round(seconds / 60, 1), (
        f"Measured: {duration(seconds)} for {tokens:,} tokens, says the card of the adapter "
        f"{markdown(adapter.name)}."
    )


def price_table(now: session.Session, service: Service) -> Book:
    """The price book as a table to edit; returns it as edited, and remembers what was changed."""
    book = own_book(now, service)
    key = f"prices-{book.hosted}"
    if session.read(key) is None:  # this visit's first look: the table holds its edits from here on
        now.kept[key] = book
    book = edited_prices(now.kept[key], key)
    keep_changes(now, service, book)
    return book


def edited_prices(book: Book, key: str) -> Book:
    frame = pd.DataFrame(
        {
            "Price of": [field.label for field in FIELDS.values()],
            "Amount": [book[key] for key in FIELDS],
            "Unit": [
                field.unit if field.unit == "times" else f"{book.currency} {field.unit}"
                for field in FIELDS.values()
            ],
            "Date": [book.prices[key].date for key in FIELDS],
            "Source": [book.prices[key].source for key in FIELDS],
        }
    )
    edited = st.data_editor(
        frame,
        key=key,
        hide_index=True,
        width="stretch",
        height=38 + 35 * len(frame),
        disabled=["Price of", "Unit"],
        column_config={
            "Amount": st.column_config.NumberColumn(width=90, min_value=0.0, format="%.4g", required=True),
            "Date": st.column_config.TextColumn(width=110, help="When you last looked at this price."),
            "Price of": st.column_config.TextColumn(width=190),
            "Unit": st.column_config.TextColumn(width=180),
            "Source": st.column_config.TextColumn(help="Where it is from, or: your input."),
        },
    )
    for name, amount, date, source in zip(
        FIELDS, edited["Amount"], edited["Date"], edited["Source"], strict=True
    ):
        price = Price(float(amount), str(date or ""), str(source or YOURS))
        if price != book.prices[name]:
            if price.value != book[name] and price.source == book.prices[name].source:
                price = replace(price, source=YOURS)
            book = book.with_price(name, price)
    return book


# --- results ---------------------------------------------------------------------------------------


def result(case: CostCase) -> None:
    found = crossings(case)
    first = next(iter(found), None)
    charts.show(cost_charts.monthly(case, first, session.theme()))
    for other in found[1:]:
        st.markdown(markdown(in_words(other)))
    claim(case)
    if min(len(measured.ids) for measured in case.measured.values()) < FEW:
        st.caption("So few questions say little about the spread: measure more before you trust an interval.")
    if first is not None:
        swings = tornado(case, first.challenger, first.incumbent)
        if swings:
            charts.show(cost_charts.tornado(swings, first, session.theme()))
        else:
            st.caption("No single input moves the crossover when it is halved or doubled.")


def crossings(case: CostCase) -> list[Crossover]:
    """Each tuned backend against RAG, where both were measured on the same questions."""
    made = []
    for name in CHALLENGERS:
        if {"rag", name} <= set(case.measured):
            try:
                made.append(crossover(case, name, "rag"))  # type: ignore[arg-type]
            except UserError as error:
                st.caption(markdown(str(error)))
    return made


def claim(case: CostCase) -> None:
    totals = {
        name: fixed(case, name) + CLAIMED_VOLUME * float(per_answer(case, name).mean())
        for name in LOOKS
        if name in case.measured
    }
    said = listing([f"{label(name)} {money(total, case.book.currency)}" for name, total in totals.items()])
    st.markdown(
        markdown(f"At 100,000 questions a month, where tuning is often said to begin to pay: {said} a month.")
    )


def parts_table(case: CostCase) -> None:
    """What a month is made of before the first question, and what a thousand answers cost."""
    names = [name for name in LOOKS if name in case.measured]
    parts = [
        part
        for part in dict.fromkeys(part for name in names for part in fixed_parts(case, name))
        if any(fixed_parts(case, name).get(part) for name in names)
    ]
    rows = [
        {"Part of a month": part, **{label(n): fixed_parts(case, n).get(part, 0.0) for n in names}}
        for part in parts
    ]
    thousand = {label(n): 1000 * float(per_answer(case, n).mean()) for n in names}
    rows.append({"Part of a month": "1,000 answers", **thousand})
    frame = pd.DataFrame(rows)
    columns = {label(n): st.column_config.NumberColumn(format="%.4g") for n in names}
    st.markdown(f"**What it is made of, in {markdown(case.book.currency)}**")
    st.dataframe(
        frame, hide_index=True, column_config=columns, alt="Monthly cost by part and backend.",
        height=38 + 35 * len(frame),
    )  # fmt: skip
    if case.book["labour_hour"] == 0:
        st.caption("People's time is left out: give it a price below to count set-up and retraining.")


def exports(case: CostCase, found: Sequence[Crossover]) -> None:
    record = {
        "currency": case.book.currency,
        "plan": asdict(case.plan),
        "prices": plain(case.book.prices),
        "measured": plain(case.measured),
        "crossovers": plain(list(found)),
        "fixed_a_month": {name: fixed_parts(case, name) for name in case.measured},
    }
    with st.container(horizontal=True):
        st.download_button(
            "Everything as JSON",
            json.dumps(record, indent=1, allow_nan=False),
            file_name="triptych-costs.json",
            key="costs-json",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Price book as TOML",
            as_toml(case.book),
            file_name="prices.toml",
            key="prices-toml",
            on_click="ignore",
            icon=":material/download:",
            help="Put it into the workspace folder as prices.toml to price every answer with it.",
        )


# --- the page --------------------------------------------------------------------------------------


def page() -> None:
    now = session.current()
    service = resources.service(now.visitor)
    st.title("What a month costs", anchor=False)
    answers = measured_so_far(now)
    left, right = st.columns([2.2, 1], gap="large")
    with right, st.container(border=True):
        plan = chosen_plan(now, service)
    with left:
        place = st.container()
    st.subheader("Prices", anchor=False)
    st.caption("Examples for you to edit, no offer of any provider. What you change counts at once.")
    book = price_table(now, service)
    measured = measured_of(answers)
    if not measured:
        place.info(
            "Nothing has been measured yet: measure with a few questions, or ask some on the home page."
        )
        return
    case = CostCase(measured, book, plan)
    with place:
        result(case)
        parts_table(case)
    exports(case, crossings(case))


page()
