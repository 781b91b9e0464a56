"""A link that reproduces a question with its settings, its backends and the documents it asked.

Enters: the visitor's session, service, or the address that was opened. Leaves: a link, or a session set as it
says. A link names documents and holds none of their text: who opens it asks their own of these names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import streamlit as st

from backends.datatypes import CatalogueEntry, UserError
from backends.settings import make_settings
from pages.ui import scope, session
from pages.ui.look import LOOKS, in_order
from pages.ui.service import Service
from pages.ui.session import ALL, COLLECTION, EDITABLE, SELECTED, Session
from pages.ui.text import listing, markdown, plural

MOST_NAMES = 60  # documents in a link; a longer one is cut by some programs
QUESTION, WHO, MODEL, NAME, DOCUMENT = "q", "who", "model", "collection", "document"


def popover(question: str, now: Session, documents: Sequence[CatalogueEntry]) -> None:
    """The popover that holds the link."""
    with st.popover("Link", icon=":material/link:", type="tertiary", key="link"):
        st.caption(
            "Opens this question with these settings and documents. Documents are named and not sent: "
            "whoever opens it needs documents of these names."
        )
        st.code(address(question, now, documents), language=None, wrap_lines=True)


def address(question: str, now: Session, documents: Sequence[CatalogueEntry]) -> str:
    """The link to the question with its settings."""
    page = (st.context.url or "").split("?")[0]
    return f"{page}?{urlencode(parameters(question, now, documents), doseq=True)}"


def parameters(question: str, now: Session, documents: Sequence[CatalogueEntry]) -> dict[str, list[str]]:
    """What a link says: only what is not as by default."""
    chosen = scope.chosen(now, documents)
    found = {QUESTION: [question], WHO: [",".join(now.backends)]}
    if now.models:
        found[MODEL] = list(now.models)
    for name in EDITABLE:
        if getattr(now.settings, name) != getattr(now.defaults, name):
            found[name] = [str(getattr(now.settings, name))]
    if chosen == ALL:
        return found
    names = scope.names(now, documents)
    if chosen.startswith(COLLECTION):
        found[NAME] = [chosen.removeprefix(COLLECTION)]
    found[DOCUMENT] = names[:MOST_NAMES]
    return found


def opened(now: Session, service: Service) -> str | None:
    """Set the session as the address says, once; the question to ask, or None where it names none.

    The sidebar stands when the page reads the address, so it is drawn anew with the link's settings first.
    """
    if now.to_ask is not None:
        question, now.to_ask = now.to_ask, None
        return question
    given = {key: st.query_params.get_all(key) for key in st.query_params}
    if not given.get(QUESTION):
        return None
    st.query_params.clear()
    notes = take(given, now, [document.name for document in service.catalogue()])
    now.linked = (given[QUESTION][0], notes)
    now.to_ask = given[QUESTION][0]
    return st.rerun()


def take(given: Mapping[str, Sequence[str]], now: Session, there: Sequence[str]) -> str:
    """Choose what these parameters name; returns what does not fit or is not there, in words."""
    notes = []
    try:
        now.settings = make_settings(**{name: given[name][0] for name in EDITABLE if given.get(name)})
    except UserError as error:
        notes.append(f"The link's settings do not fit ({error}): they are as by default.")
    who = (given.get(WHO) or [""])[0].split(",")
    now.backends = in_order([name for name in LOOKS if name in who]) or now.backends
    now.models = tuple(given.get(MODEL, ()))  # one that is not here answers nothing
    session.drop("models")
    named = list(given.get(DOCUMENT, ()))
    found = tuple(name for name in named if name in there)
    if missing := [name for name in named if name not in there]:
        among = " among them" if missing[3:] else ""
        instead = "" if found else " What you chose yourself is asked instead."
        notes.append(
            f"Not here, though the link asks them: {plural(len(missing), 'document')},{among} "
            f"{listing(missing[:3])}.{instead}"
        )
    if collection := scope.clean_name((given.get(NAME) or [""])[0]):
        now.collections = {**now.collections, collection: found}
        now.scope = COLLECTION + collection
    elif named:
        now.selected, now.scope = found, SELECTED
    else:
        now.scope = ALL
    return " ".join(notes)


def notice(now: Session, asked: str) -> None:
    """What a link could not bring along, as long as its question is on the page."""
    if now.linked is not None and now.linked[0] == asked and now.linked[1]:
        st.warning(markdown(now.linked[1]))
