"""Turns stored evaluation runs, stress tests and priced answers into what the advisor rests on.

Enters: the scoreboards of a run, and its answers priced as a `CostCase`. Leaves: `MeasuredFindings` whose
findings name the run. What only some approaches were asked does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from backends.advice.advisor import APPROACHES, Finding, MeasuredFindings, Prefilled
from backends.costs.monthly import CostCase, OperatingPlan, fixed, measured_of, per_answer
from backends.costs.price_book import PriceBook
from backends.costs.prices import Book, with_model
from backends.datatypes import BACKEND_NAMES, BackendName, HistoryEntry
from backends.evaluation.archive import Arm, RunRecord
from backends.evaluation.comparison import Board
from backends.evaluation.statistics import bootstrap_interval
from backends.stress.records import StressTest
from backends.stress.results import newest

SCORED = {"right": "right", "format": "json_valid"}  # finding -> measure of the evaluation


def fitting(records: Sequence[RunRecord]) -> RunRecord | None:
    """The newest finished run that asked every approach with the usual model: no sweep, no grid of models."""
    for record in records:
        asked = {arm.name for arm in record.arms}
        if record.complete and not record.sweep and set(APPROACHES) <= asked:
            return record
    return None


def evidence_of(board: Board, books: Mapping[BackendName, Book], plan: OperatingPlan) -> MeasuredFindings:
    """What one run says about every approach: right answers, form, time, and cost by the book of each."""
    currency = next((book.currency for book in books.values()), "")  # the same for all
    return MeasuredFindings((*_scored(board), *_priced(board, books, plan)), currency)


def books_of(
    book: Book, models: Mapping[BackendName, PriceBook], names: Sequence[BackendName]
) -> dict[BackendName, Book]:
    """The price book of each of these backends, with the prices of the model behind an address that it asks.

    Left out is one whose model is priced in another currency than everything else.
    """
    found = {name: with_model(book, models[name]) if name in models else book for name in names}
    return {name: own for name, own in found.items() if own is not None}


def books_of_arms(
    arms: Sequence[Arm], book: Book, models: Callable[[str], Mapping[BackendName, PriceBook]]
) -> dict[str, Book]:
    """The price book of each arm of a run; `models` knows the prices of a model's endpoints by its name.

    Left out is one whose model is priced in another currency than the book.
    """
    found: dict[str, Book] = {}
    for arm in arms:
        backend = next(name for name in BACKEND_NAMES if name == arm.backend)
        own = books_of(book, models(str(arm.settings.get("model", ""))), [backend])
        if backend in own:
            found[arm.name] = own[backend]
    return found


def _scored(board: Board) -> Iterator[Finding]:
    run = board.run.record.run
    for name in APPROACHES:
        arm = board.arms.get(name)
        if arm is None:
            continue
        for key, measure in SCORED.items():
            if (score := arm.scores.get(measure)) is not None:
                yield Finding(key, name, score.value, *score.interval, run)
        total = arm.latency_ms.get("total", {})
        if 90 in total:
            yield Finding("seconds", name, total[90] / 1000, None, None, run)


def _priced(board: Board, books: Mapping[BackendName, Book], plan: OperatingPlan) -> Iterator[Finding]:
    record = board.run.record
    measured = measured_of(e.answer for e in board.run.entries if e.answer is not None)
    for name in APPROACHES:
        if name in measured and name in books:
            case = CostCase(measured, books[name], plan)
            each = per_answer(case, name)
            yield Finding("cost_fixed", name, fixed(case, name), None, None, record.run)
            yield Finding(
                "cost_answer", name, float(each.mean()), *bootstrap_interval(each.tolist()), record.run
            )


STRESSED: tuple[tuple[str, StressTest], ...] = (("fresh", "freshness"), ("told", "erasure"))


def stress_findings(workspaces: Sequence[Path]) -> Iterator[Finding]:
    """What the newest stress tests of every approach say: who follows an edit, who tells the forgotten."""
    for key, test in STRESSED:
        stored = newest(workspaces, test, APPROACHES)
        for row in stored.result.rows if stored else ():
            for name in APPROACHES:
                if stored and row.backend == name:
                    yield Finding(key, name, row.value, *row.interval, stored.run)


def change_rate(histories: Sequence[Sequence[HistoryEntry]], months: float) -> Prefilled | None:
    """Documents replaced in a month, over the time the library exists (at least one month)."""
    replaced = sum(entry.event == "replaced" for history in histories for entry in history)
    if not replaced:
        return None
    span = max(1.0, months)
    said = f"{replaced} replacements of {len(histories)} documents"
    over = "one month" if round(span) == 1 else f"{span:.0f} months"
    return Prefilled(replaced / span, f"{said} in the library's history, over {over}")
