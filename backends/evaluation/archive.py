"""Keeps evaluation runs: answers are added one by one, so that a kill loses one at most.

Enters: a `RunRecord` and scored answers. Leaves: the same, after a restart too. They lie in a folder per run,
or in the database that app servers share (`run_rows`). In a folder `run.json` is written whole or not at all;
`answers.jsonl` and `verdicts.jsonl` only grow, and a torn last line is dropped. All are plain JSON, so that
the erasure of a document reaches the answers that quote it, also while more are added.
"""

from __future__ import annotations

import fcntl
import json
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from backends.datatypes import (
    Answer,
    Checks,
    Citation,
    Cost,
    Excerpt,
    JsonObject,
    JsonValue,
    Question,
    SourceRecord,
    Usage,
    UserError,
)
from backends.system.files import append_line, rewrite, write_whole

FOLDER = "evaluations"
KEPT_RUNS = 200
RECORD = "run.json"
ANSWERS = "answers.jsonl"
VERDICTS = "verdicts.jsonl"  # of judge models


@dataclass(frozen=True)
class Arm:
    """What is compared with what: a backend with its settings. `name` is unique within a run."""

    name: str  # "rag", or "rag, chunk size 64, top k 4" in a sweep
    backend: str
    settings: JsonObject  # complete, as `Settings.model_dump(mode="json")`


@dataclass(frozen=True)
class Setting:
    """Where a run happened: all that may explain why two runs differ."""

    corpus: str = ""  # fingerprint of the documents
    role: str = ""  # as whom they were read; empty is the owner
    documents: Mapping[str, int] = field(default_factory=dict)  # name -> version
    model: str = ""
    model_fingerprint: str = ""
    adapters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # backend -> name, fingerprint
    machine: JsonObject = field(default_factory=dict)
    scores_version: int = 0


@dataclass(frozen=True)
class RunRecord:
    """What was asked of whom, and how far it came."""

    run: str
    name: str
    created: str  # UTC, ISO 8601
    question_set: str
    questions: tuple[Question, ...]
    arms: tuple[Arm, ...]
    setting: Setting
    sittings: int = 0  # 2 and more: it was interrupted, and latencies come from several stretches of time
    complete: bool = False
    sweep: bool = False

    def same_work(self, other: RunRecord) -> bool:
        """Whether both would ask the same things of the same arms in the same place."""
        mine, theirs = (
            replace(r, run="", name="", created="", sittings=0, complete=False) for r in (self, other)
        )
        return mine == theirs


@dataclass(frozen=True)
class Entry:
    """One answer of a run with its scores, or why there is none."""

    question: str  # its id
    arm: str
    answer: Answer | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    failure: str | None = None


@dataclass(frozen=True)
class JudgeVerdict:
    """What a judge model said of one answer; no words of it, only numbers."""

    question: str  # its id
    arm: str
    judge: str  # the model
    library: str  # who asked it
    scores: Mapping[str, float] = field(default_factory=dict)
    failure: str | None = None


@dataclass(frozen=True)
class Run:
    """A run with all its answers so far, and what a judge model said of them."""

    record: RunRecord
    entries: tuple[Entry, ...]
    verdicts: tuple[JudgeVerdict, ...] = ()

    def entries_of(self, arm: str) -> dict[str, Entry]:
        """The arm's entries by question id."""
        return {entry.question: entry for entry in self.entries if entry.arm == arm}

    def judged(self, arm: str) -> dict[str, JudgeVerdict]:
        """The arm's verdicts of the newest judge by question id."""
        by = {(verdict.judge, verdict.library) for verdict in self.verdicts[-1:]}
        return {v.question: v for v in self.verdicts if v.arm == arm and (v.judge, v.library) in by}


