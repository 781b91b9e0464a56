"""Work that any process of any machine can do: a verb of the command line with its arguments.

Enters: the verb and its arguments. Leaves: its rows as events, its progress, and how it ended. The verb runs
in a process of its own that ends in order when the job is cancelled, and also when whoever started it dies:
a verb that reads or evaluates goes on where it stopped when it is started again.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from backends.datatypes import JsonValue, UserError
from backends.system.jobs import JobContext

VERBS = ("ingest", "train", "evaluate", "stress")
MODULE = "backends.cli.tethered"
GRACE = 30.0  # seconds that a verb has to end in order
LOOK = 0.2
PROGRESS = re.compile(r"^(?P<before>.*?)(?P<done>\d+)/(?P<total>\d+)\s*(?P<what>.*)$")
OWN = "triptych: "  # how a verb's own sentences begin

RunsCommand = Callable[[Sequence[str], JobContext], JsonValue]


class VerbDied(UserError):
    """The process of a verb was killed: by the system, for want of memory. It may be tried again."""


@dataclass(frozen=True)
class Command:
    """A verb with its arguments. Called with a job's context it runs here."""

    arguments: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.arguments or self.arguments[0] not in VERBS:
            given = self.arguments[0] if self.arguments else "nothing"
            raise UserError(f"A job is one of {', '.join(VERBS)}, not {given}.")

    @classmethod
    def with_full_paths(cls, arguments: Sequence[str]) -> Command:
        """The command with files and folders of this machine named in full, for processes elsewhere.

        Raises UserError when the verb is none that can be a job.
        """
        return cls(tuple(str(Path(each).absolute()) if Path(each).exists() else each for each in arguments))

    @property
    def kind(self) -> str:
        """The verb."""
        return self.arguments[0]

    def __call__(self, context: JobContext) -> dict[str, int]:
        return run_verb(self.arguments, context)


def run_verb(arguments: Sequence[str], context: JobContext, module: str = MODULE) -> dict[str, int]:
    """Run a verb to its end; returns its exit status. Raises UserError with its last sentence when it failed,
    and VerbDied when its process was killed."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments, "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,  # Ctrl-C in the terminal is for the worker, which then ends the verb
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        said: deque[str] = deque(maxlen=20)
        helpers = [
            threading.Thread(target=_listen, args=(process.stderr, said, context), daemon=True),
            threading.Thread(target=_end_when_cancelled, args=(process, context), daemon=True),
        ]
        for helper in helpers:
            helper.start()
        for line in process.stdout:
            context.emit(json.loads(line))
        status = process.wait()
        for helper in helpers:
            helper.join()
    if status < 0 and not context.cancelled.is_set():
        raise VerbDied(f"The process that did the {arguments[0]} was killed (signal {-status}).")
    if status not in (0, 1):
        own = [line.removeprefix(OWN) for line in said if line.startswith(OWN)]
        raise UserError((own or list(said) or [f"It ended with status {status}."])[-1])
    return {"status": status}


def _listen(stream: IO[str], said: deque[str], context: JobContext) -> None:
    """Progress lines of the verb become the job's progress; the others are kept for its end."""
    for line in stream:
        text = line.strip()
        found = PROGRESS.match(text)
        if found is not None and not text.startswith(OWN):
            label = f"{found['before'].strip()} {found['what']}".strip()
            context.progress(int(found["done"]), int(found["total"]), label)
        elif text:
            said.append(text)


def _end_when_cancelled(process: subprocess.Popen[str], context: JobContext) -> None:
    """Let go of the verb when the job is cancelled: it ends in order, or is killed."""
    while process.poll() is None:
        if context.cancelled.wait(LOOK):
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
            return
