"""Answers questions whose passage is given, as RAG would: is the embedded model good enough at reading?

Enters: <data>/qa/dev.jsonl.xz (never trained on) and freshly invented companies. Leaves: one row a set with
the share of answers that contain a gold answer, SQuAD F1, refusals, and 95 % bootstrap intervals. The path
from passage to prompt is the product's own: chunk, score sentences, select evidence, build the prompt.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from companies import facts

from backends.corpus.chunking import chunk_document
from backends.corpus.embedding import MiniLM
from backends.corpus.retrieval import Retriever
from backends.datatypes import Chunk, Document, Finished
from backends.language.generation import LanguageModel
from backends.language.prompts import build_messages, evidence_lines, format_evidence, is_abstention
from backends.measure.metrics import contains_answer, f1

BUDGET = 384  # evidence tokens, the product's default


@dataclass(frozen=True)
class Case:
    source: str
    question: str
    answers: tuple[str, ...]  # empty = the passages do not hold the answer
    chunks: tuple[Chunk, ...]


def public_cases(path: Path, embedder: MiniLM, limit: int) -> Iterator[Case]:
    """Development rows, at most `limit` of each source, the gold passage cut into chunks."""
    seen: dict[str, int] = defaultdict(int)
    with lzma.open(path, "rt", encoding="utf8") as file:
        for line in file:
            row = json.loads(line)
            if seen[row["source"]] >= limit:
                continue
            seen[row["source"]] += 1
            document = Document("passage", 1, row["title"], "text", row["context"], "")
            chunks = chunk_document(document, chunk_size=128, chunk_overlap=24, tokenizer=embedder)
            yield Case(row["source"], row["question"], tuple(row["answers"]), tuple(chunks))


def invented_cases(number: int, seed: int) -> Iterator[Case]:
    """Invented facts among eight others; every fifth question is about a fact that is left out."""
    rng = random.Random(seed)
    for index in range(number):
        pool = facts(rng, 9)
        gold, rest = pool[0], pool[1:]
        question = rng.choice(gold.questions)
        left_out = index % 5 == 4
        shown = [fact for fact in rest if question not in fact.questions] + ([] if left_out else [gold])
        rng.shuffle(shown)
        chunks = [
            Chunk(f"d{i}", 1, 0, len(fact.sentence), fact.sentence, None, 0, fact.title)
            for i, fact in enumerate(shown)
        ]
        source = "invented, unanswerable" if left_out else "invented"
        yield Case(source, question, () if left_out else (gold.short,), tuple(chunks))


def ask(model: LanguageModel, embedder: MiniLM, case: Case) -> tuple[str, str]:
    """(answer text, first evidence line) of one case."""
    vectors = embedder.embed([chunk.text for chunk in case.chunks])
    retriever = Retriever(case.chunks, vectors, embedder)
    hits = retriever.search(case.question, top_k=5, mode="hybrid")
    evidence = retriever.select_evidence(
        case.question,
        hits,
        budget=BUDGET,
        count_tokens=model.count_tokens,
        rerank=True,
        format_line=format_evidence,
    )
    lines = evidence_lines(evidence.sources)
    pieces = model.generate(build_messages(case.question, lines))
    return "".join(p.text for p in pieces if not isinstance(p, Finished)), lines[0]


def interval(values: list[float], statistic: Callable[..., np.ndarray] = np.mean) -> list[float]:
    """95 % percentile bootstrap over questions, 2,000 resamples."""
    rng = np.random.default_rng(0)
    sample = np.asarray(values)[rng.integers(0, len(values), (2000, len(values)))]
    return [round(float(v), 3) for v in np.percentile(statistic(sample, axis=1), [2.5, 97.5])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--limit", type=int, default=200, help="questions of each public source")
    parser.add_argument("--invented", type=int, default=250)
    parser.add_argument("--show", type=int, default=0, help="print this many answers")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    model, embedder = LanguageModel.load(args.model), MiniLM()
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    cases = [
        *public_cases(args.data / "qa" / "dev.jsonl.xz", embedder, args.limit),
        *invented_cases(args.invented, 991),
    ]
    for index, case in enumerate(cases):
        text, first = ask(model, embedder, case)
        refused = is_abstention(text)
        row = scores[case.source]
        row["refused"].append(refused)
        if case.answers:
            row["contained"].append(contains_answer(text, case.answers))
            row["f1"].append(f1(text, case.answers))
            row["first_evidence_holds"].append(contains_answer(first, case.answers))
        if index % max(1, len(cases) // max(1, args.show)) == 0 and args.show:
            print(
                f"--- {case.source}\n{first[:200]}\nQ {case.question}\nG {case.answers[:1]}\nA {text}",
                flush=True,
            )
    rows = [
        {"set": source, "questions": len(row["refused"]),
         **{name: {"mean": round(float(np.mean(v)), 3), "interval": interval(v)} for name, v in row.items()}}
        for source, row in scores.items()
    ]  # fmt: skip
    for row in rows:
        print(json.dumps(row))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
