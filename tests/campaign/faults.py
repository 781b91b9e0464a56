"""Faults: what the machine does to a workspace. Each is said in one sentence, repaired or refused.

Full and read-only disks, too little memory, jumping clocks, two servers, older and damaged files.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from backends.datatypes import UserError
from backends.documents import session_lease
from backends.documents.library import IngestResult
from backends.documents.opening import open_session
from backends.documents.store import SCHEMA_VERSION
from backends.system.failures import KINDS, in_words
from backends.training.adapters import WEIGHTS
from tests.campaign import kills
from tests.campaign.cases import Case, Part, Plan
from tests.campaign.kills import ADDED, OLD, SCENARIOS, SETTINGS, World, adapters_of, base_of, opened
from tests.fakes import HashingEmbedder

NOBODY = 65534
PAGE = 4096
WANTED = {
    "disk full": 200,
    "read-only workspace": 20,
    "no memory": 20,
    "clock jumps": 20,
    "two servers on one workspace": 20,
    "older or newer workspace": 20,
    "damaged database page": 200,
    "damaged vectors": 100,
    "damaged adapter": 100,
}
QUESTION = "What does alpha speak of?"


def told(what: Callable[[], object]) -> str:
    """What a visitor would read: nothing when it went well. Anything but a sentence is raised."""
    try:
        what()
    except UserError as error:
        return str(error)
    except KINDS as error:
        if (words := in_words(error)) is None:
            raise
        return words
    return ""


def in_a_process(what: Callable[[], object]) -> None:
    """Do it in a process of its own, which may give up rights and memory; what it raises fails here."""
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)

    def act() -> None:
        try:
            what()
            send.send("")
        except BaseException as error:
            send.send(f"{type(error).__name__}: {error}")

    child = context.Process(target=act)
    child.start()
    said = receive.recv() if receive.poll(kills.PATIENCE) else "it took too long"
    child.join(5)
    assert said == "", said


def use(folder: Path) -> dict[str, str]:
    """Open, read, search and cut as a visitor would; the texts by name."""
    library = opened(base_of(folder))
    texts = {document.name: document.text for document in library.documents()}
    library.retriever(SETTINGS).search(QUESTION, top_k=4, mode="hybrid")
    for name in texts:
        library.history(name)
        library.chunks(name, SETTINGS)
    library.workspace.close()
    return texts


class Faults:
    """Copies of prepared workspaces, each with one fault."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)

    def documents(self) -> Path:
        return self.world.copy(SCENARIOS["ingest"])

    def adapters(self) -> Path:
        return self.world.copy(SCENARIOS["activate"])

    # --- the disk and the memory -----------------------------------------------------------------

    def full(self, name: str, share: float) -> None:
        self.world.fills(name, share, False)

    def read_only(self, name: str) -> None:
        folder = self.world.copy(SCENARIOS[name])
        for above in (folder.parent, folder):
            above.chmod(0o755)
        for path in folder.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)

        def act() -> None:
            if os.geteuid() == 0:
                os.setresuid(NOBODY, NOBODY, NOBODY)
            kills.in_this_process()
            assert told(lambda: SCENARIOS[name].act(folder, lambda _: None)), "it claims to have worked"

        in_a_process(act)
        for path in (folder, *folder.rglob("*")):
            if path.is_dir():
                path.chmod(stat.S_IRWXU)
        shutil.rmtree(folder)

    def no_memory(self, megabytes: int) -> None:
        folder = self.documents()
        (folder / "added" / "gamma.md").write_text("A word after the other makes a text. " * 400_000)

        def act() -> None:
            kills.in_this_process()
            library = opened(base_of(folder))
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + (megabytes << 20)
            resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
            results: list[IngestResult] = []
            said = told(
                lambda: results.extend(library.ingest([folder / "added" / "gamma.md"], settings=SETTINGS))
            )
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            refused = said or results[-1].error
            assert (refused is None) == ("gamma.md" in {each.name for each in library.documents()})

        in_a_process(act)
        assert set(use(folder)) >= {"alpha.md", "beta.md"}
        shutil.rmtree(folder)

    # --- time and company ------------------------------------------------------------------------

    def clock_jumps(self, days: float) -> None:
        """A visitor's copy that is in use stays, whatever the clock says; so does what is acknowledged."""
        folder = self.documents()
        base = base_of(folder)
        ada = open_session(base, "ada", HashingEmbedder())
        real = time.time
        time.time = lambda: real() + days * 86_400
        try:
            other = open_session(base, "cleo", HashingEmbedder())
            session_lease.remove_unused(base / "sessions")
            assert {d.name for d in ada.documents()} == {d.name for d in other.documents()}
            results = list(ada.ingest([folder / "added" / "gamma.md"], settings=SETTINGS))
            assert [each.status for each in results] == ["indexed"]
        finally:
            time.time = real
        assert "gamma.md" in {d.name for d in open_session(base, "ada", HashingEmbedder()).documents()}
        assert set(use(folder)) >= {"alpha.md", "beta.md", "gone.md"}
        shutil.rmtree(folder)

    def two_servers(self, seed: int) -> None:
        """Two processes take in, replace and forget at once; in the end everything of both has happened."""
        folder = self.documents()
        context = multiprocessing.get_context("fork")

        def serve(names: Sequence[str]) -> None:
            kills.in_this_process()
            for name in names:
                SCENARIOS[name].act(folder, lambda _: None)

        works = [["ingest", "visit", "replace"], ["replace", "forget", "settings"]]
        random.Random(seed).shuffle(works[0])
        random.Random(seed + 1).shuffle(works[1])
        servers = [context.Process(target=serve, args=(names,)) for names in works]
        for server in servers:
            server.start()
        for server in servers:
            server.join(kills.PATIENCE)
        assert [server.exitcode for server in servers] == [0, 0]
        acknowledged = {*(f"{name}.md" for name in (*ADDED, *OLD)), "gone.md", "bob"}
        kills.check_documents(folder, acknowledged, True)
        shutil.rmtree(folder)

    # --- other versions --------------------------------------------------------------------------

    def other_version(self, version: int) -> None:
        """An older workspace is brought up to date, of a newer one it is said that it is newer."""
        folder = self.documents()
        db = sqlite3.connect(base_of(folder) / "triptych.db", isolation_level=None)
        if version < SCHEMA_VERSION:
            for column in ("language", "notes"):
                db.execute(f"ALTER TABLE documents DROP COLUMN {column}")
        db.execute(f"PRAGMA user_version = {version}")
        db.close()
        if version > SCHEMA_VERSION:
            assert "newer Triptych" in told(lambda: use(folder))
        else:
            assert use(folder)["alpha.md"] == OLD["alpha"]
        shutil.rmtree(folder)

    # --- damage ----------------------------------------------------------------------------------

    def damaged_page(self, seed: int) -> None:
        """Whatever SQLite holds in a page goes: the texts are as they were, or it is said."""
        folder = self.documents()
        whole = use(folder)
        database = base_of(folder) / "triptych.db"
        draw = random.Random(seed)
        data = bytearray(database.read_bytes())
        at = draw.randrange(len(data) // PAGE) * PAGE
        how = draw.choice(("noise", "zeros", "end"))
        if how == "end":
            del data[at + draw.randrange(PAGE) :]
        else:
            data[at : at + PAGE] = draw.randbytes(PAGE) if how == "noise" else bytes(PAGE)
        database.write_bytes(data)
        found: dict[str, str] = {}
        said = told(lambda: found.update(use(folder)))
        assert said or found == whole, "texts have changed and nothing was said"
        assert "Traceback" not in said and len(said) < 400
        shutil.rmtree(folder)

    def damaged_vectors(self, seed: int) -> None:
        """Vectors that cannot be right are made again: the same passages are found as before."""
        folder = self.documents()
        before = self._found(folder)
        draw = random.Random(seed)
        db = sqlite3.connect(base_of(folder) / "triptych.db")
        table, column, key = draw.choice((("vectors", "data", "key"), ("readings", "parts", "document")))
        at, blob = draw.choice(db.execute(f"SELECT {key}, {column} FROM {table}").fetchall())
        broken = {
            "short": blob[: draw.randrange(len(blob))],
            "long": blob + draw.randbytes(draw.randrange(1, 64)),
            "no numbers": np.full(len(blob) // 2, np.nan, np.float16).tobytes()
            if table == "vectors"
            else b"",
        }[draw.choice(("short", "long", "no numbers"))]
        db.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (broken, at))
        db.commit()
        db.close()
        assert self._found(folder) == before
        shutil.rmtree(folder)

    def _found(self, folder: Path) -> list[tuple[str, int]]:
        library = opened(base_of(folder))
        hits = library.retriever(SETTINGS).search(QUESTION, top_k=8, mode="dense")
        library.workspace.close()
        return [(hit.chunk.document, hit.chunk.start) for hit in hits]

    def damaged_adapter(self, seed: int) -> None:
        """One that is damaged is refused by name; the others answer as before."""
        from backends.language.generation import LanguageModel

        folder = self.adapters()
        draw = random.Random(seed)
        home = base_of(folder) / "adapters"
        victim = draw.choice((home / "mine" / WEIGHTS, home / "mine" / "adapter_config.json",
                              home / "mine" / "card.json", home / "active.json"))  # fmt: skip
        data = victim.read_bytes()
        cut = draw.randrange(len(data))
        victim.write_bytes(draw.choice((data[:cut], b"", draw.randbytes(len(data)))))
        model = LanguageModel.load(folder.parent / SCENARIOS["activate"].prepare.__name__ / "tiny")
        adapters = adapters_of(folder)
        names = {each.name for each in adapters.all()}
        assert "other" in names and model.prepare(adapters.get("other").folder) is not None
        said = told(lambda: model.prepare(home / "mine")) if victim.parent.name == "mine" else ""
        assert said or victim.name in ("card.json", "active.json")
        assert told(lambda: adapters.active("fine_tuned")) or victim.name != "active.json"
        if victim.name == "card.json":
            assert adapters.damaged() == ["mine"] and "mine" not in names
        if victim.name != "active.json":
            adapters.delete("mine")
            assert not (home / "mine").exists()
        assert json.loads((home / "other" / "card.json").read_text())["name"] == "other"
        shutil.rmtree(folder)


def cases(of: Plan) -> Iterator[Case]:
    faults = Faults(of.folder)
    scenarios = [name for name in SCENARIOS if name != "train"]
    for number in range(2 if of.small else 200):
        draw = random.Random(f"{of.seed} {number}")
        seed = draw.randrange(10**6)
        for name in (
            (draw.choice(scenarios),)
            if of.small
            else (draw.choice(scenarios), "train")[: 1 + (not number % 8)]
        ):
            yield Case("disk full", f"full-{name}-{number}", partial(faults.full, name, draw.random()))
        yield Case("damaged database page", f"page-{number}", partial(faults.damaged_page, seed))
        if number % 2 == 0:
            yield Case("damaged vectors", f"vectors-{number}", partial(faults.damaged_vectors, seed))
            yield Case("damaged adapter", f"adapter-{number}", partial(faults.damaged_adapter, seed))
        if number % 10 == 0:
            which = scenarios[number // 10 % len(scenarios)]
            yield Case("read-only workspace", f"readonly-{number}", partial(faults.read_only, which))
            yield Case("no memory", f"memory-{number}", partial(faults.no_memory, draw.randrange(4, 120)))
            yield Case(
                "clock jumps", f"clock-{number}", partial(faults.clock_jumps, draw.choice((-400, -1, 2, 400)))
            )
            yield Case("two servers on one workspace", f"two-{number}", partial(faults.two_servers, seed))
            version = draw.choice((1, 2, SCHEMA_VERSION, SCHEMA_VERSION + 1, 99))
            yield Case(
                "older or newer workspace", f"version-{number}", partial(faults.other_version, version)
            )


PART = Part("faults", cases, WANTED)
