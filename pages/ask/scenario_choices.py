"""Scenarios on the home page: one click asks the first question of a job, the others stand below.

Enters: the visitor's documents and the way to ask. Leaves: a row of choices, the questions of the one that
was chosen, and below the answers to them what each keeps and misses. Nothing is scripted: it only saves
typing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from backends.datatypes import Answer, Question
from backends.evaluation import scenarios
from backends.evaluation.scenarios import Scenario
from pages.ui import session
from pages.ui.look import arm_look, label
from pages.ui.service import Service
from pages.ui.text import markdown

KEY = "scenario"


def choose(service: Service, asked: str, ask: Callable[[str], None]) -> None:
    """The choices; nothing where the documents are not the sample's."""
    found = _available(service)
    if not found:
        return
    session.restore(KEY, _title_of(asked, found))

    def start() -> None:
        if title := session.read(KEY):
            ask(found[title].questions[0].question)

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Scenarios:", width="content")
        st.pills(
            "Scenarios", list(found), key=KEY, on_change=start, label_visibility="collapsed", width="content"
        )


def others(service: Service, asked: str, ask: Callable[[str], None]) -> None:
    """What to watch for in the scenario that was chosen, and its questions; nothing where none was."""
    found = _available(service)
    title = session.read(KEY, _title_of(asked, found))
    if title not in found:
        return
    st.caption(found[title].watch)
    with st.container(horizontal=True, gap="xsmall"):
        for question in found[title].questions:
            text = question.question
            st.button(text, key=f"scenario-{question.id}", on_click=ask, args=(text,), type="tertiary")


def _available(service: Service) -> dict[str, Scenario]:
    names = {document.name for document in service.catalogue()}
    return {each.title: each for each in scenarios.available_scenarios(names)}


def _title_of(asked: str, found: Mapping[str, Scenario]) -> str | None:
    """The scenario that this question is of."""
    now = scenarios.find(asked)
    return now[0].title if now and now[0].title in found else None


def checked(question: str, answers: list[Answer]) -> None:
    """What each answer to a scenario's question keeps and misses."""
    found = scenarios.find(question)
    if found is None or not answers:
        return
    scenario, row = found
    said = " · ".join(_said(each, row) for each in answers)
    st.markdown(f"Checked, {markdown(scenario.title)}: {said}")


def _said(answer: Answer, row: Question) -> str:
    words = markdown(", ".join(scenarios.checks(row, answer.text)))
    return f"{arm_look(answer.backend).mark} **{label(answer.backend)}** {words}"
