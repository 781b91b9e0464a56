"""What reads the same is one word, in any script; nothing else is."""

from __future__ import annotations

import unicodedata

import pytest

from backends.retrieval.bm25 import WordIndex
from backends.retrieval.folding import folded, mostly_latin, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Part SB-42, release 4.3", ["part", "sb-42", "release", "4.3"]),
        ("ＱＺ－９９ １２", ["qz-99", "12"]),  # full-width letters, digits and hyphen
        ("ﬁnal oﬀer", ["final", "offer"]),  # ligatures
        (unicodedata.normalize("NFD", "Crème Łódź Ängström"), ["creme", "łodz", "angstrom"]),
        ("GROSSE Straße", ["grosse", "strasse"]),
        ("hyphen\u00adated net\u200bwork", ["hyphenated", "net", "work"]),
        ("3\u202f400\u202f000 and 2’500’000", ["3,400,000", "and", "2,500,000"]),
        ("图书馆开放", ["图书", "书馆", "馆开", "开放"]),
        ("水 C3库", ["水", "c3", "库"]),
        ("カタログ", ["カタ", "タロ", "ログ"]),
        ("ｶﾞｽ", ["ガス"]),  # half-width kana
        ("ห้อง", ["ห้", "้อ", "อง"]),
        ("서울역", ["서울", "울역"]),
        ("", []),
    ],
)
def test_words_are_folded(text, words):
    assert words_of(text) == words


def test_plain_english_is_only_lowered():
    text = "The Board's 2nd e-mail, 3.5 % (see A/B)."
    assert folded(text) == text.lower()


@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("offer", 0),
        ("QZ-99", 1),
        ("Creme", 2),
        ("图书馆", 3),
        ("3400000", 4),
        ("3,400,000", 4),
        ("カタログ", 5),
    ],
)
def test_bm25_matches_across_spellings(question, best):
    index = WordIndex()
    index.add(
        ["ﬁnal oﬀer", "ＱＺ－９９", "cre\u0300me", "市图书馆开放", "3\u202f400\u202f000 EUR", "商品カタログ"]
    )
    scores = index.scores(question)
    assert scores.argmax() == best and (scores > 0).sum() == 1


@pytest.mark.parametrize(
    ("text", "latin"),
    [
        ("What is SB-42?", True),
        ("42?", True),
        ("Où est l’école ?", True),
        ("图书馆 wifi", True),
        ("Где касса?", False),
    ],
)
def test_the_script_of_a_text(text, latin):
    assert mostly_latin(text) is latin
