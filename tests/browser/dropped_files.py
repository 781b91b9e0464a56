"""Real files dropped on the app are found and cited: `python -m tests.browser.dropped_files [--out DIR]`.

Drops a PDF and a DOCX of the collection beside the repository on the Documents page, asks about a sentence of
each, and prints what RAG answers and cites. Exit status 1 when the citation is another document, page or
passage; 0 with a word about it when the collection is not there.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.browser.serving import VERDICT, chromium, demo  # noqa: E402

FORMATS = ROOT.parent / "shared" / "data" / "formats" / "unstructured"
PATIENCE = 120_000  # milliseconds


@dataclass(frozen=True)
class Case:
    file: str
    question: str
    cited: str  # what stands on the citation's chip; Word files have no fixed pages
    words: str  # that the cited passage holds


CASES = (
    Case(
        "multi-column-2p.pdf",
        "To what is the answer restricted in the extractive QA setting?",
        "multi-column-2p.pdf, p. 2",
        "a span appearing in one or more passages in the corpus",
    ),
    Case(
        "handbook-1p.docx",
        "Which act removed the bankruptcy judge from the administration of cases?",
        "handbook-1p.docx",
        "Bankruptcy Reform Act of 1978",
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="keep a screenshot of each answer here")
    given = parser.parse_args()
    if not FORMATS.is_dir():
        print("The collection of real files is not beside this repository: nothing to drop.")
        return 0
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        log = Path(folder) / "server.log"
        with demo(Path(folder) / "workspace", log) as (address, _):
            page = browser.new_context(viewport={"width": 1440, "height": 1200}).new_page()
            page.set_default_timeout(PATIENCE)
            drop(page, address)
            right = [asked(page, case, given.out) for case in CASES]
    return 0 if all(right) else 1


def drop(page: Page, address: str) -> None:
    page.goto(address)
    page.locator(VERDICT).wait_for()
    page.get_by_role("link", name="Documents").click()
    page.locator("input[type=file]").set_input_files([FORMATS / case.file for case in CASES])
    for case in CASES:
        page.get_by_text(f"{case.file} is ready").first.wait_for()
    page.get_by_role("link", name="Compare").click()
    page.locator(VERDICT).wait_for()


def asked(page: Page, case: Case, out: Path | None) -> bool:
    """Whether RAG cites the right document, page and passage."""
    box = page.get_by_label("Ask a question about the documents")
    box.fill(case.question)
    box.press("Enter")
    card = page.locator(".st-key-card-rag")
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_role("button", name="Stop").wait_for(state="detached")
    page.locator(VERDICT).wait_for()
    chip = card.get_by_role("button", name=re.compile(rf"\[\d+\] {re.escape(case.cited)}")).first
    passage = opened(page, chip) if chip.count() else ""
    right = case.words in passage
    text = " ".join(card.inner_text().split())
    print(f"{case.question}\n  card: {text}\n  passage: {passage}\n  right: {right}")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=out / f"{case.file}.png")
    page.keyboard.press("Escape")
    return right


def opened(page: Page, chip: Locator) -> str:
    """The cited passage, as the chip shows it."""
    chip.click()
    body = page.get_by_test_id("stPopoverBody")
    body.wait_for()
    return " ".join(body.inner_text().split())


if __name__ == "__main__":
    sys.exit(main())
