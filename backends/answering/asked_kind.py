"""What kind of thing a question asks for, and whether a short answer is one: money, a duration, a length ...

Enters: a question and a short answer. Leaves: a verdict. It goes by the question's words and the answer's
units alone and knows no document; where the question does not tell, nothing is held against the answer.
"""

from __future__ import annotations

import re
from typing import Literal

from backends.answering.short_answers import said_in, unit_of

Kind = Literal[
    "money", "duration", "length", "area", "mass", "share", "moment", "count", "temperature", "volume"
]

_UNITS: dict[Kind, frozenset[str]] = {
    "money": frozenset({"eur", "usd", "gbp", "chf", "inr", "jpy", "cny"}),
    "duration": frozenset({"s", "min", "h", "day", "week", "month", "year"}),
    "length": frozenset({"mm", "cm", "m", "km"}),
    "mass": frozenset({"mg", "g", "kg", "t"}),
    "share": frozenset({"%"}),
    "temperature": frozenset({"°c", "°f"}),
    "volume": frozenset({"ml", "l"}),
}
_OF_UNIT: dict[str, Kind] = {unit: kind for kind, units in _UNITS.items() for unit in units}
_SQUARE = (
    r"(?:(?:square|sq\.?) ?(?:(?:kilo|centi|milli)?met(?:re|er)s?|[ckm]?m|feet|foot|ft|yards?|miles?"
    r"|inch(?:es)?)|[ckm]?m(?:²|\^?2)|hectares?|acres?)(?!\w)"
)
_AREA = re.compile(
    rf"\b(?!(?:an?|per|each|every)\b)(?:\d[\d.,]*|[a-z]+(?:-[a-z]+)?) ?{_SQUARE}", re.IGNORECASE
)  # 12 m², twelve acres
_MANY = r"\b(?:how many|what number of|(?:what|which) (?:is the )?number of)"
_TIME = r"(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|working days?|business days?|nights?)"

# What asks for each kind. Several may fit ("how long": a time or a cable); then any of them will do.
_ASKING: tuple[tuple[str, tuple[Kind, ...]], ...] = (
    (rf"{_MANY} (?:\w+ )?{_TIME}\b", ("duration",)),
    (r"\bhow long\b", ("duration", "length", "moment")),
    (r"\b(?:how (?:soon|quickly|fast|far ahead|far in advance|old)|how much (?:time|notice))\b",
     ("duration", "moment")),
    (r"\b(?:in|within|for|after|over) (?:what|which) (?:length of )?(?:time|period)\b",
     ("duration", "moment")),
    (r"\bnotice period\b", ("duration",)),
    (r"\bhow much (?:money|cash)\b|\b(?:price|cost|costs|fee|fees|postage|salary|wage|rent|deposit|fine|"
     r"penalty|budget|revenue|turnover|allowance|fare|sum|euros?|pounds?|dollars?|(?<!per )cents|pence)\b|"
     r"\b(?:what|how much) (?:\w+ ){0,6}(?:pay|pays|paid|charged|refunded|reimbursed)\b",
     ("money",)),
    (r"\bhow (?:high|tall|deep|wide|thick|far)\b(?! ahead| in advance)|"
     r"\bat what (?:height|depth|distance)\b",
     ("length",)),
    (r"\bhow (?:heavy|much does \w+(?: \w+){0,3} weigh)\b|\bwhat (?:weight|mass)\b", ("mass",)),
    (r"\b(?:percentage|per ?cent|proportion)\b|\b(?:what|which) (?:share|discount|rate)\b", ("share",)),
    (r"^when\b|\b(?:and|,) when\b|\b(?:since|until|till|by|from) when\b|"
     r"\b(?:what|which) (?:date|day|month|year)\b|"
     r"\b(?:at|by|until) what (?:time|date)\b|\bdeadline\b", ("moment", "duration")),
    (rf"{_MANY} {_SQUARE}", ("area",)),
    (rf"{_MANY}\b(?! (?:\w+ )?{_TIME}\b)(?! per ?cent)", ("count",)),
    (r"\bhow (?:warm|hot|cold)\b|\bwhat temperature\b", ("temperature",)),
)  # fmt: skip
_ASKS = tuple((re.compile(pattern, re.IGNORECASE), kinds) for pattern, kinds in _ASKING)
_MOMENT = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|spring|summer|autumn|winter|noon|midnight|quarter|"
    r"q[1-4]|today|tomorrow|christmas|easter)\b|\b\d{1,2}[:.]\d{2}\b|\b\d{4}-\d{2}|\b(?:19|20)\d\d\b|"
    r"\b\d{1,2} ?[ap]\.?m\b|\bo'clock\b|\b(?:after|before|until|once|as soon as|at the end|on the day)\b",
    re.IGNORECASE,
)


