"""Retrieval-augmented generation: find passages, show the best sentences to the reader, cite them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from backends.answering.answerability import Abstainer
from backends.answering.evidence import PassageSearch, find_evidence
from backends.answering.final_text import final_text
from backends.datatypes import (
    BackendName,
    Event,
    Finished,
    JsonObject,
    Stage,
    Token,
    Usage,
)
from backends.language.prompts import NOT_IN_DOCUMENTS, build_messages, evidence_lines
from backends.language.protocol import Model
from backends.settings import Settings


@dataclass(frozen=True)
class Rag:
    """Retrieval-augmented generation with the untuned reader."""

    model: Model
    retriever: PassageSearch
    stop: threading.Event | None = None
    schema: JsonObject | None = None  # JSON schema that the answer has to keep
    abstainer: Abstainer | None = None  # declines what the documents do not answer; never asked about JSON
    name: BackendName = "rag"

    def run(self, question: str, settings: Settings) -> Iterator[Event]:
        evidence = yield from find_evidence(question, self.retriever, self.model, settings)
        if not evidence.sources:
            # Without a passage this would be the base model wearing the name of RAG.
            yield Token(NOT_IN_DOCUMENTS)
            yield Finished(Usage(0, 0), prompt="", model=self.model.name, adapter=None)
            return
        yield Stage("generate")
        written = self.model.generate(
            build_messages(question, evidence_lines(evidence.sources)),
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            seed=settings.seed,
            stop=self.stop,
            schema=self.schema,
        )
        # An answer in JSON is neither declined nor said in other words: its schema decides what it may hold.
        abstainer = self.abstainer if self.schema is None else None
        yield from final_text(written, question, evidence.sources, abstainer)
