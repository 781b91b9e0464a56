"""Questions to learn with, as pairs: the passage that answers each, and passages that only look as if.

Enters: rows (question, answer, documents) and a retriever over the passages. Leaves: `Pair`s. A row's passage
is the one of its documents (of those found, where it names none) that holds most of the answer's words;
hard negatives are what the search finds for the question and does not hold them. It knows no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from backends.answering.overlap import content_tokens
from backends.datatypes import Chunk, TrainingRow
from backends.retrieval.retriever import Retriever

LEAST = 0.6  # share of the answer's content words that its passage holds
ALIKE = 0.8  # of what the passage holds: whatever holds that much may answer too, and is no negative
NEGATIVES = 1
LOOKED_AT = 12  # passages among which negatives are sought


@dataclass(frozen=True)
class Pair:
    """`row` is the 1-based number of the row; passages are positions in the list that goes with it."""

    row: int
    question: str
    passage: int
    negatives: tuple[int, ...]


class Pairing:
    """The passages that may be learned from, with the words that each holds."""

    def __init__(self, passages: Sequence[Chunk], retriever: Retriever) -> None:
        """The retriever may know more passages than these: those are never shown to a model."""
        self.passages = passages
        self._retriever = retriever
        self._words = [Counter(content_tokens(_text(each))) for each in passages]
        self._at = {chunk: at for at, chunk in enumerate(passages)}
        self._of: dict[str, list[int]] = {}
        for at, chunk in enumerate(passages):
            self._of.setdefault(chunk.document, []).append(at)

    def pairs(
        self,
        rows: Sequence[tuple[int, TrainingRow]],
        report: Callable[[int, int, str], None] = lambda done, total, what: None,
    ) -> list[Pair]:
        """One of each row whose answer stands in a passage."""
        made = []
        for done, (number, row) in enumerate(rows):
            report(done, len(rows), "Finding the passages of the questions")
            if (pair := self._pair(number, row)) is not None:
                made.append(pair)
        return made

    def _pair(self, number: int, row: TrainingRow) -> Pair | None:
        answer, asked = Counter(content_tokens(row.answer)), Counter(content_tokens(row.question))
        total = answer.total()
        if row.documents:
            own = [at for name in row.documents for at in self._of.get(name, ())]
        else:
            own = self._found(f"{row.question} {row.answer}")
        held = {at: (answer & self._words[at]).total() for at in own}
        if not total or max(held.values(), default=0) < LEAST * total:
            return None
        best = max(own, key=lambda at: (held[at], (asked & self._words[at]).total(), -at))
        return Pair(number, row.question, best, self._negatives(row.question, answer, held[best]))

    def _negatives(self, question: str, answer: Counter[str], held: int) -> tuple[int, ...]:
        """The best found that do not answer; where too few are found, passages from anywhere."""
        near = self._found(question)
        start = len(question) % max(1, len(self.passages))
        anywhere = [*range(start, len(self.passages)), *range(start)]
        wrong = (
            at
            for at in dict.fromkeys([*near, *anywhere])
            if (answer & self._words[at]).total() < ALIKE * held
        )
        return tuple(at for at, _ in zip(wrong, range(NEGATIVES), strict=False))

    def _found(self, text: str) -> list[int]:
        hits = self._retriever.search(text, top_k=LOOKED_AT, mode="hybrid")
        return [self._at[hit.chunk] for hit in hits if hit.chunk in self._at]


def documents_of(passages: Sequence[Chunk], pairs: Collection[Pair]) -> set[str]:
    """Names of the documents whose passages the pairs show, as the right one or as a negative."""
    return {passages[at].document for pair in pairs for at in (pair.passage, *pair.negatives)}


def _text(chunk: Chunk) -> str:
    return "\n".join((chunk.title, chunk.heading, chunk.text))
