"""The protocol by which a part of the product removes what it keeps of a document that is being forgotten.

Enters: a workspace's folder and the document's name. Leaves: what was given up, and what cannot be. Text in
records is none of a holder's business: erasure redacts every file itself, and puts `REMOVED` in its place; so
it does with the records that a `RecordHolder` has in no file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backends.system.line_logs import ChangesLine

REMOVED = "[removed: it came from a forgotten document]"


@dataclass(frozen=True)
class GaveUp:
    """What one part removed, and the adapters that keep what they have learned."""

    rows: int = 0  # of training
    questions: int = 0  # of the log
    stopped: tuple[str, ...] = ()  # trainings that were under way, by the name of their adapter
    adapters: tuple[str, ...] = ()

    def __add__(self, other: GaveUp) -> GaveUp:
        return GaveUp(
            self.rows + other.rows,
            self.questions + other.questions,
            (*self.stopped, *other.stopped),
            tuple(dict.fromkeys((*self.adapters, *other.adapters))),
        )


class DataHolder(Protocol):
    """A part of the product that keeps more of documents than text in files."""

    @property
    def name(self) -> str:
        """What is named when it could not give everything up."""
        ...

    def forget(self, workspace: Path, document: str) -> GaveUp:
        """Give it up in this workspace or visitor's copy; may be asked again after a crash."""
        ...


class RecordHolder(Protocol):
    """Where records of a workspace lie that stand in none of its files; texts of JSON."""

    @property
    def name(self) -> str:
        """What is named when it could not be read."""
        ...

    def change(self, workspace: Path, changed: ChangesLine) -> None:
        """Put what `changed` says in the place of each record that whoever forgets here is answerable for: of
        everybody, or in a visitor's copy of that visitor. May be asked again after a crash."""
        ...

    def clean(self, workspace: Path) -> bool:
        """Let nothing of what was changed be left, where the workspace's store does not; False when others
        hindered that."""
        ...

    def dumps(self, workspace: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The same records as they are stored, where the workspace's store does not show them: the proof
        reads them."""
        ...

    def limits(self, workspace: Path) -> tuple[str, ...]:
        """What forgetting cannot reach, where the workspace's store does not say it."""
        ...
