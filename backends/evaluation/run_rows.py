"""Evaluation runs as rows of the database that app servers share; and who opens runs, wherever they lie.

Enters and leaves: what `archive` keeps in folders, by the same protocol. A run that lay in a folder before
the workspace had a database is moved there by whoever opens it first.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backends.datatypes import UserError
from backends.evaluation.archive import (
    KEPT_RUNS,
    Archive,
    Entry,
    JudgeVerdict,
    Run,
    RunRecord,
    RunStore,
    entry_of,
    moved_on,
    numbered,
    record_of,
)
from backends.postgres.addresses import records_address
from backends.system.viewers import viewer_folder

if TYPE_CHECKING:
    from backends.postgres.record_rows import PostgresRecords


def open_runs(workspace: Path) -> RunStore:
    """The runs of a workspace or of a visitor's own copy."""
    return _opened(Archive(workspace), workspace, "")


def open_runs_of(workspace: Path, person: str, role: str | None = None) -> RunStore:
    """The runs of one viewer."""
    folder = viewer_folder(workspace, person, role)
    return _opened(Archive(folder), workspace, folder.name)


def _opened(files: Archive, workspace: Path, place: str) -> RunStore:
    if not (address := records_address(workspace)):
        return files
    shared = PostgresRuns(files.workspace, address, place)
    for record in files.records():
        shared.take(files.load(record.run))
        shutil.rmtree(files.folder / record.run)
    return shared


@dataclass(frozen=True)
class PostgresRuns(RunStore):
    """The runs of one place: "" is the workspace's own, others are viewers'."""

    workspace: Path
    address: str
    place: str = ""

    def _of(self, kind: str, run: str = "") -> PostgresRecords:
        from backends.postgres.record_rows import PostgresRecords  # of the extra `scale`

        return PostgresRecords(self.address, self.place, kind, run)

    @property
    def _runs(self) -> PostgresRecords:
        return self._of("run")

    def has(self, run: str) -> bool:
        """Whether a run of this id is here."""
        return self._runs.has(run)

    def begin(self, record: RunRecord) -> RunRecord:
        """Store a new run."""
        made = numbered(record)
        with self._runs.server.transaction():
            self._runs.put(made.run, asdict(made))
            for old in sorted(self._runs.keys(), reverse=True)[KEPT_RUNS:]:
                self._remove(old)
        return made

    def update(self, record: RunRecord) -> None:
        """Store the run's name and how far it came."""
        with self._runs.server.transaction():
            if (stored := self._runs.get(record.run)) is None:
                raise UserError(f"The run {record.run} is gone.")
            self._runs.put(record.run, moved_on(stored, record))

    def records(self) -> list[RunRecord]:
        """All runs, newest first."""
        return sorted(map(record_of, self._runs.all()), key=lambda record: record.run, reverse=True)

    def state(self, run: str) -> tuple[int, ...]:
        """Counts and times of the run's rows."""
        return (
            *self._runs.state(),
            *self._of("answer", run).state(),
            *self._of("verdict", run).state(),
        )

    def load(self, run: str) -> Run:
        """A run with all its entries and verdicts."""
        if (stored := self._runs.get(run)) is None:
            raise UserError(f"{run} is no readable evaluation run.")
        entries = map(entry_of, self._of("answer", run).all())
        verdicts = (JudgeVerdict(**row) for row in self._of("verdict", run).all())
        return Run(record_of(stored), tuple(entries), tuple(verdicts))

    def add(self, run: str, entry: Entry) -> None:
        """In the database when this returns."""
        self._of("answer", run).add(asdict(entry))

    def add_verdict(self, run: str, verdict: JudgeVerdict) -> None:
        """Keep what a judge said."""
        self._of("verdict", run).add(asdict(verdict))

    @contextmanager
    def alone(self, run: str) -> Iterator[None]:
        """Held while a run is worked on, on any server."""
        taken = False
        try:
            with self._runs.server.alone(self._key(run), wait=False):
                taken = True
                yield
        except BlockingIOError as error:
            if taken:
                raise
            raise UserError(f"The run {run} is being worked on already.") from error

    def _key(self, run: str) -> int:
        """The same on every server; locks of the database are numbers."""
        digest = hashlib.sha256(f"{self.place}/{run}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)

    def delete(self, run: str) -> None:
        """Remove a run for good."""
        with self._runs.server.transaction():
            self._remove(self.find(run).run)
        self._runs.clean()

    def _remove(self, run: str) -> None:
        self._runs.remove(run)
        for kind in ("answer", "verdict"):
            self._of(kind, run).clear()

    def take(self, run: Run) -> None:
        """A run that lay in a folder before, all of it or nothing."""
        with self._runs.server.transaction():
            self._runs.take(run.record.run, asdict(run.record))
            for kind, rows in (
                ("answer", [asdict(entry) for entry in run.entries]),
                ("verdict", [asdict(verdict) for verdict in run.verdicts]),
            ):
                for number, row in enumerate(rows):
                    self._of(kind, run.record.run).take(f"{number:09d}", row)
