"""Question to hits, hits to evidence.

Enters: a question and the passages one reader may see. Leaves: ranked `Hit`s, and `Evidence` ordered and
trimmed sentence by sentence to a token budget. It knows no prompt, no language model and no role: passages
that may not be found were never handed in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from threading import Lock

import numpy as np

from backends.corpus.chunking import is_heading, split_sentences
from backends.corpus.embedding import Embedder
from backends.corpus.index import PassageIndex
from backends.datatypes import Chunk, Evidence, Hit, RetrievalMode, Sentence, Source

RRF_K = 60  # Cormack, Clarke and Buettcher, SIGIR 2009
DEPTH = 100  # candidates of each ranking that are fused
CACHED_SENTENCES = 20_000
PASSAGE_WEIGHT = 0.3  # of the passage beside its sentence, and below of shared words; see _sentences
WORDS_WEIGHT = 0.4
SENTENCES = 8  # most sentences shown together
RELEVANT = 0.30  # below this best cosine nothing fits; calibrated on the sample questions

FormatLine = Callable[[int, str, Sequence[str]], str]


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], k: int = RRF_K) -> list[tuple[int, float]]:
    """(item, sum over rankings of 1 / (k + rank)), best first; ties go to the smaller item."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1 / (k + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def passage_text(chunk: Chunk) -> str:
    """What is embedded and indexed for a passage: where it stands, then its text."""
    context = [part for part in (chunk.title, chunk.heading) if part and part not in chunk.text]
    return "\n".join([*context, chunk.text])


class Retriever:
    """Finds passages among those given, and picks the sentences worth showing."""

    def __init__(self, chunks: Sequence[Chunk], vectors: np.ndarray, embedder: Embedder) -> None:
        self.chunks = tuple(chunks)
        self._embedder = embedder
        self._index = PassageIndex([passage_text(chunk) for chunk in chunks], vectors)
        self._cache = SentenceVectors(embedder, CACHED_SENTENCES)

    def warm_up(self) -> None:
        """Load the model and build the indexes now rather than at the first question."""
        self.search("warm up", top_k=1, mode="hybrid")

    def search(self, question: str, *, top_k: int, mode: RetrievalMode) -> list[Hit]:
        """The best passages; in hybrid mode both rankings are fused by reciprocal rank."""
        if not self.chunks:
            return []
        depth = max(DEPTH, 2 * top_k)
        vector = self._cache.of([question])[0] if mode != "bm25" else None
        words = self._index.bm25(question) if mode != "dense" else None
        rankings: list[list[int]] = []
        if vector is not None:
            rankings.append([position for position, _ in self._index.dense(vector, depth)])
        if words is not None:
            best = np.argsort(-words, kind="stable")[:depth]
            rankings.append([int(position) for position in best if words[position] > 0])
        fused = reciprocal_rank_fusion(rankings)[:top_k]
        positions = [position for position, _ in fused]
        cosines = self._index.similarity(vector, positions) if vector is not None else None
        hits = []
        for at, (position, score) in enumerate(fused):
            dense = cosines[at] if cosines is not None else None
            bm25 = float(words[position]) if words is not None else None
            own = {"dense": dense, "bm25": bm25, "hybrid": score}[mode]
            hits.append(Hit(self.chunks[position], at + 1, float(own or 0.0), dense, bm25))
        return hits

    def fresh(self) -> Retriever:
        """The same indexes with nothing remembered of earlier questions: what a timed answer gets."""
        other = copy(self)
        other._cache = SentenceVectors(self._embedder, CACHED_SENTENCES)
        return other

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[Hit]:
        """The same hits ordered by their best sentence; `score` is that sentence's."""
        scored = [(max(s.score for s in self._sentences(question, hit)[0]), hit) for hit in hits]
        scored.sort(key=lambda pair: (-pair[0], pair[1].rank))
        return [replace(hit, rank=rank, score=score) for rank, (score, hit) in enumerate(scored, start=1)]

    def select_evidence(
        self,
        question: str,
        hits: Sequence[Hit],
        *,
        budget: int,
        count_tokens: Callable[[str], int],
        rerank: bool,
        format_line: FormatLine | None = None,
    ) -> Evidence:
        """Numbered sources whose lines, made by `format_line`, hold at most `budget` tokens together.

        With `rerank`, the best sentences of all hits are taken, and sources stand in the order of their best.
        Without, hits stay in rank order and keep their sentences from the first until the budget is full.
        The first source always gets at least one sentence. Hits that show none are in `left_out`.
        """
        if not hits:
            return Evidence((), (), ("No passage was found for this question.",))
        chooser = _Chooser(budget, count_tokens, format_line or plain_line)
        if not rerank:
            for hit in hits:
                for sentence in sentences_of(hit.chunk):
                    if not chooser.add(hit, sentence):
                        break
            return chooser.evidence(hits, ())
        scored: list[tuple[Hit, Sentence]] = []
        closest = -1.0
        for hit in hits:
            sentences, cosine = self._sentences(question, hit)
            scored += [(hit, sentence) for sentence in sentences]
            closest = max(closest, cosine)
        scored.sort(key=lambda pair: (-pair[1].score, pair[0].rank, pair[1].start))
        for hit, sentence in scored:
            if chooser.sentences >= SENTENCES:
                break
            chooser.add(hit, sentence)
        poor = f"No passage fits this question well (best similarity {closest:.2f})."
        return chooser.evidence(hits, (poor,) if closest < RELEVANT else ())

    def _sentences(self, question: str, hit: Hit) -> tuple[list[Sentence], float]:
        """The passage's sentences with their relevance, in document order, and their best cosine.

        relevance = (cosine + 0.3 passage cosine + 0.4 share of the question's words) / 1.7, where a
        sentence is read with its title and heading, and words weigh by their rarity. On the development
        questions of the sample the right sentence came first for 52 %, against 38 % by the cosine of the
        bare sentence.
        """
        sentences = sentences_of(hit.chunk)
        texts = [sentence_text(hit.chunk, s) for s in sentences]
        vectors = self._cache.of([question, *texts])
        cosines = vectors[1:] @ vectors[0]
        shares = self._index.shared_words(question, texts)
        scores = (cosines + PASSAGE_WEIGHT * (hit.dense or 0.0) + WORDS_WEIGHT * shares) / (
            1 + PASSAGE_WEIGHT + WORDS_WEIGHT
        )
        ranked = [replace(s, score=float(score)) for s, score in zip(sentences, scores, strict=True)]
        return ranked, float(cosines.max())


