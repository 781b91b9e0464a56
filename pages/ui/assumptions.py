"""The one set of assumptions behind every amount of money: Costs, Advise, Stress and Fine-tune read it here.

Enters: the visitor's session and service. Leaves: an `OperatingPlan`, the same on every page, and the inputs
to change it. What was measured is the default; what was typed lasts as long as the visit. Prices are apart,
in `own_prices`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import streamlit as st

from backends.advice.advisor import ASK, Prefilled
from backends.advice.findings import change_rate
from backends.costs.monthly import RETRIEVING, OperatingPlan, Serving, training_run
from backends.costs.prices import Book
from backends.system.wording import duration, figure, money
from pages.ui import session
from pages.ui.number_box import number_box, number_of
from pages.ui.own_prices import hosted_models, own_book
from pages.ui.service import Service
from pages.ui.session import Session
from pages.ui.text import markdown

T = TypeVar("T")

COSTS = str(Path(__file__).resolve().parents[1] / "costs" / "costs_page.py")
SERVING: dict[Serving, str] = {
    "hosted": "Hosted, by the token",
    "self_hosted": "Own machine, while it works",
    "rented": "Rented, day and night",
}
BYTES_PER_PASSAGE = 384 * 4 + 1_000  # a vector and its text
DAYS_A_MONTH = 30.4


@dataclass(frozen=True)
class Assumed:
    """One number of the plan as it is asked for; `key` is its widget's and the session's."""

    key: str
    label: str
    low: float
    high: float
    default: float
    help: str = ""


def assumed(service: Service) -> dict[str, Assumed]:
    """Every number, with what was measured as its default."""
    plan, (minutes, said) = OperatingPlan(), training_minutes(service)
    rate = change_rate_of(service)
    changes, volume = ASK["changes"], ASK["volume"]
    numbers = (
        Assumed("volume", "Questions a month", volume.low, volume.high, plan.volume, volume.help),
        Assumed(
            "changes", "Documents that change in a month", changes.low, changes.high,
            min(rate.value, changes.high) if rate else plan.changes,
            f"From {rate.source}." if rate else "Each is embedded again; enough of them call for training.",
        ),
        Assumed(
            "gathered", "Changes that gather before retraining", 1.0, 10_000.0, plan.changes_per_retraining,
            "A tuned model answers from the old state until then.",
        ),
        Assumed("training", "Minutes of one training run", 0.0, 100_000.0, minutes, said),
        Assumed(
            "setup-rag", "Hours of people to set up retrieval", 0.0, 10_000.0, plan.setup_rag,
            "An input of yours; one guide says 2 to 4 weeks. Counts where an hour has a price.",
        ),
        Assumed(
            "setup-tuned", "Hours of people to set up tuning", 0.0, 10_000.0, plan.setup_tuned,
            "An input of yours; one guide says 6 to 10 weeks. Counts where an hour has a price.",
        ),
        Assumed(
            "people-retraining", "Hours of people for a retraining", 0.0, 1_000.0, plan.people_per_retraining
        ),
        Assumed("months", "Months that one-off costs are spread over", 1.0, 120.0, plan.months),
    )  # fmt: skip
    return {number.key: number for number in numbers}


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


def change_rate_of(service: Service) -> Prefilled | None:
    """Documents replaced in a month as the library's history has it; None while nothing was."""
    histories = [service.history(document.name) for document in service.catalogue()]
    starts = [datetime.fromisoformat(entry.at) for history in histories for entry in history[:1]]
    if not starts:
        return None
    return change_rate(histories, (datetime.now(min(starts).tzinfo) - min(starts)).days / DAYS_A_MONTH)


