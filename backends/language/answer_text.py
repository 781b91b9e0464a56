"""Reads the text of an answer: its citation markers, whether it declines, whether it is JSON.

Enters: text. Leaves: markers, text without them, verdicts. It knows no documents.
"""

from __future__ import annotations

import json
import re

import jsonschema

from backends.datatypes import JsonObject, JsonValue

_HEADING = re.compile(r"[^?:]+[?:] ")
DEEPEST = 100  # levels of JSON; whoever walks deeper values runs out of stack
_WORDS_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_MARKER = re.compile(r"\[(\d{1,2})\]")


def cited_markers(text: str) -> list[int]:
    """Markers [n] in the order they first appear in an answer."""
    return list(dict.fromkeys(int(number) for number in _MARKER.findall(text)))


def without_markers(text: str) -> str:
    """The answer's words alone, for scoring and alignment."""
    return re.sub(r"\s*\[\d{1,2}\]", "", text).strip()


def is_abstention(text: str) -> bool:
    """Whether an answer declines: our two fixed sentences, or the usual wordings of other models.

    An answer of several lines, each headed by a part of its question, declines when every part does.
    """
    lines = [line for line in without_markers(text).splitlines() if line.strip()]
    if len(lines) > 1 and all(_HEADING.match(line) for line in lines):
        return all(_declines(_HEADING.sub("", line, count=1)) for line in lines)
    return _declines(" ".join(lines))


def _declines(words: str) -> bool:
    return bool(
        re.match(
            r"(the|these) (documents?|passages?|sources?) (do|does) not (say|mention|tell|answer|contain)"
            r"|i (do not|don't) know|not (stated|mentioned) in the documents",
            words.lower(),
        )
    )


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
