"""Figures as people say them, durations and amounts of money, and the warnings that several modules give.

Enters: numbers. Leaves: words. Pages, reports and the command line use the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

FIRST_USE = "First answer of this backend since the program started: its times include warming up."
NEVER_LEARNED = "Its weights never learned"  # how a warning about documents new to an adapter begins
STOPPED = "Stopped on request: the answer is incomplete."
FEW_WORDS_FOUND = "Ungrounded:"  # how a warning about words that no document holds begins
CHANCE_OF_AN_ANSWER = "Declined:"  # how the reason begins why what was written was not said
UNDER_LOAD = "Timed under load:"  # how each warning of this kind begins


def untypical(warnings: Iterable[str]) -> bool:
    """Whether warnings say that an answer's times are not those of a warm machine with nothing else to do."""
    return any(warning.startswith((FIRST_USE, STOPPED, UNDER_LOAD)) for warning in warnings)


def duration(seconds: float) -> str:
    """Seconds as people say them: `0.42 s`, `48 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds) // 60
    if minutes < 60:
        return f"{minutes} min {round(seconds) % 60} s"
    return f"{minutes // 60} h {minutes % 60} min"


def roughly(seconds: float) -> str:
    """A time that was only estimated: `45 s`, `10 min`, `2 h`; what is behind it would not be known."""
    if seconds < 90:
        return f"{max(5, round(seconds / 5) * 5)} s"
    return f"{round(seconds / 60)} min" if seconds < 90 * 60 else f"{round(seconds / 3600)} h"


def figure(value: float) -> str:
    """A number in full as people write it, never in powers of ten; six digits, more only of a whole one:
    `30,000`, `43.5`, `100,000,000`.
    """
    digits = f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    return f"{Decimal(digits) + 0:,f}"


def money(amount: float, currency: str) -> str:
    """Two decimals; below a cent two significant digits, never in powers of ten; from 1,000 on no decimals:
    `$0.000033`, `$12.40`, `$8,100,000`.
    """
    if 0 < abs(amount) < 0.01:
        digits = f"{Decimal(f'{amount:.1e}'):f}"
    else:
        digits = f"{amount:,.0f}" if abs(amount) >= 1000 else f"{amount:.2f}"
    return f"${digits}" if currency == "USD" else f"{digits} {currency}"
