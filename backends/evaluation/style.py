"""Checks the house style of an answer: the rules a company can state and a program can read.

Enters: an answer's text. Leaves: which rules it breaks. The rules are those of the sample company's brand
voice guide that need no judgement, and of its training rows: the short answer first, then the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from backends.answering.answer_text import is_abstention, without_markers
from backends.answering.overlap import sentences
from backends.system.json_texts import is_json

LONGEST_SENTENCE = 20  # words
MOST_SENTENCES = 4
BANNED = (
    "device", "devices", "gadget", "gadgets", "data point", "data points", "particulate matter",
    "remedial action", "toxic air", "users", "smart", "revolutionary", "seamless",
)  # fmt: skip
PADDING = re.compile(r"(certainly|sure|of course|great question|as an ai|based on the)\b", re.IGNORECASE)
_BANNED = re.compile(rf"\b({'|'.join(BANNED)})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """A rule of the house style, and how to tell whether an answer follows it."""

    name: str
    follows: Callable[[str], bool]  # of an answer without markers


RULES = (
    Rule("at most 20 words in a sentence", lambda text: _longest(text) <= LONGEST_SENTENCE),
    Rule("at most four sentences", lambda text: len(sentences(text)) <= MOST_SENTENCES),
    Rule("no exclamation mark", lambda text: "!" not in text),
    Rule("ends with a full stop", lambda text: text.endswith(".")),
    Rule("begins with the answer, not with padding", lambda text: not PADDING.match(text)),
    Rule("no word the brand guide bans", lambda text: not _BANNED.search(text)),
)


def broken_rules(answer: str) -> list[str] | None:
    """Names of the rules this answer breaks; None for an abstention, a JSON value or an empty answer."""
    text = without_markers(answer)
    if not text or is_abstention(text) or is_json(text):
        return None
    return [rule.name for rule in RULES if not rule.follows(text)]


def follows_style(answer: str) -> bool | None:
    """Whether it breaks none; None where style does not apply."""
    broken = broken_rules(answer)
    return None if broken is None else not broken


def _longest(text: str) -> int:
    return max((len(sentence.split()) for sentence in sentences(text)), default=0)
