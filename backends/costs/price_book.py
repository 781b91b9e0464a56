"""Turns measured tokens into money with a price book that the user owns.

Enters: prices.toml and a `Usage`. Leaves: a `Cost` whose basis names the price, its date and its source.
Tokens are measured; every price is an input.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from backends.datatypes import Cost, JsonObject, JsonValue, Usage, UserError
from backends.system.files import SAMPLE_CORPUS

SAMPLE_PRICES = SAMPLE_CORPUS / "prices.toml"
TUNED = frozenset({"fine_tuned", "hybrid"})


@dataclass(frozen=True)
class TokenPrice:
    """A price per million tokens, as the price book has it."""

    label: str
    prompt: float
    completion: float
    date: str
    source: str


@dataclass(frozen=True)
class PriceBook:
    """Prices of tokens, hosted and tuned, with their dates."""

    currency: str
    hosted: TokenPrice
    tuned_prompt_factor: float  # what serving a fine-tuned model costs more
    tuned_completion_factor: float

    @classmethod
    def load(cls, path: Path = SAMPLE_PRICES, *, table: str | None = None) -> PriceBook:
        """The price book of a file, with the first of its hosted models unless one is named.

        Raises UserError naming the table and field that does not fit.
        """
        book = read_tables(path)
        table = table or next(iter(hosted_in(book)), "hosted_small")
        hosted = book.get(table)
        if not isinstance(hosted, dict):
            raise UserError(f"The price book {path.name} has no table [{table}].")
        tuned = book.get("hosted_fine_tuned", {})
        return cls(
            currency=str(book.get("currency", "USD")),
            hosted=TokenPrice(
                label=str(hosted.get("label", table)),
                prompt=price_number(hosted, table, "prompt_per_million_tokens"),
                completion=price_number(hosted, table, "completion_per_million_tokens"),
                date=str(hosted.get("prompt_per_million_tokens_date", hosted.get("date", ""))),
                source=str(hosted.get("prompt_per_million_tokens_source", hosted.get("source", ""))),
            ),
            tuned_prompt_factor=price_number(tuned, "hosted_fine_tuned", "prompt_factor", 1.0),
            tuned_completion_factor=price_number(tuned, "hosted_fine_tuned", "completion_factor", 1.0),
        )

    def of_model(self, label: str, prompt: float, completion: float, currency: str, date: str) -> PriceBook:
        """The same book with the price of one model, which holds whatever backend asks it."""
        price = TokenPrice(label, prompt, completion, date, "models.toml, your input")
        return replace(
            self, currency=currency, hosted=price, tuned_prompt_factor=1.0, tuned_completion_factor=1.0
        )

    def cost(self, usage: Usage, backend: str) -> Cost:
        """prompt tokens x prompt price + completion tokens x completion price, times the tuned factors."""
        tuned = backend in TUNED
        prompt = self.hosted.prompt * (self.tuned_prompt_factor if tuned else 1.0)
        completion = self.hosted.completion * (self.tuned_completion_factor if tuned else 1.0)
        amount = (usage.prompt_tokens * prompt + usage.completion_tokens * completion) / 1e6
        premium = " with the fine-tuned premium" if tuned and self.tuned_completion_factor != 1.0 else ""
        basis = (
            f"{self.hosted.label}{premium}: {prompt:g} {self.currency} per million prompt tokens, "
            f"{completion:g} per million answer tokens; an input of {self.hosted.date or 'no date'} "
            f"({self.hosted.source or 'no source'})"
        )
        return Cost(amount=amount, currency=self.currency, basis=basis)


def read_tables(path: Path) -> dict[str, JsonValue]:
    """The tables of a price file; raises UserError when it cannot be read or is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The price book {path.name} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"The price book {path.name} is not valid TOML: {error}.") from error


def hosted_in(tables: JsonObject) -> dict[str, str]:
    """The hosted models among the tables: name to label, in the order of the file."""
    return {
        name: str(table.get("label", name))
        for name, table in tables.items()
        if isinstance(table, dict) and "prompt_per_million_tokens" in table
    }


def price_number(table: JsonObject, name: str, field: str, default: float | None = None) -> float:
    """A price of a table: finite and 0 or more; raises UserError naming table and field otherwise."""
    value = table.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise UserError(f"The price book needs a number of 0 or more for [{name}] {field}, not {value!r}.")
    return float(value)
