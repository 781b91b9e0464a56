"""Does shared jobs, one after the other, on this machine; and sees to it that those of dead workers go on.

Enters: the address of the job database. Leaves: jobs done. A worker says every few seconds that it lives;
the jobs of one that was silent for too long are queued again, for whoever is free. A machine trains one
adapter at a time, however many workers it has: a second training waits, or goes to another machine.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backends.datatypes import JsonValue, UserError
from backends.system.commands import RunsCommand, VerbDied, run_verb
from backends.system.jobs import JobContext, Outcome, carried_out
from backends.system.shared_jobs import TASK, Attempt, JobDatabaseGone, SharedJobs

if TYPE_CHECKING:
    import procrastinate

ALONE = "train"  # the kind of which a machine does one at a time
MOST_ATTEMPTS = 4  # at a job whose process is killed each time
POLL = 0.5  # seconds between two looks whether a job is to stop


@dataclass(frozen=True)
class Timing:
    """Seconds: between two signs of life, until a silent worker is dead, until a job is tried again."""

    heartbeat: float = 10.0
    dead: float = 60.0
    again: int = 5


class _Again(Exception):
    """The job goes back into the queue; the message says why."""


class JobWorker:
    """A worker of one database. `run` is what does a command: the command line's verb in a process."""

    def __init__(
        self,
        address: str,
        run: RunsCommand = run_verb,
        timing: Timing | None = None,
        machine_lock: Path | None = None,
    ) -> None:
        self._address = address
        self._run = run
        self._timing = timing or Timing()
        self._machine = f"{socket.gethostname()} ({os.getpid()})"
        usual = Path(tempfile.gettempdir()) / f"triptych-training-{os.getuid()}.lock"
        self._machine_lock = machine_lock or usual
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let it end, as SIGTERM does; from any thread."""
        self._stopping.set()

    def work(self, *, wait: bool = True, signals: bool = True) -> None:
        """Do jobs until it is told to stop (SIGINT, SIGTERM), or without `wait` until none is left.

        Told to stop, it lets the job at hand end in order and gives it back for another worker. Raises
        JobDatabaseGone when the database does not answer: its service starts it again.
        """
        from procrastinate.exceptions import ConnectorException

        try:
            asyncio.run(self._work(wait, signals))
        except ConnectorException as error:
            raise JobDatabaseGone("The job database does not answer; the worker has ended.") from error

    async def _work(self, wait: bool, signals: bool) -> None:
        import procrastinate

        jobs = SharedJobs(self._address)
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=self._address))

        @app.task(name=TASK, pass_context=True, retry=_retrying(self._timing.again))
        def perform(context: procrastinate.JobContext, job: str) -> None:
            self._perform(jobs, job, context)

        try:
            async with app.open_async():
                working = app.run_worker_async(
                    wait=wait,
                    install_signal_handlers=signals,
                    fetch_job_polling_interval=self._timing.again,
                    update_heartbeat_interval=self._timing.heartbeat,
                    stalled_worker_timeout=self._timing.dead,
                    shutdown_graceful_timeout=0.1,
                    delete_jobs="always",
                )
                await self._until_stopped(asyncio.create_task(working), self._revive(app, jobs))
        finally:
            jobs.close()

    async def _until_stopped(
        self, working: asyncio.Task[None], beside: Coroutine[object, object, None]
    ) -> None:
        """Until the work has ended, by itself or because it was told to; what runs beside it ends then."""
        helper, told = asyncio.create_task(beside), False
        try:
            while not working.done():
                if self._stopping.is_set() and not told:
                    told = working.cancel()
                await asyncio.wait({working, helper}, timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
                if helper.done():
                    helper.result()  # raises: without it the jobs of dead workers would be lost
        finally:
            helper.cancel()
            if not working.done() and not told:
                working.cancel()
            await asyncio.wait({working})
        if not working.cancelled():
            working.result()

    async def _revive(self, app: procrastinate.App, jobs: SharedJobs) -> None:
        """Queue the jobs of dead workers again, again and again."""
        while True:
            dead = self._timing.dead
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=dead, task_name=TASK):
                why = "its worker is gone; it goes on elsewhere"
                await asyncio.to_thread(jobs.wait_again, str(job.task_kwargs["job"]), why)
                await app.job_manager.retry_job(job)
            await asyncio.sleep(self._timing.heartbeat)

    def _perform(self, jobs: SharedJobs, job_id: str, context: procrastinate.JobContext) -> None:
        """What is done while the database does not answer is done again: nobody could be told of it."""
        try:
            self._attempt(jobs, job_id, context)
        except JobDatabaseGone as error:
            raise _Again(str(error)) from error

    def _attempt(self, jobs: SharedJobs, job_id: str, context: procrastinate.JobContext) -> None:
        attempt, before = jobs.begin(job_id, self._machine), jobs.connections
        if attempt is None:
            return
        with self._alone(attempt) as free:
            if not free:
                why = "waits for a machine that trains nothing"
                jobs.wait_again(job_id, why)
                raise _Again(why)
            outcome, died = self._carry_out(attempt, context)
        attempt.look()
        died = died or (jobs.connections > before and not _in_order(outcome))
        if died and attempt.number < MOST_ATTEMPTS:
            jobs.wait_again(job_id, f"{outcome.error} It is tried again.")
            raise _Again(str(outcome.error))
        if context.should_abort() and not _asked_to_stop(attempt, jobs):
            jobs.wait_again(job_id, "its worker was stopped; it goes on elsewhere")
            raise _Again("stopped")
        attempt.end(outcome)

    def _carry_out(self, attempt: Attempt, context: procrastinate.JobContext) -> tuple[Outcome, bool]:
        """How the attempt ended, and whether its process was killed or the database ended meanwhile."""
        died: list[UserError] = []

        def run(_context: JobContext) -> JsonValue:
            try:
                return self._run(attempt.arguments, attempt)
            except (VerbDied, JobDatabaseGone) as error:
                died.append(error)
                raise

        ended = threading.Event()
        watching = threading.Thread(target=_watch, args=(attempt, context, ended), daemon=True)
        watching.start()
        try:
            return carried_out(run, attempt, f"{attempt.kind} ({attempt.id})"), bool(died)
        finally:
            ended.set()
            watching.join()

    @contextmanager
    def _alone(self, attempt: Attempt) -> Iterator[bool]:
        """Whether the attempt may begin: a training only where this machine has none."""
        if attempt.kind != ALONE:
            yield True
            return
        with self._machine_lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True


def _watch(attempt: Attempt, context: procrastinate.JobContext, ended: threading.Event) -> None:
    """Look whether the attempt is to stop, until it has ended."""
    while not ended.wait(POLL):
        with suppress(JobDatabaseGone):
            attempt.look()
        if context.should_abort():
            attempt.cancelled.set()


def _in_order(outcome: Outcome) -> bool:
    """Whether it ended well, or was cancelled; a verb that had to refuse something says so by its status."""
    status = outcome.result.get("status", 0) if isinstance(outcome.result, dict) else 0
    return outcome.state != "failed" and status == 0


def _asked_to_stop(attempt: Attempt, jobs: SharedJobs) -> bool:
    row = jobs.row("SELECT cancelled FROM triptych_jobs WHERE id = %s", (attempt.id,))
    return row is None or bool(row[0])


def _retrying(seconds: int) -> procrastinate.BaseRetryStrategy:
    """Only what says so goes back into the queue."""
    import procrastinate

    class Retrying(procrastinate.BaseRetryStrategy):
        def get_retry_decision(
            self, *, exception: BaseException, job: procrastinate.jobs.Job
        ) -> procrastinate.RetryDecision | None:
            if not isinstance(exception, _Again):
                return None
            return procrastinate.RetryDecision(retry_in={"seconds": seconds})

    return Retrying()
