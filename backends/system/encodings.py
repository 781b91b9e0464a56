"""Bytes to text, whatever encoding they are in.

Enters: the bytes of a file, and the encoding it declares if it does. Leaves: its text, and a note where the
encoding had to be guessed. Damage stays where it is: a byte that fits nowhere costs one letter, which becomes
U+FFFD. It knows no file format.

Guesses are chardet's, weighed by alphabets: of the readings of a text, the one whose letters all belong to
one language is the likely one. Against other detectors: benchmarks/LOG.md, "Undeclared encodings".
"""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with the same bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What browsers read under these names (WHATWG Encoding Standard): supersets, as people mean them.
_AS_BROWSERS_DO = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
_SAMPLE = 200_000  # bytes a guess looks at, from the first that is not ASCII
_FEW = 4  # what Western European has in advance, the less the more letters there are to judge by
_LONGEST = 50  # bytes of a word that are looked at
_WORDS = 2000  # words with such bytes that a guess looks at


@dataclass(frozen=True)
class Decoded:
    """A file's text; `notes` say what was guessed."""

    text: str
    notes: tuple[str, ...] = ()


def decode(data: bytes, declared: str = "") -> str:
    """The text alone: see `decoded`."""
    return decoded(data, declared).text


def decoded(data: bytes, declared: str = "") -> Decoded:
    """Byte-order mark, UTF-16/32 by its zeros, UTF-8 if the bytes are, else as declared, else a guess.

    What is UTF-8 is read so whatever it declares: no other text looks like it by chance. A declaration of
    Latin-1 is the default of many a program; it gives way where its letters make no sense in any language.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return Decoded(data.decode(encoding, errors="replace"))
    without = data.replace(b"\0", b"")
    text = _utf8(without)
    if len(without) < len(data) and (text is None or text.isascii()) and (wide := _wide(data[:4096])):
        return Decoded(data.decode(wide, errors="replace"))
    data = without
    if text is not None:
        return Decoded(text)
    encoding = _codec(declared)
    if encoding and not _contradicted(data, encoding):
        return Decoded(data.decode(encoding, errors="replace"))
    guess = _guess(data)
    if guess == encoding:
        return Decoded(data.decode(guess, errors="replace"))
    but = f" ({declared} is declared)" if encoding else ""
    note = f"encoding guessed: {guess}{but}"
    return Decoded(data.decode(guess, errors="replace"), (note,))


def _wide(head: bytes) -> str:
    """UTF-16 or UTF-32 without a mark, by where its zero bytes stand; "" when they are damage or padding."""
    zeros = [head[offset::4].count(0) for offset in range(4)]
    quarter = max(1, len(head) // 4)
    if min(zeros[2], zeros[3]) > 0.8 * quarter:
        return "utf-32-le"
    if min(zeros[0], zeros[1]) > 0.8 * quarter:
        return "utf-32-be"
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    side = "utf-16-be" if even > odd else "utf-16-le"
    one_sided = min(even, odd) <= 0.1 * max(even, odd)
    if one_sided and max(even, odd) > 0.5 * quarter:
        return side
    if _reads_as_bytes(head):
        return ""
    # cp1252 is what chardet says when it knows nothing.
    likely = _likeliest(head, ("utf-16-le", "utf-16-be", "cp1252"))
    return likely if likely.startswith("utf") else side if one_sided else ""


def _reads_as_bytes(head: bytes) -> bool:
    """Whether most bytes are small letters and spaces, and next to none are control characters."""
    common = sum(byte == 0x20 or 0x61 <= byte <= 0x7A for byte in head)
    controls = sum(byte < 0x20 and byte not in b"\0\t\n\r\f" for byte in head)
    return common > 0.4 * len(head) and controls < 0.02 * len(head)


def _utf8(data: bytes) -> str | None:
    """The text when the bytes are UTF-8, whole or with less damage than letters; None when they are not."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        text = data.decode("utf-8", errors="replace")
        bad = text.count("\ufffd")
        good = len(text) - len(text.encode("ascii", errors="ignore")) - bad
        cut = error.reason == "unexpected end of data" and len(data) - error.start > 1
        return text if good >= bad or cut else None
    escaped = b"\x1b$" in data or b"\x1b(" in data  # Japanese mail: ISO-2022-JP is made of ASCII bytes
    return None if escaped and data.isascii() else text


def _codec(label: str) -> str:
    """Python's name of the encoding that is meant; "" for none that is known."""
    try:
        name = codecs.lookup(label.strip()).name if label.strip() else ""
    except (LookupError, UnicodeError):
        return ""
    # UTF-8 and the wide ones were tried already: what gets here only says so.
    return "" if name.startswith("utf") else _AS_BROWSERS_DO.get(name, name)


def _contradicted(data: bytes, encoding: str) -> bool:
    """Whether the bytes do not fit what is declared."""
    try:
        text = data.decode(encoding, errors="replace")
    except (UnicodeError, LookupError):  # codecs that are none of text
        return True
    high = sum(byte > 127 for byte in data) or 1
    if encoding != "cp1252":
        return text.count("\ufffd") > max(1, 0.1 * high)
    words = _high_words(_sample(data))
    return _strange(words, encoding) > 0.25 * _high_bytes(words) and _strange(words, _guess(data)) == 0


# --- guessing --------------------------------------------------------------------------------------

