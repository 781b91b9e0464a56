"""Tokens open what the owner gave them, until their day, and the workspace never holds one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backends.access.tokens import Tokens
from backends.datatypes import UserError
from backends.system.viewers import check_person, roles_of


def test_a_token_is_told_once_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    secret = tokens.make("nightly", ["hr", "legal"], owner=False, days=30)
    other = tokens.make("all", [], owner=True, days=1)
    assert secret not in tokens.path.read_text() and secret != other
    found = tokens.holder(f" {secret}\n")
    assert found.name == "nightly" and roles_of(found.role or "") == {"hr", "legal"}
    assert tokens.holder(other).role is None
    assert check_person(found.person) != tokens.holder(other).person


def test_a_token_without_roles_is_not_an_owners(tmp_path: Path) -> None:
    secret = Tokens(tmp_path).make("guest", [], owner=False, days=1)
    assert Tokens(tmp_path).holder(secret).role is not None


def test_unknown_revoked_and_expired_tokens_open_nothing(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    secret = tokens.make("nightly", ["hr"], owner=False, days=30)
    for wrong in ("", secret[:-1], secret + "x", tokens.all()[0].digest):
        with pytest.raises(UserError, match="not known"):
            tokens.holder(wrong)
    with pytest.raises(UserError, match="ended on"):
        tokens.holder(secret, datetime.now(UTC) + timedelta(days=30))
    tokens.revoke("nightly")
    with pytest.raises(UserError, match="not known"):
        tokens.holder(secret)
    with pytest.raises(UserError, match="no token named"):
        tokens.revoke("nightly")


def test_what_is_typed_is_checked(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    tokens.make("one", [], owner=True, days=1)
    with pytest.raises(UserError, match="already"):
        tokens.make("one", [], owner=True, days=1)
    with pytest.raises(UserError, match="not both"):
        tokens.make("two", ["hr"], owner=True, days=1)
    with pytest.raises(UserError, match="cannot name a role"):
        tokens.make("two", ["a|b"], owner=False, days=1)