class RunStore(Protocol):
    """The runs of a workspace, or of one viewer. Safe to use from several threads and processes."""

    workspace: Path  # the folder on this machine whose runs they are; what else is kept lies there

    def __hash__(self) -> int:
        """Of the place: boards are kept by it."""
        return hash(self.workspace)

    def has(self, run: str) -> bool:
        """Whether a run of this id is here."""
        ...

    def begin(self, record: RunRecord) -> RunRecord:
        """Store a new run; `record.run` and `record.created` are filled in. Old runs beyond 200 go.

        Ids sort by the time of their beginning, to the microsecond: their order is the order of the runs.
        """
        ...

    def update(self, record: RunRecord) -> None:
        """Store the run's name and how far it came: the rest may have lost what a forgotten document said."""
        ...

    def records(self) -> list[RunRecord]:
        """All runs, newest first; what cannot be read is left out."""
        ...

    def state(self, run: str) -> tuple[int, ...]:
        """Differs whenever the run's record or answers have changed."""
        ...

    def load(self, run: str) -> Run:
        """A run with all its entries and verdicts. UserError when there is none of this id."""
        ...

    def add(self, run: str, entry: Entry) -> None:
        """Kept for good when this returns."""
        ...

    def add_verdict(self, run: str, verdict: JudgeVerdict) -> None:
        """Keep what a judge said."""
        ...

    def alone(self, run: str) -> AbstractContextManager[None]:
        """Held while a run is worked on. UserError when another process or thread does so already."""
        ...

    def delete(self, run: str) -> None:
        """Remove a run for good."""
        ...

    def find(self, name: str) -> RunRecord:
        """The run of this id, its unique beginning, its name (the newest of that name), or `latest`."""
        records = self.records()
        exact = [r for r in records if name in (r.run, r.name)]
        if name == "latest":
            exact = [r for r in records if r.complete]
        begun = [r for r in records if name and r.run.startswith(name)]
        if exact or len(begun) == 1:
            return (exact or begun)[0]
        if begun:
            raise UserError(f"{len(begun)} runs begin with {name!r}: give more of the id.")
        known = ", ".join(r.run for r in records[:5]) or "none yet"
        raise UserError(f"There is no evaluation run {name!r}; the newest are: {known}.")

    def unfinished(self, record: RunRecord) -> RunRecord | None:
        """The newest interrupted run of exactly this work."""
        return next((r for r in self.records() if not r.complete and r.same_work(record)), None)


def numbered(record: RunRecord) -> RunRecord:
    """A new run with its id and the time of its beginning."""
    at = datetime.now(UTC)
    run = f"{at:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"
    return replace(record, run=run, created=at.isoformat(timespec="seconds"))


def moved_on(stored: JsonObject, record: RunRecord) -> dict[str, JsonValue]:
    """What is stored of a run, with the name it has now and how far it came."""
    return {**stored, "name": record.name, "sittings": record.sittings, "complete": record.complete}


