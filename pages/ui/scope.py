"""Which documents are asked: all, the sample's, the visitor's own, chosen ones, or a collection with a name.

Enters: the visitor's session and service. Leaves: names of documents, and settings that keep answers to them.
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.datatypes import CatalogueEntry
from backends.settings import Settings
from pages.ui import session
from pages.ui.session import ALL, COLLECTION, MINE, SAMPLE, SELECTED, Session

NOTHING = "/"  # no document has this name
LABELS = {ALL: "Everything", SAMPLE: "Sample company", MINE: "My documents", SELECTED: "Selected documents"}


def is_own(document: CatalogueEntry) -> bool:
    """Whether a person put it here: it did not come with the sample."""
    return document.source != "sample"


def own(documents: Sequence[CatalogueEntry]) -> list[CatalogueEntry]:
    """The visitor's own documents."""
    return [document for document in documents if is_own(document)]


def choices(now: Session, documents: Sequence[CatalogueEntry]) -> list[str]:
    """The scopes to choose from, in their order; with nothing but own documents, all and mine are one."""
    sample = any(not is_own(document) for document in documents)
    found = [MINE, SAMPLE, ALL] if sample and _any_own(documents) else [SAMPLE, MINE] if sample else [ALL]
    found += [SELECTED] if now.selected else []
    return [*found, *(COLLECTION + name for name in sorted(now.collections))]


def chosen(now: Session, documents: Sequence[CatalogueEntry]) -> str:
    """The scope in force. Where none was chosen, one's own documents come first, then the sample."""
    there = choices(now, documents)
    return now.scope if now.scope in there else there[0]


def _any_own(documents: Sequence[CatalogueEntry]) -> bool:
    return any(is_own(document) for document in documents)


def names(now: Session, documents: Sequence[CatalogueEntry]) -> list[str]:
    """The documents that are asked, by name."""
    scope = chosen(now, documents)
    if scope == SELECTED or scope.startswith(COLLECTION):
        kept = set(now.selected if scope == SELECTED else now.collections[scope.removeprefix(COLLECTION)])
        return [document.name for document in documents if document.name in kept]
    wanted = {ALL: (True, False), SAMPLE: (False,), MINE: (True,)}[scope]
    return [document.name for document in documents if is_own(document) in wanted]


def label(scope: str, now: Session, documents: Sequence[CatalogueEntry]) -> str:
    """`My documents, 3`; without a number where there are none yet."""
    name = scope.removeprefix(COLLECTION) if scope.startswith(COLLECTION) else LABELS[scope]
    count = len(names(_with(now, scope), documents))
    return f"{name}, {count:,}" if count else name


def _with(now: Session, scope: str) -> Session:
    return Session(now.person, scope=scope, settings=now.settings, selected=now.selected,
                   collections=now.collections)  # fmt: skip


def asking(now: Session, documents: Sequence[CatalogueEntry]) -> Settings:
    """The visitor's settings with answers kept to the documents of the scope.

    A scope without a document must not mean all of them, so it names one that cannot be.
    """
    scope = chosen(now, documents)
    if scope == ALL or (scope == SAMPLE and not _any_own(documents)):
        return now.settings
    return now.settings.model_copy(update={"only": tuple(names(now, documents)) or (NOTHING,)})


def ask_only(chosen_names: Sequence[str]) -> None:
    """Ask these documents from now on."""
    now = session.current()
    now.selected, now.scope = tuple(chosen_names), SELECTED


def clean_name(name: str) -> str:
    """A collection's name as it may stand anywhere: letters, digits, spaces, dots and dashes."""
    kept = "".join(character for character in name if character.isalnum() or character in " .-")
    return " ".join(kept.split())[:40]


def keep_collection(name: str, chosen_names: Sequence[str]) -> None:
    """Give these documents a name and ask them from now on; a collection of that name gives way."""
    now = session.current()
    name = clean_name(name)
    if name and chosen_names:
        now.collections = {**now.collections, name: tuple(chosen_names)}
        now.scope = COLLECTION + name


def drop_collection(name: str) -> None:
    """Forget a collection; its documents stay."""
    now = session.current()
    now.collections = {each: kept for each, kept in now.collections.items() if each != name}
