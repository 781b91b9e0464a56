"""Does the reranker find the answering sentence more often than fusion alone, or than the blended score?

Enters: the sample corpus with its development questions, <data>/qa/dev.jsonl.xz (never trained on) and
<data>/retrieval/cisi. Leaves: one row a set and measure with the mean of every system, its 95 % interval, and
the paired difference to fusion alone. All three take the product's own path:

  fused          both rankings joined by their scores, sentences as the passages hold them
  blended        the same passages, sentences by cosine, passage cosine and shared words
  cross-encoder  the best of those read by the reranker

Intervals are bootstraps over questions.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backends.datatypes import Chunk, Document, Hit, Question
from backends.documents.opening import open_library
from backends.evaluation.metrics import contains_answer
from backends.evaluation.probes import sample_questions
from backends.evaluation.ranking import ndcg_at, recall_at
from backends.evaluation.statistics import bootstrap_interval
from backends.language.generation import LanguageModel
from backends.language.prompts import evidence_lines, format_evidence
from backends.retrieval.chunking import chunk_document
from backends.retrieval.cross_encoder import RERANKER, CrossEncoder
from backends.retrieval.decompose import decompose, join
from backends.retrieval.embedding import MiniLM
from backends.retrieval.passages import passage_text
from backends.retrieval.retriever import Retriever
from backends.retrieval.sentence_choice import sentences_of
from backends.settings import make_settings
from benchmarks.pooling import cisi

SYSTEMS = ("fused", "blended", "cross-encoder")
BUDGETS = (96, 128, 192, 256, 384)
DEPTH = 20  # passages whose documents are ranked; CISI: CISI_DEPTH
CISI_DEPTH = 50
PARTS = ["sample", "qa", "cisi", "separation", "steps"]


@dataclass
class Scores:
    """values[measure][system] holds one number a question, in the same order for every system."""

    name: str
    values: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, measure: str, system: str, value: float | None) -> None:
        self.values[measure][system].append(float(value or 0.0))

    def rows(self) -> Iterator[dict[str, Any]]:
        for measure, by_system in self.values.items():
            base = np.asarray(by_system[SYSTEMS[0]])
            row: dict[str, Any] = {"set": self.name, "measure": measure, "questions": len(base)}
            for system, values in by_system.items():
                own = np.asarray(values)
                row[system] = {"mean": round(float(own.mean()), 4), "interval": interval(own)}
                if system != SYSTEMS[0]:
                    row[system]["more_than_fused"] = interval(own - base)
                if system == SYSTEMS[2]:
                    row[system]["more_than_blended"] = interval(own - np.asarray(by_system[SYSTEMS[1]]))
            yield row


def interval(values: np.ndarray) -> list[float]:
    return [round(end, 4) for end in bootstrap_interval(values.tolist())]


def order_sentences(retriever: Retriever, system: str, question: str, hits: Sequence[Hit]) -> list[str]:
    """The sentences' texts, best first."""
    if system == "fused":
        spans = {(h.chunk.document, s.start, s.end): s.text for h in hits for s in sentences_of(h.chunk)}
        return list(spans.values())
    ranked, _ = retriever.best_sentences(question, hits, cross_encoder=system == "cross-encoder")
    return [sentence.text for _, sentence in ranked]


def order_documents(
    retriever: Retriever, system: str, question: str, hits: Sequence[Hit], depth: int
) -> list[str]:
    if system != "fused":
        first = retriever.rerank(question, hits[:depth], cross_encoder=system == "cross-encoder")
        hits = [*first, *hits[depth:]]
    return list(dict.fromkeys(chunk.document for hit in hits for chunk in (hit.chunk, *hit.also)))


def development_questions(*, answerable: bool = True) -> list[Question]:
    """The sample's development questions; rows of another split are dropped unread."""
    found = sample_questions("dev")
    return [q for q in found if bool(q.answers) == answerable and q.category != "structured"]


