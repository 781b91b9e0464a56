"""A number as its sheet shows it: by the number format of its cell.

Enters: the number as text or float, and a format code of a spreadsheet (ECMA-376 part 1, 18.8.31), as Excel's
files hold it. Leaves: the text of the cell. It knows no file.

Where showing it so would lose something, it is kept: whole dates are written YYYY-MM-DD, a negative number
always has its sign (a sheet may show it by colour alone), and a format that hides the number shows it whole.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne

# Formats that files name by number only; those of dates that depend on the country are written as ISO dates.
BUILT_IN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "$#,##0", 6: "$#,##0", 7: "$#,##0.00",
    8: "$#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 14: "yyyy-mm-dd",
    15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm",
    21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00",
    41: "#,##0", 42: "$#,##0", 43: "#,##0.00", 44: "$#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0",
    48: "0.0E+0", 49: "@",
    **dict.fromkeys((*range(27, 32), 36, *range(50, 53), 54, 57, 58), "yyyy-mm-dd"),
    **dict.fromkeys((32, 33, 34, 35, 55, 56), "h:mm:ss"),
}  # fmt: skip

_TOKEN = re.compile(
    r"""(?P<literal>"[^"]*"?|\\.)|(?P<nothing>_.|\*.)|\[(?P<elapsed>h+|m+|s+)\]|\[\$(?P<currency>[^\]-]*)[^\]]*\]
    |\[(?P<test>[<>=]+)(?P<limit>-?[\d.]+)\]|(?P<colour>\[[^\]]*\])|(?P<general>General)|(?P<half>AM/PM|A/P)
    |(?P<date>yyyy|yy|y|mmmmm|mmmm|mmm|mm|m|dddd|ddd|dd|d|hh|h|ss|s|e{1,4}(?![+-]))|(?P<exponent>E[+-])
    |(?P<digit>[0#?])|(?P<other>.)""",
    re.X | re.I | re.S,
)
_SEMICOLON = re.compile(r""";(?=(?:[^"]*"[^"]*")*[^"]*$)(?<!\\;)""")
_INTEGER = re.compile(r"-?\d{1,40}")
_GROUPS = re.compile(r"(?<=\d)(?=(?:\d{3})+$)")
_TESTS = {"<": lt, "<=": le, ">": gt, ">=": ge, "=": eq, "<>": ne}
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EPOCH, _EPOCH_1904 = datetime.datetime(1899, 12, 30), datetime.datetime(1904, 1, 1)
LONGEST = 20  # digits that are written out; larger and smaller numbers have an exponent


Tokens = tuple[tuple[str, str], ...]
KEPT = 4096  # texts of numbers that are remembered: columns hold the same ones often


@dataclass(frozen=True)
class _Section:
    """One of the up to four formats of a code; what stands around the digits, and how these are written."""

    kind: str  # general, date, period, number, fraction, exponent, words in the number's place, or nothing
    tokens: Tokens
    test: tuple[str, float] | None
    before: str = ""
    after: str = ""
    whole: Tokens = ()  # the places in front of the point
    part: Tokens = ()  # and those behind it
    scale: Decimal = Decimal(1)
    step: Decimal = Decimal(1)  # the last place that is shown
    zeros: int = 0  # places in front of the point that are always shown
    least: int = 0  # and behind it
    tail: str = ""  # what stands among those behind it
    groups: bool = False
    plain: bool = False  # nothing but digits in front of the point
    iso: int = 0  # letters of a day and time in ISO's form that are shown


@lru_cache(maxsize=KEPT)
def shown(value: str | float, code: str, epoch_1904: bool = False) -> str:
    """The number as a cell of this format shows it. ValueError when it is no number."""
    number = float(value)
    section = _section(code, number)
    if section is None or section.kind == "nothing":
        return plain(value)
    if section.kind == "words":
        return section.before
    if section.kind == "general":
        return f"{section.before}{plain(value)}{section.after}"
    if section.kind in ("date", "period"):
        return _date(section, number, epoch_1904) or plain(value)
    return _number(section, exact(value))


def plain(value: str | float) -> str:
    """All the digits that a sheet holds (15 at most), without an exponent where that is bearable."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return value
    number = exact(value)
    if not number or -LONGEST <= number.adjusted() <= LONGEST:
        text = f"{number.normalize():f}"
        return "0" if text == "-0" else text
    return f"{number.normalize():E}"


def exact(value: str | float) -> Decimal:
    """The number in its 15 significant digits: 0.1 + 0.2 is 0.3 to whoever reads a sheet."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return Decimal(value)
    number = float(value)
    if number.is_integer() and abs(number) < 1e15:  # the quick way to the same
        return Decimal(int(number))
    return Decimal(f"{number:.15g}")


# --- the code --------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _sections(code: str) -> tuple[tuple[_Section, ...], bool]:
    """The sections for numbers, and whether tests tell which of them a number falls in."""
    parts = _SEMICOLON.split(code)[:3]
    sections = tuple(_section_of(part) for part in parts)
    return sections, any(section.test for section in sections)


def _section_of(code: str) -> _Section:
    tokens: list[tuple[str, str]] = []
    test = None
    for match in _TOKEN.finditer(code):
        kind = str(match.lastgroup)
        if kind == "limit":
            test = (match["test"], float(match["limit"]))
        elif kind == "literal":
            tokens.append((kind, match["literal"].strip('"').removeprefix("\\")))
        elif kind == "currency":
            tokens.append(("literal", match["currency"]))
        elif kind not in ("nothing", "colour"):
            tokens.append((kind, match[kind]))
    kinds = {kind for kind, _ in tokens}
    if "general" in kinds or (kinds <= {"other", "literal"} and ("other", "@") in tokens):
        at = next(at for at, (kind, text) in enumerate(tokens) if kind == "general" or text == "@")
        return _Section("general", tuple(tokens), test, _text(tokens[:at]), _text(tokens[at + 1 :]))
    if kinds & {"date", "elapsed", "half"}:
        return _Section("period" if "elapsed" in kinds else "date", tuple(tokens), test, iso=_iso(tokens))
    words = "".join(text for kind, text in tokens if kind == "literal").strip()
    if kinds <= {"literal", "other"} and any(map(str.isalpha, words)):
        return _Section("words", tuple(tokens), test, words)
    if not any(kind == "digit" and text != "?" for kind, text in tokens):
        return _Section("nothing", tuple(tokens), test)
    return _number_section(tokens, test)


def _iso(tokens: Sequence[tuple[str, str]]) -> int:
    """How much of YYYY-MM-DD hh:mm:ss shows what the format does; 0 where the day is not whole."""
    lower = [(kind, text.lower()) for kind, text in tokens]
    units = {
        "minutes" if _is_minutes(lower, at) else text[0]
        for at, (kind, text) in enumerate(lower)
        if kind == "date"
    }
    clock = 0 if "h" not in units else 9 if "s" in units else 6
    return 10 + clock if {"y", "m", "d"} <= units else 0


def _number_section(tokens: list[tuple[str, str]], test: tuple[str, float] | None) -> _Section:
    digits = [at for at, (kind, _) in enumerate(tokens) if kind == "digit"]
    before, inner, after = tokens[: digits[0]], tokens[digits[0] : digits[-1] + 1], tokens[digits[-1] + 1 :]
    scale = Decimal(100) ** tokens.count(("other", "%"))
    while after and after[0] == ("other", ","):
        scale, after = scale / 1000, after[1:]
    point = inner.index(("other", ".")) if ("other", ".") in inner else len(inner)
    whole, part = tuple(inner[:point]), tuple(inner[point + 1 :])
    kind = "fraction" if ("other", "/") in inner else "number"
    return _Section(
        "exponent" if any(kind == "exponent" for kind, _ in inner) else kind,
        tuple(inner),
        test,
        _text(before),
        _text(after),
        whole,
        part,
        scale,
        step=Decimal(1).scaleb(-sum(kind == "digit" for kind, _ in part)),
        zeros=whole.count(("digit", "0")),
        least=part.count(("digit", "0")),
        tail="".join(text for kind, text in part if kind == "literal"),
        groups=("other", ",") in whole,
        plain=all(kind == "digit" for kind, _ in whole),
    )


def _text(tokens: Sequence[tuple[str, str]]) -> str:
    """Literals around the digits; a percent sign stands apart."""
    return "".join(" %" if token == ("other", "%") else token[1] for token in tokens).replace("  %", " %")


def _section(code: str, number: float) -> _Section | None:
    """The section that a number falls in: by their tests, else positive, negative, zero."""
    sections, tested = _sections(code or "General")
    if tested:
        fits = (s for s in sections if s.test is None or _TESTS.get(s.test[0], eq)(number, s.test[1]))
        return next(fits, None)
    at = 1 if number < 0 and len(sections) > 1 else 2 if number == 0 and len(sections) > 2 else 0
    return sections[at] if sections[at].kind != "nothing" else sections[0]


# --- numbers ---------------------------------------------------------------------------------------


def _number(section: _Section, number: Decimal) -> str:
    size = abs(number) * section.scale
    if section.kind == "exponent" or size.adjusted() - section.step.adjusted() > LONGEST:
        body = plain(float(size))
    elif section.kind == "fraction":
        body = _fraction(section.tokens, size)
    else:
        body = _digits(section, size)
    before, after = section.before, section.after
    if number < 0:  # the sign, whatever the section has in its place
        before, after = before.replace("(", "").replace("-", ""), after.replace(")", "")
    negative = "-" if number < 0 and body.strip("0.,") else ""
    return f"{negative}{before}{body}{after}".strip()


def _digits(section: _Section, number: Decimal) -> str:
    """The digits in their places; the literals between them stay where they are."""
    left, _, right = f"{number.quantize(section.step, ROUND_HALF_UP):f}".partition(".")
    right = right[: section.least] + right[section.least :].rstrip("0")
    text = _whole(section, left)
    return f"{text}.{right}{section.tail}" if right else f"{text}{section.tail}"


def _whole(section: _Section, digits: str) -> str:
    digits = ("" if digits == "0" else digits).rjust(section.zeros, "0")
    if section.groups:
        return _GROUPS.sub(",", digits or "0")
    if section.plain:
        return digits or "0"
    filled: list[str] = []  # from the right, as phone and account numbers are
    for kind, text in reversed(section.whole):
        if kind == "digit":
            filled.append(digits[-1:])
            digits = digits[:-1]
        else:
            filled.append(text)
    return digits + "".join(reversed(filled))


def _fraction(tokens: Tokens, number: Decimal) -> str:
    """Halves and quarters as they stand: 1 1/4."""
    slash = tokens.index(("other", "/"))
    fixed = "".join(text for _, text in tokens[slash + 1 :]).strip()
    limit = int(fixed) if fixed.isdigit() and int(fixed) else 10 ** max(1, len(fixed)) - 1
    mixed = any(kind != "digit" for kind, _ in tokens[:slash])
    whole = int(number) if mixed else 0
    rest = Fraction(number - whole).limit_denominator(limit)
    if not rest:
        return str(whole)
    return f"{whole} {rest}" if whole else str(rest)


# --- days and times ----------------------------------------------------------------------------------


def _date(section: _Section, number: float, epoch_1904: bool) -> str:
    """ "" where the number is no day that a sheet can show."""
    if section.kind == "period":
        return _written(section, datetime.datetime.min, number)
    moment = moment_of(number, epoch_1904)
    if moment is None:
        return ""
    return moment.isoformat(" ")[: section.iso] if section.iso else _written(section, moment, number)


def moment_of(number: float, epoch_1904: bool = False) -> datetime.datetime | None:
    """The day and time of a sheet's number, to the second; None outside the years 1900 to 9999.

    Excel counts 29 February 1900, which never was.
    """
    if not 0 <= number < 2958466:
        return None
    if not epoch_1904 and 1 <= number < 60:
        number += 1
    return (_EPOCH_1904 if epoch_1904 else _EPOCH) + datetime.timedelta(seconds=round(number * 86400))


def _written(section: _Section, moment: datetime.datetime, number: float) -> str:
    """The parts of a day or time in the order of the format."""
    parts: list[str] = []
    units = [(kind, text.lower()) for kind, text in section.tokens]
    half = any(kind == "half" for kind, _ in units)
    seconds = round(abs(number) * 86400)
    for at, (kind, text) in enumerate(units):
        if kind == "elapsed":
            unit = {"h": 3600, "m": 60, "s": 1}[text[0]]
            parts.append(f"{'-' if number < 0 else ''}{seconds // unit:0{len(text)}d}")
        elif kind == "half":
            parts.append("AM" if moment.hour < 12 else "PM")
        elif kind == "date" and text[0] in "hs":
            hour = (moment.hour - 1) % 12 + 1 if half else moment.hour
            clock = hour if text[0] == "h" else (seconds if moment.year == 1 else moment.second) % 60
            parts.append(f"{clock:0{len(text)}d}")
        elif kind == "date" and _is_minutes(units, at):
            parts.append(f"{(seconds // 60 % 60) if moment.year == 1 else moment.minute:0{len(text)}d}")
        elif kind == "date":
            parts.append(_day_part(text, moment))
        elif kind != "digit":
            parts.append(section.tokens[at][1])
    return "".join(parts).strip(" .,;")


def _is_minutes(units: Sequence[tuple[str, str]], at: int) -> bool:
    """An m after hours or in front of seconds."""
    if units[at][1][0] != "m":
        return False
    clock = [text[0] for kind, text in units[:at] if kind in ("date", "elapsed")][-1:]
    after = [text[0] for kind, text in units[at + 1 :] if kind in ("date", "elapsed")][:1]
    return clock == ["h"] or after == ["s"]


def _day_part(text: str, moment: datetime.datetime) -> str:
    if text[0] in "ye":
        return str(moment.year)
    if text[0] == "m":
        name = _MONTHS[moment.month - 1]
        return name if len(text) > 3 else name[:3] if len(text) == 3 else f"{moment.month:0{len(text)}d}"
    name = _DAYS[moment.weekday()]
    return name if len(text) > 3 else name[:3] if len(text) == 3 else f"{moment.day:0{len(text)}d}"
