"""Background jobs: states, progress, events, cancellation, owners, bounds; with a clock that tests turn."""

from __future__ import annotations

import threading

import pytest

from backends.datatypes import UserError
from backends.system.jobs import Job, JobContext, Jobs
from tests.system import job_queues


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Gate:
    """A job function that reports it has begun and then waits to be let through."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, context: JobContext) -> str:
        self.entered.set()
        assert self.opened.wait(10)
        return "through"


def test_result_events_and_progress_survive_the_job() -> None:
    def function(context: JobContext) -> int:
        for number in range(3):
            context.emit(number)
            context.progress(number + 1, 3, f"step {number + 1}")
        return 42

    job = Jobs().start("count", "ada", function)
    assert job.wait(10)
    assert (job.state, job.result, job.error) == ("done", 42, None)
    assert job.progress == (3, 3, "step 3")
    assert job.fraction == 1.0
    assert job.events_since(0) == [0, 1, 2]
    assert job.events_since(2) == [2]
    assert job.events_since(3) == []


def test_polling_reader_sees_every_event_once_and_in_order() -> None:
    def function(context: JobContext) -> None:
        for number in range(2_000):
            context.emit(number)

    job = Jobs().start("stream", "ada", function)
    seen: list[object] = []
    while not job.finished or len(seen) < len(job.events_since(0)):
        seen += job.events_since(len(seen))
    assert seen == list(range(2_000))


def test_seconds_and_time_left_follow_the_clock() -> None:
    clock = Clock()
    half_way, finish = threading.Event(), threading.Event()

    def function(context: JobContext) -> None:
        clock.now += 6
        context.progress(3, 12)
        half_way.set()
        assert finish.wait(10)

    job = Jobs(clock=clock).start("train", "ada", function)
    assert half_way.wait(10)
    assert job.seconds == 6
    assert job.seconds_left == pytest.approx(18)  # 3 of 12 took 6 seconds, 9 are left
    clock.now += 1
    finish.set()
    assert job.wait(10)
    clock.now += 1_000
    assert (job.seconds, job.seconds_left) == (7, 0.0)


def test_time_left_is_unknown_before_any_progress() -> None:
    assert Job("ask", "ada").seconds_left is None
    assert Job("ask", "ada").seconds == 0.0


def test_user_error_is_shown_as_it_is() -> None:
    def function(context: JobContext) -> None:
        raise UserError("notes.txt is empty.")

    job = Jobs().start("ingest", "ada", function)
    assert job.wait(10)
    assert (job.state, job.error, job.result) == ("failed", "notes.txt is empty.", None)


def test_unexpected_error_fails_the_job_with_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    def function(context: JobContext) -> None:
        raise ValueError("seven")

    job = Jobs().start("ingest", "ada", function)
    assert job.wait(10)
    assert job.error == "Something went wrong: seven (ValueError)."
    assert "Traceback" in caplog.text  # the log keeps what the sentence leaves out


def test_running_job_is_cancelled_when_it_looks() -> None:
    entered = threading.Event()

    def function(context: JobContext) -> str:
        entered.set()
        assert context.cancelled.wait(10)
        return "half"

    job = Jobs().start("train", "ada", function)
    assert entered.wait(10)
    assert not job.cancelling
    job.cancel()
    assert job.wait(10)
    assert (job.state, job.result, job.cancelling) == ("cancelled", "half", False)


def test_one_of_a_kind_runs_at_a_time_and_others_queue_in_order() -> None:
    jobs, gates = Jobs(), [Gate(), Gate(), Gate()]
    first, second, third = (jobs.start("ask", owner, gate) for owner, gate in zip("abc", gates, strict=True))
    assert gates[0].entered.wait(10)
    assert [job.state for job in (first, second, third)] == ["running", "queued", "queued"]
    gates[0].opened.set()
    assert gates[1].entered.wait(10)
    assert third.state == "queued"
    gates[1].opened.set()
    gates[2].opened.set()
    assert third.wait(10)
    assert [job.state for job in (first, second, third)] == ["done", "done", "done"]


def test_kinds_do_not_wait_for_each_other_and_limits_widen() -> None:
    jobs, gates = Jobs({"ask": 2}), [Gate(), Gate(), Gate()]
    for kind, gate in zip(("ask", "ask", "train"), gates, strict=True):
        jobs.start(kind, "ada", gate)
    assert all(gate.entered.wait(10) for gate in gates)
    for gate in gates:
        gate.opened.set()


def test_queued_job_is_cancelled_at_once_and_never_runs() -> None:
    jobs, gate, ran = Jobs(), Gate(), threading.Event()
    running = jobs.start("train", "ada", gate)
    queued = jobs.start("train", "ada", lambda context: ran.set())
    after = jobs.start("train", "ada", lambda context: "after")
    queued.cancel()
    assert queued.state == "cancelled"
    gate.opened.set()
    assert running.wait(10)
    assert after.wait(10)
    assert not ran.is_set()


def test_owners_see_only_their_own_jobs() -> None:
    jobs = Jobs()
    mine = jobs.start("ask", "ada", lambda context: 1)
    other = jobs.start("ask", "bob", lambda context: 2)
    trained = jobs.start("train", "ada", lambda context: 3)
    assert jobs.get(mine.id, "ada") is mine
    assert jobs.get(mine.id, "bob") is None
    assert jobs.owned_by("ada") == [trained, mine]
    assert jobs.owned_by("ada", "ask") == [mine]
    assert jobs.owned_by("bob") == [other]


def test_history_is_bounded_per_owner_and_running_jobs_stay() -> None:
    jobs, gate = Jobs(keep=2), Gate()
    running = jobs.start("train", "ada", gate)
    done = [jobs.start("ask", "ada", lambda context: None) for _ in range(5)]
    assert all(job.wait(10) for job in done)
    last = jobs.start("ask", "ada", lambda context: None)
    assert last.wait(10)
    newest = jobs.start("ask", "ada", gate)
    assert [job for job in jobs.owned_by("ada") if job.finished] == [last, done[4]]
    assert running in jobs.owned_by("ada")
    assert newest in jobs.owned_by("ada")
    gate.opened.set()


def test_owners_are_bounded() -> None:
    jobs = Jobs(max_owners=3)
    for owner in "abcdef":
        assert jobs.start("ask", owner, lambda context: None).wait(10)
    jobs.start("ask", "g", lambda context: None).wait(10)
    assert sum(bool(jobs.owned_by(owner)) for owner in "abcdef") <= 3
    assert jobs.owned_by("a") == []


def test_forget_cancels_and_drops_what_an_owner_had() -> None:
    jobs, entered = Jobs(), threading.Event()

    def function(context: JobContext) -> None:
        entered.set()
        assert context.cancelled.wait(10)

    job = jobs.start("train", "ada", function)
    assert entered.wait(10)
    jobs.forget("ada")
    assert jobs.owned_by("ada") == []
    assert job.wait(10)
    assert job.state == "cancelled"


def test_endless_events_fail_the_job_instead_of_being_dropped() -> None:
    job = Job("stream", "ada", max_events=2)

    def function(context: JobContext) -> None:
        for number in range(3):
            context.emit(number)

    job._run(function)
    assert (job.state, job.events_since(0)) == ("failed", [0, 1])
    assert job.error is not None
    assert "more than 2 events" in job.error


def test_what_a_cancelled_job_raises_on_its_way_out_is_no_failure() -> None:
    entered = threading.Event()

    def function(context: JobContext) -> None:
        entered.set()
        assert context.cancelled.wait(10)
        raise UserError("Cancelled.")

    job = Jobs().start("ask", "ada", function)
    assert entered.wait(10)
    job.cancel()
    assert job.wait(10)
    assert (job.state, job.error) == ("cancelled", None)


def test_owners_take_turns_when_more_wait_than_may_run() -> None:
    jobs, gate, order = Jobs(), Gate(), []

    def noting(owner: str):
        return lambda context: order.append(owner)

    first = jobs.start("ask", "ada", gate)
    assert gate.entered.wait(10)
    waiting = [
        jobs.start("ask", owner, noting(owner)) for owner in ("ada", "ada", "ada", "bob", "cleo", "bob")
    ]
    gate.opened.set()
    assert first.wait(10) and all(job.wait(10) for job in waiting)
    assert order == ["bob", "cleo", "ada", "bob", "ada", "ada"]


def test_a_refused_job_has_failed_with_the_reason_and_never_ran() -> None:
    ran: list[str] = []
    jobs = Jobs(refusal=lambda kind, owner, waiting: "Too many." if owner == "ada" else "")
    refused = jobs.start("ask", "ada", lambda context: ran.append("ada"))
    other = jobs.start("ask", "bob", lambda context: ran.append("bob"))
    assert other.wait(10)
    assert (refused.refused, refused.error, refused.events_since(0), ran) == (True, "Too many.", [], ["bob"])
    assert not other.refused and jobs.owned_by("ada") == [refused]


@pytest.mark.parametrize("promise", job_queues.PROMISES, ids=lambda each: each.__name__)
def test_jobs_in_this_process_keep_what_every_queue_promises(promise) -> None:
    jobs, script = Jobs(), job_queues.Script()

    def start(kind: str, owner: str, arguments, about: str = ""):
        return jobs.start(kind, owner, lambda context: script(arguments, context), about)

    promise(start, jobs, script)
    script.opened.set()
