"""Searches passages where they lie, in PostgreSQL: vectors by pgvector, words by BM25 over stored counts.

Enters: what is `Wanted`, by one role. Leaves: `Candidates`, with the BM25 scores that the embedded index
gives to the same passages. What the role may not read and what was not chosen is left out by the queries, and
counts of words are of what it may read. Every search sees one state of the database.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pgvector import HalfVector

from backends.datatypes import Chunk, DatabaseRow
from backends.postgres import server as door
from backends.postgres.document_filters import Condition, admitted, readable
from backends.postgres.server import Cursor, Server
from backends.retrieval.acronyms import Acronyms, Pair
from backends.retrieval.bm25 import Covered, WordStatistics, gains, rarity
from backends.retrieval.folding import words_of
from backends.retrieval.fusion import highest
from backends.retrieval.passages import NOTHING, RELATED_WEIGHT, Candidate, Candidates, Wanted

EXACT_UP_TO = 20_000  # passages of a scheme; beyond, the graph is searched (benchmarks/two_stores.py)
EF_SEARCH = 200  # of the graph: how many of the nearest it keeps in view. Measured: docs/scale.md
SCANNED = 40_000  # passages that a filtered search of the graph looks at before it gives up
BUILD_MEMORY = "512MB"
ORDINAL_BITS = 24
ORDINAL_MASK = (1 << ORDINAL_BITS) - 1
Place = tuple[int, int]  # document, ordinal


@dataclass(frozen=True)
class _Scores:
    """BM25 scores of passages, by document and ordinal in one number, and how many words each holds."""

    keys: np.ndarray  # (n,) int64, ascending
    scores: np.ndarray  # (n,), above 0
    words: np.ndarray  # (n,)

    def highest(self, count: int) -> list[Place]:
        """The places of the highest scores, best first; of equals the earlier document's."""
        found = self.keys[highest(self.scores, count)].tolist()
        return [(key >> ORDINAL_BITS, key & ORDINAL_MASK) for key in found]

    def score_at(self, place: Place) -> float:
        """The score of a passage, 0 where it shares no word."""
        key = (place[0] << ORDINAL_BITS) | place[1]
        at = int(np.searchsorted(self.keys, key))
        return float(self.scores[at]) if at < len(self.keys) and self.keys[at] == key else 0.0

    def plus(self, other: _Scores, weight: float) -> _Scores:
        """These scores with `weight` of the others'."""
        keys, which = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)
        scores = np.bincount(which, np.concatenate([self.scores, weight * other.scores]))
        return _Scores(keys, scores, np.bincount(which, np.concatenate([self.words, other.words])))


NO_SCORES = _Scores(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))


