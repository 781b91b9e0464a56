"""Whole documents in the prompt, as many as the context holds: RAG without retrieval, to hold it against.

Enters: documents that the reader may see. Leaves: the evidence of a question, like a retriever's, except that
nothing is searched, ordered or left out but for want of room. It knows no model but by how it counts tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backends.datatypes import Document, Evidence, Hit, RetrievalMode, Sentence, Source
from backends.retrieval.chunking import split_sentences


class WholeDocuments:
    """Stands where a retriever would."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    def search(
        self, question: str, *, top_k: int, mode: RetrievalMode, related: Sequence[str] = ()
    ) -> list[Hit]:
        """Every document, in the library's order, whatever is asked."""
        return [
            Hit(document.chunk(0, len(document.text), tokens=0, page=None, heading=""), rank, score=0.0)
            for rank, document in enumerate(self._documents, start=1)
        ]

    def related(self, question: str, mode: RetrievalMode) -> list[str]:
        return []

    def select_evidence(
        self,
        question: str,
        hits: Sequence[Hit],
        *,
        budget: int,
        count_tokens: Callable[[str], int],
        rerank: bool,
        cross_encoder: bool,
        parts: Sequence[str],
        format_line: Callable[[int, str, Sequence[str]], str],
    ) -> Evidence:
        """The documents from the first sentence of the first, until `budget` tokens are full."""
        sources: list[Source] = []
        room, complete = budget, 0
        for hit in hits:
            room -= count_tokens(format_line(hit.rank, hit.chunk.title, [])) + 1
            kept: list[Sentence] = []
            spans = split_sentences(hit.chunk.text)
            for start, end in spans:
                text = hit.chunk.text[start:end]
                room -= count_tokens(f" {text}")
                if room < 0:
                    break
                kept.append(Sentence(start, end, text))
            if kept:
                sources.append(Source(hit.rank, hit, tuple(kept)))
            complete += len(kept) == len(spans)
            if room < 0:
                break
        return Evidence(
            tuple(sources), tuple(hits[len(sources) :]), _left_out_warnings(complete, len(hits), budget)
        )


def _left_out_warnings(complete: int, count: int, budget: int) -> tuple[str, ...]:
    if not count:
        return ("There is no document to show.",)
    if complete == count:
        return ()
    return (
        f"Only {complete} of {count} documents are in the prompt whole: its {budget:,} tokens hold no more, "
        "and what the others say was not seen.",
    )
