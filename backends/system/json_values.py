"""Records as JSON holds them.

Enters: any record of ours. Leaves: objects, lists, numbers and strings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

from backends.datatypes import JsonValue


def plain(value: JsonValue) -> JsonValue:
    """A record as JSON holds it: dataclasses and mappings become objects, sequences lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value  # JSON has no NaN
