"""The app as Streamlit runs it, in this process, with the scripted product behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.ui import resources
from tests.pages.scripted import ScriptedServices

APP = Path(__file__).resolve().parents[2] / "app.py"


@pytest.fixture(autouse=True)
def no_fragment_within_a_fragment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit 1.67 may send an inner fragment without the places of the outer one: the page goes blank."""
    original, inside = st.fragment, threading.local()

    def fragment(body: Callable[..., None], **options: Any) -> Callable[..., None]:
        @wraps(body)
        def guarded(*arguments: Any) -> None:
            assert not getattr(inside, "one", False), f"{body.__name__} is a fragment within a fragment"
            inside.one = True
            try:
                body(*arguments)
            finally:
                inside.one = False

        return original(guarded, **options)

    monkeypatch.setattr(st, "fragment", fragment)


@pytest.fixture
def gate() -> threading.Event:
    """Open: answers run through. A test that clears it holds every answer after its first word."""
    event = threading.Event()
    event.set()
    return event


@pytest.fixture
def services(
    gate: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ScriptedServices]:
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path))
    scripted = ScriptedServices(gate=gate)
    st.cache_resource.clear()
    resources.use(lambda report: scripted)
    yield scripted
    gate.set()
    resources.use(resources.open_product)
    st.cache_resource.clear()


@pytest.fixture
def visit(services: ScriptedServices) -> Callable[[], AppTest]:
    """A new visitor on the home page, once the product is open."""

    def come() -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.run()
        assert resources.opening().wait(20)
        return settle(app)

    return come


def settle(app: AppTest, *, until: Callable[[AppTest], bool] | None = None) -> AppTest:
    """Run the page again until `until` holds, or until no job of this process works any more."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        app.run()
        assert not app.exception, app.exception[0].value
        if until(app) if until is not None else not working():
            return app.run()
        time.sleep(0.02)
    raise AssertionError("the page did not settle within 20 s")


def working() -> bool:
    return any(not job.finished for job in resources.jobs()._jobs.values())
