"""From three documents to two adapters: what a visitor waits for, step by step, and what the tuning gained.

Enters: the shipped model and three documents of the sample corpus (or those named). Leaves: one JSON row a
step with its seconds, one an adapter with the held-out rows it got right before and after (Wilson intervals),
and the seconds of it all; with `--questions`, a set asked of all four afterwards, with paired tests of who
answers more of it right. Everything is new: a workspace of its own, and no adapter but those trained here.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backends.datatypes import BACKEND_NAMES, Question
from backends.evaluation.comparison import Board
from backends.evaluation.questions import load_questions
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.evaluation.statistics import wilson_interval
from backends.offline.subject import TriptychSubject, archive_of
from backends.offline.trainer import Trainer, default_params
from backends.product import Triptych
from backends.settings import Settings, make_settings
from backends.training.adapters import ANSWERING
from backends.training.lora import HeldOutScore, train_adapter
from backends.training.row_building import WAYS, reasons
from benchmarks.four_backends import section

DOCUMENTS = Path(__file__).resolve().parents[1] / "sample_corpus" / "documents"
CHOSEN = ("support-policy.md", "travel-and-expenses-policy.docx", "price-list-2026.csv")


@contextmanager
def timed(step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    print(json.dumps({"step": step, "seconds": round(time.perf_counter() - began, 1)}), flush=True)


def told(score: HeldOutScore | None) -> dict[str, Any]:
    if score is None:
        return {}
    right = round(score.contains * score.rows)
    return {"right": right, "of": score.rows, "interval": wilson_interval(right, score.rows)}


def asked(triptych: Triptych, questions: Sequence[Question], settings: Settings) -> Board:
    """All four backends on these questions, with the adapters that are active."""
    subject, archive = TriptychSubject(triptych), archive_of(triptych)
    planned = plan(subject, questions, plain_arms(BACKEND_NAMES, settings), question_set="own")
    return Board(carry_out(archive, archive.begin(planned), subject))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", nargs="*", type=Path, default=[DOCUMENTS / name for name in CHOSEN])
    parser.add_argument("--questions", type=Path, help="JSON lines with question and answers")
    args = parser.parse_args()
    settings = make_settings()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "documents"
        given.mkdir()
        for path in args.documents:
            shutil.copy(path, given)
        with timed("read, split, embed and index the documents; load the model"):
            triptych = Triptych.open(Path(folder) / "workspace", settings, documents=given)
            triptych.model()
        trainer = Trainer(triptych)
        with timed("make training rows in all ways"):
            draft = trainer.build(None, WAYS)
        train, held = draft.sides()
        print(
            json.dumps({"rows": len(train), "held_out": len(held), "dropped": dict(reasons(draft.dropped))})
        )
        for kind in ANSWERING:
            with timed(f"train {kind}"):
                report = train_adapter(
                    settings.model,
                    trainer.examples(train, kind),
                    trainer.examples(held, kind),
                    trainer.adapters.path_for(f"{kind}-own".replace("_", "-")),
                    default_params(kind, settings.model),
                    kind=kind,
                    documents=trainer.learned(row for _, row in [*train, *held]),
                )
            trainer.adapters.activate(f"{kind}-own".replace("_", "-"))
            before, after = told(report.score_before), told(report.score_after)
            print(json.dumps({"adapter": kind, "before": before, "after": after}), flush=True)
        question = held[0][1].question if held else train[0][1].question
        with timed("the first four answers, everything warmed up first"):
            answers = [triptych.answer(question, name, settings) for name in BACKEND_NAMES]
        for answer in answers:
            print(json.dumps({"question": question, "backend": answer.backend, "text": answer.text}))
        if args.questions:
            with timed("ask the questions of all four"):
                board = asked(triptych, load_questions(args.questions), settings)
            print(section(board))
    print(json.dumps({"step": "all of it", "seconds": round(time.perf_counter() - began, 1)}))


if __name__ == "__main__":
    main()
