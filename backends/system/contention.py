"""Locks and counters by which a stopwatch knows what it waited for and what else this process did.

Enters: work, wrapped in a `WatchedLock` or in `working()`. Leaves: `tally()`, whose differences say how long
the asking thread waited and how long others worked meanwhile. Other processes are not seen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_guard = threading.Lock()
_begun: dict[object, tuple[int, float]] = {}  # work under way: thread and when it began
_spent: dict[int, float] = {}  # seconds of finished work by thread
_mine = threading.local()


@dataclass(frozen=True)
class Tally:
    """Seconds so far: waited for by this thread, and worked by all others (two at once count twice)."""

    waited: float = 0.0
    others: float = 0.0

    def since(self, before: Tally) -> Tally:
        """What came on top of an earlier one."""
        return Tally(self.waited - before.waited, self.others - before.others)


def tally() -> Tally:
    """The clock of this thread; only differences mean something."""
    me, now = threading.get_ident(), time.perf_counter()
    with _guard:
        ended = sum(seconds for thread, seconds in _spent.items() if thread != me)
        begun = sum(now - began for thread, began in _begun.values() if thread != me)
    return Tally(getattr(_mine, "waited", 0.0), ended + begun)


@contextmanager
def working() -> Iterator[None]:
    """Around work that takes the processor from whoever is being timed."""
    me, mark = threading.get_ident(), object()
    with _guard:
        _begun[mark] = (me, time.perf_counter())
    try:
        yield
    finally:
        with _guard:
            _, began = _begun.pop(mark)
            _spent[me] = _spent.get(me, 0.0) + time.perf_counter() - began


class WatchedLock:
    """A lock around such work: what is waited for it counts as waiting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it; the wait is counted, and the work within too."""
        began = time.perf_counter()
        with self._lock:
            _mine.waited = getattr(_mine, "waited", 0.0) + time.perf_counter() - began
            with working():
                yield
