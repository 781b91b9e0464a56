"""Votes on the compare page: which answer helps most, blind if wished, and what the votes say so far.

Enters: a round and the visitor's votes. Leaves: answers without a hint of who wrote them, the vote buttons,
win rates and files. No fragment of its own: all of it is drawn inside the one that shows the answers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from math import ceil
from string import ascii_uppercase
from typing import TypeVar

import streamlit as st

from backends.answering.answer_text import without_markers
from backends.datatypes import Answer
from backends.feedback.votes import (
    NONE,
    TIE,
    Vote,
    VotedAnswer,
    VoteStore,
    as_jsonl,
    preference_pairs,
    win_rates,
)
from pages.ask import vote_charts
from pages.ui import charts, session
from pages.ui.asking import Column, Round
from pages.ui.look import arm_look, label
from pages.ui.text import block, markdown, plain_html, plural

T = TypeVar("T")
LETTERS = ascii_uppercase
WIDEST = 4  # answers in a row
FEW = 20  # votes below which an interval is wider than a third
OTHERS = {TIE: "A tie", NONE: "None"}


def switch() -> None:
    """The switch for blind answers."""
    st.toggle(
        "Blind vote",
        key="blind",
        value=session.current().blind,
        on_change=_take_blind,
        help="From the next question on, the columns are shuffled and nothing tells who wrote which answer "
        "until you have voted.",
    )


def _take_blind() -> None:
    session.current().blind = bool(session.read("blind"))


def order(arms: Sequence[str], blind: bool) -> tuple[str, ...]:
    """In which order they answer and stand on the page."""
    return tuple(random.sample(arms, len(arms))) if blind else tuple(arms)


def hidden(made: Round, votes: VoteStore) -> bool:
    """Whether nobody may yet be told who wrote what."""
    if not made.asked.blind or made.id in session.current().revealed:
        return False
    if not made.finished:
        return True
    return len(made.answers) > 1 and votes.vote_on(made.id) is None


# --- the answers without their names -----------------------------------------------------------------


def blind_columns(made: Round) -> None:
    """The answers side by side, all at once: how fast one comes would tell who it is."""
    rows = in_rows(list(zip(LETTERS, made.columns.values(), strict=False)))
    for row in rows:
        for cell, (letter, column) in zip(st.columns(len(rows[0])), row, strict=False):
            with cell, st.container(border=True, height="stretch", key=f"card-{letter}", gap="small"):
                st.markdown(f"## Answer {letter}", anchors=False)
                _blind_text(column, made.finished)
    if not made.finished:
        st.caption("All answers are shown together, so that none gives itself away by its speed.")


def in_rows(items: Sequence[T]) -> list[Sequence[T]]:
    """The items in as few rows as hold them, as even as they go."""
    across = ceil(len(items) / ceil(len(items) / WIDEST)) if items else 1
    return [items[first : first + across] for first in range(0, len(items), across)]


def _blind_text(column: Column, finished: bool) -> None:
    if not finished:
        st.caption("Working ...")
    elif column.answer is None:
        st.caption("No answer.")
    else:
        # References to passages are left out too: only some of them write any.
        st.html(block(plain_html(without_markers(column.answer.text)), "font-size:1.08rem;"))


# --- the ballot --------------------------------------------------------------------------------------


def vote_buttons(made: Round, votes: VoteStore, is_hidden: bool) -> None:
    """One button for each answer, a tie, none; another click changes the vote."""
    if len(made.answers) < 2:
        return
    cast = votes.vote_on(made.id)
    names = _names(made, is_hidden)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="ballot"):
        st.caption("Which answer helps you most?", width="content")
        for choice, words in {**names, **OTHERS}.items():
            st.button(
                words,
                key=f"vote-{choice}",
                icon=":material/check:" if cast is not None and cast.choice == choice else None,
                on_click=_vote,
                args=(made, votes, choice, is_hidden),
            )
        if is_hidden:
            st.button(
                "Show without a vote",
                key="reveal",
                type="tertiary",
                on_click=_reveal,
                args=(made,),
            )
    if cast is not None:
        how = "You voted without knowing who wrote what." if cast.blind else "Your vote is kept."
        st.caption(f"{how} Another click changes it; all votes stand under “This session”.")


def _names(made: Round, is_hidden: bool) -> dict[str, str]:
    """What the buttons are called. A letter is the column's, so a column without an answer keeps its own."""
    answered = {answer.backend for answer in made.answers}
    return {
        name: f"Answer {letter}" if is_hidden else f"{arm_look(name).mark} {label(name)}"
        for letter, name in zip(LETTERS, made.columns, strict=False)
        if name in answered
    }


def _vote(made: Round, votes: VoteStore, choice: str, blind: bool) -> None:
    given = tuple(VotedAnswer(a.backend, a.text, _documents(a)) for a in made.answers)
    votes.record(Vote(made.id, made.asked.question, choice, blind, given))


def _documents(answer: Answer) -> tuple[str, ...]:
    return tuple(dict.fromkeys(source.document for source in answer.sources))


def _reveal(made: Round) -> None:
    session.current().revealed.add(made.id)


# --- what the votes say ------------------------------------------------------------------------------


def results(votes: VoteStore) -> None:
    """Win rates with intervals, and the votes as files."""
    cast = votes.all()
    if not cast:
        st.caption("No vote yet: below the answers you can say which one helps you most.")
        return
    blind = sum(vote.blind for vote in cast)
    counts = {choice: sum(vote.choice == choice for vote in cast) for choice in OTHERS}
    charts.show(vote_charts.win_rates(win_rates(cast), len(cast), session.theme()))
    wide = " So few say little: look at how wide the intervals are." if len(cast) < FEW else ""
    st.caption(
        f"{plural(len(cast), 'vote')}, {blind:,} of them blind; {plural(counts[TIE], 'tie')}, "
        f"{counts[NONE]:,} for none. A tie or none counts as not chosen. Lines show 95 % intervals.{wide}"
    )
    pairs = preference_pairs(cast)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.download_button(
            "Preference pairs as JSONL",
            as_jsonl(pairs),
            file_name="triptych-preferences.jsonl",
            mime="application/jsonl",
            key="export-pairs",
            on_click="ignore",
            disabled=not pairs,
            icon=":material/download:",
            help="One row for each answer that lost: prompt, chosen, rejected, as preference tuning (DPO) "
            "reads it.",
        )
        st.button(
            "Delete my votes",
            key="delete-votes",
            type="tertiary",
            icon=":material/delete:",
            on_click=partial(_clear, votes),
        )
    st.caption(f"{markdown(plural(len(pairs), 'pair'))}. Votes stay in this workspace, for you alone.")


def _clear(votes: VoteStore) -> None:
    votes.clear()
