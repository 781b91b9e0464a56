"""Work that outlives a page rerun: background jobs with progress, events, cancellation and an owner.

Enters: a function, the kind of work and who asked for it. Leaves: a `Job` whose state, progress and
events can be read from any thread. It knows nothing of pages, models or documents. `JobQueue` is what whoever
starts work relies on: here in threads of this process, in `shared_jobs` by workers of any machine.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from backends.datatypes import UserError
from backends.system.failures import in_words

E = TypeVar("E")
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
FINISHED: frozenset[JobState] = frozenset({"done", "failed", "cancelled"})

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a function ended: what it returned, or one sentence for the user."""

    state: JobState
    result: object = None
    error: str | None = None


class JobView(Protocol):
    """A job as whoever waits for it sees it; read anew at every look."""

    @property
    def id(self) -> str:
        """Names the job."""
        ...

    @property
    def kind(self) -> str:
        """What kind of work it is."""
        ...

    @property
    def about(self) -> str:
        """Which of its kind it is."""
        ...

    @property
    def state(self) -> JobState:
        """Waiting, running, done, failed or cancelled."""
        ...

    @property
    def finished(self) -> bool:
        """Whether it has ended, however it did."""
        ...

    @property
    def progress(self) -> tuple[int, int, str]:
        """(done, total, label); the total is 0 while it is not known."""
        ...

    @property
    def result(self) -> object:
        """What the work returned; None until then, and after a failure."""
        ...

    @property
    def error(self) -> str | None:
        """One sentence for the user when the job failed."""
        ...

    @property
    def cancelling(self) -> bool:
        """Asked to stop and not yet stopped."""
        ...

    def events_since(self, position: int) -> Sequence[object]:
        """Events from `position` on, in order."""
        ...

    def cancel(self) -> None:
        """Ask the job to stop. A queued job stops at once, a running one when it looks."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the job has finished; False when the timeout (seconds) came first."""
        ...


J = TypeVar("J", bound=JobView)
W = TypeVar("W", contravariant=True)


class JobQueue(Protocol[W, J]):
    """Where work is left to be done, and looked after."""

    def start(self, kind: str, owner: str, work: W, about: str = "") -> J:
        """Queue the work and return at once."""
        ...

    def get(self, job_id: str, owner: str) -> J | None:
        """The owner's job of that id, or None."""
        ...

    def owned_by(self, owner: str, kind: str | None = None) -> list[J]:
        """The owner's jobs, newest first."""
        ...

    def discard(self, job: J) -> None:
        """Cancel a job and drop it with all its events."""
        ...

    def forget(self, owner: str) -> None:
        """Cancel the owner's jobs and drop them all."""
        ...


