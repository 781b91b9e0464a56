"""How often an evaluation flags a regression where there is none: identical runs of the shipped model.

Enters: sample questions, the shipped model and adapters. Leaves: one JSON row a repeat and a last row with
the share of false alarms. At temperature 0 two runs give equal answers and nothing can differ, so the answers
are drawn: each run has its own seed of the sampler and its own order of questions, and nothing else differs.
Each run is the baseline of the next. A last run with a planted fault (top-k 1) tells whether a drop is seen.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends.cli.arguments import backends_of
from backends.datatypes import BackendName, Question
from backends.evaluation.comparison import Board, compare_with_baseline
from backends.evaluation.probes import sample_questions
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.evaluation.statistics import wilson_interval
from backends.offline.subject import TriptychSubject, archive_of
from backends.product import Triptych
from backends.settings import Settings, make_settings


class Runs:
    """Runs over the same questions, each in an order of its own."""

    def __init__(
        self, workspace: Path, questions: Sequence[Question], backends: Sequence[BackendName]
    ) -> None:
        self._triptych = Triptych.open(workspace, make_settings())
        self._questions = questions
        self._backends = backends

    def make(self, settings: Settings) -> Board:
        """Every question to every backend through the real pipeline; the seed draws answers and order."""
        asked = random.Random(settings.seed).sample(list(self._questions), len(self._questions))
        subject, archive = TriptychSubject(self._triptych), archive_of(self._triptych)
        planned = plan(subject, asked, plain_arms(self._backends, settings), question_set="repeat")
        return Board(carry_out(archive, archive.begin(planned), subject))


def compared(board: Board, baseline: Board) -> dict[str, Any]:
    """What a build server would be told, and how much the answers really differ."""
    made = compare_with_baseline(board, baseline)
    texts = {(e.arm, e.question): e.answer.text for e in baseline.run.entries if e.answer is not None}
    answers = [e for e in board.run.entries if e.answer is not None]
    changed = sum(texts.get((e.arm, e.question)) != e.answer.text for e in answers if e.answer is not None)
    return {
        "tests": len(made.differences),
        "regressions": [d.sentence for d in made.regressions],
        "improvements": [d.sentence for d in made.improvements],
        "answers": len(answers),
        "answers_that_differ": changed,
        "p_below_0.05_uncorrected": sum(d.p < 0.05 for d in made.differences),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--backend", action="append")
    parser.add_argument("--temperature", type=float, default=0.7)
    given = parser.parse_args()
    pool = sample_questions("test")
    questions = random.Random(0).sample(pool, min(given.questions, len(pool)))
    began = time.monotonic()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(Path(folder), questions, backends_of(given.backend))
        earlier = runs.make(make_settings(temperature=given.temperature, seed=0))
        for seed in range(1, given.repeats + 1):
            latest = runs.make(make_settings(temperature=given.temperature, seed=seed))
            rows.append({"repeat": seed, **compared(latest, earlier)})
            print(json.dumps(rows[-1]), flush=True)
            print(f"{seed} of {given.repeats}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            earlier = latest
        planted = runs.make(make_settings(temperature=given.temperature, seed=seed + 1, top_k=1))
        fault = compared(planted, earlier)
    alarms = sum(bool(row["regressions"]) for row in rows)
    print(
        json.dumps(
            {
                "repeats": len(rows),
                "questions": len(questions),
                "false_alarms": alarms,
                "share": alarms / len(rows),
                "interval": list(wilson_interval(alarms, len(rows))),
                "flagged_either_way": sum(bool(row["regressions"] or row["improvements"]) for row in rows),
                "answers_that_differ": sum(r["answers_that_differ"] for r in rows)
                / sum(r["answers"] for r in rows),
                "planted_top_k_1": fault["regressions"],
                "seconds": round(time.monotonic() - began),
            }
        )
    )


if __name__ == "__main__":
    main()
