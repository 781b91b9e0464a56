"""The part of the fine-tuning page that tunes the search: which questions it learns, and the button.

Enters: a trainer, the rows above, votes. Leaves: nothing; training is a job like any other on this page.
"""

from __future__ import annotations

from functools import partial

import streamlit as st

from backends.feedback.votes import VoteStore, chosen_answers
from backends.offline.trainer import Draft, Trainer
from backends.system.reporting import Report
from backends.training.embedder_training import FOUND_AMONG, EmbedderParams
from backends.training.rows import FEWEST_ROWS
from backends.training.runs import TrainingRun
from pages.ui import resources, session, training_jobs
from pages.ui.text import markdown, plural


def draw(trainer: Trainer, draft: Draft, votes: VoteStore, now: session.Session) -> None:
    """What is searched with now, what can be learned, and the button."""
    st.subheader("3  Tune the search", anchor=False)
    st.caption(
        "RAG and Hybrid find passages with an embedding model that knows no trade's words. Tuned to the "
        "questions above and the passages that answer them, it finds more of what your people ask for in "
        f"their own words. Held-out questions tell: is the right passage among the first {FOUND_AMONG}, "
        "before and after? Only if that is better outside chance, it takes over."
    )
    tuned = trainer.triptych.tuned_embedder()
    st.markdown(
        "Passages are found with the embedding model as it was published."
        if tuned is None
        else f"Passages are found with **{markdown(tuned.name)}**."
    )
    draft = _with_votes(draft, votes)
    usable = len(draft.rows)
    _, working = resources.newest_job(now.visitor, training_jobs.TRAIN)
    few = usable < FEWEST_ROWS
    if st.button(
        "Tune the search",
        key="tune-embedder",
        icon=":material/manage_search:",
        disabled=few or working,
        help=f"At least {FEWEST_ROWS} questions are needed." if few else None,
    ):
        _tune(trainer, draft, now.visitor)
        st.rerun()
    st.caption(f"{plural(usable, 'question')} to learn from and to test with; minutes on one core.")


def _with_votes(draft: Draft, votes: VoteStore) -> Draft:
    """The rows, and the answers that were voted for where the visitor wants them to count."""
    voted = chosen_answers(votes.all())
    if not voted:
        return draft
    if not st.checkbox(
        f"Learn from {plural(len(voted), 'answer')} that you voted for, too", True, key="tune-voted"
    ):
        return draft
    known = [(each.row, each.way) for each in draft.rows]
    return Draft.from_rows([*known, *((row, "yours") for row in voted)], dropped=draft.dropped)


def _tune(trainer: Trainer, draft: Draft, visitor: str) -> None:
    plan = partial(_plan, trainer, draft, trainer.free_name("search"), visitor)
    resources.jobs().start(training_jobs.TRAIN, visitor, training_jobs.training(trainer, [plan]))


def _plan(trainer: Trainer, draft: Draft, name: str, visitor: str, report: Report) -> TrainingRun:
    return trainer.plan_embedder(draft, name, EmbedderParams(), owner=visitor, report=report)
