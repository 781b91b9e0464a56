"""The price book as this visitor has it: the workspace's file, with what was changed on the costs page.

Enters: the visitor's session and service. Leaves: a `Book` and the names of the hosted models. It draws
nothing.
"""

from __future__ import annotations

from backends.costs.prices import FIELDS, Book, hosted_tables, load_book
from pages.ui.service import Service
from pages.ui.session import Session


def hosted_models(service: Service) -> dict[str, str]:
    """The hosted models of the visitor's book: table name to label."""
    return hosted_tables(service.price_file)


def own_book(now: Session, service: Service) -> Book:
    """The book with the chosen hosted model's prices and the visitor's changes to them."""
    models = hosted_models(service)
    book = load_book(service.price_file, hosted=now.hosted if now.hosted in models else next(iter(models)))
    for key, price in now.prices.get(book.hosted, {}).items():
        book = book.with_price(key, price)
    return book


def keep_changes(now: Session, service: Service, book: Book) -> None:
    """Remember what differs from the file, so that what was not changed follows the file."""
    stored = load_book(service.price_file, hosted=book.hosted)
    now.prices[book.hosted] = {k: book.prices[k] for k in FIELDS if book.prices[k] != stored.prices[k]}
