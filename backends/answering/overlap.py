"""Which words of an answer a passage supports: the one yardstick for citations, grounding and training rows.

Enters: texts. Leaves: content tokens, sentences and overlaps. It knows no model and no document.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import Stemmer

_STOP_TEXT = """
    a about after all also am an and any are as at be because been before being but by can could did do
    does doing for from had has have having he her here him his how i if in into is it its itself may me
    might more most must my no nor not of on once only or other our out over own per shall she should so
    some such than that the their them then there these they this those through to too under until up
    upon us very was we were what when where which while who whom why will with within without would you
    your yes
"""
STOP_WORDS = frozenset(_STOP_TEXT.split())
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?", re.UNICODE)
_MARKERS = r"(?:\s*\[\d{1,2}\])*"
_SENTENCE_END = re.compile(rf"(?<=[.!?])[\"'”’)]*{_MARKERS}\s+(?=[\"'“‘(]?[^\W_a-z])|\n+")
_local = threading.local()


def content_tokens(text: str) -> list[str]:
    """Lower-cased, stemmed words without stop words; numbers stay exact, but for thousands commas."""
    tokens = []
    for word in _WORD.findall(text):
        if word[0].isdigit():
            tokens.append(re.sub(r",(?=\d{3}(?!\d))", "", word))
        elif (lower := word.lower().replace("’", "'").removesuffix("'s")) not in STOP_WORDS:
            tokens.append(_stem(lower))
    return tokens


def supported(claim: str, passage: str) -> tuple[int, int]:
    """(content tokens of `claim` that `passage` holds, all of them), with multiplicity."""
    wanted, there = Counter(content_tokens(claim)), Counter(content_tokens(passage))
    return (wanted & there).total(), wanted.total()


def recall(claim: str, passage: str) -> float:
    """Share of the claim's content tokens that the passage holds; 0 for a claim without any."""
    held, total = supported(claim, passage)
    return held / total if total else 0.0


def best_support(claim: str, passages: Sequence[str]) -> tuple[int, float]:
    """(index, recall) of the passage that holds most of the claim, the first of equals; (-1, 0) if none."""
    best, score = -1, 0.0
    for index, passage in enumerate(passages):
        if (value := recall(claim, passage)) > score:
            best, score = index, value
    return best, score


def sentences(text: str) -> list[str]:
    """Sentences of an answer; markers such as [2] after the full stop stay with the sentence they follow."""
    found, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        found.append(text[start : match.end()].strip())
        start = match.end()
    return [sentence for sentence in [*found, text[start:].strip()] if sentence]


def _stem(word: str) -> str:
    # A Stemmer object must not be shared between threads.
    if not hasattr(_local, "stem"):
        stemmer = Stemmer.Stemmer("english")
        _local.stem = lru_cache(maxsize=20_000)(stemmer.stemWord)
    return str(_local.stem(word))
