"""Latency claim: how long finding passages takes as the corpus grows, against the 100 to 500 ms often quoted.

Enters: a run, and how many passages to search among: the subject makes them up. Leaves: per backend that
retrieves, the milliseconds from question to chosen sentences by corpus size, and the search alone. Every
question is found anew, nothing remembered; the language model is not asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from backends.datatypes import BackendName, UserError
from backends.evaluation.probes import chosen
from backends.stress.records import (
    NAMES,
    RETRIEVING,
    Measurement,
    Probe,
    Result,
    SearchTimes,
    StressRow,
    StressRun,
    check_questions,
    mean,
)

SIZES = (100, 1_000, 10_000)
CLAIMED = (100.0, 500.0)  # milliseconds
ASKED = 5  # questions for each that another test would ask: a search is much shorter than an answer
WARM_UP = 2


def latency(run: StressRun, sizes: Sequence[int] = SIZES) -> Result:
    """Time every question at every size, one backend after the other."""
    backends = [name for name in run.backends if name in RETRIEVING]
    if not backends:
        raise UserError("None of these backends retrieves passages: choose RAG or hybrid.")
    questions = chosen(run.questions, ASKED * run.number, run.seed)
    check_questions(questions, "there is no question")
    run.total = len(sizes) * len(questions) * len(backends)
    built: dict[int, float] = {}
    searches: dict[int, Callable[[str], SearchTimes]] = {}
    for size in sorted(sizes):
        run.progress(0, run.total, f"building an index of {size:,} passages")
        began = time.perf_counter()
        searches[size] = run.subject.searcher(size, run.seed)
        built[size] = time.perf_counter() - began
        for question in questions[:WARM_UP]:
            searches[size](question.question)
    alone: dict[tuple[BackendName, int], list[float]] = {}
    for question in questions:  # sizes in turn, so that a busy machine slows all of them alike
        for size, search in searches.items():
            for backend in backends:
                found = _timed(run, backend, size, question.question, search)
                alone.setdefault((backend, size), []).append(1000 * found.search)
    rows = [_row(run, backend, built, alone) for backend in backends]
    return Result("latency", tuple(rows), _sentence(rows[0]), tuple(run.probes), seed=run.seed)


def _timed(
    run: StressRun, backend: BackendName, size: int, question: str, search: Callable[[str], SearchTimes]
) -> SearchTimes:
    if run.cancelled.is_set():
        raise UserError("Cancelled.")
    run.progress(run.done, run.total, f"{NAMES[backend]}, {_among(size)}")
    run.done += 1
    found = search(question)
    run.probes.append(
        Probe(backend, _among(size), question, found.document, "timed", found.search + found.choose)
    )
    return found


def _among(size: int) -> str:
    return f"among {size:,} passages"


def _milliseconds(run: StressRun, backend: BackendName, size: int) -> list[float]:
    return [1000 * probe.seconds for probe in run.probes_of(backend, _among(size))]


def _row(
    run: StressRun,
    backend: BackendName,
    built: dict[int, float],
    alone: dict[tuple[BackendName, int], list[float]],
) -> StressRow:
    by_size = {size: mean(_milliseconds(run, backend, size)) for size in built}
    largest = max(built)
    measured = by_size[largest]
    return StressRow(
        "latency", backend, f"milliseconds to find passages {_among(largest)}",
        measured.value, measured.interval, measured.count,
        {
            "by_size": {str(size): each for size, each in by_size.items()},
            "search_alone": {str(size): mean(alone[backend, size]) for size in built},
            "p95_ms": round(float(np.percentile(_milliseconds(run, backend, largest), 95)), 1),
            "passages": largest,
            "seconds_to_build": round(built[largest], 2),
        },
    )  # fmt: skip


def _sentence(row: StressRow) -> str:
    """What one backend's times say; the others retrieve in the same way."""
    by_size: dict[str, Measurement] = row.details["by_size"]
    times = listed([f"{each.value:,.0f} ms among {int(size):,}" for size, each in by_size.items()])
    low, high = CLAIMED
    where = "below" if row.interval[1] < low else "above" if row.interval[0] > high else "within"
    return (
        f"Finding passages took {times} passages; among the most it is {where} the {low:.0f} to {high:.0f} "
        "ms often quoted for retrieval."
    )


def sizes_up_to(largest: int) -> tuple[int, ...]:
    """The usual sizes below the largest, and the largest."""
    return (*(size for size in SIZES if size < largest), largest)


def listed(parts: Sequence[str]) -> str:
    """The parts as a list in words."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
