"""The visitor's own documents on the home page: the way from files to a comparison, each step one click.

Enters: the visitor's session, service and rounds. Leaves: the steps (add, ask, train, before and after), a
drop zone while there is nothing of their own, and the training job that learns what no adapter has learned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import streamlit as st

from backends.datatypes import CatalogueEntry, UserError
from backends.offline.trainer import Draft, Trainer, default_params, name_for
from backends.system.reporting import Report
from backends.system.wording import roughly
from backends.training.adapters import ANSWERING, AdapterKind
from backends.training.expected_time import Expected, expected, together
from backends.training.row_building import WAYS
from backends.training.rows import HybridOptions
from backends.training.runs import TrainingRun
from pages.ask.details import BEHIND
from pages.ui import resources, session, suggestions, training_jobs, uploading
from pages.ui.asking import Round
from pages.ui.service import Service, Suggested
from pages.ui.text import markdown, plural

MOST_ROWS = 300
PAGES = Path(__file__).resolve().parents[1]
FINE_TUNE = PAGES / "tune" / "fine_tune_page.py"
DOCUMENTS = PAGES / "library" / "documents_page.py"


def drop_zone(now: session.Session, service: Service) -> None:
    """Where a visitor who wants their own documents has none yet."""
    st.markdown("## Start with your own documents", anchors=False)
    uploading.drop_zone(now, service)


def unlearned(service: Service, own: Sequence[CatalogueEntry]) -> list[str]:
    """The visitor's documents that some active adapter has not learned, by name."""
    learned = []
    for kind in ANSWERING:
        adapter = service.adapters().active(kind)
        learned.append({each.name for each in adapter.card.documents} if adapter else set())
    known = set.intersection(*learned)
    return [document.name for document in own if document.name not in known]


def asked_about(own: Sequence[CatalogueEntry], rounds: Sequence[Round]) -> list[Round]:
    """The rounds in which a passage of the visitor's own documents was read, the newest last."""
    names = {document.name for document in own}
    return [
        made
        for made in rounds
        if any(source.document in names for answer in made.answers for source in answer.sources)
    ]


def steps(
    now: session.Session,
    service: Service,
    own: list[CatalogueEntry],
    rounds: Sequence[Round],
    ask: Callable[[str], None],
) -> None:
    """The four steps; those done carry a check, the next one is the loud button."""
    suggested = suggestions.found(suggestions.job(now, service, own))
    about_own = asked_about(own, rounds)
    left = unlearned(service, own)
    training, working = resources.newest_job(now.visitor, training_jobs.TRAIN)
    done = [bool(own), bool(about_own), not left, False]
    question = about_own[-1].asked.question if about_own else first_question(suggested)
    step = partial(_step, done, done.index(False))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="steps"):
        st.caption("Your documents:", width="content")
        if step(1, f"{plural(len(own), 'file')} added"):
            st.switch_page(DOCUMENTS)
        step(2, "Ask", ask, (question,), disabled=not question)
        words = "Training" if working else "Train on them"
        step(3, words, start_training, (now, service, left), disabled=working or not left)
        step(4, "Before and after", compare, (question, ask), disabled=not about_own)
    if working:
        st.caption("The training goes on in the background; the sidebar of every page says how far it is.")
    elif training is not None and training.state == "failed":
        st.error(markdown(training.error or "The training failed."))
    elif left and (tried := without_gain(now, service, left)):
        which = "these" if len(tried) == len(left) else f"{len(tried):,} of these {len(left):,}"
        st.caption(f"Trained on {which}, but the held-out questions show no gain: you decide who answers.")
        st.page_link(FINE_TUNE, label="Look at the new adapters", icon=":material/model_training:")
    elif left:
        st.caption(not_trained(left, expected_for(service, suggested)))


