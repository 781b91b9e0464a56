"""What the advisor rests on comes from stored runs; the report names it and escapes what it shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backends.advice.advisor import APPROACHES, Answers, MeasuredFindings, advise, value_words
from backends.advice.findings import books_of, books_of_arms, change_rate, evidence_of, fitting
from backends.costs.monthly import OperatingPlan
from backends.costs.price_book import PriceBook
from backends.costs.prices import load_book
from backends.datatypes import BackendName, HistoryEntry, Question
from backends.evaluation.archive import Arm, Entry, Run, RunRecord, Setting
from backends.evaluation.comparison import Board
from pages.advise.advice_report import as_html, basis_words
from tests.advice.test_advisor import MEASURED, TUNE
from tests.costs.test_monthly import answer

QUESTIONS = tuple(Question(f"q{n}", f"Question {n}?", ("yes",), ("a.md",)) for n in range(4))


def record(run: str = "run-7", *, backends: tuple[str, ...] = APPROACHES, **options: bool) -> RunRecord:
    arms = tuple(Arm(name, name, {}) for name in backends)
    return RunRecord(run, "", "", "test", QUESTIONS, arms, Setting(), **{"complete": True, **options})


def board() -> Board:
    """Everybody answers in 2 s; hybrid is right twice, the others once."""
    entries = [
        Entry(
            q.id, name, answer(q.question, name, 100, 10, 2000), {"right": float(n < 1 + (name == "hybrid"))}
        )
        for n, q in enumerate(QUESTIONS)
        for name in APPROACHES
    ]
    return Board(Run(record(), tuple(entries)))


def test_findings_name_their_run_and_their_interval() -> None:
    evidence = evidence_of(board(), dict.fromkeys(APPROACHES, load_book()), OperatingPlan())
    right = evidence.all_of("right")
    assert right is not None and {n: f.value for n, f in right.items()} == {
        "rag": 0.25, "hybrid": 0.5, "fine_tuned": 0.25,
    }  # fmt: skip
    assert {finding.run for finding in evidence.findings} == {"run-7"}
    assert right["rag"].low is not None and right["rag"].low < 0.25 < (right["rag"].high or 0)
    assert evidence.get("seconds", "rag").value == 2.0  # type: ignore[union-attr]
    # 100 prompt and 10 answer tokens at 0.15 and 0.60 a million, and 16 tokens embedded at 0.02.
    assert evidence.get("cost_answer", "rag").value == pytest.approx((15 + 6 + 0.32) / 1e6)  # type: ignore[union-attr]
    assert evidence.all_of("format") is None  # no question asked for JSON


def test_only_a_finished_run_of_every_approach_counts() -> None:
    part = record("part", backends=("rag", "hybrid"))
    sweep, open_ = record("sweep", sweep=True), record("open", complete=False)
    assert fitting([open_, sweep, part, record("whole"), record("older")]).run == "whole"  # type: ignore[union-attr]
    assert fitting([open_, sweep, part]) is None


def test_the_change_rate_counts_replacements() -> None:
    def entry(event: str) -> HistoryEntry:
        return HistoryEntry(1, event, "2026-11-01T00:00:00", "x")

    histories = [[entry("indexed"), entry("replaced"), entry("replaced")], [entry("indexed")]]
    rate = change_rate(histories, 4.0)
    assert rate is not None and rate.value == 0.5 and "2 replacements of 2 documents" in rate.source
    assert change_rate([[entry("indexed")]], 4.0) is None


def test_an_endpoint_is_priced_as_models_toml_says() -> None:
    """Its price takes the place of the book's, without the premium of a hosted tuned model."""
    euros = PriceBook.load().of_model("org/tuned at gpu:8000", 2.0, 10.0, "EUR", "2026-10-01")
    dollars = replace(euros, currency="USD")
    books = books_of(load_book(), {"hybrid": dollars, "fine_tuned": euros}, APPROACHES)
    assert set(books) == {"rag", "hybrid"}  # euros cannot be added to the dollars of everything else
    evidence = evidence_of(board(), books, OperatingPlan())
    # 100 prompt and 10 answer tokens at 2 and 10 a million, and 16 tokens embedded at 0.02.
    assert evidence.get("cost_answer", "hybrid").value == pytest.approx((200 + 100 + 0.32) / 1e6)  # type: ignore[union-attr]
    page = as_html(TUNE, advise(TUNE, evidence), evidence, datetime(2026, 11, 21, tzinfo=UTC), books)
    assert "org/tuned at gpu:8000" in page
    assert '<td class="n">2 USD</td><td class="n">10 USD</td>' in page
    assert "models.toml, your input, 2026-10-01" in page


def test_each_arm_of_a_grid_is_priced_as_its_model_is() -> None:
    dollars = PriceBook.load().of_model("org/large at gpu:8000", 2.0, 10.0, "USD", "2026-10-01")
    euros = replace(dollars, currency="EUR")
    known: dict[str, dict[BackendName, PriceBook]] = {"company": {"rag": dollars, "hybrid": euros}}
    arms = [Arm(f"{name}, model {model}", name, {"model": model})
            for model in ("embedded", "company") for name in ("rag", "hybrid")]  # fmt: skip
    books = books_of_arms(arms, load_book(), lambda model: known.get(model, {}))
    assert {name: book["prompt"] for name, book in books.items()} == {
        "rag, model embedded": load_book()["prompt"], "hybrid, model embedded": load_book()["prompt"],
        "rag, model company": 2.0,  # and no hybrid: euros cannot be drawn beside dollars
    }  # fmt: skip


@pytest.mark.parametrize("evidence", [MeasuredFindings(), MEASURED])
def test_the_report_stands_alone_and_shows_every_basis(evidence: MeasuredFindings) -> None:
    advice = advise(TUNE, evidence)
    page = as_html(TUNE, advice, evidence, datetime(2026, 11, 21, tzinfo=UTC), {})
    assert "http" not in page and "<script" not in page and "@media print" in page
    for reason in (*advice.reasons, advice.gap):
        assert basis_words(reason)
    for run in {finding.run for finding in evidence.findings}:
        assert f'<td class="soft">{run}</td>' in page
    for finding in evidence.findings:
        said = value_words(finding.key, finding.value, evidence.currency)
        assert f"<td>{said}" in page
    assert ("Nothing has been measured yet." in page) == (not evidence.findings)
    assert "Answers(" not in page and as_html(
        Answers(), advise(Answers(), evidence), evidence, datetime.now(), {}
    )
