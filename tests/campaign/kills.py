"""Kills: a process works and dies at a point or a moment; what it left is opened and looked at.

What must hold: it opens, every database is sound, what was acknowledged is there as a whole, what was not is
there as a whole or not at all, of a forgotten document no file holds a word, and no adapter is half there.
"""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import safe_open

from backends.datatypes import Chunk, Document, TrainingRow, UserError
from backends.documents import library as library_module
from backends.documents.library import Library
from backends.documents.opening import open_folder, open_library, open_session
from backends.documents.parsing import parse_file
from backends.documents.store import Workspace
from backends.erasure import removal
from backends.erasure.scan import scan
from backends.evaluation.archive import Archive, Entry
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.feedback.retrieval_log import Monitor
from backends.feedback.votes import Vote, VotedAnswer, Votes
from backends.settings import make_settings
from backends.system.failures import KINDS, in_words
from backends.training import worker
from backends.training.adapter_exchange import import_adapter
from backends.training.adapters import WEIGHTS, Adapter, AdapterCard, Adapters, LearnedDocument, write_card
from backends.training.rows import closed_book
from backends.training.runs import TrainingPlan, TrainingRuns
from tests.campaign.cases import Case, Part, Plan
from tests.campaign.dying import End, Points
from tests.evaluation.subjects import ScriptedSubject, make_questions
from tests.fakes import HashingEmbedder, random_adapter, tiny_language_model

SETTINGS = make_settings(chunk_size=32, chunk_overlap=4)
PATIENCE = 180.0  # seconds; a busy machine is slow, not wrong
KILLED = -9
WANTED = 200

Acknowledge = Callable[[str], None]


def _texts(sentence: str, *names: str) -> dict[str, str]:
    """Texts that fill more than one page of the database each."""
    return {name: f"# {name}\n\n" + " ".join([sentence.format(name)] * 60) for name in names}


OLD = _texts("The old {0} speaks of {0} matters.", "alpha", "beta")
NEW = _texts("The new {0} speaks of {0} things.", "alpha", "beta")
ADDED = _texts("All about {0} from here on.", "gamma", "delta", "epsilon")
SECRETS = [f"Zanzibar secret number {number} is kept in the harbour." for number in range(40)]
GONE = [" ".join(SECRETS[:25]), " ".join(SECRETS)]
QUESTIONS = make_questions(6)
ROWS = [TrainingRow(f"Code {n}?", "yes", ("alpha.md",)) for n in range(24)]
TRAINING = {"epochs": 1, "rank": 2, "batch_tokens": 512, "scored_rows": 1, "learning_rate": 1e-2}


@dataclass(frozen=True)
class TinyBase:
    """What an import needs of a base model, without the weights."""

    folder: str
    fingerprint: str
    widths: dict[str, list[int]]
    name: str = "base"

    def layers(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(shape) for name, shape in self.widths.items()}

    def prepare(self, adapter: Path | None) -> object:
        return adapter


def base_of(folder: Path) -> Path:
    return folder / "workspace"


def opened(base: Path) -> Library:
    """As the product opens it: what was interrupted comes to its end first."""
    library = open_library(base, HashingEmbedder(), SETTINGS)
    removal.finish(library.workspace)
    return library


