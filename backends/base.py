"""The control: the same reader, asked without any document. What it knows, it knew before."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from backends.datatypes import BackendName, Event, JsonObject, Stage
from backends.language.prompts import build_messages
from backends.language.protocol import Model
from backends.settings import Settings


@dataclass(frozen=True)
class Base:
    """The control: the untuned model without retrieval."""

    model: Model
    stop: threading.Event | None = None
    schema: JsonObject | None = None  # JSON schema that the answer has to keep
    name: BackendName = "base"

    def run(self, question: str, settings: Settings) -> Iterator[Event]:
        yield Stage("generate")
        yield from self.model.generate(
            build_messages(question),
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            seed=settings.seed,
            stop=self.stop,
            schema=self.schema,
        )
