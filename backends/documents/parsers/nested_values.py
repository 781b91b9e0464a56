"""Nested values on one line: "key: value; key inner: value".

Enters: what JSON or YAML hold. Leaves: text. It knows neither format.
"""

from __future__ import annotations

from backends.datatypes import JsonValue
from backends.documents.parsers.common import one_line


def flat(value: JsonValue, path: str = "") -> str:
    """All of a value on one line, each part with its path of keys."""
    if isinstance(value, dict):
        return "; ".join(filter(None, (flat(item, f"{path} {key}".strip()) for key, item in value.items())))
    if isinstance(value, list):
        if any(isinstance(item, dict | list) for item in value):
            return "; ".join(
                filter(None, (flat(item, f"{path} {at}".strip()) for at, item in enumerate(value, 1)))
            )
        value = ", ".join(one_line(_plain(item)) for item in value)
    text = one_line(_plain(value))
    return f"{path}: {text}" if path and text else text


def _plain(value: JsonValue) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