def write(folder: Path, texts: dict[str, str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)
    return [folder / f"{name}.md" for name in texts]


def in_this_process() -> None:
    """Files are read here and not in a process of their own: what is killed is the one that stores."""
    setattr(library_module, "parse_isolated", lambda path, name, **_: parse_file(path, name))  # noqa: B010


# --- before --------------------------------------------------------------------------------------


def prepare_documents(folder: Path) -> None:
    """Three documents, one of them in two versions, a visitor's copy, a folder's copy and a stored answer."""
    in_this_process()
    base = base_of(folder)
    library = Library(Workspace.open(base), HashingEmbedder())
    library.workspace.set_meta("seeded", "1")
    for text in GONE:
        list(library.ingest(write(folder / "old", {**OLD, "gone": text}), settings=SETTINGS))
    write(folder / "new", NEW)
    write(folder / "added", ADDED)
    write(folder / "elsewhere", {"gone": GONE[1]})
    open_folder(base, folder / "elsewhere", HashingEmbedder(), SETTINGS).workspace.close()
    open_session(base, "ada", HashingEmbedder()).workspace.close()
    source = {"document": "gone.md", "version": 2, "text": GONE[1]}
    (base / "run.json").write_text(json.dumps({"rows": [{"text": SECRETS[3], "sources": [source]}]}))
    library.workspace.close()


def prepare_adapters(folder: Path) -> None:
    """Two adapters, one of them active, one to be imported, a planned training that replaces one, a run."""
    from backends.language.generation import LanguageModel

    base = base_of(folder)
    tiny = tiny_language_model(folder / "tiny")
    model = LanguageModel.load(tiny)
    widths = {name: list(shape) for name, shape in model.layers().items()}
    (folder / "base.json").write_text(json.dumps([model.fingerprint, widths]))
    for seed, name in enumerate(("mine", "other")):
        made = random_adapter(tiny, base / "adapters" / name, seed=seed)
        write_card(made, AdapterCard(name, "fine_tuned", "base", model.fingerprint))
    random_adapter(tiny, folder / "foreign", seed=5)
    Adapters(base / "adapters", folder / "none").activate("mine")
    # The folder is copied for every case, the model is not: its place stands in the plan.
    training = TrainingPlan("mine", "fine_tuned", str(tiny), TRAINING, (LearnedDocument("alpha.md", 1, "x"),))
    examples = closed_book(enumerate(ROWS, start=1))
    TrainingRuns(base).create(training, ROWS, examples[:20], examples[20:])
    arms = plain_arms(("rag", "base"), SETTINGS)
    Archive(base).begin(plan(ScriptedSubject(), QUESTIONS, arms, question_set="own"))


def tiny_base(folder: Path) -> TinyBase:
    fingerprint, widths = json.loads((folder / "base.json").read_text())
    return TinyBase(str(folder / "tiny"), fingerprint, widths)


def adapters_of(folder: Path) -> Adapters:
    return Adapters(base_of(folder) / "adapters", folder / "none")


# --- what is done --------------------------------------------------------------------------------


def ingest(folder: Path, acknowledge: Acknowledge) -> None:
    _take_in(folder, "added", acknowledge)


def replace(folder: Path, acknowledge: Acknowledge) -> None:
    _take_in(folder, "new", acknowledge)


def _take_in(folder: Path, files: str, acknowledge: Acknowledge) -> None:
    library = opened(base_of(folder))
    for result in library.ingest(sorted((folder / files).iterdir()), settings=SETTINGS):
        if result.status != "rejected":
            acknowledge(result.document)


def forget(folder: Path, acknowledge: Acknowledge) -> None:
    library = opened(base_of(folder))
    if removal.forget(library, "gone.md").found_in == ():
        acknowledge("gone.md")


def visit(folder: Path, acknowledge: Acknowledge) -> None:
    open_session(base_of(folder), "bob", HashingEmbedder())
    acknowledge("bob")


def settings(folder: Path, acknowledge: Acknowledge) -> None:
    """What a visitor switches and chooses: the log of retrievals, votes, a value of the workspace."""
    base = base_of(folder)
    Monitor(base).switch("ada", False)
    acknowledge("switch")
    for number in range(3):
        answers = (VotedAnswer("rag", "30 days"), VotedAnswer("base", "no idea"))
        Votes(base / "visitors" / "ada").record(Vote(f"r{number}", "How long?", "rag", True, answers))
        acknowledge(f"r{number}")
    Workspace.open(base).set_meta("chosen", "yes")
    acknowledge("chosen")


def train(folder: Path, acknowledge: Acknowledge) -> None:
    """Work on the planned run as its own process does, holding the lock that tells it from a killed one."""
    (run,) = TrainingRuns(base_of(folder)).all()
    with (run.folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run.set_state("running")
        worker.work(run, os.getppid())
        if run.state == "done":
            acknowledge("trained")


def activate(folder: Path, acknowledge: Acknowledge) -> None:
    adapters = adapters_of(folder)
    adapters.activate("other")
    acknowledge("other")
    adapters.roll_back("fine_tuned")
    acknowledge("back")
    adapters.activate("other")
    acknowledge("again")
    adapters.delete("mine")
    acknowledge("deleted")


def evaluate(folder: Path, acknowledge: Acknowledge) -> None:
    class Told(Archive):
        def add(self, run: str, entry: Entry) -> None:
            super().add(run, entry)
            acknowledge(f"{entry.question}|{entry.arm}")

    archive = Told(base_of(folder))
    (record,) = archive.records()
    carry_out(archive, record, ScriptedSubject())
    acknowledge("complete")


def take_in(folder: Path, acknowledge: Acknowledge) -> None:
    import_adapter(adapters_of(folder), folder / "foreign", "theirs", "hybrid", tiny_base(folder))
    acknowledge("theirs")


# --- what must hold ------------------------------------------------------------------------------


def check_documents(folder: Path, acknowledged: set[str], whole: bool) -> None:
    base = base_of(folder)
    library = opened(base)
    session = open_session(base, "ada", HashingEmbedder())
    visitor = open_session(base, "bob", HashingEmbedder())
    texts = {name: sound(each) for name, each in (("", library), ("ada", session), ("bob", visitor))}
    for name, text in ADDED.items():
        assert texts[""].get(f"{name}.md") in ((text,) if f"{name}.md" in acknowledged else (text, None))
    for name, text in OLD.items():
        allowed = (NEW[name],) if f"{name}.md" in acknowledged else (text, NEW[name])
        assert texts[""][f"{name}.md"] in allowed
    assert json.loads((base / "run.json").read_text())["rows"]
    if "gone.md" in texts[""]:
        assert "gone.md" not in acknowledged
        assert library.versions("gone.md") == [1, 2]
        assert texts[""]["gone.md"] == texts["ada"]["gone.md"] == GONE[1]
    else:
        assert "gone.md" not in texts["ada"] and "gone.md" not in texts["bob"]
        assert scan([base], SECRETS).found_in == ()
        for path in base.rglob("*"):
            assert not path.is_file() or b"Zanzibar" not in path.read_bytes(), path
    for each in (library, session, visitor):
        each.workspace.close()


def sound(library: Library) -> dict[str, str]:
    """The texts by name, after everything that must hold within one workspace was looked at."""
    assert isinstance(library.workspace, Workspace)
    db = library.workspace.connection()
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # what is committed is synced
    assert library.workspace.erasures() == []
    documents = library.documents()
    for document in documents:
        whole_passages(library, document)
        stored = library.workspace.document("", document.name)
        assert stored is not None
        assert library.workspace.chunked([stored.id], library._scheme(SETTINGS)) == {stored.id}
    found = library.retriever(SETTINGS).chunks  # fails if a vector is missing
    assert {chunk.document for chunk in found} == {document.name for document in documents}
    return {document.name: document.text for document in documents}


def whole_passages(library: Library, document: Document) -> list[Chunk]:
    """The passages of a document whose versions are all there, each the words of its own place."""
    assert library.versions(document.name) == list(range(1, document.version + 1))
    entry = library.history(document.name)[-1]
    assert (entry.version, entry.content_hash) == (document.version, document.content_hash)
    chunks = library.chunks(document.name, SETTINGS)
    assert chunks and all(c.text == document.text[c.start : c.end] for c in chunks)
    return chunks


def check_settings(folder: Path, acknowledged: set[str], whole: bool) -> None:
    base = base_of(folder)
    votes = {vote.round for vote in Votes(base / "visitors" / "ada").all()}
    assert votes >= acknowledged & {"r0", "r1", "r2"}
    assert "switch" not in acknowledged or not Monitor(base).enabled("ada")
    assert "chosen" not in acknowledged or Workspace.open(base).get_meta("chosen") == "yes"
    for path in base.rglob("*.db"):
        db = sqlite3.connect(path)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)], path
        db.close()


