"""Raised and lowered figures written so that no number changes: 10^6, x_2, 250 kg (note 1).

Enters: lines in which `pdf_page` has set raised and lowered letters between marks. Leaves: the lines in plain
text. A raised figure is the mark of a note when the document has a note of that mark or when it stands behind
a word, else a power; a mark between a number and its unit goes behind the unit, so that "250 kg" is found.
Lowered figures follow letters at once, as in H2O. Superscript characters behind a digit are read likewise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from backends.documents.parsers.common import prices
from backends.documents.parsers.pdf_page import LEVEL, LOWERED, RAISED, TextLine

NEAR = 40  # characters before a mark that tell what it is

_HIGH = {char: digit for digit, char in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_HIGH_TABLE = str.maketrans({**{char: str(digit) for char, digit in _HIGH.items()}, "⁻": "-", "⁺": "+"})
_HIGH_AFTER_DIGIT = re.compile(rf"(?<=\d)[⁺⁻]?[{''.join(_HIGH)}]+")
_HIGH_FIRST = re.compile(rf"^[{''.join(_HIGH)}]+(?=\s?[^\W\d])")
_SCRIPT = re.compile(f"(\\s*)([{RAISED}{LOWERED}])([^{LEVEL}]*){LEVEL}(\\s*)")
_NOTE_MARK = re.compile(r"[(\[]?(\d{1,3}|[a-z])[)\].]?")
_TIMES = re.compile(r"[×·*x]\s?\d+$")
_TEN = re.compile(r"(?:^|[^\d.,])10$")
_LENGTH = re.compile(r"(?:^|[^\w])(?:[kcdmµ]?m|ft|in|yd|mi|s|sec)$")
_VARIABLE = re.compile(r"(?:^|[^\w])[b-z]$")
_SYMBOL = re.compile(r"(?:^|[^\w])[^\W\d]{1,2}$")
_UNIT = re.compile(
    r"\s?(?:[kmcdµμMGT]?(?:g|m|l|L|s|V|W|A|Hz|Pa|J|N|B|bar|Wh|mol)|t|h|min|ft|in|lb|oz|[°%‰€$£¥]C?F?"
    r"|EUR|USD|GBP|CHF|euros?|dollars?|pounds?|per ?cent|hours?|days?|years?|minutes?)(?![\w^])"
)


def plain_scripts(pages: Iterable[Sequence[TextLine]]) -> list[list[TextLine]]:
    """The lines of all pages without marks."""
    marked = [[_marked(line) for line in page] for page in pages]
    noted = [{mark for line in page if (mark := _note_of(line.text))} for page in marked]
    everywhere = set().union(*noted)
    return [
        [
            replace(line, text=_plain(line.text, here, everywhere)) if LEVEL in line.text else line
            for line in page
        ]
        for page, here in zip(marked, noted, strict=True)
    ]


def _marked(line: TextLine) -> TextLine:
    """Superscript characters set between marks where they could be read as part of a number."""
    if line.text.isascii() or not any(char in _HIGH for char in line.text):
        return line
    raised = f"{RAISED}\\g<0>{LEVEL}"
    text = _HIGH_FIRST.sub(raised, _HIGH_AFTER_DIGIT.sub(raised, line.text))
    between = re.sub(f"{RAISED}[^{LEVEL}]*{LEVEL}", lambda found: found.group().translate(_HIGH_TABLE), text)
    return replace(line, text=between)


def _note_of(text: str) -> str:
    """The mark of the note that a line begins, "" where it begins none."""
    first = re.match(f"{RAISED}([^{LEVEL}]*){LEVEL}\\s*\\w", text)
    mark = _NOTE_MARK.fullmatch(first.group(1).strip()) if first else None
    return mark.group(1) if mark else ""


def _plain(text: str, here: set[str], everywhere: set[str]) -> str:
    while found := _SCRIPT.search(text):
        before, after = text[: found.start()], text[found.end() :]
        lead, kind, letters, trail = found.groups()
        letters = letters.strip()
        if kind == LOWERED:
            base = before + lead
            text = (
                f"{base}{'_' if base[-1:].isdigit() and letters[:1].isdigit() else ''}{letters}{trail}{after}"
            )
        elif not before:
            text = f"{_first(letters)}{trail or ' '}{after}"
        else:
            text = _raised(before + lead, letters, trail, after, here, everywhere)
    return prices(text)


def _first(letters: str) -> str:
    """A raised mark in front of a line: the note itself."""
    mark = _NOTE_MARK.fullmatch(letters)
    return f"Note {mark.group(1)}:" if mark else letters


def _raised(before: str, letters: str, trail: str, after: str, here: set[str], everywhere: set[str]) -> str:
    """The text with a raised mark as a note, as a power, or as it is where it can be neither."""
    base = before.rstrip()
    if after[:1] in ("/", "\u2044"):  # a fraction
        return f"{before}{' ' if before[-1:].isdigit() else ''}{letters}{trail}{after}"
    marks = re.split(r"\s*[,;]\s*", letters.strip("()[]"))
    tail = base[-NEAR:]
    if all(map(_NOTE_MARK.fullmatch, marks)) and _is_note(tail, letters, marks, here, everywhere):
        return _noted(base, ", ".join(marks), trail, after)
    figure = re.fullmatch(r"[-−+]?\d+[-−+]?", letters) or (base[-1:].isdigit() and len(letters) == 1)
    return (
        f"{base}^{letters.replace('−', '-')}{trail}{after}" if figure else f"{before}{letters}{trail}{after}"
    )


def _is_note(base: str, letters: str, marks: Sequence[str], here: set[str], everywhere: set[str]) -> bool:
    """Whether raised letters behind `base` are marks of notes, by those of the page and of the document."""
    if _TIMES.search(base) or _VARIABLE.search(base) or (_LENGTH.search(base) and letters in ("2", "3")):
        return False
    if _TEN.search(base):
        return set(marks) <= here and letters < "3"
    if set(marks) <= (here if _SYMBOL.search(base) else everywhere):
        return True
    figures = all(map(str.isdigit, marks))
    return figures and bool(letters[:1] in "([" or re.search(r"[^\W\d]{3}$|[.,;:!?)\]\"”’]$", base))


def _noted(base: str, marks: str, trail: str, after: str) -> str:
    """The mark behind the unit of a figure, so that figure and unit stay together, else where it stands."""
    rest = trail + after
    unit = _UNIT.match(rest) if base[-1:].isdigit() else None
    if unit:
        base, rest = base + unit.group(), rest[unit.end() :]
    return f"{base} (note {marks}){'' if rest[:1] in ('', *' .,;:)') else ' '}{rest}"
