"""The first visit of a fresh server, as `triptych demo` starts it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import PATIENCE
from tests.browser.serving import demo

pytestmark = pytest.mark.browser


def test_the_first_visit_may_come_by_a_deep_link(tmp_path: Path, browser: Browser) -> None:
    with demo(tmp_path / "workspace", tmp_path / "log.txt") as (address, _):
        page = browser.new_context().new_page()
        page.goto(f"{address}/documents")
        # Drawn by the router, before the product is opened.
        expect(page.get_by_role("link", name="Library health")).to_be_visible(timeout=PATIENCE)
        assert not page.get_by_text("Page not found").count()
        assert page.url == f"{address}/documents"
