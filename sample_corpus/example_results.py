"""Makes the results that ship with the sample: `python -m sample_corpus.example_results`.

Enters: the shipped model, adapters, sample documents and questions. Leaves: results/ beside this file, laid
out like a workspace: one evaluation of all four backends and one run of each stress test. The pages show
them, marked as what they are, for as long as a visitor has measured nothing. Make them anew when the model,
the adapters or the sample change, on a machine that does nothing else: the times are measured too.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from backends.datatypes import BACKEND_NAMES
from backends.evaluation.archive import Archive
from backends.evaluation.probes import chosen, sample_questions
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.offline.private_copy import stress
from backends.offline.subject import TriptychSubject
from backends.product import Triptych
from backends.settings import Settings, make_settings
from backends.stress import results
from backends.stress.records import STRESS_TESTS
from backends.system.files import SAMPLE_RESULTS

QUESTIONS = 60  # of the test split, of each kind its share
STRESS_QUESTIONS = 6
SEED = 0


def evaluate(triptych: Triptych, settings: Settings, into: Path) -> None:
    """All four backends on the same questions."""
    subject, archive = TriptychSubject(triptych), Archive(into)
    questions = chosen(sample_questions("test"), QUESTIONS, SEED)
    arms = plain_arms(BACKEND_NAMES, settings)
    record = archive.begin(plan(subject, questions, arms, question_set=f"Sample questions, {QUESTIONS}"))
    carry_out(archive, record, subject, progress=report)
    (archive.folder / record.run / "lock").unlink()


def stress_all(triptych: Triptych, settings: Settings, into: Path) -> None:
    """Each stress test once, without training again."""
    for test in STRESS_TESTS:
        result = stress(triptych, test, BACKEND_NAMES, settings, number=STRESS_QUESTIONS, seed=SEED)
        results.keep(into, result)
        print(result.sentence, file=sys.stderr, flush=True)


def report(done: int, total: int, _what: str) -> None:
    if done % 40 == 0:
        print(f"{done} of {total} answers", file=sys.stderr, flush=True)


def main() -> None:
    settings = make_settings()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "results"
        triptych = Triptych.open(Path(folder) / "workspace", settings)
        evaluate(triptych, settings, made)
        stress_all(triptych, settings, made)
        shutil.rmtree(SAMPLE_RESULTS, ignore_errors=True)
        shutil.copytree(made, SAMPLE_RESULTS)


if __name__ == "__main__":
    main()
