"""The door: where people sign in, nobody sees anything before, and nobody who may not enter.

Enters: the claims that Streamlit keeps of whoever signed in. Leaves: the person in the session, or the page
that says why there is none. Streamlit does not look at when a sign-in ends: it is looked at here at every run
of the script, by the session at every click, and by a clock on the open page.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from backends.access.audit import AuditLog
from backends.access.sign_in import NotAdmitted, Person, SignIn, SignInEnded, name_of, person_of
from backends.datatypes import JsonValue, UserError
from backends.settings import default_workspace
from backends.system.viewers import signed_in_person
from pages.ui import resources, session
from pages.ui.text import markdown

MOST_SECONDS = 3600.0  # between two looks at the clock
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Door:
    """What stands at the door: `person` may enter, where there is none `problem` says why not."""

    person: Person | None = None
    problem: str = ""
    provider: str = ""  # what the button names; empty: nobody can sign in
    known: bool = False  # somebody is signed in, and may not enter


def door() -> Door | None:
    """Who is at the door; None where nobody has to sign in. Whoever may enter is in the session then."""
    try:
        sign_in = resources.sign_in()
    except UserError as error:
        session.leave()
        return Door(problem=str(error))
    if sign_in is None:
        return None
    found = _looked_at(sign_in)
    if found.person is None:
        session.leave()
    elif session.enter(found.person):
        _audit(sign_in, found.person)
    return found


def draw(found: Door) -> None:
    """The page of who is not in yet: what this is, why they are not, and the way in."""
    _, middle, _ = st.columns([1, 1.6, 1])
    with middle.container(border=True, key="door", gap="medium"):
        st.title("Sign in to Triptych", anchor=False)
        st.markdown("Ask your documents, and compare what retrieval, fine-tuning and both of them answer.")
        if found.problem:
            st.warning(markdown(found.problem), icon=":material/lock:")
        if found.provider:
            label = f"Sign in with {found.provider}" if not found.known else "Sign in again"
            st.button(
                markdown(label), type="primary", on_click=st.login, key="sign-in", width="stretch",
                icon=":material/login:",
            )  # fmt: skip
            st.caption("Which documents you see depends on the groups that you are in.")


def who(person: Person) -> None:
    """Whose session this is, and the way out; it ends by itself when the sign-in does."""
    until = datetime.fromtimestamp(person.until).astimezone()
    with st.container(horizontal=True, vertical_alignment="center", key="who"):
        st.caption(f"**{markdown(person.name)}**, signed in until {until:%H:%M}")
        st.button("Sign out", key="sign-out", type="tertiary", icon=":material/logout:", on_click=st.logout)
    left = max(0.0, person.until - time.time())
    st.fragment(_clock, run_every=min(left + 1, MOST_SECONDS))(person.until)


def _looked_at(sign_in: SignIn) -> Door:
    provider = sign_in.provider.name or "your account"
    claims = claims_of_whoever_is_here()
    if not claims:
        return Door(provider=provider)
    try:
        return Door(person_of(claims, sign_in), provider=provider)
    except SignInEnded as error:
        return Door(problem=str(error), provider=provider, known=True)
    except NotAdmitted as error:
        if not session.told_refusal():
            AuditLog(default_workspace().expanduser()).record(
                "refused",
                signed_in_person(str(claims.get("iss")), str(claims.get("sub"))),
                name=name_of(claims),
            )
        return Door(problem=str(error), provider=provider, known=True)


def claims_of_whoever_is_here() -> dict[str, JsonValue]:
    """What the provider said of who is signed in here; empty where nobody is."""
    claims: dict[str, JsonValue] = st.user.to_dict()
    return claims if claims.get("is_logged_in") is True else {}


def _audit(sign_in: SignIn, person: Person) -> None:
    rights = "owner" if person.owner else str(person.role)
    AuditLog(default_workspace().expanduser(), questions=sign_in.audit.questions).record(
        "signed in", person.id, name=person.name, detail=rights
    )


def _clock(until: float) -> None:
    if time.time() >= until:
        st.rerun()
