"""One way to answer, as those see it who ask or time it: what all four of them have in common.

Enters: a question and settings. Leaves: the events of an answer. It knows none of the four.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from backends.datatypes import BackendName, Event
from backends.settings import Settings


class Backend(Protocol):
    """One way to answer. It reports stages and never times itself: `stopwatch` holds the clock."""

    @property
    def name(self) -> BackendName:
        """Which of the four it is."""
        ...

    def run(self, question: str, settings: Settings) -> Iterator[Event]:
        """Yield events, ending with exactly one `Finished`. Raises UserError when it cannot answer."""
        ...
