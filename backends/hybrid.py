"""Both at once: passages are retrieved as for RAG, and read by a model tuned to answer from passages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backends.answering.answerability import Abstainer
from backends.answering.evidence import PassageSearch, find_evidence
from backends.answering.final_text import final_text
from backends.datatypes import BackendName, Event, JsonObject, Stage
from backends.language.prompts import build_messages, evidence_lines
from backends.language.protocol import Model
from backends.settings import Settings


@dataclass(frozen=True)
class Hybrid:
    """A tuned model that reads retrieved evidence."""

    model: Model
    adapter: Path
    retriever: PassageSearch
    stop: threading.Event | None = None
    schema: JsonObject | None = None  # JSON schema that the answer has to keep
    merged: object = None  # held while this answers: to merge anew would fall into the time of the answer
    abstainer: Abstainer | None = None  # declines what the documents do not answer; never asked about JSON
    name: BackendName = "hybrid"

    def run(self, question: str, settings: Settings) -> Iterator[Event]:
        evidence = yield from find_evidence(question, self.retriever, self.model, settings)
        yield Stage("generate")
        written = self.model.generate(
            build_messages(question, evidence_lines(evidence.sources)),
            adapter=self.adapter,
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            seed=settings.seed,
            stop=self.stop,
            schema=self.schema,
        )
        # An answer in JSON is neither declined nor said in other words: its schema decides what it may hold.
        abstainer = self.abstainer if self.schema is None else None
        yield from final_text(written, question, evidence.sources, abstainer)
