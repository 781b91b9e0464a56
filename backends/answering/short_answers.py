"""What an answer says in short, and whether two answers, or an answer and a passage, say the same.

Enters: answers, the question they were given to, passages. Leaves: verdicts. Compared is what an answer adds
to its question: its numbers with their units, its dates, its names, whether it affirms or denies; then its
other words. It knows no language model and no document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import Literal

from backends.answering.answer_text import is_abstention, without_markers
from backends.answering.overlap import content_tokens, sentences
from backends.language.compared_words import compared_words
from backends.language.spelled_numbers import with_figures
from backends.system.json_texts import is_json, json_value

ENOUGH = 0.7  # share of the fewer words that two answers without numbers and names must have in common

Verdict = Literal["yes", "no"]

_VERDICT = re.compile(r"\s*(yes|no)\b(?!\.\s*\d)", re.IGNORECASE)
_DENIES = re.compile(
    r"\b(?:not|no|never|none|nobody|cannot|neither|nor|without|prohibited|forbidden|excluded|excludes|refused|"
    r"declined|void|voids|invalid|unavailable|impossible)\b|n't\b",
    re.IGNORECASE,
)
_LIMITS = re.compile(
    r"\b(?:only|unless|except|until|within|at most|at least|before|after|must|required|requires|instead|but|"
    r"need|needs|longer|however|if|from)\b|\d",
    re.IGNORECASE,
)
_UNITS = {
    form: forms.split()[0]
    for forms in (
        "s sec second seconds", "min minute minutes", "h hr hrs hour hours", "day days", "week weeks",
        "month months", "year years", "mg", "g gram grams", "kg kgs kilo kilos kilogram kilograms",
        "t tonne tonnes ton tons", "mm millimetre millimetres", "cm centimetre centimetres",
        "m metre metres meter meters", "km kilometre kilometres", "ml", "l litre litres", "%", "°c", "°f",
        "eur", "usd", "gbp", "chf", "inr", "jpy", "cny", "ppm", "ppb", "db", "w watt watts", "kw", "kwh",
        "v volt volts", "mah", "hz", "khz", "mhz", "ghz", "kb", "mb", "gb", "tb", "bar", "pa", "hpa",
        "million", "thousand",
    )
    for form in forms.split()
}  # fmt: skip
_PART = re.compile(r"[;:,.!?()](?=\s)|\n")  # no unit stands behind these
_LABEL = re.compile(r"(?<=[a-z\d] )[A-Z]\b(?!['’]|\.\s?\w)")
_NAME = re.compile(r"[^\W\d_a-zß-ÿ][\w'’-]*")


@dataclass(frozen=True)
class Said:
    """What a text states beside the words of its question."""

    numbers: frozenset[tuple[str, str]]  # each with its unit, "" where none stands behind it
    names: frozenset[str]
    words: frozenset[str]  # stems of all content words, names among them, numbers not
    denies: bool


def short_answer(text: str) -> str:
    """The answer's first sentence without markers; what follows a bare "Yes." or "No." belongs to it."""
    said = [without_markers(each) for each in sentences(text)]
    said = [each for each in said if each]
    if len(said) > 1 and verdict_of(said[0]) and len(said[0].split()) == 1:
        return " ".join(said[:2])
    return said[0] if said else ""


def verdict_of(text: str) -> Verdict | None:
    """The Yes or No that the text opens with."""
    found = _VERDICT.match(text)
    if found is None:
        return None
    return "yes" if found[1].lower() == "yes" else "no"


def same_answer(one: str, other: str, question: str = "") -> bool:
    """Whether two whole answers to one question say the same."""
    if is_abstention(one) or is_abstention(other):
        return is_abstention(one) and is_abstention(other)
    if is_json(one) or is_json(other):
        return is_json(one) and is_json(other) and _plain_json(one) == _plain_json(other)
    first, second = short_answer(one), short_answer(other)
    verdicts = {verdict_of(first), verdict_of(second)} - {None}
    if len(verdicts) == 2:
        return False
    left, right = said_in(first, question), said_in(second, question)
    if not (left.numbers or left.words or right.numbers or right.words):
        return bool(verdicts) and verdict_of(first) == verdict_of(second)
    if left.numbers and right.numbers:
        return within(left.numbers, right.numbers) or within(right.numbers, left.numbers)
    if left.denies != right.denies:
        return False
    if bool(left.numbers) != bool(right.numbers):
        return bool(left.words and right.words) and (left.words <= right.words or right.words <= left.words)
    if left.names and right.names and not (left.names <= right.words or right.names <= left.words):
        return False
    return _overlap(left.words, right.words)


