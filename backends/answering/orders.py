"""Keeps from the model what a document says to it: sentences that give orders to a program, not facts.

Enters: evidence. Leaves: the same evidence without those sentences, and a note for each document with one.
It goes by wording, in seven languages, after letters that only look alike, invisible ones and plain codes
(base64, rot13, spaced or reversed letters) are undone. It is no proof: an order worded like a fact passes.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace

from backends.datatypes import Evidence, Sentence, Source

_GAP = r"[^.!?]{0,50}?"
# In English, German, French, Spanish, Italian, Dutch and Portuguese, folded (ß is ss).
_SET_ASIDE = (
    r"(?:ignore\w*|disregard\w*|forget|override|bypass|overrule|ignorier\w*|missachte\w*|vergiss"
    r"|vergessen sie|übergeh\w*|oublie[rz]?|néglige[rz]?|ignora\w*|olvid\w+|descart\w+|dimentica\w*"
    r"|negeer|vergeet|esque[çc]\w+|desconsider\w+)"
)
_WHAT_WAS_SAID = (
    r"(?:instructions?|prompts?|questions?|rules?|orders?|context|above|previous|prior|everything"
    r"|anweisung\w*|frage\w*|regel\w*|vorherig\w*|obig\w*|bisherig\w*|consignes?|précédent\w*|ci-dessus"
    r"|instruc\w+|preguntas?|anterior\w*|reglas?|istruzion\w*|domand\w+|precedent\w*|vraag|vragen"
    r"|opdracht\w*|instructies|voorgaande|pergunta\w*|regras?)"
)
_REPLY = r"(?:answer|reply|respond\w*|antworte\w*|répond\w*|contest\w+|rispond\w+|antwoord\w*)"
_SAY = (
    r"(?:answer|reply|respond\w*|output|print|say|write|return|repeat|state|antworte\w*|schreib\w*|gib"
    r"|sage?|répond\w*|écri\w+|dis|dites|contest\w+|escrib\w+|di|diga|rispond\w+|scriv\w+|antwoord\w*"
    r"|schrijf|zeg|escrev\w+)"
)
_ONLY = (
    r"(?:only|just|exactly|solely|nothing but|nothing else|verbatim|always|instead|nur|ausschliesslich"
    r"|lediglich|immer|seulement|uniquement|rien que|toujours|s[oó]lo|[uú]nicamente|siempre|solamente"
    r"|soltanto|unicamente|sempre|alleen|uitsluitend|apenas|somente)"
)
_THE_WORD = (
    r"(?:the (?:\w+ )?(?:word|phrase|token|code|string)|das wort|dem wort|den code|le mot|le code"
    r"|la palabra|el c[oó]digo|la parola|il codice|het woord|a palavra|o c[oó]digo)"
)
_WITH = r"(?:with|mit|par|avec|con|met|com)"
_PROGRAM = (
    r"(?:ai|language model|llm|chat ?bot|assistant|model|ki|sprachmodell|assistent\w*|asistente"
    r"|assistente|ia)"
)
_ORDERS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b{_SET_ASIDE}\b{_GAP}\b{_WHAT_WAS_SAID}\b",
        rf"\b{_SAY}\b{_GAP}\b{_ONLY}\b{_GAP}\b{_THE_WORD}\b",
        rf"\b{_REPLY}\b{_GAP}\b{_ONLY}\b{_GAP}[\"'“«:]",
        rf"\b{_ONLY}\b{_GAP}\b{_SAY}\b{_GAP}\b{_THE_WORD}\b",
        rf"\b{_REPLY}\b (?:\w+ )?{_WITH} {_THE_WORD}\b",
        rf"^{_REPLY} {_THE_WORD}\b|^say {_THE_WORD}\b",
        r"\b(?:only|correct|right|final) (?:answer|reply|response) (?:to|for) (?:any|every|all|each)\b",
        r"\bwhatever (?:is|was|you are) asked\b",
        r"\b(?:no matter|regardless of) (?:what|which|the) (?:is asked|question|you are asked)\b",
        rf"\b(?:you are|act as|behave as|pretend to be|du bist|tu es|eres|sei) (?:\w+ ){{0,2}}{_PROGRAM}\b",
        rf"\b(?:note|message|instructions?|attention|reminder|hinweis|nota) (?:to|for|an|für|à|para|per)"
        rf" (?:\w+ )?{_PROGRAM}s?\b",
        rf"\b(?:any|every|the) {_PROGRAM}s? (?:reading|that reads?|who reads?|processing|answering)\b",
        r"^\W*(?:system|assistant|administrator)\s*[:>\]]|<\s?\|\s?[a-z_]+\s?\|>|\[/?inst\]|<</?sys>>",
        r"\bnew instructions?:|\bsystem prompt\b",
        r"\b(?:begin|end|start) of (?:the )?(?:prompt|context|instructions?)\b",
    )
)
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
_SPACED = re.compile(r"\b(?:\w[ ._*-]){4,}\w\b")
_CODED = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_ALIKE = str.maketrans("аеорсухіјѕԁһαεορ", "aeopcyxijsdhaeop")  # Cyrillic and Greek for Latin
_TURN = re.compile(r"<\s?\|[^|<>]*\|>|\[/?INST\]|<</?SYS>>")
_CUT = re.compile(r"(?<=[.!?])\s+|\n+|<!--|-->|\s\|\s")
FEWEST_WORDS = 3  # of a piece that is kept
_LATIN = re.compile(r"[a-z]")


def without_orders(evidence: Evidence) -> Evidence:
    """The evidence without sentences and titles that give orders to the model; a note names each document."""
    sources = [_cleared(source) for source in evidence.sources]
    told = dict.fromkeys(
        source.hit.chunk.document
        for source, cleared in zip(evidence.sources, sources, strict=True)
        if cleared is None or cleared != source
    )
    if not told:
        return evidence
    notes = tuple(
        f"{name} holds words that give orders to the model: they were kept from it." for name in told
    )
    return replace(evidence, sources=tuple(each for each in sources if each is not None), orders=notes)


def _cleared(source: Source) -> Source | None:
    """The source as far as it holds no orders; None when nothing is left of it."""
    found = (_clean_part(sentence) for sentence in source.sentences)
    kept = tuple(sentence for sentence in found if sentence is not None)
    chunk = source.hit.chunk
    if gives_orders(chunk.title):
        source = replace(source, hit=replace(source.hit, chunk=replace(chunk, title="")))
    return replace(source, sentences=kept) if kept else None


def _clean_part(sentence: Sentence) -> Sentence | None:
    """The sentence, or of one that gives orders its longest piece that gives none: a fact beside them stays.

    What follows a marker of turns is never kept: it pretends to be said by somebody else.
    """
    if not gives_orders(sentence.text):
        return sentence
    text = _TURN.split(sentence.text, 1)[0]
    cuts = [found.span() for found in _CUT.finditer(text)]
    ends = zip([0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(text)], strict=True)
    clean = [
        (start, end)
        for start, end in ends
        if len(text[start:end].split()) >= FEWEST_WORDS and not gives_orders(text[start:end])
    ]
    if not clean:
        return None
    start, end = max(clean, key=lambda piece: piece[1] - piece[0])
    kept = text[start:end]
    return replace(sentence, start=sentence.start + start, end=sentence.start + end, text=kept)


def gives_orders(text: str) -> bool:
    """Whether a sentence speaks to a program that answers questions, whatever way it is written."""
    return any(order.search(form) for form in _forms(text) for order in _ORDERS)


def _forms(text: str) -> Iterator[str]:
    """The text as a reader sees it, and what plain codes in it stand for."""
    plain = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
    shown = plain.translate(_ALIKE) if _LATIN.search(plain) else plain
    yield " ".join(shown.split())
    yield " ".join(re.sub(r"[*_~`#|>]+|<!--|-->", " ", shown).split())
    if _SPACED.search(shown):
        yield _SPACED.sub(lambda found: re.sub(r"[ ._*-]", "", found[0]), re.sub(r"\s{2,}", " / ", shown))
        yield re.sub(r"\W", "", shown)
    yield codecs.decode(shown, "rot13")
    yield shown[::-1]
    for coded in _CODED.findall(text):
        try:
            yield base64.b64decode(coded + "=" * (-len(coded) % 4)).decode("utf-8").casefold()
        except (binascii.Error, UnicodeDecodeError):
            continue
