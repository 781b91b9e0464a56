"""Questions for the cells of a table, as a person would ask for them, by the kind of their column.

Enters: the lines of a table, as documents hold them ("Header: value; Header: value"). Leaves: for each cell a
question, the short answer and a sentence that says it; or, for a whole column, why it makes no question. It
knows no document and no model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_CELL = re.compile(r"\s*([^:;\n]{1,40}):\s+([^;\n]{1,120})")
_CURRENCIES = {"eur", "usd", "gbp", "chf"}
_UNITS = _CURRENCIES | {"mg", "g", "kg", "mm", "cm", "m", "km", "ml", "l", "min", "h", "kw", "kwh", "percent"}
_PLURAL = re.compile(r"[^aius]s$", re.IGNORECASE)  # hours and allergens; not basis, status, gas, address
_UNIT_BEHIND = re.compile(r"(?P<name>.*\S)\s*[(\[](?P<unit>[^()\[\]]{1,12})[)\]]")
_AMOUNT = re.compile(r"[-+]?(?:[€$£¥]\s?)?\d[\d.,\s]*(?:\s?\S{1,12})?(?:\s\w{1,10})?")
_MONEY = re.compile(r"[€$£¥]|\b(?:EUR|USD|GBP|CHF|euros?|pounds?|dollars?|francs?)\b", re.IGNORECASE)
_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}|"
    r"\d{1,2}\.? (?:January|February|March|April|May|June|July|August|September|October|November|December)"
    r"(?: \d{4})?"
)
_MONTH = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b"
)
_PERSON = re.compile(
    r"(?:(?:Dr|Mr|Mrs|Ms|Prof)\.?\s)?[A-Z][\w'’-]+(?:\s[A-Z]\.)?(?:\s(?:van|von|de|al))?\s[A-Z][\w'’-]+"
)
_ROLE = re.compile(
    r"\b(?:manager|warden|lead|leader|head|director|officer|contact|chair|contact person|owner|trainer|"
    r"supplier|"
    r"contractor|driver|tutor|teacher|vet|doctor|nurse|speaker|author|editor|representative|"
    r"coordinator|deputy|sponsor|landlord|tenant|provider|manufacturer|carrier|person)$",
    re.IGNORECASE,
)
_CERTAIN = {"yes", "no", "true", "false", "y", "n"}
_OPENS_NO_NOUN = frozenset(
    str.split(
        "is are can may must do does by per from to of in on at for with if when how who what where why "
        "which use told "
        "kept escalate since until starts ends fits replaces"
    )
)
_YES, _NO = {"yes", "y", "true", "x", "✓"}, {"no", "n", "false", "none", "-", "–"}
_FREE_TEXT = re.compile(
    r"^(?:notes?|remarks?|comments?|description|details|other|text|info\w*|observations?)$", re.I
)
_KEYS = re.compile(
    r"^(?:id|no\.?|nr\.?|#|row|index|key|code|number|item number|part number|sku|ref\w*)$", re.I
)
# What a column can be called so that "the ... of a row" is understood; others make no question.
_NOUNS = frozenset(
    str.split(
        "price fee charge cost rate fare rent salary wage budget deposit discount surcharge allowance "
        "tax premium amount "
        "total balance turnover revenue sales profit capacity weight length width height depth size area "
        "volume distance "
        "speed power output voltage temperature range accuracy interval duration term period notice "
        "deadline age lifetime "
        "warranty guarantee date day time start end delivery opening closing inspection renewal expiry "
        "review departure "
        "arrival check-in phone extension email e-mail address website colour color material version "
        "release edition model "
        "make brand type protocol port format language currency supplier manufacturer provider "
        "contractor vendor "
        "manager lead leader head director officer owner contact chair trainer driver tutor teacher "
        "speaker host author "
        "editor representative coordinator deputy sponsor landlord tenant carrier person nurse doctor vet "
        "department team site office branch building floor room hall town city country region location "
        "venue place "
        "seat status frequency limit minimum maximum quantity stock order level rating score share "
        "percentage population "
        "position role title job grade target baseline forecast result dose option allergen ingredient "
        "certificate qualification course place bed table door plant window desk licence license agent "
        "employee "
        "member visitor guest participant page piece copy instalment visit hour minute week month year "
        "leave holiday "
        "equipment furniture software hardware insurance access term method destination route gate "
        "platform lane "
        "zone category class section priority battery consumption emission frequency density "
        "hardness purity origin species habitat altitude diameter"
    )
)
# A kind of thing that its name needs beside it: the Harvest dinner menu.
_KINDS = frozenset(
    str.split(
        "course menu service plan package tariff group workshop project event programme program module "
        "scheme "
        "seminar shift zone"
    )
)
_FOR = re.compile(
    r"\b(?:price|fee|charge|cost|costs|rate|deposit|discount|budget|term|deadline|limit|minimum|maximum|"
    r"carrier|delivery)\b",
    re.I,
)
_SPAN = re.compile(r"^(.+) (from|until)$")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
_BOUND = re.compile(r"^(min\w*\.?|max\w*\.?)\s(.+)$", re.IGNORECASE)
_WITHIN = frozenset(str.split("town city country region district county state borough building room hall"))
_WHERE = frozenset(["location", "place", "venue", "whereabouts"])
_MASS = frozenset(str.split("equipment furniture software hardware insurance"))
_SAID = {
    "phone": "phone number",
    "tel": "phone number",
    "telephone": "phone number",
    "mobile": "mobile number",
}
_THIRD = {"has": "have", "is": "be", "does": "do", "goes": "go"}
_VERBS = frozenset(
    str.split(
        "needs requires has allows includes delivers accepts offers contains covers comes applies uses "
        "speaks works "
        "supports provides ships opens closes counts wants gets pays serves takes"
    )
)
_PARTICIPLE = re.compile(
    r"^(?P<done>\w+(?:ed|en|wn|ld|ept|aid|ade|ent|et))\s(?P<by>by|for|through|with|in|at|to)$",
    re.I,
)


LONGEST_NAME = 5  # words
NAMED = 0.6  # share of a table's rows that must have a name of their own
_FINITE = frozenset(
    ["is", "are", "was", "has", "have", "shows", "does", "do", "will", "can", "must", "needs"]
)


@dataclass(frozen=True)
class CellQuestion:
    """A question for one cell; `answers` are ways of giving the short answer, the first the one to learn."""

    line: str
    header: str
    question: str
    answers: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class CellLeftOut:
    """A column, or a row, that makes no question."""

    what: str
    why: str


Words = Callable[
    [str, str], tuple[str, tuple[str, ...], str]
]  # name and value -> question, answers, sentence


def cells(line: str) -> list[tuple[str, str]]:
    """(header, value) pairs of a line "Header: value; Header: value"; [] when it is no table row."""
    parts = [part for part in line.split("; ") if part.strip()]
    found = [_CELL.fullmatch(part) for part in parts]
    if len(parts) < 2 or not all(found):
        return []
    return [(match[1].strip(), match[2].strip()) for match in found if match is not None]


def questions_for(lines: Sequence[str]) -> tuple[list[CellQuestion], list[CellLeftOut]]:
    """For the rows of one table. What the table answers in two ways is not asked."""
    rows = [(line, dict(found)) for line in lines if (found := cells(line))]
    if not rows:
        return [], []
    headers = list(dict.fromkeys(header for _, row in rows for header in row))
    subject = subject_of([row for _, row in rows])
    if subject is None:
        return [], [CellLeftOut(f"Table of {headers[0]}", "none of its columns names the rows")]
    names = [row.get(subject, "") for _, row in rows]
    made: list[CellQuestion] = []
    left: list[CellLeftOut] = []
    for header in headers:
        if header == subject:
            continue
        values = [row[header] for _, row in rows if header in row]
        words = _words(header, values)
        if isinstance(words, str):
            left.append(CellLeftOut(header, words))
            continue
        for (line, row), name in zip(rows, names, strict=True):
            value = row.get(header, "")
            if names.count(name) > 1 or not is_name(name) or not value or value in {"-", "–", "n/a", "?"}:
                continue
            question, answers, sentence = words(_named(name, subject), value)
            made.append(CellQuestion(line, header, question, answers, sentence))
    return made, left


def subject_of(rows: Sequence[dict[str, str]]) -> str | None:
    """The column that names its rows: the first that is no number or key, where most values are names.

    None where there is none: then nothing can be asked that only one row answers.
    """
    headers = list(dict.fromkeys(header for row in rows for header in row))
    first = next((h for h in headers if not _KEYS.match(h) and not _numbers(rows, h)), None)
    if first is None:
        return None
    values = [row[first] for row in rows if first in row]
    named = [value for value in values if values.count(value) == 1 and is_name(value)]
    return first if len(named) >= NAMED * len(rows) else None


def _numbers(rows: Sequence[dict[str, str]], header: str) -> bool:
    """Codes and numbers: more signs than letters in them."""
    values = [row[header] for row in rows if header in row]
    letters = sum(sum(c.isalpha() or c.isspace() for c in value) for value in values)
    return letters <= 0.5 * sum(map(len, values))


def is_name(value: str) -> bool:
    """Whether a cell can stand for its row in a question: a few words, no sentence, date, amount or list."""
    words = value.split()
    return (
        len(words) <= LONGEST_NAME
        and not re.search(
            r"[,;:?!<>/]|\.$|^\d|^(?:up to|over|under|above|below|from|until|more|less)\b", value
        )
        and not _DATE.fullmatch(value)
        and not _MONTH.search(value)
        and not any(word in _FINITE for word in words[1:])
    )


def spoken(header: str) -> tuple[str, str]:
    """A column's name as it is said, and its unit: `weight_g` and `Weight (g)` are the weight in g.

    Names that programs gave are taken apart: `assignedTo`, and `location room` of values within values.
    """
    unit = ""
    if " " not in header:
        header = _CAMEL.sub("_", header)
    name, _, last = header.rpartition("_")
    if name and last.casefold() in _UNITS:
        header, unit = name, last.upper() if last.casefold() in _CURRENCIES else last
    elif ((match := _UNIT_BEHIND.fullmatch(header)) and match["unit"][0].isalpha()) or (
        match and match["unit"] in "%€$£"
    ):
        header, unit = match["name"], match["unit"]
    said = " ".join(header.split("_")).strip(" ?:")
    if header != header.replace("_", ""):
        said = " ".join(word.lower() if word.istitle() else word for word in said.split())
    first, _, rest = said.partition(" ")
    if (first in _WHERE and rest in _WITHIN) or (rest == "name" and _ROLE.search(first)):
        said = rest if first in _WHERE else first
    lower = said[1:2].islower() or len(said) == 1 or said[1:2] == " "
    return (said[:1].lower() + said[1:] if lower else said), unit


def _named(name: str, subject: str) -> str:
    kind, common = spoken(subject)[0], name[:2].islower() and not name.startswith(("the ", "a ", "an "))
    if kind not in _KINDS or kind in name.lower() or any(map(str.isdigit, name)) or _PERSON.fullmatch(name):
        return f"the {name}" if common else name
    return f"the {name} {kind}"


def _words(header: str, values: Sequence[str]) -> Words | str:
    """How cells of this column are asked for; or why they are not."""
    what, unit = spoken(header)
    before, _, last = what.rpartition(" ")
    what = f"{before} {_SAID.get(last, last)}".strip()
    if _FREE_TEXT.match(what):
        return "a column of remarks asks nothing"
    if all(value.lower() in _YES | _NO for value in values) and any(v.lower() in _CERTAIN for v in values):
        return _yes_no(what)
    if (match := _PARTICIPLE.match(what)) and not all(map(_DATE.fullmatch, values)):
        return _participle(match["done"].lower(), match["by"].lower(), values)
    if match := re.fullmatch(r"valid (from|until)", what):
        when = match[1]
        return lambda name, value: (
            f"{when.capitalize()} when is {name} valid?", (value,), f"{upper(name)} is valid {when} "
            f"{value}."
        )  # fmt: skip
    if (match := _SPAN.match(what)) and match[1].split()[-1] in _NOUNS and all(map(_DATE.fullmatch, values)):
        noun, verb = match[1], "start" if match[2] == "from" else "end"
        return lambda name, value: (
            f"When does the {noun} of {name} {verb}?", (value,), f"The {noun} of {name} {verb}s on {value}."
        )  # fmt: skip
    if what in {"responsible", "person responsible"}:
        return lambda name, value: (
            f"Who is responsible for {name}?", (value,), f"{upper(value)} is responsible for {name}."
        )  # fmt: skip
    if header.rstrip().endswith("?") or what.split()[0] in _VERBS | _OPENS_NO_NOUN:
        return "the name of its column is no noun"
    head = _head(what).split()[-1].lower()
    if (
        head not in _NOUNS
        and head.removesuffix("s") not in _NOUNS
        and not _BOUND.match(what)
        and not unit
        and not what.endswith(" number")
    ):
        return "it is not certain how its column is asked for"
    if re.search(r"\d", what):
        return "it is not certain how its column is asked for"
    return _noun(what, unit, values)


def _noun(what: str, unit: str, values: Sequence[str]) -> Words:
    plural = bool(_PLURAL.search(_head(what)))
    be, link = ("are" if plural else "is"), ("for" if _FOR.search(what) else "of")
    money = unit.casefold() in {*_CURRENCIES, "€", "$", "£"} or all(map(_MONEY.search, values))
    money = money and any(map(str.isdigit, "".join(values)))
    numbers = all(re.fullmatch(r"\d[\d.,]*", value) for value in values)

    def answers(value: str) -> tuple[str, ...]:
        whole = f"{value} {unit}" if unit and re.fullmatch(r"[-+]?\d[\d.,]*", value) else value
        return (whole, value) if whole != value else (value,)

    def said(name: str, value: str) -> str:
        return f"The {what} {link} {name} {be} {answers(value)[0]}."

    if numbers and plural and (match := _BOUND.match(what)):
        bound, counted = ("minimum" if match[1][:3].lower() == "min" else "maximum"), match[2]
        return lambda name, value: (
            f"What is the {bound} number of {counted} for {name}?", (value,),
            f"The {bound} number of {counted} for {name} is {value}.",
        )  # fmt: skip
    if numbers and plural and not unit:
        return lambda name, value: (
            f"How many {what} does {name} have?",
            (value,),
            f"{upper(name)} has {value} {_one(what) if value == '1' else what}.",
        )
    if _ROLE.search(what) and " per " not in what:
        return lambda name, value: (f"Who {be} the {what} {link} {name}?", (value,), said(name, value))
    if all(map(_DATE.fullmatch, values)):
        word = "What" if what.endswith("date") and " " not in what else "When"
        if word == "What":
            return lambda name, value: (f"What is the date of {name}?", (value,), said(name, value))
        return lambda name, value: (f"When {be} the {what} {link} {name}?", (value,), said(name, value))
    if what in _WITHIN:
        return lambda name, value: (f"In which {what} is {name}?", (value,), f"{upper(name)} is in {value}.")
    before, _, last = what.rpartition(" ")
    if last in _WITHIN and before.endswith("address"):
        return lambda name, value: (
            f"Which {last} is in the {before} of {name}?", (value,),
            f"The {last} in the {before} of {name} is {value}.",
        )  # fmt: skip
    if what in _WHERE:
        return lambda name, value: (f"Where is {name}?", (value,), said(name, value))
    if what in _MASS:
        return lambda name, value: (f"What {what} does {name} have?", (value,), f"{upper(name)} has {value}.")
    asks = "How much" if money and not re.search(r"price|rate", what) else "What"
    return lambda name, value: (f"{asks} {be} the {what} {link} {name}?", answers(value), said(name, value))


def _one(what: str) -> str:
    """Of "days at home" one: "day at home"."""
    head = _head(what)
    return head.removesuffix("s") + what[len(head) :]


def _head(what: str) -> str:
    return re.split(r"\s(?:in|of|per|for|at|on|to|with)\s", what)[0]


def _yes_no(what: str) -> Words | str:
    first, _, rest = what.partition(" ")
    if first in _OPENS_NO_NOUN:
        return "a column that is a whole question of its own does not say of what"
    if first in _VERBS:
        return _does(_THIRD.get(first) or first.removesuffix("s"), first, rest)
    if what.endswith(("ed", "able", "ible", "full", "ent")) and not rest:
        return lambda name, value: (
            f"Is {name} {what}?",
            (_yes(value),),
            f"{upper(name)} is {'' if _yes(value) == 'Yes' else 'not '}{what}.",
        )
    vowels = "AEFHILMNORSX" if first.isupper() else "aeiouAEIOU"
    article = "" if _PLURAL.search(what) else ("an " if what[0] in vowels else "a ")
    return lambda name, value: (
        f"Does {name} have {article}{what}?",
        (_yes(value),),
        f"{upper(name)} has {article if _yes(value) == 'Yes' else 'no '}{what}.",
    )


def _does(base: str, third: str, rest: str) -> Words:
    """Of a column such as "Needs a note to Finance?"."""
    behind = f" {rest}" if rest else ""

    def words(name: str, value: str) -> tuple[str, tuple[str, ...], str]:
        said = third if _yes(value) == "Yes" else f"does not {base}"
        return f"Does {name} {base}{behind}?", (_yes(value),), f"{upper(name)} {said}{behind}."

    return words


def _participle(done: str, by: str, values: Sequence[str]) -> Words:
    who = "Who" if by == "by" or all(map(_PERSON.fullmatch, values)) else "What"

    def words(name: str, value: str) -> tuple[str, tuple[str, ...], str]:
        be = "are" if _PLURAL.search(name) and not name.startswith("the ") else "is"
        return f"{who} {be} {name} {done} {by}?", (value,), f"{upper(name)} {be} {done} {by} {value}."

    return words


def _yes(value: str) -> str:
    return "Yes" if value.lower() in _YES else "No"


def upper(text: str) -> str:
    """As it stands at the beginning of a sentence; an address keeps its letters."""
    return text if "@" in text or "/" in text else text[:1].upper() + text[1:]
