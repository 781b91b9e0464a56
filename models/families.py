"""Draws documents of invented companies from the families in `families/*.jsonl`.

A family is a kind of document: titles, a subject, facts (each with several wordings and several questions
that use other words), and sentences that stand beside them. Leaves `Paper`s: a title and `Statement`s with
fresh names and values. The families are written for this recipe; nothing of the sample corpus enters them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import companies

FOLDER = Path(__file__).parent / "families"
LONGEST_ROW = 30  # words of a table row that is quoted whole
_SLOT = re.compile(r"\{(\w+)\}")
_ROW = re.compile(r"^[^:;]{1,80}: [^;]*(; [^:;]{1,80}: [^;]*)+$")
_ROLE_WORDS = (
    "head of finance; head of sales; data protection officer; site manager; head of security; chief "
    "engineer; team lead; support manager; office manager; quality manager; works council; line manager; "
    "project lead; treasurer; registrar; shift supervisor; account manager; service desk; chief "
    "executive; general counsel; press officer; head nurse; purchasing lead; warehouse manager; programme "
    "director; deputy director; safety officer; head of people"
).split("; ")
_TEAM_WORDS = (
    "platform; billing; field service; quality; onboarding; data; research; events; facilities; hardware; "
    "payments; design"
).split("; ")
_POLICIES = (
    "travel policy; return policy; leave policy; access policy; security policy; gift policy; expense "
    "policy; remote work policy; backup policy; retention policy; discount policy; purchasing policy"
).split("; ")
_NUMBERS = """
    two three four five six seven eight nine ten twelve
