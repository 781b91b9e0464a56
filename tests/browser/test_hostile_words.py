"""Words that are meant as code, everywhere: on every page and in every report they stay words.

Names and texts of documents, questions, answers, warnings, runs, rows to learn, links and uploads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Dialog, FilePayload, Page

from tests.browser.conftest import HERE, PATIENCE
from tests.browser.serving import VERDICT, served
from tests.browser.test_app import ask, at_rest, see
from tests.browser.test_zoomed import MAIN, open_all, tabs_of
from tests.campaign.hostile import EVIL

pytestmark = pytest.mark.browser
# What no page makes itself, and what these words would make of it.
MADE = """() => [...document.querySelectorAll(`
    img[src="x"], img[src*="evil"], iframe, base, a[href*="evil"], svg[onload], .katex, math`)]
    .concat([...document.querySelectorAll('a')].filter(each => /^javascript:/i.test(
        each.getAttribute('href') ?? each.getAttribute('xlink:href') ?? '')))
    .concat([...document.querySelectorAll('body *')].filter(each =>
        [...each.attributes].some(one => /^on/i.test(one.name))))
    .concat([...document.querySelectorAll('svg a')].filter(each => each.getAttribute('xlink:href')))
    .concat([...document.querySelectorAll('h1, h2, h3, h4, strong, em, code, a, td, [class*="colored"]')]
        .filter(each => ['Title', 'bold', 'code', 'x', 'a', 'b'].includes(each.textContent.trim())
                && !each.closest('[data-testid=stCode], pre, .read')))
    .concat([...document.querySelectorAll('body script')].filter(each => each.textContent.includes('alert(')))
    .map(each => each.outerHTML.slice(0, 160))"""
# Some of each kind: HTML, a link, a picture and a formula of Markdown, what Streamlit adds to it.
WRITTEN = (
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "**bold**",
    "$$x$$",
    ":red[x]",
    "`code`",
)


@dataclass
class Watched:
    """A page of which is kept what it should never do."""

    page: Page
    home: str
    ran: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("dialog", self._dismiss)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("popup", lambda popup: self.ran.append(popup.url))

    def _dismiss(self, dialog: Dialog) -> None:
        self.ran.append(dialog.message)
        dialog.dismiss()

    def faults(self) -> list[str]:
        """What ran, was made or was fetched, until now."""
        foreign = [url for url in self.asked if not self._ours(url)]
        return [*self.ran, *foreign, *self.page.evaluate(MADE)]

    def _ours(self, url: str) -> bool:
        found = urlsplit(url)
        return found.scheme in ("data", "blob") or (
            found.netloc == urlsplit(self.home).netloc and not found.path.endswith(("/x", "/p.png"))
        )

    def words(self) -> str:
        """What is read on the page: its text and what stands in its fields."""
        fields = "[...document.querySelectorAll('input, textarea')].map(each => each.value).join(' ')"
        return f"{self.page.locator(MAIN).inner_text()} {self.page.evaluate(fields)}"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("hostile")
    environment = {"TRIPTYCH_WORKSPACE": str(home), "OMP_NUM_THREADS": "1"}
    with served(HERE / "hostile_app.py", environment, home / "log.txt") as url:
        yield url


@pytest.fixture
def watched(hostile: str, browser: Browser) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(2 * PATIENCE)
    yield Watched(context.new_page(), hostile)
    context.close()


def at_home(page: Page) -> None:
    page.get_by_label("Ask a question about the documents").wait_for()
    at_rest(page)


def missing(text: str) -> list[str]:
    return [word for word in WRITTEN if word not in text]


def look_everywhere(watched: Watched) -> list[str]:
    """What is wrong on the page that is open, with all that folds and every tab."""
    page = watched.page
    open_all(page)
    found = watched.faults()
    for tab in tabs_of(page)[1:]:
        tab.click()
        at_rest(page)
        open_all(page)
        found += watched.faults()
    return found


def test_questions_and_answers_stay_words_and_so_does_their_report(watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    page.goto(watched.home)
    at_home(page)
    ask(page, " ".join(EVIL))
    see(page, "30 days from delivery")
    page.locator(VERDICT).wait_for()
    at_rest(page)
    assert missing(watched.words()) == []
    page.locator(".st-key-ballot").get_by_role("button").first.click()
    at_rest(page)
    assert look_everywhere(watched) == []
    page.get_by_role("tab", name="This session").click()
    at_rest(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="HTML report").click()
    assert opened(watched, download.value.path(), tmp_path) == []


def test_a_link_brings_words_only(watched: Watched) -> None:
    page = watched.page
    words = quote(" ".join(EVIL))
    page.goto(f"{watched.home}/?q={words}&document={words}&collection={words}&model={words}&seed={words}")
    see(page, "Not here, though the link asks them")
    at_rest(page)
    assert missing(watched.words()) == []
    assert look_everywhere(watched) == []


@pytest.mark.parametrize("path", ["documents", "versions", "health", "fine_tune", "costs", "advise", "about"])
def test_no_page_makes_anything_of_foreign_words(watched: Watched, path: str) -> None:
    page = watched.page
    page.goto(watched.home)
    at_home(page)
    page.goto(f"{watched.home}/{path}")
    page.locator(f"{MAIN} h2").first.wait_for()
    at_rest(page)
    assert look_everywhere(watched) == []
    if path in ("versions", "about"):
        assert missing(watched.words()) == []


def test_a_document_stays_words_however_it_is_looked_at(watched: Watched) -> None:
    page = watched.page
    page.goto(f"{watched.home}/documents")
    text = "A lamp weighs 2 kilos. " + " ".join(EVIL).replace("\x00", "")
    names = [
        "<img src=x onerror=alert(1)> [x](javascript:alert(1)) $$x$$ **b**.md",
        "<svg onload=alert(1)> [x](javascript:alert(1)) `c`.exe",
    ]
    page.locator("input[type=file]").set_input_files(
        [FilePayload(name=name, mimeType="text/plain", buffer=text.encode()) for name in names]
    )
    see(page, "is ready")
    at_rest(page)
    assert watched.faults() == []
    for number, suffix in enumerate(("md", "html", "txt", "csv", "json", "eml", "pdf")):
        box = page.get_by_label("Filter by name")
        box.fill(f" {number}.{suffix}")
        box.press("Enter")
        at_rest(page)
        for way in ("Passages", "Read"):
            page.get_by_role("radio", name=way).click()
            at_rest(page)
            assert watched.faults() == [], (suffix, way)
        assert missing(watched.words()) == [], suffix


def test_runs_and_their_reports_stay_words(watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    page.goto(f"{watched.home}/evaluate")
    see(page, "Scoreboard")
    at_rest(page)
    assert missing(watched.words()) == []
    page.get_by_role("combobox", name="Compare with a baseline").click()
    page.get_by_role("option").nth(1).click()
    see(page, "Against the baseline")
    at_rest(page)
    assert look_everywhere(watched) == []
    with page.expect_download() as download:
        page.get_by_role("button", name="HTML report").click()
    assert opened(watched, download.value.path(), tmp_path) == []


def test_a_stress_test_and_the_advice_stay_words(watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    page.goto(f"{watched.home}/stress")
    page.locator(".st-key-run-erasure").get_by_role("button").click()
    see(page, "the index finds nothing of it")
    at_rest(page)
    assert look_everywhere(watched) == []
    page.goto(f"{watched.home}/advise")
    page.locator(f"{MAIN} h2").first.wait_for()
    at_rest(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="One-page report").click()
    assert opened(watched, download.value.path(), tmp_path) == []


def opened(watched: Watched, file: Path, folder: Path) -> list[str]:
    """What goes wrong with a report that is opened from the disk."""
    report = folder / "report.html"
    report.write_bytes(file.read_bytes())
    other = Watched(watched.page.context.new_page(), report.as_uri())
    other.page.goto(report.as_uri())
    other.page.wait_for_timeout(300)
    return other.faults()


def test_the_watch_sees_what_it_is_for(browser: Browser) -> None:
    other = Watched(browser.new_page(), "about:blank")
    other.page.set_content(
        "<p><b>fine</b></p><img src=x onerror=alert(1)><a href='javascript:alert(1)'>y</a>"
        "<strong>bold</strong>"
    )
    other.page.wait_for_timeout(300)
    found = " ".join(other.faults())
    assert other.ran == ["1"] and "<img" in found and "javascript:" in found and "<strong>" in found
    assert "fine" not in found
    other.page.close()
