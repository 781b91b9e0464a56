"""`python -m benchmarks.retrieval`: what each stage of retrieval adds, and what it costs.

Enters: sets of files with questions, the sample corpus (development questions) and the small ones in
benchmarks/corpora, written by hand and asked in other words than theirs; and, where it is at hand, the CISI
collection (not part of this repository). Leaves: one JSON row a set and stage. Stages that rank documents
tell nDCG@10 and recall@10 with 95 % bootstrap intervals over questions and the paired difference to fusion.
Where answers are known, stages also tell for which share a gold answer is in the first passages, is the first
sentence shown, and is in the evidence (Wilson intervals), over all questions and over those in other words.
`ms` is processor time a question, median, its vector made anew. For comparison, documents are also ranked as
people do by hand: whole, by a weighted sum of cosine and BM25, each scaled by minimum and maximum.
With --held-out the collection is measured on which no setting was ever chosen, and nothing else: not to be
looked at while something is being tuned. With --rows FILE nothing is measured: docs/results.md's table is
made of rows that earlier runs printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backends.datatypes import Chunk, Document, Evidence, Hit
from backends.evaluation.metrics import contains_answer
from backends.evaluation.ranking import ndcg_at, recall_at
from backends.evaluation.statistics import bootstrap_interval, wilson_interval
from backends.language.loading import locate_model
from backends.language.prompts import format_evidence
from backends.retrieval.chunking import chunk_document
from backends.retrieval.cross_encoder import shipped
from backends.retrieval.decompose import RRF_K, decompose, join
from backends.retrieval.embedding import MiniLM
from backends.retrieval.index import PassageIndex
from backends.retrieval.passages import passage_text
from backends.retrieval.retriever import Retriever
from backends.retrieval.sentence_vectors import Reading, read
from backends.settings import DEFAULT_MODEL, Settings
from benchmarks.pooling import ROOT, SAMPLE, cisi, cut, parsed, rows, sample

CORPORA = ROOT / "benchmarks" / "corpora"
DEPTH = 100  # documents ranked
RERANKED = 20  # passages that the cross-encoder orders anew
SHOWN = 8
BUDGET = Settings().context_tokens  # of evidence
RESULTS = ROOT / "docs" / "results.md"
HELD_OUT = "ferries"  # the corpus on which nothing was chosen
WHOLE, WHOLE_WEIGHT = "weighted sum, whole documents", 0.6
OTHER_WORDS = ("other words", "paraphrase", "abbreviation")

Rank = Callable[[str], list[Hit]]


@dataclass(frozen=True)
class Asked:
    """A question, the documents that answer it, the answers (none where only documents are known)."""

    question: str
    documents: Collection[str]
    answers: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True)
class Collected:
    name: str
    documents: Sequence[Document]
    asked: Sequence[Asked]


class Searched:
    """A set as the library searches it: passages, pooled vectors, vectors of sentences."""

    def __init__(self, given: Collected, embedder: MiniLM, settings: Settings) -> None:
        self.given = given
        self._embedder = embedder
        self._readings = {d.name: read(d, embedder, lambda keys: {}).reading for d in given.documents}
        chunks = [chunk for document in given.documents for chunk in self._cut(document, settings)]
        vectors = [self._vectors(chunk) for chunk in chunks]
        self.chunks = chunks
        self.retriever = Retriever(
            chunks,
            np.concatenate(vectors),
            embedder,
            shipped(),
            given.documents,
            lambda chunk, found: self._readings[chunk.document].vectors([(s.start, s.end) for s in found]),
        )
        self.retriever.warm_up()

    def _cut(self, document: Document, settings: Settings) -> list[Chunk]:
        size, overlap = settings.chunk_size, settings.chunk_overlap
        tokens: Reading = self._readings[document.name]
        return chunk_document(document, chunk_size=size, chunk_overlap=overlap, tokenizer=tokens)

    def _vectors(self, chunk: Chunk) -> np.ndarray:
        return self._readings[chunk.document].vectors([(chunk.start, chunk.end)])

    def rankings(self) -> dict[str, Rank]:
        """The ways to rank passages, from one ranking alone to both with the cross-encoder."""
        fresh = self.retriever.fresh

        def by_ranks(question: str) -> list[Hit]:
            searches = [fresh().search(question, top_k=5 * DEPTH, mode=mode) for mode in ("dense", "bm25")]
            return join(searches, 5 * DEPTH)

        def reranked(question: str) -> list[Hit]:
            retriever = fresh()
            hits = retriever.search(question, top_k=5 * DEPTH, mode="hybrid")
            return retriever.rerank(question, hits[:RERANKED]) + hits[RERANKED:]

        def without_sentences(question: str) -> list[Hit]:
            retriever = fresh()
            retriever._stored = None
            return retriever.search(question, top_k=5 * DEPTH, mode="hybrid")

        return {
            WHOLE: self._whole_documents(),
            "dense": lambda question: fresh().search(question, top_k=5 * DEPTH, mode="dense"),
            "BM25": lambda question: fresh().search(question, top_k=5 * DEPTH, mode="bm25"),
            f"fused by ranks (k = {RRF_K})": by_ranks,
            "fused, passages alone": without_sentences,
            "fused": lambda question: fresh().search(question, top_k=5 * DEPTH, mode="hybrid"),
            "fused, reranked": reranked,
        }

    def _whole_documents(self) -> Rank:
        """WHOLE_WEIGHT of the cosine and the rest of BM25, of whole documents, between 0 and 1 each."""
        [chunks] = zip(*cut(self.given.documents, (), None), strict=True)
        vectors = np.concatenate([self._vectors(chunk) for chunk in chunks])
        index = PassageIndex([passage_text(chunk) for chunk in chunks], vectors)

        def rank(question: str) -> list[Hit]:
            cosines = vectors @ self._embedder.embed([question])[0]
            scores = WHOLE_WEIGHT * scaled(cosines) + (1 - WHOLE_WEIGHT) * scaled(index.bm25(question))
            order = np.argsort(-scores, kind="stable")[:DEPTH]
            return [Hit(chunks[at], place, float(scores[at])) for place, at in enumerate(order, start=1)]

        return rank

    def evidence(self, question: str, count: Callable[[str], int], **how: Any) -> Evidence:
        """What a prompt would show of a question, its parts looked up one by one."""
        retriever, parts = self.retriever.fresh(), decompose(question)
        searches = [retriever.search(each, top_k=SHOWN, mode="hybrid") for each in (question, *parts)]
        hits = join(searches, SHOWN) if parts else searches[0]
        return retriever.select_evidence(
            question, hits, budget=BUDGET, count_tokens=count, format_line=format_evidence, parts=parts, **how
        )


def scaled(scores: np.ndarray) -> np.ndarray:
    """Between 0, the least, and 1, the most."""
    least, most = float(scores.min()), float(scores.max())
    return (scores - least) / (most - least) if most > least else np.zeros(len(scores))


def timed(work: Callable[[str], Any], asked: Sequence[Asked]) -> tuple[list[Any], float]:
    """What it gave for each question, and the median of its processor milliseconds."""
    found, times = [], []
    for each in asked:
        began = time.process_time()
        found.append(work(each.question))
        times.append((time.process_time() - began) * 1000)
    return found, round(statistics.median(times), 1)


def ranking_rows(searched: Searched) -> Iterator[dict[str, Any]]:
    asked = searched.given.asked
    found = {stage: timed(rank, asked) for stage, rank in searched.rankings().items()}
    gains = {
        stage: [
            ndcg_at(_names(hits), each.documents, 10) or 0.0 for hits, each in zip(got, asked, strict=True)
        ]
        for stage, (got, _) in found.items()
    }
    for stage, (got, ms) in found.items():
        reached = [recall_at(_names(h), e.documents, 10) or 0.0 for h, e in zip(got, asked, strict=True)]
        against = [one - other for one, other in zip(gains[stage], gains["fused"], strict=True)]
        row = {"stage": stage, "ms": ms, "nDCG@10": told(gains[stage]), "recall@10": told(reached)}
        row["nDCG@10 minus fused"] = told(against)
        if stage == WHOLE:
            yield row
            continue
        texts = [" ".join(hit.chunk.text for hit in hits[:SHOWN]) for hits in got]
        yield row | shares(f"answer in the first {SHOWN}", texts, asked)


def evidence_rows(searched: Searched, count: Callable[[str], int]) -> Iterator[dict[str, Any]]:
    asked = [each for each in searched.given.asked if each.answers]
    for stage, how in (
        ("evidence in order", {"rerank": False}),
        ("evidence by sentence", {"rerank": True, "cross_encoder": False}),
        ("evidence by cross-encoder", {"rerank": True, "cross_encoder": True}),
    ):
        got, ms = timed(lambda question, how=how: searched.evidence(question, count, **how), asked)
        firsts = [e.sources[0].sentences[0].text if e.sources else "" for e in got]
        texts = [" ".join(s.text for source in e.sources for s in source.sentences) for e in got]
        row = {"stage": stage, "ms": ms} | shares("answer first", firsts, asked)
        yield row | shares(f"answer in {BUDGET} tokens", texts, asked)


def shares(label: str, texts: Sequence[str], asked: Sequence[Asked]) -> dict[str, Any]:
    """Share of the questions whose text holds a gold answer: all that have one, and those in other words."""
    held = [(contains_answer(t, e.answers), e.kind) for t, e in zip(texts, asked, strict=True) if e.answers]
    others = [holds for holds, kind in held if kind in OTHER_WORDS]
    sides = {label: [holds for holds, _ in held], f"{label}, other words": others}
    return {name: share(each) for name, each in sides.items() if each}


def share(held: Sequence[bool]) -> list[float]:
    """Share, the ends of its interval, and of how many."""
    ends = wilson_interval(sum(held), len(held))
    return [*(round(x, 3) for x in (sum(held) / len(held), *ends)), len(held)]


def _names(hits: Sequence[Hit]) -> list[str]:
    return list(dict.fromkeys(chunk.document for hit in hits for chunk in (hit.chunk, *hit.also)))


def told(values: Sequence[float]) -> list[float]:
    """Mean and the ends of its interval."""
    return [round(x, 3) for x in (sum(values) / len(values), *bootstrap_interval(values))]


def written(corpus: Path) -> Collected:
    """A small corpus with its questions."""
    paths = [path for path in sorted(corpus.iterdir()) if path.suffix != ".jsonl"]
    asked = [_asked(row, row["kind"]) for row in rows(corpus / "questions.jsonl")]
    return Collected(corpus.name, parsed(paths), asked)


def collections(folder: Path) -> Iterator[Collected]:
    yield from (written(corpus) for corpus in sorted(CORPORA.iterdir()) if corpus.name != HELD_OUT)
    documents, _ = sample()
    yield Collected("sample", documents, sample_asked())
    if folder.is_dir():
        documents, relevant = cisi(folder)
        judged = [Asked(question, names) for question, names in relevant.items()]
        yield Collected("CISI", documents, judged)


def sample_asked() -> list[Asked]:
    """Development questions that documents answer; a JSON object is no answer that stands in a passage."""
    asked = (row for path in sorted((SAMPLE / "questions").glob("*.jsonl")) for row in rows(path))
    return [
        _asked(row, row["category"])
        for row in asked
        if row["split"] == "dev" and row["answers"] and row["category"] != "structured"
    ]


def _asked(row: Mapping[str, Any], kind: str) -> Asked:
    return Asked(row["question"], tuple(row["documents"]), tuple(row["answers"]), kind)


def token_counter() -> Callable[[str], int]:
    """Tokens as the shipped language model counts them."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(locate_model(DEFAULT_MODEL)) / "tokenizer.json"))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def markdown(found: Sequence[Mapping[str, Any]]) -> str:
    """Stages that rank, then those that choose evidence: a line each, a block of columns a set."""
    sets = list(dict.fromkeys(row["set"] for row in found))
    stages = list(dict.fromkeys(row["stage"] for row in found))
    by = {(row["set"], row["stage"]): row for row in found}
    about = [
        f"{name} ({by[name, WHOLE]['questions']} questions, {by[name, WHOLE]['documents']} documents)"
        for name in sets
    ]
    lines = ["| | " + " | ".join(about) + " |", "|---" * (len(sets) + 1) + "|"]
    for stage in stages:
        cells = [_cell(by[name, stage]) if (name, stage) in by else "-" for name in sets]
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row: Mapping[str, Any]) -> str:
    """nDCG@10 with its interval, the share with the answer in the passages or the evidence, milliseconds."""
    parts = []
    if "nDCG@10" in row:
        mean, low, high = row["nDCG@10"]
        parts.append(f"**{mean:.2f}** ({low:.2f}-{high:.2f})")
    held = [label for label in row if label.startswith("answer in") and not label.endswith("other words")]
    parts += [f"{row[label][0]:.0%}" for label in held]
    return ", ".join([*parts, f"{row['ms']:.0f} ms"])


