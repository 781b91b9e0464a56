"""Training runs on disk: what is to be trained, how far it is, what became of it; a process of its own each.

Enters: a `TrainingPlan` with its examples. Leaves: `TrainingRun` records that outlive page, session and
server. A run works in a niced process, so that answers come first; it holds a lock as long as it lives,
which tells a running one from one that was killed. A run whose document is forgotten is withdrawn: it ends
and yields no adapter. It knows no page and no documents.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from backends.datatypes import Chunk, JsonObject, JsonValue, TrainingRow, UserError
from backends.system.files import ROOT, move_into_place, read_json, write_whole
from backends.training.adapters import ADAPTER_KINDS, AdapterKind, LearnedDocument
from backends.training.embedder_pairs import Pair
from backends.training.rows import Example

RunState = Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]
ENDED: frozenset[RunState] = frozenset({"done", "failed", "cancelled"})
RUNS_KEPT = 50
TRAINING_LOCK = "training.lock"  # in the workspace; whoever trains shares it
LAUNCH_TRIES, LAUNCH_WAIT = 25, 0.02  # seconds between two tries
WITHDRAWN = "withdrawn"  # a file of the run: why it may yield no adapter
PROCESS = "process"  # a file of the run: the number of the process that works on it
PASSAGES = "passages.jsonl"  # a file of an embedder's run
KILLED_WITHIN = 10.0


@dataclass(frozen=True)
class TrainingPlan:
    """What a run is to train; everything needed to do it again."""

    name: str
    kind: AdapterKind
    model: str
    params: JsonObject  # of `LoraParams`
    documents: tuple[LearnedDocument, ...] = ()
    warnings: tuple[str, ...] = ()
    owner: str = ""
    activate: bool = True  # once held-out rows show a gain; False: never by itself
    replaces: str = ""  # the stale adapter this one is trained for
    present: str = ""  # folder of the tuned embedder that a new one is held against; empty: the published one
    created: str = ""


class TrainingRun:
    """One run, read from its folder at every call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name
        raw = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        raw["documents"] = tuple(LearnedDocument(**each) for each in raw["documents"])
        raw["warnings"] = tuple(raw["warnings"])
        self.plan = TrainingPlan(**raw)

    @property
    def checkpoint(self) -> Path:
        """Where its process writes what it needs to go on."""
        return self.folder / "checkpoint.safetensors"

    @property
    def workspace(self) -> Path:
        """Whose adapter it makes: the workspace's, or that of a visitor's copy."""
        return self.folder.parents[1]

    @property
    def made(self) -> Path:
        """Where its process writes the adapter before it is put among the others."""
        return self.folder / "made" / self.plan.name

    @property
    def withdrawn(self) -> str:
        """Why it may yield no adapter; empty when it may."""
        path = self.folder / WITHDRAWN
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @contextmanager
    def deciding_outcome(self) -> Iterator[None]:
        """Held while it is decided whether the run yields an adapter: it is withdrawn before or after."""
        with (self.folder / "settling").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @property
    def state(self) -> RunState:
        """How far it is; read at every call."""
        state: RunState = self._stored().get("state", "waiting")
        if state == "interrupted" and self.alive:
            return "running"  # its process has written that, and is about to end
        if state == "running" and not self.alive:
            # The process may have written its last state between the two looks.
            state = self._stored().get("state", "waiting")
            return "interrupted" if state == "running" else state
        return state

    @property
    def error(self) -> str:
        """Why it failed; empty when it did not."""
        return str(self._stored().get("error", ""))

    @property
    def seconds(self) -> float:
        """Measured by the run itself, over all its parts; 0 before it has ended."""
        return float(self._stored().get("seconds", 0.0))

    @property
    def alive(self) -> bool:
        """Whether a process works on it now."""
        with (self.folder / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    @property
    def resumable(self) -> bool:
        """Whether it can be started again: its rows are there and no process works on it."""
        return (self.folder / "examples.jsonl").is_file() and not self.alive

    def events(self) -> list[dict[str, JsonValue]]:
        """What the run has told so far; a line that is being written is left for the next look."""
        path = self.folder / "events.jsonl"
        if not path.is_file():
            return []
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def rows(self) -> list[TrainingRow]:
        """The rows it learned from."""
        path = self.folder / "rows.jsonl"
        return read_rows(path) if path.is_file() else []

    def examples(self) -> tuple[list[Example], list[Example]]:
        """(train, held out), as the model is shown them."""
        sides: tuple[list[Example], list[Example]] = ([], [])
        for line in (self.folder / "examples.jsonl").read_text(encoding="utf-8").splitlines():
            raw = json.loads(line)
            sides[raw["held_out"]].append(Example(raw["row"], tuple(raw["messages"]), raw["answer"]))
        return sides

    def pairs(self) -> tuple[list[Pair], list[Pair]]:
        """(train, held out) of an embedder's run."""
        sides: tuple[list[Pair], list[Pair]] = ([], [])
        for line in (self.folder / "examples.jsonl").read_text(encoding="utf-8").splitlines():
            raw = json.loads(line)
            pair = Pair(raw["row"], raw["question"], raw["passage"], tuple(raw["negatives"]))
            sides[raw["held_out"]].append(pair)
        return sides

    def passages(self) -> list[Chunk]:
        """What an embedder's run searches among; gone once it has ended."""
        path = self.folder / PASSAGES
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else ()
        return [Chunk(**json.loads(line)) for line in lines]

    def set_state(self, state: RunState, error: str = "", seconds: float = 0.0) -> None:
        """Write its state, whole."""
        write_json(self.folder / "state.json", {"state": state, "error": error, "seconds": seconds})

    def cancel(self) -> None:
        """Ask it to stop and keep its best finished epoch; a run that nobody works on just ends."""
        (self.folder / "stop").touch()
        if not self.alive and self.state not in ENDED:
            self.set_state("cancelled")
            self.remove_leftovers()

    def withdraw(self, why: str) -> bool:
        """End it at once and for good, without an adapter; False when it had ended before.

        Its process is killed: nothing that it still does is wanted. One that cannot be killed finds at its
        end that it was withdrawn.
        """
        with self.deciding_outcome():
            if self.state in ENDED:
                return False
            write_whole(self.folder / WITHDRAWN, why)
            self.set_state("cancelled", why)
        deadline = time.monotonic() + KILLED_WITHIN
        while self.alive and time.monotonic() < deadline:
            self._kill()
            time.sleep(0.02)
        self.set_state("cancelled", why)  # its process may have written another meanwhile
        self.remove_leftovers()
        return True

    def _kill(self) -> None:
        """The number in the file is that of the process which holds the lock."""
        with suppress(OSError, ValueError):
            os.kill(int((self.folder / PROCESS).read_text()), signal.SIGKILL)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start working on it, or go on from its checkpoint, in a process that ends with this one."""
        command = [sys.executable, "-m", "backends.training.worker", str(self.folder), str(os.getpid())]
        with (self.folder / "log.txt").open("ab") as log, (self.folder / "lock").open("a") as lock:
            if not _locked(lock.fileno()):
                raise UserError(f"The adapter {self.plan.name} is being trained already.")
            with self.deciding_outcome():
                if self.withdrawn:
                    raise UserError(self.withdrawn)
                (self.folder / "stop").unlink(missing_ok=True)
                (self.folder / PROCESS).unlink(missing_ok=True)
                self.set_state("running")
            # The locks go over to the new process and are let go when that one ends, in whatever way.
            with training_announced(self.folder.parents[1]) as told:
                process = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[lock.fileno(), told],
                )
            write_whole(self.folder / PROCESS, str(process.pid))
            return process

    def remove_leftovers(self) -> None:
        """Drop what only a run that goes on would need."""
        for name in ("checkpoint.safetensors", "examples.jsonl", PASSAGES, "stop", PROCESS):
            (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.made.parent, ignore_errors=True)

    def _stored(self) -> dict[str, JsonValue]:
        path = self.folder / "state.json"
        return dict(read_json(path)) if path.is_file() else {}


@contextmanager
def training_announced(folder: Path) -> Iterator[int]:
    """Tell the whole workspace that this process, and whoever inherits the descriptor, trains in `folder`:
    the workspace's own, or that of a visitor's private copy below it."""
    with (_workspace_of(folder) / TRAINING_LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file.fileno()


def somebody_trains(folder: Path) -> bool:
    """Whether anybody trains in this workspace or in a private copy of it."""
    path = _workspace_of(folder) / TRAINING_LOCK
    if not path.is_file():
        return False
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _workspace_of(folder: Path) -> Path:
    return folder.parents[1] if folder.parent.name == "sessions" else folder


def _locked(file: int) -> bool:
    """Take the lock for a worker; False when another has it. Who asks whether a run is alive holds it for
    an instant too, so one refusal says nothing."""
    for _ in range(LAUNCH_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(LAUNCH_WAIT)
        else:
            return True
    return False


class TrainingRuns:
    """The runs below one folder: that of the workspace, or of a visitor's private copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "training"

    def create(
        self,
        plan: TrainingPlan,
        rows: Sequence[TrainingRow],
        train: Iterable[Example | Pair],
        held_out: Iterable[Example | Pair],
        passages: Iterable[Chunk] = (),
    ) -> TrainingRun:
        """Write down a run that can be launched, now or after a restart."""
        now = datetime.now(UTC)
        folder = self.folder / f"{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:8]}"
        partial = folder.with_name(f".{folder.name}.partial")
        try:
            partial.mkdir(parents=True)
            write_rows(partial / "rows.jsonl", rows)
            with (partial / "examples.jsonl").open("w", encoding="utf-8") as file:
                for held, side in ((False, train), (True, held_out)):
                    for example in side:
                        file.write(json.dumps({**asdict(example), "held_out": held}) + "\n")
            with (partial / PASSAGES).open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(asdict(each)) + "\n" for each in passages)
            made = {**asdict(plan), "created": now.isoformat(timespec="seconds")}
            write_json(partial / "plan.json", made)
            move_into_place(partial, folder)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise UserError(f"The training run cannot be written: {error.strerror or error}.") from error
        for old in self.all()[RUNS_KEPT:]:
            if old.state in ENDED:
                self.remove(old)
        return TrainingRun(folder)

    def all(self) -> list[TrainingRun]:
        """Newest first; one whose plan cannot be read, or that an erasure has blanked, is no run any more."""
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.glob("*/plan.json") if not path.parent.name.startswith(".")]
        runs = (_run(path.parent) for path in sorted(found, reverse=True))
        return [run for run in runs if run is not None and run.plan.kind in ADAPTER_KINDS]

    def newest_of(self, adapter: str) -> TrainingRun | None:
        """The newest run that made the adapter of this name."""
        return next((run for run in self.all() if run.plan.name == adapter and run.state == "done"), None)

    def remove(self, run: TrainingRun) -> None:
        """Remove a run's folder, unless a process works on it."""
        if not run.alive:
            shutil.rmtree(run.folder, ignore_errors=True)

    def forget(self, document: str) -> tuple[int, list[str]]:
        """(rows that came from this document and are gone, adapters whose training was ended for it)."""
        gone, stopped = 0, []
        for run in self.all():
            rows = run.rows()
            kept = [row for row in rows if document not in row.documents]
            shown = {seen.name for seen in run.plan.documents} | {each.document for each in run.passages()}
            if len(kept) == len(rows) and document not in shown:
                continue
            gone += len(rows) - len(kept)
            why = f"{run.plan.name} is not trained: it learns from {document}, which was forgotten."
            if run.withdraw(why):
                stopped.append(run.plan.name)
            run.remove_leftovers()
            (run.folder / "events.jsonl").unlink(missing_ok=True)  # sample answers quote the rows
            write_rows(run.folder / "rows.jsonl", kept)
        return gone, stopped


def _run(folder: Path) -> TrainingRun | None:
    try:
        return TrainingRun(folder)
    except (OSError, ValueError, TypeError, KeyError):
        return None


# --- rows on disk ----------------------------------------------------------------------------------


def read_rows(path: Path) -> list[TrainingRow]:
    """Training rows of a JSONL file."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [TrainingRow(row["question"], row["answer"], tuple(row["documents"])) for row in rows]


def write_rows(path: Path, rows: Sequence[TrainingRow]) -> None:
    """One JSON row a line: the format that `--examples` reads."""
    write_whole(path, "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows))


def write_json(path: Path, value: JsonObject) -> None:
    """Write a JSON file whole or not at all."""
    write_whole(path, json.dumps(value, ensure_ascii=False))
