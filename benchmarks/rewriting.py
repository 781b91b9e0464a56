"""`python -m benchmarks.rewriting`: whether words put to a question help to find what answers it.

Enters: the development questions of the sample corpus and, if there, the CISI collection. Leaves, for
follow-up questions, the share whose gold answer is in the first 5 or 8 passages: as typed ("it" in place of a
name that an earlier question has), completed by rule, and as they once stood in full. For related words the
same shares and CISI's nDCG@10, without and with them. Differences come with a 95 % bootstrap interval.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backends.datatypes import RetrievalMode
from backends.retrieval import follow_ups
from backends.retrieval.embedding import MiniLM
from backends.retrieval.follow_ups import standalone
from backends.retrieval.retriever import Retriever
from backends.retrieval.sentence_vectors import read
from benchmarks.pooling import ROOT, Score, _holds, cisi, cut, sample

MODES: tuple[RetrievalMode, ...] = ("hybrid", "bm25")


def retriever_of(documents: Sequence, embedder: MiniLM, size: int | None) -> Retriever:
    readings = [read(document, embedder, lambda keys: {}).reading for document in documents]
    parts = cut(documents, readings, size)
    vectors = [
        reading.vectors([(chunk.start, chunk.end) for chunk in part])
        for reading, part in zip(readings, parts, strict=True)
    ]
    return Retriever([chunk for part in parts for chunk in part], np.concatenate(vectors), embedder)


def conversations(questions: Sequence[str]) -> list[tuple[str, str, str]]:
    """(earlier question, follow-up, the question it was) of pairs that name the same thing last."""
    named: dict[str, list[tuple[str, int, int]]] = {}
    for question in questions:
        for start, end in follow_ups._names(question)[-1:]:
            name = question[start:end].split(" ", 1)
            thing = name[1] if name[0].islower() and len(name) > 1 else question[start:end]
            named.setdefault(thing, []).append((question, start, end))
    found = []
    for group in named.values():
        for at, (question, start, end) in enumerate(group):
            if len(group) > 1:
                said = "its" if question[end:].startswith("'s") else "it"
                rest = question[end:].removeprefix("'s") if said == "its" else question[end:]
                found.append((group[at - 1][0], f"{question[:start]}{said}{rest}", question))
    return found


def compared(
    name: str, scores: Sequence[tuple[Score, Sequence[tuple[str, Sequence[str]]]]], retriever: Retriever
) -> list[dict]:
    """Per mode the mean of each variant, and the interval of its difference from the first."""
    rows = []
    for mode in MODES:
        found = np.array(
            [
                [
                    score(
                        q,
                        [
                            hit.chunk
                            for hit in retriever.search(q, top_k=100, mode=mode, related=list(related or ()))
                        ],
                    )
                    for q, related in variants
                ]
                for score, variants in scores
            ]
        )
        rng = np.random.default_rng(0)
        intervals = []
        for column in range(1, found.shape[1]):
            difference = found[:, column] - found[:, 0]
            means = rng.choice(difference, (2000, len(difference))).mean(axis=1)
            intervals.append([round(float(x), 3) for x in np.percentile(means, [2.5, 97.5])])
        means = [round(float(x), 3) for x in found.mean(axis=0)]
        rows.append(
            {
                "measure": name,
                "mode": mode,
                "questions": len(found),
                "means": means,
                "differences_95": intervals,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cisi", type=Path, default=ROOT.parent / "shared" / "data" / "retrieval" / "cisi")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    embedder = MiniLM()
    documents, answers = sample()
    retriever = retriever_of(documents, embedder, 128)
    rows: list[dict] = []
    for k in (5, 8):
        turns = [
            (_holds(answers[full], k), [(typed, ()), (standalone(typed, [earlier]), ()), (full, ())])
            for earlier, typed, full in conversations(list(answers))
        ]
        rows += compared(f"follow-up: answer in the first {k}; typed, completed, in full", turns, retriever)
    for k in (5, 8):
        related = [
            (_holds(gold, k), [(q, ()), (q, retriever.related(q, "hybrid"))]) for q, gold in answers.items()
        ]
        rows += compared(f"related words: answer in the first {k}; without, with", related, retriever)
    for row in rows:
        print(json.dumps(row), flush=True)
    if args.cisi.is_dir():
        documents, scores = cisi(args.cisi)
        retriever = retriever_of(documents, embedder, None)
        both = [(score, [(q, ()), (q, retriever.related(q, "hybrid"))]) for q, score in scores.items()]
        rows += compared("related words: CISI nDCG@10; without, with", both, retriever)
        for row in rows[-len(MODES) :]:
            print(json.dumps(row), flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
