"""`python -m benchmarks.retrieval`: does fusing pay, does reranking, and what does bf16 cost?

Enters: the sample corpus with its answerable questions and, where it is at hand, the CISI collection (not
part of this repository; its passages are whole documents). Leaves: one JSON row a set and system with
nDCG@10 and recall@5, @10 and @100 of documents, each with a 95 % bootstrap interval over questions, and the
paired difference of its nDCG@10 to fusion's. Every system works on the same vectors, but for the second
dense one: there documents and questions are embedded in fp32 if the rest is in bf16, and the other way.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.datatypes import Chunk, Hit
from backends.evaluation.probes import sample_questions
from backends.evaluation.ranking import ndcg_at, recall_at
from backends.evaluation.statistics import bootstrap_interval
from backends.retrieval.cross_encoder import shipped
from backends.retrieval.embedding import MiniLM
from backends.retrieval.retriever import Retriever, passage_text
from backends.retrieval.sentence_vectors import read
from benchmarks.pooling import ROOT, cisi, cut, sample

DEPTH = 100  # passages found
RERANKED = 30  # of them, those that the cross-encoder orders anew
RECALLS = (5, 10, 100)
TOKENS = 160  # of a passage of the sample

Search = Callable[[str], list[Hit]]
Relevant = Mapping[str, Collection[str]]  # documents, by question


def systems(chunks: Sequence[Chunk]) -> dict[str, Search]:
    """The searches to compare over the same passages."""
    embedder = MiniLM()
    other = MiniLM("fp32" if embedder.precision == "bf16" else "bf16")
    texts = [passage_text(chunk) for chunk in chunks]
    retriever = Retriever(chunks, embedder.embed(texts), embedder, shipped())
    others = Retriever(chunks, other.embed(texts), other)

    def reranked(question: str) -> list[Hit]:
        hits = retriever.search(question, top_k=DEPTH, mode="hybrid")
        return retriever.rerank(question, hits[:RERANKED]) + hits[RERANKED:]

    return {
        f"dense, {embedder.precision}": lambda q: retriever.search(q, top_k=DEPTH, mode="dense"),
        f"dense, {other.precision}": lambda q: others.search(q, top_k=DEPTH, mode="dense"),
        "BM25": lambda q: retriever.search(q, top_k=DEPTH, mode="bm25"),
        "fused": lambda q: retriever.search(q, top_k=DEPTH, mode="hybrid"),
        "fused, reranked": reranked,
    }


def compare(name: str, chunks: Sequence[Chunk], relevant: Relevant) -> Iterator[dict[str, Any]]:
    found = {
        system: [([hit.chunk.document for hit in search(q)], gold) for q, gold in relevant.items()]
        for system, search in systems(chunks).items()
    }
    gains = {
        system: [ndcg_at(names, gold, 10) or 0.0 for names, gold in each] for system, each in found.items()
    }
    for system, each in found.items():
        row: dict[str, Any] = {"set": name, "passages": len(chunks), "questions": len(each), "system": system}
        row["nDCG@10"] = told(gains[system])
        for k in RECALLS:
            row[f"recall@{k}"] = told([recall_at(names, gold, k) or 0.0 for names, gold in each])
        against = [one - other for one, other in zip(gains[system], gains["fused"], strict=True)]
        yield row | {"nDCG@10 minus fused": told(against)}


def told(values: Sequence[float]) -> list[float]:
    """Mean and the ends of its interval."""
    return [round(x, 3) for x in (sum(values) / len(values), *bootstrap_interval(values))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = ROOT.parent / "shared" / "data" / "retrieval" / "cisi"
    parser.add_argument("--cisi", type=Path, default=default)
    args = parser.parse_args()
    documents, _ = sample()
    embedder = MiniLM()
    readings = [read(document, embedder, lambda keys: {}).reading for document in documents]
    chunks = [chunk for part in cut(documents, readings, TOKENS) for chunk in part]
    asked = {
        q.question: q.documents for split in ("dev", "test") for q in sample_questions(split) if q.documents
    }
    for row in compare("sample company", chunks, asked):
        print(json.dumps(row), flush=True)
    if args.cisi.is_dir():
        documents, relevant = cisi(args.cisi)
        chunks = [chunk for part in cut(documents, (), None) for chunk in part]
        for row in compare("CISI", chunks, relevant):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
