"""Removals that can still be undone: a document goes when its page is left, or closed, or at a click.

Enters: the jobs of a visitor. Leaves: which documents are about to go, and the word to let them go. The work
itself is in `pages.library.removing`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pages.ui import resources

FORGET = "forget"
AWAY = 60.0  # seconds without a sign of the page: it was closed
LOOK = 0.2


@dataclass
class PendingRemoval:
    """Documents about to be removed; `seen` is when the page last showed that they can be kept."""

    names: tuple[str, ...]
    seen: float = field(default_factory=time.monotonic)
    begun: bool = False
    _due: threading.Event = field(default_factory=threading.Event)

    def still_here(self) -> None:
        """Note that the visitor still looks at the page."""
        self.seen = time.monotonic()

    def go(self) -> None:
        """Let it begin now."""
        self._due.set()

    def wait(self, undone: threading.Event, clock: Callable[[], float] = time.monotonic) -> bool:
        """Until it is time to go; False when it was undone."""
        while not self._due.wait(LOOK):
            if undone.is_set():
                return False
            if clock() - self.seen > AWAY:
                break
        self.begun = not undone.is_set()
        return self.begun


def waiting(visitor: str) -> list[PendingRemoval]:
    """Those that can still be undone."""
    found = []
    for job in resources.jobs().owned_by(visitor, FORGET):
        if not job.finished and not job.cancelling:
            found += job.events_of(PendingRemoval)
    return [removal for removal in found if not removal.begun]


def begin_all(visitor: str) -> None:
    """The page was left: what was about to be removed is removed now."""
    for removal in waiting(visitor):
        removal.go()
