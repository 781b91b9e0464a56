"""A run in the browser: own questions, the figures, the report, and a baseline without false alarm."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_app import WAIT, at_rest, see

pytestmark = pytest.mark.browser
Visit = Callable[..., Page]


def run(page: Page, name: str) -> None:
    at_rest(page)
    box = page.get_by_label("Name of the run (optional)")
    box.fill(name)
    box.press("Enter")
    page.get_by_role("button", name="Run", exact=True).click()
    # The finished run is the one shown; its progress may have been too short to be seen.
    shown = page.get_by_role("combobox", name="Run").first
    expect(shown).to_have_value(re.compile(rf"^{name} \(6 questions"), timeout=WAIT)
    see(page, "Scoreboard")


def test_two_runs_their_report_and_no_false_alarm(visit: Visit, tmp_path: Path) -> None:
    questions = tmp_path / "questions.csv"
    rows = [f"q{n},How long may I return item {n}?,30 days,returns.md,lookup" for n in range(6)]
    questions.write_text("\n".join(["id,question,answers,documents,category", *rows]), encoding="utf-8")
    page = visit("evaluate")
    page.get_by_role("radio", name="Your own file").click()
    page.locator("input[type=file]").set_input_files(questions)
    see(page, "6 questions. With fewer than about 50")
    run(page, "first")
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON", exact=True).click()
    report = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert report["record"]["name"] == "first"
    assert [len(report["record"]["questions"]), len(report["entries"])] == [6, 24]
    at_rest(page)  # the form closes when there is a run to show
    expect(page.get_by_label("Name of the run (optional)")).to_be_hidden()
    page.get_by_text("New run").click()
    run(page, "second")
    at_rest(page)  # a page that is drawn anew closes an open list
    page.get_by_role("combobox", name="Compare with a baseline").click()
    page.get_by_role("option").filter(has_text="first (6 questions").click()
    see(page, "Against the baseline")
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("tab", name="Where they differ").scroll_into_view_if_needed()
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
