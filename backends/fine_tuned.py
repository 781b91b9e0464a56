"""Fine-tuning alone: the question goes to a model that learned the documents; nothing is looked up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backends.datatypes import BackendName, Event, JsonObject, Stage
from backends.language.prompts import build_messages
from backends.language.protocol import Model
from backends.settings import Settings


@dataclass(frozen=True)
class FineTuned:
    """A tuned model without retrieval."""

    model: Model
    adapter: Path
    stop: threading.Event | None = None
    schema: JsonObject | None = None  # JSON schema that the answer has to keep
    merged: object = None  # held while this answers: to merge anew would fall into the time of the answer
    name: BackendName = "fine_tuned"

    def run(self, question: str, settings: Settings) -> Iterator[Event]:
        yield Stage("generate")
        yield from self.model.generate(
            build_messages(question),
            adapter=self.adapter,
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            seed=settings.seed,
            stop=self.stop,
            schema=self.schema,
        )
