"""A follow-up question, worded so that it can be understood alone.

Enters: a question and those asked before it. Leaves: the question with what it left to the conversation put
in: "And the Lark Pro?" after "How heavy is a Lark One?" is read as "How heavy is the Lark Pro?". It goes by
rule and uses only words that were asked: the embedded model, tried on this, repeats or garbles the question.
It knows no document, no index and no language model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

REMEMBERED = 4  # earlier questions that a follow-up may lean on, one on the other
LONGEST_FRAGMENT = 7  # words; longer ones say what they ask

_LEAD = re.compile(r"^(?:and|but|also|so|then|ok|okay)\b[,\s]*", re.IGNORECASE)
_ABOUT = re.compile(r"^(?:what|how)\s+about\s+", re.IGNORECASE)
_ASKS = re.compile(
    r"^(?:(?:for|to|by|in|at|on|from|since|until|with|of|under|after|before) )?"
    r"(?:how|what|when|where|which|who|whom|whose|why|is|are|was|were|does|do|did|can|could|may|must|will|would"
    r"|should|has|have|had)\b",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(
    r"^(for|with|about|in|at|on|from|by|since|until|to|after|before|under|without|during)\s+", re.IGNORECASE
)
_SWAPPED = frozenset(["for", "with", "about"])  # what follows them takes the place of the thing asked about
_DETERMINER = r"(?:the|a|an|our|my|your|this|that|these|those)"
# Names and numbers: words with a capital or a digit, side by side, and the article before them.
_NAME = re.compile(
    rf"\b(?:{_DETERMINER}\s+)?(?:[A-Z][\w.-]*\w|[A-Z]|\d[\w.-]*)(?:\s+(?:[A-Z][\w.-]*\w|[A-Z]|\d[\w.-]*))*"
)
# A thing without a name: an article and the words up to a verb, a preposition or the end.
_BORDER = (
    r"(?:for|with|about|in|at|on|from|by|since|until|to|after|before|under|of|and|or|is|are|was|were|be|been"
    r"|does|do|did|can|could|may|must|will|would|should|has|have|had|cost|costs|take|takes|last|lasts|paid"
    r"|need|needs|get|gets|work|works|mean|means|say|says|state|states|cover|covers|include|includes)"
)
_THING = re.compile(
    rf"\b{_DETERMINER}\s+(?!{_BORDER}\b)[\w-]+(?:\s+(?!{_BORDER}\b)[\w-]+){{0,3}}", re.IGNORECASE
)
_WITH_PLACE = re.compile(r"\s+(?:in|at|of|on)\s+(?:the\s+)?[A-Z][\w-]*|\s+of\s+[a-z][\w-]*$")
_ITS_NOUN = re.compile(  # the Team plan, and no verb: does the Lark One weigh
    rf"\s+(?!(?:{_BORDER}|weigh|come|go|run|start|begin|end|open|close|arrive|leave|use|hold|fit|apply|allow)s?\b)"
    r"[a-z][\w-]*(?=\s)"
)
_WHO_DOES = re.compile(r"who\s+(?!(?:is|are|was|were)\b)", re.IGNORECASE)
_OF_THE = re.compile(r"\s+(?:of|for)\s+")
_TO_A_PLACE = re.compile(r"\s+(?:to|in|at|on|from)\s+")
_PRONOUN = re.compile(
    r"\b(?:(?P<owner>its|their|his)\b|(?P<person>he|she|him|they|them)\b|"
    r"(?P<one>it|that one|this one|that|this)(?=\s*(?:[?,;.]|$|\s(?:be|is|was|has|have|do|does|cost|last|take"
    r"|work|weigh|need|mean|run|get|come|go|on|in"
    r"|at|for|with|by|from|begin|start|end|happen|serve|back|out|up|down|now|still|again)\b|\s\w+\?)))",
    re.IGNORECASE,
)
_EMPTY_IT = re.compile(r"\bit\s+(?:\w+\s+){0,2}(?:to|that)\b", re.IGNORECASE)


def standalone(question: str, earlier: Sequence[str]) -> str:
    """The question as it is meant after `earlier` ones (oldest first); itself where it needs none of them."""
    meant = ""
    for each in (*earlier[-REMEMBERED:], question):
        meant = _after(meant, " ".join(each.split()))
    return meant if meant != " ".join(question.split()) else question


def _after(before: str, question: str) -> str:
    if not before:
        return question
    body = _ABOUT.sub("", _LEAD.sub("", question)).rstrip(" ?")
    if not body:
        return question
    if not _ASKS.match(body) and len(body.split()) <= LONGEST_FRAGMENT and _is_open(question):
        return _completed(before.rstrip(" ?"), body)
    return _resolved(before, question)


def _is_open(question: str) -> bool:
    """Whether a text that asks nothing leans on the question before: it says so, or it is a bare question."""
    return bool(_LEAD.match(question) or _ABOUT.match(question) or question.endswith("?"))


def _completed(before: str, fragment: str) -> str:
    """The question before, about what the fragment names."""
    found = _PREPOSITION.match(fragment)
    preposition, thing = (found[1].lower(), fragment[found.end() :]) if found else ("", fragment)
    if preposition:
        same = re.search(rf"\b{preposition}\s+", before, re.IGNORECASE)
        if same is not None and (old := _phrase_at(before, same.end())):
            return f"{before[: same.end()]}{thing}{before[same.end() + len(old) :]}?"
    named = bool(_names(f". {thing}"))
    if not preposition or (preposition in _SWAPPED and (named or _THING.match(thing))):
        spans = _names(before) if named else []
        spans = spans or [match.span() for match in _THING.finditer(before)][-1:]
        if spans:
            start, end = spans[-1]
            return f"{before[:start]}{thing}{before[end:]}?"
    return f"{before}, {fragment}?" if not preposition else f"{before} {fragment}?"


def _phrase_at(text: str, start: int) -> str:
    """The name or thing that begins here."""
    for pattern in (_NAME, _THING):
        if found := pattern.match(text, start):
            return found[0]
    return ""


def _names(text: str) -> list[tuple[int, int]]:
    """Where names stand; the word that begins the text is none, nor is "I"."""
    return [found.span() for found in _NAME.finditer(text) if found.start() > 0 and found[0] != "I"]


def _resolved(before: str, question: str) -> str:
    """The question with its pronoun replaced by what the one before is about."""
    found = _PRONOUN.search(question)
    if found is None or _EMPTY_IT.match(question, found.start()):
        return question
    if _names(question[: found.start()]) or _THING.search(question[: found.start()]):
        return question  # it speaks of something in the same question
    about = _subject(before, person=found["person"] is not None)
    if not about:
        return question
    put = f"{about}'s" if found["owner"] else about
    meant = question[: found.start()] + put + question[found.end() :]
    meant = _LEAD.sub("", meant)
    return meant[:1].upper() + meant[1:]


def _subject(before: str, *, person: bool) -> str:
    """What a question is about: its last name, or the first thing in it; for persons the thing first."""
    before = before.rstrip(" ?")
    if person and (who := _WHO_DOES.match(before)):
        return f"the one who {before[who.end() :]}"
    names = _names(before)
    name = before[slice(*names[-1])] if names else ""
    found = _THING.search(before)
    if found and name and _TO_A_PLACE.fullmatch(before[found.end() : names[-1][0]]):
        return before[found.start() : names[-1][1]]  # the ferry to Oslo
    if found is None or (name and not person):
        noun = _ITS_NOUN.match(before, names[-1][1]) if re.match(rf"{_DETERMINER}\s", name, re.I) else None
        return name + (noun[0] if noun else "")
    behind = _OF_THE.match(before, found.end())
    if not person and behind and (thing := _THING.match(before, behind.end())):
        return thing[0]  # the weight of the saw: what has it
    place = _WITH_PLACE.match(before, found.end())
    return found[0] + (place[0] if place else "")
