"""Carries out an evaluation run: every question to every arm, timed alone, stored as soon as it is answered.

Enters: a stored run, and a `Subject` that answers, finds and describes itself. Leaves: entries in the
archive; killed at any point, the same call goes on where it stopped. It knows no model and no library.

Arms whose passages are cut alike work through the questions together, and the one that begins rotates from
question to question: whatever the machine does meanwhile hits each alike. Before each stretch every arm
answers once, unmeasured. Latencies can be compared within a run, never between runs.
"""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from backends.datatypes import Answer, BackendName, JsonObject, JsonValue, Question, UserError
from backends.evaluation.archive import Arm, Entry, Run, RunRecord, RunStore, Setting
from backends.evaluation.scoring import SCORES_VERSION, Judged, Passage, scores_of
from backends.settings import Settings, make_settings
from backends.system import traces
from backends.system.reporting import Report

INDEXED_BY = ("chunk_size", "chunk_overlap", "chunking")  # a change of these cuts all documents anew


@dataclass(frozen=True)
class Answered:
    """An answer with the passages that its own search found: the whole top k, best first, shown or not."""

    answer: Answer
    found: tuple[Passage, ...] = ()


class Subject(Protocol):
    """What is evaluated: one set of documents, models and adapters."""

    def as_now(self) -> Subject:
        """The same, answering with the adapters of this moment, whatever is activated meanwhile."""
        ...

    def fingerprint(self, settings: Settings) -> str:
        """Changes when the documents, the model or an adapter in use do."""
        ...

    def answer(self, question: Question, backend: BackendName, settings: Settings) -> Answered:
        """Raises UserError when this backend cannot answer."""
        ...

    def warm_up(
        self, backends: Sequence[BackendName], settings: Settings, stop: threading.Event | None = None
    ) -> None:
        """Index and answer once, unmeasured. Raises UserError when `stop` is set meanwhile."""
        ...

    def likeness(self, one: str, other: str) -> float:
        """How alike two texts are in meaning, at most 1."""
        ...

    def describe(self, settings: Settings) -> Setting:
        """Documents, model, adapters and machine of a run with these settings."""
        ...


class Spread(Protocol):
    """Asks many questions at once, elsewhere."""

    def entries(
        self,
        work: Iterable[tuple[Question, Sequence[Arm]]],
        made_of: str,
        cancelled: threading.Event | None = None,
    ) -> Iterator[Entry]:
        """The entries of these questions, arm by arm, in order.

        Raises UserError when what answers has another fingerprint than `made_of`, and when it is cancelled.
        """
        ...


def plain_arms(backends: Sequence[BackendName], settings: Settings) -> tuple[Arm, ...]:
    """One arm a backend, all with the same settings."""
    return tuple(Arm(name, name, settings.model_dump(mode="json")) for name in backends)


def sweep_arms(
    backends: Sequence[BackendName], settings: Settings, changes: Sequence[JsonObject]
) -> tuple[Arm, ...]:
    """One arm a backend and change of settings; an overlap that would not fit shrinks to a fifth."""
    arms = []
    for change in changes:
        size = change.get("chunk_size", settings.chunk_size)
        overlap = settings.chunk_overlap if settings.chunk_overlap < size / 2 else size // 5
        changed = make_settings(**{**settings.model_dump(), "chunk_overlap": overlap, **change})
        words = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in change.items())
        dumped = changed.model_dump(mode="json")
        arms += [Arm(f"{backend}, {words}", backend, dumped) for backend in backends]
    return tuple(arms)


def is_sweep(arms: Sequence[Arm]) -> bool:
    """Whether settings are tried; the same settings with several models are compared as backends are."""
    tried = [{name: value for name, value in arm.settings.items() if name != "model"} for arm in arms]
    return any(settings != tried[0] for settings in tried)


def plan(
    subject: Subject,
    questions: Sequence[Question],
    arms: Sequence[Arm],
    *,
    question_set: str,
    name: str = "",
) -> RunRecord:
    """A run that has not begun. Raises UserError when there is nothing to ask or nobody to answer."""
    if not questions or not arms:
        raise UserError("An evaluation needs at least one question and one backend.")
    if not any(question.answers for question in questions):
        raise UserError(
            'No question has an "answers" list: gold answers are what right and wrong are judged by.'
        )
    setting = _setting_of(subject, arms)
    return RunRecord("", name, "", question_set, tuple(questions), tuple(arms), setting, sweep=is_sweep(arms))


def _setting_of(subject: Subject, arms: Sequence[Arm]) -> Setting:
    """Where a run happens; where several models are asked, all of them are named."""
    firsts: dict[str, Arm] = {}
    for arm in arms:
        firsts.setdefault(str(arm.settings.get("model")), arm)
    found = {name: subject.describe(make_settings(**arm.settings)) for name, arm in firsts.items()}
    setting = replace(next(iter(found.values())), scores_version=SCORES_VERSION)
    if len(found) == 1:
        return setting
    return replace(
        setting,
        model=", ".join(each.model for each in found.values()),
        model_fingerprint=", ".join(each.model_fingerprint for each in found.values()),
        adapters={
            f"{kind}, model {name}": adapter
            for name, each in found.items()
            for kind, adapter in each.adapters.items()
        },
    )


