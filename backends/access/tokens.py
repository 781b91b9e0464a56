"""Tokens of the command line: made by the owner, each for certain roles and until a day.

Enters: a name, roles, days. Leaves: a token to hand over, once; the workspace keeps only its hash. A token is
long and random, so a plain hash is enough: nothing is to be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backends.datatypes import UserError
from backends.system.files import read_json, write_whole
from backends.system.viewers import SIGNED_IN, check_roles, held

FILE = "tokens.json"
VARIABLE = "TRIPTYCH_TOKEN"
MARK = "triptych_"  # begins every token, so that a scan for leaked secrets knows one
MOST_DAYS = 366


@dataclass(frozen=True)
class AccessToken:
    """What is kept of a token. `role` is None for one that does everything, otherwise the roles held."""

    name: str
    digest: str
    role: str | None
    until: str  # ISO, UTC

    @property
    def person(self) -> str:
        """Who works with it, as the audit log names it."""
        return f"{SIGNED_IN}{self.digest[:32]}"


class Tokens:
    """The tokens of a workspace."""

    def __init__(self, workspace: Path) -> None:
        self.path = workspace / FILE

    def all(self) -> list[AccessToken]:
        """Every token, expired ones too. Raises UserError where the file is damaged."""
        if not self.path.exists():
            return []
        try:
            return [AccessToken(**row) for row in read_json(self.path)]
        except TypeError as error:
            raise UserError(f"The file {self.path} is damaged: make it anew.") from error

    def make(self, name: str, roles: Iterable[str], *, owner: bool, days: int) -> str:
        """A new token, told once and never again. Raises UserError for a name that is taken or a bad role."""
        wanted = check_roles(roles)
        if owner and wanted:
            raise UserError("A token is an owner's or for certain roles, not both.")
        if any(each.name == name for each in self.all()):
            raise UserError(f"There is a token named {name!r} already: revoke it first.")
        secret = MARK + secrets.token_urlsafe(32)
        until = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
        made = AccessToken(name, _digest(secret), None if owner else held(wanted), until)
        self._keep([*self.all(), made])
        return secret

    def revoke(self, name: str) -> AccessToken:
        """Let this token open nothing any more. Raises UserError when there is none of this name."""
        kept = [each for each in self.all() if each.name != name]
        gone = next((each for each in self.all() if each.name == name), None)
        if gone is None:
            raise UserError(f"There is no token named {name!r}.")
        self._keep(kept)
        return gone

    def holder(self, secret: str, now: datetime | None = None) -> AccessToken:
        """The token that this is. Raises UserError for one that is unknown, revoked or past its day."""
        digest = _digest(secret.strip())
        found = next((each for each in self.all() if hmac.compare_digest(each.digest, digest)), None)
        if found is None:
            raise UserError(f"The token in {VARIABLE} is not known here, or it was revoked.")
        if (now or datetime.now(UTC)) >= datetime.fromisoformat(found.until):
            raise UserError(f"The token {found.name} ended on {found.until[:10]}: ask the owner for another.")
        return found

    def _keep(self, tokens: list[AccessToken]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, json.dumps([asdict(each) for each in tokens], indent=1))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
