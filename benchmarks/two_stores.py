"""`python -m benchmarks.two_stores ADDRESS`: the workspace's own file and a PostgreSQL, side by side.

Enters: an empty database with pgvector. Sentences are those of the sample corpus with the states that MiniLM
has given them, drawn one by one, or with --prose (JSON lines, not part of this repository) those of running
text, drawn as runs of four; a document is 20 passages of eight of them, with the pooled vectors that such
passages have. Leaves: one JSON row a step: time to store the documents, time until a fresh process can
search, search times as the library searches (vectors and BM25 fused; embedding the question is left out, for
it is the same for both), and for the graph of vectors the recall of the ten nearest against an exact search,
by `ef_search`, asked with sentences that are in no passage. Seconds are given by the clock and by the
processors of both sides: the clock of a machine that does other things as well says little.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
from pgvector import HalfVector

from backends.datatypes import Chunk, Document
from backends.documents.library import Library
from backends.documents.opening import open_library
from backends.documents.storage import Store
from backends.documents.store import Workspace
from backends.postgres import passage_search
from backends.postgres.postgres_store import PostgresStore
from backends.retrieval.embedding import MiniLM
from backends.retrieval.sentence_vectors import Outline, Reading, reader_name
from backends.settings import Settings
from benchmarks.large import sentences as prose_sentences

PASSAGES, SENTENCES = 20, 8  # of a document, of a passage
ASKED = 200
SHORTEST = 4  # tokens of a sentence
EFS = (0, 20, 40, 60, 100, 200, 400)  # the first compares every vector
ROLE_OF_EVERY = 10  # one document in so many is only for the role `few`

Row = dict[str, object]
# A document, its passages, and how it was read: tokens, parts, and the mean of each part.
Made = tuple[Document, list[Chunk], tuple[np.ndarray, np.ndarray, np.ndarray]]


class Known:
    """Vectors of sentences that were embedded before."""

    name, precision = "embedded before", "fp32"

    def __init__(self, texts: list[str], vectors: np.ndarray) -> None:
        self._vectors = dict(
            zip(texts, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), strict=True)
        )
        self.dimension = vectors.shape[1]

    def embed(self, texts: list[str]) -> np.ndarray:
        """(n, d) rows of length 1."""
        return np.stack([self._vectors[text] for text in texts]).astype(np.float32)

    def reads(self, _text: str) -> bool:
        """All of it."""
        return True


def sample_sentences(folder: Path) -> Sentences:
    """The sample corpus's, each once."""
    library = open_library(folder, MiniLM(), Settings())
    found: dict[str, np.ndarray] = {}
    for name, version, _ in library.current_hashes():
        identifier = library.workspace.identifier("", name, version)
        kept = library.workspace.reading(identifier or 0, reader_name(library.embedder))
        assert kept is not None, "a library reads what it holds"
        text, starts = library.get(name).text, kept.tokens[:, 0]
        for (start, end), mean in zip(kept.parts.tolist(), kept.means, strict=True):
            tokens = int(np.searchsorted(starts, end) - np.searchsorted(starts, start))
            if tokens > SHORTEST:
                found[text[start:end]] = mean.astype(np.float32) * tokens
    return Sentences(list(found), np.stack(list(found.values())), run=1)


