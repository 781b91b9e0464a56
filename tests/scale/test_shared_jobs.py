"""Jobs that all servers share, over a real PostgreSQL: the promises of one process, and dead workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from backends.datatypes import UserError
from backends.system.commands import Command, VerbDied
from backends.system.files import ROOT
from backends.system.jobs import JobContext
from tests.scale.conftest import needed
from tests.scale.job_worker_process import QUICK, wait_for_file
from tests.system import job_queues
from tests.system.job_queues import WAIT

needed("psycopg")
needed("procrastinate")

from backends.system.job_worker import MOST_ATTEMPTS, JobWorker  # noqa: E402
from backends.system.shared_jobs import JobDatabaseGone, JobsData, SharedJobs  # noqa: E402


def until(true: Callable[[], Any]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)


@pytest.fixture
def jobs(database: str) -> Iterator[SharedJobs]:
    made = SharedJobs(database)
    yield made
    made.close()


@contextmanager
def working(database: str, run: Any, folder: Path) -> Iterator[None]:
    """A worker in a thread of this process, until the block ends."""
    held = JobWorker(database, run, QUICK, folder / "training.lock")
    thread = threading.Thread(target=lambda: held.work(signals=False), daemon=True)
    thread.start()
    try:
        yield
    finally:
        held.stop()
        thread.join(WAIT)
        assert not thread.is_alive()


@contextmanager
def worker_process(database: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.scale.job_worker_process", database, str(folder)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("promise", job_queues.PROMISES, ids=lambda each: each.__name__)
def test_shared_jobs_keep_what_every_queue_promises(
    promise: Any, database: str, jobs: SharedJobs, tmp_path: Path
) -> None:
    script = job_queues.Script()

    def start(kind: str, owner: str, arguments: tuple[str, ...], about: str = "") -> Any:
        return jobs.start(kind, owner, Command(arguments), about)

    with working(database, script, tmp_path):
        promise(start, jobs, script)
        script.opened.set()


def test_a_job_is_seen_and_cancelled_from_another_server(
    database: str, jobs: SharedJobs, tmp_path: Path
) -> None:
    script, elsewhere = job_queues.Script(), SharedJobs(database)
    with working(database, script, tmp_path):
        started = jobs.start("ingest", "ada", Command(("ingest", "wait")), "a folder")
        assert script.entered.wait(WAIT)
        (seen,) = elsewhere.owned_by("ada")
        assert (seen.id, seen.state, seen.about) == (started.id, "running", "a folder")
        assert seen.machine
        seen.cancel()
        assert started.wait(WAIT) and started.state == "cancelled"
    elsewhere.close()


def test_the_job_of_a_killed_worker_goes_on_elsewhere(
    database: str, jobs: SharedJobs, tmp_path: Path
) -> None:
    with worker_process(database, tmp_path) as first:
        job = jobs.start("train", "ada", Command(("train", "x")))
        until(lambda: job.progress == (1, 2, "half"))
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        dead = job.machine
        (tmp_path / "open").touch()
        with working(database, wait_for_file(tmp_path), tmp_path):
            assert job.wait(WAIT)
    assert (job.state, job.result, job.attempt) == ("done", {"through": True}, 2)
    assert job.machine != dead
    assert job.events_since(0) == [{"begun": "x"}]  # those of the second attempt alone


def end_connections(database: str) -> None:
    """As a database does that is started again."""
    import psycopg

    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    with psycopg.connect(database) as db:
        db.execute(f"{others} WHERE datname = current_database() AND pid <> pg_backend_pid()")


def test_a_connection_that_ended_is_made_anew(database: str, jobs: SharedJobs) -> None:
    jobs.start("ingest", "ada", Command(("ingest", "x")))
    end_connections(database)
    with pytest.raises(JobDatabaseGone, match="ended the connection"):
        jobs.everybodys()
    assert [job.state for job in jobs.everybodys()] == ["queued"]
    assert jobs.connections == 2


@pytest.mark.parametrize("ends", ["refused", "status", "told"])
def test_what_was_refused_while_the_database_was_gone_is_done_again(
    database: str, tmp_path: Path, ends: str
) -> None:
    attempts: list[int] = []

    def run(arguments: Any, context: JobContext) -> Any:
        attempts.append(1)
        if len(attempts) > 1:
            return {"status": 0}
        end_connections(database)
        context.progress(1, 2, "half")  # nobody can be told
        if ends == "told":
            context.emit({"row": 1})
        if ends == "refused":
            raise UserError("The store does not answer.")
        return {"status": 1}

    first = SharedJobs(database)
    started = first.start("ingest", "ada", Command(("ingest", "x")))
    first.close()
    deadline = time.monotonic() + WAIT
    state = ""
    while state != "done":
        assert time.monotonic() < deadline
        with suppress(JobDatabaseGone):
            JobWorker(database, run, QUICK, tmp_path / "training.lock").work(wait=False, signals=False)
        seen = SharedJobs(database)
        (job,) = seen.everybodys()
        state, attempt = job.state, job.attempt
        seen.close()
    assert (job.id, attempt, len(attempts)) == (started.id, 2, 2)


def test_a_stopped_worker_gives_its_job_back(database: str, jobs: SharedJobs, tmp_path: Path) -> None:
    with worker_process(database, tmp_path) as first:
        job = jobs.start("ingest", "ada", Command(("ingest", "x")))
        until(lambda: job.state == "running")
        first.send_signal(signal.SIGTERM)
        assert first.wait(WAIT) == 0
        assert (job.state, job.progress[2]) == ("queued", "its worker was stopped; it goes on elsewhere")
        (tmp_path / "open").touch()
        with working(database, wait_for_file(tmp_path), tmp_path):
            assert job.wait(WAIT) and job.state == "done"


def test_a_machine_trains_one_adapter_at_a_time(database: str, jobs: SharedJobs, tmp_path: Path) -> None:
    running: list[int] = []
    most: list[int] = []

    def train(arguments: Any, context: JobContext) -> Any:
        running.append(1)
        most.append(len(running))
        context.cancelled.wait(0.3)
        running.pop()
        return {}

    made = [jobs.start("train", "ada", Command(("train", str(number)))) for number in range(3)]
    with working(database, train, tmp_path), working(database, train, tmp_path):
        assert all(job.wait(WAIT) for job in made)
    assert [job.state for job in made] == ["done"] * 3
    assert max(most) == 1


def test_a_job_whose_process_is_killed_is_tried_again_but_not_for_ever(
    database: str, jobs: SharedJobs, tmp_path: Path
) -> None:
    tries: list[str] = []

    def dying(arguments: Any, context: JobContext) -> Any:
        tries.append(arguments[-1])
        if arguments[-1] == "twice" and tries.count("twice") > 2:
            return {}
        raise VerbDied("The process was killed (signal 9).")

    twice, always = (jobs.start("ingest", "ada", Command(("ingest", word))) for word in ("twice", "always"))
    with working(database, dying, tmp_path):
        assert twice.wait(WAIT) and always.wait(WAIT)
    assert (twice.state, twice.attempt) == ("done", 3)
    assert (always.state, always.attempt) == ("failed", MOST_ATTEMPTS)
    assert always.error == "The process was killed (signal 9)."


def test_what_a_forgotten_job_named_is_in_no_table(database: str, jobs: SharedJobs) -> None:
    job = jobs.start("ingest", "ada", Command(("ingest", "/papers/severance-of-ada.pdf")), "severance-of-ada")
    found = "SELECT count(*) FROM {0} WHERE {0}::text LIKE '%%severance%%'"
    assert jobs.row(found.format("triptych_jobs")) == (1,)
    jobs.discard(job)
    tables = ("triptych_jobs", "triptych_job_events", "procrastinate_jobs", "procrastinate_events")
    assert [jobs.row(found.format(table)) for table in tables] == [(0,)] * 4
    assert jobs.row("SELECT count(*) FROM procrastinate_jobs") == (0,)


def test_a_forgotten_document_is_in_no_job_and_in_no_file_of_the_tables(
    database: str, jobs: SharedJobs, tmp_path: Path
) -> None:
    def tell(arguments: Any, context: JobContext) -> Any:
        for name in ("kept.md", "severance \u00e9 of ada.md"):
            context.emit({"document": name, "status": "indexed"})
        return {}

    several = jobs.start("ingest", "ada", Command(("ingest", "/papers")))
    with working(database, tell, tmp_path):
        assert several.wait(WAIT)
    named = jobs.start("ingest", "ada", Command(("ingest", "/papers/severance \u00e9 of ada.md")))
    held = JobsData(lambda workspace: database)
    held.forget(tmp_path / "sessions" / "ben", "severance \u00e9 of ada.md")
    assert len(several.events_since(0)) == 2  # what a visitor forgets is a document of their own
    held.forget(tmp_path, "severance \u00e9 of ada.md")
    assert [job.id for job in jobs.everybodys()] == [several.id]
    assert several.events_since(0) == [{"document": "kept.md", "status": "indexed"}]
    assert named.state == "cancelled"
    jobs.row("CHECKPOINT")
    folder, *_ = jobs.row("SHOW data_directory") or ("",)
    paths = jobs.rows("SELECT pg_relation_filepath(oid) FROM pg_class WHERE relname LIKE 'triptych_job%%'")
    assert paths
    for (path,) in paths:
        found = Path(folder, path).read_bytes() if path and Path(folder, path).exists() else b""
        assert b"severance" not in found


def test_a_database_that_is_not_there_is_said() -> None:
    with pytest.raises(UserError, match="cannot be reached"):
        SharedJobs("postgresql://nobody@127.0.0.1:1/none")


def test_a_verb_is_left_to_a_worker_by_the_command_line(database: str, tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("# Notes\n\nThe depot opens at nine.\n", encoding="utf-8")
    shared = ["--store", database, "--json"]

    def triptych(*arguments: str) -> Any:
        command = [sys.executable, "-m", "backends", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    workspace = str(tmp_path / "workspace")
    (added,) = triptych("jobs", "add", *shared, "--", "ingest", str(notes), "--workspace", workspace)
    assert (added["kind"], added["state"]) == ("ingest", "queued")
    triptych("worker", "--once", "--store", database)
    (listed,) = triptych("jobs", "list", *shared)
    assert (listed["id"], listed["state"], listed["error"]) == (added["id"], "done", "")
    jobs = SharedJobs(database)
    (row,) = jobs.events(added["id"], 0)
    jobs.close()
    assert (row["document"], row["status"]) == ("notes.md", "indexed")
