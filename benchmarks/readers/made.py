"""Documents whose words, numbers and table rows are known, to be written in every format.

Enters: a seed. Leaves: `Made` documents of headings, paragraphs, lists and tables of many kinds (with and
without a header, captions, years as header, merged cells, two header rows, long ones over several pages). It
knows no format and no reader.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_FIRSTS = "Ana Ben Cleo Dag Eva Finn Gro Hugo Ida Jon Kaja Leif Mia Nils Oda Per Rut Siv Tor Ulla"
_LASTS = "Holm Ode Fry Dahl Berg Rask Lund Moe Nord Strand Vik Aune Bakke Foss Haug"
_TOWNS = "Alta Boden Cadiz Dover Essen Faro Gent Hilo Ivry Jena Kiel Lodz Metz Nice Oulu Pisa"
_GOODS = "Lamp Desk Chair Kettle Mixer Rake Spade Pump Valve Filter Cable Drill Saw Bolt Panel"
_FIRST, _LAST, _PLACES, _THINGS = (tuple(words.split()) for words in (_FIRSTS, _LASTS, _TOWNS, _GOODS))
_TALE = """
the harbour office keeps every permit until autumn and a visitor may borrow one spare key while staff check
whether boats that arrive late have paid their berth before noon or leave again without notice so that other
guests find room near north pier where water power fuel waste stations stay open through winter months
"""
_WORDS = tuple(_TALE.split())

Grid = list[list[str]]


@dataclass(frozen=True)
class Table:
    """A table as it is written, and the rows that should be read: (label, value) pairs, label "" for none.

    `merged` are (row, column, rows, columns) of merged cells, whose text stands in the first; `headers` is
    the number of rows that name the columns.
    """

    cells: Grid
    headers: int
    rows: list[list[tuple[str, str]]]
    caption: str = ""
    merged: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True)
class Made:
    """One document: (kind, contents) blocks, kind being heading, text, list or table."""

    name: str
    blocks: list[tuple[str, object]] = field(default_factory=list)

    @property
    def tables(self) -> list[Table]:
        return [content for kind, content in self.blocks if isinstance(content, Table)]

    @property
    def lines(self) -> list[str]:
        """Everything but the rows of tables, in order."""
        made: list[str] = []
        for content in (content for _, content in self.blocks):
            if isinstance(content, Table):
                made += [content.caption] if content.caption else []
            else:
                made += content if isinstance(content, list) else [str(content)]
        return made


def documents(seed: int = 0) -> list[Made]:
    """A document for every kind of table, and one of prose."""
    random_ = random.Random(seed)
    made = [Made("prose", [*_prose(random_), *_prose(random_)])]
    for kind, make in KINDS.items():
        blocks: list[tuple[str, object]] = [
            *_prose(random_),
            ("table", make(random_)),
            ("text", _sentence(random_)),
        ]
        made.append(Made(kind, blocks))
    return made


def _prose(random_: random.Random) -> list[tuple[str, object]]:
    return [
        ("heading", " ".join(random_.sample(_THINGS, 2)) + f" rules {random_.randrange(10, 99)}"),
        ("text", " ".join(_sentence(random_) for _ in range(4))),
        ("list", [_sentence(random_) for _ in range(3)]),
        ("text", f"{_name(random_)} pays {_money(random_)} within {random_.randrange(2, 60)} days."),
    ]


def _sentence(random_: random.Random) -> str:
    words = random_.sample(_WORDS, random_.randrange(8, 16))
    return " ".join(words).capitalize() + f" {random_.randrange(2, 999)} times."


def _name(random_: random.Random) -> str:
    return f"{random_.choice(_FIRST)} {random_.choice(_LAST)}"


def _money(random_: random.Random) -> str:
    return f"{random_.randrange(1, 9)},{random_.randrange(100, 999)}.{random_.randrange(10, 99)} EUR"


def _code(random_: random.Random) -> str:
    return f"{random_.choice('KLMPQ')}{random_.choice('BDXZ')}-{random_.randrange(100, 9999)}"


# --- kinds of tables -----------------------------------------------------------------------------------


def _labelled(header: Sequence[str], body: Grid) -> list[list[tuple[str, str]]]:
    return [[(label, cell) for label, cell in zip(header, row, strict=False) if cell] for row in body]


def _stock(random_: random.Random, count: int) -> Grid:
    """Article, place, price, stock."""
    return [
        [f"{random_.choice(_THINGS)} {_code(random_)}", random_.choice(_PLACES), _money(random_), str(number)]
        for number in random_.sample(range(1, 9999), count)
    ]


def plain(random_: random.Random, count: int = 8) -> Table:
    header = ["Article", "Town", "Price", "Stock"]
    body = _stock(random_, count)
    return Table([header, *body], 1, _labelled(header, body))


def long(random_: random.Random) -> Table:
    return plain(random_, 120)


def captions(random_: random.Random) -> Table:
    table = plain(random_)
    return Table(table.cells, 1, table.rows, caption=f"All prices from {random_.randrange(2, 28)} May on")


def years(random_: random.Random) -> Table:
    first = random_.randrange(2010, 2020)
    header = ["Town", *(str(first + at) for at in range(3))]
    body = [
        [town, *(str(random_.randrange(100, 999)) for _ in range(3))] for town in random_.sample(_PLACES, 6)
    ]
    return Table([header, *body], 1, _labelled(header, body))


def spans_of_days(random_: random.Random) -> Table:
    header = ["Article", "30 days", "60 days", "90 days"]
    body = [
        [thing, *(f"{random_.randrange(60, 99)} %" for _ in range(3))] for thing in random_.sample(_THINGS, 6)
    ]
    return Table([header, *body], 1, _labelled(header, body))


def corner(random_: random.Random) -> Table:
    header = ["", "Monday", "Tuesday", "Wednesday"]
    shifts = ("early", "late", "off", "night")
    body = [[_name(random_), *(random_.choice(shifts) for _ in range(3))] for _ in range(5)]
    return Table([header, *body], 1, _labelled(header, body))


def headless(random_: random.Random) -> Table:
    body = [[_name(random_), random_.choice(_THINGS), f"{random_.choice(_PLACES)} office"] for _ in range(6)]
    return Table(body, 0, _labelled(["", "", ""], body))


def form(random_: random.Random) -> Table:
    cells = [
        ["Tenant", _name(random_), "Contract", _code(random_)],
        ["Deposit", _money(random_), "Begins", f"{random_.randrange(2, 28)} May 2024"],
        ["Keys", str(random_.randrange(2, 9)), "Contact", _name(random_)],
    ]
    return Table(cells, 0, [[(row[0], row[1]), (row[2], row[3])] for row in cells])


def merged_down(random_: random.Random) -> Table:
    header = ["Region", "Town", "Quarter", "Price"]
    body, shown, merged = [], [], []
    for region in ("North", "South", "East"):
        merged.append((len(shown) + 1, 0, 2, 1))
        for at, town in enumerate(random_.sample(_PLACES, 2)):
            rest = [town, f"Q{random_.randrange(1, 5)}", _money(random_)]
            body.append([region, *rest])
            shown.append(["" if at else region, *rest])
    return Table([header, *shown], 1, _labelled(header, body), merged=tuple(merged))


def two_headers(random_: random.Random) -> Table:
    top, sub = ["Port", "2023", "", "2024", ""], ["", "In", "Out", "In", "Out"]
    body = [
        [port, *(str(random_.randrange(10, 99)) for _ in range(4))] for port in random_.sample(_PLACES, 5)
    ]
    labels = ["Port", "2023 In", "2023 Out", "2024 In", "2024 Out"]
    merged = ((0, 0, 2, 1), (0, 1, 1, 2), (0, 3, 1, 2))
    return Table([top, sub, *body], 2, _labelled(labels, body), merged=merged)


def ragged(random_: random.Random) -> Table:
    header = ["Name", "Department", "Extension"]
    body = [[_name(random_), random_.choice(_THINGS), str(random_.randrange(100, 999))] for _ in range(6)]
    body[2] = [*body[2][:2], ""]
    return Table([header, *body], 1, _labelled(header, body))


def repeated_names(random_: random.Random) -> Table:
    header = ["Name", "Phone", "Phone"]
    body = [[_name(random_), f"555-{random_.randrange(1000, 9999)}", f"556-{random_.randrange(1000, 9999)}"]
            for _ in range(5)]  # fmt: skip
    return Table([header, *body], 1, _labelled(header, body))


_MAKERS = (
    plain, long, captions, years, spans_of_days, corner, headless, form, merged_down, two_headers, ragged,
    repeated_names,
)  # fmt: skip
KINDS: dict[str, Callable[[random.Random], Table]] = {each.__name__: each for each in _MAKERS}
