"""Question to hits, hits to evidence: the one place where passages are searched.

Enters: a question and the passages one reader may see. Leaves: ranked `Hit`s, and `Evidence` ordered and
trimmed sentence by sentence to a token budget. It knows no prompt, no language model and no role: passages
that may not be found were never handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import replace
from itertools import chain, zip_longest

import numpy as np

from backends.datatypes import (
    Chunk,
    Document,
    Evidence,
    Filters,
    Hit,
    RetrievalMode,
    Sentence,
)
from backends.retrieval.acronyms import Pair, with_other_forms
from backends.retrieval.bm25 import Covered
from backends.retrieval.cross_encoder import Judgements, Ranker
from backends.retrieval.decompose import RRF_K
from backends.retrieval.embedding import Embedder
from backends.retrieval.fusion import (
    UNREAD_WEIGHT,
    dense_weight,
    fused_scores,
    standardised,
    with_best_sentences,
)
from backends.retrieval.passages import (
    Candidate,
    Candidates,
    MemoryPassages,
    Passages,
    Wanted,
    passage_text,
)
from backends.retrieval.sentence_choice import (
    ANSWERS,
    Chooser,
    Fit,
    FormatLine,
    SentenceVectors,
    best_first,
    sentence_text,
    sentences_of,
)
from backends.retrieval.statements import Statement, copy_key, same_statement, statement_of

DEPTH = 100  # candidates of each ranking that are fused
BY_SENTENCE = 24  # of them, the first, whose best sentence is looked at
CACHED_SENTENCES = 20_000
PASSAGE_WEIGHT = 0.3  # of the passage beside its sentence, and below of shared words; see _blended
WORDS_WEIGHT = 0.4
SENTENCES = 8  # most sentences shown together
JUDGED = 16  # sentences that the cross-encoder reads: the best by blended score
BLEND = 16.0  # of the blended score beside the logit; fitted on the sample's development questions
RELATED_FROM = 5  # passages that related words are taken from
RELATED = 6  # words
LOGIT_WEIGHT = 0.15  # of the cross-encoder beside the fused score of a passage; see rerank
# Sentences less than NEARLY (a difference of log-odds) behind the best may be the answer as well. On the
# sample's development questions the gold answer is in the best for 80 of 124, in the likely ones, 1.7 in the
# mean, for 91, and in the best three for 98.
NEARLY = 1.5
MOST_LIKELY = 3

UNREAD = (
    "The embedding model was not trained on the script of this question: passages are found by their words "
    "alone, and whether one fits cannot be judged."
)
StoredVectors = Callable[[Chunk, Sequence[Sentence]], np.ndarray]  # (n, d), rows of length 1


def _fused(hits: Sequence[Hit]) -> np.ndarray:
    """Scores of hits in standard deviations: fused ones are so already, those of one ranking are made so."""
    scores = np.array([hit.score for hit in hits])
    fused = all(hit.dense is not None and hit.bm25 is not None for hit in hits)
    return scores if fused else standardised(scores)


class Retriever:
    """Finds passages among those given, and picks the sentences worth showing."""

    def __init__(
        self,
        chunks: Sequence[Chunk],
        vectors: np.ndarray,
        embedder: Embedder,
        ranker: Ranker | None = None,
        documents: Sequence[Document] = (),
        stored: StoredVectors | None = None,
    ) -> None:
        """`documents` are those of the chunks, for `Filters`; their texts are not kept.

        `stored` are the vectors of sentences made when their document was read; without, they are embedded.
        """
        self._search_in(MemoryPassages(chunks, vectors, documents), embedder, ranker, stored)

    @classmethod
    def over(
        cls,
        passages: Passages,
        embedder: Embedder,
        ranker: Ranker | None = None,
        stored: StoredVectors | None = None,
    ) -> Retriever:
        """One that searches passages where they lie."""
        made = cls.__new__(cls)
        made._search_in(passages, embedder, ranker, stored)
        return made

    def _search_in(
        self, passages: Passages, embedder: Embedder, ranker: Ranker | None, stored: StoredVectors | None
    ) -> None:
        self._passages = passages
        self._embedder = embedder
        self._judgements = Judgements(ranker) if ranker else None
        self._cache = SentenceVectors(embedder, CACHED_SENTENCES)
        self._stored = stored
        self._within = Filters()

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """The passages that can be found."""
        return tuple(self._passages.chunks)

    @property
    def memory(self) -> MemoryPassages:
        """The passages, where this process holds them; TypeError where a database does, and changes them."""
        if not isinstance(self._passages, MemoryPassages):
            raise TypeError(f"{type(self._passages).__name__} is no index of this process")
        return self._passages

    def build(self) -> None:
        """Build the indexes now rather than at the first question."""
        self._passages.build()

    @property
    def needs_rebuild(self) -> bool:
        """Whether so much was removed that the indexes should be built anew."""
        return self.memory.needs_rebuild

    def change(
        self,
        gone: Collection[str],
        chunks: Sequence[Chunk] = (),
        vectors: np.ndarray | None = None,
        documents: Sequence[Document] = (),
    ) -> None:
        """Take the documents of these names out, then put passages in. No search sees half of it."""
        self.memory.change(gone, chunks, vectors, documents)
        if gone:  # what is remembered of questions holds sentences of what went
            self.forget_questions()

    def forget_questions(self) -> None:
        """Remember nothing of earlier questions, which holds sentences of documents."""
        self._cache.clear()
        if self._judgements is not None:
            self._judgements.clear()

    def warm_up(self) -> None:
        """Load the model and build the indexes now rather than at the first question."""
        self.search("warm up", top_k=1, mode="hybrid")

    def search(
        self,
        question: str,
        *,
        top_k: int,
        mode: RetrievalMode,
        filters: Filters | None = None,
        related: Sequence[str] = (),
    ) -> list[Hit]:
        """The best passages; in hybrid mode both rankings are fused by their scores.

        Passages that say the same are one hit, which lists the others in `also`. `related` words count for
        BM25 beside those of the question, for less. An abbreviation that the documents explain is looked for
        in both its forms.
        """
        question = with_other_forms(question, self._passages.explained_in(question))
        vector = self._cache.embed([question])[0] if mode != "bm25" else None
        given = tuple(each for each in (filters, self._within) if each is not None)
        wanted = Wanted(question, max(DEPTH, 2 * top_k), vector, mode != "dense", tuple(related), given)
        candidates = self._passages.candidates(wanted)
        fused = self._collapsed(self._ranked(wanted, candidates), top_k)
        hits = []
        for rank, (best, score, also) in enumerate(fused, start=1):
            own = {"dense": best.cosine, "bm25": best.bm25, "hybrid": score}[mode]
            hits.append(Hit(best.chunk, rank, float(own or 0.0), best.cosine, best.bm25, tuple(also)))
        return hits

    def related(self, question: str, mode: RetrievalMode) -> list[str]:
        """Words that tell the passages found for the question from the rest (pseudo-relevance feedback)."""
        hits = self.search(question, top_k=RELATED_FROM, mode=mode)
        weights = [1 / (RRF_K + hit.rank) for hit in hits]
        return self._passages.distinctive_words([hit.chunk.text for hit in hits], weights, question, RELATED)

    def _weight(self, question: str, covered: Covered) -> float:
        """Of the cosines beside these BM25 scores."""
        if not self._embedder.reads(question):
            return UNREAD_WEIGHT
        return dense_weight(covered.share, lone=covered.lone)

    def _ranked(self, wanted: Wanted, candidates: Candidates) -> list[tuple[Candidate, float]]:
        """(candidate, score), best first, by both scores where both rankings ran, and then by the best
        sentences of the first BY_SENTENCE."""
        found = candidates.found
        if not found:
            return []
        cosines: np.ndarray = np.array([each.cosine for each in found], np.float64)
        bm25: np.ndarray = np.array([each.bm25 for each in found], np.float32)
        if wanted.vector is None or not wanted.words:
            scores = bm25 if wanted.words else cosines
        else:
            weight = self._weight(wanted.question, candidates.covered)
            scores = fused_scores(cosines, bm25, weight)
            first = np.argsort(-scores, kind="stable")[:BY_SENTENCE]
            if self._stored and len(first) > 1:
                best = np.array([self._best_sentence(wanted.vector, found[at].chunk) for at in first])
                scores = with_best_sentences(scores, cosines, first, best, weight)
        return [(found[at], float(scores[at])) for at in np.argsort(-scores, kind="stable")]

    def _best_sentence(self, vector: np.ndarray, chunk: Chunk) -> float:
        assert self._stored is not None
        return float((self._stored(chunk, sentences_of(chunk)) @ vector).max())

    def _collapsed(
        self, ranked: Sequence[tuple[Candidate, float]], top_k: int
    ) -> list[tuple[Candidate, float, list[Chunk]]]:
        """(candidate, score, its copies) of the best `top_k` different passages."""
        kept: list[tuple[Candidate, float, list[Chunk]]] = []
        known: dict[tuple[tuple[str, ...], ...], int] = {}
        for candidate, score in ranked:
            key = copy_key(candidate.chunk)
            if key in known:
                kept[known[key]][2].append(candidate.chunk)
            elif len(kept) < top_k:
                known[key] = len(kept)
                kept.append((candidate, score, []))
            else:
                break
        return kept

    def fresh(self) -> Retriever:
        """The same indexes with nothing remembered of earlier questions: what a timed answer gets."""
        other = copy(self)
        other._cache = SentenceVectors(self._embedder, CACHED_SENTENCES)
        other._judgements = self._judgements.fresh() if self._judgements else None
        return other

    def within(self, names: Sequence[str]) -> Retriever:
        """The same, finding nothing outside the documents of these names; all of them when none is named."""
        other = copy(self)
        other._within = Filters(documents=tuple(names))
        return other

    def rerank(self, question: str, hits: Sequence[Hit], *, cross_encoder: bool = True) -> list[Hit]:
        """The same hits ordered by what they hold for the question; `score` says how much.

        The cross-encoder, where there is one and it is wanted, reads each passage; LOGIT_WEIGHT of its logit
        is added to the fused score. Alone it orders whole passages worse than fusion does; so weighted it
        lifts both CISI and the sample (benchmarks/LOG.md). Without it the best sentence speaks for each.
        """
        if not hits:
            return []
        pairs = self._passages.explained_in(question)
        question = with_other_forms(question, pairs)
        if self._judgements is not None and cross_encoder:
            texts = [with_other_forms(passage_text(hit.chunk), pairs) for hit in hits]
            logits = self._judgements.score(question, texts)
            best = [float(score) for score in _fused(hits) + LOGIT_WEIGHT * logits]
        else:
            best = [max(s.score for s in self._blended(question, hit, pairs)[0]) for hit in hits]
        order = sorted(range(len(hits)), key=lambda at: (-best[at], hits[at].rank))
        return [replace(hits[at], rank=rank, score=best[at]) for rank, at in enumerate(order, start=1)]

    def best_sentences(
        self, question: str, hits: Sequence[Hit], *, cross_encoder: bool = True
    ) -> tuple[list[tuple[Hit, Sentence]], Fit]:
        """The sentences of all hits, best first (of one statement in two documents the later) and each once,
        and how well the best of them fits.

        The blended score orders them; where there is a cross-encoder and it is wanted, it reads the first
        JUDGED of them, whose order is then its logit + BLEND x blended score, and the others are left out;
        those that it cannot tell from the best are marked as likely, but only the best where that hardly
        answers.
        """
        pairs = self._passages.explained_in(question)
        question = with_other_forms(question, pairs)
        found: dict[tuple[str, int, int], tuple[Hit, Sentence]] = {}
        closest = -1.0
        for hit in hits:
            sentences, cosine = self._blended(question, hit, pairs)
            closest = max(closest, cosine)
            for sentence in sentences:
                key = (hit.chunk.document, sentence.start, sentence.end)
                if key not in found or found[key][1].score < sentence.score:
                    found[key] = (hit, sentence)
        ranked, logit = sorted(found.values(), key=best_first), None
        if self._judgements is not None and cross_encoder and ranked:
            ranked = ranked[:JUDGED]
            texts = [with_other_forms(sentence_text(hit.chunk, s), pairs) for hit, s in ranked]
            logits = self._judgements.score(question, texts)
            logit = float(logits.max())
            judged = [
                (hit, replace(s, score=float(own) + BLEND * s.score, logit=float(own)))
                for own, (hit, s) in zip(logits, ranked, strict=True)
            ]
            ranked = sorted(judged, key=best_first)
        ranked = self._newest_first(question, ranked)
        if logit is not None:
            ranked = self._mark_likely(ranked, MOST_LIKELY if logit >= ANSWERS else 1)
        return ranked, Fit(closest, logit)

    def judged(self, question: str, found: Sequence[tuple[Hit, Sentence]]) -> list[tuple[Hit, Sentence]]:
        """These sentences with the cross-encoder's logit; as they are where there is no cross-encoder."""
        if self._judgements is None or not found:
            return list(found)
        pairs = self._passages.explained_in(question)
        texts = [with_other_forms(sentence_text(hit.chunk, s), pairs) for hit, s in found]
        logits = self._judgements.score(with_other_forms(question, pairs), texts)
        return [(hit, replace(s, logit=float(own))) for own, (hit, s) in zip(logits, found, strict=True)]

    def _newest_first(
        self, question: str, ranked: Sequence[tuple[Hit, Sentence]]
    ) -> list[tuple[Hit, Sentence]]:
        """The same sentences; of two that differ in figures alone, in editions of one document (this year's
        price list and the last), the later comes first, unless the question names the earlier one's year."""
        said = [statement_of(hit.chunk, sentence) for hit, sentence in ranked]
        dates = [self._passages.date(hit.chunk.document) for hit, _ in ranked]
        order: list[int] = []
        for at, date in enumerate(dates):
            earlier = (
                place
                for place, other in enumerate(order)
                if dates[other]
                and dates[other] < date
                and dates[other][:4] not in question
                and same_statement(said[other], said[at])
            )
            order.insert(next(earlier, len(order)), at)
        return [ranked[at] for at in order]

    def _mark_likely(self, ranked: Sequence[tuple[Hit, Sentence]], most: int) -> list[tuple[Hit, Sentence]]:
        """The same sentences; the best and those nearly as good, at most `most`, are marked, but of one
        statement in documents of two dates only the first."""
        best = max((sentence.score for _, sentence in ranked), default=0.0)
        told: list[tuple[str, Statement]] = []
        marked = []
        for hit, sentence in ranked:
            if not told or (len(told) < most and sentence.score > best - NEARLY):
                date, said = self._passages.date(hit.chunk.document), statement_of(hit.chunk, sentence)
                if not any(date != other and same_statement(said, each) for other, each in told):
                    told.append((date, said))
                    sentence = replace(sentence, likely=True)
            marked.append((hit, sentence))
        return marked

    def select_evidence(
        self,
        question: str,
        hits: Sequence[Hit],
        *,
        budget: int,
        count_tokens: Callable[[str], int],
        format_line: FormatLine,
        rerank: bool,
        cross_encoder: bool = True,
        parts: Sequence[str] = (),
    ) -> Evidence:
        """Numbered sources whose lines, made by `format_line`, hold at most `budget` tokens together.

        With `rerank`, the best sentences of all hits are taken and sources stand in the order of their best,
        which leads its line; the others follow in document order. A question of several `parts` takes the
        best sentence of each in turn. Without, hits stay in rank order and keep
        their sentences from the first until the budget is full. The first source always gets at least one
        sentence. Hits that show none are in `left_out`.
        """
        if not hits:
            return Evidence((), (), ("No passage was found for this question.",))
        notes = () if self._embedder.reads(question) else (UNREAD,)
        chooser = Chooser(budget, count_tokens, format_line)
        if not rerank:
            for hit in hits:
                for sentence in sentences_of(hit.chunk):
                    if not chooser.add(hit, sentence):
                        break
            return chooser.evidence(hits, notes)
        found = [
            self.best_sentences(each, hits, cross_encoder=cross_encoder) for each in (parts or [question])
        ]
        turns = chain.from_iterable(zip_longest(*(ranked for ranked, _ in found)))
        for hit, sentence in filter(None, turns):
            if chooser.sentences >= SENTENCES:
                break
            chooser.add(hit, sentence)
        fits = notes or tuple(dict.fromkeys(w for _, fit in found for w in fit.warnings))
        return chooser.evidence(hits, fits)

    def _blended(self, question: str, hit: Hit, pairs: Sequence[Pair]) -> tuple[list[Sentence], float]:
        """The passage's sentences with their blended score, in document order, and their best cosine.

        score = (cosine + 0.3 passage cosine + 0.4 share of the question's words) / 1.7, where a sentence is
        read with its title and heading, and words weigh by their rarity. On the development questions of the
        sample the right sentence came first for 52 %, against 38 % by the cosine of the bare sentence.
        """
        sentences = sentences_of(hit.chunk)
        texts = [with_other_forms(sentence_text(hit.chunk, s), pairs) for s in sentences]
        vectors = self._stored(hit.chunk, sentences) if self._stored else self._cache.embed(texts)
        cosines = vectors @ self._cache.embed([question])[0]
        shares = self._passages.shared_words(question, texts)
        scores = (cosines + PASSAGE_WEIGHT * (hit.dense or 0.0) + WORDS_WEIGHT * shares) / (
            1 + PASSAGE_WEIGHT + WORDS_WEIGHT
        )
        ranked = [replace(s, score=float(score)) for s, score in zip(sentences, scores, strict=True)]
        return ranked, float(cosines.max())
