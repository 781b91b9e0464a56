"""The one-line verdict on one question: computed from the answer records, nothing else.

Enters: answers. Leaves: sentences. A difference too small for one measurement to show is called a tie.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backends.datatypes import Answer
from backends.system.wording import money
from pages.ui.look import CONTROL, label
from pages.ui.text import SMALL_WORDS, listing, seconds

TIE = 1.1  # one run of a question varies by about a tenth
AGREEMENT = 0.5  # share of words two agreeing answers have in common (token F1)

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Verdict:
    fastest: str = ""
    cheapest: str = ""
    agreement: str = ""

    @property
    def parts(self) -> list[tuple[str, str]]:
        named = [
            ("Fastest", self.fastest),
            ("Cheapest", self.cheapest),
            ("Agreement", self.agreement),
        ]
        return [(name, text) for name, text in named if text]


def verdict(answers: Sequence[Answer]) -> Verdict:
    """Who was fastest and cheapest, who agrees with whom; the control does not compete."""
    compared = [answer for answer in answers if answer.backend != CONTROL]
    if len(compared) < 2:
        return Verdict()
    currency = compared[0].cost.currency
    return Verdict(
        fastest=_least(compared, lambda answer: answer.latency_ms["total"], seconds),
        cheapest=_least(compared, lambda answer: answer.cost.amount, lambda amount: money(amount, currency)),
        agreement=_agreement(compared),
    )


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


def _agreement(answers: Sequence[Answer]) -> str:
    groups: list[list[Answer]] = []
    for answer in answers:
        home = next((group for group in groups if all(agree(answer, other) for other in group)), None)
        if home is None:
            groups.append([answer])
        else:
            home.append(answer)
    if len(groups) == 1:
        names = [label(answer.backend) for answer in groups[0]]
        return f"{listing(names)} agree" if len(names) == 2 else f"all {_count(len(names))} agree"
    together = [group for group in groups if len(group) > 1]
    alone = [label(group[0].backend) for group in groups if len(group) == 1]
    if not together:
        return "every answer says something else"
    sentences = [f"{listing([label(a.backend) for a in group])} agree" for group in together]
    return "; ".join([*sentences, *[f"{name} differs" for name in alone]])


def _count(number: int) -> str:
    return {2: "two", 3: "three"}.get(number, str(number))


def agree(first: Answer, second: Answer) -> bool:
    """Two answers agree when both decline, or when they hold the same numbers and share half their words."""
    if first.abstained or second.abstained:
        return first.abstained and second.abstained
    left, right = _words(first.text), _words(second.text)
    if not left or not right:
        return left == right
    if not _compatible(_numbers(first.text), _numbers(second.text)):
        return False
    shared = len(left & right)
    # The short answer "30 days" agrees with the sentence that holds it: the overlap counts both ways.
    return 2 * shared / (len(left) + len(right)) >= AGREEMENT or shared == min(len(left), len(right))


def _compatible(first: set[str], second: set[str]) -> bool:
    return not first or not second or first <= second or second <= first


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(_without_markers(text)))


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", _without_markers(text).casefold()) if word not in SMALL_WORDS}


def _without_markers(text: str) -> str:
    return re.sub(r"\[\d{1,2}\]", " ", text)
