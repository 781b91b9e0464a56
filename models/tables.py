"""Draws tables of invented companies from `tables.jsonl`.

A kind of table has titles, a key column that names the rows, and columns, each with questions that ask for
it in other words than its header. Leaves `Table`s: a title, rows as a document shows them (`Header: cell;
...`), and the questions each row answers. The kinds are written for this recipe; nothing of the sample corpus
enters them.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from families import VALUES, Writer, capital

FILE = Path(__file__).parent / "tables.jsonl"
FEWEST_ROWS, MOST_ROWS = 4, 9
FEWEST_COLUMNS, MOST_COLUMNS = 2, 6


@dataclass(frozen=True)
class Cell:
    """One value of a row, and questions that ask for it."""

    header: str
    value: str
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One row as its document shows it, the name that stands in its key column, and its other cells."""

    text: str
    name: str
    cells: tuple[Cell, ...]

    @property
    def questions(self) -> tuple[str, ...]:
        """Everything that may be asked of the row."""
        return tuple(question for cell in self.cells for question in cell.questions)


@dataclass(frozen=True)
class Table:
    title: str
    rows: tuple[Row, ...]


def load_tables(*, held_out: bool = False) -> list[dict[str, Any]]:
    """The kinds to train on, or the tenth of them that is kept for development alone."""
    kinds = [json.loads(line) for line in FILE.read_text(encoding="utf8").splitlines()]
    return [kind for number, kind in enumerate(kinds) if (number % 10 == 4) == held_out]


def draw_table(kind: dict[str, Any], rng: random.Random) -> Table:
    """A table of this kind with fresh names and values; every row is asked for each of its cells."""
    # A family without facts: what is needed of it is the filling of slots.
    writer = Writer({"subject": "company"}, rng)

    def value(of: str | list[str]) -> str:
        return writer.fill(rng.choice(of)) if isinstance(of, list) else VALUES[of](rng)

    key, wanted = kind["key"], rng.randint(FEWEST_ROWS, MOST_ROWS)
    names = list(dict.fromkeys(value(key["values"]) for _ in range(3 * wanted)))[:wanted]
    number = min(len(kind["columns"]), rng.randint(FEWEST_COLUMNS, MOST_COLUMNS))
    columns = sorted(rng.sample(range(len(kind["columns"])), number))
    chosen = [(kind["columns"][at], writer.fill(kind["columns"][at]["header"])) for at in columns]
    rows = []
    for name in names:
        cells = tuple(
            Cell(
                header,
                value(column["value"]),
                tuple(capital(writer.fill(q.replace("{k}", name))) for q in column["questions"]),
            )
            for column, header in chosen
        )
        text = "; ".join([f"{key['header']}: {name}", *(f"{cell.header}: {cell.value}" for cell in cells)])
        rows.append(Row(text, name, cells))
    return Table(writer.fill(rng.choice(kind["titles"])), tuple(rows))
