"""Sign-in: claims become people with roles, never with more than the file gives them, and never for ever."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backends.access import sign_in as signing
from backends.access.sign_in import NotAdmitted, People, Provider, SignIn, SignInEnded, groups_of, person_of
from backends.datatypes import UserError
from backends.system.viewers import admits, check_person, held, is_own_view, role_words, roles_of

PROVIDER = Provider(
    metadata_url="https://login.example.com/.well-known/openid-configuration",
    client_id="triptych",
    redirect_uri="https://triptych.example.com/oauth2callback",
)
ROLES = {"finance-team": ("finance",), "people-team": ("hr", "finance"), "legal": ("legal",)}
NOW = 1_000_000.0
CLAIMS = {"iss": "https://login.example.com", "sub": "u1", "exp": NOW + 60, "iat": NOW - 60}
FILE = """
[provider]
metadata_url = "https://login.example.com/.well-known/openid-configuration"
client_id = "triptych"
redirect_uri = "https://triptych.example.com/oauth2callback"
[people]
owners = ["boss"]
[roles]
finance-team = ["finance"]
"""


def sign_in(**people: Any) -> SignIn:
    return SignIn(provider=PROVIDER, people=People(owners=("boss",), **people), roles=ROLES)


def role_of(groups: object, **people: Any) -> str | None:
    return person_of({**CLAIMS, "groups": groups}, sign_in(**people), NOW).role


groups = st.lists(st.sampled_from([*ROLES, "boss", "strangers", "", "finance"]), max_size=5)


@given(groups, st.booleans())
def test_a_person_holds_the_roles_of_their_groups_and_no_others(named: list[str], everybody: bool) -> None:
    known = [group for group in named if group in ROLES]
    if "boss" in named:
        assert role_of(named, everybody=everybody) is None
    elif known or everybody:
        role = role_of(named, everybody=everybody)
        assert role is not None and is_own_view(role)
        assert roles_of(role) == {role for group in known for role in ROLES[group]}
    else:
        with pytest.raises(NotAdmitted, match="none of your groups"):
            role_of(named, everybody=everybody)


names = st.sampled_from(["hr", "legal", "it", "Řízení 2"])


@given(st.sets(names), st.lists(names, max_size=3))
def test_who_holds_roles_reads_what_names_one_of_them_or_nobody(mine: set[str], readers: list[str]) -> None:
    assert admits(readers, held(mine)) == (not readers or not mine.isdisjoint(readers))
    assert roles_of(held(mine)) == mine and held(mine)  # also the eyes of nobody are not an owner's


@given(names, st.lists(names, max_size=3))
def test_a_look_through_one_role_reads_as_before(role: str, readers: list[str]) -> None:
    assert admits(readers, role) == (not readers or role in readers)
    assert not is_own_view(role) and admits(readers, None)


def test_eyes_are_said_in_words() -> None:
    assert [role_words(each) for each in ("hr", held(["it", "hr", "legal"]), held([]))] == [
        "the role hr", "the roles hr, it and legal", "a person without a role",
    ]  # fmt: skip


@pytest.mark.parametrize("forged", [None, 3, {"boss": 1}, [["boss"]], [None, 7], "Boss", "boss,legal", True])
def test_a_claim_of_another_shape_names_no_group(forged: object) -> None:
    with pytest.raises(NotAdmitted):
        role_of(forged)


@pytest.mark.parametrize(
    ("claims", "claim", "expected"),
    [
        ({"groups": "one"}, "groups", {"one"}),
        ({"realm_access": {"roles": ["a", "b"]}}, "realm_access.roles", {"a", "b"}),
        ({"https://x.example/groups": ["a"]}, "https://x.example/groups", {"a"}),
        ({"realm_access": ["a"]}, "realm_access.roles", set()),
        ({"email": "ada@example.com", "email_verified": True}, "email", {"ada@example.com"}),
        ({"email": "ada@example.com"}, "email", set()),
        ({"email": "ada@example.com", "email_verified": "true"}, "email", set()),
    ],
)
def test_groups_are_found_where_providers_put_them(claims: Mapping[str, Any], claim: str, expected: set[str]):
    assert groups_of(claims, claim) == expected


@given(st.floats(allow_nan=True) | st.integers() | st.none() | st.text(max_size=3) | st.booleans())
@example(9_007_199_254_740_993)
@example(10**400)
@example(-(10**400))
def test_a_sign_in_holds_only_until_a_moment_that_is_said_and_is_to_come(exp: object) -> None:
    claims = {**CLAIMS, "exp": exp, "groups": ["legal"]}
    if isinstance(exp, (int, float)) and not isinstance(exp, bool) and NOW < exp < float("inf"):
        assert person_of(claims, sign_in(), NOW).until == float(min(exp, NOW + signing.LONGEST))
    else:
        with pytest.raises(SignInEnded):
            person_of(claims, sign_in(), NOW)


def test_hours_count_from_the_sign_in_and_no_clock_ahead_lengthens_them() -> None:
    old = {**CLAIMS, "exp": 0, "iat": NOW - 7000, "groups": ["legal"]}
    assert person_of(old, sign_in(hours=2), NOW).until == NOW + 200
    with pytest.raises(SignInEnded, match="has ended"):
        person_of(old, sign_in(hours=1), NOW)
    with pytest.raises(SignInEnded, match="clocks"):
        person_of({**old, "iat": NOW + 4000}, sign_in(hours=1), NOW)
    with pytest.raises(SignInEnded, match="iat is missing"):
        person_of({"groups": ["legal"]}, sign_in(hours=1), NOW)


issuers = st.text(min_size=1, max_size=4)


@given(st.tuples(issuers, issuers), st.tuples(issuers, issuers))
def test_two_people_share_an_id_only_if_they_are_one(first: tuple[str, str], second: tuple[str, str]) -> None:
    ids = [
        person_of({**CLAIMS, "iss": iss, "sub": sub, "groups": "legal"}, sign_in(), NOW).id
        for iss, sub in (first, second)
    ]
    assert (ids[0] == ids[1]) == (first == second)
    assert check_person(ids[0]) == ids[0]


def test_who_does_not_say_who_they_are_does_not_enter() -> None:
    for missing in ("iss", "sub"):
        with pytest.raises(NotAdmitted, match="who you are"):
            person_of({**CLAIMS, "groups": ["boss"], missing: ""}, sign_in(), NOW)


# --- the file -------------------------------------------------------------------------------------------


def test_without_the_file_nobody_signs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(signing.VARIABLE, raising=False)
    assert signing.configured(tmp_path) is None
    (tmp_path / signing.FILE).write_text(FILE)
    found = signing.configured(tmp_path)
    assert found is not None and found.roles == {"finance-team": ("finance",)}


def test_a_named_file_that_is_gone_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(signing.VARIABLE, str(tmp_path / "elsewhere.toml"))
    with pytest.raises(UserError, match="cannot be read"):
        signing.configured(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("https://triptych.", "http://triptych.", "must begin with https://"),
        ("/oauth2callback", "/callback", "must end with /oauth2callback"),
        ("owners", "owner", "people.owner"),
        ('["finance"]', '["a|b"]', "cannot name a role"),
        ("[roles]", "[quotas]\nasks = 3\n[roles]", "cannot be limited"),
        ("[provider]", "[provider", "not valid TOML"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_place(
    old: str, new: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(signing.VARIABLE, raising=False)
    (tmp_path / signing.FILE).write_text(FILE.replace(old, new))
    with pytest.raises(UserError, match=said.replace("[", r"\[")):
        signing.configured(tmp_path)


def test_secrets_come_from_the_environment_and_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRIPTYCH_CLIENT_SECRET", "TRIPTYCH_COOKIE_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="TRIPTYCH_COOKIE_SECRET, which is not set"):
        signing.secrets(sign_in())
    monkeypatch.setenv("TRIPTYCH_COOKIE_SECRET", "short")
    with pytest.raises(UserError, match=r"at least 32 characters .* it holds 5"):
        signing.secrets(sign_in())
    monkeypatch.setenv("TRIPTYCH_COOKIE_SECRET", "x" * 32)
    monkeypatch.setenv("TRIPTYCH_CLIENT_SECRET", "y")
    auth = signing.secrets(sign_in())["auth"]
    assert auth["client_secret"] == "y" and auth["server_metadata_url"] == PROVIDER.metadata_url
