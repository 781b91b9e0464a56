"""The evidence of one question: rewrite, search, choose sentences, within what the prompt has room for.

Enters: a question, a retriever, a model that counts tokens. Leaves: the retrieval events of an answer and its
`Evidence`. It generates nothing; RAG, the hybrid and training rows all find their passages here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from backends.answering.orders import without_orders
from backends.datatypes import (
    Event,
    Evidence,
    Hit,
    RetrievalMode,
    Stage,
    UserError,
)
from backends.language.prompts import build_messages, format_evidence
from backends.language.protocol import Model
from backends.retrieval.decompose import decompose, join
from backends.settings import Settings


class PassageSearch(Protocol):
    """What a backend needs of `retrieval.retriever.Retriever`."""

    def search(
        self, question: str, *, top_k: int, mode: RetrievalMode, related: Sequence[str] = ()
    ) -> list[Hit]:
        """The best `top_k` passages for the question, best first."""
        ...

    def related(self, question: str, mode: RetrievalMode) -> list[str]:
        """Words that passages near the question have and the question lacks."""
        ...

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
        """The sentences of these hits that are worth showing within the budget."""
        ...


def find_evidence(
    question: str, retriever: PassageSearch, model: Model, settings: Settings
) -> Generator[Event, None, Evidence]:
    """Yield the retrieval events of one question; the generator's return value is the `Evidence`.

    `PartByPart` asks most questions of several parts one part at a time. Those that are asked whole, because
    their answer is one JSON value, are also looked up part by part here.
    """
    budget = evidence_budget(question, model, settings)
    searching = not settings.whole_documents
    parts = decompose(question) if searching and settings.multi_step else []
    related: list[str] = []
    if searching and (parts or settings.related_words):
        yield Stage("rewrite")
        related = retriever.related(question, settings.mode) if settings.related_words else []
    yield Stage("retrieve")
    hits = search_steps(question, parts, related, retriever, settings)
    if settings.rerank and searching:
        yield Stage("rerank")
    evidence = retriever.select_evidence(
        question,
        hits,
        budget=budget,
        count_tokens=model.count_tokens,
        rerank=settings.rerank,
        cross_encoder=settings.cross_encoder,
        parts=parts,
        format_line=format_evidence,
    )
    if settings.ignore_orders:
        evidence = without_orders(evidence)
    yield evidence
    return evidence


def evidence_for(question: str, retriever: PassageSearch, model: Model, settings: Settings) -> Evidence:
    """The evidence that serving would show for this question: what training rows are made with."""
    events = find_evidence(question, retriever, model, settings)
    while True:
        try:
            next(events)
        except StopIteration as ended:
            found: Evidence = ended.value
            return found


def search_steps(
    question: str, parts: Sequence[str], related: Sequence[str], retriever: PassageSearch, settings: Settings
) -> list[Hit]:
    """The hits of the question and its related words, joined with those of its parts where it has any."""
    searches = [retriever.search(question, top_k=settings.top_k, mode=settings.mode, related=related)]
    searches += [retriever.search(each, top_k=settings.top_k, mode=settings.mode) for each in parts]
    return join(searches, settings.top_k) if parts else searches[0]


def evidence_budget(question: str, model: Model, settings: Settings) -> int:
    """Tokens of evidence that fit beside the question and the answer, at most `settings.context_tokens`.

    Whole documents may take all the room there is.

    Raises UserError when the question leaves no room for any.
    """
    frame = model.count_tokens(model.render(build_messages(question)))
    room = model.room_for_prompt(settings.max_tokens) - frame - 2  # the blank line after the evidence
    if room < 32:
        raise UserError(
            f"The question takes {frame:,} tokens and the answer may take {settings.max_tokens:,}; of the "
            f"{model.context:,} that {model.name} reads too few are left for evidence."
        )
    return room if settings.whole_documents else min(settings.context_tokens, room)
