"""A blind vote in the browser: nothing tells who wrote what, then everything does; the pairs come along."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.serving import VERDICT
from tests.browser.test_app import WAIT, answered, ask, see
from tests.pages.scripted import ANSWERS

pytestmark = pytest.mark.browser
Visit = Callable[..., Page]


def test_a_blind_vote_reveals_the_names_and_leaves_pairs(visit: Visit) -> None:
    page = answered(visit())
    page.get_by_text("Blind vote").click()
    ask(page, "How long may I return it?")
    ballot = page.locator(".st-key-ballot")
    second = ballot.get_by_role("button", name="Answer B")
    expect(second).to_be_visible(timeout=WAIT)
    main = page.get_by_test_id("stMain")
    expect(page.locator(VERDICT)).to_have_count(0)
    assert [name for name in ("RAG", "Fine-tuned", "Hybrid", "[1]") if name in main.inner_text()] == []
    html = page.locator(".st-key-card-B").inner_text()
    second.click()
    answered(page)
    see(page, "You voted without knowing who wrote what.")
    page.get_by_role("tab", name="This session").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Preference pairs as JSONL").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    pairs = [json.loads(line) for line in lines]
    plain = {name: text.replace(" [1]", "") for name, text in ANSWERS.items()}
    chosen = next(text for text in plain.values() if text in html)
    assert [pair["chosen"] for pair in pairs] == [chosen, chosen]
    assert {pair["rejected"] for pair in pairs} == {plain[n] for n in ("rag", "fine_tuned", "hybrid")} - {
        chosen
    }
