"""The one-line verdict on one question: computed from the answer records, nothing else.

Enters: answers. Leaves: sentences. A difference too small for one measurement to show is called a tie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from backends.answering.short_answers import same_answer
from backends.datatypes import Answer
from backends.system.wording import money
from pages.ui.look import is_control, label
from pages.ui.text import listing, seconds

TIE = 1.1  # one run of a question varies by about a tenth


@dataclass(frozen=True)
class Verdict:
    """Who was fastest and cheapest, and whether the answers agree; empty where it cannot be told."""

    unwarned: str = ""
    fastest: str = ""
    cheapest: str = ""
    agreement: str = ""

    @property
    def parts(self) -> list[tuple[str, str]]:
        """Labels and sentences, without the empty ones."""
        named = [
            ("Without a warning", self.unwarned),
            ("Fastest", self.fastest),
            ("Cheapest", self.cheapest),
            ("Agreement", self.agreement),
        ]
        return [(name, text) for name, text in named if text]


def verdict(answers: Sequence[Answer]) -> Verdict:
    """Who carries a warning, who of the rest was fastest and cheapest, who agrees; without the control.

    What is no answer, because it declines or carries a warning, is compared with nothing.
    """
    compared = [answer for answer in answers if not is_control(answer.backend)]
    if len(compared) < 2:
        return Verdict()
    standing = [answer for answer in compared if stands(answer)]
    told = Verdict(unwarned=_unwarned(compared, standing), agreement=_agreement(compared))
    if len(standing) < 2:
        return told
    return replace(
        told,
        fastest=_least(standing, lambda answer: answer.latency_ms["total"], seconds),
        cheapest=_cheapest(standing),
    )


def stands(answer: Answer) -> bool:
    """Whether it answers, as far as was found: it does not decline, and nothing warns of it."""
    return bool(answer.text) and not answer.abstained and answer.checks.warning is None


def _unwarned(compared: Sequence[Answer], standing: Sequence[Answer]) -> str:
    declined = [label(answer.backend) for answer in compared if answer.abstained]
    doubted = [label(a.backend) for a in compared if not a.abstained and a not in standing]
    parts = [listing([label(answer.backend) for answer in standing])] if standing else ["none"]
    if declined:
        parts.append(f"{listing(declined)} {'declines' if len(declined) == 1 else 'decline'}")
    if doubted:
        parts.append(f"{listing(doubted)} {'carries' if len(doubted) == 1 else 'carry'} one")
    return "; ".join(parts)


def _cheapest(answers: Sequence[Answer]) -> str:
    """Told where all are priced in one currency: others cannot be held against each other."""
    currencies = sorted({answer.cost.currency for answer in answers})
    if len(currencies) > 1:
        return f"not told, prices are in {listing(currencies)}"
    return _least(answers, lambda answer: answer.cost.amount, lambda amount: money(amount, currencies[0]))


def _least(answers: Sequence[Answer], value: Callable[[Answer], float], show: Callable[[float], str]) -> str:
    """Who has the least of it, and how many times more the most has: `Fine-tuned (2.4×)`."""
    ordered = sorted(answers, key=value)
    best, worst = value(ordered[0]), value(ordered[-1])
    if worst <= best * TIE:
        return f"a tie ({show(worst)})"
    level = [label(answer.backend) for answer in ordered if value(answer) <= best * TIE]
    return (
        f"{listing(level)} ({worst / best:.{1 if worst < 9.95 * best else 0}f}×)" if best else listing(level)
    )


def _agreement(compared: Sequence[Answer]) -> str:
    """Who says the same, in groups; that all are wrong alike is no agreement to be pleased with."""
    groups: list[list[Answer]] = []
    for answer in compared:
        home = next((group for group in groups if all(agree(answer, other) for other in group)), None)
        if home is None:
            groups.append([answer])
        else:
            home.append(answer)
    if len(groups) == 1 and len(groups[0]) > 2:
        return f"all {len(groups[0])} {_do(groups[0])}"
    together = [group for group in groups if len(group) > 1]
    alone = [
        f"{label(only.backend)} {'declines' if only.abstained else 'differs'}"
        for (only,) in (group for group in groups if len(group) == 1)
    ]
    if not together:
        return "every answer says something else"
    sentences = [f"{listing([label(a.backend) for a in group])} {_do(group)}" for group in together]
    return "; ".join([*sentences, *alone])


def _do(group: Sequence[Answer]) -> str:
    """What several answers with one meaning do together."""
    if group[0].abstained:
        return "decline"
    return "agree" if any(map(stands, group)) else "say the same, with a warning"


def agree(first: Answer, second: Answer) -> bool:
    """Whether two answers mean the same: short answers, numbers with units, dates, fields of JSON."""
    return same_answer(first.text, second.text, first.question)
