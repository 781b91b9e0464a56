"""The page before the product is open: what is being done, how long it will take, and what went wrong.

Enters: the opening job. Leaves: nothing; it returns once everything is ready and stops the script until then.
"""

from __future__ import annotations

import streamlit as st

from backends.datatypes import UserError
from backends.system.jobs import FINISHED, Job
from pages.ui import resources, session
from pages.ui.text import markdown

POLL = 1.0  # loading wants the processor for itself


def wait_until_open() -> None:
    """Return when the product is open; otherwise show how far it is and end this run of the script."""
    job = resources.opening()
    state = job.state  # read once: the job works on meanwhile
    if state == "done":
        _begin_session()
        return
    st.title("Triptych", anchor=False)
    st.markdown("One question, answered by retrieval, by fine-tuning, and by both, side by side.")
    if state in FINISHED:
        st.error(f"Triptych could not start. {markdown(job.error or '')}")
        st.button("Try again", on_click=resources.reopen)
        st.stop()
    st.fragment(_progress, run_every=POLL)(job)
    st.stop()


def _begin_session() -> None:
    """A session begins with the settings of the workspace's file, which may have been edited since."""
    try:
        session.current()
    except UserError as error:
        st.error(markdown(str(error)))
        st.stop()


def _progress(job: Job) -> None:
    if job.finished:
        st.rerun()
    done, total, what = job.progress
    left = job.seconds_left
    rest = f", about {max(1, round(left))} s left" if total and left is not None else ""
    text = f"{markdown(what)} ({done:,} of {total:,}{rest})" if total else markdown(what)
    st.progress(job.fraction, text=text or "Loading the language model and the documents")
    st.caption("Only the first start takes this long: what is indexed now is kept.")
