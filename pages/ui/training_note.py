"""What every page says about training: how far a run is, which adapter is stale, and the retrain that is due.

Enters: the visitor's session and service. Leaves: a few lines in the sidebar, and a training job when the
schedule asks for one. It is looked at whenever a page is drawn, so a schedule works while the app is in use.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import streamlit as st

from backends.datatypes import UserError
from backends.offline.trainer import Trainer
from backends.system.jobs import Job
from backends.system.reporting import Report
from backends.training.runs import TrainingRun
from pages.ui import resources, session, training_jobs
from pages.ui.look import LOOKS
from pages.ui.service import Service
from pages.ui.text import listing, markdown

POLL = 2.0
PAGE = str(Path(__file__).resolve().parents[1] / "tune" / "fine_tune_page.py")


def draw(service: Service, now: session.Session) -> None:
    """Nothing at all while nothing trains and nothing is stale."""
    job, working = resources.newest_job(now.visitor, training_jobs.TRAIN)
    if job is not None and working:
        st.fragment(_progress, run_every=POLL)(job)
        return
    stale = [LOOKS[name].label for name, status in service.statuses().items() if status.state == "stale"]
    if stale:
        st.caption(f":material/history: {listing(stale)}: learned from documents that have changed since.")
        st.page_link(PAGE, label="See what changed, and retrain")
        _retrain_if_due(service, now)


def _progress(job: Job) -> None:
    if job.finished:
        st.rerun()
    st.progress(job.fraction, text=f"Training {markdown(job.progress[2])}")


def _retrain_if_due(service: Service, now: session.Session) -> None:
    try:
        trainer = service.trainer()
    except UserError:  # a role's view, which trains nothing
        return
    due = trainer.due(datetime.now(UTC))
    if due:
        trainer.note_retrain(datetime.now(UTC))
        plans = [partial(_plan, trainer, adapter.name, now.visitor) for adapter in due]
        resources.jobs().start(training_jobs.TRAIN, now.visitor, training_jobs.training(trainer, plans))


def _plan(trainer: Trainer, name: str, visitor: str, report: Report) -> TrainingRun:
    return trainer.retrain(trainer.adapters.get(name), visitor, report)
