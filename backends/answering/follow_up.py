"""A backend that is asked follow-up questions: it words each so that it stands alone, then answers it.

Enters: any backend and the questions asked before. Leaves: its events, after a stage of their own in which
the question is worded anew, so that the one stopwatch measures that too. It knows no page and no session.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backends.datatypes import Backend, BackendName, Event, Stage
from backends.retrieval.follow_ups import standalone
from backends.settings import Settings


@dataclass(frozen=True)
class FollowUp:
    inner: Backend
    earlier: Sequence[str]  # oldest first

    @property
    def name(self) -> BackendName:
        return self.inner.name

    def run(self, question: str, settings: Settings) -> Iterator[Event]:
        yield Stage("rewrite")
        meant = standalone(question, self.earlier)
        yield from self.inner.run(meant, settings)