# Encodings that files of today come in: what else chardet knows only adds wrong answers.
_MULTIBYTE = ("cp932", "euc_jis_2004", "iso2022_jp_2", "gb18030", "big5hkscs", "cp949")
_SINGLE_BYTE = (
    "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874",
    "iso8859-2", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "iso8859-13", "iso8859-15",
    "koi8-r", "koi8-u", "cp437", "cp850", "cp852", "cp866", "mac-roman",
)  # fmt: skip
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
# Letters beyond a to z of the languages of Europe written in Latin letters.
_ALPHABETS = tuple(
    frozenset(letters)
    for letters in (
        "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţșț", "čćđšž",
        "çğıöşüâîû", "äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúüçàèòïªº", "àèéìòùíó", "áâãàçéêíóôõúüªº",
        "åäöéæø", "áðéíóúýþæö", "äõöüšž", "ąčęėįšųūž", "āčēģīķļņšūž", "ëïéèöüáó",
    )
)  # fmt: skip
_SCRIPTS = (("\u0370", "\u03ff"), ("\u0400", "\u04ff"), ("\u0590", "\u05ff"), ("\u0600", "\u06ff"),
            ("\u0e00", "\u0e7f"))  # fmt: skip
_SIGNS = frozenset("’‘“”„–—…«»¿¡€·‚‹›°§ªº£©®µ±•²³¼½¾×\xad\xa0")


# A sign within a word, and a capital after a small letter where only other scripts have them by mistake.
_ODD_WITHIN = re.compile(r"(?<=[^\W\d_])[‘“”„–—…«»¿¡€‚‹›°§ªº£©®±²³¼½¾×](?=[^\W\d_])|[α-ωа-я](?=[А-ЯΑ-Ω])")
_ASCII = frozenset(map(chr, range(128)))


def _guess(data: bytes) -> str:
    """The likeliest encoding of bytes that are not UTF-8, as Python's name.

    chardet judges the text, and once more the words with other than ASCII letters alone: among English
    words and figures they go under.
    """
    sample = _sample(data)
    words = _high_words(sample)
    if words and not set(words.decode("cp1252", errors="replace")) - _SIGNS - _ASCII:
        return "cp1252"  # no letter among them: dashes, quotes, units
    best = _likeliest(sample, _MULTIBYTE + _SINGLE_BYTE)
    if best in _MULTIBYTE and not _torn(sample.decode(best, errors="replace")):
        return best
    whole = _odds(sample, _SINGLE_BYTE)
    alone = _odds(words, _SINGLE_BYTE)
    weight = min(6, _high_bytes(words)) / max(1, _high_bytes(words))
    scores = {
        name: math.log(whole[name] * alone[name])
        - weight * _strange(words, name)
        + (name == "cp1252") * _FEW / max(1, _high_bytes(words))
        for name in alone
        if whole.get(name)
    }
    return max(scores, key=lambda name: scores[name], default="cp1252")


def _likeliest(data: bytes, encodings: Sequence[str]) -> str:
    """The one that chardet has most confidence in; "" for none."""
    odds = _odds(data, encodings)
    return max(odds, key=lambda name: odds[name], default="")


def _odds(data: bytes, encodings: Sequence[str]) -> dict[str, float]:
    """chardet's confidence in each encoding that the bytes are valid in."""
    import chardet

    if not data:
        return {}
    found = chardet.detect_all(data, ignore_threshold=True, include_encodings=encodings, compat_names=False)
    return {str(each["encoding"]): each["confidence"] for each in found if each["encoding"] in encodings}


def _sample(data: bytes) -> bytes:
    """The lines from the first on that is more than ASCII; of a long one what is near to that."""
    first = re.search(rb"[\x1b\x80-\xff]", data)
    at = first.start() if first else 0
    start = max(data.rfind(b"\n", 0, at) + 1, at - 1000)
    return data[start : start + _SAMPLE]


def _high_words(sample: bytes) -> bytes:
    """The words with letters beyond ASCII."""
    words = (match[0] for match in _WORD.finditer(sample))
    return b" ".join(islice((word[:_LONGEST] for word in words if not word.isascii()), _WORDS))


def _high_bytes(data: bytes) -> int:
    return sum(byte > 127 for byte in data)


def _torn(text: str) -> bool:
    """Whether most Chinese or Korean letters stand within Latin words: accented letters read in pairs."""
    wide = re.findall(r"[\u3040-\uffef]", text)
    return 2 * len(re.findall(r"(?<=[a-z])[\u3040-\uffef]|[\u3040-\uffef](?=[a-z])", text)) > len(wide)


def _strange(words: bytes, encoding: str) -> float:
    """How many letters of these words no one language explains, read in this encoding."""
    latin: Counter[str] = Counter()
    scripts: Counter[int] = Counter()
    text = words.decode(encoding, errors="replace")
    strange = len(_ODD_WITHIN.findall(text))
    for word in text.lower().replace("i\u0307", "ı").split():  # İ, of Turkish, in small letters
        letters = [letter for letter in word if letter > "\x7f" and letter not in _SIGNS]
        others = [letter for letter in letters if not unicodedata.name(letter, "").startswith("LATIN")]
        if not others:
            latin.update(letters)
            continue
        places = [_script(letter) for letter in others]
        scripts.update(place for place in places if place is not None)
        mixed = len(others) < len(letters) or any("a" <= letter <= "z" for letter in word)
        strange += places.count(None) + 3 * mixed * len(letters)
    if scripts:
        return strange + latin.total() + scripts.total() - max(scripts.values())
    foreign = (sum(n for letter, n in latin.items() if letter not in known) for known in _ALPHABETS)
    return strange + min(foreign)


def _script(letter: str) -> int | None:
    """Which of the scripts other than Latin a letter belongs to."""
    return next((at for at, (low, high) in enumerate(_SCRIPTS) if low <= letter <= high), None)
