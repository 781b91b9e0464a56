"""Removing a document: the question before it, the job that forgets it, its proof until that is dismissed.

Enters: the visitor's session, service and a name. Leaves: a forgotten document, and what was found when every
file was searched for its text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from backends.system.jobs import Job, JobContext, Jobs
from backends.system.viewers import viewer_id
from pages.library.uploading import UPLOAD
from pages.ui import resources, session
from pages.ui.asking import drop_quoting
from pages.ui.service import Removal, Service
from pages.ui.text import markdown
from pages.ui.training_jobs import TRAIN

FORGET = "forget"
POLL = 0.3
PATIENCE = 60.0  # seconds for work that reads documents to stop
# What goes on beside a removal: uploads read other files, and a training on the document is ended by it.
UNTOUCHED = (FORGET, UPLOAD, TRAIN)


@st.dialog("Remove this document?")
def confirm(name: str) -> None:
    st.markdown(
        f"**{markdown(name)}**, all its versions and its passages will be removed from your copy. "
        "Your earlier answers that quote it go too. Other visitors keep theirs. What an adapter has learned "
        "from it stays in the adapter; a training that learns from it is ended, and an evaluation or a test "
        "that reads your documents is stopped first."
    )
    with st.container(horizontal=True):
        if st.button("Remove", type="primary", key="confirm-remove", on_click=start, args=(name,)):
            st.rerun()
        if st.button("Keep", key="keep"):
            st.rerun()


def start(name: str) -> None:
    now = session.current()
    service = resources.service(now.visitor)
    viewers = [now.visitor, *(viewer_id(now.person, role) for role in service.roles())]
    jobs = resources.jobs()
    jobs.start(FORGET, now.visitor, removing(service, name, jobs, viewers), about=name)
    now.round_id = now.document = None


def removing(service: Service, name: str, jobs: Jobs, viewers: Sequence[str]) -> Callable[[JobContext], None]:
    """The job: whatever reads documents stops, the document is forgotten, answers that quote it go."""

    def run(context: JobContext) -> None:
        context.progress(0, 0, "Stopping what reads your documents")
        at_work = [
            job
            for viewer in viewers
            for job in jobs.owned_by(viewer)
            if not job.finished and job.kind not in UNTOUCHED
        ]
        for job in at_work:
            job.cancel()
        for job in at_work:
            job.wait(PATIENCE)
        service.forget(name, context.progress)
        for viewer in viewers:
            drop_quoting(jobs, viewer, name)

    return run


def panels(now: session.Session, service: Service) -> None:
    """Removals at work or failed, and the proof of each one that has come to its end, until it is closed."""
    for job in resources.jobs().owned_by(now.visitor, FORGET):
        if not job.finished:
            st.fragment(_working, run_every=POLL)(job)
        elif job.state == "failed":
            _failed(job)
    for removal in service.removals():
        _proof(removal, service)


def _working(job: Job) -> None:
    if job.finished:
        session.current().indexed = None  # the rest is a new set of passages
        st.rerun()  # the whole page: the list has changed
    _, total, what = job.progress
    st.progress(job.fraction if total else 0.0, text=f"Removing **{markdown(job.about)}**: {markdown(what)}")


def _failed(job: Job) -> None:
    with st.container(border=True):
        st.error(markdown(f"{job.about} is not removed yet. {job.error}"))
        st.button("Close", key=f"close-{job.id}", on_click=resources.jobs().discard, args=(job,))


def _proof(removal: Removal, service: Service) -> None:
    with st.container(border=True):
        show = st.success if removal.proven else st.warning
        show(markdown(removal.text))
        st.button(
            "Close this proof",
            key=f"close-{removal.id}",
            type="tertiary",
            icon=":material/close:",
            on_click=service.dismiss_removal,
            args=(removal.id,),
        )
