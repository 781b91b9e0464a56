"""Numbers and dates written out in English as figures: "twenty-five days" is "25 days", "12 March 2026" is
"2026-03-12".

Enters: text. Leaves: the same text with figures in their place; what is not certainly a number or a date
stays as it is ("Lark One", "12/03/2026", which is read in two ways). It knows no other language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_SMALL = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15,
    "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
_SCALES = {"thousand": 1000, "million": 1_000_000}
_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
_MONTHS = {form: place for place, name in enumerate(_NAMES, 1) for form in (name, name[:3])}
_MONTHS["Sept"] = 9
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?P<year>1[89]\d\d|20\d\d)"
_DATES = (
    re.compile(rf"\b{_DAY}(?:st|nd|rd|th|\.)?(?: of)? (?P<month>{_MONTH})\.?,? {_YEAR}\b"),
    re.compile(rf"\b(?P<month>{_MONTH})\.? {_DAY}(?:st|nd|rd|th)?,? {_YEAR}\b"),
    re.compile(rf"(?<![\w.]){_DAY}\. ?(?P<month>0?[1-9]|1[0-2])\. ?{_YEAR}\b"),
    re.compile(rf"\b(?P<month>{_MONTH})\.? (?P<day>){_YEAR}\b"),
)
_WORD = "|".join([*_SMALL, *_TENS, "hundred", *_SCALES])
_AND = rf"(?:(?:(?<=hundred)|(?<=thousand)|(?<=million)) and(?= (?:{_WORD})\b))?"
_NUMBER = re.compile(rf"\b(?:{_WORD}){_AND}(?:[ -](?:{_WORD}){_AND})*\b", re.IGNORECASE)
_OPENS = re.compile(r"(?:^|[.!?:;\"'(\[]\s*)$")


def with_figures(text: str) -> str:
    """The text with its English number words and unmistakable dates in figures."""
    for pattern in _DATES:
        text = pattern.sub(_date, text)
    return _NUMBER.sub(_figures, text)


def _date(match: re.Match[str]) -> str:
    month = _MONTHS.get(match["month"]) or int(match["month"])
    day = f"-{int(match['day']):02d}" if match["day"] else ""
    return f"{match['year']}-{month:02d}{day}"


def _figures(match: re.Match[str]) -> str:
    """A capital within a sentence makes a name of it: Lark One is no 1."""
    found = match[0]
    if found[0].isupper() and not _OPENS.search(match.string[: match.start()]):
        return found
    values = list(_values(re.split(r"[ -]", found.lower())))
    return " ".join(map(str, values))


def _values(words: list[str]) -> Iterator[int]:
    """The numbers that these words say in turn: "two three" are two numbers, "two hundred" is one."""
    total, current, room = 0, None, 0  # `room`: below which a further word still belongs to the number
    for word in words:
        if word == "and":
            continue
        if word == "hundred" or word in _SCALES:
            scale = 100 if word == "hundred" else _SCALES[word]
            current = (1 if current is None else current) * scale
            if scale > 100:
                total, current = total + current, 0
            room = scale
            continue
        value = _SMALL.get(word, _TENS.get(word, 0))
        if current is not None and value >= room:
            yield total + current
            total, current = 0, None
        current = (current or 0) + value
        room = 10 if word in _TENS else 0
    if current is not None:
        yield total + current
