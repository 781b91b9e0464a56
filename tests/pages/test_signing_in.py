"""The door: who has not signed in sees nothing, who has sees their own, and no longer than they may."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from backends.access import sign_in
from backends.access.audit import AuditLog
from backends.system.viewers import signed_in_person
from pages.ui import resources, session, signing_in
from tests.access.test_sign_in import FILE
from tests.pages.conftest import APP, settle
from tests.pages.scripted import ScriptedServices

Come = Callable[..., AppTest]
ISSUER = "https://login.example.com"


@pytest.fixture
def come(services: ScriptedServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Come:
    """Somebody with these groups comes to the home page; without any, nobody has signed in."""
    monkeypatch.delenv(sign_in.VARIABLE, raising=False)
    (tmp_path / sign_in.FILE).write_text(FILE)

    def visit(*groups: str, who: str = "ada", seconds: float = 600.0, app: AppTest | None = None) -> AppTest:
        now = time.time()
        claims = {"iss": ISSUER, "sub": who, "name": who.title(), "iat": now, "exp": now + seconds}
        claims |= {"groups": list(groups), "is_logged_in": True}
        monkeypatch.setattr(signing_in, "claims_of_whoever_is_here", lambda: claims if groups else {})
        app = app or AppTest.from_file(str(APP), default_timeout=60)
        app.run()
        return app

    return visit


def opened(app: AppTest) -> AppTest:
    assert resources.opening().wait(20)
    return settle(app)


def nothing_shown(app: AppTest, services: ScriptedServices) -> bool:
    """Neither documents nor answers, nor anything that leads to them."""
    return (
        [each.value for each in app.title] == ["Sign in to Triptych"]
        and not app.sidebar
        and not app.text_input
        and not services.by_visitor
        and not app.exception
    )


def test_nobody_sees_anything_before_signing_in(come: Come, services: ScriptedServices) -> None:
    app = come()
    assert nothing_shown(app, services) and not app.warning
    assert [button.label for button in app.button] == ["Sign in with your account"]


def test_a_member_sees_their_documents_and_an_owner_looks_through_roles(
    come: Come, services: ScriptedServices, tmp_path: Path
) -> None:
    app = opened(come("finance-team"))
    assert "Ask once, compare every approach" in [each.value for each in app.title]
    assert "role" not in [box.key for box in app.sidebar.selectbox]
    said = " ".join(each.value for each in app.sidebar.caption)
    assert "for everyone and for finance" in said and "**Ada**, signed in until" in said
    assert set(services.by_visitor) == {signed_in_person(ISSUER, "ada")}
    owner = opened(come("boss", who="eve"))
    assert owner.session_state["triptych"].owner and "for everyone and" not in str(owner.sidebar.caption)
    entries = [(e.action, e.name, e.detail) for e in AuditLog(tmp_path).entries()]
    assert entries == [("signed in", "Ada", "|finance"), ("signed in", "Eve", "owner")]


def test_who_is_in_no_group_is_told_so_and_that_is_audited_once(
    come: Come, services: ScriptedServices, tmp_path: Path
) -> None:
    app = come("strangers")
    app.run()
    assert nothing_shown(app, services)
    assert "none of your groups" in app.warning[0].value
    assert [e.action for e in AuditLog(tmp_path).entries()] == ["refused"]


def test_a_sign_in_that_ends_closes_the_open_page(come: Come, services: ScriptedServices) -> None:
    app = opened(come("finance-team"))
    services.by_visitor.clear()
    come("finance-team", seconds=-1, app=app)
    assert nothing_shown(app, services) and "has ended" in app.warning[0].value
    assert "triptych" not in app.session_state
    assert [button.label for button in app.button] == ["Sign in again"]


def test_a_click_after_the_end_changes_nothing(come: Come, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(come("finance-team"))
    before = app.session_state["triptych"].settings
    later = SimpleNamespace(time=lambda: time.time() + 3600)
    monkeypatch.setattr(session, "time", later)
    app.toggle(key="rerank").set_value(not before.rerank).run()
    assert app.session_state["triptych"].settings == before and app.exception


def test_another_person_in_the_same_tab_finds_nothing_of_the_first(come: Come) -> None:
    app = opened(come("finance-team"))
    app.session_state["triptych"].notice = "What Ada did."
    opened(come("boss", who="eve", app=app))
    now = app.session_state["triptych"]
    assert (now.person, now.notice, now.owner) == (signed_in_person(ISSUER, "eve"), None, True)


def test_a_member_cannot_choose_other_eyes(come: Come) -> None:
    app = opened(come("finance-team"))
    now = app.session_state["triptych"]
    assert not now.owner and now.role == "|finance"
    before = replace(now)
    app.session_state["role"] = "legal"
    settle(app)
    assert app.session_state["triptych"].role == before.role


def test_a_file_that_does_not_fit_opens_nothing(
    come: Come, services: ScriptedServices, tmp_path: Path
) -> None:
    (tmp_path / sign_in.FILE).write_text(FILE.replace("owners", "owner"))
    app = come("boss")
    assert nothing_shown(app, services) and not app.button
    assert "does not fit" in app.warning[0].value
