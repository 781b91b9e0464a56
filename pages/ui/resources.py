"""What the whole server shares: the job runner, the opened product, each visitor's desk and step of the tour.

Enters: nothing but the workspace. Leaves: long-lived objects, each made once and every collection bounded.
The only module with `st.cache_resource`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import streamlit as st

from backends.system.hardware import bound_threads
from backends.system.jobs import Job, JobContext, Jobs
from pages.ui.desk import Desk, Reporter
from pages.ui.itinerary import Tour

SERVER = "server"  # owner of the jobs that are nobody's
KEPT_JOBS = 80
MAX_DESKS = 64  # visitors whose private documents stay open at once


class House(Protocol):
    """The opened product: models and shared documents, from which every visitor gets a desk."""

    def desk(self, visitor: str) -> Desk: ...


Opener = Callable[[Reporter], House]


def open_product(report: Reporter) -> House:
    bound_threads()
    # Imported here: torch and the models take seconds, and the page is to be there before them.
    from pages.ui.triptych_desk import open_house

    return open_house(report)


_opener: list[Opener] = [open_product]


def use(opener: Opener) -> None:
    """Serve another product: for the tests' scripted one."""
    _opener[0] = opener


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    return Jobs({"ask": 1, "index": 1, "upload": 1}, keep=KEPT_JOBS)


@st.cache_resource(show_spinner=False)
def opening() -> Job:
    """The job that loads the model and indexes the documents, begun by the first visit."""

    def run(context: JobContext) -> Any:
        return _opener[0](context.progress)

    return jobs().start("open", SERVER, run)


@st.cache_resource(show_spinner=False, max_entries=MAX_DESKS)
def desk(visitor: str) -> Desk:
    house: House = opening().result
    return house.desk(visitor)


@st.cache_resource(show_spinner=False, max_entries=MAX_DESKS)
def tour(person: str) -> Tour:  # noqa: ARG001 (what it is kept by)
    """Where this visitor is on the guided tour; a reload does not lose it."""
    return Tour()


def newest_job(visitor: str, kind: str) -> tuple[Job | None, bool]:
    """The visitor's newest job of a kind, and whether it still works.

    A page asks once, before it reads what the job makes: drawn with two answers to that question it may show
    the old results and no longer watch for the new ones.
    """
    job = next(iter(jobs().of(visitor, kind)), None)
    return job, job is not None and not job.finished


def reopen() -> None:
    """Try again after a failed start."""
    opening.clear()
    desk.clear()
