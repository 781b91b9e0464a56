"""Work that was left to the workers of any machine: how far it is, and a way to end it, from any server.

Enters: the address of the database that servers share. Leaves: a panel; nothing where there is no such work.
The page's own jobs are not among it: they live in the process that shows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from backends.datatypes import UserError
from backends.settings import default_workspace, store_address
from backends.system.shared_jobs import SharedJob, SharedJobs
from pages.ui.text import markdown

POLL = 3.0  # seconds
ENDED_SHOWN = 3
WORDS = {
    "queued": "waits",
    "running": "works",
    "done": "is done",
    "failed": "failed",
    "cancelled": "was ended",
}


def panel() -> None:
    """Draw what workers do and did lately; again every few seconds while anything is under way."""
    address = store_address(default_workspace().expanduser())
    if not address:
        return
    try:
        with _opened(address) as jobs:
            found = jobs.everybodys()
            under_way = any(not job.finished for job in found)
    except UserError as error:
        st.warning(markdown(f"What workers do cannot be seen: {error}"))
        return
    if found:
        st.fragment(_drawn, run_every=POLL if under_way else None)(address)


@contextmanager
def _opened(address: str) -> Iterator[SharedJobs]:
    """Opened for one look: a database that was restarted meanwhile is found again."""
    jobs = SharedJobs(address)
    try:
        yield jobs
    finally:
        jobs.close()


def _drawn(address: str) -> None:
    with _opened(address) as jobs:
        found = jobs.everybodys()
        working = [job for job in found if not job.finished]
        ended = [job for job in found if job.finished][:ENDED_SHOWN]
        with st.container(border=True, key="shared-work"):
            st.markdown("**Left to workers**")
            for job in working:
                _working(job, address)
            for job in ended:
                st.caption(_sentence(job))


def _working(job: SharedJob, address: str) -> None:
    done, total, _ = job.progress
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(done / total, 1.0) if total else 0.0, text=_sentence(job))
        st.button(
            "Stopping" if job.cancelling else "Cancel",
            key=f"cancel-shared-{job.id}",
            icon=":material/close:",
            disabled=job.cancelling,
            on_click=_cancel,
            args=(address, job.id),
        )


def _cancel(address: str, job_id: str) -> None:
    with _opened(address) as jobs:
        jobs.cancel(job_id)


def _sentence(job: SharedJob) -> str:
    done, total, label = job.progress
    what = markdown(f"{job.kind} {job.about}".strip())
    where = f" on {markdown(job.machine)}" if job.machine else ""
    how_far = f": {done:,} of {total:,} {markdown(label)}" if total else ""
    why = f": {markdown(job.error)}" if job.error else ""
    return f"{what} {WORDS[job.state]}{where}{why or how_far}".strip()
