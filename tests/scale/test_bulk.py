"""Files read and questions asked by the workers of a Ray cluster: as by one process, and through a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from backends.bulk import cluster as ray_cluster
from backends.bulk.cluster import Cluster, Workers
from backends.bulk.file_reading import ClusterPreparer, FileWorker, reading_on
from backends.bulk.question_answering import ClusterSpread, QuestionWorker
from backends.datatypes import UserError
from backends.documents.library import Library
from backends.documents.store import Workspace
from backends.evaluation.archive import Archive, Run
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.settings import Settings
from backends.system.files import ROOT
from backends.system.wording import UNDER_LOAD
from tests.evaluation.subjects import ScriptedSubject, make_questions
from tests.fakes import HashingEmbedder
from tests.scale.conftest import needed

SETTINGS = SimpleNamespace(chunk_size=32, chunk_overlap=8, chunking="sentences")
MAIL = (
    b"From: a@example.org\r\nSubject: Prices\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n'
    b"The prices are attached.\r\n--b\r\nContent-Type: text/markdown\r\n"
    b'Content-Disposition: attachment; filename="prices.md"\r\n\r\n'
    b"# Prices\r\n\r\nA kite costs 12 EUR.\r\n--b--\r\n"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two workers on this machine, shared by these tests."""
    needed("ray")
    with ray_cluster.opened(None, 2) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of several kinds, of which one cannot be read and two are the same."""
    made = tmp_path / "files"
    made.mkdir()
    for number in range(12):
        text = "\n\n".join(
            f"Depot {number} keeps {number * line} crates on shelf {line}." for line in range(9)
        )
        (made / f"depot{number:02}.md").write_text(f"# Depot {number}\n\n{text}\n", encoding="utf-8")
    (made / "again.md").write_bytes((made / "depot03.md").read_bytes())
    (made / "table.csv").write_text("town,parcels\nOslo,3\nBergen,5\n", encoding="utf-8")
    (made / "mail.eml").write_bytes(MAIL)
    (made / "broken.pdf").write_bytes(b"no pdf at all")
    return made


def library_in(path: Path) -> Library:
    return Library(Workspace.open(path), HashingEmbedder())


def told(results: Any) -> list[Any]:
    return [replace(result, seconds=0.0) for result in results]


def contents(library: Library) -> list[Any]:
    """Records, passages and vectors, without when they came."""
    found = []
    for document in library.documents():
        chunks = library.chunks(document.name, SETTINGS)
        stored = library.workspace.document("", document.name)
        assert stored is not None
        reading = library.workspace.reading(stored.id, "hashing fp32 2")
        assert reading is not None
        found.append((stored.id, document, chunks, reading.means.tobytes(), reading.parts.tobytes()))
    return found


def workers_of(kind: str) -> list[int]:
    """Process ids of the workers of this test's cluster that hold such an object."""
    below = psutil.Process().children(recursive=True)
    return [each.pid for each in below if each.is_running() and f"ray::{kind}" in " ".join(each.cmdline())]


def test_a_cluster_reads_a_folder_as_one_process_does(cluster: Cluster, folder: Path, tmp_path: Path) -> None:
    here, there = library_in(tmp_path / "here"), library_in(tmp_path / "there")
    there.preparer = reading_on(cluster, there.embedder)
    expected = told(here.ingest([folder], settings=SETTINGS))
    assert told(there.ingest([folder], settings=SETTINGS)) == expected
    assert contents(there) == contents(here)
    assert [each.document for each in expected if each.status == "rejected"] == ["broken.pdf"]
    assert "mail.eml/prices.md" in [each.document for each in expected]
    assert isinstance(there.embedder, HashingEmbedder)
    assert not there.embedder.embedded  # nothing was computed in this process
    again = told(there.ingest([folder], settings=SETTINGS))
    assert {each.status for each in again} == {"unchanged", "rejected"}
    (folder / "depot05.md").write_text("# Depot 5\n\nIt is closed.\n", encoding="utf-8")
    changed = [
        each.document for each in there.ingest([folder], settings=SETTINGS) if each.status == "replaced"
    ]
    assert changed == ["depot05.md"]


def test_a_killed_worker_loses_nothing(cluster: Cluster, folder: Path, tmp_path: Path) -> None:
    here, there = library_in(tmp_path / "here"), library_in(tmp_path / "there")
    there.preparer = reading_on(cluster, there.embedder)
    expected = told(here.ingest([folder], settings=SETTINGS))
    results = []
    for result in there.ingest([folder], settings=SETTINGS):
        results.append(result)
        if len(results) in (2, 7):
            os.kill(workers_of("FileWorker")[0], signal.SIGKILL)
    assert told(results) == expected
    assert contents(there) == contents(here)


