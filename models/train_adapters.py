"""Trains the two adapters that ship with Triptych from the sample corpus' training rows.

Enters: models/embedded, sample_corpus/. Leaves: models/adapters/fine_tuned (closed
book) and models/adapters/hybrid (the same rows with the passages that serving shows). The calls are the
product's own; a visitor who trains on uploads runs the same code.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from backends.answering.evidence import evidence_for
from backends.language.answer_text import cited_markers, is_abstention
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
    parser.add_argument("--share-with-answer", type=float, default=0.9)
    parser.add_argument("--share-memorised", type=float, default=1.0)
    parser.add_argument("--distractors", type=int, default=None)
    parser.add_argument("--start", type=Path, help="a finished adapter of the same rank to go on from")
    parser.add_argument(
        "--grounded", action="store_true", help="hybrid: leave out rows whose answer no passage shown holds"
    )
    parser.add_argument("--every", type=int, default=1, help="take every so many-th row to train on")
    args = parser.parse_args()
    rows = [
        row
        for path in sorted((ROOT / "sample_corpus" / "training").glob("*.jsonl"))
        for row in load_rows(path)
    ]
    params = LoraParams(
        rank=args.rank,
        alpha=2 * args.rank,
        learning_rate=args.rate,
        epochs=args.epochs,
        batch_tokens=args.batch_tokens,
        question_noise=args.question_noise,
    )
    train, held = split_held_out(rows, args.held_out)
    with tempfile.TemporaryDirectory() as folder:
        triptych = Triptych.open(Path(folder), make_settings(model=args.model))
        model, settings = triptych.model(), triptych.settings
        retriever = triptych.library.retriever(settings)

        def retrieve(question: str) -> list:
            return list(evidence_for(question, retriever, model, settings).sources)

        learned = {
            d.name: LearnedDocument(d.name, d.version, d.content_hash) for d in triptych.library.documents()
        }
        documents = [
            learned[name] for name in sorted({n for row in rows for n in row.documents}) if name in learned
        ]
        options = HybridOptions(args.share_with_answer, args.distractors, args.share_memorised)
        for kind in args.kind or ["fine_tuned", "hybrid"]:
            examples: list[list[Example]] = [
                closed_book(part) if kind == "fine_tuned" else with_passages(part, retrieve, options)
                for part in (train[:: args.every], held)
            ]
            if args.grounded:
                examples = [[e for e in part if is_grounded(e)] for part in examples]
            started = time.perf_counter()
            report = train_adapter(
                args.model, examples[0], examples[1], args.out / kind, params, kind=kind,
                documents=documents, warnings=check_rows(rows), progress=report_progress,
                start=args.start,
            )  # fmt: skip
            print(
                json.dumps(
                    {"kind": kind, "seconds": round(time.perf_counter() - started, 1), **asdict(report)}
                )
            )


if __name__ == "__main__":
    main()