def sample_corpus(workspace: Path, ranker: CrossEncoder) -> Scores:
    settings = make_settings()
    model, embedder = LanguageModel.load("embedded"), MiniLM()
    library = open_library(workspace, embedder, settings)
    library.ranker = ranker
    retriever = library.retriever(settings)
    scores = Scores("sample corpus, development questions")
    for number, question in enumerate(development_questions()):
        gold = set(question.documents)
        deep = retriever.search(question.question, top_k=100, mode=settings.mode)
        hits = deep[: settings.top_k]
        for system in SYSTEMS:
            texts = order_sentences(retriever, system, question.question, hits)
            holds = [contains_answer(text, question.answers) for text in texts]
            for first in (1, 3, 8):
                scores.add(f"gold answer in the first {first} sentences", system, any(holds[:first]))
            for budget in BUDGETS:
                forgetful = retriever.fresh() if budget == settings.context_tokens else retriever
                began = time.perf_counter()
                evidence = forgetful.select_evidence(
                    question.question, hits, budget=budget, count_tokens=model.count_tokens,
                    format_line=format_evidence, rerank=system != "fused",
                    cross_encoder=system == "cross-encoder",
                )  # fmt: skip
                if forgetful is not retriever and number > 0:  # the first one loads the model
                    spent = 1000 * (time.perf_counter() - began)
                    scores.add("milliseconds to choose the evidence", system, spent)
                shown = "\n".join(evidence_lines(evidence.sources))
                scores.add(
                    f"gold answer in {budget} tokens of evidence",
                    system,
                    contains_answer(shown, question.answers),
                )
            names = order_documents(retriever, system, question.question, deep, DEPTH)
            scores.add("nDCG@10 of documents", system, ndcg_at(names, gold, 10))
            for k in (1, 5, 10):
                scores.add(f"recall@{k} of documents", system, recall_at(names, gold, k))
    return scores


def public_questions(path: Path, limit: int, ranker: CrossEncoder) -> Iterator[Scores]:
    """The gold passage is given; which sentence is put first? Only answers that one sentence holds count."""
    embedder = MiniLM()
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with lzma.open(path, "rt", encoding="utf8") as file:
        for line in file:
            row = json.loads(line)
            rows[row["source"]].append(row)
    for source, all_ in rows.items():
        scores = Scores(f"{source}, gold passage given")
        random.Random(0).shuffle(all_)
        for row in all_:
            document = Document("passage", 1, row["title"], "text", row["context"], "")
            chunks = chunk_document(document, chunk_size=128, chunk_overlap=24, tokenizer=embedder)
            texts = [s.text for chunk in chunks for s in sentences_of(chunk)]
            if not any(contains_answer(text, row["answers"]) for text in texts):
                continue
            vectors = embedder.embed([passage_text(chunk) for chunk in chunks])
            retriever = Retriever(chunks, vectors, embedder, ranker)
            hits = retriever.search(row["question"], top_k=8, mode="hybrid")
            for system in SYSTEMS:
                texts = order_sentences(retriever, system, row["question"], hits)
                holds = [contains_answer(text, row["answers"]) for text in texts]
                for first in (1, 3):
                    scores.add(f"gold answer in the first {first} sentences", system, any(holds[:first]))
            if len(scores.values["gold answer in the first 1 sentences"]["fused"]) >= limit:
                break
        yield scores


def cisi_scores(folder: Path, ranker: CrossEncoder) -> Scores:
    """Whole abstracts as passages, the best CISI_DEPTH reranked."""
    embedder = MiniLM()
    documents, relevant = cisi(folder)
    chunks = [Chunk(d.name, 1, 0, len(d.text), d.text, None, 0) for d in documents]
    retriever = Retriever(chunks, embedder.embed([c.text for c in chunks]), embedder, ranker)
    scores = Scores("CISI")
    for question, gold in relevant.items():
        hits = retriever.search(question, top_k=100, mode="hybrid")
        for system in SYSTEMS:
            names = order_documents(retriever, system, question, hits, CISI_DEPTH)
            scores.add("nDCG@10 of documents", system, ndcg_at(names, gold, 10))
            scores.add("recall@10 of documents", system, recall_at(names, gold, 10))
    return scores


def separation(workspace: Path, data: Path, ranker: CrossEncoder) -> list[dict[str, Any]]:
    """Can the best sentence's score tell questions that the documents answer from others?

    Area under the ROC curve: the chance that an answerable question scores above one that is not.
    """
    settings = make_settings()
    library = open_library(workspace, MiniLM(), settings)
    library.ranker = ranker
    retriever = library.retriever(settings)
    kinds = {"answerable": [q.question for q in development_questions()]}
    kinds["about the company, unanswerable"] = [q.question for q in development_questions(answerable=False)]
    kinds["about something else"] = strangers(data / "qa" / "dev.jsonl.xz", 60)
    found: dict[str, list[tuple[float, float]]] = {}
    for kind, questions in kinds.items():
        found[kind] = []
        for question in questions:
            hits = retriever.search(question, top_k=settings.top_k, mode=settings.mode)
            _, fit = retriever.best_sentences(question, hits)
            found[kind].append((fit.cosine, fit.logit if fit.logit is not None else 0.0))
    known = np.array(found["answerable"])
    rows = []
    for kind, values in found.items():
        for at, measure in enumerate(("best cosine", "best logit")):
            own = np.array(values)[:, at]
            wins = (known[:, at][:, None] > own).mean() + 0.5 * (known[:, at][:, None] == own).mean()
            quantiles = [round(float(v), 3) for v in np.percentile(own, [5, 25, 50, 75, 95])]
            rows.append(
                {
                    "set": kind,
                    "measure": measure,
                    "questions": len(own),
                    "percentiles 5, 25, 50, 75, 95": quantiles,
                    "area under the curve": round(float(wins), 3),
                }
            )
    return rows


