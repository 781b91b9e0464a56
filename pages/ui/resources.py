"""What the whole server shares: the jobs, the opened product, each visitor's service and step of the tour.

Enters: nothing but the workspace. Leaves: long-lived objects, each made once and every collection bounded.
The only module with `st.cache_resource`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import streamlit as st

from backends.access.sign_in import SignIn, configured
from backends.settings import default_workspace
from backends.system import public_demo
from backends.system.hardware import bound_threads
from backends.system.jobs import Job, JobContext, Jobs
from backends.system.reporting import Report
from pages.ui.tour_steps import Tour

if TYPE_CHECKING:  # a service knows models: the start screen must not wait for them
    from pages.ui.service import Service

log = logging.getLogger(__name__)
SERVER = "server"  # owner of the jobs that are nobody's
KEPT_JOBS = 80
MAX_SERVICES = 64  # visitors whose private documents stay open at once


@runtime_checkable
class Services(Protocol):
    """The opened product: models and shared documents, from which every visitor gets a service."""

    def service(self, visitor: str) -> Service:
        """The service of one visitor."""
        ...

    def check(self) -> None:
        """Raises where the documents cannot be read just now."""
        ...


Opener = Callable[[Report], Services]


def open_product(report: Report) -> Services:
    """The real product; takes seconds."""
    bound_threads()
    # Imported here: torch and the models take seconds, and the page is to be there before them.
    from pages.ui.triptych_service import open_services

    return open_services(report)


_opener: list[Opener] = [open_product]


def use(opener: Opener) -> None:
    """Serve another product: for the tests' scripted one."""
    _opener[0] = opener


@st.cache_resource(show_spinner=False)
def sign_in() -> SignIn | None:
    """Who may enter, as it was when the server was started; None: everybody, as the owner.

    Read once, so that a file taken away opens nothing. Raises UserError while it does not fit.
    """
    return configured(default_workspace().expanduser())


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """The jobs of every visitor."""
    limits = {"ask": 1, "index": 1, "upload": 1}
    if (signing := sign_in()) is not None:
        shares = public_demo.Shares(public_demo.quotas(signing.quotas), allows=public_demo.PEOPLE)
        return Jobs(limits, keep=KEPT_JOBS, refusal=shares.refusal)
    if public_demo.is_public():
        return Jobs(limits, keep=KEPT_JOBS, refusal=public_demo.Shares().refusal)
    return Jobs(limits, keep=KEPT_JOBS)


@st.cache_resource(show_spinner=False)
def opening() -> Job:
    """The job that loads the model and indexes the documents, begun by the first visit."""

    def run(context: JobContext) -> Services:
        return _opener[0](context.progress)

    return jobs().start("open", SERVER, run)


def readiness() -> Literal["ready", "opening", "failed", "unreadable"]:
    """How far this server is from serving a visitor; asking begins the opening."""
    job = opening()
    if job.state != "done":
        return "failed" if job.finished else "opening"
    try:
        _opened().check()
    except Exception:
        log.exception("The documents cannot be read")
        return "unreadable"
    return "ready"


@st.cache_resource(show_spinner=False, max_entries=MAX_SERVICES)
def service(visitor: str) -> Service:
    """This visitor's service."""
    return _opened().service(visitor)


def _opened() -> Services:
    services = opening().result
    if not isinstance(services, Services):
        raise RuntimeError("asked for a visitor's service before the product was opened")
    return services


@st.cache_resource(show_spinner=False, max_entries=MAX_SERVICES)
def tour(person: str) -> Tour:  # noqa: ARG001 (what it is kept by)
    """Where this visitor is on the guided tour; a reload does not lose it."""
    return Tour()


def newest_job(visitor: str, kind: str) -> tuple[Job | None, bool]:
    """The visitor's newest job of a kind, and whether it still works.

    A page asks once, before it reads what the job makes: drawn with two answers to that question it may show
    the old results and no longer watch for the new ones.
    """
    job = next(iter(jobs().owned_by(visitor, kind)), None)
    return job, job is not None and not job.finished


def reopen() -> None:
    """Try again after a failed start."""
    opening.clear()
    service.clear()
