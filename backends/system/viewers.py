"""Who looks at the product: a person, or a person through the eyes of a role; and where what is theirs lies.

Enters: a person's id, a role as somebody typed it. Leaves: a viewer's id, a checked role, a folder. No path
holds a typed word: a role's part of it is a hash.

A reader's eyes are one word: None sees everything (an owner), `legal` sees as that role would, and
`|finance|hr` are the roles that a signed-in person holds, `|` alone being none at all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from backends.datatypes import UserError

FOLDER = "visitors"
SESSIONS = "sessions"
ROLE_MARK = "~"  # in a viewer's id: what follows is the role whose eyes are used; never in a person's own id
HELD = "|"  # begins and parts the roles that a signed-in person holds; never in a role's own name
SIGNED_IN = "person-"  # begins the id of everybody who signed in: what is theirs stays until they remove it
MOST_CHARACTERS = 40
_PERSON = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ROLE = re.compile(rf"[^\W_][\w .-]{{0,{MOST_CHARACTERS - 1}}}")


def viewer_id(person: str, role: str | None) -> str:
    """Who owns jobs and answers: another viewer for each role, so that no view shows another's."""
    return person if role is None else f"{person}{ROLE_MARK}{role}"


def person_and_role(viewer: str) -> tuple[str, str | None]:
    """What `viewer_id` was made of."""
    person, _, role = viewer.partition(ROLE_MARK)
    return person, role or None


def signed_in_person(issuer: str, subject: str) -> str:
    """The id of somebody who signed in: the same after every sign-in, and it tells nothing about them."""
    return SIGNED_IN + hashlib.sha256(f"{len(issuer)}:{issuer}{subject}".encode()).hexdigest()[:32]


def stays(person: str) -> bool:
    """Whether this person comes back by signing in: what is theirs is not removed after a day without use."""
    return person.startswith(SIGNED_IN)


def held(roles: Iterable[str]) -> str:
    """The eyes of a person who holds these roles; raises UserError for one that is no name."""
    return HELD + HELD.join(sorted(check_roles(roles)))


def is_own_view(role: str | None) -> bool:
    """Whether these are somebody's own eyes, who may add documents, and not a look through a role's."""
    return role is None or role.startswith(HELD)


def roles_of(role: str) -> frozenset[str]:
    """The roles that these eyes see with."""
    return frozenset(role.split(HELD)) - {""}


def admits(readers: Collection[str], role: str | None) -> bool:
    """Whether who sees with these eyes may read what is for these `readers`; nobody named is everybody."""
    return role is None or not readers or not roles_of(role).isdisjoint(readers)


def role_words(role: str) -> str:
    """Who sees with these eyes, as people say it: `the roles finance and hr`."""
    *more, last = sorted(roles_of(role)) or [""]
    if more:
        return f"the roles {', '.join(more)} and {last}"
    return f"the role {last}" if last else "a person without a role"


def check_person(person: str) -> str:
    """The id, which can name a folder; raises UserError for any other."""
    if not _PERSON.fullmatch(person):
        raise UserError("A session name holds 1 to 64 letters, digits, - and _.")
    return person


def check_roles(roles: Iterable[str]) -> tuple[str, ...]:
    """The roles without spaces around them, each once; raises UserError for one that is no name."""
    found = tuple(dict.fromkeys(role.strip() for role in roles))
    for role in found:
        if not _ROLE.fullmatch(role):
            raise UserError(
                f"{role!r} cannot name a role: use up to {MOST_CHARACTERS} letters, digits, spaces, dots, "
                "dashes or underscores, beginning with a letter or digit."
            )
    return found


def session_folder(base: Path, person: str) -> Path:
    """Where a visitor's private copy of the workspace `base` lies, or would lie."""
    return base / SESSIONS / check_person(person)


def workspace_and_person(workspace: Path) -> tuple[Path, str | None]:
    """(the workspace, None), or for a visitor's private copy (the workspace it lies in, whose it is)."""
    if workspace.parent.name == SESSIONS:
        return workspace.parent.parent, workspace.name
    return workspace, None


def viewer_folder(workspace: Path, person: str, role: str | None = None) -> Path:
    """Where this viewer's own runs and votes lie."""
    mark = "" if role is None else ROLE_MARK + hashlib.sha256(role.encode()).hexdigest()[:16]
    return workspace / FOLDER / f"{check_person(person)}{mark}"


def folders_of(workspace: Path, person: str) -> list[Path]:
    """The folders that this person has, one for each view used."""
    return [path for path in sorted((workspace / FOLDER).glob("*")) if _owner(path) == person]


def _owner(folder: Path) -> str:
    return folder.name.partition(ROLE_MARK)[0]
