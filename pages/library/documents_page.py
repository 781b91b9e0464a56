"""The documents: what is loaded, adding and removing some, and how a document is cut into passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from backends.datatypes import Document
from backends.settings import Settings
from pages.library import cutting, removing, uploading
from pages.library.boundaries import boundaries
from pages.ui import resources, session
from pages.ui.asking import KIND, round_of
from pages.ui.service import Service
from pages.ui.text import block, markdown, marked_html, plural

NOTHING = "\N{EN DASH}"  # in a cell of the table
LONGEST = 60_000  # characters of a document drawn at once
VERSIONS = Path(__file__).resolve().parent / "versions_page.py"  # holds wherever the app starts


# --- the list ------------------------------------------------------------------------------------------


def listing(documents: Sequence[Document], counts: Mapping[str, int]) -> Document | None:
    """The table; returns the document that is open."""
    wanted = st.text_input(
        "Filter by name", key="filter", placeholder="Filter by name", icon=":material/search:"
    )
    shown = [d for d in documents if (wanted or "").strip().casefold() in f"{d.name} {d.title}".casefold()]
    if not shown:
        st.caption("No document of that name." if documents else "No documents yet: drop some above.")
        return None
    rows = pd.DataFrame(
        {
            "Name": [d.name for d in shown],
            "Type": [d.type for d in shown],
            "Pages": pd.array([len(d.pages) or None for d in shown], "Int64"),
            "Passages": pd.array([counts.get(d.name) for d in shown], "Int64"),
            "Version": [d.version for d in shown],
            "Readers": [", ".join(d.roles) or "everyone" for d in shown],
            "Language": [d.language.upper() or None for d in shown],
            "Date": [d.date or None for d in shown],
            "Tags": [", ".join(d.tags) or None for d in shown],
            "From": [d.source for d in shown],
        }
    )
    picked = st.dataframe(
        rows.style.format(na_rep=NOTHING),
        key="documents",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        height=min(38 + 35 * len(shown), 560),
        column_config={"Name": st.column_config.TextColumn(width="medium")},
        alt=f"{plural(len(shown), 'document')} with type, pages, passages, version and who may read them.",
    )
    st.caption(f"{plural(len(shown), 'document')} of {len(documents):,}. Choose a row to open it.")
    chosen = picked["selection"]["rows"]
    now = session.current()
    if chosen and chosen[0] < len(shown):
        now.document = shown[chosen[0]].name
    return next((d for d in shown if d.name == now.document), shown[0])


# --- one document ----------------------------------------------------------------------------------------


def opened(document: Document, service: Service, now: session.Session, cut: Settings) -> None:
    chunks = service.chunks(document.name, cut)
    st.subheader(markdown(document.title or document.name), anchor=False)
    facts = [markdown(document.name), document.type, f"version {document.version}"]
    facts += [plural(len(document.pages), "page")] if document.pages else []
    facts += [f"dated {document.date}"] if document.date else []
    facts += [f"language {document.language.upper()}"] if document.language else []
    facts += [f"tags {markdown(', '.join(document.tags))}"] if document.tags else []
    facts += [f"for {', '.join(document.roles)} only"] if document.roles else []
    st.caption(" · ".join(facts))
    if document.notes:
        st.info(
            "What the reader left out or guessed:\n" + "".join(f"\n- {markdown(n)}" for n in document.notes),
            icon=":material/info:",
        )
    which = "as the documents are cut now" if cut == now.settings else "of the cut that is being tried"
    st.caption(
        f"{plural(len(chunks), 'passage')} {which}: each tint is one passage, "
        "what two passages share is darker, and a line marks what the last question found."
    )
    with st.container(height=560, border=True):
        text = document.text[:LONGEST]
        st.html(block(marked_html(text, boundaries(len(text), chunks, hits(now, document)))))
    if len(document.text) > LONGEST:
        st.caption(f"The first {LONGEST:,} of {len(document.text):,} characters.")
    with st.container(horizontal=True):
        if document.version > 1 or len(service.versions(document.name)) > 1:
            st.page_link(VERSIONS, label="Compare versions", icon=":material/difference:")
        if service.role is None and st.button("Remove this document", icon=":material/delete:", key="remove"):
            removing.confirm(document.name)


def hits(now: session.Session, document: Document) -> list[tuple[int, int]]:
    """The passages of this document that the newest question found."""
    newest = next(iter(resources.jobs().owned_by(now.visitor, KIND)), None)
    made = round_of(newest) if newest is not None else None
    if made is None:
        return []
    found = {
        (source.start, source.end)
        for answer in made.answers
        for source in answer.sources
        if (source.document, source.version) == (document.name, document.version)
    }
    return sorted(found)


# --- the page ----------------------------------------------------------------------------------------


def page() -> None:
    now = session.current()
    service = resources.service(now.visitor)
    st.title("Documents", anchor=False)
    whose = "Your own copy" if service.private else "The sample company, shared until you change something"
    st.caption(f"{whose}.")
    if service.role is None:
        uploading.drop_zone(now, service)
        uploading.panels(now)
        removing.panels(now, service)
    documents = service.documents()
    cut = cutting.draw(now, service) if documents else now.settings
    left, right = st.columns([1, 1], gap="large")
    with left:
        document = listing(documents, service.passages(now.settings) or {})
    if document is not None:
        with right:
            opened(document, service, now, cut)


page()