_COUNTED = re.compile(rf"{_MANY} ([\w-]+)(?: ([\w-]+))?(?: ([\w-]+))?", re.IGNORECASE)
# Here a figure of another kind may well answer: a fine of 5 %, an allowance of 20 kg, free "above 50 EUR".
_OPEN = re.compile(
    r"^\W*(?:when|if|since|until|from)\b|"
    r"\b(?:when|allowance|deposit|penalty|fine|budget|sum|rate|discount|limit)\b",
    re.IGNORECASE,
)
# Only here the words leave no doubt: "how high is the margin" and "weeks on full salary" may want any kind.
_PLAIN = re.compile(
    r"^\W*(?:how (?:many|long|heavy|tall|wide|thick)\b|"
    r"(?:how much|what (?:is|are|was|were|does|do|did|will|would))\b[^.?!;,]*"
    r"\b(?:price|cost|costs|fee|postage|salary|rent|fare)\b)",
    re.IGNORECASE,
)
_RATE = re.compile(r"\b(?:an?|per|each|every) (?:hour|day|night|week|month|quarter|year)\b|/ ?[hd]\b", re.I)


def asked_unit(question: str) -> str:
    """The unit that the question counts in ("how many working days": day); "" where it names none."""
    found = _COUNTED.search(question)
    units = (unit_of((word or "").lower()) for word in found.groups()) if found else ()
    return next(filter(None, units), "")


def asked_kinds(question: str) -> frozenset[Kind]:
    """The kinds of things the question may want; empty where its words do not tell."""
    kinds = frozenset(kind for pattern, kinds in _ASKS if pattern.search(question) for kind in kinds)
    if "count" in kinds and (kind := _OF_UNIT.get(asked_unit(question))):
        return kinds - {"count"} | {kind}
    return kinds


def kinds_said(short: str, question: str = "") -> frozenset[Kind]:
    """The kinds of figures in a short answer; a number without a unit of measure is a count."""
    rest, areas = _AREA.subn(" ", short)
    kinds: set[Kind] = {_OF_UNIT.get(unit, "count") for _, unit in said_in(rest, question).numbers}
    if areas:
        kinds.add("area")
    return frozenset(kinds | {"moment"}) if _MOMENT.search(short) else frozenset(kinds)


def kind_fit(question: str, short: str) -> float:
    """1 if the answer is of a kind that is asked for, -1 if it holds figures of other kinds alone or none.

    0 where the question does not tell, or where a number stands without the unit that may be understood.
    """
    asked = asked_kinds(question)
    if not asked:
        return 0.0
    said = kinds_said(short, question)
    if asked & said:
        return 1.0
    return 0.0 if said == {"count"} else -1.0


def of_another_kind(question: str, short: str) -> bool:
    """Whether the answer's figures, all of them, cannot be what the question asks for: tonnes for a number of
    boats, hours a week for days of leave. False wherever there is room for doubt."""
    asked = asked_kinds(question)
    if not asked or not _PLAIN.search(question) or _OPEN.search(question):
        return False
    said = kinds_said(short, question)
    if asked & said:
        units = {unit for _, unit in said_in(short, question).numbers if unit}
        other = bool(units) and asked_unit(question) not in (*units, "")
        return other and bool(_RATE.search(short)) and not _RATE.search(question)
    if "share" in said and not asked.isdisjoint({"money", "count"}):  # 5 % of the fee, half of them
        return False
    if "count" in asked and _RATE.search(question):  # how many an hour: one every 20 minutes
        return False
    return bool(said - {"count", "moment"})  # a bare number may be anything
