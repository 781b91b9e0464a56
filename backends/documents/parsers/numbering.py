"""The numbers that Word puts in front of clauses and list items.

Enters: numbering.xml and styles.xml of a docx, then its paragraphs one after the other. Leaves: "2.1",
"(a)", "Article 4", or a dash for bullets. It knows no text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from lxml.etree import _Element as Element

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@dataclass(frozen=True)
class _Level:
    kind: str = "decimal"
    text: str = "%1."
    start: int = 1
    legal: bool = False  # every part in digits


@dataclass
class Numbering:
    """Counts paragraphs as Word does; one for a document, asked in reading order."""

    lists: dict[str, tuple[str, dict[int, _Level]]]  # number of a list: (what it counts with, its levels)
    styles: dict[str, tuple[str, int]]  # style: (number of a list, level)
    _counts: dict[str, dict[int, int]] = field(default_factory=dict)

    def label(self, listed: Element | None, style: str) -> str:
        """What stands in front of the next paragraph; "-" for a bullet, "" for nothing.

        `listed` is what the paragraph itself says of its list (numPr), `style` the name of its style.
        """
        number, level = self._place(listed, style)
        family, levels = self.lists.get(number, ("", {}))
        if not family or level not in levels:
            return ""
        return self._counted(family, levels, level)

    def _place(self, listed: Element | None, style: str) -> tuple[str, int]:
        number, level = self.styles.get(style, ("", 0))
        if listed is not None:
            level = int(_value(listed, "ilvl") or level)
            number = _value(listed, "numId") or number
        return number, level

    def _counted(self, family: str, levels: dict[int, _Level], level: int) -> str:
        about = levels[level]
        if about.kind in ("bullet", "none"):
            return "-" if about.kind == "bullet" else ""
        counts = self._counts.setdefault(family, {})
        counts[level] = counts.get(level, about.start - 1) + 1
        for deeper in [at for at in counts if at > level]:
            del counts[deeper]

        def part(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            each = levels.get(at, _Level())
            return _written(counts.get(at, each.start), "decimal" if about.legal else each.kind)

        return re.sub(r"%(\d)", part, about.text).strip()


def numbering_of(numbering: Element | None, styles: Element | None) -> Numbering:
    """What the two parts of a file say; either may be missing."""
    families: dict[str, dict[int, _Level]] = {}
    lists: dict[str, tuple[str, dict[int, _Level]]] = {}
    if numbering is not None:
        for family in numbering.iterfind(f"{W}abstractNum"):
            levels = {int(e.get(f"{W}ilvl", 0)): _level(e) for e in family.iterfind(f"{W}lvl")}
            families[family.get(f"{W}abstractNumId", "")] = levels
        for each in numbering.iterfind(f"{W}num"):
            identifier, family = each.get(f"{W}numId", ""), _value(each, "abstractNumId")
            levels = dict(families.get(family, {}))
            anew = False
            for change in each.iterfind(f"{W}lvlOverride"):
                at = int(change.get(f"{W}ilvl", 0))
                own = change.find(f"{W}lvl")
                start = _value(change, "startOverride")
                anew = anew or bool(start)
                levels[at] = _level(own) if own is not None else levels.get(at, _Level())
            lists[identifier] = (identifier if anew else family, levels)
    return Numbering(lists, _styled(styles))


def _styled(styles: Element | None) -> dict[str, tuple[str, int]]:
    """The list and level of each paragraph style, its own or inherited."""
    own: dict[str, tuple[str, int]] = {}
    based: dict[str, str] = {}
    for style in styles.iterfind(f"{W}style") if styles is not None else ():
        name = style.get(f"{W}styleId", "")
        based[name] = _value(style, "basedOn")
        said = style.find(f"{W}pPr/{W}numPr")
        if said is not None:
            own[name] = (_value(said, "numId"), int(_value(said, "ilvl") or 0))
    found: dict[str, tuple[str, int]] = {}
    for name in based:
        at, seen = name, set()
        while at and at not in own and at not in seen:
            seen.add(at)
            at = based.get(at, "")
        if at in own:
            found[name] = own[at]
    return found


def _level(element: Element) -> _Level:
    return _Level(
        _value(element, "numFmt") or "decimal",
        _value(element, "lvlText"),
        int(_value(element, "start") or 1),
        element.find(f"{W}isLgl") is not None,
    )


def _value(element: Element, name: str) -> str:
    found = element.find(f"{W}{name}")
    return "" if found is None else str(found.get(f"{W}val", ""))


# --- how numbers are written ---------------------------------------------------------------------------

_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
          (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip


def _roman(number: int) -> str:
    text = ""
    for value, letters in _ROMAN:
        text += letters * (number // value)
        number %= value
    return text


def _letters(number: int) -> str:
    """a to z, then aa to zz, as Word goes on."""
    return chr(97 + (number - 1) % 26) * (1 + (number - 1) // 26)


_WRITTEN: dict[str, Callable[[int], str]] = {
    "lowerLetter": _letters,
    "upperLetter": lambda number: _letters(number).upper(),
    "lowerRoman": _roman,
    "upperRoman": lambda number: _roman(number).upper(),
    "decimalZero": lambda number: f"{number:02d}",
    "none": lambda number: "",
}


def _written(number: int, kind: str) -> str:
    number = min(max(number, 1), 9999)
    return _WRITTEN.get(kind, str)(number)