class Job:
    """One piece of background work. Every method and property may be used from any thread."""

    def __init__(
        self,
        kind: str,
        owner: str,
        about: str = "",
        *,
        max_events: int = 50_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.kind = kind
        self.owner = owner
        self.about = about  # which of its kind it is, known before it begins
        self._clock = clock
        self._max_events = max_events
        self._changed = threading.Condition()
        self._cancelled = threading.Event()
        self._state: JobState = "queued"
        self._progress: tuple[int, int, str] = (0, 0, "")
        self._started: float | None = None
        self._finished: float | None = None
        self._events: list[object] = []
        self._result: object = None
        self._error: str | None = None

    @property
    def state(self) -> JobState:
        """Waiting, running, done, failed or cancelled."""
        return self._state

    @property
    def finished(self) -> bool:
        """Whether it has ended, however it did."""
        return self._state in FINISHED

    @property
    def progress(self) -> tuple[int, int, str]:
        """(done, total, label); the total is 0 while it is not known."""
        return self._progress

    @property
    def fraction(self) -> float:
        """Share done, 0 to 1; 0 while the total is not known."""
        done, total, _ = self._progress
        return min(done / total, 1.0) if total > 0 else 0.0

    @property
    def seconds(self) -> float:
        """Time since the job began to run; it stands still once the job has finished."""
        if self._started is None:
            return 0.0
        return (self._finished if self._finished is not None else self._clock()) - self._started

    @property
    def seconds_left(self) -> float | None:
        """Time left if the rest goes as fast as what is done; None while nothing is known."""
        if self.finished:
            return 0.0
        fraction = self.fraction
        return self.seconds * (1 - fraction) / fraction if fraction > 0 else None

    @property
    def result(self) -> object:
        """What the function returned; None until then, and after a failure."""
        return self._result

    @property
    def error(self) -> str | None:
        """One sentence for the user when the job failed."""
        return self._error

    @property
    def refused(self) -> bool:
        """It was not begun: `error` says why."""
        return self._state == "failed" and self._started is None

    @property
    def cancelling(self) -> bool:
        """Asked to stop and not yet stopped."""
        return self._cancelled.is_set() and not self.finished

    def events_since(self, position: int) -> list[object]:
        """Events from `position` on, in order: add the list's length to get the next position."""
        with self._changed:
            return self._events[position:]

    def events_of(self, kind: type[E]) -> list[E]:
        """Its events of this type so far, in order."""
        return [event for event in self.events_since(0) if isinstance(event, kind)]

    def cancel(self) -> None:
        """Ask the job to stop. A queued job stops at once, a running one when it looks at `cancelled`."""
        with self._changed:
            self._cancelled.set()
            if self._state == "queued":
                self._end("cancelled")

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the job has finished; False when the timeout (seconds) came first."""
        with self._changed:
            return self._changed.wait_for(lambda: self.finished, timeout)

    def _run(self, function: Work) -> None:
        with self._changed:
            if self._state != "queued":
                return
            self._state, self._started = "running", self._clock()
        outcome = Outcome("failed")  # also where the thread itself is ended
        try:
            outcome = carried_out(function, JobContext(self, self._cancelled), f"{self.kind} ({self.id})")
        finally:
            with self._changed:
                self._result, self._error = outcome.result, outcome.error
                self._end(outcome.state)

    def _refuse(self, why: str) -> None:
        with self._changed:
            self._error = why
            self._end("failed")

    def _end(self, state: JobState) -> None:
        self._state, self._finished = state, self._clock()
        self._changed.notify_all()

    def _emit(self, event: object) -> None:
        with self._changed:
            # Dropping old events would silently lose answer text: an endless stream is an error instead.
            if len(self._events) >= self._max_events:
                raise RuntimeError(f"the job sent more than {self._max_events} events")
            self._events.append(event)

    def _report(self, done: int, total: int, label: str) -> None:
        self._progress = (done, total, label)


class JobContext:
    """What a job's function may do: report, send events, and look whether it should stop."""

    def __init__(self, job: Job, cancelled: threading.Event) -> None:
        self._job = job
        self.cancelled = cancelled

    def progress(self, done: int, total: int, label: str = "") -> None:
        """Say how far it is: `done` of `total`, and what is being done."""
        self._job._report(done, total, label)

    def emit(self, event: object) -> None:
        """Append an event that pages can read."""
        self._job._emit(event)


Work = Callable[[JobContext], object]  # what a job does; its result is kept with the job


def carried_out(function: Work, context: JobContext, what: str) -> Outcome:
    """Call the function; whatever it raises becomes a sentence. What a cancelled one raises is no failure."""
    cancelled = context.cancelled
    try:
        result = function(context)
        return Outcome("cancelled" if cancelled.is_set() else "done", result)
    except UserError as error:
        sentence = str(error)
    except Exception as error:
        log.exception("Job %s failed", what)
        details = f"Something went wrong: {error or 'no details'} ({type(error).__name__})."
        sentence = in_words(error) or details
    if cancelled.is_set():
        return Outcome("cancelled")
    return Outcome("failed", error=sentence)


class Jobs:
    """Runs jobs in threads, at most `limits[kind]` (default 1) of a kind at once, the owners taking turns:
    of those that wait, whose owner was served longest ago is next, so that nobody's many hold up another's.

    `refusal` (kind, owner, how many of the kind wait) may say why a job is not begun: it has failed then,
    with that sentence as its error. Each owner sees only their own jobs; of the finished ones the newest
    `keep` per owner stay.
    """

    def __init__(
        self,
        limits: Mapping[str, int] | None = None,
        *,
        keep: int = 20,
        max_owners: int = 200,
        refusal: Callable[[str, str, int], str] = lambda kind, owner, waiting: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._refusal = refusal
        self._limits = dict(limits or {})
        self._keep = keep
        self._max_owners = max_owners
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}  # by id, oldest first
        self._waiting: dict[str, deque[tuple[Job, Work]]] = {}
        self._running: dict[str, int] = {}
        self._served: dict[tuple[str, str], int] = {}  # (kind, owner) -> when last
        self._turns = 0

    def start(self, kind: str, owner: str, function: Work, about: str = "") -> Job:
        """Queue `function` and return at once."""
        job = Job(kind, owner, about, clock=self._clock)
        with self._lock:
            waiting = self._waiting.setdefault(kind, deque())
            refused = self._refusal(kind, owner, len(waiting))
            if refused:
                job._refuse(refused)
            else:
                waiting.append((job, function))
            self._jobs[job.id] = job
            self._tidy()
        self._dispatch(kind)
        return job

    def get(self, job_id: str, owner: str) -> Job | None:
        """The owner's job of that id, or None."""
        with self._lock:
            job = self._jobs.get(job_id)
        return job if job is not None and job.owner == owner else None

    def owned_by(self, owner: str, kind: str | None = None) -> list[Job]:
        """The owner's jobs, newest first."""
        with self._lock:
            jobs = [job for job in self._jobs.values() if job.owner == owner]
        return [job for job in reversed(jobs) if kind is None or job.kind == kind]

    def discard(self, job: Job) -> None:
        """Cancel a job and drop it with all its events."""
        job.cancel()
        with self._lock:
            self._jobs.pop(job.id, None)

    def forget(self, owner: str) -> None:
        """Cancel the owner's jobs and drop them all, for a session that has ended."""
        for job in self.owned_by(owner):
            self.discard(job)

    def _dispatch(self, kind: str) -> None:
        with self._lock:
            waiting = self._waiting.get(kind, deque())
            while waiting and self._running.get(kind, 0) < self._limits.get(kind, 1):
                job, function = self._next(kind, waiting)
                if job.finished:  # cancelled while it waited
                    continue
                self._running[kind] = self._running.get(kind, 0) + 1
                # Daemon threads: Ctrl-C on the server must not wait for a training run.
                threading.Thread(
                    target=self._work, args=(job, function), name=f"job-{kind}", daemon=True
                ).start()

    def _next(self, kind: str, waiting: deque[tuple[Job, Work]]) -> tuple[Job, Work]:
        """Take out the first job of the owner who was served longest ago (the lock is held)."""
        chosen = min(waiting, key=lambda each: self._served.get((kind, each[0].owner), 0))
        waiting.remove(chosen)
        self._turns += 1
        self._served[kind, chosen[0].owner] = self._turns
        if len(self._served) > 10 * self._max_owners:
            latest = sorted(self._served.items(), key=lambda each: each[1])[-self._max_owners :]
            self._served = dict(latest)
        return chosen

    def _work(self, job: Job, function: Work) -> None:
        try:
            job._run(function)
        finally:
            with self._lock:
                self._running[job.kind] -= 1
                self._tidy()
            self._dispatch(job.kind)

    def _tidy(self) -> None:
        """Drop finished jobs beyond the bounds, oldest first (the lock is held)."""
        finished: dict[str, list[Job]] = {}
        for job in self._jobs.values():
            if job.finished:
                finished.setdefault(job.owner, []).append(job)
        spare = [job for jobs in finished.values() for job in jobs[: -self._keep or None]]
        silent = list(finished)[: max(0, len(finished) - self._max_owners)]
        spare += [job for owner in silent for job in finished[owner]]
        for job in spare:
            self._jobs.pop(job.id, None)
