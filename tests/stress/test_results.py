"""Stored stress tests: the newest of all backends counts, without a word of the documents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from backends.advice.advisor import APPROACHES, Finding
from backends.advice.findings import stress_findings
from backends.stress.freshness import freshness
from backends.stress.records import Result, StressRun
from backends.stress.results import KEPT, keep, newest
from tests.stress.stress_subject import QUESTIONS, FakeSubject


def result(seed: int = 0, backends: tuple[str, ...] = APPROACHES) -> Result:
    return freshness(StressRun(FakeSubject(), backends, QUESTIONS, number=2, seed=seed))  # type: ignore[arg-type]


def test_the_newest_run_of_every_approach_counts(tmp_path: Path) -> None:
    shared, own = tmp_path / "shared", tmp_path / "own"
    keep(shared, result())
    last = keep(own, result(1))
    keep(shared, result(2, ("rag", "base")))  # newer, but not of every approach
    found = newest([shared, own], "freshness", APPROACHES)
    assert found is not None and found.run == last and {row.count for row in found.result.rows} == {2}
    assert found.result == replace(result(1), probes=(), notes=())
    assert newest([shared, own], "erasure", APPROACHES) is None
    assert newest([tmp_path / "nowhere"], "freshness", APPROACHES) is None


def test_findings_name_the_run_and_have_its_interval(tmp_path: Path) -> None:
    run = keep(tmp_path, result())
    by = {finding.backend: finding for finding in stress_findings([tmp_path])}
    assert by["rag"].value == 1 and by["fine_tuned"].value == 0 and set(by) == set(APPROACHES)
    assert isinstance(by["rag"], Finding) and by["rag"].run == run
    assert by["rag"].low is not None and 0 < by["rag"].low < 1


def test_answers_are_not_kept_and_old_runs_go(tmp_path: Path) -> None:
    made = result()
    for _ in range(KEPT + 2):
        keep(tmp_path, made)
    files = list((tmp_path / "stress").iterdir())
    assert len(files) == KEPT
    text = files[0].read_text(encoding="utf-8")
    assert not any(probe.answer in text or probe.question in text for probe in made.probes)
