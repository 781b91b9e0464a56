"""Abbreviations as the documents themselves explain them: "paid time off (PTO)".

Enters: texts by document, and questions. Leaves: questions and sentences in which the other form stands too,
so that whatever uses either is found. Pairs are found as by Schwartz and Hearst (PSB 2003), where the short
form is made of the first letters of words. What a document explained goes with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_BEHIND = re.compile(r"\(([A-Z][A-Za-z0-9&.-]{1,9})\)")  # long form (SHORT)
_BEFORE = re.compile(r"\b([A-Z][A-Za-z0-9&.-]{1,9})\s+\(([^()\n]{4,90})\)")  # SHORT (long form)
_WORD = re.compile(r"[^\W_]+")
_SMALL = frozenset(["a", "an", "and", "for", "in", "of", "on", "or", "the", "to", "with", "de", "und"])
MOST_FORMS = 2  # put behind one expression

Pair = tuple[str, str]  # short form, long form


def definitions(text: str) -> Iterator[Pair]:
    """(short, long) pairs that the text explains, in order."""
    for match in _BEHIND.finditer(text):
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if long := _long_form(match.group(1), line[-120:]):
            yield match.group(1), long
    for match in _BEFORE.finditer(text):
        long = _long_form(match.group(1), match.group(2))
        if long and long == match.group(2).strip():
            yield match.group(1), long


def _long_form(short: str, before: str) -> str:
    """The words at the end of `before` whose first letters make `short`; small words need give none."""
    letters = [letter.lower() for letter in short if letter.isalnum()]
    if sum(map(str.isupper, short)) < 2:
        return ""
    words = list(_WORD.finditer(before))
    for word in reversed(words):
        first = word.group()[0].lower()
        if letters and first == letters[-1]:
            letters.pop()
            if not letters:
                return before[word.start() :].strip()
        elif word.group().lower() not in _SMALL:
            return ""
    return ""


class Acronyms:
    """The pairs of a library, by document."""

    def __init__(self) -> None:
        self._by_document: dict[str, dict[Pair, None]] = {}

    def add(self, document: str, text: str) -> None:
        """Add the pairs that a text of the document defines."""
        if pairs := dict.fromkeys(definitions(text)):
            self._by_document.setdefault(document, {}).update(pairs)

    def put(self, document: str, pair: Pair) -> None:
        """Add a pair that was found before."""
        self._by_document.setdefault(document, {})[pair] = None

    def remove(self, document: str) -> None:
        """Forget the pairs of a document."""
        self._by_document.pop(document, None)

    def used_in(self, question: str) -> list[Pair]:
        """The pairs of which the question uses a form, each once."""
        lower = question.lower()
        pairs = dict.fromkeys(pair for pairs in self._by_document.values() for pair in pairs)
        return [pair for pair in pairs if any(_place(form, question, lower) for form in pair)]


def with_other_forms(text: str, pairs: Sequence[Pair]) -> str:
    """The text with the other form behind each form it uses: "... paid time off (PTO) ..."."""
    if not pairs:
        return text
    found: dict[tuple[int, int], list[str]] = {}
    lower = text.lower()
    for short, long in pairs:
        for said, other in ((short, long), (long, short)):
            at = _place(said, text, lower)
            if at is not None and other.lower() not in lower:
                forms = found.setdefault(at, [])
                if other.lower() not in map(str.lower, forms) and len(forms) < MOST_FORMS:
                    forms.append(other)
    for (_, end), forms in sorted(found.items(), reverse=True):
        text = f"{text[:end]} ({', '.join(forms)}){text[end:]}"
    return text


def _place(said: str, question: str, lower: str) -> tuple[int, int] | None:
    """Where a form stands as whole words: short ones of two letters in capitals only, others in any case."""
    within, form = (question, said) if len(said) == 2 else (lower, said.lower())
    if form not in within:
        return None
    match = re.search(rf"(?<!\w){re.escape(form)}(?!\w)", within)
    return match.span() if match else None
