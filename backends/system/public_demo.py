"""How much each person may ask, add and train: in a demo that anybody may visit, or where people sign in.

Enters: TRIPTYCH_PUBLIC (`triptych demo --public` sets it) or quotas, who begins what. Leaves: a sentence for
what is beyond the person's share. A share is a person's, whatever role they look through. Among a public
demo's visitors it is fair play and no protection from one who comes back as another; who signs in comes back
as themselves.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from backends.system.viewers import person_and_role

VARIABLE = "TRIPTYCH_PUBLIC"
DAY = 86_400.0
MOST_PEOPLE = 10_000  # whose shares are remembered
MOST_WAITING = 40  # pieces of work of one kind, of all visitors together


@dataclass(frozen=True)
class Share:
    """At most `number` of `what` within `seconds`."""

    what: str
    number: int
    seconds: float


# Kind of job -> what a visitor may have of it. What only looks something up is not counted.
SHARES: Mapping[str, Share] = {
    "ask": Share("questions a minute", 6, 60.0),
    "upload": Share("uploads a day", 20, DAY),
    "train": Share("trainings a day", 2, DAY),
    "build": Share("preparations of training rows a day", 5, DAY),
    "evaluate": Share("evaluations a day", 3, DAY),
    "stress": Share("stress tests a day", 3, DAY),
    "measure": Share("measurements of costs a day", 5, DAY),
}
# How a refusal begins: in a public demo, and where people sign in.
VISITORS, PEOPLE = "This public demo allows each visitor", "Each person here is allowed"
MOST_DOCUMENTS = 20  # that a visitor may have beside those everybody shares


def is_public() -> bool:
    """Whether this server is a demo for anybody."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


def quotas(numbers: Mapping[str, int]) -> dict[str, Share]:
    """The shares with these numbers, by kind of job; what is not named is not limited."""
    return {kind: replace(share, number=numbers[kind]) for kind, share in SHARES.items() if kind in numbers}


def notice() -> str:
    """What visitors are told; empty where the demo is nobody's but the owner's."""
    if not is_public():
        return ""
    asked, trained = SHARES["ask"], SHARES["train"]
    return (
        f"This is a public demo. Each visitor may ask {asked.number} {asked.what}, add {MOST_DOCUMENTS} "
        f"documents and begin {trained.number} {trained.what}. Add nothing secret: what you add is removed a "
        "day after your last visit."
    )


class Shares:
    """What each person has begun lately. Safe to use from several threads."""

    def __init__(
        self,
        shares: Mapping[str, Share] = SHARES,
        clock: Callable[[], float] = time.monotonic,
        *,
        allows: str = VISITORS,
    ) -> None:
        """`allows` begins the sentence of a refusal."""
        self._shares = shares
        self._allows = allows
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def refusal(self, kind: str, owner: str, waiting: int) -> str:
        """Why this may not begin now; empty when it may, and then it counts."""
        share = self._shares.get(kind)
        if share is None:
            return ""
        if waiting >= MOST_WAITING:
            return "Too many visitors wait for this just now: try again in some minutes."
        key = (person_and_role(owner)[0], kind)
        with self._lock:
            now = self._clock()
            begun = self._begun.setdefault(key, deque())
            self._begun.move_to_end(key)
            while len(self._begun) > MOST_PEOPLE:
                self._begun.popitem(last=False)
            while begun and now - begun[0] >= share.seconds:
                begun.popleft()
            if len(begun) >= share.number:
                again = share.seconds - (now - begun[0])
                return f"{self._allows} {share.number} {share.what}. You can go on in {_until(again)}."
            begun.append(now)
        return ""


def _until(seconds: float) -> str:
    if seconds < 120:
        return f"{max(1, round(seconds))} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 7200 else f"{round(seconds / 3600)} hours"
