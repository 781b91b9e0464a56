"""What one visitor has chosen, typed: the only module that touches `st.session_state`.

Enters: widget values. Leaves: valid `Settings`, the enabled backends, which answers and which document are
open. It knows no model and no library; answers live in the jobs, so that they outlive this session.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import streamlit as st

from backends.access.sign_in import Person, SignInEnded
from backends.costs.prices import Price
from backends.datatypes import BackendName, JsonValue, UserError
from backends.settings import Settings, default_workspace, make_settings
from backends.system.viewers import viewer_folder, viewer_id
from pages.ui import choices, resources
from pages.ui.choices import Choices
from pages.ui.look import COMPARED, LOOKS, Theme, in_order

T = TypeVar("T")

_KEY = "triptych"
_PERSON = "signed in"
_REFUSED = "refused"
_XSRF_COOKIE = "_streamlit_xsrf"

# Which documents are asked; a collection's scope is this mark and its name.
ALL, SAMPLE, MINE, SELECTED, COLLECTION = "all", "sample", "mine", "selected", "collection "
OWNER = ""  # the choice of the owner's view among the roles

# Widget keys of the settings the sidebar edits; each is named after its field.
EDITABLE = (
    "chunk_size",
    "chunk_overlap",
    "chunking",
    "top_k",
    "mode",
    "rerank",
    "cross_encoder",
    "multi_step",
    "related_words",
    "follow_ups",
    "constrained_decoding",
    "temperature",
    "max_tokens",
)


@dataclass
class Session:
    """What one visitor has chosen and what is open."""

    person: str
    role: str | None = None  # None: everything; else the roles held, or the one an owner looks through
    owner: bool = True  # whether this person sees everything and may look through any role's eyes
    settings: Settings = field(default_factory=make_settings)
    defaults: Settings = field(default_factory=make_settings)  # those of the workspace when it was begun
    backends: tuple[BackendName, ...] = COMPARED
    models: tuple[str, ...] = ()  # each of them answers; none: that of the settings
    scope: str = ""  # which documents are asked; empty: nothing was chosen yet
    selected: tuple[str, ...] = ()  # documents chosen one by one
    collections: dict[str, tuple[str, ...]] = field(default_factory=dict)
    remembered: Choices = field(default_factory=Choices)  # what is on disk of these
    rejected: str | None = None  # why the last change of a setting was not taken
    question_problem: str | None = None
    round_id: str | None = None  # the answers on the page; None = the newest
    blind: bool = False  # whether the next answers hide who wrote them until a vote
    revealed: set[str] = field(default_factory=set)  # blind rounds shown without a vote
    document: str | None = None  # open on the documents page
    uploads: int = 0  # makes the drop zone a new, empty one after each upload
    notice: str | None = None  # one sentence about what was just done
    to_ask: str | None = None  # the question of a link, once the page shows the link's settings
    linked: tuple[str, str] | None = None  # the question of a link, and what the link could not bring along
    kept: dict[str, JsonValue] = field(
        default_factory=dict
    )  # inputs that outlive a page change, by widget key
    hosted: str | None = None  # whose prices count: a table of the price book
    prices: dict[str, dict[str, Price]] = field(default_factory=dict)  # changed ones, by hosted model and key
    indexed: tuple[int, int, str] | None = None  # size, overlap and way an indexing job was last started for

    @property
    def visitor(self) -> str:
        """Who owns jobs and sees documents: another one for each role, so that no view shows another's."""
        return viewer_id(self.person, self.role)


def current() -> Session:
    """This visitor's session, made on the first call.

    Raises SignInEnded where people sign in and this one's sign-in is over: clicks come here before any page.
    """
    person: Person | None = st.session_state.get(_PERSON)
    if resources.sign_in() is not None and (person is None or time.time() >= person.until):
        raise SignInEnded("Your sign-in has ended: load the page anew and sign in again.")
    if _KEY not in st.session_state:
        st.session_state[_KEY] = _begun(
            person.id if person else visitor_id(), person.role if person else None
        )
    session: Session = st.session_state[_KEY]
    return session


def enter(person: Person) -> bool:
    """Go on as this person, with nothing that another left behind; whether the session is a new one."""
    before: Person | None = st.session_state.get(_PERSON)
    new = before is None or (before.id, before.role) != (person.id, person.role)
    if new:
        st.session_state.clear()
    st.session_state[_PERSON] = person
    return new


def told_refusal() -> bool:
    """Whether it is known already that whoever is here may not enter; known from now on."""
    told = bool(st.session_state.get(_REFUSED))
    st.session_state[_REFUSED] = True
    return told


def leave() -> None:
    """Let go of everything of a person whose sign-in is over, or who may not enter."""
    for key in [key for key in st.session_state if key != _REFUSED]:
        del st.session_state[key]


def _begun(person: str, role: str | None) -> Session:
    """A new session with what this visitor chose in an earlier one; what is no longer valid is dropped."""
    kept = choices.load(viewer_folder(default_workspace(), person))
    begun = Session(person, role, role is None, remembered=kept, scope=kept.scope, selected=kept.selected)
    begun.models = kept.models
    begun.collections = dict(kept.collections)
    begun.backends = in_order([name for name in LOOKS if name in kept.backends]) or COMPARED
    known = {name: value for name, value in kept.settings.items() if name in EDITABLE}
    with suppress(UserError):
        begun.settings = make_settings(**known)
    return begun


