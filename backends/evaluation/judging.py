"""Lets a judge model score the stored answers of a run, and holds its figures beside the offline ones.

Enters: a stored run and a `Judge`. Leaves: verdicts in the archive, line by line, so that an interrupted
judging goes on where it stopped; and `JudgeAgreement` rows: the judge's figure and ours over the same
answers. Only what an offline measure applies to is judged, so that the two can be compared.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from backends.answering.answer_text import without_markers
from backends.datatypes import JsonValue, UserError
from backends.evaluation.archive import Entry, JudgeVerdict, Run, RunStore
from backends.evaluation.comparison import Board
from backends.evaluation.scoring import BY_KEY, Score, summarise
from backends.language import models_file
from backends.settings import default_workspace
from backends.system.reporting import Report

JUDGED = ("faithfulness", "answer_relevancy", "context_precision", "context_recall")
URL, MODEL, KEY = "TRIPTYCH_JUDGE_URL", "TRIPTYCH_JUDGE_MODEL", "TRIPTYCH_JUDGE_KEY"
HOW = (
    f"Set {URL} to an OpenAI-compatible address (such as http://localhost:11434/v1) and {MODEL} to the name "
    f"of a model there; {KEY} where it needs a key. Or set {MODEL} alone to a name of models.toml."
)
UNREADABLE = "The judge's words were not readable."


@dataclass(frozen=True)
class Endpoint:
    """Where a judge model answers."""

    url: str
    model: str
    key: str = field(default="", repr=False)

    @classmethod
    def configured(cls) -> Endpoint | None:
        """The one of the environment, which may name one of models.toml; None where there is none.

        UserError when only half of it is there.
        """
        url, model = os.environ.get(URL, ""), os.environ.get(MODEL, "")
        if not url and (served := models_file.served(default_workspace(), model, "base")) is not None:
            return cls(served.address, served.model, served.secret())
        if bool(url) != bool(model):
            raise UserError(f"{URL if url else MODEL} is set, but {MODEL if url else URL} is not. {HOW}")
        return cls(url, model, models_file.key_of(KEY)) if url else None


@dataclass(frozen=True)
class Sample:
    """One answer as a judge reads it."""

    question: str
    answer: str
    passages: tuple[str, ...]  # those that were shown, best first
    reference: str  # the gold answer


class UnreadableVerdict(Exception):
    """The judge model answered, but not in the form it was asked for."""


class Judge(Protocol):
    """Scores answers with a model; `name` says which, `library` who asks it."""

    name: str
    library: str

    def score(self, sample: Sample, measures: Sequence[str]) -> dict[str, float]:
        """These measures, 0 to 1; those it can say nothing about are left out.

        Raises UserError when the judge cannot be reached, UnreadableVerdict when its words make no sense.
        """
        ...


def judge_run(
    archive: RunStore,
    run: str,
    judge: Judge,
    *,
    progress: Report = lambda done, total, what: None,
    cancelled: threading.Event | None = None,
) -> Run:
    """Have every answer judged that this judge has not judged yet; returns the run as far as it came."""
    with archive.alone(run):
        stored = archive.load(run)
        questions = {question.id: question for question in stored.record.questions}
        known = {(v.question, v.arm) for v in stored.verdicts if (v.judge, v.library) == named(judge)}
        work = [(entry, wanted) for entry in stored.entries if (wanted := measures_for(entry))]
        for done, (entry, wanted) in enumerate(work):
            if cancelled is not None and cancelled.is_set():
                break
            question = questions[entry.question]
            progress(done, len(work), question.question)
            if (entry.question, entry.arm) not in known:
                sample = sample_of(entry, question.question, question.answers)
                archive.add_verdict(run, _verdict(judge, entry, sample, wanted))
        else:
            progress(len(work), len(work), "")
    return archive.load(run)


def answers_left(run: Run, model: str) -> int:
    """How many answers this judge model has not judged."""
    known = {(v.question, v.arm) for v in run.verdicts if v.judge == model}
    return sum((e.question, e.arm) not in known for e in run.entries if measures_for(e))


def named(judge: Judge) -> tuple[str, str]:
    """The judge's model, and the library that asks it."""
    return judge.name, judge.library


def measures_for(entry: Entry) -> list[str]:
    """What a judge can say about this answer: what the offline measures could."""
    return [key for key in JUDGED if key in entry.scores] if entry.answer and entry.answer.text else []


def sample_of(entry: Entry, question: str, golds: Sequence[str]) -> Sample:
    """What the judge is shown of an answer."""
    assert entry.answer is not None
    passages = tuple(source.text for source in entry.answer.sources)
    return Sample(question, without_markers(entry.answer.text), passages, golds[0] if golds else "")


def _verdict(judge: Judge, entry: Entry, sample: Sample, wanted: Sequence[str]) -> JudgeVerdict:
    try:
        scores = judge.score(sample, wanted)
    except UnreadableVerdict:
        return JudgeVerdict(entry.question, entry.arm, *named(judge), failure=UNREADABLE)
    return JudgeVerdict(entry.question, entry.arm, *named(judge), scores)


# --- beside ours ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class JudgeAgreement:
    """One measure of one arm, by the judge and offline, over the answers that the judge scored."""

    arm: str
    measure: str
    judge: str
    library: str
    theirs: Score
    ours: Score


def judge_agreement(board: Board) -> list[JudgeAgreement]:
    """The newest judge's figures with ours, arm by arm; empty where nobody judged."""
    found = []
    for arm in board.arms:
        entries, verdicts = board.run.entries_of(arm), board.run.judged(arm)
        for key in JUDGED:
            pairs = [
                (verdict.scores[key], entries[question].scores[key])
                for question, verdict in verdicts.items()
                if key in verdict.scores and question in entries
            ]
            theirs = summarise([pair[0] for pair in pairs], BY_KEY[key].kind)
            ours = summarise([pair[1] for pair in pairs], BY_KEY[key].kind)
            if theirs is not None and ours is not None:
                last = board.run.verdicts[-1]
                found.append(JudgeAgreement(arm, key, last.judge, last.library, theirs, ours))
    return found


def judge_words(board: Board) -> str:
    """Who judged, how much, and what could not be read."""
    if not board.run.verdicts:
        return ""
    last = board.run.verdicts[-1]
    judged = [v for arm in board.arms for v in board.run.judged(arm).values()]
    failed = sum(verdict.failure is not None for verdict in judged)
    unread = f" {failed} of its verdicts were not readable and do not count." if failed else ""
    return (
        f"{last.library} with the judge model {last.judge}, on {len(judged)} answers; beside it our offline "
        f"figure over the same answers.{unread} A judge model errs too: two judges give two figures."
    )


def rows(board: Board) -> list[dict[str, JsonValue]]:
    """A row for each measure that a judge scored, as `evaluate --json` prints it."""
    return [
        {
            "backend": made.arm.partition(", ")[0],
            "arm": made.arm,
            "metric": f"ragas_{made.measure}",
            "category": None,
            "judge": made.judge,
            "library": made.library,
            "value": made.theirs.value,
            "interval": list(made.theirs.interval),
            "count": made.theirs.count,
            "offline_value": made.ours.value,
            "offline_interval": list(made.ours.interval),
        }
        for made in judge_agreement(board)
    ]
