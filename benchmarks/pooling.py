"""`python -m benchmarks.pooling`: what vectors pooled from sentences cost against the passages' own.

Enters: the CISI collection (not part of this repository) and the development questions of the sample corpus.
Leaves: nDCG@10 and, for the sample, the share of questions whose gold answer is in the first 5 or 8 passages;
dense and fused, at several passage sizes. Differences come with a 95 % bootstrap interval over questions.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from backends.datatypes import Chunk, Document, RetrievalMode
from backends.documents.parsing import parse_file
from backends.evaluation.metrics import contains_answer
from backends.evaluation.ranking import ndcg_at
from backends.retrieval.chunking import chunk_document
from backends.retrieval.embedding import MiniLM
from backends.retrieval.passages import passage_text
from backends.retrieval.retriever import Retriever
from backends.retrieval.sentence_vectors import Reading, read

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "sample_corpus"
MODES: tuple[RetrievalMode, ...] = ("dense", "hybrid")
OVERLAP = 24

Score = Callable[[str, Sequence[Chunk]], float]


def cisi(folder: Path) -> tuple[list[Document], dict[str, set[str]]]:
    """Its documents, and by question the names of the relevant ones."""
    documents = [Document(row["id"], 1, "", "text", row["text"], "") for row in rows(folder / "corpus.jsonl")]
    judged: dict[str, set[str]] = {}
    for line in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        query, document, _ = line.split("\t")
        judged.setdefault(query, set()).add(document)
    asked = (row for row in rows(folder / "queries.jsonl") if row["id"] in judged)
    return documents, {row["text"]: judged[row["id"]] for row in asked}


def _ndcg_of(wanted: set[str]) -> Score:
    return lambda _question, chunks: ndcg_at([chunk.document for chunk in chunks], wanted, 10) or 0.0


def parsed(paths: Iterable[Path]) -> list[Document]:
    found = ((path.name, parse_file(path, path.name)) for path in paths)
    return [Document(name, 1, p.title, p.type, p.text, "", p.pages, date=p.date) for name, p in found]


def sample() -> tuple[list[Document], dict[str, tuple[str, ...]]]:
    answers = {
        row["question"]: tuple(row["answers"])
        for path in sorted((SAMPLE / "questions").glob("*.jsonl"))
        for row in rows(path)
        if row["split"] == "dev" and row["answers"]
    }
    return parsed(sorted((SAMPLE / "documents").iterdir())), answers


def rows(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def cut(documents: Sequence[Document], readings: Sequence[Reading], size: int | None) -> list[list[Chunk]]:
    """Passages of each document; the whole document where no size is given."""
    if size is None:
        return [[Chunk(d.name, 1, 0, len(d.text), d.text, None, 0, d.title)] for d in documents]
    return [
        chunk_document(d, chunk_size=size, chunk_overlap=min(OVERLAP, size // 4), tokenizer=reading)
        for d, reading in zip(documents, readings, strict=True)
    ]


def compare(
    name: str,
    documents: Sequence[Document],
    embedder: MiniLM,
    size: int | None,
    scores: dict[str, dict[str, Score]],
    readings: Sequence[Reading],
) -> Iterator[dict]:
    """One row per measure and mode: the passages' own vectors, the pooled ones, and the difference."""
    parts = cut(documents, readings, size)
    chunks = [chunk for part in parts for chunk in part]
    own = embedder.embed([passage_text(chunk) for chunk in chunks])
    pooled = np.concatenate(
        [
            reading.vectors([(chunk.start, chunk.end) for chunk in part])
            for reading, part in zip(readings, parts, strict=True)
        ]
    )
    sides = [Retriever(chunks, vectors, embedder) for vectors in (own, pooled)]
    for measure, per_question in scores.items():
        for mode in MODES:
            found = np.array(
                [
                    [score(q, [h.chunk for h in side.search(q, top_k=100, mode=mode)]) for side in sides]
                    for q, score in per_question.items()
                ]
            )
            difference = found[:, 1] - found[:, 0]
            resampled = np.random.default_rng(0).choice(difference, (2000, len(difference))).mean(axis=1)
            yield {
                "set": name,
                "passages": len(chunks),
                "tokens": size or "whole documents",
                "measure": f"{measure}, {mode}",
                "own": round(float(found[:, 0].mean()), 3),
                "pooled": round(float(found[:, 1].mean()), 3),
                "difference_95": [round(float(x), 3) for x in np.percentile(resampled, [2.5, 97.5])],
                "cosine": round(float((own * pooled).sum(1).mean()), 3),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = ROOT.parent / "shared" / "data" / "retrieval" / "cisi"
    parser.add_argument("--cisi", type=Path, default=default)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    embedder = MiniLM()
    found: list[dict] = []
    sets: list[tuple[str, list[Document], dict[str, dict[str, Score]], list[int | None]]] = []
    documents, answers = sample()
    at = {f"answer in the first {k}": {q: _holds(gold, k) for q, gold in answers.items()} for k in (5, 8)}
    sets.append(("sample, development questions", documents, at, [64, 128, 256]))
    if args.cisi.is_dir():
        documents, relevant = cisi(args.cisi)
        scores = {question: _ndcg_of(wanted) for question, wanted in relevant.items()}
        sets.append(("CISI", documents, {"nDCG@10": scores}, [None]))
    for name, documents, per_measure, sizes in sets:
        readings = [read(document, embedder, lambda keys: {}).reading for document in documents]
        for size in sizes:
            for row in compare(name, documents, embedder, size, per_measure, readings):
                found.append({**row, "precision": embedder.precision})
                print(json.dumps(found[-1]), flush=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _holds(gold: Sequence[str], k: int) -> Score:
    return lambda _question, chunks: float(contains_answer(" ".join(c.text for c in chunks[:k]), gold))


if __name__ == "__main__":
    main()
