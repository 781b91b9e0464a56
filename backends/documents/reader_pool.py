"""Reads files in a process of its own, so that no file can take the app down or hold it up.

Enters: a path. Leaves: a `ParsedFile`, or a UserError in one sentence, also when a reader crashed, ran in
circles or wanted all the memory. The process stays warm between files. It is started with exec (not forked:
this process has threads), and answers in JSON, so nothing it says can run here.
"""

from __future__ import annotations

import atexit
import base64
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from backends.datatypes import Attachment, JsonValue, Page, ParsedFile, PasswordNeeded, UserError
from backends.documents import limits
from backends.system.contention import working
from backends.system.environment import environment_without_secrets
from backends.system.files import ROOT

POLL = 0.05  # seconds between two looks at the clock and the cancel button while a file is read
WAIT = 5  # times a file's seconds that may pass on the clock
STARTING = 300.0  # seconds until a new process answers; only a machine in trouble takes that long
KEPT = 2  # warm processes that wait for work: as many as read ahead
AT_ONCE = 3
MODULE = "backends.documents.reader_process"


@dataclass(frozen=True)
class Limits:
    """What reading one file may take; the rest is checked by the readers themselves (`limits`).

    A busy machine is no fault of the file: the process may compute for `seconds`, and wait WAIT times that.
    """

    seconds: float = limits.MAX_SECONDS
    memory: int = limits.MAX_MEMORY  # bytes of address space


class Cancelled(UserError):
    """The user stopped the reading."""


class _Crashed(Exception):
    """The process ended without an answer; the message says how."""


class ReaderProcess:
    """A process that reads files one after the other, for one thread at a time: `Readers` lends them."""

    def __init__(self, memory: int = limits.MAX_MEMORY, module: str = MODULE) -> None:
        # One thread is enough to read, and pools of them would count against the memory limit. A file may be
        # malicious: the process that opens it knows no key.
        environment = {**environment_without_secrets(), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # readers grumble about harmless faults of files
            cwd=ROOT,
            env=environment,
            start_new_session=True,  # Ctrl-C in the terminal is for the app, which then ends this process
        )
        self._ready = False  # has said that it can begin
        self._leaving = False  # has said that it will end, having grown large
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout

    def read(
        self, path: Path, name: str, passwords: Sequence[str], seconds: float, cancel: threading.Event | None
    ) -> ParsedFile:
        """UserError when the file cannot be read; afterwards the process may have ended (`alive`)."""
        request = {
            "path": str(path.absolute()),
            "name": name,
            "passwords": list(passwords),
            "seconds": seconds,
        }
        try:
            if not self._ready:
                self._ready = bool(self._answer(STARTING, cancel))
            self._to.write(json.dumps(request).encode() + b"\n")
            self._to.flush()
            reply = json.loads(self._answer(WAIT * seconds, cancel))
        except (_Crashed, BrokenPipeError, ValueError) as error:
            ended = self._ended()
            self.close()
            if ended == _OUT_OF_TIME:
                raise _too_long(name, seconds) from error
            raise UserError(
                f"{name} could not be read: the program that reads it {ended}. The file may be damaged."
            ) from error
        except TimeoutError as error:
            self.close()
            raise _too_long(name, seconds) from error
        except UserError:
            self.close()  # it is busy with a file that nobody waits for any longer
            raise
        self._leaving = bool(reply.get("leaving"))
        return _parsed(reply["answer"])

    def _answer(self, seconds: float, cancel: threading.Event | None) -> bytes:
        """One line, as long as it may take."""
        deadline = time.monotonic() + seconds
        parts: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            selector.register(self._from, selectors.EVENT_READ)
            while not parts or not parts[-1].endswith(b"\n"):
                if cancel is not None and cancel.is_set():
                    raise Cancelled("Cancelled.")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                if selector.select(min(left, POLL)):
                    part = os.read(self._from.fileno(), 1 << 20)
                    if not part:
                        raise _Crashed
                    parts.append(part)
        return b"".join(parts)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return not self._leaving and self._process.poll() is None

    def _ended(self) -> str:
        """How the process came to its end, in words."""
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "gave no proper answer"
        if code == -signal.SIGXCPU:
            return _OUT_OF_TIME
        return f"crashed (signal {-code})" if code < 0 else f"ended (status {code})"

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._to, self._from):
            try:
                pipe.close()
            except BrokenPipeError:  # what was still to be sent has nobody to go to
                continue


_OUT_OF_TIME = "ran out of time"


def _too_long(name: str, seconds: float) -> UserError:
    return UserError(f"{name} takes longer than {seconds:g} seconds to read, the most that is allowed.")


def _parsed(reply: dict[str, JsonValue]) -> ParsedFile:
    if "error" in reply:
        raise (PasswordNeeded if reply["password"] else UserError)(reply["error"])
    fields = reply["parsed"]
    return ParsedFile(
        **{
            **fields,
            "pages": tuple(Page(**page) for page in fields["pages"]),
            "notes": tuple(fields["notes"]),
            "attachments": tuple(
                Attachment(each["name"], base64.b64decode(each["data"])) for each in fields["attachments"]
            ),
        }
    )


def as_reply(parsed: ParsedFile) -> dict[str, JsonValue]:
    """The answer as the process sends it."""
    fields = asdict(parsed)
    for each in fields["attachments"]:
        each["data"] = base64.b64encode(each["data"]).decode("ascii")
    return {"parsed": fields}


class Readers:
    """Lends a warm process to each file, starts another when all are busy, and replaces those that ended."""

    def __init__(self, bounds: Limits | None = None, module: str = MODULE) -> None:
        self.limits = bounds or Limits()
        self._module = module
        self._idle: list[ReaderProcess] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def parse(
        self,
        path: Path,
        name: str | None = None,
        *,
        passwords: Sequence[str] = (),
        cancel: threading.Event | None = None,
    ) -> ParsedFile:
        """`parse_file` in another process, within the limits."""
        with self._places, working():  # in another process, but on the same processors
            reader = self._take()
            try:
                return reader.read(path, name or path.name, passwords, self.limits.seconds, cancel)
            finally:
                self._give(reader)

    def _take(self) -> ReaderProcess:
        with self._lock:
            while self._idle:
                reader = self._idle.pop()
                if reader.alive:
                    return reader
                reader.close()
        return ReaderProcess(self.limits.memory, self._module)

    def _give(self, reader: ReaderProcess) -> None:
        with self._lock:
            if reader.alive and len(self._idle) < KEPT:
                self._idle.append(reader)
                return
        reader.close()

    def close(self) -> None:
        """End every process that is not at work."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()


_readers = Readers()
atexit.register(_readers.close)
parse_isolated = _readers.parse
