"""Which JSON schema a question asks for: the one it carries, or a known one that it names.

Enters: a question. Leaves: its schema, or None. Known are the schemas of the sample corpus: a question names
one by its title, as in "Classify this support ticket as JSON". It looks at no gold answer.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jsonschema

from backends.datatypes import JsonObject, JsonValue, Question, UserError
from backends.system.files import SAMPLE_CORPUS


@cache
def known_schemas() -> tuple[JsonObject, ...]:
    """Those of the sample corpus, in the order of their files."""
    files = sorted((SAMPLE_CORPUS / "schemas").glob("*.schema.json"))
    return tuple(json.loads(path.read_text("utf8")) for path in files)


def asked_schema(question: Question) -> JsonObject | None:
    """The schema that an answer to this question has to keep, where it is known."""
    if question.schema is not None:
        return question.schema
    words = " ".join(question.question.lower().split())
    return next((each for each in known_schemas() if f"{each['title'].lower()} as json" in words), None)


def read_schema(path: Path) -> JsonObject:
    """The JSON schema of a file; raises UserError in one sentence when there is none."""
    try:
        return check_schema(json.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, UserError) as error:
        raise UserError(f"{path.name}: {error}") from error


def check_schema(value: JsonValue) -> JsonObject:
    """The value, if it is a JSON schema (draft 2020-12); raises UserError when it is none."""
    if not isinstance(value, dict):
        raise UserError(f"a JSON schema is a JSON object, not {type(value).__name__}.")
    try:
        jsonschema.Draft202012Validator.check_schema(value)
    except jsonschema.SchemaError as error:
        raise UserError(f"not a valid JSON schema ({error.message[:200].rstrip('.')}).") from error
    return value
