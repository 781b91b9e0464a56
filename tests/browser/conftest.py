"""One server with the scripted product and one Chromium for all browser tests; a fresh visitor for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.serving import chromium_path, demo, served

HERE = Path(__file__).resolve().parent
PATIENCE = 90_000  # milliseconds; a busy machine is slow, not wrong


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if chromium_path() is not None or os.environ.get("TRIPTYCH_BROWSER_TESTS") == "required":
        return
    skip = pytest.mark.skip(reason="Chromium is not installed (TRIPTYCH_BROWSER_TESTS=required insists)")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("served")
    environment = {
        "TRIPTYCH_WORKSPACE": str(home),
        "TRIPTYCH_SCRIPTED_PAUSE": "0.05",
        "TRIPTYCH_SCRIPTED_OPENING": "0.3",
    }
    with served(HERE / "scripted_app.py", environment, home / "log.txt") as url:
        yield url


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the product with its own model and the sample."""
    home = tmp_path_factory.mktemp("product")
    with demo(home / "workspace", home / "log.txt") as (address, _):
        yield address


@pytest.fixture
def visit(address: str, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page as a new visitor, with the given width and height."""
    contexts = []

    def open_page(path: str = "", width: int = 1440, height: int = 900, **options: object) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{address}/{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
