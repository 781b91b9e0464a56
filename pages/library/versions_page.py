"""Two versions of a document side by side in one text: what went, what came, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from backends.datatypes import Document
from backends.documents.differences import DiffRow, compare
from pages.library.changed_lines import folded, row_html, summary
from pages.ui import resources, session
from pages.ui.conclusion import conclusion
from pages.ui.plain_table import word_table
from pages.ui.service import Service
from pages.ui.text import block, listing, markdown, plural

LONGEST = 2_000  # rows drawn at once
HOW = (
    "A file that is added again under its name becomes a new version. Answers use the newest one and say "
    "which they cite; earlier ones can be read and compared here."
)
EVENTS = {"indexed": "Added", "replaced": "Replaced", "forgotten": "Forgotten"}


def choose(service: Service) -> tuple[Document, Document] | None:
    """The document and the two versions to compare; None when nothing has a second version."""
    names = [document.name for document in service.catalogue() if len(service.versions(document.name)) > 1]
    if not names:
        return None
    now = session.current()
    first, second, third = st.columns([3, 1, 1])
    with first:
        start = names.index(now.document) if now.document in names else 0
        name = st.selectbox("Document", names, index=start, key="versions-document")
    numbers = list(service.versions(name))
    with second:
        old = st.selectbox("From version", numbers[:-1], index=len(numbers) - 2, key=f"from-{name}")
    with third:
        later = [number for number in numbers if number > old]
        new = st.selectbox("To version", later, index=len(later) - 1, key=f"to-{name}-{old}")
    before, after = service.document(name, old), service.document(name, new)
    return (before, after) if before is not None and after is not None else None


def details(before: Document, after: Document) -> list[str]:
    """What changed beside the text, as sentences."""
    pairs = (
        ("title", before.title, after.title),
        ("date", before.date, after.date),
        ("readers", listing(before.roles) or "everyone", listing(after.roles) or "everyone"),
        ("tags", listing(before.tags), listing(after.tags)),
        ("pages", str(len(before.pages) or ""), str(len(after.pages) or "")),
    )
    return [
        f"{name.capitalize()}: {old or 'none'} → {new or 'none'}" for name, old, new in pairs if old != new
    ]


def difference(rows: Sequence[DiffRow]) -> None:
    """The text of both versions in one column, unchanged stretches folded away."""
    whole = st.toggle("Show unchanged lines too", key="whole-text")
    shown = folded(rows, context=len(rows) if whole else 2)
    with st.container(border=True):
        st.html(block("".join(row_html(item) for item in shown[:LONGEST])))
    if len(shown) > LONGEST:
        st.caption(f"The first {LONGEST:,} of {len(shown):,} lines.")


def history(name: str, service: Service) -> None:
    """What happened to the document, in a table."""
    rows = [
        [
            str(entry.version),
            EVENTS.get(entry.event, entry.event),
            f"{datetime.fromisoformat(entry.at):%Y-%m-%d %H:%M}",
        ]
        for entry in service.history(name)
    ]
    st.markdown("**History**")
    word_table(["Version", "What happened", "When (UTC)"], rows, f"{plural(len(rows), 'event')} of {name}")


def page() -> None:
    """Draw the page."""
    service = resources.service(session.current().visitor)
    st.title("Versions", anchor=False)
    opening = st.container()
    chosen = choose(service)
    if chosen is None:
        with opening:
            conclusion("No document has an earlier version yet.", HOW)
        return
    before, after = chosen
    rows = compare(before.text, after.text)
    with opening:
        conclusion(f"{after.name}: {summary(rows, before.version, after.version)}", HOW)
    for line in details(before, after):
        st.caption(markdown(line))
    if any(row.changed for row in rows):
        difference(rows)
    history(after.name, service)


page()
