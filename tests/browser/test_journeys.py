"""Whole ways through the product: own files to a cited answer, a link, a report; training, and forgetting."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from backends.documents.parsing import parse_file
from tests.browser import own_files
from tests.browser.conftest import HERE, PATIENCE
from tests.browser.serving import VERDICT, served
from tests.browser.test_app import answered, ask, at_rest, see

pytestmark = pytest.mark.browser
LONG = 2 * PATIENCE
Visit = Callable[..., Page]


@pytest.fixture
def come(browser: Browser) -> Iterator[Visit]:
    """Open an address as a new visitor."""
    contexts = []

    def open_page(address: str) -> Page:
        context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
        context.set_default_timeout(LONG)
        contexts.append(context)
        page = context.new_page()
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()


def made_anew(page: Page) -> Page:
    """Wait for the answers to a question that was just asked."""
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_visible(timeout=LONG)
    expect(stop).to_have_count(0, timeout=LONG)
    return answered(page)


def test_own_files_only_to_the_first_right_answer_with_its_place(
    product: str, come: Visit, tmp_path: Path
) -> None:
    files = own_files.written(tmp_path)
    assert (len(files), len({file.suffix for file in files})) == (11, 8)
    page = come(product)
    page.locator(".st-key-scope-here").get_by_text("My documents").click()
    see(page, "Start with your own documents", LONG)
    page.locator("input[type=file]").set_input_files(files)
    see(page, "11 files added", LONG)
    at_rest(page)
    ask(page, "When does the last ferry leave the harbour?")
    made_anew(page)
    card = page.locator(".st-key-card-rag")
    expect(card).to_contain_text("21:40")
    # What was drawn while the answer came may still stand beside what is drawn once it is whole.
    expect(card.get_by_role("button", name="ferry-timetable.pdf, p. 2").first).to_be_visible()
    expect(page.locator(VERDICT)).to_contain_text("RAG")
    expect(page.locator(VERDICT)).to_contain_text("21:40")


def test_a_link_gives_a_second_browser_the_question_with_its_settings(product: str, come: Visit) -> None:
    page = answered(come(product))
    page.get_by_test_id("stSidebar").get_by_role("button", name="Fine-tuned").click()
    at_rest(page)
    ask(page, "Which insurance company covers the Lisbon office?")
    made_anew(page)
    page.get_by_role("button", name="Link").click()
    link = urlsplit(page.get_by_test_id("stPopoverBody").locator("code").inner_text())
    other = answered(come(f"{product}{link.path}?{link.query}"))
    box = other.get_by_label("Ask a question about the documents")
    expect(box).to_have_value("Which insurance company covers the Lisbon office?", timeout=LONG)
    assert [other.locator(f".st-key-card-{name}").count() for name in ("rag", "fine_tuned", "hybrid")] == [
        1,
        0,
        1,
    ]
    assert other.locator(VERDICT).inner_text() == page.locator(VERDICT).inner_text()


def test_the_committee_gets_a_report_on_two_sheets_that_needs_nothing_else(
    product: str, come: Visit, tmp_path: Path
) -> None:
    page = come(f"{product}/advise")
    said = page.get_by_role("heading", level=2).first
    expect(said).to_have_text(re.compile("^Use "), timeout=LONG)
    at_rest(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="One-page report").click()
    report, asked = page.context.new_page(), []
    file = tmp_path / "report.html"
    download.value.save_as(file)
    report.on("request", lambda request: asked.append(request.url))
    report.goto(file.as_uri())
    assert asked == [file.as_uri()]
    expect(report.locator(".lead")).to_have_text(said.inner_text())
    expect(report.get_by_role("heading", level=1)).to_contain_text("Which approach:")
    report.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    assert len(parse_file(tmp_path / "report.pdf").pages) <= 2


def test_train_on_own_files_look_before_and_after_and_forget_with_a_proof(
    come: Visit, tmp_path: Path
) -> None:
    lamps = own_files.lamps(tmp_path)
    environment = {"TRIPTYCH_WORKSPACE": str(tmp_path / "workspace"), "OMP_NUM_THREADS": "1"}
    with served(HERE / "small_app.py", environment, tmp_path / "log.txt") as address:
        page = come(f"{address}/documents")
        page.locator("input[type=file]").set_input_files(lamps)
        see(page, "lamps.csv is ready", LONG)
        page.get_by_role("link", name="Compare").click()
        at_rest(page)
        ask(page, "What is the price for Lamp Oak?")
        answered(page)
        page.locator(".st-key-step-3").get_by_role("button").click()
        see(page, re.compile("Trained on .* show no gain"), LONG)  # of so few rows
        page.get_by_role("link", name="Look at the new adapters").click()
        page.get_by_role("button", name="Let it answer all the same").click()
        see(page, "mine-hybrid is trained and answers now", LONG)
        page.get_by_role("link", name="Compare").click()
        at_rest(page)
        page.locator(".st-key-step-4").get_by_role("button").click()
        see(page, "Then: Hybrid without an answer (now by the adapter mine-hybrid).", LONG)

        page.get_by_role("link", name="Documents").click()
        page.get_by_label("Filter by name").fill("lamps")
        page.get_by_label("Filter by name").press("Enter")
        page.locator(".st-key-remove").get_by_role("button").click()
        page.locator(".st-key-confirm-remove").get_by_role("button").click()
        page.get_by_role("button", name="Remove now").click()
        see(page, re.compile(r"lamps\.csv is gone from your copy.*stays in the weights", re.DOTALL), LONG)
        page.reload()
        see(page, "lamps.csv is gone from your copy", LONG)  # until it is closed