def check_training(folder: Path, acknowledged: set[str], whole: bool) -> None:
    """The adapter of that name is the old one or the new one; `whole`: it also goes on to its end."""
    (run,) = TrainingRuns(base_of(folder)).all()
    mine = whole_adapters(folder)["mine"]
    trained = bool(mine.card.documents)
    expected = ("done",) if "trained" in acknowledged else ("interrupted", "waiting", "done")
    assert run.state in expected, f"{run.state}: {run.error}"
    assert trained or run.state != "done"
    if run.state != "done" and whole:
        assert run.resumable
        train(folder, acknowledged.add)
        assert "trained" in acknowledged, run.error
        assert whole_adapters(folder)["mine"].card.documents
    assert adapters_of(folder).active("fine_tuned") is not None
    assert_no_rests(folder)


def check_active(folder: Path, acknowledged: set[str], whole: bool) -> None:
    here = whole_adapters(folder)
    active = adapters_of(folder).active("fine_tuned")
    assert active is not None
    before = "other" if "other" in acknowledged else None
    if "again" in acknowledged:
        assert active.name == "other"
    elif "back" not in acknowledged and before is None:
        assert active.name in ("mine", "other")
    assert "mine" in here or "again" in acknowledged
    assert "deleted" not in acknowledged or "mine" not in here
    assert_no_rests(folder)