@dataclass(frozen=True)
class Archive(RunStore):
    """The runs in a folder."""

    workspace: Path

    @property
    def folder(self) -> Path:
        """Where the runs lie."""
        return self.workspace / FOLDER

    def has(self, run: str) -> bool:
        """Whether a run of this id is here."""
        return (self.folder / run).is_dir()

    def begin(self, record: RunRecord) -> RunRecord:
        """Store a new run in a folder of its own."""
        made = numbered(record)
        (self.folder / made.run).mkdir(parents=True)
        write_whole(self.folder / made.run / RECORD, json.dumps(asdict(made), ensure_ascii=False, indent=1))
        for old in sorted(self.folder.glob(f"*/{RECORD}"), reverse=True)[KEPT_RUNS:]:
            shutil.rmtree(old.parent, ignore_errors=True)
        return made

    def update(self, record: RunRecord) -> None:
        """Store the run's name and how far it came."""
        rewrite(
            self.folder / record.run / RECORD,
            lambda stored: json.dumps(
                moved_on(json.loads(stored), record), ensure_ascii=False, indent=1
            ).encode(),
        )

    def records(self) -> list[RunRecord]:
        """All runs, newest first; folders without a readable record are left out."""
        found = []
        for path in sorted(self.folder.glob(f"*/{RECORD}"), reverse=True):
            try:
                found.append(read_record(path))
            except UserError:  # half-written by a version that no longer exists: nothing to show
                continue
        return found

    def state(self, run: str) -> tuple[int, ...]:
        """Differs whenever the run's record or answers have changed; empty when the run is gone."""
        found: list[int] = []
        for name in (RECORD, ANSWERS, VERDICTS):  # partial files come and go
            with suppress(FileNotFoundError):
                status = (self.folder / run / name).stat()
                found += [status.st_mtime_ns, status.st_size]
        return tuple(found)

    def load(self, run: str) -> Run:
        """A run with all its entries and verdicts."""
        record = read_record(self.folder / run / RECORD)
        entries = (entry_of(row) for row in self._rows(run, ANSWERS))
        return Run(record, tuple(entries), tuple(JudgeVerdict(**row) for row in self._rows(run, VERDICTS)))

    def add(self, run: str, entry: Entry) -> None:
        """On the disk when this returns."""
        self._append(run, ANSWERS, entry)

    def add_verdict(self, run: str, verdict: JudgeVerdict) -> None:
        """Append what a judge said."""
        self._append(run, VERDICTS, verdict)

    def _append(self, run: str, name: str, record: Entry | JudgeVerdict) -> None:
        line = json.dumps(asdict(record), ensure_ascii=False, allow_nan=False)
        append_line(self.folder / run / name, line)

    @contextmanager
    def alone(self, run: str) -> Iterator[None]:
        """Held while a run is worked on. UserError when another process or thread does so already."""
        with (self.folder / run / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UserError(f"The run {run} is being worked on already.") from error
            yield

    def delete(self, run: str) -> None:
        """Remove a run for good."""
        shutil.rmtree(self.folder / self.find(run).run)

    def _rows(self, run: str, name: str) -> Iterator[dict[str, JsonValue]]:
        path = self.folder / run / name
        if not path.is_file():
            return
        lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last \n is torn
        for number, line in enumerate(lines, start=1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise UserError(f"The run {run} is damaged: line {number} of {name} is no JSON.") from error


# --- records from JSON ---------------------------------------------------------------------------


def read_record(path: Path) -> RunRecord:
    """The record of a run.json; raises UserError when it is not one."""
    try:
        return record_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path.parent.name} is no readable evaluation run.") from error


def record_of(row: JsonObject) -> RunRecord:
    """The record of a stored row."""
    questions = tuple(
        Question(**{**q, "answers": tuple(q["answers"]), "documents": tuple(q["documents"])})
        for q in row["questions"]
    )
    arms = tuple(Arm(**arm) for arm in row["arms"])
    return RunRecord(**{**row, "questions": questions, "arms": arms, "setting": Setting(**row["setting"])})


def entry_of(row: JsonObject) -> Entry:
    """The entry of a stored row."""
    answer = answer_of(row["answer"]) if row["answer"] is not None else None
    return Entry(**{**row, "answer": answer})


def answer_of(row: JsonObject) -> Answer:
    """The record that `ask --json` prints, read back."""
    return Answer(
        **{
            **row,
            "citations": tuple(Citation(**citation) for citation in row["citations"]),
            "sources": tuple(SourceRecord(**source) for source in row["sources"]),
            "usage": Usage(**row["usage"]),
            "cost": Cost(**row["cost"]),
            "warnings": tuple(row["warnings"]),
            "checks": _checks_of(row.get("checks") or {}),  # runs of before there were any have none
        }
    )


def _checks_of(row: JsonObject) -> Checks:
    passage = row.get("passage")
    return Checks(**{**row, "passage": Excerpt(**passage) if passage else None})


def slug(name: str) -> str:
    """A file name made of a run's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-") or "run"
