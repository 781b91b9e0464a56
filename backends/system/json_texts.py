"""Reads a text that should be JSON: whether it is, its value, whether a schema accepts it.

Enters: text of a model or of a file. Leaves: values, verdicts. It bounds how deep a value may go.
"""

from __future__ import annotations

import json
import re

import jsonschema

from backends.datatypes import JsonObject, JsonValue

DEEPEST = 100  # levels of JSON; whoever walks deeper values runs out of stack
_WORDS_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def json_value(text: str) -> JsonValue:
    """The one JSON value that the text is. ValueError when it is none, or one nested beyond any use."""
    if _depth(text) > DEEPEST:
        raise ValueError(f"The JSON is nested deeper than {DEEPEST} levels.")
    return json.loads(text)


def _depth(text: str) -> int:
    """How deep the lists and objects of a JSON text go."""
    deepest = depth = 0
    for found in _WORDS_OR_BRACKET.findall(text):
        if found[0] != '"':
            depth += 1 if found in "[{" else -1
            deepest = max(deepest, depth)
    return deepest


def is_json(text: str) -> bool:
    """Whether the text is one JSON object or list."""
    try:
        return isinstance(json_value(text), dict | list)
    except ValueError:
        return False


def follows_schema(text: str, schema: JsonObject) -> bool:
    """Whether the text is one JSON value that the JSON schema accepts."""
    try:
        value = json_value(text)
    except ValueError:
        return False
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))