def two_in_one(workspace: Path, ranker: CrossEncoder, number: int = 80) -> dict[str, Any]:
    """Pairs of development questions asked as one: whole or by parts, is the evidence for both there?

    The sample corpus has hardly any question of two parts, so pairs stand in for them.
    """
    settings = make_settings()
    model = LanguageModel.load("embedded")
    library = open_library(workspace, MiniLM(), settings)
    library.ranker = ranker
    retriever = library.retriever(settings)
    questions = development_questions()
    random.Random(4).shuffle(questions)
    both: dict[str, list[float]] = {"whole": [], "parts": []}
    documents: dict[str, list[float]] = {"whole": [], "parts": []}
    for one, two in zip(questions[::2], questions[1::2], strict=False):
        asked = f"{one.question.rstrip('?')}? And {two.question[:1].lower()}{two.question[1:]}"
        if len(parts := decompose(asked)) != 2 or len(both["whole"]) == number:
            continue
        searches = [
            retriever.search(each, top_k=settings.top_k, mode=settings.mode) for each in (asked, *parts)
        ]
        for way, hits in (("whole", searches[0]), ("parts", join(searches, settings.top_k))):
            evidence = retriever.select_evidence(
                asked, hits, budget=2 * settings.context_tokens, count_tokens=model.count_tokens,
                format_line=format_evidence, rerank=True, parts=parts if way == "parts" else (),
            )  # fmt: skip
            shown = "\n".join(evidence_lines(evidence.sources))
            both[way].append(all(contains_answer(shown, q.answers) for q in (one, two)))
            names = {hit.chunk.document for hit in hits}
            documents[way].append(all(names & set(q.documents) for q in (one, two)))
    row: dict[str, Any] = {"set": "two development questions in one", "questions": len(both["whole"])}
    for measure, values in (("both answers in the evidence", both), ("both documents found", documents)):
        row[measure] = {way: round(float(np.mean(own)), 3) for way, own in values.items()}
        row[measure]["parts - whole"] = interval(np.subtract(values["parts"], values["whole"], dtype=float))
    return row


def strangers(path: Path, number: int) -> list[str]:
    """Questions about other papers; those about stories would fit anywhere (who did what?)."""
    with lzma.open(path, "rt", encoding="utf8") as file:
        rows = [json.loads(line) for line in file]
    return [row["question"] for row in rows if row["source"] != "fairytaleqa_val"][:number]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: one row a measure."""
    lines = ["| set, measure (questions) | " + " | ".join(SYSTEMS) + " | cross-encoder - fused | - blended |"]
    lines.append("|---|" + "---|" * (len(SYSTEMS) + 2))
    for row in rows:
        cells = [
            f"{row[s]['mean']:.3g} ({row[s]['interval'][0]:.3g}-{row[s]['interval'][1]:.3g})" for s in SYSTEMS
        ]
        more = [row[SYSTEMS[2]][f"more_than_{other}"] for other in ("fused", "blended")]
        cells += [f"{low:+.3g} to {high:+.3g}" for low, high in more]
        lines.append(f"| {row['set']}: {row['measure']} ({row['questions']}) | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds qa/ and retrieval/cisi/")
    parser.add_argument("--reranker", type=Path, default=RERANKER)
    parser.add_argument("--workspace", type=Path, help="kept between runs, so that a second one starts fast")
    parser.add_argument("--limit", type=int, default=200, help="questions of each public source")
    parser.add_argument("--part", action="append", choices=["sample", "qa", "cisi", "separation", "steps"])
    parser.add_argument("--json", type=Path, help="where the rows go")
    args = parser.parse_args()
    parts = args.part or PARTS
    ranker = CrossEncoder(args.reranker)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        if "sample" in parts:
            rows += sample_corpus(args.workspace or Path(folder), ranker).rows()
        apart = separation(args.workspace or Path(folder), args.data, ranker) if "separation" in parts else []
        if "steps" in parts:
            apart.append(two_in_one(args.workspace or Path(folder), ranker))
    if "qa" in parts:
        for scores in public_questions(args.data / "qa" / "dev.jsonl.xz", args.limit, ranker):
            rows += scores.rows()
    if "cisi" in parts:
        rows += cisi_scores(args.data / "retrieval" / "cisi", ranker).rows()
    print(table(rows))
    for row in apart:
        print(json.dumps(row))
    if args.json:
        summary = {"reranker_sha256": ranker.fingerprint, "rows": rows, "separation": apart}
        args.json.write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
