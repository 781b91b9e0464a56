"""`make bench`: how long the steps take on this machine, on the sample corpus, in a workspace of its own.

Prints one JSON row per step on stdout. Times are wall-clock milliseconds after a warm-up; each row names
its median, its 10th and 90th percentile, and how many times it was measured. Beside other tools:
`python -m benchmarks.ingest`; among 100,000 passages: `.large`; what pooled vectors cost: `.pooling`.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from backends.datatypes import BACKEND_NAMES
from backends.evaluation.questions import load_questions
from backends.product import Triptych
from backends.settings import make_settings

QUESTIONS = Path(__file__).resolve().parents[1] / "sample_corpus" / "questions"
ANSWERED = 20
SEARCHED = 100


def row(step: str, milliseconds: list[float]) -> None:
    cuts = statistics.quantiles(milliseconds, n=10) if len(milliseconds) > 1 else milliseconds * 9
    record = {
        "step": step,
        "median_ms": statistics.median(milliseconds),
        "p10_ms": cuts[0],
        "p90_ms": cuts[8],
    }
    print(json.dumps({**record, "count": len(milliseconds)}), flush=True)


def main() -> None:
    settings = make_settings()
    questions = [question for path in sorted(QUESTIONS.glob("*.jsonl")) for question in load_questions(path)]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        triptych = Triptych.open(Path(folder), settings)
        row("open a new workspace (read, split, embed and index the sample corpus)", [_since(began)])
        retriever = triptych.library.retriever(settings)
        retriever.warm_up()
        times = []
        for question in questions[:SEARCHED]:
            began = time.perf_counter()
            retriever.search(question.question, top_k=settings.top_k, mode=settings.mode)
            times.append(_since(began))
        row("search", times)
        times = []
        for size in (64, 96, 160, 192, 256):
            other = settings.model_copy(update={"chunk_size": size})
            began = time.perf_counter()
            triptych.library.retriever(other)
            times.append(_since(began))
            cut = triptych.library.cut(other)
            assert cut is not None and cut.embedded == 0
        row("cut the sample corpus anew, ready to be searched (nothing embedded)", times)
        for backend in BACKEND_NAMES:
            status = triptych.status(backend)
            if not status.usable:
                print(f"{backend} is left out: {status.reason}", file=sys.stderr)
                continue
            answers = [triptych.answer(question, backend) for question in questions[:ANSWERED]]
            row(f"answer, {backend}", [answer.latency_ms["total"] for answer in answers])


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