class PostgresPassages:
    """The passages of one scheme in one collection that one role may read."""

    def __init__(self, server: Server, collection: str, scheme: str, role: str | None) -> None:
        self._server = server
        self._collection = collection
        self._scheme = scheme
        self._readable = readable(collection, role)
        self._statistics = _Statistics(self)
        self._lock = threading.RLock()
        self._acronyms: Acronyms | None = None
        self._dates: dict[str, str] = {}
        self._graph = False  # whether an index of the vectors was there when this was made ready

    @property
    def state(self) -> int:
        """Counts the changes of the collection."""
        row = self._server.row("SELECT state FROM collections WHERE name = %s", (self._collection,))
        return int(row[0]) if row else 0

    @property
    def count(self) -> int:
        """How many passages the role may read."""
        return self.totals()[0]

    @property
    def missing(self) -> list[str]:
        """Names of the current documents, for any role, without passages of this scheme."""
        rows = self._server.rows(
            "SELECT d.name FROM documents d WHERE d.collection = %s AND d.current AND NOT EXISTS"
            " (SELECT 1 FROM chunked c JOIN schemes s ON s.id = c.scheme"
            "  WHERE c.document = d.id AND s.name = %s) ORDER BY d.name",
            (self._collection, self._scheme),
        )
        return [row[0] for row in rows]

    @property
    def chunks(self) -> list[Chunk]:
        """All of them: for whoever needs every passage, not for searching."""
        return [chunk for chunk, _ in self._details(self._readable, None)]

    # --- made ready ----------------------------------------------------------------------------

    def _numbers(self) -> tuple[int, int] | None:
        """(id, dimension) of the scheme; None while nothing was cut so."""
        row = self._server.row("SELECT id, dimension FROM schemes WHERE name = %s", (self._scheme,))
        return (int(row[0]), int(row[1])) if row else None

    def build(self) -> None:
        """Index the vectors of the scheme once there are many; one app server does, others wait for it."""
        found = self._numbers()
        if found is None:
            return
        held = self._server.row("SELECT sum(passages) FROM chunked WHERE scheme = %s", (found[0],))
        if held is None or (held[0] or 0) <= EXACT_UP_TO:
            return
        with self._server.alone(door.BUILDING):
            if not self._has_graph(found[0]):
                build_graph(self._server, *found)

    def _has_graph(self, scheme: int) -> bool:
        row = self._server.row(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", (graph_name(scheme),)
        )
        return row is not None and bool(row[0])

    # --- searching -----------------------------------------------------------------------------

    def candidates(self, wanted: Wanted) -> Candidates:
        """The first `depth` by vector and by words, in the order of names and ordinals."""
        with self._server.snapshot() as cursor:
            found = self._numbers()
            if found is None:
                return Candidates()
            scheme, dimension = found
            visible = self._readable & admitted(wanted.filters)
            scores, covered = NO_SCORES, NOTHING
            if wanted.words:
                scores, covered = self._by_words(scheme, wanted, visible)
            places = dict.fromkeys(scores.highest(wanted.depth))
            if wanted.vector is not None:
                places |= dict.fromkeys(self._nearest(cursor, scheme, dimension, wanted, visible))
            rows = self._details(visible, wanted.vector, list(places), scheme)
        return Candidates(
            [
                Candidate(chunk, cosine, scores.score_at(place) if wanted.words else None)
                for chunk, (place, cosine) in rows
            ],
            covered,
        )

    def _nearest(
        self, cursor: Cursor[DatabaseRow], scheme: int, dimension: int, wanted: Wanted, visible: Condition
    ) -> list[Place]:
        """The nearest passages. Where the graph, filtered, gives too few, every vector is compared."""
        assert wanted.vector is not None
        statement = (
            f"SELECT p.document, p.ordinal FROM passages p JOIN documents d ON d.id = p.document"
            f" WHERE p.scheme = {scheme} AND {visible.sql}"
            f" ORDER BY (p.vector::halfvec({dimension})) <#> %s LIMIT {wanted.depth}"
        )
        values = (*visible.values, HalfVector(wanted.vector))
        cursor.execute(
            "SELECT set_config('hnsw.iterative_scan', 'strict_order', true),"
            " set_config('hnsw.ef_search', %s, true), set_config('hnsw.max_scan_tuples', %s, true)",
            (str(max(EF_SEARCH, wanted.depth)), str(SCANNED)),
        )
        found = self._server.rows(statement, values)
        if len(found) < wanted.depth and self._has_graph(scheme):
            cursor.execute("SELECT set_config('enable_indexscan', 'off', true)")
            found = self._server.rows(statement, values)
            cursor.execute("SELECT set_config('enable_indexscan', 'on', true)")
        return [(document, ordinal) for document, ordinal in found]

    def _details(
        self,
        visible: Condition,
        vector: np.ndarray | None,
        places: Sequence[Place] | None = None,
        scheme: int | None = None,
    ) -> list[tuple[Chunk, tuple[Place, float | None]]]:
        """Passages with their place and cosine, in order; all that are visible where no places are given."""
        if places is None:
            which = Condition("p.scheme = (SELECT id FROM schemes WHERE name = %s)", (self._scheme,))
        else:
            columns = ([at for at, _ in places], [ordinal for _, ordinal in places])
            which = Condition(
                f"p.scheme = {scheme} AND (p.document, p.ordinal) IN"
                " (SELECT * FROM unnest(%s::bigint[], %s::int[]))",
                columns,
            )
        near = (
            Condition("-(p.vector <#> %s)", (HalfVector(vector),))
            if vector is not None
            else Condition("NULL")
        )
        rows = self._server.rows(
            f'SELECT p.document, p.ordinal, {near.sql}, d.name, d.version, p.start, p."end", t.text, p.page,'
            " p.tokens, d.title, t.heading, d.date"
            " FROM passages p JOIN passage_texts t USING (document, scheme, ordinal)"
            f" JOIN documents d ON d.id = p.document WHERE {which.sql} AND {visible.sql}"
            " ORDER BY d.name, p.ordinal",
            (*near.values, *which.values, *visible.values),
        )
        self._dates |= {row[3]: row[12] for row in rows}
        return [(Chunk(*row[3:12]), ((row[0], row[1]), row[2])) for row in rows]

    def _by_words(self, scheme: int, wanted: Wanted, visible: Condition) -> tuple[_Scores, Covered]:
        """BM25 of every visible passage that shares a word, and what the best by the question's own words
        covers of them."""
        scores = self._scored(scheme, wanted.question, visible)
        covered = NOTHING
        if len(scores.keys):
            best = int(scores.scores.argmax())
            with self._lock:
                most = self._statistics.most(wanted.question)
                of = len(set(self._statistics.stems(words_of(wanted.question))))
            covered = Covered(float(scores.scores[best]) / most if most else 0.0, int(scores.words[best]), of)
        if wanted.related:
            scores = scores.plus(self._scored(scheme, " ".join(wanted.related), visible), RELATED_WEIGHT)
        return scores, covered

    def _scored(self, scheme: int, text: str, visible: Condition) -> _Scores:
        with self._lock:
            times = Counter(self._statistics.stems(words_of(text)))
        live, length = self.totals()
        if not times or not live:
            return NO_SCORES
        weights = {stem: times[stem] * rarity(live, held) for stem, held in self.holding(times).items()}
        rows = self._server.rows(
            "SELECT w.word, w.document, w.ordinals, w.counts, w.lengths"
            " FROM words w JOIN documents d ON d.id = w.document"
            f" WHERE w.scheme = {scheme} AND w.word = ANY (%s) AND {visible.sql}",
            (list(times), *visible.values),
        )
        if not rows:
            return NO_SCORES
        words, documents, ordinals, counts, lengths = zip(*rows, strict=True)
        sizes = [len(each) // 4 for each in ordinals]
        keys = np.repeat(np.asarray(documents, np.int64) << ORDINAL_BITS, sizes) | _numbers(ordinals)
        weight = np.repeat(np.array([weights[word] for word in words], np.float32), sizes)
        gained = gains(weight, _numbers(counts), _numbers(lengths), length / live)
        keys, which = np.unique(keys, return_inverse=True)
        return _Scores(keys, np.bincount(which, gained.astype(np.float64)), np.bincount(which))

    # --- words ---------------------------------------------------------------------------------

    def totals(self) -> tuple[int, int]:
        """(passages, words in them) that the role may read."""
        row = self._server.row(
            "SELECT sum(c.passages), sum(c.words) FROM chunked c JOIN schemes s ON s.id = c.scheme"
            f" JOIN documents d ON d.id = c.document WHERE s.name = %s AND {self._readable.sql}",
            (self._scheme, *self._readable.values),
        )
        return (int(row[0] or 0), int(row[1] or 0)) if row else (0, 0)

    def holding(self, stems: Collection[str]) -> dict[str, int]:
        """How many passages that the role may read hold each stem."""
        rows = self._server.rows(
            "SELECT w.word, sum(length(w.ordinals) / 4) FROM words w JOIN schemes s ON s.id = w.scheme"
            " JOIN documents d ON d.id = w.document"
            f" WHERE s.name = %s AND w.word = ANY (%s) AND {self._readable.sql} GROUP BY w.word",
            (self._scheme, list(stems), *self._readable.values),
        )
        return {word: int(count) for word, count in rows}

    def shared_words(self, question: str, texts: Sequence[str]) -> np.ndarray:
        """Share of the question's distinct words in each text, weighted by rarity."""
        with self._lock:
            return self._statistics.shared(question, texts)

    def distinctive_words(
        self, texts: Sequence[str], weights: Sequence[float], but: str, count: int
    ) -> list[str]:
        """The words that tell these texts from the other passages, without those of `but`."""
        with self._lock:
            return self._statistics.distinctive_words(texts, weights, but, count)

    def explained_in(self, question: str) -> list[Pair]:
        """Abbreviations that the documents explain and of which the question uses a form."""
        with self._lock:
            if self._acronyms is None:
                self._acronyms = self._explained()
            return self._acronyms.used_in(question)

    def _explained(self) -> Acronyms:
        found = Acronyms()
        for name, short, long in self._server.rows(
            "SELECT d.name, e.short, e.long FROM explained e JOIN schemes s ON s.id = e.scheme"
            f" JOIN documents d ON d.id = e.document WHERE s.name = %s AND {self._readable.sql}"
            " ORDER BY d.name",
            (self._scheme, *self._readable.values),
        ):
            found.put(name, (short, long))
        return found

    def date(self, name: str) -> str:
        """The date that a document carries, of those that were found."""
        return self._dates.get(name, "")


class _Statistics(WordStatistics):
    """Counts of words as they were at the first look: who asks again after a change asks another of these."""

    def __init__(self, passages: PostgresPassages) -> None:
        self._passages = passages
        self._live: int | None = None
        self._known: dict[str, int] = {}

    @property
    def live(self) -> int:
        """Passages that the role may read."""
        if self._live is None:
            self._live = self._passages.count
        return self._live

    def holding(self, stems: Collection[str]) -> Mapping[str, int]:
        """How many of them hold each stem."""
        new = [stem for stem in stems if stem not in self._known]
        if new:
            self._known |= dict.fromkeys(new, 0) | self._passages.holding(new)
        return self._known


def graph_name(scheme: int) -> str:
    """The name of the index of a scheme's vectors."""
    return f"passages_graph_{scheme}"


def build_graph(server: Server, scheme: int, dimension: int) -> None:
    """Index the vectors of a scheme; passages can be added and found meanwhile."""
    name = graph_name(scheme)
    with server.cursor() as cursor:
        cursor.execute(f"DROP INDEX IF EXISTS {name}")  # what a crash left half built
        cursor.execute("SELECT set_config('maintenance_work_mem', %s, false)", (BUILD_MEMORY,))
        cursor.execute(
            f"CREATE INDEX CONCURRENTLY {name} ON passages"
            f" USING hnsw ((vector::halfvec({dimension})) halfvec_ip_ops) WHERE scheme = {scheme}"
        )
        cursor.execute("RESET maintenance_work_mem")
    server.run("ANALYZE passages")


def _numbers(packed: Sequence[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(packed), "<i4")
