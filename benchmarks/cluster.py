"""`python -m benchmarks.cluster`: what a Ray cluster on this machine costs on top of reading a folder here.

Enters: nothing; the folder is made of the sample's documents, their sentences numbered so that no vector is
known yet. Leaves: a row for this process and one for two workers: seconds on the clock until the cluster is
there and until all is stored, processor seconds of all processes, passages. Processor seconds hardly depend
on what else the machine does; two workers on one busy core cannot be faster on the clock.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from backends.bulk import cluster
from backends.bulk.file_reading import reading_on
from backends.documents.library import Library
from backends.documents.store import Workspace
from backends.retrieval.embedding import MiniLM
from backends.settings import Settings
from backends.system.files import SAMPLE_CORPUS


def make_folder(folder: Path, files: int) -> None:
    """Markdown files of the sample's own words, each sentence with a number of its own."""
    sources = sorted((SAMPLE_CORPUS / "documents").glob("*.md"))
    for number in range(files):
        text = sources[number % len(sources)].read_text(encoding="utf-8")
        made = text.replace(". ", f" ({number}). ")
        (folder / f"{number:04}.md").write_text(made, encoding="utf-8")


def processor_seconds() -> float:
    """Of this process and of all below it that are there or have been waited for."""
    own = psutil.Process()
    mine = own.cpu_times()
    total = mine.user + mine.system + mine.children_user + mine.children_system
    for child in own.children(recursive=True):
        times = child.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return float(total)


def own_seconds() -> float:
    """Of this process alone: with workers it hands out files and stores what comes back."""
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)


@contextmanager
def read_by(library: Library, workers: int) -> Iterator[None]:
    """This process alone for 0 workers."""
    if not workers:
        yield
        return
    with cluster.opened(None, workers) as opened:
        library.preparer = reading_on(opened, library.embedder)
        yield


def measured(folder: Path, workers: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as place:
        library = Library(Workspace.open(Path(place)), MiniLM())
        cpu, own, began = processor_seconds(), own_seconds(), time.perf_counter()
        with read_by(library, workers):
            started = time.perf_counter()
            results = list(library.ingest([folder], settings=Settings()))
            done, spent = time.perf_counter(), processor_seconds() - cpu
        return {
            "workers": workers,
            "start_s": round(started - began, 1),
            "ingest_s": round(done - started, 1),
            "cpu_s": round(spent, 1),
            "storing_cpu_s": round(own_seconds() - own, 1) if workers else None,
            "files": len(results),
            "passages": sum(result.chunks for result in results),
            "bytes": sum(path.stat().st_size for path in folder.iterdir()),
            "stored_bytes": sum(path.stat().st_size for path in Path(place).iterdir()),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=120)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        make_folder(Path(place), arguments.files)
        for workers in arguments.workers:
            print(json.dumps(measured(Path(place), workers)), flush=True)


if __name__ == "__main__":
    main()