def remember() -> None:
    """Keep on disk what was changed since the last look."""
    session = current()
    values = {name: getattr(session.settings, name) for name in EDITABLE}
    changed = {name: value for name, value in values.items() if value != getattr(session.defaults, name)}
    backends = session.backends if session.backends != COMPARED else ()
    now = Choices(changed, backends, session.scope, session.selected, session.collections, session.models)
    if now != session.remembered:
        choices.save(viewer_folder(default_workspace(), session.person), now)
        session.remembered = now


def visitor_id() -> str:
    """An id that survives a reload and holds in a second tab, where the browser keeps Streamlit's cookie.

    The cookie itself is a secret of the browser, so only a hash of it is used. Without it: a random id.
    """
    cookie = st.context.cookies.get(_XSRF_COOKIE)
    token = _stable_part(cookie) if cookie else uuid.uuid4().hex
    return hashlib.sha256(f"triptych visitor {token}".encode()).hexdigest()[:24]


def _stable_part(cookie: str) -> str:
    """The token in `2|mask|token xor mask|time`: every page load draws a new mask, the token stays."""
    try:
        _, mask, masked, _ = cookie.strip("\"'").split("|")
        key = bytes.fromhex(mask)
        token = bytes(byte ^ key[i % len(key)] for i, byte in enumerate(bytes.fromhex(masked)))
    except (ValueError, ZeroDivisionError):
        return cookie
    return token.hex()


def theme() -> Theme:
    """Whether the page is light or dark."""
    return "dark" if st.context.theme.type == "dark" else "light"


# --- the sidebar's controls ------------------------------------------------------------------------


def show_settings(*, only_missing: bool = False) -> None:
    """Set the widgets to the session's settings.

    With `only_missing` those that Streamlit has forgotten: it drops a widget's value when a run ends early.
    """
    session = current()
    shown: dict[str, JsonValue] = {name: getattr(session.settings, name) for name in EDITABLE}
    for name, value in (shown | {"backends": list(session.backends), "role": session.role or OWNER}).items():
        if not (only_missing and name in st.session_state):
            st.session_state[name] = value


def take_settings() -> None:
    """Take what the widgets say; a combination that does not fit changes nothing and says why."""
    session = current()
    given = session.settings.model_dump() | {name: st.session_state[name] for name in EDITABLE}
    try:
        session.settings = make_settings(**given)
        session.rejected = None
    except UserError as error:
        session.rejected = f"{_sentence(error)}. Nothing was changed."
        show_settings()  # the control springs back, and no later change meets its value again


def take_backends() -> None:
    """Take the chosen backends; at least one stays on."""
    session = current()
    chosen: list[BackendName] = st.session_state["backends"]
    if not chosen:
        st.session_state["backends"] = list(session.backends)
        return
    session.backends = in_order(chosen)


def take_models() -> None:
    """Take the chosen models; with none of them answers that of the settings."""
    current().models = tuple(st.session_state["models"])


def take_scope(key: str) -> None:
    """Ask the documents that the control of this key names; pills that were switched off stay on."""
    current().scope = st.session_state[key] or current().scope


def take_role() -> None:
    """See everything as this role does; what was open in the other view is closed."""
    session = current()
    if not session.owner:
        return
    session.role = st.session_state["role"] or None
    session.round_id = session.document = session.indexed = session.notice = session.question_problem = None
    st.session_state.pop("question", None)


def reset() -> None:
    """Set every setting back to its default."""
    session = current()
    try:
        session.settings = session.defaults = make_settings()
        session.backends, session.rejected = COMPARED, None
    except UserError as error:  # of the settings file, which may have been edited since
        session.rejected = f"{_sentence(error).removesuffix('.')}. Nothing was changed."
    show_settings()


def _sentence(error: UserError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}"


def put(key: str, value: object) -> None:
    """Give a widget a value before it is drawn (from a callback)."""
    st.session_state[key] = value


def drop(key: str) -> None:
    """Let a widget begin anew with its default (from a callback)."""
    st.session_state.pop(key, None)


def restore(key: str, value: object) -> None:
    """Give a widget a value if it has none: Streamlit forgets it on another page or when a run ends early."""
    if key not in st.session_state:
        st.session_state[key] = value


def recall(key: str, default: T) -> T:
    """The value a widget begins with: what the visitor left in it, on this page or before another one."""
    restore(key, current().kept.get(key, default))
    value: T = st.session_state[key]
    return value


def keep(key: str, value: object, default: object = None) -> None:
    """Remember a widget's value for when Streamlit has forgotten it; a default follows its source."""
    if value == default:
        current().kept.pop(key, None)
    else:
        current().kept[key] = value


def table_key(name: str, rows: Sequence[str]) -> str:
    """The key of a table of these rows. The browser keeps chosen rows by their numbers: other rows, another
    table, or what was removed would leave its neighbours chosen."""
    return f"{name}-{hashlib.sha256(chr(10).join(rows).encode()).hexdigest()[:12]}"


def read(key: str, default: Any = None) -> Any:
    """The value of a widget."""
    return st.session_state.get(key, default)