def own_plan(now: Session, service: Service) -> OperatingPlan:
    """The plan as it stands, on whatever page."""
    given = {key: number_of(key, number.default) for key, number in assumed(service).items()}
    passages = sum((service.passages(now.settings) or {}).values())
    tokens = passages * now.settings.chunk_size
    return OperatingPlan(
        serving=_value(now, "serving", "hosted"),
        volume=given["volume"],
        busy_share=_value(now, "busy", 50) / 100,
        months=given["months"],
        changes=given["changes"],
        changes_per_retraining=given["gathered"],
        training_hours=given["training"] / 60,
        corpus_tokens=tokens,
        changed_tokens=tokens / max(1, len(service.catalogue())),
        gigabytes=passages * BYTES_PER_PASSAGE / 1e9,
        setup_rag=given["setup-rag"],
        setup_tuned=given["setup-tuned"],
        people_per_retraining=given["people-retraining"],
    )


def _value(now: Session, key: str, default: T) -> T:
    """What the widget holds, else what was typed before it was last seen, else the default."""
    value: T = session.read(key, now.kept.get(key, default))
    return value


# --- the inputs ------------------------------------------------------------------------------------


def draw(now: Session, service: Service, without: Sequence[str] = ()) -> OperatingPlan:
    """Every input, as many beside each other as there is room for; those asked elsewhere on the page are left
    out."""
    with st.container(key="assumed"):
        _serving(now, service)
        for number in assumed(service).values():
            if number.key not in without:
                ask(number)
    return own_plan(now, service)


def ask(number: Assumed, question: str = "") -> float:
    """A number to type, which survives a visit to another page and counts there.

    One that was left at its default follows it: an adapter trained meanwhile says what training takes.
    """
    return number_box(
        question or number.label, number.key, number.low, number.high, number.default, help_=number.help
    )


def _serving(now: Session, service: Service) -> None:
    serving: Serving = st.radio(
        "How the model is served", list(SERVING), format_func=SERVING.__getitem__,
        index=list(SERVING).index(session.recall("serving", "hosted")), key="serving",
        help="A hosted model is paid by the token; a machine that works only when it is asked, by its busy "
        "hours; a rented one day and night, however little is asked.",
    )  # fmt: skip
    session.keep("serving", serving)
    if serving == "hosted":
        _hosted_model(now, service)
        return
    busy = st.slider(
        "Busy share of the machine", 5, 100, session.recall("busy", 50), 5, format="%d %%", key="busy",
        help="How much of a paid hour is spent answering; the rest is paid and idle.",
    )  # fmt: skip
    session.keep("busy", busy)


def _hosted_model(now: Session, service: Service) -> None:
    models = hosted_models(service)
    known = own_book(now, service).hosted
    if session.recall("hosted", known) not in models:
        session.put("hosted", known)
    now.hosted = st.selectbox(
        "Price of", list(models), list(models).index(session.read("hosted")),
        format_func=models.__getitem__, key="hosted",
    )  # fmt: skip


def expander(now: Session, service: Service, without: Sequence[str] = ()) -> None:
    """The inputs folded away on the pages whose subject they are not."""
    book, plan = own_book(now, service), own_plan(now, service)
    with st.expander(f"Assumptions: {markdown(in_words(plan, book))}", icon=":material/tune:"):
        draw(now, service, without=without)
        st.caption("The same on Costs, Advise, Stress tests and Fine-tune: a change here counts there too.")
        st.page_link(COSTS, label="Edit the prices on the Costs page", icon=":material/payments:")


def in_words(plan: OperatingPlan, book: Book) -> str:
    """`10,000 questions and 4 changes a month, a training run of 15 min for $0.45`."""
    training = "no training time known"
    if plan.training_hours:
        cost = money(training_run(book, plan), book.currency)
        training = f"a training run of {duration(plan.training_hours * 3600)} for {cost}"
    return f"{figure(plan.volume)} questions and {figure(plan.changes)} changes a month, {training}"


def change_basis(plan: OperatingPlan, backend: str, tokens: float) -> str:
    """What following one change is made of, in words."""
    parts = [f"{tokens:,.0f} tokens embedded again"] if backend in RETRIEVING else []
    if backend in ("fine_tuned", "hybrid"):
        every = plan.changes_per_retraining
        share = "one training run" if every == 1 else f"1 / {figure(every)} of a training run"
        parts.append(f"{share} of {duration(plan.training_hours * 3600)}")
    return " and ".join(parts) or "nothing to do: it follows no change"
