"""What a visitor has chosen, kept on disk: a reload or a restart of the server loses none of it.

Enters: the visitor's folder. Leaves: `Choices`. It knows no control and judges no value: whoever reads them
drops what is no longer valid.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from backends.datatypes import JsonObject
from backends.system.files import write_whole

FILE = "choices.json"


@dataclass(frozen=True)
class Choices:
    """`settings` are those that differ from the defaults; `collections` are names of documents by name."""

    settings: JsonObject = field(default_factory=dict)
    backends: tuple[str, ...] = ()
    scope: str = ""
    selected: tuple[str, ...] = ()
    collections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    models: tuple[str, ...] = ()


def load(folder: Path) -> Choices:
    """The choices kept here; none where there is no file, or one that cannot be read."""
    try:
        raw = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Choices(
            settings=dict(raw["settings"]),
            backends=tuple(map(str, raw["backends"])),
            scope=str(raw["scope"]),
            selected=tuple(map(str, raw["selected"])),
            collections={str(k): tuple(map(str, names)) for k, names in raw["collections"].items()},
            models=tuple(map(str, raw.get("models", ()))),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Choices()


def save(folder: Path, choices: Choices) -> None:
    """Write the choices, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / FILE, json.dumps(asdict(choices), ensure_ascii=False))
