"""What only a browser shows: streaming, clicks while answers stream, dropped files, phones, reloads."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import docx
import pytest
from playwright.sync_api import Browser, Page, Route, expect
from reportlab.pdfgen import canvas

from tests.browser.conftest import HERE
from tests.browser.serving import VERDICT, served
from tests.pages.scripted import ANSWERS

pytestmark = pytest.mark.browser
Visit = Callable[..., Page]
WAIT = 90_000


def card(page: Page, backend: str) -> str:
    return page.locator(f".st-key-card-{backend}").inner_text().replace("\n", " ")


def see(page: Page, text: str | re.Pattern[str], wait: int = WAIT) -> None:
    """Wait for a text. While a page is drawn anew, what it showed before may stand beside it for a moment."""
    expect(page.get_by_text(text).filter(visible=True).first).to_be_visible(timeout=wait)


def what_stays(page: Page, wrong_now: Callable[[Page], list[str]]) -> list[str]:
    """What is wrong for long: what is drawn anew is pale or out of place for a moment."""
    wrong = wrong_now(page)
    for _ in range(10):
        if not wrong:
            break
        page.wait_for_timeout(500)
        wrong = wrong_now(page)
    return wrong


def at_rest(page: Page) -> None:
    """Wait until no run of the page is under way: what is clicked then stays where it is."""
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=WAIT)


def answered(page: Page) -> Page:
    expect(page.locator(VERDICT)).to_be_visible(timeout=WAIT)
    at_rest(page)
    return page


def open_settings(page: Page) -> None:
    page.get_by_test_id("stSidebar").get_by_text("Settings", exact=True).click()


def ask(page: Page, question: str) -> None:
    box = page.get_by_label("Ask a question about the documents")
    box.fill(question)
    box.press("Enter")


def test_answers_stream_and_a_click_neither_loses_nor_restarts_them(visit: Visit) -> None:
    page = answered(visit())
    open_settings(page)
    ask(page, "How long may I return it? Answer slowly.")
    page.wait_for_function(
        """([begun, waiting]) => {
            const said = name => document.querySelector(`.st-key-card-${name}`)?.innerText ?? "";
            return said("rag").includes(begun) && said("hybrid").includes(waiting);
        }""",
        arg=["30 days", "Waits for"],
    )
    page.get_by_text("Choose the best sentences").click()  # a widget, mid-answer
    answered(page)
    for backend in ("rag", "fine_tuned", "hybrid"):
        words = ANSWERS[backend].split()
        assert all(word in card(page, backend) for word in words[:2])
    page.get_by_role("tab", name="This session").click()
    see(page, "2 questions so far")
    toggle = page.get_by_role("switch", name="Choose the best sentences")
    expect(toggle).not_to_be_checked()


def test_reload_and_second_tab_keep_the_visitor(visit: Visit, address: str) -> None:
    page = answered(visit())
    ask(page, "Is this slowly answered?")
    page.get_by_role("button", name="Stop").wait_for()
    page.reload()  # while the answer is being made
    answered(page)
    page.get_by_role("tab", name="This session").click()
    expect(page.get_by_role("button", name="Is this slowly answered?")).to_be_visible(timeout=WAIT)
    second = page.context.new_page()
    second.goto(address)
    answered(second)
    second.get_by_role("tab", name="This session").click()
    expect(second.get_by_role("button", name="Is this slowly answered?")).to_be_visible(timeout=WAIT)
    assert page.url.rstrip("/") == address  # nothing of the visitor in the address


def test_dropped_pdf_and_docx_are_found_and_cited_with_their_page(visit: Visit, tmp_path: Path) -> None:
    files = [tmp_path / "ferry-timetable.pdf", tmp_path / "island-rules.docx"]
    pdf = canvas.Canvas(str(files[0]))
    pdf.drawString(72, 700, "The timetable of the island ferry, summer season.")
    pdf.showPage()
    pdf.drawString(72, 700, "The last ferry leaves the harbour at 21:40 on weekdays.")
    pdf.save()
    document = docx.Document()
    document.add_paragraph("Campfires are allowed only on the northern beach, never above force four.")
    document.save(str(files[1]))

    page = visit("documents")
    page.locator("input[type=file]").set_input_files(files)
    for file in files:
        see(page, f"{file.name} is ready")
    page.get_by_role("link", name="Compare").click()
    at_rest(page)
    ask(page, "When does the last ferry leaves the harbour weekdays")
    chip = page.locator(".st-key-card-rag").get_by_role("button", name="ferry-timetable.pdf, p. 2")
    expect(chip).to_be_visible(timeout=WAIT)
    answered(page)
    ask(page, "Where are campfires allowed northern beach")
    chip = page.locator(".st-key-card-rag").get_by_role("button", name="island-rules.docx")
    expect(chip).to_be_visible(timeout=WAIT)


def test_foreign_text_is_shown_and_never_run(visit: Visit, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.txt"
    hostile.write_text(
        "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\"> "
        "Zebra plans cost $5 and $10, *not* _more_ `than` :red[that] [1].\n"
    )
    page = visit("documents")
    page.locator("input[type=file]").set_input_files(hostile)
    see(page, "hostile.txt is ready")
    page.get_by_role("link", name="Compare").click()
    at_rest(page)
    ask(
        page, "What do zebra plans cost: $5 and $10 or *more*? <img src=x onerror=\"document.title='owned'\">"
    )
    chip = page.locator(".st-key-card-rag").get_by_role("button", name="hostile.txt")
    expect(chip).to_be_visible(timeout=WAIT)
    answered(page)
    see(page, "Zebra plans cost $5 and $10, *not* _more_")
    assert page.locator(".katex").count() == 0
    assert page.locator("img[src=x]").count() == 0
    assert "owned" not in page.title()


def test_controls_that_load_late_show_and_send_the_settings(visit: Visit, address: str) -> None:
    page = visit("_stcore/health")
    held: list[Route] = []
    page.route(
        re.compile(r"/static/js/(Slider|Checkbox|ButtonGroup|TextInput)\b.*"),
        lambda route: held.append(route),
    )
    page.goto(address)
    answered(page)  # the page has run twice by now, and no control was drawn yet
    open_settings(page)
    page.wait_for_timeout(500)
    assert held
    for route in held:
        route.continue_()
    sliders = page.get_by_test_id("stSidebar").get_by_role("slider")
    expect(sliders).to_have_count(5, timeout=WAIT)
    page.get_by_text("Choose the best sentences").click()
    expect(page.get_by_role("switch", name="Choose the best sentences")).not_to_be_checked()
    values = "sliders => sliders.map(slider => slider.value ?? slider.ariaValueNow)"
    assert sliders.evaluate_all(values) == ["128", "24", "8", "0", "160"]


def test_verdict_comes_where_streamlit_drops_the_rerun_of_the_page(browser: Browser, tmp_path: Path) -> None:
    environment = {
        "TRIPTYCH_WORKSPACE": str(tmp_path),
        "TRIPTYCH_SCRIPTED_PAUSE": "0.05",
        "TRIPTYCH_SCRIPTED_OPENING": "0.1",
        "TRIPTYCH_SCRIPTED_DROPS_RERUNS": "1",
    }
    with served(HERE / "scripted_app.py", environment, tmp_path / "log.txt") as url:
        page = browser.new_page()
        page.goto(url)
        answered(page)
        expect(page.get_by_role("button", name="Stop")).to_have_count(0)
        page.close()


@pytest.mark.parametrize("path", ["", "documents"])
def test_phone_has_no_sideways_scroll(visit: Visit, path: str) -> None:
    page = visit(path, width=390, height=844)
    if path:
        see(page, "Choose a row to open it")
    else:
        answered(page)
    widths = page.evaluate(
        "[document.documentElement.scrollWidth, document.querySelector('[data-testid=stMain]').scrollWidth]"
    )
    assert max(widths) <= 390


def test_error_stays_readable_for_a_question_that_is_too_long(visit: Visit) -> None:
    page = answered(visit())
    ask(page, "why " * 2_500)
    see(page, "the longest that can be asked has 4,000")
