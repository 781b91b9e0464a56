"""What single elements of HTML say: their words, formulas, filled-in fields, marks of lists and notes.

Enters: an element. Leaves: text without line breaks, those of code aside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml.etree import _Element as Element

from backends.documents.parsers.common import one_line

_TYPED = {"text", "number", "date", "email", "tel", "url", "month", "week", "time", "datetime-local"}
_ONES = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")
_UNIT = re.compile(r"[a-zA-Z]|[cdkmµn]m|ft|in|yd|mi|sec|min|dB|kg|mol|rad")  # what is raised to a power


def name_of(element: Element) -> str:
    """The tag, "" for comments and the like."""
    tag = element.tag
    return tag if isinstance(tag, str) else ""


def words(element: Element) -> str:
    """The element's text with single spaces."""
    return " ".join("".join(element.itertext()).split())


def whole_number(text: str | None, otherwise: int) -> int:
    """The number that an attribute begins with, or another one."""
    found = re.match(r"\s*(-?\d{1,9})", text) if text else None
    return int(found[1]) if found else otherwise


def numeral(number: int, kind: str) -> str:
    """The mark of an item as its list's type has it: 4., d., D., iv."""
    if kind in ("a", "A") and 0 < number <= 26:
        return f"{chr(ord(kind) + number - 1)}."
    if kind in ("i", "I") and 0 < number < 40:
        roman = "x" * (number // 10) + _ONES[number % 10]
        return f"{roman.upper() if kind == 'I' else roman}."
    return f"{number}."


def preformatted(element: Element) -> str:
    """The text of a block of code, its line breaks included."""
    parts = [element.text or ""]
    for child in element:
        name = name_of(child)
        parts += ["\n" if name == "br" else preformatted(child) if name else "", child.tail or ""]
    return "".join(parts)


def note_mark(mark: str, before: str) -> str:
    """A footnote mark as words: "(note 1)"."""
    return f"{' ' if before.strip() else ''}(note {mark.strip('[]()')}){' ' if not before else ''}"


def footnote_marks(element: Element) -> Iterator[str]:
    """Marks that a block begins with, raised: its footnotes bear the same."""
    for raised in element.iter("sup"):
        before = raised.getprevious()
        parent = raised.getparent()
        if before is None and parent is not None and not (parent.text or "").strip():
            yield one_line("".join(raised.itertext()))


def is_footnote(element: Element, before: str, word: str, known: frozenset[str]) -> bool:
    """Whether a raised mark is a footnote's: by its link or class, or since no power would stand here.

    `before` is the letter before it, `word` the word; `known` are the marks of the notes below the text.
    """
    text = words(element)
    hints = f"{element.get('class', '')} {element.get('id', '')} {element.get('role', '')}".lower()
    links = [link.get("href", "") for link in element.iter("a")]
    if any(link.startswith("#") for link in links) or re.search(r"\b(foot|note|ref|fn)", hints):
        return True
    if re.fullmatch(r"[\[(]\w{1,3}[\])]|[*†‡§]+|1|\d+(, ?\d+)+", text):
        return True
    if text in known and not _UNIT.fullmatch(word):
        return True
    after_word = word.isalpha() and len(word) > 3
    return text.isdigit() and (after_word or before in ".,;:!?\"'”’»")


def formula(element: Element) -> str:
    """A formula in MathML: as its author describes it, else its signs with powers and fractions marked."""
    described = element.get("alttext") or next(
        (words(note) for note in element.iter("annotation") if "tex" in note.get("encoding", "")), ""
    )
    return f" {described} " if described else _signs(element)


def _signs(element: Element) -> str:
    name = name_of(element).rpartition(":")[2]
    if not name or name.startswith("annotation"):
        return ""
    parts = [_signs(child) for child in element]
    if name in ("msup", "mfrac") and len(parts) == 2:
        grouped = [part if len(part) == 1 or part.isalnum() else f"({part})" for part in parts]
        return ("^" if name == "msup" else "/").join(grouped)
    if name == "msqrt":
        return f"√({''.join(parts)})"
    return (element.text or "").strip() + "".join(parts)


def picture(element: Element) -> str:
    """Pictures of formulas and of letters say what they show."""
    of_text = re.search(r"\b(tex|math|latex|equation|emoji)", element.get("class", ""), re.I)
    return element.get("alt", "") if of_text else ""


def control(element: Element) -> str:
    """What a form was filled with."""
    kind = element.get("type", "text").lower()
    if kind in ("checkbox", "radio"):
        around = {name_of(each) for each in (element.getparent(), element.getnext()) if each is not None}
        labelled = (element.tail or "").strip() or "label" in around
        mark = "[x] " if "checked" in element.attrib else "[ ] "
        return mark if labelled and element.get("role") != "button" else ""
    return f" {element.get('value', '')} " if kind in _TYPED else ""
