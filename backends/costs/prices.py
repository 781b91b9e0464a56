"""The whole price book as rows: what may be edited, each price with its unit, its date and where it is from.

Enters: prices.toml. Leaves: a `Book` of rows, changed copies of it, and the same file again. It knows no
answer and no total: `price_book` prices one answer, `monthly` a month.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from backends.costs.price_book import SAMPLE_PRICES, PriceBook, hosted_in, price_number, read_tables
from backends.datatypes import JsonObject

YOURS = "your input"


@dataclass(frozen=True)
class PriceField:
    """One price that a book may hold: where it stands in the file and what people call it."""

    table: str
    name: str
    label: str
    unit: str
    default: float = 0.0


FIELDS: dict[str, PriceField] = {
    "prompt": PriceField("hosted", "prompt_per_million_tokens", "Hosted model, prompt", "per million tokens"),
    "completion": PriceField(
        "hosted", "completion_per_million_tokens", "Hosted model, answer", "per million tokens"
    ),
    "tuned_prompt": PriceField(
        "hosted_fine_tuned", "prompt_factor", "Fine-tuned premium, prompt", "times", 1.0
    ),
    "tuned_completion": PriceField(
        "hosted_fine_tuned", "completion_factor", "Fine-tuned premium, answer", "times", 1.0
    ),
    "machine_hour": PriceField("self_hosted", "machine_hour", "Own machine", "per hour"),
    "embedding": PriceField("embedding", "per_million_tokens", "Embedding", "per million tokens"),
    "store_gigabyte": PriceField("vector_store", "gigabyte_month", "Vector store", "per gigabyte and month"),
    "store_minimum": PriceField("vector_store", "minimum_month", "Vector store, at least", "per month"),
    "training_hour": PriceField("training", "machine_hour", "Training machine", "per hour"),
    "labour_hour": PriceField("labour", "hour", "People's time", "per hour"),
}  # fmt: skip


@dataclass(frozen=True)
class Price:
    """One price, when it was read and where."""

    value: float
    date: str
    source: str


@dataclass(frozen=True)
class Book:
    """Every price of `FIELDS`; the same keys, always."""

    currency: str
    hosted: str  # name of the table the hosted prices came from
    prices: Mapping[str, Price]
    label: str = ""  # of the hosted model

    def __getitem__(self, key: str) -> float:
        return self.prices[key].value

    def with_value(self, key: str, value: float) -> Book:
        """The same book with one price changed, and its date and source kept."""
        changed = replace(self.prices[key], value=_checked(key, value))
        return replace(self, prices={**self.prices, key: changed})

    def with_price(self, key: str, price: Price) -> Book:
        """The book with another price; UserError when it is none."""
        _checked(key, price.value)
        return replace(self, prices={**self.prices, key: price})


def with_model(book: Book, model: PriceBook) -> Book | None:
    """The book with the token prices of one model, whatever backend asks it.

    None where they are in another currency: the two cannot be added up.
    """
    if model.currency != book.currency:
        return None
    price = model.hosted
    prices = {
        "prompt": Price(price.prompt, price.date, price.source),
        "completion": Price(price.completion, price.date, price.source),
        "tuned_prompt": Price(model.tuned_prompt_factor, price.date, price.source),
        "tuned_completion": Price(model.tuned_completion_factor, price.date, price.source),
    }
    return replace(book, prices={**book.prices, **prices}, label=price.label)


def _checked(key: str, value: float) -> float:
    field = FIELDS[key]
    return price_number({field.name: value}, field.table, field.name)


def load_book(path: Path = SAMPLE_PRICES, *, hosted: str | None = None) -> Book:
    """The book of a file with the prices of one hosted model, the first of the file unless one is named.

    A price it leaves out is 0 (a factor 1) and says that it is not set. Raises UserError naming the table and
    field that does not fit.
    """
    PriceBook.load(path, table=hosted)  # the same sentences for a file that cannot be read
    tables = read_tables(path)
    models = hosted_in(tables)
    hosted = hosted or next(iter(models))
    return Book(
        currency=str(tables.get("currency", "USD")),
        hosted=hosted,
        prices={key: _price(tables, field, hosted) for key, field in FIELDS.items()},
        label=models[hosted],
    )


def _price(tables: JsonObject, field: PriceField, hosted: str) -> Price:
    name = hosted if field.table == "hosted" else field.table
    table = tables.get(name, {})
    if field.name not in table:
        return Price(field.default, "", "not set")
    value = price_number(table, name, field.name)
    own = {what: table.get(f"{field.name}_{what}", table.get(what)) for what in ("date", "source")}
    return Price(value, str(own["date"] or ""), str(own["source"] or YOURS))


def hosted_tables(path: Path = SAMPLE_PRICES) -> dict[str, str]:
    """The hosted models a book knows: table name to label."""
    PriceBook.load(path)
    return hosted_in(read_tables(path))


def as_toml(book: Book) -> str:
    """The book as a price file that `load_book` reads back as it is. Prices that are not set stay out.

    A price with another date or source than the first of its table says its own (`machine_hour_date`).
    """
    lines = [f"currency = {json.dumps(book.currency)}"]
    for table in dict.fromkeys(field.table for field in FIELDS.values()):
        own = {key: book.prices[key] for key, field in FIELDS.items() if field.table == table}
        own = {key: price for key, price in own.items() if price.source != "not set"}
        if not own:
            continue
        lines += ["", f"[{book.hosted if table == 'hosted' else table}]"]
        lines += [f"label = {json.dumps(book.label)}"] if table == "hosted" and book.label else []
        shared = next(iter(own.values()))
        lines += [f"date = {json.dumps(shared.date)}", f"source = {json.dumps(shared.source)}"]
        for key, price in own.items():
            name = FIELDS[key].name
            lines.append(f"{name} = {price.value!r}")
            if price.date != shared.date:
                lines.append(f"{name}_date = {json.dumps(price.date)}")
            if price.source != shared.source:
                lines.append(f"{name}_source = {json.dumps(price.source)}")
    return "\n".join(lines) + "\n"
