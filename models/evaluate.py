"""Answers questions whose passage is given, as RAG would: how well does a model read?

Enters: <data>/qa/dev.jsonl.xz (never trained on) and papers of families kept for development. Leaves: one
row a set with the share of answers that contain a gold answer, SQuAD F1, refusals, and 95 % bootstrap
intervals. The path from passage to prompt is the product's own: chunk, score sentences, select evidence,
build the prompt.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from families import Writer, load_families

from backends.answering.answer_text import is_abstention
from backends.answering.evidence import evidence_for
from backends.datatypes import Chunk, Document, Finished
from backends.evaluation.metrics import contains_answer, f1
from backends.evaluation.statistics import bootstrap_interval
from backends.language.generation import LanguageModel
from backends.language.prompts import build_messages, evidence_lines
from backends.retrieval.chunking import chunk_document
from backends.retrieval.cross_encoder import shipped
from backends.retrieval.embedding import MiniLM
from backends.retrieval.retriever import Retriever
from backends.settings import Settings, make_settings


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
    """Papers of the families kept for development; every fifth question is about a statement left out."""
    rng = random.Random(seed)
    families = load_families(held_out=True)
    for index in range(number):
        main, twin = (Writer(family, rng).paper(6) for family in [rng.choice(families)] * 2)
        other = Writer(rng.choice(families), rng).paper(4)
        gold = rng.choice(main.statements)
        twins = [s for s in twin.statements if gold.named or s.about != gold.about]
        left_out = index % 5 == 4
        lines = [(main.title, s.sentence) for s in main.statements if not (left_out and s is gold)]
        lines += [(main.title, text) for text in main.neighbours]
        lines += [(p.title, s.sentence) for p, of in ((twin, twins), (other, other.statements)) for s in of]
        rng.shuffle(lines)
        chunks = tuple(
            Chunk(f"d{i}", 1, 0, len(text), text, None, 0, title) for i, (title, text) in enumerate(lines)
        )
        question = rng.choice(gold.named or gold.questions)
        source = "invented, unanswerable" if left_out else "invented"
        yield Case(source, question, () if left_out else (gold.short,), chunks)


def ask(model: LanguageModel, embedder: MiniLM, settings: Settings, case: Case) -> tuple[str, str]:
    """(answer text, first evidence line) of one case, by the path that serving takes."""
    vectors = embedder.embed([chunk.text for chunk in case.chunks])
    retriever = Retriever(case.chunks, vectors, embedder, shipped() if settings.cross_encoder else None)
    evidence = evidence_for(case.question, retriever, model, settings)
    lines = evidence_lines(evidence.sources)
    pieces = model.generate(build_messages(case.question, lines), max_tokens=settings.max_tokens)
    return "".join(p.text for p in pieces if not isinstance(p, Finished)), lines[0]


def is_right(case: Case, said: str) -> bool:
    """A gold answer is contained; for yes or no, the answer begins with it."""
    if case.answers[0] in ("Yes", "No"):
        return said.startswith(case.answers[0])
    return contains_answer(said, case.answers)


def rounded(values: list[float]) -> list[float]:
    return [round(end, 3) for end in bootstrap_interval(values)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--limit", type=int, default=200, help="questions of each public source")
    parser.add_argument("--invented", type=int, default=250)
    parser.add_argument("--show", type=int, default=0, help="print this many answers")
    parser.add_argument("--cross-encoder", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--max-tokens", type=int, default=None)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    settings = make_settings(
        cross_encoder=args.cross_encoder,
        max_tokens=args.max_tokens,
        model=args.model,
    )
    model, embedder = LanguageModel.load(args.model), MiniLM()
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    cases = [
        *public_cases(args.data / "qa" / "dev.jsonl.xz", embedder, args.limit),
        *invented_cases(args.invented, 991),
    ]
    for index, case in enumerate(cases):
        text, first = ask(model, embedder, settings, case)
        refused = is_abstention(text)
        row = scores[case.source]
        row["refused"].append(refused)
        if case.answers:
            row["contained"].append(is_right(case, text))
            row["f1"].append(f1(text, case.answers))
            row["first_evidence_holds"].append(is_right(case, first))
        if index % max(1, len(cases) // max(1, args.show)) == 0 and args.show:
            print(
                f"--- {case.source}\n{first[:200]}\nQ {case.question}\nG {case.answers[:1]}\nA {text}",
                flush=True,
            )
    rows = [
        {"set": source, "questions": len(row["refused"]),
         **{name: {"mean": round(float(np.mean(v)), 3), "interval": rounded(v)} for name, v in row.items()}}
        for source, row in scores.items()
    ]  # fmt: skip
    for row in rows:
        print(json.dumps(row))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