def stated_in(answer: str, passage: str, question: str = "") -> bool:
    """Whether the passage states the short answer: all its numbers and names, and most of its other words."""
    short = short_answer(answer)
    verdict, short = verdict_of(short), re.sub(_VERDICT, "", short, count=1).strip(" .,;:")
    said, there = said_in(short, question), said_in(passage)
    if not (said.numbers or said.words):
        return False
    if (verdict == "yes" and there.denies) or (said.denies and not there.denies):
        return False
    if not within(said.numbers, there.numbers) or not said.names <= there.words:
        return False
    rest = said.words - said.names
    return bool(said.numbers) or len(rest & there.words) >= ENOUGH * len(rest)


def disagrees_with_its_sentence(answer: str) -> str | None:
    """The sentence that the answer's leading Yes or No contradicts; None where there is none.

    Yes in front of a sentence that denies, or No in front of one that affirms without any limit.
    """
    verdict = verdict_of(answer)
    said = [without_markers(each) for each in sentences(answer)]
    rest = [re.sub(_VERDICT, "", said[0], count=1).strip(" .,;:"), *said[1:]] if said else []
    first = next((each for each in rest if len(each.split()) > 2), None)
    if verdict is None or first is None:
        return None
    denies = bool(_DENIES.search(first))
    wrong = denies if verdict == "yes" else not denies and not _LIMITS.search(first)
    return first if wrong else None


def said_in(text: str, question: str = "") -> Said:
    """What the text states; of an answer only what is not in its question, where it adds anything."""
    whole = _said(without_markers(text))
    if not question:
        return whole
    asked = _said(question)
    numbers = frozenset(n for n in whole.numbers if not within([n], asked.numbers))
    added = Said(numbers, whole.names - asked.words, whole.words - asked.words, whole.denies)
    return added if added.numbers or added.words else whole


@lru_cache(maxsize=8192)
def _said(text: str) -> Said:
    figures = with_figures(text)
    numbers: set[tuple[str, str]] = set()
    for part in _PART.split(figures):
        tokens = compared_words(part, "figures")
        for token, behind in zip_longest(tokens, tokens[1:], fillvalue=""):
            if any(map(str.isdigit, token)):
                numbers.add((token, unit_of(behind)))
    words = frozenset(each for each in content_tokens(figures) if not each[0].isdigit())
    names = frozenset(stem for name in _names(text) for stem in content_tokens(name)) & words
    labels = frozenset(_LABEL.findall(text)) - {"I"}  # pontoon A
    return Said(frozenset(numbers), names | labels, words | labels, bool(_DENIES.search(text)))


def within(some: Iterable[tuple[str, str]], all_: Iterable[tuple[str, str]]) -> bool:
    """Whether each number is among the others; a unit counts where both have one."""
    others = list(all_)
    return all(any(n == m and (not u or not v or u == v) for m, v in others) for n, u in some)


def _names(text: str) -> Iterable[str]:
    """Capitalised words that do not open a sentence, and codes of capitals wherever they stand."""
    for match in _NAME.finditer(text):
        before = text[: match.start()].rstrip()
        opens = not before or before[-1] in ".!?:;"
        if len(match[0]) > 1 and (not opens or match[0].isupper()):
            yield match[0]


def _overlap(one: frozenset[str], other: frozenset[str]) -> bool:
    fewer = min(len(one), len(other))
    return one == other if not fewer else len(one & other) >= ENOUGH * fewer


def unit_of(word: str) -> str:
    """The unit that the word is, in one form; "" for any other word: 600 calls may be 600 requests."""
    return _UNITS.get(word, "")


def _plain_json(text: str) -> object:
    return _lowered(json_value(text))


def _lowered(value: object) -> object:
    """Words of JSON values are compared without case, as those of answers are."""
    if isinstance(value, dict):
        return {key: _lowered(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_lowered(each) for each in value]
    return value.strip().casefold() if isinstance(value, str) else value