""".split()
_UNITS = (
    "per month",
    "a month",
    "per year",
    "per user and month",
    "a year",
    "per device",
    "per night",
    "per hour",
)


@dataclass(frozen=True)
class Statement:
    """One sentence of a paper that answers its questions; `about` tells statements of one fact apart."""

    sentence: str
    questions: tuple[str, ...]
    short: str  # the value; "Yes" or "No" where the question asks for that
    about: tuple[str, int]  # family and number of the fact
    named: tuple[str, ...]  # the questions that name the subject

    @property
    def quotation(self) -> str:
        """What an answer says: the sentence; of a long table row the first cell and the one asked for."""
        if not _ROW.match(self.sentence) or len(self.sentence.split()) <= LONGEST_ROW:
            return self.sentence
        cells = self.sentence.split("; ")
        asked = next((cell for cell in cells[1:] if self.short.lower() in cell.lower()), None)
        return f"{cells[0]}; {asked.rstrip('.')}." if asked else f"{cells[0].rstrip('.')}."

    @property
    def is_yes_no(self) -> bool:
        return self.short in ("Yes", "No")


@dataclass(frozen=True)
class Paper:
    """A document: statements about one subject, and sentences that answer none of their questions."""

    title: str
    subject: str
    statements: tuple[Statement, ...]
    neighbours: tuple[str, ...]


def _weight(rng: random.Random) -> str:
    value = rng.choice([rng.randint(2, 950), rng.randint(10, 99) / 10])
    return f"{value} {rng.choice(['g', 'kg', 'grams', 'kg', 't'])}"


def _length(rng: random.Random) -> str:
    value = rng.choice([rng.randint(2, 950), rng.randint(10, 99) / 10])
    return f"{value} {rng.choice(['cm', 'mm', 'm', 'metres', 'km'])}"


def _time(rng: random.Random) -> str:
    hour, minute = rng.randint(6, 22), rng.choice(["00", "15", "30", "45"])
    return rng.choice(
        [f"{hour}:{minute}", f"{hour:02}:{minute}", f"{(hour - 1) % 12 + 1} {'am' if hour < 12 else 'pm'}"]
    )


def _small(rng: random.Random) -> str:
    return rng.choice(_NUMBERS) if rng.random() < 0.4 else str(rng.randint(2, 40))


def _email(rng: random.Random) -> str:
    name = rng.choice([companies.word(rng).lower(), "help", "legal", "people", "orders", "privacy", "desk"])
    return f"{name}@{companies.word(rng).lower()}.{rng.choice(['com', 'org', 'example', 'net'])}"


def _phone(rng: random.Random) -> str:
    digits = "".join(rng.choices("0123456789", k=rng.choice([4, 7, 8])))
    return rng.choice(
        [f"extension {digits[:4]}", f"+44 {digits[:3]} {digits[3:]}", f"0{digits[:3]} {digits[3:]}"]
    )


VALUES: dict[str, Callable[[random.Random], str]] = {
    "span": companies.span,
    "days": lambda r: f"{r.randint(2, 120)} {r.choice(['days', 'days', 'working days', 'calendar days'])}",
    "hours": lambda r: f"{r.randint(2, 96)} {r.choice(['hours', 'hours', 'working hours'])}",
    "months": lambda r: f"{r.randint(2, 60)} months",
    "money": companies.money,
    "moneyper": lambda r: f"{companies.money(r)} {r.choice(_UNITS)}",
    "date": companies.date,
    "year": lambda r: str(r.randint(1995, 2030)),
    "time": _time,
    "percent": companies.percent,
    "count": companies.count,
    "smallcount": _small,
    "n": lambda r: str(r.randint(2, 30)),
    "person": companies.person,
    "role": lambda r: f"the {r.choice(_ROLE_WORDS)}",
    "department": lambda r: companies.department(r).removeprefix("the ").removesuffix(" team").capitalize(),
    "city": companies.city,
    "company": companies.company,
    "product": companies.product,
    "code": companies.code,
    "version": lambda r: f"{r.randint(1, 12)}.{r.randint(0, 20)}",
    "weight": _weight,
    "length": _length,
    "temperature": lambda r: f"{r.randint(-30, 95)} °C",
    "speed": lambda r: (
        f"{r.randint(2, 900)} {r.choice(['Mbit/s', 'km/h', 'rpm', 'pages per minute', 'm/s'])}"
    ),
    "power": lambda r: f"{r.randint(2, 900)} {r.choice(['W', 'kW', 'watts', 'V'])}",
    "email": _email,
    "phone": _phone,
    "colour": companies.colour,
    "material": companies.material,
    "plan": lambda r: companies.plan(r).removeprefix("the "),
}
SUBJECTS: dict[str, Callable[[random.Random], str]] = {
    "product": companies.product,
    "plan": lambda r: companies.plan(r),
    "company": companies.company,
    "person": companies.person,
    "department": lambda r: companies.department(r),
    "city": companies.city,
    "place": lambda r: f"the {companies.place(r)} in {companies.city(r)}",
    "policy": lambda r: f"the {r.choice(_POLICIES)}",
    "code": companies.code,
    "project": lambda r: f"{r.choice(['project ', 'Project ', ''])}{companies.word(r)}",
    "team": lambda r: f"the {r.choice(_TEAM_WORDS)} team",
    "role": lambda r: f"the {r.choice(_ROLE_WORDS)}",
}


def load_families(*, held_out: bool = False, folder: Path = FOLDER) -> list[dict[str, Any]]:
    """The families to train on, or the tenth of each file that is kept for development alone."""
    return [
        family
        for path in sorted(folder.glob("*.jsonl"))
        for number, family in enumerate(map(json.loads, path.read_text(encoding="utf8").splitlines()))
        if (number % 10 == 4) == held_out
    ]


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


class Writer:
    """Fills the slots of one paper: the company stays, every other name and value is drawn afresh."""

    def __init__(self, family: dict[str, Any], rng: random.Random) -> None:
        self.family, self.rng = family, rng
        self.company = companies.company(rng)
        kind = family["subject"]
        self.subject = self.fill(rng.choice(kind)) if isinstance(kind, list) else SUBJECTS[kind](rng)

    def fill(self, text: str, value: str = "") -> str:
        """Replace the slots; `value` stands for {v}."""

        def one(match: re.Match[str]) -> str:
            name = match[1]
            known = {"s": getattr(self, "subject", ""), "v": value, "company": self.company}
            if name in ("S", "V"):
                return capital(known[name.lower()])
            return known[name] if name in known else VALUES[name](self.rng)

        return _SLOT.sub(one, text)

    def statement(self, number: int) -> Statement:
        """Fact `number` of the family with a fresh value in one of its wordings."""
        fact, rng = self.family["facts"][number], self.rng
        kind = fact["value"]
        value = self.fill(rng.choice(kind)) if isinstance(kind, list) else ""
        if not value and kind not in ("yes", "no"):
            value = VALUES[kind](rng)
        sentence = capital(self.fill(rng.choice(fact["sentences"]), value))
        asked = [
            (capital(self.fill(q)) if rng.random() < 0.8 else self.fill(q), "{s}" in q)
            for q in fact["questions"]
        ]
        return Statement(
            sentence,
            tuple(q for q, _ in asked),
            value or kind.capitalize(),
            (self.family["family"], number),
            tuple(q for q, names in asked if names),
        )

    def paper(self, most: int) -> Paper:
        """A paper with at most `most` statements, in the family's order."""
        rng, number = self.rng, len(self.family["facts"])
        chosen = sorted(rng.sample(range(number), min(most, number)))
        beside = rng.sample(self.family["neighbours"], min(len(self.family["neighbours"]), rng.randint(0, 4)))
        return Paper(
            self.fill(rng.choice(self.family["titles"])),
            self.subject,
            tuple(self.statement(i) for i in chosen),
            tuple(capital(self.fill(text)) for text in beside),
        )
