"""`python -m benchmarks.large`: search among 100,000 passages, and passages that come and go.

Enters: prose as JSON lines (not part of this repository). Its sentences are read as in a library; passages
are random runs of eight of them, with the pooled vectors that such passages have, so words and vectors belong
together. Leaves: one JSON row: time to build, memory, search times with everything on (embed the question,
vectors, BM25, fusion), recall of the ten nearest against an exact search (asked with sentences that are in no
passage), and the time to add and to remove a document of 20 passages. bm25s is timed for comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from pathlib import Path

import numpy as np

from backends.datatypes import Chunk, Document
from backends.retrieval.embedding import MiniLM
from backends.retrieval.folding import words_of
from backends.retrieval.passages import passage_text
from backends.retrieval.retriever import Retriever
from backends.retrieval.sentence_vectors import read
from benchmarks.ingest import ROOT, texts

SENTENCES = 8  # of a passage
ASKED = 200


def sentences(prose: Path, embedder: MiniLM, count: int) -> tuple[list[str], np.ndarray]:
    """Sentences with the mean states of their tokens, times the tokens' number."""
    found: list[str] = []
    rows: list[np.ndarray] = []
    for number, text in enumerate(texts(prose)):
        document = Document(f"{number}", 1, "", "text", text[:8000], "")
        reading = read(document, embedder, lambda keys: {}).reading
        starts = reading.outline.tokens[:, 0]
        for (start, end), mean in zip(reading.outline.parts.tolist(), reading.means, strict=True):
            weight = np.searchsorted(starts, end) - np.searchsorted(starts, start)
            found.append(document.text[start:end])
            rows.append(mean.astype(np.float32) * weight)
        if len(found) >= count:
            break
    return found, np.stack(rows)


def make(
    count: int, known: list[str], sums: np.ndarray, rng: np.random.Generator, first: int = 0
) -> tuple[list[Chunk], np.ndarray]:
    """Passages of random sentences, 20 to a document."""
    picks = rng.integers(0, len(known), (count, SENTENCES))
    vectors = np.zeros((count, sums.shape[1]), np.float32)
    for column in range(SENTENCES):
        vectors += sums[picks[:, column]]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chunks = []
    for number, row in enumerate(picks, start=first):
        text = " ".join(known[at] for at in row)
        chunks.append(Chunk(f"d{number // 20}.md", 1, 0, len(text), text, None, 0))
    return chunks, vectors


def memory_mb() -> float:
    """What the process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prose", type=Path, default=ROOT.parent / "shared" / "data" / "prose")
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--sentences", type=int, default=6_000)
    parser.add_argument("--bm25s", action="store_true", help="also time how long bm25s takes to build anew")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    embedder, rng = MiniLM(), np.random.default_rng(0)
    known, sums = sentences(args.prose, embedder, args.sentences + ASKED)
    held_out, known, sums = known[-ASKED:], known[:-ASKED], sums[:-ASKED]
    chunks, vectors = make(args.passages, known, sums, rng)
    before = memory_mb()
    began = time.perf_counter()
    retriever = Retriever(chunks, vectors, embedder)
    words_s = time.perf_counter() - began
    retriever.build()
    row: dict[str, object] = {
        "passages": len(chunks),
        "characters": round(statistics.mean(len(chunk.text) for chunk in chunks)),
        "build_s": round(time.perf_counter() - began, 2),
        "of_which_bm25_s": round(words_s, 2),
        "index_mb": round(memory_mb() - before),
        "kind": retriever.memory.index.kind,
        "recall_when_built": retriever.memory.index.recall,
        "cells": [retriever.memory.index._faiss.nprobe, retriever.memory.index._faiss.nlist]
        if retriever.memory.index.recall
        else None,
    }
    questions = [s for s in held_out if 20 < len(s) < 160]
    times, recalls = [], []
    for number, question in enumerate(questions):
        began = time.perf_counter()
        retriever.fresh().search(question, top_k=8, mode="hybrid")
        if number >= 10:
            times.append((time.perf_counter() - began) * 1000)
    for vector in embedder.embed(questions):
        exact = set(np.argpartition(-(vectors @ vector), 10)[:10].tolist())
        recalls.append(len(exact & {at for at, _ in retriever.memory.index.dense(vector, 10)}) / 10)
    row |= {
        "search_median_ms": round(statistics.median(times), 1),
        "search_p95_ms": round(statistics.quantiles(times, n=20)[18], 1),
        "recall_at_10": round(statistics.mean(recalls), 4),
    }
    added, removed = [], []
    for number in range(20):
        own, own_vectors = make(20, known, sums, rng, first=args.passages + 20 * number)
        began = time.perf_counter()
        retriever.change((), own, own_vectors)
        added.append((time.perf_counter() - began) * 1000)
    for number in range(20):
        began = time.perf_counter()
        retriever.change({f"d{args.passages // 20 + number}.md"})
        removed.append((time.perf_counter() - began) * 1000)
    row |= {
        "add_document_ms": round(statistics.median(added), 1),
        "add_document_worst_ms": round(max(added), 1),
        "remove_document_ms": round(statistics.median(removed), 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "cores": len(os.sched_getaffinity(0)),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "precision": embedder.precision,
    }
    if args.bm25s:
        import bm25s

        corpus = [retriever.memory.index._words.stems(words_of(passage_text(chunk))) for chunk in chunks]
        began = time.perf_counter()
        bm25s.BM25().index(corpus, show_progress=False)
        row["bm25s_build_s_words_given"] = round(time.perf_counter() - began, 2)
    print(json.dumps(row))
    if args.json:
        args.json.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