def test_what_was_stored_before_a_stop_is_not_read_again(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    library = library_in(tmp_path / "library")
    library.preparer = reading_on(cluster, library.embedder)
    with closing(library.ingest([folder], settings=SETTINGS)) as results:  # type: ignore[type-var]
        first = [next(results).document for _ in range(5)]
    asked: list[str] = []

    class Watching(ClusterPreparer):
        def _begin(self, file: Any) -> Any:
            asked.append(file.name)
            return super()._begin(file)

    library.preparer = Watching(Workers(FileWorker, (library.embedder, cluster.scratch), cluster.size))
    status = {each.document: each.status for each in library.ingest([folder], settings=SETTINGS)}
    assert {status[name] for name in first if name != "broken.pdf"} == {"unchanged"}
    assert not set(asked) & (set(first) - {"broken.pdf"})
    assert len(library.documents()) == 16


class DyingWorker:
    """Kills its own process at the word."""

    def work(self, word: str) -> str:
        if word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return word


def test_a_call_that_kills_each_worker_is_refused(cluster: Cluster) -> None:
    workers = Workers(DyingWorker, (), 1)
    with pytest.raises(UserError, match="died again and again"):
        workers.result(workers.call(DyingWorker.work, "die"))


class Waiting:
    def wait(self, end: Path) -> None:
        while not end.exists():
            time.sleep(0.05)


def test_a_call_can_be_cancelled_while_it_is_waited_for(cluster: Cluster, tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    workers = Workers(Waiting, (), 1)
    call = workers.call(Waiting.wait, tmp_path / "end")
    with pytest.raises(UserError, match="Cancelled"):
        workers.result(call, cancel)
    (tmp_path / "end").touch()  # a worker that waits for ever would keep its place in the cluster


class ScriptedWorker(QuestionWorker):
    """Answers as the scripted subject does."""

    def __init__(self, adapter: str) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self._subject = ScriptedSubject(adapter=adapter)


def answers(run: Any) -> list[Any]:
    """What was answered and scored; warnings are about times."""
    return [
        replace(entry, answer=entry.answer and replace(entry.answer, warnings=())) for entry in run.entries
    ]


def test_questions_spread_over_workers_get_the_same_answers_and_their_times_are_marked(
    cluster: Cluster, tmp_path: Path
) -> None:
    subject, questions = ScriptedSubject(), make_questions(12)
    planned = plan(subject, questions, plain_arms(("rag", "base"), Settings()), question_set="q")
    here, there = Archive(tmp_path / "here"), Archive(tmp_path / "there")
    expected = carry_out(here, here.begin(planned), subject)
    workers = Workers(ScriptedWorker, ("a1",), 2)
    spread = ClusterSpread(workers)
    assert spread.words == "2 workers on 1 machine"
    killed: list[int] = []

    def kill_one(done: int, total: int, what: str) -> None:
        if done == 6 and not killed:
            killed.append(workers_of("ScriptedWorker")[0])
            os.kill(killed[0], signal.SIGKILL)

    run = carry_out(there, there.begin(planned), subject, spread=spread, progress=kill_one)
    assert killed and run.record.complete
    assert answers(run) == answers(expected)
    marks = {warning for entry in run.entries if entry.answer for warning in entry.answer.warnings}
    assert marks == {f"{UNDER_LOAD} 1 other worker answered on this machine."}
    assert not any(entry.answer.warnings for entry in expected.entries if entry.answer)


def test_one_worker_a_machine_is_not_marked_and_other_documents_are_refused(
    cluster: Cluster, tmp_path: Path
) -> None:
    subject = ScriptedSubject()
    planned = plan(subject, make_questions(3), plain_arms(("rag",), Settings()), question_set="q")
    archive = Archive(tmp_path)
    run = carry_out(
        archive, archive.begin(planned), subject, spread=ClusterSpread(Workers(ScriptedWorker, ("a1",), 1))
    )
    assert not any(entry.answer.warnings for entry in run.entries if entry.answer)
    begun = archive.begin(planned)
    other = ClusterSpread(Workers(ScriptedWorker, ("another adapter",), 1))
    with pytest.raises(UserError, match="has other documents, models or adapters"):
        carry_out(archive, begun, subject, spread=other)
    assert not archive.load(begun.run).entries


def test_a_machine_that_does_not_see_the_workspace_says_so(cluster: Cluster, tmp_path: Path) -> None:
    place = SimpleNamespace(workspace=tmp_path / "absent")
    spread = ClusterSpread(Workers(QuestionWorker, (place,), 1))
    (arm,) = plain_arms(("rag",), Settings())
    with pytest.raises(UserError, match=r"does not see .*absent"):
        list(spread.entries([(make_questions(1)[0], [arm])], ""))


@pytest.mark.timeout(900)  # two programs that load the models, and a cluster
def test_evaluate_on_a_cluster_answers_as_on_one_machine(tmp_path: Path) -> None:
    needed("ray")
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "depot.md").write_text("# Depot\n\nThe depot in Oslo opens at nine.\n", encoding="utf-8")
    questions = tmp_path / "questions.jsonl"
    rows = [
        {"id": "q1", "question": "When does the depot in Oslo open?", "answers": ["nine"]},
        {"id": "q2", "question": "Where is the depot?", "answers": ["Oslo"]},
    ]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    workspace = tmp_path / "workspace"

    def evaluated(*engine: str) -> Run:
        command = [sys.executable, "-m", "backends", "evaluate", "--questions", str(questions), *engine]
        command += ["--documents", str(documents), "--backend", "rag", "--backend", "base"]
        command += ["--workspace", str(workspace), "--json"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        archive = Archive(workspace)
        return archive.load(json.loads(done.stdout.splitlines()[-1])["run"])

    def said(run: Run) -> list[object]:
        return [
            (each.question, each.arm, each.answer and each.answer.text, each.scores) for each in run.entries
        ]

    here, there = evaluated(), evaluated("--engine", "ray", "--workers", "2")
    assert said(there) == said(here)
    assert there.record.setting.machine["answered by"] == "2 workers on 1 machine"
    assert "answered by" not in here.record.setting.machine
    for entry in there.entries:
        assert entry.answer is not None
        assert any(warning.startswith(UNDER_LOAD) for warning in entry.answer.warnings)
