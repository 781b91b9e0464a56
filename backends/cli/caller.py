"""Who works on the command line: the local owner, or the holder of a token with its roles.

Enters: the workspace, TRIPTYCH_TOKEN. Leaves: a `Caller`, or a sentence why the verb is not for who calls it.
A verb is for owners unless it says that it reads as a role: a new one cannot forget to ask. Whoever can read
the files of the workspace needs no verb for it: the folder's permissions guard those, tokens guard the verbs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from backends.access.audit import Action, AuditLog, Auditor
from backends.access.sign_in import configured
from backends.access.tokens import VARIABLE, Tokens
from backends.datatypes import UserError

LOCAL = "local-owner"  # who works without a token, as the audit log names them


@dataclass(frozen=True)
class Caller:
    """Whoever calls a verb; `role` is None for an owner, otherwise the eyes that are used."""

    person: str
    role: str | None
    audit: Auditor | None = None

    def note(self, action: Action, documents: list[str], detail: str = "") -> None:
        """Put it into the audit log, where there is one."""
        if self.audit is not None:
            self.audit(action, documents, detail=detail)


def caller(workspace: Path) -> Caller:
    """Who calls this verb. Raises UserError for a token that opens nothing, and where one is needed."""
    sign_in = configured(workspace)
    log = AuditLog(workspace, questions=sign_in.audit.questions) if sign_in is not None else None
    if secret := os.environ.get(VARIABLE, ""):
        token = Tokens(workspace).holder(secret)
        person, role = token.person, token.role
    elif sign_in is None or _is_ours(workspace):
        person, role = LOCAL, None
    else:
        raise UserError(
            f"People sign in to {workspace}, and it belongs to another account: set {VARIABLE} to a token "
            "that its owner made for you (triptych tokens make)."
        )
    return Caller(person, role, Auditor(log, person) if log is not None else None)


def owner(workspace: Path) -> Caller:
    """Who calls a verb that is for owners. Raises UserError for anybody else."""
    found = caller(workspace)
    if found.role is not None:
        raise UserError(f"This is for owners, and the token in {VARIABLE} is for certain roles only.")
    return found


def reader(workspace: Path, role: str | None) -> Caller:
    """Who calls a verb that reads, through the eyes of `role` if an owner asks for it.

    Raises UserError when somebody else does.
    """
    found = caller(workspace)
    if role is None:
        return found
    if found.role is not None:
        raise UserError("Only an owner looks through a role's eyes; a token has its own roles.")
    return replace(found, role=role, audit=found.audit and replace(found.audit, view=role))


def _is_ours(workspace: Path) -> bool:
    return not workspace.exists() or os.geteuid() in (0, workspace.stat().st_uid)
