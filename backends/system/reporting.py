"""How long work says how far it is: a function of what is done, the total, and what is worked on.

Enters: nothing. Leaves: a type, and the function for callers that do not watch. It knows no work.
"""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[int, int, str], None]  # done, total, what


def no_report(_done: int, _total: int, _what: str) -> None:
    """Ignore progress: for callers that do not watch."""