def check_imported(folder: Path, acknowledged: set[str], whole: bool) -> None:
    here = whole_adapters(folder)
    assert set(here) >= ({"mine", "other", "theirs"} if "theirs" in acknowledged else {"mine", "other"})
    if "theirs" in here:
        assert (here["theirs"].folder / WEIGHTS).read_bytes() == (folder / "foreign" / WEIGHTS).read_bytes()
    assert_no_rests(folder)


def whole_adapters(folder: Path) -> dict[str, Adapter]:
    """The adapters by name; every one that is listed has all its weights."""
    found = {each.name: each for each in adapters_of(folder).all()}
    for adapter in found.values():
        with safe_open(adapter.folder / WEIGHTS, framework="pt") as weights:
            assert all(weights.get_tensor(key).numel() for key in weights.keys())  # noqa: SIM118
        assert json.loads((adapter.folder / "adapter_config.json").read_text())["peft_type"] == "LORA"
    return found


def assert_no_rests(folder: Path) -> None:
    """What an interrupted change left of weights is gone at the next one a day later: disks have an end."""
    here = base_of(folder) / "adapters"
    for made in here.glob(".*.partial"):
        os.utime(made, (0, 0))
    adapters_of(folder).activate("other")
    rests = [each.name for each in here.iterdir() if each.is_dir() and each.name.startswith(".")]
    assert rests == []


def check_evaluation(folder: Path, acknowledged: set[str], whole: bool) -> None:
    archive = Archive(base_of(folder))
    (record,) = archive.records()
    stored = [f"{entry.question}|{entry.arm}" for entry in archive.load(record.run).entries]
    assert set(stored) >= acknowledged - {"complete"}
    if not record.complete:
        assert "complete" not in acknowledged
        run = carry_out(archive, record, ScriptedSubject())
        stored = [f"{entry.question}|{entry.arm}" for entry in run.entries]
        assert run.record.complete
    assert sorted(stored) == sorted(f"{q.id}|{arm}" for q in QUESTIONS for arm in ("rag", "base"))


# --- cases ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scenario:
    name: str
    act: Callable[[Path, Acknowledge], None]
    check: Callable[[Path, set[str], bool], None]
    prepare: Callable[[Path], None]


SCENARIOS = {
    each.name: each
    for each in (
        Scenario("ingest", ingest, check_documents, prepare_documents),
        Scenario("replace", replace, check_documents, prepare_documents),
        Scenario("forget", forget, check_documents, prepare_documents),
        Scenario("visit", visit, check_documents, prepare_documents),
        Scenario("settings", settings, check_settings, prepare_documents),
        Scenario("activate", activate, check_active, prepare_adapters),
        Scenario("import", take_in, check_imported, prepare_adapters),
        Scenario("evaluate", evaluate, check_evaluation, prepare_adapters),
        Scenario("train", train, check_training, prepare_adapters),
    )
}
ENDS: tuple[End, ...] = ("kill", "torn", "power")


