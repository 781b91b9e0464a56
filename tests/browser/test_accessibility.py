"""What axe-core finds on every page in both themes, and what it does not look for: titles, targets, keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_app import WAIT, answered, at_rest, see, what_stays

pytestmark = pytest.mark.browser
Visit = Callable[..., Page]
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
RULES = "axe.run({resultTypes: ['violations'], rules: {'target-size': {enabled: true}}})"
# Link in the sidebar, and the page's first heading.
PAGES = {
    "Documents": "Documents",
    "Library health": "Library health",
    "Fine-tune": "Fine-tune",
    "Evaluate": "Evaluate",
    "Stress tests": "Stress tests",
    "Costs": "Costs",
    "Advise": "Advise",
    "About": "About",
}


def findings(page: Page) -> list[str]:
    return what_stays(page, _findings_now)


def _findings_now(page: Page) -> list[str]:
    """Serious and critical findings, and headings out of order, each with where it is."""
    found: dict[str, Any] = page.evaluate(RULES)
    return [
        f"{each['id']}: {node['target']} {node['html'][:120]} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
        if each["impact"] in ("serious", "critical") or each["id"] == "heading-order"
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_serious_finding(visit: Visit, theme: str) -> None:
    page = answered(visit(color_scheme=theme))
    page.evaluate(AXE)
    wrong = {"Compare": findings(page)}
    for link, heading in PAGES.items():
        page.get_by_test_id("stSidebarNav").get_by_role("link", name=link, exact=True).click()
        page.get_by_role("heading", level=1, name=heading).wait_for(timeout=WAIT)
        at_rest(page)
        assert page.title() == f"{link} - Triptych"
        wrong[link] = findings(page)
    assert {name: found for name, found in wrong.items() if found} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_two_versions_beside_each_other_have_no_serious_finding(
    visit: Visit, theme: str, tmp_path: Path
) -> None:
    file = tmp_path / "returns-policy.md"
    file.write_text("# Returns\n\nA customer may return a Lark Pro within 45 days of delivery.\n")
    page = visit("documents", color_scheme=theme)
    page.locator("input[type=file]").set_input_files(file)
    see(page, "returns-policy.md is ready")
    page.goto(page.url.replace("documents", "versions"))
    expect(page.get_by_role("heading", level=2).first).to_contain_text("between version 1 and version 2")
    at_rest(page)
    page.evaluate(AXE)
    assert findings(page) == []


def test_the_question_box_is_near_for_the_keyboard(visit: Visit) -> None:
    page = answered(visit())
    for _ in range(6):
        if page.evaluate("document.activeElement?.ariaLabel ?? ''").startswith("Ask a question"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("the question box is more than five Tab stops away")


@pytest.mark.parametrize("path", ["evaluate", "stress", "costs", "advise", "about"])
def test_a_phone_needs_no_sideways_scroll(visit: Visit, path: str) -> None:
    page = visit(path, width=390, height=844)
    page.get_by_role("heading", level=2).first.wait_for(timeout=WAIT)
    at_rest(page)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