def carry_out(
    archive: RunStore,
    record: RunRecord,
    subject: Subject,
    *,
    progress: Report = lambda done, total, what: None,
    cancelled: threading.Event | None = None,
    spread: Spread | None = None,
) -> Run:
    """Answer what is not answered yet, here or by `spread`; returns the run as far as it came.

    UserError when the documents, the model or an adapter are no longer what the run began with, or change
    while it works: no answer of the changed ones is stored; and when it is cancelled while documents are
    indexed for it.
    """
    subject = subject.as_now()
    first = make_settings(**record.arms[0].settings)
    state = subject.fingerprint(first)
    now = _setting_of(subject, record.arms)
    if replace(now, machine={}) != replace(record.setting, machine={}):
        raise UserError(
            f"The run {record.run} cannot go on: its documents, model or adapters have changed since. "
            "Begin a new one."
        )
    span = traces.work("evaluate", run=record.run, questions=len(record.questions), arms=len(record.arms))
    with archive.alone(record.run), span:
        run = archive.load(record.run)
        done = {(entry.question, entry.arm) for entry in run.entries}
        total = len(record.questions) * len(record.arms)
        record = replace(run.record, sittings=run.record.sittings + 1)
        archive.update(record)
        worker = _Worker(record, subject, total, len(done), progress, cancelled)
        entries = worker.answered(done) if spread is None else worker.spread(spread, done, state)
        for entry in entries:
            if subject.fingerprint(first) != state:
                raise UserError(
                    f"The run {record.run} stopped: its documents or an adapter changed while it worked. "
                    "What was answered before is kept; begin a new one."
                )
            archive.add(record.run, entry)
        run = archive.load(record.run)
        if len(run.entries) < total:  # cancelled
            return run
        archive.update(replace(record, complete=True))
    return archive.load(record.run)


class _Worker:
    """Works through one sitting of a run."""

    def __init__(
        self,
        record: RunRecord,
        subject: Subject,
        total: int,
        done: int,
        progress: Report,
        cancelled: threading.Event | None,
    ) -> None:
        self._cancelled = cancelled
        self._subject = subject
        self._record = record
        self._total = total
        self._done = done
        self._progress = progress

    def answered(self, done: set[tuple[str, str]]) -> Iterator[Entry]:
        """What is left to ask, asked here, group by group; ends early when it is cancelled."""
        for arms in groups(self._record.arms):
            left = list(_turns(self._record, arms, done))
            if left:
                self._warm_up(arms)
            for question, turn in left:
                for arm in turn:
                    if self._stopped:
                        return
                    yield self._counted(entry_of(self._subject, question, arm), question)

    def spread(self, spread: Spread, done: set[tuple[str, str]], made_of: str) -> Iterator[Entry]:
        """The same, asked elsewhere."""
        left = [pair for arms in groups(self._record.arms) for pair in _turns(self._record, arms, done)]
        questions = {question.id: question for question, _ in left}
        for entry in spread.entries(left, made_of, self._cancelled):
            yield self._counted(entry, questions[entry.question])

    @property
    def _stopped(self) -> bool:
        return self._cancelled is not None and self._cancelled.is_set()

    def _warm_up(self, arms: Sequence[Arm]) -> None:
        for arm in arms:
            self._progress(self._done, self._total, f"Warming up {arm.name.replace('_', '-')}")
            if self._stopped:
                raise UserError("Cancelled.")
            with suppress(UserError):  # it will say so at each question, and the others go on
                warm(self._subject, arm, self._cancelled)

    def _counted(self, entry: Entry, question: Question) -> Entry:
        self._done += 1
        self._progress(self._done, self._total, question.question)
        return entry


def _turns(
    record: RunRecord, arms: Sequence[Arm], done: set[tuple[str, str]]
) -> Iterator[tuple[Question, list[Arm]]]:
    """Each question with the arms that have not answered it, the one that begins rotating."""
    for index, question in enumerate(record.questions):
        turn = index % len(arms)
        left = [arm for arm in (*arms[turn:], *arms[:turn]) if (question.id, arm.name) not in done]
        if left:
            yield question, left


def warm(subject: Subject, arm: Arm, stop: threading.Event | None = None) -> None:
    """Let an arm answer once, unmeasured. Raises UserError as `Subject.warm_up` does."""
    subject.warm_up([arm.backend], make_settings(**arm.settings), stop)  # type: ignore[list-item]


def entry_of(subject: Subject, question: Question, arm: Arm) -> Entry:
    """One arm's answer to one question with its scores, or why there is none."""
    try:
        made = subject.answer(question, arm.backend, make_settings(**arm.settings))  # type: ignore[arg-type]
    except UserError as error:
        return Entry(question.id, arm.name, failure=str(error))
    text = made.answer.text
    likeness = subject.likeness(question.question, text) if text else 0.0
    scores = scores_of(Judged(question, made.answer, made.found, likeness))
    return Entry(question.id, arm.name, made.answer, scores)


def groups(arms: Sequence[Arm]) -> list[list[Arm]]:
    """Arms that search the same index, in order of their first."""
    made: dict[tuple[JsonValue, ...], list[Arm]] = {}
    for arm in arms:
        made.setdefault(tuple(arm.settings.get(field) for field in INDEXED_BY), []).append(arm)
    return list(made.values())


def machine() -> dict[str, JsonValue]:
    """What the times were measured on."""
    import torch

    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - not a file of ours
            lines = (line.split(":", 1) for line in file)
            return next((pair[1].strip() for pair in lines if pair[0].strip() == "model name"), "")
    except OSError:
        return platform.processor()
