"""What a month costs with each backend: measured tokens, your prices, and where the lines cross."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from backends.costs.monthly import (
    CLAIMED_VOLUME,
    CostCase,
    Crossover,
    OperatingPlan,
    capacity,
    cheapest_words,
    crossover,
    fixed_parts,
    in_words,
    machines,
    measured_of,
    monthly_total,
    per_answer,
    rounded,
    tornado,
    turning,
)
from backends.costs.prices import FIELDS, YOURS, Book, Price, as_toml
from backends.datatypes import UserError
from backends.system.json_values import plain
from backends.system.wording import figure, money, untypical
from pages.costs import cost_charts
from pages.ui import assumptions, charts, measured, resources, session
from pages.ui.conclusion import conclusion
from pages.ui.look import LOOKS, label
from pages.ui.number_box import read_number
from pages.ui.own_prices import keep_changes, own_book
from pages.ui.plain_table import plain_table
from pages.ui.service import Service
from pages.ui.text import listing, markdown, plural

CHALLENGERS = ("fine_tuned", "hybrid")
DEAREST = 1e9  # a price above it is a slip of the key
NOT_TAKEN = "price not taken"  # the key of what was wrong with the last one


# --- what was measured -----------------------------------------------------------------------------


def measured_so_far(now: session.Session, service: Service) -> measured.MeasuredAnswers:
    """What there is, and the button that measures more."""
    found = measured.basis(now, service)
    left_out = sum(untypical(answer.warnings) for answer in found.answers)
    counts = {name: len(m.ids) for name, m in measured_of(found.answers).items()}
    if counts:
        said = measured.who_answered(counts)
        apart = f" {plural(left_out, 'answer')} not counted: stopped, cold or under load." if left_out else ""
        st.caption(
            f"From {markdown(found.where)}: {said}.{apart} Tokens and times are "
            "measured; every price is an input."
        )
    measured.more(now, again=found.board is not None and not found.shipped)
    return found


# --- prices ----------------------------------------------------------------------------------------


def price_table(now: session.Session, service: Service) -> Book:
    """The price book as a table to edit; returns it as edited, and remembers what was changed.

    An amount that is none changes nothing: the table begins anew with the last good ones, and says so.
    """
    book = own_book(now, service)
    table = f"prices-{book.hosted}"
    key = f"{table}-{now.kept.get(f'{table} anew', 0)}"
    if session.read(key) is None:  # this visit's first look: the table holds its edits from here on
        now.kept[key] = book
    try:
        edited = edited_prices(now.kept[key], key)
    except UserError as error:
        now.kept[f"{table} anew"] = now.kept.get(f"{table} anew", 0) + 1
        session.put(NOT_TAKEN, f"{error} The price stays as it was.")
        st.rerun()
    if edited != book:
        session.drop(NOT_TAKEN)
    if problem := session.read(NOT_TAKEN):
        st.error(markdown(problem))
    keep_changes(now, service, edited)
    return edited


def edited_prices(book: Book, key: str) -> Book:
    """The visitor's prices, in a table that can be edited; UserError where an amount is none."""
    frame = pd.DataFrame(
        {
            "Price of": [field.label for field in FIELDS.values()],
            "Amount": [figure(book[key]) for key in FIELDS],
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
            "Amount": st.column_config.TextColumn(width=90, alignment="right", required=True),
            "Date": st.column_config.TextColumn(width=90, help="When you last looked at this price."),
            "Price of": st.column_config.TextColumn(width=190),
            "Unit": st.column_config.TextColumn(width=160),
            "Source": st.column_config.TextColumn(width=360, help="Where it is from, or: your input."),
        },
    )
    for name, text, date, source in zip(
        FIELDS, edited["Amount"], edited["Date"], edited["Source"], strict=True
    ):
        amount = book[name] if text == figure(book[name]) else read_number(str(text or ""), 0.0, DEAREST)
        price = Price(amount, str(date or ""), str(source or YOURS))
        if price != book.prices[name]:
            if price.value != book[name] and price.source == book.prices[name].source:
                price = replace(price, source=YOURS)
            book = book.with_price(name, price)
    return book


