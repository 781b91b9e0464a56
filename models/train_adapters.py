"""Trains the two adapters that ship with Triptych from the sample corpus' training rows.

Enters: models/embedded, sample_corpus/. Leaves: models/adapters/fine_tuned (closed
book) and models/adapters/hybrid (the same rows with the passages that serving shows). The calls are the
product's own; a visitor who trains on uploads runs the same code.
"""

from __future__ import annotations

import argparse
import json
import pickle
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from backends.answering.answer_text import cited_markers, is_abstention
from backends.answering.evidence import evidence_for
from backends.datatypes import Source, TrainingRow
from backends.product import Triptych
from backends.settings import make_settings
from backends.training.adapters import LearnedDocument
from backends.training.lora import LoraParams, TrainingProgress, train_adapter
from backends.training.rows import (
    Example,
    HybridOptions,
    check_rows,
    closed_book,
    load_rows,
    split_held_out,
    with_passages,
)

ROOT = Path(__file__).resolve().parents[1]
LONGEST_SHORT = 8  # words of an answer's first sentence that counts as the short answer


def report_progress(progress: TrainingProgress) -> None:
    if progress.step % 20 == 0:
        held = "" if progress.held_out_loss is None else f" held-out {progress.held_out_loss:.3f}"
        print(
            f"epoch {progress.epoch}/{progress.epochs} loss {progress.loss:.3f}{held} "
            f"{progress.tokens_per_second:.0f} tokens/s {progress.seconds_left:.0f} s left",
            flush=True,
        )


def is_grounded(example: Example) -> bool:
    """Whether a hybrid row cites a passage, declines, or gives a label in JSON, which no passage holds."""
    said = example.answer
    return bool(cited_markers(said)) or is_abstention(said) or said.startswith("{")


def in_short(row: TrainingRow) -> TrainingRow:
    """The row with its short answer alone: the passage that the hybrid cites holds the reason."""
    short, _, reason = row.answer.partition(". ")
    return replace(row, answer=f"{short}.") if reason and len(short.split()) <= LONGEST_SHORT else row


class Found:
    """Passages found for a question, kept in a file: finding them takes longer than some runs."""

    def __init__(self, file: Path | None, find: Callable[[str], list[Source]]) -> None:
        self._file, self._find = file, find
        self._known: dict[str, list[Source]] = {}
        if file is not None and file.is_file():
            self._known = pickle.loads(file.read_bytes())

    def __call__(self, question: str) -> list[Source]:
        if question not in self._known:
            self._known[question] = self._find(question)
            if self._file is not None and len(self._known) % 100 == 0:
                self.save()
        return self._known[question]

    def save(self) -> None:
        if self._file is not None:
            self._file.write_bytes(pickle.dumps(self._known))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--out", type=Path, default=ROOT / "models" / "adapters")
    parser.add_argument("--kind", choices=["fine_tuned", "hybrid"], action="append")
    parser.add_argument("--held-out", type=float, default=0.04)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--question-noise", type=float, default=0.2)
    parser.add_argument("--scored-rows", type=int, default=48)
    parser.add_argument("--share-with-answer", type=float, default=0.9)
    parser.add_argument("--share-memorised", type=float, default=1.0)
    parser.add_argument("--share-altered", type=float, default=0.0)
    parser.add_argument("--distractors", type=int, default=None)
    parser.add_argument("--start", type=Path, help="a finished adapter of the same rank to go on from")
    parser.add_argument(
        "--grounded", action="store_true", help="hybrid: leave out rows whose answer no passage shown holds"
    )
    parser.add_argument("--every", type=int, default=1, help="take every so many-th row to train on")
    parser.add_argument("--parts", nargs="*", help="numbers of the training files to take; all without it")
    parser.add_argument(
        "--short", action="store_true", help="hybrid: learn the short answer without its reason"
    )
    parser.add_argument("--compile", action="store_true", help="faster, with a C++ compiler")
    parser.add_argument("--checkpoint", type=Path, help="file to go on from")
    parser.add_argument("--found", type=Path, help="file to keep the passages found in")
    parser.add_argument("--find-only", action="store_true", help="find the passages and stop")
    args = parser.parse_args()
    folder = ROOT / "sample_corpus" / "training"
    files = [folder / f"part{n}.jsonl" for n in args.parts] if args.parts else sorted(folder.glob("*.jsonl"))
    rows = [row for path in files for row in load_rows(path)]
    params = LoraParams(
        rank=args.rank,
        alpha=2 * args.rank,
        learning_rate=args.rate,
        epochs=args.epochs,
        batch_tokens=args.batch_tokens,
        question_noise=args.question_noise,
        scored_rows=args.scored_rows,
    )
    train, held = split_held_out(rows, args.held_out)
    with tempfile.TemporaryDirectory() as folder:
        triptych = Triptych.open(Path(folder), make_settings(model=args.model))
        model, settings = triptych.model(), triptych.settings
        retriever = triptych.library.retriever(settings)

        def find(question: str) -> list[Source]:
            return list(evidence_for(question, retriever, model, settings).sources)

        retrieve = Found(args.found, find)
        if args.find_only:
            for number, row in enumerate(rows[:: args.every]):
                retrieve(row.question)
                if number % 100 == 0:
                    print(number, flush=True)
            retrieve.save()
            return
        learned = {
            d.name: LearnedDocument(d.name, d.version, d.content_hash) for d in triptych.library.documents()
        }
        documents = [
            learned[name] for name in sorted({n for row in rows for n in row.documents}) if name in learned
        ]
        options = HybridOptions(
            args.share_with_answer, args.distractors, args.share_memorised, share_altered=args.share_altered
        )
        for kind in args.kind or ["fine_tuned", "hybrid"]:
            parts = [train[:: args.every], held]
            if kind == "hybrid" and args.short:
                parts = [[(number, in_short(row)) for number, row in part] for part in parts]
            examples: list[list[Example]] = [
                closed_book(part) if kind == "fine_tuned" else with_passages(part, retrieve, options)
                for part in parts
            ]
            retrieve.save()
            if args.grounded:
                examples = [[e for e in part if is_grounded(e)] for part in examples]
            started = time.perf_counter()
            report = train_adapter(
                args.model, examples[0], examples[1], args.out / kind, params, kind=kind,
                documents=documents, warnings=check_rows(rows), progress=report_progress,
                checkpoint=args.checkpoint,
                start=args.start, compiled=args.compile,
            )  # fmt: skip
            print(
                json.dumps(
                    {"kind": kind, "seconds": round(time.perf_counter() - started, 1), **asdict(report)}
                )
            )


if __name__ == "__main__":
    main()
