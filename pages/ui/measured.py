"""What counts as measured, the same for Costs and Advise, and the one way to measure more.

Enters: the visitor's session and service. Leaves: the answers that stand for every approach, with words that
say where they come from. The newest evaluation of every approach counts, whole and alone; before there is one
the visitor's own answers of this session. Of fewer than FEW questions neither counts against the example that
ships.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from backends.advice.advisor import APPROACHES
from backends.advice.findings import fitting
from backends.datatypes import Answer, BackendName
from backends.evaluation.comparison import Board
from backends.evaluation.probes import chosen, questions_for
from backends.system.jobs import Job
from backends.system.json_texts import is_json
from pages.ui import resources, session
from pages.ui.asking import KIND as ASKED
from pages.ui.asking import rounds_of
from pages.ui.evaluator import KIND, Evaluator, Order
from pages.ui.look import LOOKS, label
from pages.ui.service import Service
from pages.ui.session import Session
from pages.ui.text import listing, markdown, plural

POLL = 0.6
QUESTIONS = 24
STRUCTURED = 6
FEW = 8  # questions below which an interval says little


@dataclass(frozen=True)
class MeasuredAnswers:
    """The answers that count, where they are from in words, and their run where they are of one."""

    answers: tuple[Answer, ...] = ()
    where: str = ""
    board: Board | None = None
    shipped: bool = False  # the example that comes with the product


def basis(now: Session, service: Service) -> MeasuredAnswers:
    """What stands for every approach at this moment: the visitor's own where it is enough to go by, else the
    example that ships, else whatever there is."""
    evaluator = service.evaluator(now.visitor)
    own = (_evaluated(now, service), _asked(now))
    enough = next((found for found in own if questions_of(found) >= FEW), None)
    if enough is not None:
        return enough
    example = evaluator.example()
    if example is None:
        return next((found for found in own if found.answers), MeasuredAnswers())
    few = max(questions_of(found) for found in own)
    too_few = f", as your own {plural(few, 'question')} would say little" if few else ""
    board = evaluator.board(example.run)
    where = f"the example that comes with Triptych, on its sample documents{too_few}"
    return MeasuredAnswers(_answers(board), where, board, shipped=True)


def questions_of(found: MeasuredAnswers) -> int:
    """How many questions these are answers to."""
    return len({answer.question for answer in found.answers})


def _evaluated(now: Session, service: Service) -> MeasuredAnswers:
    """The newest evaluation of every approach."""
    evaluator = service.evaluator(now.visitor)
    record = fitting(evaluator.runs())
    if record is None:
        return MeasuredAnswers()
    board, called = evaluator.board(record.run), record.name or record.question_set
    where = f"the evaluation “{called}”, {whose(evaluator, record.run)}"
    return MeasuredAnswers(_answers(board), where, board)


def _asked(now: Session) -> MeasuredAnswers:
    """The visitor's own questions of this session."""
    asked = tuple(asked_answers(now.visitor))
    return MeasuredAnswers(asked, "your questions of this session" if asked else "")


def whose(evaluator: Evaluator, run: str) -> str:
    """Who measured a run, as far as it is known."""
    return "measured by you" if evaluator.is_own(run) else "measured by somebody on this server"


def _answers(board: Board) -> tuple[Answer, ...]:
    return tuple(entry.answer for entry in board.run.entries if entry.answer is not None)


def asked_answers(visitor: str) -> list[Answer]:
    """Every answer to the visitor's own questions, oldest first; where several models answered, none: a month
    is reckoned with one."""
    rounds = rounds_of(reversed(resources.jobs().owned_by(visitor, ASKED)))
    return [answer for made in rounds for answer in made.answers if answer.backend in LOOKS]


# --- measuring more --------------------------------------------------------------------------------


def more(now: Session, *, again: bool) -> None:
    """The button that measures every approach on the same questions, or how far that is."""
    job, working = resources.newest_job(now.visitor, KIND)
    if job is not None and working:
        st.fragment(_progress, run_every=POLL)(job)
        return
    if job is not None and job.state == "failed":
        st.error(markdown(job.error or "Measuring failed."))
    count = QUESTIONS + STRUCTURED
    st.button(
        "Measure again" if again else f"Measure with {count} questions",
        key="measure", on_click=_measure, icon=":material/timer:",
        help=f"An evaluation of RAG, fine-tuning and the hybrid on the same {plural(count, 'question')}, of "
        "each kind its share; it is stored, and every page that speaks of it uses it.",
    )  # fmt: skip


def _progress(job: Job) -> None:
    if job.finished:
        st.rerun()
    done, total, what = job.progress
    left = job.seconds_left
    rest = f", about {max(1, round(left))} s left" if left is not None and total else ""
    st.progress(job.fraction, text=f"Answer {done:,} of {total:,}{rest}" if total else markdown(what))
    st.button("Cancel", on_click=job.cancel, key="cancel-measure", icon=":material/close:")


def _measure() -> None:
    now = session.current()
    service = resources.service(now.visitor)
    pool = questions_for(service.documents())
    labels = [q for q in pool if q.answers and is_json(q.answers[0])]
    plain = [q for q in pool if q not in labels]
    asked = (*chosen(plain, QUESTIONS, 0), *chosen(labels, STRUCTURED, 0))
    order = Order(asked, "for costs and advice", APPROACHES, now.settings, name="For costs and advice")
    resources.jobs().start(KIND, now.visitor, service.evaluator(now.visitor).ordered(order))


def who_answered(counts: Mapping[BackendName, int]) -> str:
    """How many questions each has answered; in one figure where it is the same for all."""
    names = [label(name) for name in counts]
    if len(set(counts.values())) == 1:
        return f"{plural(next(iter(counts.values())), 'question')} answered by {listing(names)}"
    each = [f"{name} {count:,}" for name, count in zip(names, counts.values(), strict=True)]
    return f"questions answered by {listing(each)}"
