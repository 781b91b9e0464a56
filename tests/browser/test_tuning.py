"""From documents to an adapter in the browser; a server killed in mid-training; resume."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from backends.training.adapters import Adapters
from tests.browser.serving import free_port, running
from tests.browser.test_app import see

pytestmark = pytest.mark.browser
HERE = Path(__file__).resolve().parent
WAIT = 240_000  # milliseconds


def serving(home: Path, port: int) -> AbstractContextManager[tuple[str, object]]:
    command = [sys.executable, "-m", "streamlit", "run", str(HERE / "tuning_app.py"), f"--server.port={port}"]
    command += ["--server.address=127.0.0.1", "--server.headless=true"]
    environment = {"TRIPTYCH_TUNING_HOME": str(home), "TRIPTYCH_WORKSPACE": str(home), "OMP_NUM_THREADS": "1"}
    return running(command, environment, home / "log.txt", f"http://127.0.0.1:{port}")


def pick_settings(page: Page, *, name: str, epochs: int) -> None:
    """Only the fine-tuned kind, under this name, for so many epochs."""
    kinds = page.locator(".st-key-tune-kinds")
    hybrid = kinds.get_by_role("button", name="Hybrid")
    expect(hybrid).to_be_visible(timeout=WAIT)
    if hybrid.get_attribute("aria-pressed") == "true":
        hybrid.click()
    expect(kinds.locator("button[aria-pressed=true]")).to_have_count(1, timeout=WAIT)
    box = page.locator(".st-key-tune-name input")
    box.fill(name)
    box.press("Enter")
    field = page.locator(".st-key-tune-epochs-fine_tuned input")
    if not field.is_visible():
        page.get_by_text("Settings of the training").click()
    field.fill(str(epochs))
    field.press("Enter")


def test_documents_become_an_adapter_and_a_killed_server_loses_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    port = free_port()
    serve: Callable[[], AbstractContextManager[tuple[str, object]]] = partial(serving, tmp_path, port)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(WAIT)
    page = context.new_page()
    with serve() as (address, process):
        page.goto(f"{address}/fine_tune")
        page.get_by_role("button", name="Make rows").click()
        see(page, "rows to learn,", WAIT)
        pick_settings(page, name="first", epochs=2)
        page.get_by_role("button", name="Train", exact=True).click()
        see(page, "first is trained and does not answer", WAIT)  # so few held-out rows show no gain
        page.get_by_role("button", name="Let it answer all the same").click()
        see(page, "first is trained and answers now", WAIT)
        see(page, "held-out questions right before training", WAIT)

        pick_settings(page, name="second", epochs=200)
        page.get_by_role("button", name="Train", exact=True).click()
        see(page, "Loss so far", WAIT)
        # The first epoch is over: there is something to keep.
        see(page, re.compile(r"second: epoch ([2-9]|\d\d)"), WAIT)
        process.kill()  # type: ignore[attr-defined]
        process.wait()  # type: ignore[attr-defined]
    with serve() as (address, _):
        page.goto(f"{address}/fine_tune")
        see(page, "did not come to its end", WAIT)
        page.get_by_role("button", name="Resume").click()
        page.get_by_role("button", name="Stop and keep the best so far").click()
        see(page, "second is trained and does not answer", WAIT)
        page.get_by_role("button", name="Let it answer all the same").click()
        see(page, "second is trained and answers now", WAIT)
    context.close()
    made = Adapters(tmp_path / "workspace" / "adapters", tmp_path / "none")
    active = made.active("fine_tuned")
    assert [adapter.name for adapter in made.all()] == ["first", "second"]
    assert active is not None
    assert active.name == "second"
    previous = made.previous("fine_tuned")
    assert previous is not None
    assert previous.name == "first"
