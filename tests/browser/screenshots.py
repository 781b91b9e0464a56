"""Pictures of every page, for docs/: `python tests/browser/screenshots.py [--only PAGE ...]`.

Serves the product with a new workspace, asks it some questions as a visitor would, and takes the first screen
of every page in three sizes and both themes; on the desktop the whole page too, and what lies behind the
answers. Leaves WebP files `PAGE-SIZE-THEME.webp` and `PAGE-whole.webp`, and prints what they weigh.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, expect

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from backends.evaluation import first_minutes  # noqa: E402
from tests.browser.serving import VERDICT, chromium, demo  # noqa: E402

Theme = Literal["light", "dark"]
SIZES = {"desktop": (1440, 900), "laptop": (1024, 800), "phone": (390, 844)}
THEMES: tuple[Theme, ...] = ("light", "dark")
PATIENCE = 300_000  # milliseconds: a first start reads and indexes the documents
QUALITY = 72  # of WebP; text stays sharp
TALLEST = 4_000  # pixels of a whole page
HOME = "compare"
# Path to the first heading; the home page is the first.
PAGES = {
    HOME: "Ask once, compare every approach",
    "documents": "Documents",
    "versions": "Versions",
    "health": "Library health",
    "fine_tune": "Fine-tune",
    "evaluate": "Evaluate",
    "stress": "Stress tests",
    "costs": "Costs",
    "advise": "Advise",
    "about": "About",
}
TABS = {
    "sources": "Sources",
    "time": "Where the time went",
    "cost": "Tokens and cost",
    "session": "This session",
    "prompt": "Prompt",
}
UNANSWERABLE = "Which colour are the chairs in the canteen of the Oslo branch?"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--only", nargs="+", choices=list(PAGES), default=list(PAGES))
    parser.add_argument("--url", help="an app that runs already")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with address(given.url) as url, chromium() as browser:
        page = visitor(browser, url)
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            for name in given.only:
                screens(page, url, name, theme, given.out)
    pictures = list(given.out.glob("*.webp"))
    print(f"{len(pictures)} pictures, {sum(each.stat().st_size for each in pictures) / 1e6:.1f} MB")


@contextmanager
def address(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        demo(Path(folder) / "ws", Path(folder) / "log") as (served, _),
    ):
        yield served


def visitor(browser: Browser, url: str) -> Page:
    """A visitor who has asked what the product suggests, and something that no document says."""
    width, height = SIZES["desktop"]
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    page.locator(VERDICT).wait_for()
    first, *others = first_minutes.suggested()
    for question in (*others, UNANSWERABLE, first):
        ask(page, question)
    return page


def ask(page: Page, question: str) -> None:
    box = page.get_by_label("Ask a question about the documents")
    box.fill(question)
    box.press("Enter")
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_visible(timeout=PATIENCE)
    expect(stop).to_have_count(0, timeout=PATIENCE)
    page.locator(VERDICT).wait_for()


def screens(page: Page, url: str, name: str, theme: Theme, out: Path) -> None:
    """One page in every size; on the desktop as a whole too, and the tabs of the home page."""
    path = "" if name == HOME else name
    page.goto(f"{url}/{path}")
    page.get_by_role("heading", level=1, name=PAGES[name]).wait_for()
    if name == HOME:
        page.locator(VERDICT).wait_for()
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        settle(page)
        take(page, out / f"{name}-{size}-{theme}.webp")
    width, height = SIZES["desktop"]
    page.set_viewport_size({"width": width, "height": height})
    if theme == "light":
        whole(page, out / f"{name}-whole.webp")
        page.set_viewport_size({"width": width, "height": height})
        if name == HOME:
            tabs(page, out)


def whole(page: Page, file: Path) -> None:
    """The page from its top to its end: what scrolls is a part of the window, so the window grows."""
    width, _ = SIZES["desktop"]
    tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(tall, TALLEST)})
    settle(page)
    take(page, file)


def tabs(page: Page, out: Path) -> None:
    """What lies behind the answers."""
    for name, label in TABS.items():
        tab = page.get_by_role("tab", name=label)
        tab.click()
        settle(page)
        tab.evaluate("tab => tab.scrollIntoView({block: 'start'})")
        settle(page)
        take(page, out / f"{HOME}-{name}.webp")


def take(page: Page, file: Path) -> None:
    """What stands on the screen, as WebP."""
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.save(file, "WEBP", quality=QUALITY, method=6)


def settle(page: Page) -> None:
    """Until nothing is being worked out, no skeleton is left and the last chart is drawn."""
    page.wait_for_function(
        "!document.querySelector('[data-testid=stSkeleton], [data-testid=stStatusWidget]')"
    )
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main()
