"""What every place for jobs promises: the contract suite, run over threads and over PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from backends.datatypes import UserError
from backends.system.jobs import JobContext

WAIT = 60.0  # seconds until a machine is in trouble; nothing here takes a second
Start = Callable[..., Any]  # (kind, owner, arguments, about="") -> a job


class Script:
    """What commands do in these tests, by their last word; one that waits goes on when `opened` is set."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, arguments: Sequence[str], context: JobContext) -> Any:
        word = arguments[-1]
        if word == "count":
            for number in range(3):
                context.emit({"number": number})
                context.progress(number + 1, 3, f"step {number + 1}")
            return {"counted": 3}
        if word == "refuse":
            raise UserError("notes.txt is empty.")
        if word == "break":
            raise ValueError("seven")
        self.entered.set()
        while not context.cancelled.wait(0.02):
            if self.opened.is_set():
                return {"waited": True}
        raise UserError("Stopped on the way.")


def result_events_and_progress_survive_the_job(start: Start, jobs: Any, script: Script) -> None:
    job = start("ingest", "ada", ("ingest", "count"), "a folder")
    assert job.wait(WAIT)
    assert (job.state, job.result, job.error) == ("done", {"counted": 3}, None)
    assert (job.kind, job.about, job.progress) == ("ingest", "a folder", (3, 3, "step 3"))
    assert job.events_since(0) == [{"number": number} for number in range(3)]
    assert job.events_since(2) == [{"number": 2}]
    assert jobs.get(job.id, "ada").state == "done"


def what_goes_wrong_is_one_sentence(start: Start, jobs: Any, script: Script) -> None:
    refused, broken = (start("ingest", "ada", ("ingest", word)) for word in ("refuse", "break"))
    assert refused.wait(WAIT) and broken.wait(WAIT)
    assert (refused.state, refused.error, refused.result) == ("failed", "notes.txt is empty.", None)
    assert (broken.state, broken.error) == ("failed", "Something went wrong: seven (ValueError).")


def a_running_job_stops_when_it_is_cancelled_and_a_queued_one_never_runs(
    start: Start, jobs: Any, script: Script
) -> None:
    running = start("ingest", "ada", ("ingest", "wait"))
    assert script.entered.wait(WAIT)
    script.entered.clear()
    queued = start("ingest", "ada", ("ingest", "wait"))
    queued.cancel()
    assert (queued.state, queued.finished) == ("cancelled", True)
    assert not running.cancelling
    running.cancel()
    assert running.wait(WAIT)
    assert (running.state, running.error, running.cancelling) == ("cancelled", None, False)
    after = start("ingest", "ada", ("ingest", "count"))
    assert after.wait(WAIT) and after.state == "done"
    assert not script.entered.is_set()


def owners_see_only_their_own_and_what_is_forgotten_is_gone(start: Start, jobs: Any, script: Script) -> None:
    first, second = start("ingest", "ada", ("ingest", "count")), start("stress", "ada", ("stress", "count"))
    other = start("ingest", "ben", ("ingest", "count"))
    assert all(job.wait(WAIT) for job in (first, second, other))
    assert [job.id for job in jobs.owned_by("ada")] == [second.id, first.id]
    assert [job.id for job in jobs.owned_by("ada", "ingest")] == [first.id]
    assert jobs.get(other.id, "ada") is None
    jobs.discard(first)
    assert [job.id for job in jobs.owned_by("ada")] == [second.id]
    jobs.forget("ada")
    assert jobs.owned_by("ada") == []
    assert [job.id for job in jobs.owned_by("ben")] == [other.id]


def forgetting_a_running_job_stops_it(start: Start, jobs: Any, script: Script) -> None:
    start("ingest", "ada", ("ingest", "wait"))
    assert script.entered.wait(WAIT)
    jobs.forget("ada")
    assert jobs.owned_by("ada") == []
    after = start("ingest", "ada", ("ingest", "count"))
    assert after.wait(WAIT) and after.state == "done"


PROMISES = (
    result_events_and_progress_survive_the_job,
    what_goes_wrong_is_one_sentence,
    a_running_job_stops_when_it_is_cancelled_and_a_queued_one_never_runs,
    owners_see_only_their_own_and_what_is_forgotten_is_gone,
    forgetting_a_running_job_stops_it,
)
