"""What a process does until it is killed: the scenarios of `test_kill_points`, their numbered points.

A point is any statement of SQLite, every 40 instructions inside one, and every file operation. At the chosen
point the process ends with SIGKILL, as from outside: nothing is closed, rolled back or flushed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from pathlib import Path

from backends import removal
from backends.documents import library as library_module
from backends.documents.library import Library
from backends.documents.opening import open_folder, open_library, open_session
from backends.documents.parsing import parse_file
from backends.documents.store import Workspace
from backends.settings import make_settings
from tests.fakes import HashingEmbedder

SETTINGS = make_settings(chunk_size=32, chunk_overlap=4)
INSTRUCTIONS = 40


def _texts(sentence: str, *names: str) -> dict[str, str]:
    """Texts that fill more than one page of the database each."""
    return {name: f"# {name}\n\n" + " ".join([sentence.format(name)] * 60) for name in names}


OLD = _texts("The old {0} speaks of {0} matters.", "alpha", "beta")
NEW = _texts("The new {0} speaks of {0} things.", "alpha", "beta")
ADDED = _texts("All about {0} from here on.", "gamma", "delta", "epsilon")
SECRETS = [f"Zanzibar secret number {number} is kept in the harbour." for number in range(40)]
GONE = [" ".join(SECRETS[:25]), " ".join(SECRETS)]


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


def prepare(folder: Path) -> None:
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


def ingest(folder: Path, acknowledge) -> None:
    library = opened(base_of(folder))
    for result in library.ingest(sorted((folder / "added").iterdir()), settings=SETTINGS):
        acknowledge(result.document)


def replace(folder: Path, acknowledge) -> None:
    library = opened(base_of(folder))
    for result in library.ingest(sorted((folder / "new").iterdir()), settings=SETTINGS):
        acknowledge(result.document)


def forget(folder: Path, acknowledge) -> None:
    library = opened(base_of(folder))
    assert removal.forget(library, "gone.md").found_in == ()
    acknowledge("gone.md")


def visit(folder: Path, acknowledge) -> None:
    open_session(base_of(folder), "bob", HashingEmbedder())
    acknowledge("bob")


def everything(folder: Path, acknowledge) -> None:
    for scenario in (ingest, replace, visit, forget):
        scenario(folder, acknowledge)


SCENARIOS = {each.__name__: each for each in (ingest, replace, forget, visit, everything)}


# --- the process that dies -----------------------------------------------------------------------


def act(folder: Path, scenario: str, point: int | None) -> None:
    """Run a scenario and die at the point of this number; without one, note how many points there were."""
    in_this_process()
    points = Points(point)
    points.install()
    acknowledged = os.open(folder / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    points.armed = True
    SCENARIOS[scenario](folder, lambda name: os.write(acknowledged, f"{name}\n".encode()))
    points.armed = False
    (folder / "points").write_text(str(points.passed))


def in_this_process() -> None:
    """Files are read here and not in a process of their own: what is killed is the one that stores."""
    library_module.parse_isolated = lambda path, name, **_: parse_file(path, name)


class Points:
    """Counts the points that are passed, and kills this process at one of them."""

    def __init__(self, deadly: int | None) -> None:
        self.deadly = deadly
        self.passed = 0
        self.armed = False

    def step(self, *_: object) -> None:
        if self.armed:
            self.passed += 1
            if self.passed == self.deadly:
                os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        points = self

        class Connection(sqlite3.Connection):
            def __init__(self, *args, **options) -> None:
                super().__init__(*args, **options)
                self.set_progress_handler(points.step, INSTRUCTIONS)

            def execute(self, *args):
                points.step()
                return super().execute(*args)

            def executemany(self, *args):
                points.step()
                return super().executemany(*args)

        connect = sqlite3.connect
        sqlite3.connect = lambda *args, **options: connect(*args, **options, factory=Connection)
        for owner, name in (
            (os, "fsync"),
            (os, "utime"),
            (Path, "replace"),
            (Path, "mkdir"),
            (shutil, "rmtree"),
        ):
            self._before(owner, name)

    def _before(self, owner: object, name: str) -> None:
        original = getattr(owner, name)

        def stepping(*args, **options):
            self.step()
            return original(*args, **options)

        setattr(owner, name, stepping)
