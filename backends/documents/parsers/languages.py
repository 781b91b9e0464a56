"""Which language a text is written in, by its script and its commonest words.

Enters: text. Leaves: a code of two letters (ISO 639-1), or "" where the signs are too few. Lists of function
words are enough for whole documents; a trained detector took 4 s and 100 MB to load for the same answer.
"""

from __future__ import annotations

import re
from collections import Counter

SAMPLE = 20_000  # characters looked at: from the beginning, where the text is rarely an appendix
LEAST_WORDS = 4  # function words that a verdict takes, three of them different
LEAST_CHINESE = 40  # signs; fewer may as well be Japanese names
LEAST_SHARE = 0.08  # of all words; prose has 0.3 to 0.5, tables and code next to none

_WORDS = {
    "en": "the of and to in is that for it with as was on be by this are or from at which not have an",
    "de": "der die und das den von ist des mit sich auf für dem nicht ein eine als auch werden wird bei im",
    "fr": "le la les de des et en un une du est que qui dans pour pas sur au par plus ce avec sont ne",
    "es": "de la que el en y los del se las por un para con no una su al lo como más pero sus es",
    "it": "di che la il e un per una non sono del con della le si da come i dei nel alla gli anche è",
    "pt": "de que do da em um para com não uma os no se na por mais as dos como mas ao das foi são",
    "nl": "de het een van en in is dat op te zijn met voor niet die aan er ook als bij door wordt om naar",
    "sv": "och att det i en som är av för på med den till inte om ett har de var från vid kan",
    "da": "og at det i en er af for på med den til ikke som der et har de var fra ved kan blev",
    "no": "og at det i en er av for på med den til ikke som et har de var fra ved kan ble også",
    "fi": "ja on ei se että oli mutta ovat hän tai joka kun myös sekä sen olla mukaan jos niin",
    "pl": "w i na z do się nie jest że to o jak po przez od za dla są oraz który być ale tym",
    "cs": "a v se na je že s z do o i to k ve pro za by ale jako po jsou které jeho také",
    "sk": "a v sa na je že s z do o aj to k vo pre za by ale ako po sú ktoré jeho tiež",
    "hu": "a az és hogy nem is egy ez van meg de ha csak mint már el még vagy volt lehet",
    "ro": "de și în a la cu pe care din nu un o pentru este că mai sunt ca fi prin au sau",
    "tr": "ve bir bu da için ile de olarak çok daha olan gibi en ne kadar sonra veya her değil ise",
    "id": "yang dan di dengan untuk dari pada ini itu tidak dalam akan adalah ke oleh juga sebagai atau",
    "vi": "của và là các có không cho được trong một những với người này để đã khi từ",
    "hr": "je i u da se na su za od s a ne kao ili koji što iz bi o sa ali nije",
    "ca": "de la i que el en a els les per amb un una no és del al es més com dels",
}
# Single letters are left out: they also number lists and name columns.
_LISTS = {code: frozenset(w for w in words.split() if len(w) > 1) for code, words in _WORDS.items()}
FUNCTION_WORDS = frozenset().union(*_LISTS.values())

# Scripts that name their language, or nearly; letters that only one of the languages has decide the rest.
_SCRIPTS = {
    "ja": re.compile("[\u3040-\u30ff]"),
    "ko": re.compile("[\uac00-\ud7af]"),
    "zh": re.compile("[\u4e00-\u9fff]"),
    "ru": re.compile("[\u0400-\u04ff]"),
    "el": re.compile("[\u0370-\u03ff]"),
    "ar": re.compile("[\u0600-\u06ff]"),
    "he": re.compile("[\u0590-\u05ff]"),
    "hi": re.compile("[\u0900-\u097f]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
}
_IN_A_SCRIPT = re.compile("[" + "".join(script.pattern.strip("[]") for script in _SCRIPTS.values()) + "]")
_LETTERS = re.compile(r"[^\W\d_]+")
_OWN_LETTERS = {"ru": (("uk", "іїєґ"), ("bg", "ъ")), "ar": (("fa", "پچژگ"),)}


def language(text: str) -> str:
    """The language of most of the text."""
    sample = text[:SAMPLE].lower()
    if not _IN_A_SCRIPT.search(sample):
        return _by_words(_LETTERS.findall(sample))
    letters = sum(map(str.isalpha, sample))
    if not letters:
        return ""
    counts = {code: len(script.findall(sample)) for code, script in _SCRIPTS.items()}
    if counts["ja"] > 0.05 * letters:
        return "ja"  # Japanese mixes its own letters with Chinese ones
    code, count = max(counts.items(), key=lambda item: item[1])
    if count > 0.5 * letters:
        if code == "zh" and count < LEAST_CHINESE:
            return ""
        return _distinguish(code, sample, count)
    return _by_words(_LETTERS.findall(sample))


def _distinguish(code: str, sample: str, letters: int) -> str:
    for other, own in _OWN_LETTERS.get(code, ()):
        if sum(map(sample.count, own)) > 0.01 * letters and not (other == "bg" and "ы" in sample):
            return other
    return code


def _by_words(words: list[str]) -> str:
    seen = Counter(words)
    scores = {code: sum(seen[word] for word in known) for code, known in _LISTS.items()}
    code, best = max(scores.items(), key=lambda item: item[1])
    different = sum(word in seen for word in _LISTS[code])
    enough = best >= LEAST_WORDS and different >= 3 and best >= LEAST_SHARE * len(words)
    return code if enough else ""
