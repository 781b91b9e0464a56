"""Every page of the product at 200 % zoom and on a phone: no word is cut, none stands on another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.browser.conftest import PATIENCE
from tests.browser.cut_text import not_whole
from tests.browser.test_app import answered, at_rest, what_stays

pytestmark = pytest.mark.browser
SIZES = {"200 %": (720, 450), "phone": (390, 844)}  # 1440 x 900 with every pixel doubled, and a telephone
PAGES = ("", "documents", "versions", "health", "fine_tune", "evaluate", "stress", "costs", "advise", "about")
MAIN = "[data-testid=stMain]"


@pytest.fixture
def page(browser: Browser, product: str) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 720, "height": 450}, device_scale_factor=2, reduced_motion="reduce"
    )
    context.set_default_timeout(2 * PATIENCE)
    yield context.new_page()
    context.close()


def look(page: Page) -> dict[str, list[str]]:
    """What is not whole in each size."""
    found = {}
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        if wrong := what_stays(page, not_whole):
            found[size] = wrong
    return found


def open_all(page: Page) -> None:
    """Unfold whatever is folded on the page."""
    folded = page.locator(f"{MAIN} details:not([open]) > summary").filter(visible=True)
    while folded.count():
        folded.first.click()
        at_rest(page)


def tabs_of(page: Page) -> list[Locator]:
    return page.locator(f"{MAIN} [role=tab]").filter(visible=True).all()


@pytest.mark.parametrize("path", PAGES)
def test_no_word_is_cut_at_200_per_cent_and_on_a_phone(page: Page, product: str, path: str) -> None:
    page.goto(f"{product}/{path}")
    if path:
        page.locator(f"{MAIN} h2").first.wait_for()
        at_rest(page)
    else:
        answered(page)
    open_all(page)
    wrong = {"": look(page)}
    for tab in tabs_of(page)[1:]:  # the first is open
        tab.click()
        at_rest(page)
        open_all(page)
        wrong[tab.inner_text()] = look(page)
    assert {where: found for where, found in wrong.items() if found} == {}


@pytest.mark.parametrize("size", SIZES)
def test_the_sidebar_is_whole_where_it_covers_the_page(page: Page, product: str, size: str) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    answered(page_at(page, product))
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_test_id("stSidebar").get_by_text("Settings", exact=True).click()
    page.get_by_test_id("stSidebar").get_by_role("slider").first.wait_for()
    at_rest(page)
    assert what_stays(page, not_whole) == []


def page_at(page: Page, address: str) -> Page:
    page.goto(address)
    return page


@pytest.mark.parametrize(
    ("html", "said"),
    [
        (
            "<p style='width:80px;overflow:hidden;white-space:nowrap'>a price of 1,000 euros</p>",
            "1,000 euros",
        ),
        ("<p style='height:20px;overflow:hidden;width:60px'>three lines of a sentence at least</p>", "three"),
        ("<p style='white-space:nowrap'>" + "wide " * 400 + "</p>", "wide in a window"),
        ("<input value='a value that is longer than its field' style='width:90px'>", "a value that is"),
    ],
)
def test_what_is_cut_is_found(browser: Browser, html: str, said: str) -> None:
    page = browser.new_page()
    page.set_content(f"<div data-testid=stMain style='overflow:auto'>{html}</div>")
    assert any(said in each for each in not_whole(page))
    page.set_content("<div data-testid=stMain><p>a price of 1,000 euros</p><input value='2'></div>")
    assert not_whole(page) == []
    page.close()
