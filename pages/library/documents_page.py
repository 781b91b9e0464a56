"""The documents: what is loaded, adding and removing some, and how a document is cut into passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from backends.datatypes import CatalogueEntry, Document
from backends.settings import Settings
from pages.library import cutting, editing, removing
from pages.library.boundaries import boundaries
from pages.library.rendered import rendered
from pages.ui import pending_removals, resources, scope, session, suggestions, uploading
from pages.ui.asking import KIND, round_of
from pages.ui.conclusion import conclusion
from pages.ui.service import Service
from pages.ui.text import block, markdown, marked_html, plural, scrolled

NOTHING = "\N{EN DASH}"  # in a cell of the table
LONGEST = 60_000  # characters of a document drawn at once
SHORT = 1_200  # characters that need no frame to scroll in
PAGES = Path(__file__).resolve().parents[1]  # holds wherever the app starts
VERSIONS = PAGES / "library" / "versions_page.py"
COMPARE = PAGES / "ask" / "compare_page.py"
READ, PASSAGES, EDIT = "Read", "Passages", "Edit"


# --- the list ------------------------------------------------------------------------------------------


def listing(
    documents: Sequence[CatalogueEntry], counts: Mapping[str, int], service: Service
) -> Document | None:
    """The table, and what can be done with its chosen rows; returns the document that is open."""
    wanted = st.text_input(
        "Filter by name", key="filter", placeholder="Filter by name", icon=":material/search:",
        label_visibility="collapsed",
    )  # fmt: skip
    shown = [d for d in documents if (wanted or "").strip().casefold() in f"{d.name} {d.title}".casefold()]
    if not shown:
        st.caption("No document of that name." if documents else "No documents yet: drop some above.")
        return None
    rows = pd.DataFrame(
        {
            "Name": [d.name for d in shown],
            "Version": [d.version for d in shown],
            "Readers": [", ".join(d.roles) or "everyone" for d in shown],
            "Passages": pd.array([counts.get(d.name) for d in shown], "Int64"),
            "Pages": pd.array([len(d.pages) or None for d in shown], "Int64"),
            "Type": [d.type for d in shown],
            "Language": [d.language.upper() or None for d in shown],
            "Date": [d.date or None for d in shown],
            "Tags": [", ".join(d.tags) or None for d in shown],
            "From": [d.source for d in shown],
        }
    )
    picked = st.dataframe(
        rows,
        key=session.table_key("documents", [d.name for d in shown]),
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        placeholder=NOTHING,
        height=min(38 + 35 * len(shown), 560),
        column_config={
            "Name": st.column_config.TextColumn(width=210),
            "Version": st.column_config.NumberColumn(width=60),
            "Readers": st.column_config.TextColumn(width=90),
            "Passages": st.column_config.NumberColumn(width=75),
        },
        alt=f"{plural(len(shown), 'document')} with type, pages, passages, version and who may read them.",
    )
    chosen = [shown[row].name for row in picked["selection"]["rows"] if row < len(shown)]
    st.caption(
        f"{plural(len(shown), 'document')} of {len(documents):,}. Choose a row to open it, several to ask "
        "them alone, to keep them as a collection or to remove them."
    )
    now = session.current()
    if chosen:
        with_chosen(chosen, service)
        now.document = chosen[-1]
    elif now.document not in {d.name for d in shown}:
        now.document = shown[0].name
    return service.document(now.document) if now.document is not None else None


def with_chosen(chosen: Sequence[str], service: Service) -> None:
    """What can be done with the chosen rows."""
    which = plural(len(chosen), "document")
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="with-chosen"):
        if st.button(f"Ask only {which}", key="ask-only", icon=":material/chat:"):
            scope.ask_only(chosen)
            st.switch_page(COMPARE)
        with (
            st.popover("Keep as a collection", key="collect", icon=":material/folder_special:"),
            st.form("collection", border=False),
        ):
            st.text_input("Name of the collection", key="collection-name", max_chars=40)
            st.form_submit_button("Keep", type="primary", on_click=collect, args=(tuple(chosen),))
        if service.may_change and st.button(
            f"Remove {which}", key="remove-chosen", icon=":material/delete:", type="tertiary"
        ):
            removing.confirm(chosen)


def collect(chosen: Sequence[str]) -> None:
    """Keep the chosen documents as a collection of the name that was typed."""
    scope.keep_collection(str(session.read("collection-name") or ""), chosen)


# --- one document ----------------------------------------------------------------------------------------


def opened(document: Document, service: Service, now: session.Session, cut: Settings) -> None:
    """The open document: what is known of it, and its text."""
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
    views = [READ, PASSAGES, *([EDIT] if service.may_change and editing.possible(document) else [])]
    if cut != now.settings:  # another cut is tried: its borders are what is looked for
        view = PASSAGES
    else:
        view = st.segmented_control(
            "View", views, default=READ, key="view", required=True, label_visibility="collapsed"
        )
    if view == EDIT and EDIT in views:
        editing.draw(document)
    elif view == PASSAGES:
        passages(document, service, now, cut)
    elif not page_shown(document, service, now):
        tall = 560 if len(document.text) > SHORT else "content"
        with st.container(height=tall, border=True):  # type: ignore[arg-type]
            st.html(scrolled(rendered(document, LONGEST), f"Text of {document.name}"))
    if len(document.text) > LONGEST and view != EDIT:
        st.caption(f"The first {LONGEST:,} of {len(document.text):,} characters.")
    with st.container(horizontal=True):
        if document.version > 1 or len(service.versions(document.name)) > 1:
            st.page_link(VERSIONS, label="Compare versions", icon=":material/difference:")
        if service.may_change and st.button(
            "Remove this document", icon=":material/delete:", key="remove", type="tertiary"
        ):
            removing.confirm([document.name])


def page_shown(document: Document, service: Service, now: session.Session) -> bool:
    """A page of a PDF as it looks, with what the last question found marked; False where there is none."""
    if document.type != "pdf" or not document.pages:
        return False
    found = hits(now, document)
    first = document.page_at(found[0][0]) if found else None
    key = f"page-{document.name}-{document.version}"
    session.restore(key, first or 1)
    number = int(session.read(key))
    page = document.pages[number - 1]
    here = [document.text[start:end] for start, end in found if page.start <= start < page.end]
    picture = service.page_picture(document.name, document.version, number, " ".join(here))
    if picture is None:
        return False
    st.number_input(f"Page (of {len(document.pages):,})", 1, len(document.pages), key=key)
    st.image(picture, width="stretch", caption=f"{document.name}, page {number}")
    return True


def passages(document: Document, service: Service, now: session.Session, cut: Settings) -> None:
    """The text as it was read, with the borders of its passages and what the last question found."""
    chunks = service.chunks(document.name, cut)
    which = "as the documents are cut now" if cut == now.settings else "of the cut that is being tried"
    st.caption(
        f"{plural(len(chunks), 'passage')} {which}: each tint is one passage, "
        "what two passages share is darker, and a line marks what the last question found."
    )
    with st.container(height=560, border=True):
        text = document.text[:LONGEST]
        inner = block(marked_html(text, boundaries(len(text), chunks, hits(now, document))))
        st.html(scrolled(inner, f"Passages of {document.name}"))


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


def in_words(documents: int, own: int) -> str:
    """How many documents can be asked, and how many of them are the visitor's."""
    if not documents:
        return "No document can be asked yet: drop your files here."
    whose = f"{own:,} of them yours" if own else "none of them yours yet"
    return f"{plural(documents, 'document')} can be asked, {whose}."