def _step(
    done: Sequence[bool],
    upcoming: int,
    number: int,
    words: str,
    act: Callable[..., None] | None = None,
    given: tuple[object, ...] = (),
    *,
    disabled: bool = False,
) -> bool:
    loud: Literal["primary", "secondary"] = "primary" if upcoming == number - 1 else "secondary"
    icon = ":material/check:" if done[number - 1] else f":material/counter_{number}:"
    return st.button(
        words, key=f"step-{number}", type=loud, icon=icon, disabled=disabled, on_click=act, args=given
    )


def without_gain(now: session.Session, service: Service, names: Sequence[str]) -> list[str]:
    """Which of these documents the newest training of this visitor has learned, though no active adapter has.

    A document that gave no rows is in no training.
    """
    try:
        runs = service.trainer().runs.all()
    except UserError:
        return []
    newest = next((run for run in runs if run.plan.owner == now.visitor and run.state == "done"), None)
    learned = {each.name for each in newest.plan.documents} if newest is not None else set[str]()
    return [name for name in names if name in learned]


def first_question(suggested: Suggested | None) -> str:
    """The first suggested question; empty where there is none."""
    return suggested.questions[0] if suggested and suggested.questions else ""


def not_trained(names: Sequence[str], takes: Expected | None) -> str:
    """`Fine-tuned and Hybrid have not learned 3 of your documents ...`, with the time where it is known."""
    which = markdown(names[0]) if len(names) == 1 else f"your {len(names):,} documents"
    time = ""
    if takes is not None:
        where = (
            "as trainings here took"
            if takes.here
            else "at the speed at which the shipped adapters were trained"
        )
        time = f" Training both takes about {roughly(takes.seconds)}, {where}."
    return (
        f"Not trained on these yet: no adapter has learned {which}, so the fine-tuned column cannot know "
        f"what stands there.{time}"
    )


def expected_for(service: Service, suggested: Suggested | None) -> Expected | None:
    """For both kinds, by the rows that these documents give; None until those are counted."""
    if suggested is None or not suggested.rows:
        return None
    try:
        trainer = service.trainer()
    except UserError:
        return None
    rows = min(suggested.rows, MOST_ROWS)
    runs = trainer.runs.all()
    return together(
        [
            expected(rows, default_params(kind, trainer.model_name), kind, runs, trainer.adapters)
            for kind in ANSWERING
        ]
    )


def start_training(now: session.Session, service: Service, names: Sequence[str]) -> None:
    """Rows from these documents, then both kinds of adapter, in the background."""
    try:
        trainer = service.trainer()
    except UserError as error:
        now.notice = str(error)
        return
    name = trainer.free_name("mine")
    rows = partial(_rows, trainer, list(names), now.visitor, [])
    plans = [partial(_plan, trainer, rows, kind, name, now.visitor) for kind in ANSWERING]
    resources.jobs().start(training_jobs.TRAIN, now.visitor, training_jobs.training(trainer, plans))


def _rows(trainer: Trainer, names: Sequence[str], visitor: str, made: list[Draft], report: Report) -> Draft:
    """The rows of these documents, made once for both kinds and kept in `made`."""
    if not made:
        made.append(trainer.build(names, WAYS, most=MOST_ROWS, report=report))
        trainer.save_draft(made[0], visitor)
    return made[0]


def _plan(
    trainer: Trainer,
    rows: Callable[[Report], Draft],
    kind: AdapterKind,
    name: str,
    visitor: str,
    report: Report,
) -> TrainingRun:
    draft = rows(report)
    return trainer.plan(
        draft,
        kind,
        name_for(name, kind),
        default_params(kind, trainer.model_name),
        options=HybridOptions(share_memorised=1.0),
        owner=visitor,
        report=report,
    )


def compare(question: str, ask: Callable[[str], None]) -> None:
    """Ask the last question once more; both answers then stand side by side."""
    ask(question)
    session.keep(BEHIND, "Same question before")
    session.put(BEHIND, "Same question before")
