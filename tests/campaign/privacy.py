"""Privacy: random operations of two visitors and the operator, against a model of who may see what.

Every text holds a secret word of its own. After each look, what was seen is held against the model; after
each removal, a secret that nobody holds any more is searched for in every byte below the workspace, in
temporary folders and in what was exported. It runs the pages' desk, the library and the exports, no model.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as bounds
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from backends.datatypes import Answer, Cost, SourceRecord, Usage
from backends.documents.library import Library
from backends.documents.opening import open_session
from backends.documents.store import Workspace
from backends.erasure import removal
from backends.evaluation.archive import Archive, Entry, RunRecord, Setting
from backends.feedback.retrieval_log import Monitor, Viewer
from backends.feedback.votes import Vote, VotedAnswer, Votes
from backends.product import Triptych
from backends.settings import make_settings
from backends.system.viewers import session_folder, viewer_folder
from pages.ui.triptych_service import TriptychService
from tests.campaign import kills
from tests.campaign.cases import Case, Part, Plan
from tests.fakes import HashingEmbedder

SETTINGS = make_settings(chunk_size=32, chunk_overlap=4)
BASE, VISITORS, ROLES = "", ("ada", "bob"), ("hr", "legal")
NAMES = ("pay.md", "board.md", "lamp.md")
STEPS, RUNS, CASES = 50, 5, 200
OPERATIONS = "operations against the model"
WANTED = {OPERATIONS: 10_000}

owners = st.sampled_from((BASE, *VISITORS))
visitors = st.sampled_from(VISITORS)
names = st.sampled_from(NAMES)
roles = st.sampled_from((None, *ROLES))
kept_from = st.sampled_from(((), ("hr",), ("legal",), ROLES))


@dataclass
class Held:
    """What an owner holds under one name: the secrets of its versions, and who may read each."""

    versions: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def visible(self, role: str | None) -> set[str]:
        current = self.versions[-1][1]
        return {
            secret
            for secret, may in self.versions
            if role is None or all(not r or role in r for r in (current, may))
        }

    def seen_now(self, role: str | None) -> bool:
        current = self.versions[-1][1]
        return role is None or not current or role in current


class Machine(RuleBasedStateMachine):
    """The product and its model, side by side."""

    folder: Path
    machines = done = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).machines += 1
        self.home = Path(tempfile.mkdtemp(dir=self.folder))
        self.base = self.home / "workspace"
        tempfile.tempdir = str(self.home)
        self.library = Library(Workspace.open(self.base), HashingEmbedder())
        self.library.workspace.set_meta("seeded", "1")
        self.model: dict[str, dict[str, Held]] = {BASE: {}}
        self.secrets: list[str] = []
        self.rounds = 0

    def teardown(self) -> None:
        self._nothing_is_left()
        tempfile.tempdir = None
        shutil.rmtree(self.home)

    def _count(self) -> None:
        """Hypothesis begins with the simplest of all runs, which tries next to nothing: it is not counted."""
        type(self).done += self.machines > 1

    # --- the product -----------------------------------------------------------------------------

    def desk(self, visitor: str, role: str | None = None) -> TriptychService:
        def on(library: Library) -> Triptych:
            return Triptych(self.base, SETTINGS, library)

        made = (session_folder(self.base, visitor) / "triptych.db").exists
        return TriptychService(
            on(self.library),
            lambda: on(open_session(self.base, visitor, HashingEmbedder())),
            made=made,
            person=visitor,
            role=role,
        )

    def holds(self, visitor: str) -> dict[str, Held]:
        return self.model.get(visitor, self.model[BASE])

    def _own(self, owner: str) -> dict[str, Held]:
        """The owner's documents, a copy of everybody's from the first change on."""
        if owner not in self.model:
            self.model[owner] = {name: Held(list(held.versions)) for name, held in self.model[BASE].items()}
        return self.model[owner]

    # --- what they do ----------------------------------------------------------------------------

    @rule(owner=owners, name=names, may=kept_from)
    def take_in(self, owner: str, name: str, may: tuple[str, ...]) -> None:
        self._count()
        secret = f"zq{len(self.secrets)}kept{owner or 'all'}"
        self.secrets.append(secret)
        path = self.home / name
        path.write_text(
            f"# {name}\n\nThe {secret} is a word of {name}. " + f"Nobody else says {secret} here. " * 6
        )
        if owner == BASE:
            results: list[Any] = list(self.library.ingest([path], settings=SETTINGS, roles=may))
        else:
            ignore: Any = lambda *_: None  # noqa: E731
            results = list(self.desk(owner).ingest([path], SETTINGS, ignore, threading.Event(), roles=may))
        path.unlink()
        assert results[0].error is None
        held = self._own(owner).setdefault(name, Held())
        held.versions.append((secret, may or (held.versions[-1][1] if held.versions else ())))

    @rule(owner=owners, name=names)
    def forget(self, owner: str, name: str) -> None:
        self._count()
        if name not in self.holds(owner):
            return
        secrets = {secret for secret, _ in self.holds(owner)[name].versions}
        if owner == BASE:
            assert removal.forget(self.library, name).found_in == ()
        else:
            self.desk(owner).forget(name, lambda *_: None)
        del self._own(owner)[name]
        if owner == BASE:  # copies of what the operator removes go from every visitor's copy
            for visitor in [each for each in self.model if each != BASE]:
                mine = self.model[visitor]
                for other in [n for n, held in mine.items() if secrets & {s for s, _ in held.versions}]:
                    del mine[other]
        self._nothing_is_left()

    @rule(visitor=visitors, role=roles, name=names)
    def look(self, visitor: str, role: str | None, name: str) -> None:
        """Everything a page shows of the documents."""
        self._count()
        desk, held = self.desk(visitor, role), self.holds(visitor)
        allowed = set().union(*(each.visible(role) for each in held.values()))
        shown = desk.documents()
        assert {d.name for d in shown} == {n for n, each in held.items() if each.seen_now(role)}
        seen = [d.text for d in shown]
        for version in (None, 1, 2, 3):
            document = desk.document(name, version)
            seen += [document.text] if document else []
        retriever = desk._triptych.library.retriever(SETTINGS, role)
        word = self.secrets[-1] if self.secrets else "lamp"
        hits = retriever.search(f"What does {word} say?", top_k=20, mode="hybrid")
        seen += [hit.chunk.text for hit in hits]
        seen += [str(desk.history(name)), str(desk.versions(name)), str(desk.removals())]
        text = " ".join(seen)
        for secret in self.secrets:
            assert secret not in text or secret in allowed, f"{visitor} as {role} saw {secret}"

    @rule(visitor=visitors, role=roles, name=names)
    def keep(self, visitor: str, role: str | None, name: str) -> None:
        """An answer that quotes a document is voted on, logged, evaluated, as this viewer does it."""
        self._count()
        held = self.holds(visitor).get(name)
        if held is None or not held.seen_now(role):
            return
        document = self.desk(visitor, role).document(name)
        assert document is not None
        secret = held.versions[-1][0]
        answer = _quoting(secret, name, document.version, document.text)
        folder = viewer_folder(self.base, visitor, role)
        self.rounds += 1
        answers = (VotedAnswer("rag", answer.text, (name,)),)
        Votes(folder).record(Vote(f"r{self.rounds}", f"What is {secret}?", "rag", True, answers))
        record = RunRecord("", "", "", "own", (), (), Setting())
        archive = Archive(folder)
        archive.add(archive.begin(record).run, Entry("q", "rag", answer))

    @rule(visitor=visitors, role=roles)
    def read_back(self, visitor: str, role: str | None) -> None:
        """Votes, runs and the log show a viewer nothing that another wrote."""
        self._count()
        folder = viewer_folder(self.base, visitor, role)
        archive = Archive(folder)
        runs = [archive.load(record.run) for record in archive.records()]
        text = f"{Votes(folder).all()} {runs} {Monitor(self.base).health(Viewer(visitor, role), 7)}"
        mine = {s for held in self.holds(visitor).values() for s in held.visible(role)}
        other = next(each for each in VISITORS if each != visitor)
        for secret in self.secrets:
            assert f"kept{other}" not in secret or secret not in text or secret in mine

    # --- what must be gone -----------------------------------------------------------------------

    def _nothing_is_left(self) -> None:
        """A secret that nobody holds stands in no byte of any file."""
        held = {s for docs in self.model.values() for each in docs.values() for s, _ in each.versions}
        gone = [secret.encode() for secret in self.secrets if secret not in held]
        for path in self.home.rglob("*") if gone else ():
            if path.is_file():
                data = path.read_bytes()
                for secret in gone:
                    assert secret not in data, f"{secret.decode()} is left in {path.relative_to(self.home)}"


def _quoting(secret: str, name: str, version: int, text: str) -> Answer:
    at = text.index(secret)
    return Answer(
        id="a",
        question=f"What is {secret}?",
        backend="rag",
        text=f"It is the {secret} [1].",
        citations=(),
        sources=(SourceRecord(name, version, None, at, at + len(secret), secret, rank=1, score=0.5),),
        latency_ms={"total": 1.0},
        usage=Usage(1, 1),
        cost=Cost(0.0, "USD", "your input"),
        model="m",
        adapter=None,
        abstained=False,
        groundedness=1.0,
        settings={},
    )


def operate(folder: Path, number: int, steps: int) -> int:
    """Some runs with the seed of this number; how many operations they carried out."""
    kills.in_this_process()
    machine = type("Seeded", (Machine,), {"folder": folder, "done": 0})
    seed(number)(machine)
    limits = bounds(
        max_examples=1 + RUNS,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=limits)
    return int(vars(machine)["done"])


def cases(of: Plan) -> Iterator[Case]:
    for number in range(2 if of.small else CASES):
        run = partial(operate, of.folder, of.seed * 1000 + number, 30 if of.small else STEPS)
        yield Case(OPERATIONS, f"machine-{number}", run)


PART = Part("privacy", cases, WANTED)
