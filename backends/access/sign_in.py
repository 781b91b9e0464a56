"""Sign-in: reads `sign_in.toml`, and turns the claims of somebody who signed in into a person with roles.

Enters: the file, claims as the provider signed them. Leaves: a `Person`, or a sentence why there is none.
Without the file there is no sign-in and everybody is the owner. It knows neither page nor terminal; Streamlit
and Authlib play the sign-in itself. Secrets are never in the file: it names environment variables.

    [provider]                               # OpenID Connect
    name = "Example Corp"                    # on the button
    metadata_url = "https://login.example.com/.well-known/openid-configuration"
    client_id = "triptych"
    redirect_uri = "https://triptych.example.com/oauth2callback"

    [people]
    groups_claim = "groups"                  # which claim names a person's groups
    owners = ["triptych-owners"]             # these groups see and do everything

    [roles]                                  # group -> roles that documents are kept for
    finance-team = ["finance"]
    people-team = ["hr", "finance"]
"""

from __future__ import annotations

import math
import os
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from backends.datatypes import JsonValue, UserError
from backends.system.public_demo import SHARES
from backends.system.viewers import check_roles, held, signed_in_person

FILE = "sign_in.toml"  # in the workspace
VARIABLE = "TRIPTYCH_SIGN_IN"  # another place of the file
LEAST_SECRET = 32  # characters of the secret that signs cookies
CLOCKS_APART = 300.0  # seconds that the provider's clock may be ahead
LONGEST = 366 * 86_400.0  # seconds that a sign-in holds at most, whatever the provider says
MOST_NAME = 80
_HERE = ("localhost", "127.0.0.1", "::1")


class SignInEnded(UserError):
    """This sign-in is over: only a new one helps."""


class NotAdmitted(UserError):
    """Whoever signed in is none of those who may enter."""


class Provider(BaseModel):
    """Who gives the sign-in; the two secrets are names of environment variables."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    metadata_url: str
    client_id: str = Field(min_length=1)
    redirect_uri: str
    scope: str = "openid email profile"
    client_secret: str = "TRIPTYCH_CLIENT_SECRET"
    cookie_secret: str = "TRIPTYCH_COOKIE_SECRET"

    @field_validator("metadata_url", "redirect_uri")
    @classmethod
    def _is_safe(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
            raise ValueError(f"{address} must begin with https:// (http:// only on this machine)")
        return address

    @field_validator("redirect_uri")
    @classmethod
    def _ends_where_streamlit_listens(cls, address: str) -> str:
        if not address.endswith("/oauth2callback"):
            raise ValueError(f"{address} must end with /oauth2callback")
        return address


class People(BaseModel):
    """Who may enter, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups_claim: str = "groups"
    owners: tuple[str, ...] = ()
    everybody: bool = False  # also who is in none of the groups: they read what is open to everyone
    hours: float | None = Field(None, gt=0, le=720)  # from the sign-in on; None: until the token's own end


