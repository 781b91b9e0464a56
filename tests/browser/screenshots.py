"""Screenshots of the running app: `python tests/browser/screenshots.py OUTDIR [--url URL]`.

Without --url it serves the real app, with the workspace of TRIPTYCH_WORKSPACE, for the time it takes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.browser.serving import VERDICT, chromium, served  # noqa: E402

SIZES = {"desktop": (1440, 900), "laptop": (1024, 800), "phone": (390, 844)}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PATIENCE = 300_000  # milliseconds: a first start reads and indexes the documents
# Every other page: path to its first heading.
OPENINGS = {
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--url", help="an app that runs already")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with address(given.url, given.out) as url, chromium() as browser:
        page = browser.new_context(device_scale_factor=1).new_page()
        page.set_default_timeout(PATIENCE)
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            for size, (width, height) in SIZES.items():
                page.set_viewport_size({"width": width, "height": height})
                compare(page, url, given.out, size, theme)
                openings(page, url, given.out, size, theme)


@contextmanager
def address(url: str | None, out: Path) -> Iterator[str]:
    if url is not None:
        yield url
        return
    log = out / "server.log"
    with served(ROOT / "app.py", {"HF_HUB_OFFLINE": "1"}, log) as served_url:
        yield served_url
    log.unlink()


def compare(page: Page, url: str, out: Path, size: str, theme: str) -> None:
    """The home page with its answers, made at the first visit, and on the desktop each tab below them."""
    page.goto(url)
    page.locator(VERDICT).wait_for()
    settle(page)
    page.screenshot(path=out / f"compare-{size}-{theme}.png")
    if size == "desktop":
        for name, label in TABS.items():
            page.get_by_role("tab", name=label).click()
            settle(page)
            page.get_by_role("tab", name=label).scroll_into_view_if_needed()
            page.mouse.move(900, 600)
            page.mouse.wheel(0, 3000)
            settle(page)
            page.screenshot(path=out / f"compare-{name}-{theme}.png")


def openings(page: Page, url: str, out: Path, size: str, theme: str) -> None:
    """The first screen of every other page, with whatever the workspace holds or the example that ships."""
    for path, heading in OPENINGS.items():
        page.goto(f"{url}/{path}")
        page.get_by_role("heading", level=1, name=heading).wait_for()
        settle(page)
        page.screenshot(path=out / f"{path}-{size}-{theme}.png")


def settle(page: Page) -> None:
    """Until nothing is being worked out, no skeleton is left and the last chart is drawn."""
    page.wait_for_function(
        "!document.querySelector('[data-testid=stSkeleton], [data-testid=stStatusWidget]')"
    )
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main()
