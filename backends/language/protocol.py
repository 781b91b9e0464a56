"""What a backend needs of the model it asks, wherever that model runs.

Leaves: `Model`, which `generation.LanguageModel` fulfils in this process and `endpoint.EndpointModel` behind
an address. It knows neither of them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from backends.datatypes import Finished, JsonObject, Stage, Token

Messages = Sequence[dict[str, str]]


class Model(Protocol):
    """Answers chat messages; every method may be called from any thread."""

    name: str
    fingerprint: str  # differs where the weights, or what is asked for at an address, differ
    context: int  # tokens that prompt and answer may have together

    def count_tokens(self, text: str) -> int:
        """Tokens of a piece of text, without markers around it; an estimate where nobody can say."""
        ...

    def render(self, messages: Messages) -> str:
        """The prompt for these messages as people may read it."""
        ...

    def room_for_prompt(self, max_tokens: int) -> int:
        """Longest prompt, in tokens, that leaves `max_tokens` for the answer."""
        ...

    def prepare(self, adapter: Path | None) -> object:
        """Do what its first answer would wait for; it stays done while somebody holds the result."""
        ...

    def prepare_schema(self, schema: JsonObject) -> None:
        """Do what the first answer under this schema would wait for; UserError when it cannot be kept."""
        ...

    def generate(
        self,
        messages: Messages,
        *,
        adapter: Path | None = None,
        temperature: float = 0.0,
        max_tokens: int = 96,
        seed: int = 0,
        stop: threading.Event | None = None,
        schema: JsonObject | None = None,
    ) -> Iterator[Stage | Token | Finished]:
        """Stream the answer, then one `Finished`; when `stop` is set it ends early in the same way.

        With `schema` the answer is JSON that keeps this schema.

        Raises UserError when there is no answer at all; what broke off keeps its text and is marked.
        """
        ...
