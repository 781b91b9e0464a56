"""The four backends on the sample questions: what each gets right, at which price and speed.

Enters: sample_corpus/questions of one split, the shipped model and adapters. Leaves: an evaluation report
(`--report`, .json and .html among others) and, with `--readme`, the table in docs/results.md. It is `triptych
evaluate --questions sample-test` in a workspace of its own; the measuring is `backends.evaluation.runner`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from backends.datatypes import BACKEND_NAMES, Question, UserError
from backends.evaluation.comparison import Board
from backends.evaluation.paired import evidence
from backends.evaluation.probes import sample_questions
from backends.evaluation.reports import INTERVALS, JUDGED, markdown_table, write_report
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.offline.subject import TriptychSubject, archive_of
from backends.product import Triptych
from backends.settings import Settings, make_settings

ROOT = Path(__file__).resolve().parents[1]
STARTS, ENDS = "<!-- scores:start -->", "<!-- scores:end -->"


def measure(questions: Sequence[Question], settings: Settings, workspace: Path) -> Board:
    """All four backends on these questions; what the workspace holds of the same run is not asked again."""
    triptych = Triptych.open(workspace, settings)
    subject, archive = TriptychSubject(triptych), archive_of(triptych)
    planned = plan(subject, questions, plain_arms(BACKEND_NAMES, settings), question_set="sample")
    record = archive.unfinished(planned) or archive.begin(planned)
    return Board(carry_out(archive, record, subject, progress=report))


def report(done: int, total: int, _what: str) -> None:
    if done % 40 == 0:
        print(f"{done} of {total} answers", file=sys.stderr, flush=True)


def section(board: Board) -> str:
    """The section: the table, then the paired comparisons in words."""
    right = [made for made in board.differences if made.measure == "right"]
    words = "\n".join(f"- {made.sentence} ({evidence(made)})" for made in right)
    return f"{markdown_table(board)}\n\n{INTERVALS} {JUDGED}\n\n{words}"


def overrides(given: Sequence[str]) -> dict[str, str]:
    """Settings from `name=value`; raises UserError for a name that is no setting."""
    pairs = dict(item.partition("=")[::2] for item in given)
    if unknown := [name for name in pairs if name not in Settings.model_fields]:
        raise UserError(
            f"There is no setting {unknown[0]!r}: choose from {', '.join(Settings.model_fields)}."
        )
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=["dev", "test"], default="test")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting (repeat for several)"
    )
    parser.add_argument("--limit", type=int, help="only the first questions")
    parser.add_argument("--workspace", type=Path, help="keep the run here, so that it can be interrupted")
    parser.add_argument(
        "--report", type=Path, action="append", default=[], help="a .json, .html, .md or .csv"
    )
    parser.add_argument("--readme", action="store_true", help="put the table into docs/results.md")
    args = parser.parse_args()
    settings = make_settings(**overrides(args.set))
    questions = sample_questions(args.split)[: args.limit]
    with tempfile.TemporaryDirectory() as folder:
        board = measure(questions, settings, args.workspace or Path(folder))
    for path in args.report:
        write_report(path, board, None, None)
    print(section(board))
    if args.readme:
        readme = ROOT / "docs" / "results.md"
        text = readme.read_text("utf8")
        before, after = text.split(STARTS)[0], text.split(ENDS)[1]
        readme.write_text(f"{before}{STARTS}\n{section(board)}\n{ENDS}{after}", "utf8")


if __name__ == "__main__":
    main()
