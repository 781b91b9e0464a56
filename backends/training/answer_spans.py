"""Which pieces of a sentence a question could ask for: amounts, times, names, reasons, what a verb leads to.

Enters: one sentence in English. Leaves: `AnswerSpan`s, the best first, none overlapping another.
It knows no document and no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

SpanKind = Literal["time", "amount", "name", "reason", "list", "phrase"]
LONGEST = 14  # words of a reason or a phrase

_SMALL = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|"
    "ninety|half"
)
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_CLOCK = r"\d{1,2}[:.]\d{2}(?:\s?(?:am|pm|h)\b)?|\d{1,2}\s?(?:am|pm)\b"
_DATE = (
    rf"(?:\d{{1,2}}(?:st|nd|rd|th|\.)?\s(?:of\s)?(?:{_MONTHS})(?:,?\s\d{{4}})?|"
    rf"(?:{_MONTHS})\s\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s\d{{4}})?(?!\d)|(?:{_MONTHS})(?:\s\d{{4}})?|"
    r"\d{4}-\d{2}-\d{2}|\d{1,2}\.\d{1,2}\.\d{4}|\d{1,2}/\d{1,2}/\d{4})"
)
_TIME = re.compile(
    rf"\b(?:from|between)\s(?:{_MONTHS})\s(?:to|until|and)\s(?:{_MONTHS})(?:\s\d{{4}})?\b|"
    rf"\b(?:(?:{_DAYS}),?\s(?:the\s)?)?{_DATE}\b|"
    rf"\b(?:(?:from|between)\s)?(?:{_CLOCK})\s(?:to|until|and)\s(?:{_CLOCK})|"
    rf"\b(?:every\s|each\s)?(?:{_DAYS})s?(?:\s(?:to|and)\s(?:{_DAYS})s?)?\b(?:\sat\s(?:{_CLOCK}))?|"
    rf"\b(?:{_CLOCK})|"
    r"\b(?:the\s)?\d{1,2}(?:st|nd|rd|th)\sof\s(?:the|each|every)\smonth\b(?:\sbefore\b)?"
)
_NUMBER = rf"(?:\d[\d.,]*\d|\d|(?:{_SMALL})(?:-(?:{_SMALL}))?)"
_AMOUNT = re.compile(
    rf"(?:(?:[€$£¥]|EUR|USD|GBP|CHF)\s?\d(?:[\d.,]*\d)?(?:\s(?:million|thousand|billion))?(?:\s(?:a|"
    rf"per)\s[a-z]+)?|"
    rf"\b{_NUMBER}(?:\s?%|\s?°C|\s?[€$£]|[ -](?:million|thousand)\s[a-z]+|[ -](?:working|calendar|business|"
    r"square|cubic)\s[a-z]+|\s(?:kilometres|miles)\s(?:an|per)\shour|\s?[a-z]+/[a-z]+|[ -][A-Za-z]+)"
    r"(?:\s(?:a|an|per|each)\s(?:day|week|month|year|hour|person|night|guest|head|piece|quarter)\b)?)",
    re.IGNORECASE,
)
_NOT_UNITS = frozenset(
    str.split(
        "and or of to in on at for from with by per the a an is are was were will may must can if then "
        "more less "
        "other others further such who which that than until as it its be has have had"
    )
)
_NAME = re.compile(
    r"\b(?:(?:Dr|Mr|Mrs|Ms|Prof)\.?\s)?[A-Z][\w'’-]*(?:\s(?:(?:of|the|de|van|von|e|and|"
    r"&)\s){0,2}(?:[A-Z][\w'’-]*|\d+\b(?!\s?%)))*"
)
_CODE = re.compile(
    r"\b[A-Z]{2,}[-\s]?\d+\b|\b(?:room|form|hall|gate|extension|ext\.)\s[A-Z]?\s?\d+\b", re.IGNORECASE
)
_REASON = re.compile(r"\bbecause\s(?:of\s)?(?P<it>[^,;.]+)")
_VERB_PHRASE = re.compile(
    r"\b(?:is|are|was|were|be|by|costs?|covers?|includes?|means|requires?|needs?|lends?|gives?|pays?|"
    r"repairs?|wears?|"
    r"shows?|provides?|offers?|replaces?|from|behind|beside|through|under|at|in|on|to)\s"
    r"(?P<it>(?:the|a|an|its|their|every|each)\s[^,;.()]+)"
)
_LIST = re.compile(
    r"\b(?:include|cover|contain|comprise|require|need|repair|insure|provide|offer|support|measure|"
    r"accept|replace)s?\s"
    r"(?P<it>[^.;:()]+)\.?$"
)
_NO_LIST = re.compile(
    r"\b(?:them|it|us|who|which|that|if|when|because|unless|until|once|while|where|is|are|was|were|must|may|can|"
    r"will|has|have|"
    r"within|per|by|for|only|not|neither|also|to|from|before|after|during|\d+)\b"
)
_NUMBERED = frozenset(str.split("hall room form extension section level floor clause page version line gate"))
_MUST = re.compile(
    r"^(?!(?:It|They|This|These|If|When|Between|On|In|At|After|Before|During|For|From|There|Everyone|"
    r"Nobody)\b)"
    r"(?P<it>[A-Z][^,;:.]{2,80}?)\s(?:must|have to|has to|needs? to|may only|is required|are required)\s"
)
_ENDS_PHRASE = re.compile(
    r"\s(?:and|or|but|which|who|that|if|when|once|unless|until|because|so|where|while|by|from|with|to|"
    r"for|in|on|at|before|after|"
    r"is|are|was|were|will|must|may|can|has|have|within|during|without|than|through|as|lies?|stays?)\s"
)
_VAGUE = frozenset(
    str.split("it this that these those they he she we you i there all any none same day time way")
)


_HEDGE = re.compile(
    r"\b(?:at least|at most|up to|no more than|not more than|more than|less than|about|around|over|under|"
    r"approximately|every|an average of|a maximum of|a minimum of)\s$"
)


@dataclass(frozen=True)
class AnswerSpan:
    """`sentence[start:end]`, and what kind of thing it is."""

    start: int
    end: int
    kind: SpanKind


def answer_spans(sentence: str, most: int = 3) -> list[AnswerSpan]:
    """At most `most` pieces that a question could ask for, in the order of how sure such a question is."""
    found: list[AnswerSpan] = []
    for each in _candidates(sentence):
        if len(found) == most:
            break
        if all(each.end <= other.start or other.end <= each.start for other in found):
            found.append(each)
    return found


def _candidates(sentence: str) -> Iterator[AnswerSpan]:
    yield from _times(sentence)
    for match in _REASON.finditer(sentence):
        if 2 <= len(match["it"].split()) <= LONGEST:
            yield AnswerSpan(*match.span("it"), "reason")
    found = _LIST.search(sentence)
    if found and not _NO_LIST.search(found["it"]) and 2 <= len(found["it"].split()) <= LONGEST:
        yield AnswerSpan(*found.span("it"), "list")
    yield from _amounts(sentence)
    yield from _names(sentence)
    if (found := _MUST.match(sentence)) and len(found["it"].split()) <= 8:
        yield AnswerSpan(*found.span("it"), "phrase")
    yield from _phrases(sentence)


def _times(sentence: str) -> Iterator[AnswerSpan]:
    for match in _TIME.finditer(sentence):
        if match[0] != "May" or match.start():
            yield AnswerSpan(*match.span(), "time")


def _amounts(sentence: str) -> Iterator[AnswerSpan]:
    for match in _AMOUNT.finditer(sentence):
        last = match[0].split()[-1].lower()
        if last in _NOT_UNITS:
            start, text = match.start(), match[0].rsplit(maxsplit=1)[0]
            if any(map(str.isdigit, text)) and not _is_label(sentence, start):
                yield AnswerSpan(_hedged(sentence, start), start + len(text), "amount")
        elif not _is_label(sentence, match.start()):
            yield AnswerSpan(_hedged(sentence, match.start()), match.end(), "amount")


def _hedged(sentence: str, start: int) -> int:
    """Where the amount begins with what belongs to it: at least 21 days, every six months."""
    hedge = _HEDGE.search(sentence[:start])
    return hedge.start() if hedge else start


def _is_label(sentence: str, start: int) -> bool:
    """A number that belongs to the name before it: hall 3, Mill Yard 6, HW-7."""
    before = sentence[:start].rstrip()
    word = before.split()[-1] if before else ""
    if not sentence[start : start + 1].isdigit():
        return False
    return (
        before.endswith("-") or word.lower() in _NUMBERED or (word[:1].isupper() and len(before) > len(word))
    )


def _names(sentence: str) -> Iterator[AnswerSpan]:
    for match in _NAME.finditer(sentence):
        text = match[0]
        words = text.split()
        opens = match.start() == 0
        if opens and len(words) == 1:
            continue
        if opens and words[0] in {"The", "A", "An", "Each", "Every", "All", "No", "In", "On", "If", "This"}:
            continue
        if len(text) < 3 or re.fullmatch(rf"(?:{_MONTHS}|{_DAYS})s?", text):
            continue
        yield AnswerSpan(*match.span(), "name")
    for match in _CODE.finditer(sentence):
        yield AnswerSpan(*match.span(), "name")


def _phrases(sentence: str) -> Iterator[AnswerSpan]:
    for match in _VERB_PHRASE.finditer(sentence):
        phrase = match["it"].rstrip()
        if cut := _ENDS_PHRASE.search(phrase):
            phrase = phrase[: cut.start()]
        words = phrase.split()
        if 2 <= len(words) <= LONGEST and words[-1].lower() not in _VAGUE and len(phrase) > 6:
            yield AnswerSpan(match.start("it"), match.start("it") + len(phrase), "phrase")
