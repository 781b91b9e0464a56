"""A question that compares two things, as one question about each.

Enters: a question. Leaves: what is compared and the question about each, or nothing where it compares nothing
that these rules know. The questions are made of the visitor's own words by rule; no model is asked.
"""

from __future__ import annotations

import re

_ADJECTIVES = {
    form: adjective
    for adjective, forms in {
        "heavy": "heavier lighter", "long": "longer shorter", "large": "larger bigger smaller",
        "high": "higher lower", "fast": "faster slower quicker", "old": "older newer younger",
        "deep": "deeper shallower", "wide": "wider narrower", "thick": "thicker thinner",
        "loud": "louder quieter", "warm": "warmer colder", "strict": "stricter",
        "strong": "stronger weaker", "far": "farther further nearer",
    }.items()
    for form in forms.split()
}  # fmt: skip
_PRICED = r"cheaper|dearer|(?:more|less) expensive|costs? (?:more|less)"
_COMPARATIVE = "|".join([*_ADJECTIVES, _PRICED])
_ONE, _OTHER = r"(?P<one>[^,;?]+?)", r"(?P<other>[^,;?]+?)"
_PAIR = rf"{_ONE} (?:or|and|and of|from|than|vs\.?|versus|to|with) {_OTHER}"
_THE, _WHAT = r"(?:the )?", r"(?P<what>[\w -]+?)"

# The property that is compared, then the two things; or a comparative, then the two things.
_PROPERTIES = (
    rf"what(?: is|'s) the difference in {_THE}{_WHAT} (?:between|of) {_PAIR}",
    rf"what(?: is|'s) the difference between {_THE}{_WHAT} of {_PAIR}",
    rf"what(?: is|'s) the difference between {_PAIR} (?:in|regarding) {_THE}{_WHAT}",
    rf"compare {_THE}{_WHAT} (?:of|between) {_PAIR}",
    rf"compare {_PAIR} (?:in|by|regarding) {_THE}{_WHAT}",
    rf"how (?:do|does) {_PAIR} (?:compare|differ) (?:in|regarding) {_THE}{_WHAT}",
    rf"(?:which|what|who) has (?:the|a) (?:{_COMPARATIVE}|better|greater|more) {_WHAT}[,:] {_PAIR}",
)
_COMPARED = (
    rf"(?:which|what|who)(?: one)?(?: is)? (?P<how>{_COMPARATIVE})[,:] {_PAIR}",
    rf"is {_ONE} (?P<how>{_COMPARATIVE}) than {_OTHER}",
    rf"does {_ONE} (?P<how>{_PRICED}) than {_OTHER}",
)
_VERB = r"(?P<verb>last|weigh|hold|measure|take|pay|get)"
_VERBS = (
    rf"(?:which|what|who)(?: one)? {_VERB}s? (?P<how>longer|more|less)[,:] {_PAIR}",
    rf"does {_ONE} {_VERB} (?P<how>longer|more|less) than {_OTHER}",
)


def compared(question: str) -> list[tuple[str, str]]:
    """(thing, question about it) for the two things that the question compares; empty for any other."""
    asked = " ".join(question.split()).rstrip(" ?.!")
    for patterns, ask in ((_PROPERTIES, _property), (_COMPARED, _degree), (_VERBS, _verb)):
        for pattern in patterns:
            if match := re.fullmatch(pattern, asked, re.IGNORECASE):
                return [(thing, ask(match, thing)) for thing in _things(match)]
    return []


def _things(match: re.Match[str]) -> list[str]:
    """The two things; "the price of" in front of the second says what is compared, and goes."""
    return [re.sub(r"^(?:that of|of) ", "", match[name].strip()) for name in ("one", "other")]


def _property(match: re.Match[str], thing: str) -> str:
    return f"What is the {match['what'].strip()} of {thing}?"


def _degree(match: re.Match[str], thing: str) -> str:
    how = match["how"].lower()
    return f"How {_ADJECTIVES[how]} is {thing}?" if how in _ADJECTIVES else f"What does {thing} cost?"


def _verb(match: re.Match[str], thing: str) -> str:
    verb = match["verb"].lower()
    how = "How long" if match["how"].lower() == "longer" else "What" if verb == "weigh" else "How much"
    return f"{how} does {thing} {verb}?"