class Audit(BaseModel):
    """What the audit log holds besides who did what with which document."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    questions: bool = False


class SignIn(BaseModel):
    """What sign_in.toml says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Provider
    people: People
    roles: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    quotas: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    audit: Audit = Audit()

    @field_validator("roles")
    @classmethod
    def _are_names(cls, roles: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {group: _checked(named) for group, named in roles.items()}

    @field_validator("quotas")
    @classmethod
    def _are_known(cls, quotas: dict[str, int]) -> dict[str, int]:
        for kind in quotas:
            if kind not in (*SHARES, "documents"):
                raise ValueError(f"{kind!r} cannot be limited: choose from {', '.join(SHARES)}, documents")
        return quotas


@dataclass(frozen=True)
class Person:
    """Somebody who signed in: `role` is None for an owner, otherwise the roles held; until when, in seconds
    since 1970."""

    id: str
    name: str
    role: str | None
    until: float

    @property
    def owner(self) -> bool:
        """Whether this person sees and does everything."""
        return self.role is None


def configured(workspace: Path) -> SignIn | None:
    """The sign-in of this workspace; None where there is none.

    Raises UserError for a file that cannot be read or does not fit: nobody may enter then.
    """
    named = os.environ.get(VARIABLE, "")
    path = Path(named) if named else workspace / FILE
    if not named and not path.exists():
        return None
    try:
        return SignIn.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"The sign-in file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"The sign-in file {path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        raise UserError(f"The sign-in file {path} does not fit: {_problems(error)}.") from error


def secrets(sign_in: SignIn) -> dict[str, dict[str, str | dict[str, str]]]:
    """What Streamlit's `st.login` needs, with the two secrets out of the environment.

    Raises UserError where one is missing or the cookies' is short enough to be guessed.
    """
    provider = sign_in.provider
    cookie = _secret(provider.cookie_secret)
    if len(cookie) < LEAST_SECRET:
        raise UserError(
            f"The environment variable {provider.cookie_secret}, which signs the cookies, must hold at least "
            f"{LEAST_SECRET} characters that nobody can guess; it holds {len(cookie)}."
        )
    return {
        "auth": {
            "redirect_uri": provider.redirect_uri,
            "cookie_secret": cookie,
            "client_id": provider.client_id,
            "client_secret": _secret(provider.client_secret),
            "server_metadata_url": provider.metadata_url,
            "client_kwargs": {"scope": provider.scope, "prompt": "select_account"},
        }
    }


def person_of(claims: Mapping[str, JsonValue], sign_in: SignIn, now: float | None = None) -> Person:
    """The person with these claims, as of `now` (seconds since 1970).

    Raises SignInEnded where the sign-in is over, NotAdmitted where the person may not enter.
    """
    moment = time.time() if now is None else now
    until = _until(claims, sign_in.people, moment)
    issuer, subject = claims.get("iss"), claims.get("sub")
    if not (isinstance(issuer, str) and issuer and isinstance(subject, str) and subject):
        raise NotAdmitted("The sign-in does not say who you are: its claims iss and sub are missing.")
    groups = groups_of(claims, sign_in.people.groups_claim)
    person, name = signed_in_person(issuer, subject), name_of(claims)
    if groups & set(sign_in.people.owners):
        return Person(person, name, None, until)
    known = groups & set(sign_in.roles)
    if not known and not sign_in.people.everybody:
        raise NotAdmitted(
            f"You are signed in as {name}, and none of your groups may use this Triptych. Ask its owner to "
            "admit one of them."
        )
    return Person(person, name, held(role for group in known for role in sign_in.roles[group]), until)


def groups_of(claims: Mapping[str, JsonValue], claim: str) -> set[str]:
    """The groups that a claim names; `a.b` also looks for `b` within `a`.

    An e-mail address counts only where the provider says that it is verified.
    """
    value: JsonValue = claims.get(claim)
    if value is None and "." in claim:
        value = dict(claims)
        for part in claim.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    if claim == "email" and claims.get("email_verified") is not True:
        return set()
    named = [value] if isinstance(value, str) else value
    return {each for each in named if isinstance(each, str) and each} if isinstance(named, list) else set()


def name_of(claims: Mapping[str, JsonValue]) -> str:
    """What the person is called: in the sidebar and in the audit log."""
    for claim in ("name", "preferred_username", "email", "sub"):
        value = claims.get(claim)
        if isinstance(value, str) and (shown := " ".join(value.split())):
            return "".join(letter for letter in shown if letter.isprintable())[:MOST_NAME]
    return "unnamed"


def _until(claims: Mapping[str, JsonValue], people: People, now: float) -> float:
    """When this sign-in ends; SignInEnded where that is past, or not said."""
    claim = "exp" if people.hours is None else "iat"
    said = claims.get(claim)
    if isinstance(said, bool) or not isinstance(said, (int, float)) or not -math.inf < said < math.inf:
        raise SignInEnded(f"The sign-in does not say until when it holds: its claim {claim} is missing.")
    if claim == "iat" and said > now + CLOCKS_APART:
        raise SignInEnded("The sign-in says that it begins later than now: the clocks do not agree.")
    begun = float(min(max(said, 0), now + LONGEST))  # any integer may stand there, also one that is no float
    until = begun + (0.0 if people.hours is None else people.hours * 3600)
    if now >= until:
        raise SignInEnded("Your sign-in has ended. Sign in again to go on: nothing of yours is lost.")
    return until


def _secret(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise UserError(f"The sign-in needs the environment variable {variable}, which is not set.")
    return value


def _checked(roles: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return check_roles(roles)
    except UserError as error:
        raise ValueError(str(error)) from error


def _problems(error: ValidationError) -> str:
    """Every problem with its place in the file."""
    found = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        found.append(f"{where}: {item['msg'].removeprefix('Value error, ')}")
    return "; ".join(found)[:500]
