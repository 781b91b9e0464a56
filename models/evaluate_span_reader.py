"""How well the span reader points, how well it tells that nothing answers, and whether it orders evidence.

Enters: <data>/qa/dev.jsonl.xz (never trained on), the squad_v2 articles that training kept aside, the
sample's development questions. Leaves: one JSON row a set: exact match and F1 of its spans, the area under
the ROC curve of answered against unanswered questions, how often a sentence with the gold answer comes first
when the reader's score is added to the cross-encoder's with some weight; 95 % intervals.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from evaluate_reranker import development_questions
from reader_rows import kept_aside
from sklearn.metrics import roc_auc_score

from backends.documents.opening import open_library
from backends.evaluation.metrics import contains_answer, exact_match, f1
from backends.evaluation.statistics import bootstrap_interval, wilson_interval
from backends.retrieval.cross_encoder import shipped
from backends.retrieval.embedding import MiniLM
from backends.retrieval.sentence_choice import sentence_text
from backends.retrieval.span_reader import SPAN_READER, SpanReader
from backends.settings import make_settings

WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0)  # of the reader beside the cross-encoder
DRAWS = 1000


def rows_of(path: Path) -> list[dict[str, Any]]:
    with lzma.open(path, "rt", encoding="utf8") as file:
        return [json.loads(line) for line in file]


def pointing(reader: SpanReader, name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Exact match and F1 over the answered rows; with unanswered ones the area as well."""
    spans = [reader.read(row["question"], [row["context"]])[0] for row in rows]
    answered = [(span, row["answers"]) for span, row in zip(spans, rows, strict=True) if row["answers"]]
    exact = [exact_match(span.text, golds) for span, golds in answered]
    overlap = [f1(span.text, golds) for span, golds in answered]
    found: dict[str, Any] = {
        "set": name,
        "answered": len(answered),
        "exact": with_interval(exact),
        "f1": with_interval(overlap),
    }
    if len(answered) < len(rows):
        found["unanswered"] = len(rows) - len(answered)
        found["area"] = area([span.score for span in spans], [bool(row["answers"]) for row in rows])
    return found


def with_interval(values: Sequence[float]) -> list[float]:
    """[mean, low, high]"""
    return [
        round(each, 3) for each in (float(np.mean(values)), *bootstrap_interval(list(map(float, values))))
    ]


def area(scores: Sequence[float], said: Sequence[bool]) -> list[float]:
    """[area under the ROC curve, low, high], the bounds by bootstrap over questions."""
    values, known = np.array(scores), np.array(said)
    draws = np.random.default_rng(0).integers(0, len(values), (DRAWS, len(values)))
    drawn = [roc_auc_score(known[d], values[d]) for d in draws if 0 < known[d].sum() < len(d)]
    ends = np.percentile(drawn, [2.5, 97.5])
    return [round(float(each), 3) for each in (roc_auc_score(known, values), *ends)]


def ordering(reader: SpanReader, workspace: Path) -> Iterator[dict[str, Any]]:
    """Sample, development questions: is the gold answer in the first sentence?"""
    settings = make_settings()
    library = open_library(workspace, MiniLM(), settings)
    library.ranker = shipped()
    retriever = library.retriever(settings)
    first: dict[float, list[bool]] = defaultdict(list)
    for question in development_questions():
        hits = retriever.search(question.question, top_k=settings.top_k, mode=settings.mode)
        ranked, _ = retriever.best_sentences(question.question, hits)
        spans = reader.read(question.question, [sentence_text(hit.chunk, s) for hit, s in ranked])
        holds = [contains_answer(sentence.text, question.answers) for _, sentence in ranked]
        for weight in WEIGHTS:
            scores = [s.score + weight * span.score for (_, s), span in zip(ranked, spans, strict=True)]
            first[weight].append(holds[int(np.argmax(scores))])
    for weight, right in first.items():
        interval = wilson_interval(sum(right), len(right))
        yield {"set": "sample, first sentence", "weight": weight, "right": sum(right), "of": len(right),
               "interval": [round(each, 3) for each in interval]}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--reader", type=Path, default=SPAN_READER)
    parser.add_argument("--limit", type=int, default=300, help="rows of each set")
    args = parser.parse_args()
    reader = SpanReader(args.reader)
    sets: dict[str, list[dict[str, Any]]] = defaultdict(list)
    aside = [row for row in rows_of(args.data / "qa" / "train.jsonl.xz") if kept_aside(row)]
    sets["squad_v2, articles kept aside"] = [row for row in aside if row["source"] == "squad_v2_dev"]
    for row in rows_of(args.data / "qa" / "dev.jsonl.xz"):
        sets[row["source"]].append(row)
    for name, rows in sets.items():
        chosen = (
            rows if name.startswith("squad") else random.Random(0).sample(rows, min(len(rows), args.limit))
        )
        print(json.dumps(pointing(reader, name, chosen)), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for found in ordering(reader, Path(folder)):
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
