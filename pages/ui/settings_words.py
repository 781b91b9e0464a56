"""How settings differ, in words: from the defaults, or from those that an answer was made with.

Enters: two `Settings`. Leaves: short phrases, `chunk size 96 (default 128)`. It draws nothing.
"""

from __future__ import annotations

from backends.datatypes import JsonValue
from backends.settings import Settings
from pages.ui.text import plural

NAMES = {
    "chunk_size": "chunk size",
    "chunk_overlap": "overlap",
    "chunking": "passages end",
    "top_k": "top-k",
    "mode": "search",
    "rerank": "best sentences",
    "cross_encoder": "second model",
    "multi_step": "each part looked up",
    "related_words": "related words",
    "follow_ups": "follow-ups understood",
    "context_tokens": "evidence budget",
    "whole_documents": "whole documents",
    "constrained_decoding": "constrained decoding",
    "temperature": "temperature",
    "max_tokens": "answer length",
    "seed": "seed",
    "model": "model",
    "only": "documents asked",
}
VALUES = {"bm25": "words", "dense": "meaning", "hybrid": "both", True: "on", False: "off"}


def differing(settings: Settings, other: Settings) -> list[str]:
    """The fields in which they differ, in the order of the controls."""
    return [name for name in NAMES if getattr(settings, name) != getattr(other, name)]


def differences(settings: Settings, other: Settings, other_is: str = "default") -> list[str]:
    """`top-k 5 (default 8)` for every field in which they differ."""
    return [
        f"{NAMES[name]}{':' if name == 'only' else ''} "
        f"{_value(getattr(settings, name))} ({other_is} {_value(getattr(other, name))})"
        for name in differing(settings, other)
    ]


def _value(value: JsonValue) -> str:
    if isinstance(value, tuple):
        return plural(len(value), "document") if value else "all"
    if isinstance(value, float):
        return f"{value:g}"
    return str(VALUES.get(value, value)) if isinstance(value, bool | str) else str(value)
