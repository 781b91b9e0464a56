"""Texts to the words they are compared by: two texts that say the same get the same words, no others.

Enters: an answer or a gold answer. Leaves: its words in order. After SQuAD 1.1 (Rajpurkar et al. 2016: lower
case, no punctuation, no articles), but what a number says stays: sign, decimals, times, percent, currency,
comparison and the case of units such as mW and MW. Quotes, dashes, kinds of space, thousands separators and
the place of a currency sign do not count, nor whether an English number or date is written out; scripts
without spaces are compared letter by letter. It knows no language model and no document.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

from backends.language.spelled_numbers import with_figures

Reading = Literal["plain", "joined", "written", "figures"]
# plain: "two-factor" is two words and 3.50 is 3.5; joined: "two-factor" is one word, as "e-mail" is "email";
# written: 3.50 stays 3.50, as versions and section numbers need it; figures: number words and dates are
# figures.
READINGS: tuple[Reading, ...] = ("plain", "joined", "written", "figures")

_CURRENCIES = {
    "usd": "USD US$ $", "eur": "EUR €", "gbp": "GBP £", "inr": "INR ₹", "jpy": "JPY ¥", "cny": "CNY RMB",
    "krw": "KRW ₩", "rub": "RUB ₽", "try": "TRY ₺", "ils": "ILS ₪", "uah": "UAH ₴", "vnd": "VND ₫",
    "thb": "THB ฿", "chf": "CHF", "pln": "PLN zł", "czk": "CZK Kč", "aud": "AUD A$", "cad": "CAD C$ CA$",
    "nzd": "NZD NZ$", "hkd": "HKD HK$", "brl": "BRL R$", "sek": "SEK", "nok": "NOK", "dkk": "DKK",
}  # fmt: skip
_CODES = {form: code for code, forms in _CURRENCIES.items() for form in forms.split()}
_NAMES = {"euro": "eur", "euros": "eur", "eur": "eur", "dollar": "usd", "dollars": "usd", "usd": "usd",
          "gbp": "gbp", "chf": "chf", "rupees": "inr", "yen": "jpy", "yuan": "cny"}  # fmt: skip
_PERCENT = "percent|per cent|pct|prozent|pour cent|por ciento|per cento"
# Units that may stand behind a number without a space; other letters there make it a code, as in "3D".
_UNITS = (
    r"k?cal|[kcdµμn]?m[23]?|[kK][gG]|[mµμ]?g|lbs?|oz|t|ft|in|mi|yd|[mcd]?[lL]|[mµμn]?s|sec|min|h|hrs?|"
    r"[kKMGT]i?[bB](?:ps|it)?|[kMGT]?Hz|[kMG]?Wh?|mW|[kmµμ]?V|[mµμ]?Ah|mA|kVA|[khM]?Pa|m?bar|psi|dB[ma]?|lm|"
    r"k?J|k?N|[kMμµm]?Ω|rpm|RPM|pp[mb]|px|pt|dpi|x|kmh|mph"
)
_VERSIONED = frozenset(
    [
        *["version", "versions", "v", "ver", "release", "firmware", "revision", "rev", "update", "build"],
        *["section", "sections", "chapter", "clause", "article", "paragraph", "annex", "§"],
        *["abschnitt", "kapitel", "ziffer"],
    ]
)
_DENIALS = ("not", "never", "nicht", "niemals", "no longer", "nicht mehr")
_YEAR = r"(?:1[5-9]|20)\d\d"
_BEFORE_AN_AMOUNT = frozenset(["is", "was", "are", "were", "of"])
_AFTER_A_LABEL = frozenset(["is", "was", "has", "are", "and", "or", "to"])  # "A is right": no article
_CASED_UNIT = re.compile(r"[mM](?:Wh?|Ah?|V|Hz|J|N|Pa|Ω|Sv|Bq)|[kKMGT]i?[bB](?:ps)?")
_INITIALS = re.compile(r"[^\W\d_](?:\.[^\W\d_])+")
_SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹣"), "-")
_APOSTROPHES = dict.fromkeys(map(ord, "’‘‛ʼ′`´"), "'")
_OTHERS = {ord("×"): "x", ord("٫"): ".", ord("٬"): ",", ord("⁄"): "/", ord("℃"): "°C", ord("℉"): "°F"}
_DROPPED = dict.fromkeys(map(ord, "™®©"))
_MARKS_LEFT_OUT = re.compile(r"[ؐ-ًؚ-ٰٟـ֑-ׇֽֿׁׂׅׄ]")  # vowel points of Arabic and Hebrew, tatweel
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
    "\U00020000-\U0003ffff][\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u102b-\u103e\u17b6-\u17d3]*"
)

_DIGITS = r"[1-9]\d{0,2}(?:[ ']\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)*|\.\d+"
_SYMBOLS = "".join(form for form in _CODES if len(form) == 1)
_PREFIXES = "|".join(
    re.escape(form) for form in sorted(_CODES, key=len, reverse=True) if form[-1] in _SYMBOLS
)
_MONEY = rf"(?:{_PREFIXES}|(?:{'|'.join(form for form in _CODES if form.isalpha())})\b)"
_BRACKETED = re.compile(
    rf"\(\s?(?P<money>{_MONEY})?\s?(?P<digits>{_DIGITS})(?P<unit>\s?(?:%|{_MONEY}))?\s?\)(?!\s?\w*\d)"
)
_MONEY_LAST = re.compile(rf"(?:^|(?<!\w)){_MONEY}$")
_MONEY_FIRST = re.compile(rf"(?:%|{_MONEY})\s*")
_TOKEN = re.compile(
    rf"""
    (?P<clock>(?<![\w.,:])(?P<hour>[012]?\d)(?:[:.](?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?)?
       [ ]?(?P<half>(?:[AP]\.?M|[ap]\.m|pm|am(?![ ][A-ZÄÖÜ]))\b\.?))
  | (?P<time>(?<![\w.,:])[012]?\d:[0-5]\d(?::[0-5]\d)?(?![\w:]))
  | (?P<dotted>(?<![\w.])\d+(?:[-/.]\d+){{2,}}(?!\w))  # dates, versions, addresses
  | (?P<power>(?<![\w.])-?\d+(?:[.,]\d+)?(?:\^-?\d+|[eE][-+]?\d+)\b)
  | (?P<ratio>(?<![\w.])\d+[/:]\d+(?!\w))
  | (?P<range>(?<![\w.,])(?P<low>{_DIGITS})[ ]?-[ ]?(?P<high>\d+(?:[.,]\d+)*)(?!\w))
  | (?P<number>(?P<sign>(?<![\w)])(?:-|±[ ]?))?(?P<currency>(?:{_PREFIXES})[ ]?)?(?P<minus>-)?
       (?<!\w)(?P<digits>{_DIGITS})(?=(?:{_UNITS})\b(?![-.]\w)|\W|_|$))
  | (?P<degree>°[ ]?[CFcf]\b)
  | (?P<word>(?:{_PREFIXES})(?=\s|$)|\w(?:\w|[-'.@](?=\w))*(?:[+\#]+(?!\w)|(?<=\b[A-Z])-(?![\w-]))?)
  | (?P<symbol><=|>=|[^\w\s])
    """,
    re.VERBOSE,
)


def compared_words(text: str, reading: Reading = "plain") -> list[str]:
    """The words of a text in order; a text of articles alone keeps them."""
    return list(_words(text, reading))


@lru_cache(maxsize=4096)
def _words(text: str, reading: Reading) -> tuple[str, ...]:
    plain = _plain(text)
    if reading == "figures":
        plain = with_figures(plain)
    words = tuple(_with_currencies(_pieces(plain, reading, articles=False)))
    return words or tuple(_pieces(plain, reading, articles=True))


def holds(text: str, part: str, *, denied: bool = True) -> bool:
    """Whether the words of `part` stand in `text` one after another, in one of the readings.

    Without `denied`, not where each time a "not" stands in front of them.
    """
    for reading in READINGS:
        words = f" {' '.join(_words(text, reading))} "
        if not (wanted := f" {' '.join(_words(part, reading))} ").strip():
            continue
        for denial in () if denied else _DENIALS:
            words = words.replace(f" {denial}{wanted}", " ")
        if wanted in words:
            return True
    return False


def says_the_same(one: str, other: str) -> bool:
    """Whether two texts have the same words, in one of the readings; two empty texts have."""
    return any(_words(one, reading) == _words(other, reading) for reading in READINGS)


def _plain(text: str) -> str:
    """One way of writing what looks alike: compatibility forms, dashes, quotes, spaces, digits."""
    text = text.translate(_DROPPED | _OTHERS)
    text = _SUPERSCRIPT.sub(_raised, text)
    text = re.sub(r"[¼-¾⅐-⅞]", lambda match: f" {match[0]}", text)  # 3½ is 3 1/2, never 31/2
    text = unicodedata.normalize("NFKC", text).translate(_DASHES | _APOSTROPHES | _OTHERS)
    text = "".join(_letter(each) for each in text if unicodedata.category(each) != "Cf")
    text = _UNSPACED.sub(lambda match: f" {match[0]} ", _MARKS_LEFT_OUT.sub("", text))
    text = _BRACKETED.sub(_loss, re.sub(r"\b[Mm]inus (?=\d)", "-", text))
    return re.sub(rf"(?i)(?<=\d)(?: |-)?(?:{_PERCENT})\b", " %", text)


def _loss(match: re.Match[str]) -> str:
    """(980.1) is -980.1, as accounts write it, where no sentence can mean a remark, a year or a repetition.

    "thirty (30) days", "the ticket ($9.50)" and "(2) Pay it" stay; so does "(2019)".
    """
    digits, line = match["digits"], match.string[: match.start()].rpartition("\n")[2]
    before = _MONEY_LAST.sub("", line.rstrip()).rstrip()
    glued = before == line and before[-1:].isalnum()
    last = with_figures(re.split(r"[\s-]", before)[-1].casefold())
    if glued or last[-1:].isdigit() or re.match(r"0\d", digits) or re.fullmatch(_YEAR, digits):
        return match[0]
    after = _MONEY_FIRST.sub("", match.string[match.end() :].lstrip(" "), count=1)
    opens = not before or before[-1] in ":;|=," or last in _BEFORE_AN_AMOUNT
    alone = opens and (not after or after[0] in ".,;|\n")
    if alone or (len(digits) > len(re.sub(r"\D", "", digits)) and not (match["money"] or match["unit"])):
        return f"-{match['money'] or ''}{digits}{match['unit'] or ''}"
    return match[0]


def _letter(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)


def _raised(match: re.Match[str]) -> str:
    """10⁶ is 10^6 and never 106; m² is m2 whichever way it is written."""
    digits = unicodedata.normalize("NFKC", match[0]).replace("\u2212", "-").replace("+", "")
    before = match.string[: match.start()]
    return f"^{digits}" if before[-1:].isdigit() else digits


def _pieces(text: str, reading: Reading, *, articles: bool) -> Iterator[str]:
    before = ""
    for match in _TOKEN.finditer(text):
        for piece in _piece(match, before, reading, articles):
            before = piece
            yield piece


def _piece(match: re.Match[str], before: str, reading: Reading, articles: bool) -> Sequence[str]:
    found = match[0]
    if match["clock"]:
        return (_half_day(match),)
    if match["time"]:
        return (str(int(found[: found.index(":")])) + found[found.index(":") :],)
    if match["dotted"]:
        return (_number(found, reading),)
    if match["power"] or match["ratio"]:
        return (found.casefold().replace(",", "."),)
    if match["range"]:
        return (f"{_number(match['low'], reading)}-{_number(match['high'], reading)}",)
    if match["number"]:
        return _amount(match, before, reading)
    if match["degree"]:
        return (f"°{found[-1].casefold()}",)
    if match["word"]:
        return _word(match, before, reading, articles)
    return _symbol(found)


def _amount(match: re.Match[str], before: str, reading: Reading) -> Sequence[str]:
    sign = (match["sign"] or match["minus"] or "").strip()
    versioned = before in _VERSIONED
    value = sign + _number(match["digits"], "written" if versioned else reading)
    if versioned and reading != "written":
        value = f"no.{value}"  # 4.1 as an amount is 4.10, as a version it is not
    currency = (match["currency"] or "").strip()
    return (value, _CODES[currency]) if currency else (value,)


def _symbol(found: str) -> Sequence[str]:
    """What stands for a word: units, currencies, comparisons, ticks. Bullets and punctuation are dropped."""
    if found in _CODES:
        return (_CODES[found],)
    if found in ("<=", ">="):
        return ("≤" if found[0] == "<" else "≥",)
    pictured = unicodedata.category(found[0]) == "So" and not "\u25a0" <= found <= "\u25ff"
    return (found,) if pictured or found in "%‰<>≤≥±≠" else ()


def _number(digits: str, reading: Reading) -> str:
    """`1,204.50`, `1.204,50` and `1 204.5` are 1204.5; `3,5` is 3.5; leading zeros stay, they are codes.

    A single dot before three digits is a decimal point and a single comma before three is none, as in
    English: 1.234 and 1,234 differ by a thousand, and neither may pass for the other.
    """
    digits = digits.replace(" ", "").replace("'", "")
    dots, commas = digits.count("."), digits.count(",")
    if dots and commas:
        point = max(digits.rfind("."), digits.rfind(","))
        digits = re.sub("[.,]", "", digits[:point]) + "." + digits[point + 1 :]
    elif re.fullmatch(r"[1-9]\d{0,2}(,\d{2,3})*,\d{3}", digits):
        digits = digits.replace(",", "")
    elif dots > 1 and re.fullmatch(r"[1-9]\d{0,2}(\.\d{3})+", digits):
        digits = digits.replace(".", "")
    elif commas == 1:
        digits = digits.replace(",", ".")
    if digits.startswith("."):
        digits = f"0{digits}"
    if reading != "written" and digits.count(".") == 1:
        digits = digits.rstrip("0").rstrip(".")
    return digits


def _half_day(match: re.Match[str]) -> str:
    """9 am, 9:00 a.m. and 9:00 are one time; 9 pm is 21:00."""
    hour = int(match["hour"])
    if 1 <= hour <= 12:
        hour = hour % 12 + (12 if match["half"][0].casefold() == "p" else 0)
    seconds = f":{match['second']}" if match["second"] not in (None, "00") else ""
    return f"{hour}:{match['minute'] or '00'}{seconds}"


def _word(match: re.Match[str], before: str, reading: Reading, articles: bool) -> Sequence[str]:
    found = match[0]
    folded = found.casefold().replace("i\u0307", "i")
    if found in _CODES or folded in _NAMES:
        return (_CODES.get(found) or _NAMES[folded],)
    if not articles and _is_article(match, folded):
        return ()
    if before[-1:].isdigit() and _CASED_UNIT.fullmatch(found):
        return (found[0].replace("K", "k") + found[1:],)
    folded = folded.replace("'", "")
    if _INITIALS.fullmatch(folded):
        return (folded.replace(".", ""),)
    if "-" in folded.rstrip("-") and not any(each.isdigit() for each in folded):
        return folded.split("-") if reading != "joined" else (folded.replace("-", ""),)
    if reading == "joined":  # COVID-19 is COVID19, but 2026-07 stays
        folded = re.sub(r"(?<=[^\W\d])-(?=\d)|(?<=\d)-(?=[^\W\d])", "", folded)
    return (folded,)


def _is_article(match: re.Match[str], folded: str) -> bool:
    """`a`, `an`, `the`; not the A of "class A", "A is right" or a label that stands alone."""
    if folded in ("an", "the"):
        return True
    if folded != "a":
        return False
    behind = re.match(r"\s+(\w+)", match.string[match.end() :])
    if behind is None or (match[0] == "A" and behind[1] in _AFTER_A_LABEL):
        return False
    ahead = match.string[: match.start()].rstrip()
    return match[0] == "a" or not ahead or ahead[-1] in ".!?:;\"'([-\u201c\u00ab"


def _with_currencies(pieces: Iterable[str]) -> Iterator[str]:
    """A currency in front of its number goes behind it: EUR 45 is 45 EUR."""
    waiting, before = "", ""
    for piece in pieces:
        if waiting and _is_number(piece):
            yield from (piece, waiting)
            waiting, before = "", waiting
            continue
        if waiting:
            yield waiting
            waiting = ""
        if piece in _CURRENCIES and not _is_number(before):
            waiting = piece
        else:
            yield piece
        before = piece
    if waiting:
        yield waiting


def _is_number(piece: str) -> bool:
    return piece.lstrip("-±")[:1].isdigit()
