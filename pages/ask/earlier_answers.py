"""The same question twice: under other settings, or before and after a training, side by side.

Enters: the round on the page and the visitor's rounds. Leaves: two columns for each backend, and in words
what was different when they were asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from backends.datatypes import Answer
from backends.system.wording import money
from pages.ui.asking import Round
from pages.ui.look import LOOKS, arm_look, backend_of, is_control, label
from pages.ui.settings_words import differences
from pages.ui.text import answer_html, listing, markdown, own_words, plural, seconds


@dataclass(frozen=True)
class AnswerPair:
    """One backend's two answers; None where it did not answer that time."""

    backend: str
    then: Answer | None
    now: Answer | None


def others_of(made: Round, rounds: Sequence[Round]) -> list[Round]:
    """Other rounds of the same question, the newest first."""
    question = _flat(made.asked.question)
    return [
        r for r in reversed(rounds) if r.id != made.id and _flat(r.asked.question) == question and r.answers
    ]


def _flat(question: str) -> str:
    return " ".join(question.casefold().split())


def pairs(then: Round, now: Round) -> list[AnswerPair]:
    """Every backend that answered at least once, in the order of the page."""
    before = {answer.backend: answer for answer in then.answers}
    after = {answer.backend: answer for answer in now.answers}
    arms = sorted({*before, *after}, key=lambda arm: (list(LOOKS).index(backend_of(arm)), arm))
    return [AnswerPair(arm, before.get(arm), after.get(arm)) for arm in arms]


def what_differs(then: Round, now: Round) -> str:
    """`top-k 8 (now 3)`; adapters that came between are named, and who answered only once."""
    found = differences(then.asked.settings, now.asked.settings, "now")
    for pair in pairs(then, now):
        if pair.then is None and pair.now is not None and pair.now.adapter:
            found.append(f"{label(pair.backend)} without an answer (now by the adapter {pair.now.adapter})")
        elif pair.then is None or pair.now is None:
            found.append(f"{label(pair.backend)} {'answers only now' if pair.now else 'answered only then'}")
        if pair.then and pair.now and pair.then.adapter != pair.now.adapter:
            found.append(
                f"{label(pair.backend)} by the adapter {pair.then.adapter or 'none'} "
                f"(now {pair.now.adapter or 'none'})"
            )
    return listing(found) if found else "nothing was different: what differs is chance and the load"


def draw(made: Round, rounds: Sequence[Round]) -> None:
    """Earlier answers to the same question, to compare with."""
    others = others_of(made, rounds)
    if not others:
        st.caption(
            "Change a setting, or train, and ask the same question again: both answers of every backend "
            "stand here side by side."
        )
        return
    chosen = st.selectbox(
        "Beside the answers of",
        others,
        format_func=lambda r: f"{r.asked.at:%H:%M:%S}: {what_differs(r, made)}",
        key=f"beside-{made.id}",
    )
    st.markdown(f"Then: {markdown(what_differs(chosen, made))}.")
    for pair in pairs(chosen, made):
        _row(pair, chosen, made)


def _row(pair: AnswerPair, then: Round, now: Round) -> None:
    look = arm_look(pair.backend)
    what = " (the control)" if is_control(pair.backend) else ""
    st.markdown(f"## :{look.tint}[{look.mark}] {look.label}{what}", anchors=False)
    for cell, title, answer, other in zip(
        st.columns(2),
        (f"Then, {then.asked.at:%H:%M:%S}", f"Now, {now.asked.at:%H:%M:%S}"),
        (pair.then, pair.now),
        (pair.now, pair.then),
        strict=True,
    ):
        with cell, st.container(border=True, height="stretch", gap="small"):
            st.caption(title)
            if answer is None:
                st.caption("It did not answer.")
                continue
            own = own_words(answer.text, [other.text]) if other else []
            st.html(answer_html(answer.text, look.css, {}, own))
            cost = money(1000 * answer.cost.amount, answer.cost.currency)
            st.caption(
                f"{seconds(answer.latency_ms['total'])} · {markdown(cost)} for 1,000 · "
                f"{plural(len(answer.citations), 'citation')}"
            )
