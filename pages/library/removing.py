"""Removing documents: the question before it, the time to undo it, the job that forgets, its proof.

Enters: the visitor's session, service and names. Leaves: forgotten documents, and what was found when every
file was searched for their text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from backends.system.jobs import Job, JobContext, Jobs
from backends.system.viewers import viewer_id
from pages.ui import resources, session
from pages.ui.asking import drop_quoting
from pages.ui.pending_removals import FORGET, PendingRemoval
from pages.ui.service import Removal, Service
from pages.ui.text import listing, markdown, plural
from pages.ui.training_jobs import TRAIN
from pages.ui.uploading import UPLOAD

POLL = 0.3
PATIENCE = 60.0  # seconds for work that reads documents to stop
# What goes on beside a removal: uploads read other files, and a training on the document is ended by it.
UNTOUCHED = (FORGET, UPLOAD, TRAIN)


@st.dialog("Remove from your documents?")
def confirm(names: Sequence[str]) -> None:
    """Ask whether these documents are to be removed."""
    which = f"**{markdown(names[0])}**" if len(names) == 1 else f"**{plural(len(names), 'document')}**"
    its, it = ("its", "it") if len(names) == 1 else ("their", "them")
    st.markdown(
        f"{which}, all {its} versions and {its} passages will be removed from your copy. "
        f"Your earlier answers that quote {it} go too. Other visitors keep theirs. What an adapter has "
        f"learned from {it} stays in the adapter; a training that learns from {it} is ended, and an "
        "evaluation or a test that reads your documents is stopped first. Until you leave this page you "
        "can undo it."
    )
    if len(names) > 1:
        st.caption(markdown(", ".join(names)))
    with st.container(horizontal=True):
        if st.button("Remove", key="confirm-remove", on_click=start, args=(tuple(names),)):
            st.rerun()
        if st.button("Keep", key="keep"):
            st.rerun()


def start(names: tuple[str, ...]) -> None:
    """Start the job that removes them."""
    now = session.current()
    service = resources.service(now.visitor)
    viewers = [now.visitor, *(viewer_id(now.person, role) for role in service.roles())]
    jobs = resources.jobs()
    jobs.start(
        FORGET, now.visitor, removing(service, PendingRemoval(names), jobs, viewers), about=_named(names)
    )
    now.document = None


def _named(names: Sequence[str]) -> str:
    return listing(names) if len(names) < 4 else plural(len(names), "document")


def removing(
    service: Service, removal: PendingRemoval, jobs: Jobs, viewers: Sequence[str]
) -> Callable[[JobContext], None]:
    """The job: once it cannot be undone any more, whatever reads documents stops, each document is forgotten,
    answers that quote it go."""

    def run(context: JobContext) -> None:
        context.emit(removal)
        if not removal.wait(context.cancelled):
            return
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
        for name in removal.names:
            service.forget(name, context.progress)
            for viewer in viewers:
                drop_quoting(jobs, viewer, name)

    return run


def panels(now: session.Session, service: Service) -> None:
    """Removals that can be undone, at work or failed, and the proof of each one until it is closed."""
    for job in resources.jobs().owned_by(now.visitor, FORGET):
        if not job.finished:
            st.fragment(_working, run_every=POLL)(job)
        elif job.state == "failed":
            _failed(job)
    for removal in service.removals():
        _proof(removal, service)


def _working(job: Job) -> None:
    now = session.current()
    if job.finished:
        now.indexed = now.round_id = None  # the rest is a new set of passages
        _forget_choices(now)
        st.rerun()  # the whole page: the list has changed
    removal = next(iter(job.events_of(PendingRemoval)), None)
    if removal is not None and not removal.begun and not job.cancelling:
        removal.still_here()
        _undoable(job, removal)
        return
    _, total, what = job.progress
    st.progress(job.fraction if total else 0.0, text=f"Removing **{markdown(job.about)}**: {markdown(what)}")


def _undoable(job: Job, removal: PendingRemoval) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f":material/auto_delete: **{markdown(job.about)}** will be removed when you leave this page.",
            width="content",
        )
        st.button("Undo", key=f"undo-{job.id}", icon=":material/undo:", type="primary", on_click=job.cancel)
        st.button("Remove now", key=f"now-{job.id}", type="tertiary", on_click=removal.go)


def _forget_choices(now: session.Session) -> None:
    """Chosen documents and collections without the names of those that are gone."""
    there = {document.name for document in resources.service(now.visitor).catalogue()}
    kept = {name: tuple(n for n in each if n in there) for name, each in now.collections.items()}
    now.collections = {name: each for name, each in kept.items() if each}
    now.selected = tuple(name for name in now.selected if name in there)


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