@dataclass(frozen=True)
class Sentences:
    """What passages are made of: texts, and for each the mean states of its tokens times their number."""

    texts: list[str]
    sums: np.ndarray  # (n, d)
    run: int  # so many stay together, in their order

    def parted(self) -> tuple[Sentences, Sentences]:
        """(those to make passages of, those to ask with)"""
        at = np.random.default_rng(3).choice(len(self.texts), ASKED, replace=False)
        asked = np.isin(np.arange(len(self.texts)), at)
        return self._of(~asked), self._of(asked)

    def _of(self, which: np.ndarray) -> Sentences:
        return Sentences([self.texts[at] for at in np.flatnonzero(which)], self.sums[which], self.run)

    def drawn(self, rng: np.random.Generator) -> np.ndarray:
        """(PASSAGES, SENTENCES) places of sentences."""
        first = rng.integers(0, len(self.texts) - self.run + 1, (PASSAGES, SENTENCES // self.run, 1))
        return (first + np.arange(self.run)).reshape(PASSAGES, SENTENCES)


def documents(count: int, sentences: Sentences, seed: int) -> Iterator[Made]:
    """(document, its passages, (tokens, parts, mean of each part)) of these sentences."""
    rng, known, sums = np.random.default_rng(seed), sentences.texts, sentences.sums
    for number in range(count):
        picks = sentences.drawn(rng)
        text, parts, places = "", [], []
        for row in picks:
            start = len(text)
            for at in row:
                parts.append((len(text), len(text) + len(known[at])))
                text += known[at] + " "
            places.append((start, len(text) - 1))
        roles = ("few",) if number % ROLE_OF_EVERY == 0 else ()
        name = f"d{number}.md"
        document = Document(name, seed + 1, name, "text", text, f"{seed} {number}", roles=roles)
        chunks = [document.chunk(a, b, tokens=128, page=None, heading="") for a, b in places]
        tokens = np.array([match.span() for match in re.finditer(r"\w+", text)], np.int32)
        words = np.searchsorted(tokens[:, 0], np.array(parts))
        sizes = np.maximum(1, words[:, 1] - words[:, 0])[:, None]
        yield document, chunks, (tokens, np.array(parts, np.int32), sums[picks.ravel()] / sizes)


def fill(store: Store, library: Library, made: Iterator[Made]) -> None:
    """Store documents as the library does once they are read and cut."""
    scheme, reader = library._scheme(Settings()), reader_name(library.embedder)
    for document, chunks, (tokens, parts, means) in made:
        keys = [f"{document.content_hash} {at}" for at in range(PASSAGES)]
        with store.transaction():
            identifier = store.add_document("", document)
            store.add_reading(
                identifier,
                reader,
                (tokens, parts),
                [(key, SENTENCES) for key in keys],
                dict(zip(keys, means.reshape(PASSAGES, SENTENCES, -1), strict=True)),
            )
            kept = store.reading(identifier, reader)
            assert kept is not None, "it was stored above"
            reading = Reading(Outline(kept.tokens, kept.parts), kept.means)
            rows = reading.vectors([(chunk.start, chunk.end) for chunk in chunks])
            store.add_chunks(identifier, scheme, chunks, rows.copy)


class Clock:
    """Seconds by the clock, and of the processor: this process's, and those of the database's processes."""

    def __init__(self, postmaster: int | None) -> None:
        self._postmaster = postmaster

    def _used(self) -> float:
        own = time.process_time()
        if self._postmaster is None:
            return own
        times = psutil.Process(self._postmaster).children()
        return own + sum(sum(each.cpu_times()[:2]) for each in times)

    def timed(self, work: Callable[[], object]) -> dict[str, float]:
        """Both kinds of seconds of some work."""
        began, used = time.perf_counter(), self._used()
        work()
        return {
            "clock_s": round(time.perf_counter() - began, 2),
            "processor_s": round(self._used() - used, 2),
        }

    def searches(self, library: Library, asked: list[str], role: str | None) -> dict[str, float]:
        """Milliseconds of one search: the median and the slowest of twenty."""

        def one(question: str) -> None:
            library.retriever(Settings(), role=role).fresh().search(question, top_k=8, mode="hybrid")

        for question in asked[:10]:
            one(question)
        used, clock = self._used(), []
        for question in asked[10:]:
            began = time.perf_counter()
            one(question)
            clock.append(1000 * (time.perf_counter() - began))
        return {
            "median_ms": round(statistics.median(clock), 1),
            "p95_ms": round(statistics.quantiles(clock, n=20)[18], 1),
            "processor_ms": round(1000 * (self._used() - used) / len(clock), 1),
        }


def recall(store: PostgresStore, questions: np.ndarray, clock: Clock) -> Iterator[Row]:
    """Recall of the ten nearest by the graph, for each `ef_search`, and the time of one search."""
    row = store.server.row("SELECT id, dimension FROM schemes")
    assert row is not None, "documents were stored"
    statement = (
        f"SELECT document, ordinal FROM passages WHERE scheme = {row[0]}"
        f" ORDER BY (vector::halfvec({row[1]})) <#> %s LIMIT 10"
    )
    exact: list[set[tuple[object, ...]]] = []
    for ef in EFS:
        found: list[set[tuple[object, ...]]] = []

        def ask(found: list[set[tuple[object, ...]]] = found) -> None:
            found += [set(store.server.rows(statement, (HalfVector(each),))) for each in questions]

        with store.server.snapshot() as cursor:
            cursor.execute(f"SET LOCAL hnsw.ef_search = {ef}" if ef else "SET LOCAL enable_indexscan = off")
            times = clock.timed(ask)
        exact = exact or found
        shared = [len(a & b) / 10 for a, b in zip(exact, found, strict=True)]
        ms = {f"{name[:-2]}_ms": round(1000 * value / len(questions), 2) for name, value in times.items()}
        yield {"ef_search": ef or "exact", "recall_at_10": round(statistics.mean(shared), 4), **ms}


def measure(store: Store, passages: int, sentences: Sentences, clock: Clock) -> Iterator[Row]:
    """Every step with one store."""
    known, questions = sentences.parted()
    embedder, asked = Known(sentences.texts, sentences.sums), questions.texts
    library = Library(store, embedder)
    made = documents(passages // PASSAGES, known, 0)
    yield {"step": "store documents", **clock.timed(lambda: fill(store, library, made))}
    if isinstance(store, PostgresStore):
        store.server.run("ANALYZE")
        passage_search.EXACT_UP_TO = passages
        yield {"step": "search, every vector compared", **clock.searches(library, asked, None)}
        passage_search.EXACT_UP_TO = 0
    library = Library(store, embedder)
    yield {"step": "ready to search", **clock.timed(lambda: library.retriever(Settings()))}
    if isinstance(store, PostgresStore):
        for row in recall(store, embedder.embed(asked), clock):
            yield {"step": "ten nearest", **row}
    yield {"step": "search", **clock.searches(library, asked, None)}
    yield {"step": "search as a role", **clock.searches(library, asked, "few")}
    more = documents(20, known, 1)
    yield {"step": "replace 20 documents", **clock.timed(lambda: fill(store, library, more))}
    yield {"step": "ready after that", **clock.timed(lambda: library.retriever(Settings()))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--prose", type=Path, help="folder of running text instead of the sample")
    parser.add_argument("--sentences", type=int, default=30_000, help="of the prose")
    parser.add_argument("--side", choices=("postgres", "sqlite"), help="one of the two alone")
    parser.add_argument("--json", type=Path, help="rows of other sides and numbers in it are kept")
    args = parser.parse_args()
    kept = json.loads(args.json.read_text("utf-8")) if args.json and args.json.exists() else []
    rows: list[Row] = [
        row for row in kept if row["passages"] != args.passages or args.side not in (None, row["store"])
    ]
    with TemporaryDirectory() as folder:
        if args.prose:
            known = Sentences(*prose_sentences(args.prose, MiniLM(), args.sentences), run=4)
        else:
            known = sample_sentences(Path(folder) / "sample")
        there = PostgresStore.open(args.address, Path(folder) / "two")
        found = there.server.row("SELECT pg_read_file('postmaster.pid', 0, 20)")
        sides = {
            "postgres": (there, Clock(int(str(found[0]).split()[0]) if found else None)),
            "sqlite": (Workspace.open(Path(folder) / "one"), Clock(None)),
        }
        for name, (store, clock) in sides.items():
            if args.side not in (None, name):
                continue
            for row in measure(store, args.passages, known, clock):
                rows.append({"store": name, "passages": args.passages, **row})
                print(json.dumps(rows[-1]), flush=True)
                if args.json:
                    args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
