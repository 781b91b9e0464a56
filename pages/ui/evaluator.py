"""What the evaluation page needs of a service: what is evaluated, and where its runs are kept.

Enters: a subject and archives. Leaves: runs of all archives as one list, and the job that carries one out.
Runs about the shared documents are everybody's; those about a visitor's own questions or documents are kept
apart and shown to nobody else. The results that ship with the sample are shown to who has none, and only
while each of their documents is among those that the visitor sees: what was forgotten is quoted nowhere.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

from backends.datatypes import BackendName, Document, JsonObject, JsonValue, Question
from backends.evaluation.archive import FOLDER, Archive, Arm, RunRecord, RunStore
from backends.evaluation.comparison import Board
from backends.evaluation.judging import judge_run
from backends.evaluation.run_rows import open_runs_of
from backends.evaluation.runner import Subject, carry_out, plain_arms, plan, sweep_arms
from backends.feedback.kept_feedback import keep_present
from backends.offline import subject as subject_module
from backends.offline.proposed import Proposed, propose
from backends.settings import Settings
from backends.system.files import SAMPLE_RESULTS
from backends.system.jobs import JobContext
from backends.system.viewers import person_and_role, viewer_folder
from backends.training.row_building import Writer

KIND = "evaluate"
PROPOSE = "propose"
JUDGE = "judge"
KEPT_DAYS = 30


@dataclass(frozen=True)
class Order:
    """A run that somebody wants."""

    questions: tuple[Question, ...]
    question_set: str
    backends: tuple[BackendName, ...]
    settings: Settings
    name: str = ""
    own: bool = False  # the questions are the visitor's own
    grid: tuple[JsonObject, ...] = ()  # settings to try: a sweep
    models: tuple[str, ...] = ()  # asked beside each other; none: that of the settings


@dataclass(frozen=True)
class Evaluator:
    """One visitor's evaluations."""

    subject: Subject
    shared: RunStore
    own: RunStore
    private: bool  # the documents are the visitor's own
    writer: Callable[[], Writer | None]  # the language model, for proposed questions
    names: frozenset[str] = frozenset()  # of the documents that the visitor sees
    shipped: RunStore = field(default_factory=partial(Archive, SAMPLE_RESULTS))

    def runs(self) -> list[RunRecord]:
        """All that this visitor may see, newest first."""
        found = {r.run: r for archive in (self.shared, self.own) for r in archive.records()}
        return sorted(found.values(), key=lambda record: record.run, reverse=True)

    def example(self) -> RunRecord | None:
        """The run that ships with the sample; None where one of its documents is not there."""
        record = next(iter(self.shipped.records()), None)
        return record if record is not None and set(record.setting.documents) <= self.names else None

    def is_example(self, run: str) -> bool:
        """Whether a run came with the product."""
        return self.shipped.has(run)

    def board(self, run: str) -> Board:
        """The run's numbers, computed once for as long as the run does not change."""
        archive = self._archive_with(run)
        return _board(archive, run, archive.state(run))

    def delete(self, run: str) -> None:
        """Remove a run of one's own."""
        self.own.delete(run)

    def is_own(self, run: str) -> bool:
        """Whether a run is the visitor's own."""
        return self.own.has(run)

    def ordered(self, order: Order) -> Callable[[JobContext], str]:
        """The job: begins the run, or goes on with the same one; its event and result are the run's id."""

        def work(context: JobContext) -> str:
            context.progress(0, 0, "Preparing")
            planned = plan(
                self.subject, order.questions, _arms(order), question_set=order.question_set, name=order.name
            )
            archive = self.own if order.own or self.private else self.shared
            record = archive.unfinished(planned) or archive.begin(planned)
            return self._carry_out(archive, record, context)

        return work

    def proposing(self, documents: Sequence[Document], count: int) -> Callable[[JobContext], Proposed]:
        """The job that proposes questions about these documents."""

        def work(context: JobContext) -> Proposed:
            context.progress(0, 0, "Preparing")
            return propose(documents, self.writer(), count, report=context.progress, cancel=context.cancelled)

        return work

    def continued(self, run: str) -> Callable[[JobContext], str]:
        """The job that goes on with an interrupted run."""

        def work(context: JobContext) -> str:
            archive = self._archive_with(run)
            return self._carry_out(archive, archive.find(run), context)

        return work

    def judging(self, run: str) -> Callable[[JobContext], str]:
        """The job that lets the configured judge model score what it has not scored of a run."""

        def work(context: JobContext) -> str:
            context.emit(run)
            context.progress(0, 0, "Preparing")
            with subject_module.configured_judge() as judge:
                judge_run(
                    self._archive_with(run),
                    run,
                    judge,
                    progress=context.progress,
                    cancelled=context.cancelled,
                )
            return run

        return work

    def _carry_out(self, archive: RunStore, record: RunRecord, context: JobContext) -> str:
        context.emit(record.run)
        carry_out(archive, record, self.subject, progress=context.progress, cancelled=context.cancelled)
        return record.run

    def _archive_with(self, run: str) -> RunStore:
        if self.is_example(run):
            return self.shipped
        return self.own if self.is_own(run) else self.shared


@lru_cache(maxsize=12)
def _board(archive: RunStore, run: str, _state: tuple[int, ...]) -> Board:
    return Board(archive.load(run))


def visitors_archive(workspace: Path, visitor: str) -> RunStore:
    """Where one visitor's own runs lie; those of visitors who were not here for 30 days are removed."""
    own = viewer_folder(workspace, *person_and_role(visitor))
    if own.parent.is_dir():
        for old in own.parent.iterdir():
            if old != own and time.time() - _last_used(old) > KEPT_DAYS * 24 * 3600:
                shutil.rmtree(old, ignore_errors=True)
    if own.is_dir():
        os.utime(own)  # being here counts, and a run below does not touch the folder itself
    keep_present(workspace, own.name, KEPT_DAYS)
    return open_runs_of(workspace, *person_and_role(visitor))


def _last_used(folder: Path) -> float:
    """When something was last stored in a visitor's folder, or the visitor was last here."""
    latest = folder.stat().st_mtime
    for path in [*folder.iterdir(), *(folder / FOLDER).glob("*/*")]:
        with suppress(FileNotFoundError):  # written anew or removed meanwhile
            latest = max(latest, path.stat().st_mtime)
    return latest


def _arms(order: Order) -> tuple[Arm, ...]:
    """Every backend at every point of the grid, with every model."""
    models = [{"model": model} for model in order.models if order.models != (order.settings.model,)]
    changes = [{**point, **model} for model in models or [{}] for point in order.grid or [{}]]
    if changes == [{}]:
        return plain_arms(order.backends, order.settings)
    return sweep_arms(order.backends, order.settings, changes)


def grid_of(axes: Mapping[str, Sequence[JsonValue]]) -> tuple[JsonObject, ...]:
    """Every combination of the values."""
    points: list[dict[str, JsonValue]] = [{}]
    for name, values in axes.items():
        points = [{**point, name: value} for point in points for value in values]
    return tuple(points)