# --- results ---------------------------------------------------------------------------------------


def result(case: CostCase, found: Sequence[Crossover]) -> None:
    """Totals and crossovers of the priced case."""
    told = turning(found)
    first = told or next(iter(found), None)
    charts.show(cost_charts.monthly(case, first, session.theme()))
    for each in found:
        if each is not told and (told is not None or each.crossing_share):  # else: no volume changes that
            st.markdown(markdown(in_words(each)))
    claim(case)
    if case.plan.serving == "rented":
        rented(case)
    if min(len(each.ids) for each in case.measured.values()) < measured.FEW:
        st.caption("So few questions say little about the spread: measure more before you trust an interval.")
    if first is not None:
        swings = tornado(case, first.challenger, first.incumbent)
        if swings:
            charts.show(cost_charts.tornado(swings, first, session.theme()))
        else:
            st.caption("No single input moves the crossover when it is halved or doubled.")


def rented(case: CostCase) -> None:
    """How far the rented machines reach."""
    said = [
        f"{label(name)} {plural(machines(case, name), 'machine')} of {rounded(capacity(case, name))} "
        "questions a month each"
        for name in LOOKS
        if name in case.measured
    ]
    st.caption(
        f"Rented day and night: {listing(said)}. The lines hold as far as these machines reach; a larger "
        "volume among the assumptions rents more."
    )


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
    """The main finding in one sentence."""
    said = listing(
        [
            f"{label(name)} {money(monthly_total(case, name, CLAIMED_VOLUME), case.book.currency)}"
            for name in LOOKS
            if name in case.measured
        ]
    )
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

    def said(amount: float) -> str:
        return money(amount, case.book.currency)

    rows = [[part, *(said(fixed_parts(case, n).get(part, 0.0)) for n in names)] for part in parts]
    rows.append(["1,000 answers", *(said(1000 * float(per_answer(case, n).mean())) for n in names)])
    rows.append(
        [f"{figure(case.plan.volume)} questions, all in all", *(said(monthly_total(case, n)) for n in names)]
    )
    st.markdown("**What a month is made of**")
    plain_table(["Part of a month", *map(label, names)], rows, "Monthly cost by part and backend")
    if case.book["labour_hour"] == 0:
        st.caption("People's time is left out: give it a price below to count set-up and retraining.")


def exports(case: CostCase, found: Sequence[Crossover]) -> None:
    """The downloads."""
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


def assumed(now: session.Session, service: Service, *, beside: bool) -> tuple[DeltaGenerator, OperatingPlan]:
    """The assumptions beside the place of the picture, or over the whole width where there is none yet."""
    with st.container(key="beside"):
        left, right = st.columns([2.2, 1], gap="large") if beside else (st.container(), st.container())
    with right, st.container(border=True):
        st.markdown("**Assumptions**")
        plan = assumptions.draw(now, service)
        st.caption("The same on Advise, Stress tests and Fine-tune.")
    return left.container(), plan


# --- the page --------------------------------------------------------------------------------------


def page() -> None:
    """Draw the page."""
    now = session.current()
    service = resources.service(now.visitor)
    st.title("Costs", anchor=False)
    opening, place = st.container(), st.container()
    with place:
        made = measured_of(measured_so_far(now, service).answers)
    picture, plan = assumed(now, service, beside=bool(made))
    st.subheader("Prices", anchor=False)
    st.caption("Examples for you to edit, no offer of any provider. What you change counts at once.")
    book = price_table(now, service)
    if not made:
        with opening:
            conclusion(
                "No cost yet: nothing has been measured.", "Measure with a few questions, or ask some."
            )
        return
    case = CostCase(made, book, plan)
    found = crossings(case)
    with opening:
        conclusion(cheapest_words(case, found))
    with picture:
        result(case, found)
        parts_table(case)
    exports(case, found)


page()