def sentences_of(chunk: Chunk) -> list[Sentence]:
    """The sentences of a passage, placed in its document; headings only where there is nothing else."""
    all_ = [
        Sentence(chunk.start + start, chunk.start + end, chunk.text[start:end])
        for start, end in split_sentences(chunk.text)
    ]
    return [s for s in all_ if not is_heading(s.text)] or all_


def sentence_text(chunk: Chunk, sentence: Sentence) -> str:
    """What is compared with the question for a sentence: its title and heading say what it is about."""
    context = dict.fromkeys(part for part in (chunk.title, chunk.heading) if part)
    return ". ".join([*context, sentence.text])


def plain_line(number: int, title: str, sentences: Sequence[str]) -> str:
    """One numbered source on one line."""
    return f"[{number}] {title}: {' '.join(sentences)}" if title else f"[{number}] {' '.join(sentences)}"


class _Chooser:
    """Fills a token budget with sentences, each shown once, grouped by the hit they come from."""

    def __init__(self, budget: int, count_tokens: Callable[[str], int], format_line: FormatLine) -> None:
        self._budget = budget
        self._count = count_tokens
        self._format = format_line
        self._shown: set[tuple[str, int, int]] = set()
        self._kept: dict[int, tuple[Hit, list[Sentence]]] = {}  # by rank of the hit, in order of arrival
        self._cost: dict[int, int] = {}
        self.sentences = 0

    def add(self, hit: Hit, sentence: Sentence) -> bool:
        """Keep the sentence if the budget allows; False when it does not. The first one always fits."""
        key = (hit.chunk.document, sentence.start, sentence.end)
        if key in self._shown:
            return True
        kept = self._kept[hit.rank][1] if hit.rank in self._kept else []
        number = [*self._kept, hit.rank].index(hit.rank) + 1
        trial = sorted([*kept, sentence], key=lambda s: s.start)
        tokens = self._count(self._format(number, hit.chunk.title, [s.text for s in trial]) + "\n")
        if self._kept and sum(self._cost.values()) - self._cost.get(hit.rank, 0) + tokens > self._budget:
            return False
        self._kept[hit.rank] = (hit, trial)
        self._cost[hit.rank] = tokens
        self._shown.add(key)
        self.sentences += 1
        return True

    def evidence(self, hits: Sequence[Hit], warnings: tuple[str, ...]) -> Evidence:
        sources = tuple(
            Source(number, hit, tuple(kept))
            for number, (hit, kept) in enumerate(self._kept.values(), start=1)
        )
        return Evidence(sources, tuple(hit for hit in hits if hit.rank not in self._kept), warnings)


class SentenceVectors:
    """Vectors of recently seen texts; the oldest fall out when `size` is reached."""

    def __init__(self, embedder: Embedder, size: int) -> None:
        self._embedder = embedder
        self._size = size
        self._known: OrderedDict[str, np.ndarray] = OrderedDict()
        self._lock = Lock()

    def of(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) rows for the texts; only those not seen lately are embedded."""
        with self._lock:
            found: dict[str, np.ndarray] = {text: self._known[text] for text in texts if text in self._known}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            found |= dict(zip(missing, self._embedder.embed(missing), strict=True))
        self._remember(found)
        return np.stack([found[text] for text in texts])

    def _remember(self, vectors: Mapping[str, np.ndarray]) -> None:
        with self._lock:
            for text, vector in vectors.items():
                self._known[text] = vector
                self._known.move_to_end(text)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
