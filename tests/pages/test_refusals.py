"""What the machine or a public demo refuses is a sentence on the page, and no traceback."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from backends.system import public_demo
from pages.ui import resources, session


def test_a_damaged_database_is_a_sentence(
    visit: Callable[[], AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = visit()
    damaged = sqlite3.DatabaseError("database disk image is malformed")
    damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT

    def fail(visitor: str) -> None:
        raise damaged

    monkeypatch.setattr(resources, "service", fail)
    app.run()
    assert not app.exception
    assert "database is damaged" in app.error[0].value


def test_visitors_of_a_public_demo_are_told_their_share(
    visit: Callable[[], AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(public_demo.VARIABLE, "1")
    app = visit()
    assert "This is a public demo." in app.sidebar.info[0].value
    visitor = app.session_state[session._KEY].visitor  # whose first visit has asked a question already
    for _ in range(public_demo.SHARES["ask"].number - 1):
        assert not resources.jobs().start("ask", visitor, lambda context: None).refused
    refused = resources.jobs().start("ask", visitor, lambda context: None)
    assert refused.refused and "6 questions a minute" in (refused.error or "")
