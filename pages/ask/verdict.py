"""The verdict on one question: computed from the answer records, nothing else.

Enters: answers. Leaves: one conclusion in plain words, and who was fastest and cheapest. It says of an answer
what its labels say: who carries a warning is praised for nothing. A difference too small for one measurement
to show is called a tie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from backends.answering.short_answers import same_answer, short_answer, verdict_of
from backends.datatypes import Answer
from backends.system.json_texts import is_json
from backends.system.wording import money
from pages.ui.look import is_control, label
from pages.ui.text import listing, seconds

TIE = 1.1  # one run of a question varies by about a tenth
LONGEST_QUOTE = 60  # characters of an answer that the conclusion repeats


@dataclass(frozen=True)
class Verdict:
    """What to make of the answers, and who was fastest and cheapest; empty where it cannot be told."""

    conclusion: str = ""
    fastest: str = ""
    cheapest: str = ""

    @property
    def parts(self) -> list[tuple[str, str]]:
        """Labels and what was measured, without the empty ones."""
        return [
            (name, text) for name, text in (("Fastest", self.fastest), ("Cheapest", self.cheapest)) if text
        ]


def verdict(answers: Sequence[Answer]) -> Verdict:
    """Who says the same, who carries a warning, and of the rest who was fastest and cheapest; no control.

    What is no answer, because it declines or carries a warning, is compared with nothing.
    """
    compared = [answer for answer in answers if not is_control(answer.backend)]
    if not compared:
        return Verdict()
    standing = [answer for answer in compared if stands(answer)]
    told = Verdict(_conclusion(compared, standing))
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


# --- the conclusion --------------------------------------------------------------------------------


def _conclusion(compared: Sequence[Answer], standing: Sequence[Answer]) -> str:
    """`RAG and Hybrid agree: “0.3 %”. A source contradicts Fine-tuned.`"""
    rest = [answer for answer in compared if answer not in standing]
    if not standing:
        if all(answer.abstained for answer in rest):
            return _sentence(_declining(rest))
        return _sentence("no answer stands: " + "; ".join(_faults(rest, [])))
    groups = _groups(standing)
    lead = _alike(groups[0], compared) if len(groups) == 1 else _apart(groups)
    faults = _faults(rest, groups)
    return " ".join([_sentence(lead), *([_sentence("; ".join(faults))] if faults else [])])


def _alike(group: Sequence[Answer], compared: Sequence[Answer]) -> str:
    """What all answers that stand say."""
    if len(group) == 1:
        lead = f"{'only ' if len(compared) > 1 else ''}{label(group[0].backend)} answers without a warning"
    elif len(group) == len(compared) and len(group) > 2:
        lead = f"all {len(group)} agree"
    else:
        lead = f"{_names(group)} agree"
    if quote := _quote(group):
        lead += f": “{quote}”"
    unsaid = all(answer.checks.support == "not mentioned" for answer in group)
    return f"{lead}, though no passage found says it" if unsaid else lead


def _apart(groups: Sequence[Sequence[Answer]]) -> str:
    """That answers differ of which none carries a warning."""
    together = [f"{_names(group)} agree" for group in groups if len(group) > 1]
    alone = [group[0] for group in groups if len(group) == 1]
    if not together:
        return f"{_names(alone)} say different things and none carries a warning: compare their sources"
    if alone:
        together.append(f"{_names(alone)} {_verb(alone, 'says', 'say')} something else")
    return f"{', '.join(together)}; none of these carries a warning: compare their sources"


def _faults(rest: Sequence[Answer], groups: Sequence[Sequence[Answer]]) -> list[str]:
    """What speaks against the others, as their labels say it."""
    declined = [answer for answer in rest if answer.abstained]
    silent = [answer for answer in rest if not answer.text]
    doubted = [answer for answer in rest if answer.text and not answer.abstained]
    same = [a for a in doubted if any(agree(a, other) for group in groups for other in group)]
    against = [a for a in doubted if a not in same and a.checks.support == "contradicted"]
    warned = [a for a in doubted if a not in same and a not in against]
    found = []
    if same:
        found.append(f"{_names(same)} {_verb(same, 'says', 'say')} the same, with a warning")
    if against:
        found.append(f"a source contradicts {_names(against)}")
    if warned:
        found.append(f"{_names(warned)} {_verb(warned, 'carries', 'carry')} a warning")
    if silent:
        found.append(f"{_names(silent)} {_verb(silent, 'says', 'say')} nothing")
    return [*found, *([_declining(declined)] if declined else [])]


def _declining(declined: Sequence[Answer]) -> str:
    """`RAG declines, though a passage seems to answer`."""
    overlooked = any(answer.checks.warning is not None for answer in declined)
    verb = f"{_names(declined)} {_verb(declined, 'declines', 'decline')}"
    return f"{verb}, though a passage seems to answer" if overlooked else verb


def _quote(group: Sequence[Answer]) -> str:
    """The shortest of these answers where it is short enough to be read at a glance, or its Yes or No."""
    if any(is_json(answer.text) for answer in group):
        return ""
    if (yes_or_no := next(filter(None, (verdict_of(answer.text) for answer in group)), None)) is not None:
        return yes_or_no.capitalize()
    shortest = min((short_answer(answer.text).rstrip(" .") for answer in group), key=len)
    return shortest if len(shortest) <= LONGEST_QUOTE else ""


def _groups(answers: Sequence[Answer]) -> list[list[Answer]]:
    """The answers by what they say, in their order."""
    groups: list[list[Answer]] = []
    for answer in answers:
        home = next((group for group in groups if all(agree(answer, other) for other in group)), None)
        if home is None:
            groups.append([answer])
        else:
            home.append(answer)
    return groups


def _names(answers: Sequence[Answer]) -> str:
    return listing([label(answer.backend) for answer in answers])


def _verb(answers: Sequence[Answer], one: str, many: str) -> str:
    return one if len(answers) == 1 else many


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def agree(first: Answer, second: Answer) -> bool:
    """Whether two answers mean the same: short answers, numbers with units, dates, fields of JSON."""
    return same_answer(first.text, second.text, first.question)


# --- what was measured -----------------------------------------------------------------------------


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
