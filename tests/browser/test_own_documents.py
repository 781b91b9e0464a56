"""A first visit with one's own files only, to a cited answer; its link opened in another browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_app import WAIT, answered, see

pytestmark = pytest.mark.browser


def test_own_files_are_asked_at_a_click_and_the_link_reproduces_it(
    visit: Callable[..., Page], tmp_path: Path
) -> None:
    file = tmp_path / "ferry.txt"
    file.write_text("What does the ferry say: the last one leaves the harbour at 21:40.\n")
    page = answered(visit())
    page.locator(".st-key-scope-here").get_by_text("My documents").click()
    see(page, "Start with your own documents")
    page.locator("input[type=file]").set_input_files(file)
    step = page.locator(".st-key-step-2 button")
    expect(step).to_be_enabled(timeout=WAIT)
    step.click()
    chip = page.locator(".st-key-card-rag").get_by_role("button", name="ferry.txt")
    expect(chip).to_be_visible(timeout=WAIT)
    answered(page)
    page.locator("button.cite").first.click()  # [1] in the text
    expect(page.locator("[popover]:popover-open")).to_contain_text("leaves the harbour")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Link").click()
    link = urlsplit(page.get_by_test_id("stPopoverBody").locator("code").inner_text())
    other = answered(visit(f"{link.path.lstrip('/')}?{link.query}"))
    box = other.get_by_label("Ask a question about the documents")
    expect(box).to_have_value("What does ferry.txt say?", timeout=WAIT)
    see(other, "Not here, though the link asks them: 1 document, ferry.txt")  # another visitor has none


def test_answers_are_whole_at_every_width(visit: Callable[..., Page]) -> None:
    """1152, 1024 and 768 pixels, and 1440 at 200 and 250 per cent."""
    page = answered(visit())
    for width in (1152, 1024, 768, 720, 576):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)
        cut = page.evaluate(
            """() => [...document.querySelectorAll('[class*=st-key-card-] *')].filter(each =>
                each.clientWidth > 2 && each.scrollWidth > each.clientWidth + 1
                && getComputedStyle(each).overflowX !== 'visible').map(each => each.outerHTML.slice(0, 99))"""
        )
        assert cut == [], width