def page() -> None:
    """Draw the page."""
    now = session.current()
    service = resources.service(now.visitor)
    st.title("Documents", anchor=False)
    opening = st.container()
    whose = (
        "Your own copy: no other visitor sees it"
        if service.private
        else "The sample company, shared until you change something"
    )
    if service.may_change:
        uploading.drop_zone(now, service)
        uploading.panels(now)
        removing.panels(now, service)
    going = {name for removal in pending_removals.waiting(now.visitor) for name in removal.names}
    documents = [document for document in service.catalogue() if document.name not in going]
    documents.sort(key=lambda document: not scope.is_own(document))  # one's own first, each by name
    own = scope.own(documents)
    with opening:
        conclusion(in_words(len(documents), len(own)), f"{whose}.")
    if own:
        suggestions.job(now, service, own)
        st.page_link(
            COMPARE,
            label="Ask your document" if len(own) == 1 else f"Ask your {len(own):,} documents",
            icon=":material/arrow_forward:",
        )
    cut = cutting.draw(now, service) if documents else now.settings
    with st.container(key="library"):
        left, right = st.columns([1, 1], gap="large")
    with left:
        document = listing(documents, service.passages(now.settings) or {}, service)
    if document is not None:
        with right:
            opened(document, service, now, cut)


page()
