"""Questions of an evaluation, spread over the workers of a cluster; each opens the workspace for itself.

Enters: a run's questions with their arms. Leaves: its entries in order, the same answers as one machine
gives. Every machine has to see the same documents, models and adapters: their fingerprint comes with each
answer and is compared. Times of workers that share a machine are marked as timed under load.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from backends.bulk.cluster import Call, Cluster, Workers
from backends.datatypes import Question, UserError
from backends.evaluation.archive import Arm, Entry
from backends.evaluation.runner import Subject, entry_of, warm
from backends.settings import Settings, make_settings
from backends.system.wording import UNDER_LOAD

AHEAD = 2  # questions that a worker is given before the first of them is stored


@dataclass(frozen=True)
class WorkspacePlace:
    """What a worker opens: a workspace that its machine sees at the same path."""

    workspace: Path
    settings: Settings
    documents: Path | None
    role: str | None
    store: str = ""  # the address of the documents where they are in no file of the workspace


@dataclass(frozen=True)
class Replies:
    """The entries of one question, of what they were made (a fingerprint), and on which machine."""

    entries: tuple[Entry, ...]
    made_of: str
    machine: str
    problem: str = ""


class QuestionWorker:
    """What each worker holds: the product, opened at the first question."""

    def __init__(self, place: WorkspacePlace) -> None:
        self._place = place
        self._subject: Subject | None = None
        self._warmed: set[str] = set()

    def machine(self) -> str:
        """The name of the machine it runs on."""
        return socket.gethostname()

    def ask(self, question: Question, arms: Sequence[Arm]) -> Replies:
        """Ask every arm; what one of them refuses is an entry too."""
        try:
            subject = self._opened()
        except UserError as error:
            return Replies((), "", self.machine(), str(error))
        for arm in arms:
            if arm.name not in self._warmed:
                self._warmed.add(arm.name)
                with suppress(UserError):  # it will say so at each question, and the others go on
                    warm(subject, arm)
        entries = tuple(entry_of(subject, question, arm) for arm in arms)
        made_of = subject.fingerprint(make_settings(**arms[0].settings))
        return Replies(entries, made_of, self.machine())

    def _opened(self) -> Subject:
        if self._subject is None:
            if not self._place.workspace.is_dir():
                raise UserError(f"the machine {self.machine()} does not see {self._place.workspace}.")
            self._subject = subject_at(self._place)
        return self._subject


def subject_at(place: WorkspacePlace) -> Subject:
    """The product at this place, with the adapters of this moment."""
    from backends.offline.subject import TriptychSubject
    from backends.product import Triptych

    os.environ["TRIPTYCH_STORE"] = place.store
    opened = Triptych.open(place.workspace, place.settings, documents=place.documents, role=place.role)
    return TriptychSubject(opened).as_now()


class ClusterSpread:
    """Asks questions by the workers of a cluster; a `Spread` of the runner."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._machines = workers.each(QuestionWorker.machine)

    @property
    def words(self) -> str:
        """Who answers, for the record of the run."""
        machines = len(set(self._machines))
        return f"{self._workers.count} workers on {machines} machine{'s' if machines > 1 else ''}"

    def entries(
        self,
        work: Iterable[tuple[Question, Sequence[Arm]]],
        made_of: str,
        cancelled: threading.Event | None = None,
    ) -> Iterator[Entry]:
        begun: deque[Call[Replies]] = deque()
        left = iter(work)
        while True:
            while len(begun) < AHEAD * self._workers.count and (next_one := next(left, None)) is not None:
                begun.append(self._workers.call(QuestionWorker.ask, *next_one))
            if not begun:
                return
            call = begun.popleft()
            asked = self._workers.result(call, cancelled)
            self._machines[call.worker] = asked.machine
            if asked.problem:
                raise UserError(f"A worker of the cluster cannot answer: {asked.problem}")
            if asked.made_of != made_of:
                raise UserError(
                    f"The machine {asked.machine} has other documents, models or adapters than this one: "
                    "its answers are not stored."
                )
            yield from (self._marked(entry, asked.machine) for entry in asked.entries)

    def _marked(self, entry: Entry, machine: str) -> Entry:
        """Its times say so where other workers answered on the same machine."""
        others = self._machines.count(machine) - 1
        if entry.answer is None or not others:
            return entry
        note = f"{UNDER_LOAD} {others} other worker{'s' if others > 1 else ''} answered on this machine."
        return replace(entry, answer=replace(entry.answer, warnings=(*entry.answer.warnings, note)))


def spread_on(cluster: Cluster, place: WorkspacePlace) -> ClusterSpread:
    """One worker for each place of the cluster; returns when all of them are there."""
    return ClusterSpread(Workers(QuestionWorker, (place,), cluster.size))
