"""A stakeholder plays the whole guided tour in the browser, on a phone's width, doing what each step asks."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from pages.ui.tour_steps import STEPS
from tests.browser.test_app import WAIT, answered, at_rest, see

pytestmark = pytest.mark.browser


def on_step(page: Page, number: int) -> None:
    title = re.compile(f"Step {number} of {len(STEPS)}: {STEPS[number - 1].title}")
    expect(page.locator(".st-key-tour")).to_contain_text(title, timeout=WAIT)


def go_on(page: Page, number: int) -> None:
    at_rest(page)
    page.get_by_role("button", name="Next").click()
    on_step(page, number)


def ask_what_is_filled_in(page: Page, question: str) -> None:
    expect(page.get_by_label("Ask a question about the documents")).to_have_value(question, timeout=WAIT)
    page.get_by_role("button", name="Ask", exact=True).click()
    answered(page)


def test_the_whole_tour(visit: Callable[..., Page]) -> None:
    page = answered(visit(width=390, height=844))
    page.get_by_role("button", name="Take the tour").click()
    on_step(page, 1)
    ask_what_is_filled_in(page, STEPS[0].fills["question"])
    go_on(page, 2)
    page.get_by_role("tab", name="Sources").click()
    go_on(page, 3)
    ask_what_is_filled_in(page, STEPS[2].fills["question"])
    go_on(page, 4)
    page.locator(".st-key-run-freshness").get_by_role("button").click()
    see(page, "the new fact was given by RAG in 3 of 3, Fine-tuned in 0 of 3")
    go_on(page, 5)
    page.locator(".st-key-run-erasure").get_by_role("button").click()
    see(page, "After forgetting lamp.md the index finds nothing of it")
    page.reload()  # a phone that slept comes back to its place
    on_step(page, 5)
    go_on(page, 6)
    see(page, re.compile("From (your questions of this session|the example that comes)"))
    go_on(page, 7)
    see(page, "What would change it")
    width = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert width <= 390
    at_rest(page)
    page.get_by_role("button", name="Finish").click()
    expect(page.locator(".st-key-tour")).to_have_count(0, timeout=WAIT)