def held_out_table(found: Sequence[Mapping[str, Any]]) -> str:
    """A line a stage, every figure with its interval."""
    lines = [
        "| | nDCG@10 | answer shown | answer shown, other words | answer in the first sentence |",
        "|---|---|---|---|---|",
    ]
    for row in found:
        held = next((label for label in row if label.startswith("answer in") and "words" not in label), "")
        cells = [row.get(label) for label in ("nDCG@10", held, f"{held}, other words", "answer first")]
        told = ["-" if cell is None else f"{cell[0]:.2f} ({cell[1]:.2f}-{cell[2]:.2f})" for cell in cells]
        lines.append(f"| {row['stage']} | {' | '.join(told)} |")
    return "\n".join(lines)


def write_table(found: Sequence[Mapping[str, Any]]) -> None:
    held_out = [row for row in found if row["set"] == HELD_OUT]
    name, table = ("held-out", held_out_table(held_out)) if held_out else ("retrieval", markdown(found))
    starts, ends = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    text = RESULTS.read_text("utf8")
    before, after = text.split(starts)[0], text.split(ends)[1]
    RESULTS.write_text(f"{before}{starts}\n{table}\n{ends}{after}", "utf8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = ROOT.parent / "shared" / "data" / "retrieval" / "cisi"
    parser.add_argument("--cisi", type=Path, default=default)
    parser.add_argument("--only", nargs="*", help="these sets")
    parser.add_argument("--held-out", action="store_true", help="the collection kept aside, and nothing else")
    parser.add_argument("--rows", type=Path, help="rows printed before, of which the table is made")
    args = parser.parse_args()
    if args.rows:
        write_table(list(rows(args.rows)))
        return
    embedder, settings, count = MiniLM(), Settings(), token_counter()
    for given in [written(CORPORA / HELD_OUT)] if args.held_out else collections(args.cisi):
        if args.only and given.name not in args.only:
            continue
        searched = Searched(given, embedder, settings)
        about = {
            "set": given.name,
            "documents": len(given.documents),
            "passages": len(searched.chunks),
            "questions": len(given.asked),
            "precision": embedder.precision,
        }
        for row in ranking_rows(searched):
            print(json.dumps(about | row), flush=True)
        if any(each.answers for each in given.asked):
            for row in evidence_rows(searched, count):
                print(json.dumps(about | row), flush=True)


if __name__ == "__main__":
    main()
