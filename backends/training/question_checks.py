"""Why a question is not kept: its form, what it gives away, what it leaves unsaid, and the round trip.

Enters: a question, the short answer it was made for, the text it stands in, and a reader. Leaves: a reason in
words, or None. The round trip reads the passage among its neighbours: only a question that leads back to the
answer is kept. It knows no document and no language model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from backends.answering.answerability import Reader
from backends.answering.overlap import content_tokens
from backends.answering.short_answers import same_answer
from backends.retrieval.span_reader import Span

Why = Literal[
    "was no question",
    "did not say what it was about",
    "gave the answer away",
    "asked for something else than its answer",
    "had words that its document does not",
    "was not answered by its passage",
    "had another answer in a passage nearby",
    "asked the same as another row",
    "had another answer in another row",
    "was worded by a model that was unsure of it",
]
FEWEST, MOST = 4, 24  # words
FEWEST_WORDS = 2  # that say what is asked about: "How much is the fee?" may be any fee
MEASURING = frozenset(["long", "much", "mani", "often", "far", "soon", "old"])
KNOWN = 0.75  # share of a question's content words that its sentence or the title must hold
DOUBT = 0.9  # probability of no answer up to which the reader's span counts
PART = 0.5  # share of the longer of two spans that must be common to both
# Words, stemmed, that only say what is asked for: how long, how much, which date.
ASKING = frozenset(
    str.split(
        "long much mani often far soon old time name number date day year amount kind place person "
        "percentag month "
        "hour week euro minut cost price"
    )
)

_OPENS = re.compile(
    r"(?:(?:by|in|on|at|to|from|for|with|within|until|since|up to|under|of|over|after|before|through|"
    r"during) )?"
    r"(?:what|which|who|whom|whose|when|where|why|how)\b|"
    r"(?:is|are|was|were|do|does|did|can|may|must|will|should|has|have)\b",
    re.IGNORECASE,
)
_UNSAID = re.compile(
    r"\b(?:my|our|us|me|we|it|its|they|them|he|him|she|her|his|this|these|those|following|above|former|latter)\b|"
    r"\bthat (?:day|time|year|month|case|one)\b|\bthe same\b|"
    r"\bthe (?:company|firm|document|passage|text|sentence|author|file|table|row|organisation|"
    r"organization)\b(?! of [A-Z])",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half|twenty|thirty|\w+ty)\b",
    re.I,
)
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w-]+")


@dataclass(frozen=True)
class Place:
    """Where an answer stands: `passage[start:end]`, among other passages of its document.

    `verdict` says that the answer is Yes or No: then the piece is all that says so.
    """

    passage: str
    start: int
    end: int
    others: tuple[str, ...]
    verdict: bool = False


def form_fault(question: str, short: str, known: str, *, verdict: bool = False) -> Why | None:
    """What its words alone show; `known` is all that its document says near the answer, title included."""
    words = question.split()
    if not question.endswith("?") or question.count("?") > 1 or not FEWEST <= len(words) <= MOST:
        return "was no question"
    if not _OPENS.match(question) or len(set(words)) < 0.6 * len(words):
        return "was no question"
    asked = set(content_tokens(question)) - ASKING
    if _UNSAID.search(question) or len(set(content_tokens(question)) - MEASURING) < FEWEST_WORDS:
        return "did not say what it was about"
    if not verdict and _gives_away(question, short):
        return "gave the answer away"
    if not verdict and not _fits(question, short):
        return "asked for something else than its answer"
    there = set(content_tokens(known))
    if len(asked & there) < KNOWN * len(asked) or not set(_NAME.findall(question)) <= set(
        re.findall(r"[\w-]+", known)
    ):
        return "had words that its document does not"
    return None


def _gives_away(question: str, short: str) -> bool:
    told, there = set(content_tokens(short)), set(content_tokens(question))
    figures = {each for each in told if each[0].isdigit()}
    if figures:
        return figures <= there
    return bool(told) and (told <= there or (len(told) > 1 and len(told & there) > 0.5 * len(told)))


def _fits(question: str, short: str) -> bool:
    """Whether the kind of answer is the one that its first words ask for."""
    lower = question.lower()
    number = bool(_NUMBER.search(short))
    if re.search(r"\bhow (?:many|much|long|far|often|old|soon|big|large|high|heavy)\b", lower):
        return number
    if lower.startswith(("who ", "whose ")):
        return not number or short[:1].isupper()
    if lower.startswith("where "):
        return not re.match(r"[€$£]?\d[\d.,:]*\s?(?:%|[a-z]+)?$", short)
    return not lower.startswith("when ") or number or bool(re.search(r"[A-Z]|day|month|year|week", short))


def trip_fault(question: str, short: str, place: Place, reader: Reader) -> Why | None:
    """Whether reading leads from the question back to the answer."""
    spans = reader.read(question, [place.passage, *place.others])
    own = spans[0]
    if own.no_answer > DOUBT or not (
        _overlaps(own, place)
        if place.verdict
        else same_answer(short, own.text, question) or _covers(own, place)
    ):
        return "was not answered by its passage"
    best = max(spans, key=lambda span: span.score)
    if best is not own and (place.verdict or not same_answer(short, best.text, question)):
        return "had another answer in a passage nearby"
    return None


def _overlaps(span: Span, place: Place) -> bool:
    return span.start < place.end and place.start < span.end


def _covers(span: Span, place: Place) -> bool:
    common = min(span.end, place.end) - max(span.start, place.start)
    return common >= PART * max(span.end - span.start, place.end - place.start)
