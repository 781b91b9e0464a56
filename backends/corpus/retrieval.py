"""Question to hits, hits to evidence.

Enters: a question and the passages one reader may see. Leaves: ranked `Hit`s, and `Evidence` ordered and
trimmed sentence by sentence to a token budget. It knows no prompt, no language model and no role: passages
that may not be found were never handed in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
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
CLOSE = 0.85  # a neighbour sentence stays if it scores at least this share of its passage's best
SENTENCES_PER_SOURCE = 3
SHORT = 60  # characters; a sentence below this says too little without its heading
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

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[Hit]:
        """The same hits ordered by their best sentence; `score` is that sentence's cosine."""
        scored = [(max(s.score for s in self._sentences(question, hit)), hit) for hit in hits]
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

        With `rerank`, sources are ordered by their best sentence and keep that one and its close neighbours.
        Without, hits stay in rank order and keep their sentences from the first until the budget is full.
        The first source always gets at least one sentence. Hits without room are in `left_out`.
        """
        chooser = _Chooser(budget, count_tokens, format_line or plain_line)
        if not hits:
            return Evidence((), (), ("No passage was found for this question.",))
        warnings: list[str] = []
        if rerank:
            candidates = [(hit, self._sentences(question, hit)) for hit in hits]
            candidates.sort(key=lambda pair: (-max(s.score for s in pair[1]), pair[0].rank))
            best = max(s.score for s in candidates[0][1])
            if best < RELEVANT:
                warnings.append(f"No passage fits this question well (best similarity {best:.2f}).")
        else:
            candidates = [(hit, sentences_of(hit.chunk)) for hit in hits]
        for hit, sentences in candidates:
            chooser.offer(hit, _best_first(sentences) if rerank else sentences)
        return Evidence(tuple(chooser.sources), tuple(chooser.left_out), tuple(warnings))

    def _sentences(self, question: str, hit: Hit) -> list[Sentence]:
        """The passage's sentences with their similarity to the question, in document order."""
        sentences = sentences_of(hit.chunk)
        vectors = self._cache.of([question, *(sentence_text(hit.chunk, s) for s in sentences)])
        scores = vectors[1:] @ vectors[0]
        return [replace(s, score=float(score)) for s, score in zip(sentences, scores, strict=True)]


def sentences_of(chunk: Chunk) -> list[Sentence]:
    """The sentences of a passage, placed in its document; headings only where there is nothing else."""
    all_ = [
        Sentence(chunk.start + start, chunk.start + end, chunk.text[start:end])
        for start, end in split_sentences(chunk.text)
    ]
    return [s for s in all_ if not is_heading(s.text)] or all_


def sentence_text(chunk: Chunk, sentence: Sentence) -> str:
    """What is embedded for a sentence: short ones lean on their heading to say what they are about."""
    if chunk.heading and len(sentence.text) < SHORT:
        return f"{chunk.heading}: {sentence.text}"
    return sentence.text


def plain_line(number: int, title: str, sentences: Sequence[str]) -> str:
    """One numbered source on one line."""
    return f"[{number}] {title}: {' '.join(sentences)}" if title else f"[{number}] {' '.join(sentences)}"


def _best_first(sentences: Sequence[Sentence]) -> list[Sentence]:
    """The best sentence, then the others that score close to it, at most three."""
    ordered = sorted(sentences, key=lambda s: (-s.score, s.start))
    least = CLOSE * ordered[0].score
    return ordered[:1] + [s for s in ordered[1:] if s.score >= least][: SENTENCES_PER_SOURCE - 1]


class _Chooser:
    """Fills a token budget with sources, each sentence shown once."""

    def __init__(self, budget: int, count_tokens: Callable[[str], int], format_line: FormatLine) -> None:
        self._left = budget
        self._count = count_tokens
        self._format = format_line
        self._shown: set[tuple[str, int, int]] = set()
        self.sources: list[Source] = []
        self.left_out: list[Hit] = []

    def offer(self, hit: Hit, sentences: Sequence[Sentence]) -> None:
        """Take as many of the sentences as fit, the first ones first."""
        number = len(self.sources) + 1
        kept: list[Sentence] = []
        cost = 0
        for sentence in sentences:
            if (hit.chunk.document, sentence.start, sentence.end) in self._shown:
                continue
            trial = sorted([*kept, sentence], key=lambda s: s.start)
            line = self._format(number, hit.chunk.title, [s.text for s in trial])
            tokens = self._count(line + "\n")
            if tokens > self._left and (self.sources or kept):
                break
            kept, cost = trial, tokens
        if not kept:
            self.left_out.append(hit)
            return
        self._left -= cost
        self._shown |= {(hit.chunk.document, s.start, s.end) for s in kept}
        self.sources.append(Source(number, hit, tuple(kept)))


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
