"""Draws values that are easily taken for each other: tables of like columns, and two values in one sentence.

What a reader gets wrong most is a value of the right kind from the place beside: last quarter's, the price in
pounds, the fee of the other case. Leaves `Table`s (see tables.py) and `Contrast`s. Written for this recipe;
nothing of the sample corpus enters them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import companies
from families import SUBJECTS, VALUES, capital
from tables import Cell, Row, Table

Column = tuple[str, tuple[str, ...]]  # the header, and how a question names the column
Axis = tuple[Column, ...]

_QUARTERS = ("first", "second", "third", "fourth")
_MONTHS = ("January to March", "April to June", "July to September", "October to December")
CLASSES: tuple[Axis, ...] = (
    (
        ("Standard", ("by standard", "the normal way", "without extras")),
        ("Express", ("by express", "the fast way", "when it is urgent")),
        ("Overnight", ("overnight", "by the next morning")),
    ),
    (
        ("Price", ("in euros", "")),
        ("Price in pounds", ("in pounds", "in sterling")),
        ("Price in dollars", ("in US dollars", "in dollars")),
    ),
    (
        ("Half day", ("for half a day", "for a morning")),
        ("Day", ("for a day", "for one day")),
        ("3 days", ("for three days", "from Friday to Sunday")),
        ("Week", ("for a week", "for seven days")),
    ),
    (
        ("Adults", ("for an adult", "for a grown-up")),
        ("Children", ("for a child", "for my eight-year-old")),
        ("Seniors", ("for a pensioner", "for somebody of 70")),
        ("Members", ("for members", "when one belongs to the club")),
    ),
    (
        ("Low season", ("in the low season", "off season")),
        ("High season", ("in the high season", "in the busy months")),
    ),
    (
        ("Small", ("in small", "in the smallest size")),
        ("Medium", ("in medium",)),
        ("Large", ("in large", "in the biggest size")),
    ),
    (
        ("Weekdays", ("on weekdays", "on a Tuesday")),
        ("Saturday", ("on Saturdays",)),
        ("Sundays and holidays", ("on a Sunday", "on a public holiday")),
    ),
    (
        ("Ordinary city", ("in an ordinary city", "in a normal town")),
        ("Expensive city", ("in an expensive city", "where prices are high")),
    ),
    (
        ("Starter", ("on the Starter plan",)),
        ("Team", ("with Team",)),
        ("Enterprise", ("for Enterprise", "with the Enterprise plan")),
    ),
    (
        ("Smallest", ("at least", "as the minimum")),
        ("Usual", ("normally", "as a rule")),
        ("Greatest", ("at most", "as the maximum")),
    ),
    (
        ("New customers", ("for somebody who buys for the first time", "for new customers")),
        ("Existing customers", ("for regular customers", "for someone already with us")),
    ),
)
# Asked of a class or a period: a name, the kind of its values, questions ({k} row, {c} column).
Measure = tuple[str, str, tuple[str, ...]]
OF_CLASSES: tuple[Measure, ...] = (
    ("price", "money", ("What does {k} cost {c}?", "How much is {k} {c}?", "{k} {c}: which amount is due?")),
    ("deposit", "money", ("Which deposit is asked for {k} {c}?", "What do I leave as security {c} for {k}?")),
    ("time", "days", ("How long does {k} take {c}?", "After what time is {k} done {c}?")),
    ("limit", "count", ("How many are allowed for {k} {c}?", "{k}: what is the limit {c}?")),
    ("discount", "percent", ("What is taken off {k} {c}?", "How much cheaper is {k} {c}?")),
    ("response time", "hours", ("How soon is there an answer about {k} {c}?",)),
    ("weight", "weight", ("How heavy is {k} {c}?", "What does {k} weigh {c}?")),
)
OF_PERIODS: tuple[Measure, ...] = (
    ("revenue", "number", ("What did {k} bring in {c}?", "How much revenue came from {k} {c}?")),
    ("units sold", "number", ("How many of {k} were sold {c}?", "Sales of {k} {c}, in pieces?")),
    ("employees", "n", ("How many people worked for {k} {c}?", "What was the headcount of {k} {c}?")),
    ("cost", "money", ("What was spent on {k} {c}?", "What did {k} cost us {c}?")),
    ("share", "percent", ("Which share had {k} {c}?", "What percentage fell to {k} {c}?")),
    ("temperature", "temperature", ("How warm was it in {k} {c}?", "Which temperature had {k} {c}?")),
)
KEYS = (("Product", "product"), ("Region", "city"), ("Department", "department"), ("Item", "product"))

# Two cases that exclude each other: how a document says it, and how a question does.
Case = tuple[str, tuple[str, ...]]
CASES: tuple[tuple[Case, Case], ...] = (
    (("in free space", ("outdoors", "with nothing in between")), ("inside buildings", ("indoors",))),
    (("on weekdays", ("on a Wednesday", "from Monday to Friday")), ("at weekends", ("on a Sunday",))),
    (("for adults", ("for a grown-up",)), ("for children", ("for my daughter of nine", "for a child"))),
    (("in summer", ("in July",)), ("in winter", ("in January", "in the cold months"))),
    (("for members", ("for somebody who belongs to the club",)), ("for guests", ("for a non-member",))),
    (("by train", ("when I go by rail",)), ("by car", ("when I drive myself",))),
    (("for up to three days", ("for a day off", "for two days")),
     ("for more than ten days", ("for two weeks", "for twelve days in a row"))),
    (("in offices and schools", ("in our school", "at a desk")),
     ("in kitchens and workshops", ("in a commercial kitchen", "in a garage"))),
    (("until March 2026", ("in January 2026", "formerly")), ("since April 2026", ("now", "today"))),
    (("before the update", ("originally", "earlier")), ("with the update", ("now", "after the update"))),
    (("when the whole order is returned", ("if I send everything back",)),
     ("when a part of it is returned", ("if I send back one of two items",))),
    (("for private customers", ("for me as a private person",)), ("for companies", ("for our firm",))),
    (("in the first year", ("at the beginning",)), ("from the second year on", ("after three years",))),
    (("with a contract", ("for someone under contract",)), ("without a contract", ("if nothing is signed",))),
    (("for urgent cases", ("if it burns", "in an emergency")), ("for all others", ("if there is no hurry",))),
    (("with a receipt", ("when I kept the bill",)), ("without a receipt", ("when the bill is lost",))),
    (("within the country", ("at home",)), ("abroad", ("in another country",))),
    (("for new staff", ("for one who joined last week",)), ("for everybody else", ("after years here",))),
    (("on battery", ("without a cable",)), ("on mains power", ("when it is plugged in",))),
    (("at the head office", ("in the main building",)), ("in the branches", ("at a smaller site",))),
    (("for storage", ("when it is put away for long",)), ("in use", ("while it works",))),
    (("on paper", ("by letter",)), ("online", ("through the website",))),
    (("during the day", ("at noon",)), ("at night", ("after midnight",))),
    (("for the first offence", ("the first time",)), ("for every further one", ("the second time",))),
)  # fmt: skip
OF_CASES: tuple[Measure, ...] = (
    ("range", "length", ("How far does it reach {c}?", "What range can I count on {c}?")),
    ("fee", "money", ("What does it cost {c}?", "What is charged {c}?")),
    ("notice period", "span", ("How long before must I say so {c}?", "Which notice applies {c}?")),
    ("interval", "months", ("How often is it due {c}?", "After what time is it due again {c}?")),
    ("discount", "percent", ("How much is taken off {c}?", "What reduction is there {c}?")),
    ("delivery time", "days", ("How long until it arrives {c}?", "When do I get it {c}?")),
    ("limit", "count", ("How many are allowed {c}?", "What is the most {c}?")),
    ("temperature", "temperature", ("How warm should it be {c}?", "Which temperature {c}?")),
    ("contact", "person", ("Whom do I ask {c}?", "Who is in charge {c}?")),
    ("opening time", "time", ("When does it open {c}?", "From what hour is somebody there {c}?")),
    ("place of work", "city", ("Where is it done {c}?", "In which town {c}?")),
    ("battery life", "hours", ("How long does it last {c}?", "How many hours {c}?")),
    ("approval", "role", ("Who has to agree {c}?", "Whose consent is needed {c}?")),
    ("depth", "length", ("How deep is it {c}?",)),
    ("waiting time", "smallweeks", ("How many weeks {c}?", "How long does one wait {c}?")),
)


@dataclass(frozen=True)
class Contrast:
    """A title, its sentences, and (question, short answer, the sentence that says it)."""

    title: str
    body: tuple[str, ...]
    asked: tuple[tuple[str, str, str], ...]


def _value(kind: str, rng: random.Random) -> str:
    if kind == "number":
        return str(rng.randint(12, 9_900))
    if kind == "smallweeks":
        return f"{rng.choice(['two', 'three', 'four', 'six', 'eight', 'ten'])} weeks"
    return VALUES[kind](rng)


def _different(kind: str, number: int, rng: random.Random) -> list[str]:
    found: list[str] = []
    while len(found) < number:
        value = _value(kind, rng)
        if value not in found:
            found.append(value)
    return found


def _periods(rng: random.Random) -> Axis:
    year, quarter = rng.randint(2018, 2028), rng.randrange(4)
    if rng.random() < 0.4:
        return tuple((str(y), (f"in {y}", f"in the year {y}")) for y in range(year, year + rng.randint(3, 5)))
    found = []
    for at in range(quarter, quarter + rng.randint(3, 5)):
        in_year, number = year + at // 4, at % 4
        asked = (
            f"in the {_QUARTERS[number]} quarter of {in_year}",
            f"in Q{number + 1} {in_year}",
            f"from {_MONTHS[number]} {in_year}",
        )
        found.append((f"Q{number + 1} {in_year}", asked))
    return tuple(found)


def draw_grid(rng: random.Random) -> Table:
    """A table whose columns hold the same kind of value for several periods or classes."""
    timed = rng.random() < 0.45
    axis = _periods(rng) if timed else rng.choice(CLASSES)
    measure, kind, forms = rng.choice(OF_PERIODS if timed else OF_CLASSES)
    if axis[0][0] == "Price":
        measure, kind, forms = OF_CLASSES[0]
    unit = rng.choice(["", "", " (thousand EUR)", " (EUR)", " (pieces)"]) if kind == "number" else ""
    header = rng.choice(["{c}{u}", "{m} {c}{u}", "{c}, {m}{u}"]) if axis[0][0] != "Price" else "{c}"
    headers = [capital(header.format(c=c, m=measure, u=unit)) for c, _ in axis]
    key, subject = rng.choice(KEYS)
    names = list(dict.fromkeys(capital(SUBJECTS[subject](rng)) for _ in range(rng.randint(2, 5))))
    extra = rng.random() < 0.4
    rows = []
    for name in names:
        values = _prices(rng) if axis[0][0] == "Price" else _different(kind, len(axis), rng)
        cells = tuple(
            Cell(shown, value, tuple(_asked(form, name, rng.choice(asked)) for form in forms))
            for shown, value, (_, asked) in zip(headers, values, axis, strict=True)
        )
        text = "; ".join([f"{key}: {name}", *(f"{cell.header}: {cell.value}" for cell in cells)])
        if extra:
            text += f"; Responsible: {companies.person(rng)}"
        rows.append(Row(text, name, cells))
    return Table(f"{capital(measure)} {rng.choice(['overview', 'table', 'list', 'by column'])}", tuple(rows))


def _prices(rng: random.Random) -> list[str]:
    amount = rng.randint(5, 900)
    return [f"{amount} EUR", f"{round(amount * 0.87)} GBP", f"{round(amount * 1.13)} USD"]


def _asked(form: str, name: str, column: str) -> str:
    return (
        " ".join(form.format(k=name, c=column).split())
        .replace(" ?", "?")
        .replace(" :", ":")
        .replace(" The ", " the ")
    )


def draw_contrast(rng: random.Random) -> Contrast:
    """Two or three subjects' values in two cases each; one sentence says both, or two follow each other."""
    body: list[str] = []
    asked: list[tuple[str, str, str]] = []
    chosen = rng.sample(OF_CASES, rng.randint(1, 3))
    subject = rng.choice([companies.product(rng), SUBJECTS["policy"](rng), SUBJECTS["place"](rng)])
    for measure, kind, forms in chosen:
        pair = rng.choice(CASES)
        one, two = _different(kind, 2, rng)
        (first, first_asked), (second, second_asked) = pair if rng.random() < 0.5 else pair[::-1]
        said = rng.choice(
            [
                f"The {measure} is {one} {first} and {two} {second}.",
                f"{capital(first)} the {measure} is {one}, {second} {two}.",
                f"{capital(measure)}: {one} {first}, {two} {second}.",
                f"{capital(first)}: {one}; {second}: {two}.",
                f"The {measure} is {one} {first}.|{capital(second)} it is {two}.",
                f"{capital(first)} plan with {one}, {second} with {two}.",
                f"Case: {first}; {capital(measure)}: {one}|Case: {second}; {capital(measure)}: {two}",
                f"The {measure} {first} is {one} (before: {_value(kind, rng)}).|{capital(second)}: {two}.",
            ]
        )
        together = not said.startswith("Case: ") and rng.random() < 0.5
        parts = [said.replace("|", " ")] if together else said.split("|")
        body += parts
        for value, case in ((one, first_asked), (two, second_asked)):
            named = rng.choice(forms).format(c=rng.choice(case))
            where = next((part for part in parts if value in part), parts[0])
            asked.append((capital(rng.choice([named, named, f"{subject}: {named}"])), value, where))
    return Contrast(capital(subject), tuple(body), tuple(asked))
