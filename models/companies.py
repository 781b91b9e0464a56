"""Invents names, prices, dates and codes of companies, for documents to learn from.

Every name and value is drawn afresh, so a model can only answer by reading. Nothing of the sample corpus
enters here (a test compares the texts).
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable

_ONSETS = """
    b br c ch cl d dr f fl g gr h j k kr l m n p pr q r s sh sk st t th tr v w y z
""".split()
_VOWELS = """
    a e i o u ai ea ei ia io oa ou
""".split()
_CODAS = ["", "", "", "n", "r", "l", "s", "x", "th", "nd", "rk", "m", "ck", "st"]
_FIRST = """
    Ada Amir Anna Bjorn Carla Chen David Elena Farid Grace Hugo Ivan Jana Karim Laura Marco Nadia Olga
    Pavel Rosa Samir Tara Uma Viktor Wendy Yusuf Zoe Peter Lena Omar Ruth Felix Clara Ravi Mei Tomas
    Ingrid Paul Alice Noor
""".split()
_CITIES = """
    Berlin Lyon Porto Leeds Ghent Turin Oslo Graz Brno Malmo Cork Basel Austin Denver Osaka Pune Nairobi
    Lima Perth Toronto Seville Gdansk Riga Tartu Utrecht Aarhus Zagreb Quito Accra Hanoi
""".split()
_MONTHS = """
    January February March April May June July August September October November December
""".split()
_THINGS = """
    sensor router lamp heater pump scanner printer tablet drone camera battery filter valve charger
    bicycle chair mixer oven scale keyboard headset projector speaker thermostat lock gateway server
    backpack tent kettle
""".split()
_DEPARTMENTS = """
    finance sales marketing legal security operations logistics engineering support procurement quality
    training
""".split()
_PLANS = """
    Basic Standard Plus Premium Business Ultimate Solo Studio Growth Scale Lite Core Max Flex
""".split()


def word(rng: random.Random, syllables: int | None = None) -> str:
    """A pronounceable word that exists nowhere."""
    count = syllables or rng.choice([1, 2, 2, 3])
    parts = [
        rng.choice(_ONSETS)
        + rng.choice(_VOWELS)
        + (rng.choice(_CODAS) if i == count - 1 or rng.random() < 0.25 else "")
        for i in range(count)
    ]
    return "".join(parts).capitalize()


def code(rng: random.Random) -> str:
    """A part number, ticket or clause code such as `QX-4471` or `B27`."""
    letters = "".join(rng.choices(string.ascii_uppercase, k=rng.randint(1, 3)))
    digits = "".join(rng.choices(string.digits, k=rng.randint(2, 5)))
    return letters + rng.choice(["-", "", "-"]) + digits


def product(rng: random.Random) -> str:
    form = rng.randrange(5)
    name = word(rng)
    if form == 0:
        return f"{name} {rng.choice(_PLANS)}"
    if form == 1:
        return f"{name} {rng.randint(2, 900)}"
    if form == 2:
        return f"{name} {rng.choice(_THINGS)}"
    if form == 3:
        return f"{name} {word(rng, 1)}"
    return f"{name} {code(rng)}"


def city(rng: random.Random) -> str:
    return rng.choice(_CITIES)


def person(rng: random.Random) -> str:
    return f"{rng.choice(_FIRST)} {word(rng)}"


def money(rng: random.Random) -> str:
    value = rng.choice(
        [rng.randint(2, 99), rng.randint(100, 999), rng.randint(10, 900) * 10, rng.randint(2, 90) * 1000]
    )
    text = f"{value:,}" if rng.random() < 0.6 else str(value)
    if value < 200 and rng.random() < 0.3:
        text += f".{rng.choice(['50', '90', '95', '99', '25'])}"
    return rng.choice(
        [f"{text} EUR", f"${text}", f"€{text}", f"£{text}", f"{text} euros", f"{text} USD", f"{text} pounds"]
    )


def date(rng: random.Random) -> str:
    day, month, year = rng.randint(1, 28), rng.choice(_MONTHS), rng.randint(2011, 2027)
    return rng.choice(
        [f"{day} {month} {year}", f"{month} {day}, {year}", f"{month} {year}", f"{day} {month}"]
    )


def span(rng: random.Random) -> str:
    unit, most = rng.choice(
        [
            ("days", 120),
            ("working days", 30),
            ("hours", 96),
            ("weeks", 26),
            ("months", 60),
            ("years", 15),
            ("minutes", 90),
        ]
    )
    return f"{rng.randint(2, most)} {unit}"


def percent(rng: random.Random) -> str:
    value = rng.choice([rng.randint(1, 99), rng.randint(10, 999) / 10])
    return rng.choice([f"{value} %", f"{value}%", f"{value} percent"])


def count(rng: random.Random) -> str:
    value = rng.choice([rng.randint(2, 40), rng.randint(41, 999), rng.randint(1000, 90000)])
    return f"{value:,}" if value > 999 and rng.random() < 0.7 else str(value)


def plan(rng: random.Random) -> str:
    return rng.choice(["the {} plan", "{}", "the {} subscription", "the {} licence"]).format(
        rng.choice([rng.choice(_PLANS), word(rng) + " " + rng.choice(_PLANS)])
    )


def department(rng: random.Random) -> str:
    return f"the {rng.choice(_DEPARTMENTS)} team"


def company(rng: random.Random) -> str:
    kinds = ["Ltd", "GmbH", "Inc", "AG", "Group", "Systems", "Labs", "Foods", "Logistics", "Energy"]
    return f"{word(rng)} {rng.choice(kinds)}"


def _topic(options: str) -> Callable[[random.Random], str]:
    choices = options.split(";")
    return lambda rng: rng.choice(choices)


place = _topic(
    "head office;warehouse;laboratory;repair centre;main factory;training centre;data centre;showroom;"
    "call centre"
)


material = _topic(
    "aluminium;stainless steel;recycled plastic;oak wood;carbon fibre;brass;ceramic;tempered glass;"
    "bamboo;titanium;wool;cork"
)


colour = _topic("matte black;silver;dark green;sand;navy blue;white;orange;graphite;wine red;light grey")