def act(folder: Path, name: str, end: End, at: int | None, seed: int) -> None:
    """In a process of its own: carry out a scenario and die at the point of this number, or note how many
    there were. What it said instead, where the disk was full, is noted too."""
    in_this_process()
    points = Points(base_of(folder), end, at, seed)
    points.install()
    acknowledged = os.open(folder / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def acknowledge(what: str) -> None:
        os.write(acknowledged, f"{what}\n".encode())

    points.arm()
    said = ""
    try:
        SCENARIOS[name].act(folder, acknowledge)
    except UserError as error:
        said = str(error)
    except KINDS as error:
        if end != "full" or (words := in_words(error)) is None:
            raise
        said = words
    points.armed = False
    (folder / "said").write_text(said)
    (folder / "points").write_text(str(points.passed))


class World:
    """Prepared folders, and copies of them in which processes die."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes = multiprocessing.get_context("fork")
        self._passed: dict[str, tuple[int, float]] = {}
        self._copies = 0

    def prepared(self, scenario: Scenario) -> Path:
        folder = self._folder / scenario.prepare.__name__
        if not folder.exists():
            folder.mkdir()
            scenario.prepare(folder)
        return folder

    def whole(self, name: str, end: End = "kill") -> tuple[int, float]:
        """(points passed, seconds taken) by a scenario that nothing interrupts."""
        key = name if end != "full" else f"{name} full"
        if key not in self._passed:
            folder = self.copy(SCENARIOS[name])
            began = time.monotonic()
            self.child(folder, name, end, None, 0).join(PATIENCE)
            seconds = time.monotonic() - began
            assert (folder / "said").read_text() == "" and (folder / "acknowledged").read_text()
            self._passed[key] = int((folder / "points").read_text()), seconds
            shutil.rmtree(folder)
        return self._passed[key]

    def copy(self, scenario: Scenario) -> Path:
        self._copies += 1
        folder = self._folder / f"case-{self._copies}"
        return shutil.copytree(self.prepared(scenario), folder)

    def child(self, folder: Path, name: str, end: End, at: int | None, seed: int) -> Any:
        child = self._processes.Process(target=act, args=(folder, name, end, at, seed))
        child.start()
        return child

    def dies(self, name: str, end: End, share: float, seed: int, whole: bool) -> None:
        """At the point that many of all the points in, or at that share of its time where `end` is None."""
        passed, _ = self.whole(name)
        folder = self.copy(SCENARIOS[name])
        child = self.child(folder, name, end, max(1, round(share * passed)), seed)
        child.join(PATIENCE)
        assert child.exitcode in (0, KILLED), f"it ended with {child.exitcode}"
        self._look(folder, name, whole)

    def dies_in_time(self, name: str, share: float, whole: bool) -> None:
        _, seconds = self.whole(name)
        folder = self.copy(SCENARIOS[name])
        child = self.child(folder, name, "kill", None, 0)
        child.join(share * seconds)
        child.kill()
        child.join(PATIENCE)
        self._look(folder, name, whole)

    def fills(self, name: str, share: float, whole: bool) -> None:
        """The disk is full from a point on, that share of all points in; once there is room, all holds."""
        passed, _ = self.whole(name, "full")
        folder = self.copy(SCENARIOS[name])
        child = self.child(folder, name, "full", max(1, round(share * passed)), 0)
        child.join(PATIENCE)
        assert child.exitcode == 0, "it ended with a traceback"
        self._look(folder, name, whole)

    def _look(self, folder: Path, name: str, whole: bool) -> None:
        noted = folder / "acknowledged"
        in_this_process()
        SCENARIOS[name].check(folder, set(noted.read_text().split()) if noted.exists() else set(), whole)
        shutil.rmtree(folder)
        for kept in self._folder.glob(f"{folder.name}/*.kept.*"):
            kept.unlink()


def cases(of: Plan) -> Iterator[Case]:
    """Turn by turn every scenario: three deaths at points of every four, one by time."""
    world = World(of.folder)
    for turn in range(4 if of.small else 4 * WANTED):
        for place, name in enumerate(SCENARIOS):
            number = turn // 4 if name == "train" else turn  # a training takes as long as all the others
            if number >= (QUICK.get(name, 4) if of.small else WANTED) or (name == "train" and turn % 4):
                continue
            draw = random.Random(f"{of.seed} {name} {number}")
            share, which = draw.random(), (number + place) % 4
            whole = name != "train" or which == 0
            if which == 3:
                run = partial(world.dies_in_time, name, share, whole)
            else:
                run = partial(world.dies, name, ENDS[which], share, number, whole)
            how = (*ENDS, "time")[which]
            yield Case(name, f"{name}-{how}-{number}", run)


QUICK = {"train": 1, "ingest": 2, "replace": 2, "forget": 2, "visit": 2}  # cases of `quick`; 4 of the others
PART = Part("kills", cases, dict.fromkeys(SCENARIOS, WANTED))
