"""The naive hybrid beside the shipped one: the fine-tuned adapter, taught without passages, given some.

Enters: the sample's questions of one split, the shipped model and adapters. Leaves: how many each answers
right, with the paired test, all and by kind of question. Both runs are made by `backends.evaluation.runner`,
one after the other in one workspace; nothing but the adapter differs.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from backends.datatypes import Question
from backends.evaluation.comparison import Board, compare_with_baseline
from backends.evaluation.paired import evidence
from backends.evaluation.probes import sample_questions
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.offline.subject import TriptychSubject, archive_of
from backends.product import Triptych
from backends.settings import make_settings
from backends.training.adapters import read_card, write_card
from benchmarks.four_backends import report

NAIVE = "naive-hybrid"


def asked(triptych: Triptych, questions: Sequence[Question]) -> Board:
    """The hybrid's answers by the adapter that is active."""
    subject, archive = TriptychSubject(triptych), archive_of(triptych)
    planned = plan(subject, questions, plain_arms(["hybrid"], make_settings()), question_set="sample")
    return Board(carry_out(archive, archive.begin(planned), subject, progress=report))


def use_fine_tuned(triptych: Triptych) -> None:
    """Let the hybrid answer by a copy of the fine-tuned adapter."""
    adapters = triptych.adapters
    folder = adapters.path_for(NAIVE)
    shutil.copytree(adapters.get("fine_tuned").folder, folder)
    write_card(folder, replace(read_card(folder), name=NAIVE, kind="hybrid"))
    adapters.activate(NAIVE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=["dev", "test"], default="dev")
    questions = sample_questions(parser.parse_args().split)
    with tempfile.TemporaryDirectory() as folder:
        triptych = Triptych.open(Path(folder), make_settings())
        shipped = asked(triptych, questions)
        use_fine_tuned(triptych)
        naive = asked(triptych, questions)
    for name, board in (("shipped", shipped), ("naive", naive)):
        right = [scores["right"] for scores in board.scores("hybrid").values()]
        print(f"{name}: {sum(right):.0f} of {len(right)} right")
    for made in compare_with_baseline(naive, shipped).differences:
        print(f"- {made.sentence} ({evidence(made)})")


if __name__ == "__main__":
    main()
