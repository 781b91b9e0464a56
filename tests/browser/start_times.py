"""How long a start takes, seen from a browser: `python -m tests.browser.start_times [--rounds N]`.

Each round starts `triptych demo` twice, with a new workspace and then with the same one, and opens it in
Chromium as soon as the port answers. Seconds count from the start of the process to: the first page, the
question box, the first answer, and the verdict, which stands there once every backend has answered.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.browser.serving import VERDICT, chromium, demo  # noqa: E402

PATIENCE = 120_000
MARKS = ("port", "first page", "question box", "first answer", "verdict")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--out", type=Path, help="keep a screenshot and the server's log of the last start here"
    )
    given = parser.parse_args()
    seen: dict[str, list[list[float]]] = {"new workspace": [], "restart": []}
    with chromium() as browser:
        for _ in range(given.rounds):
            with tempfile.TemporaryDirectory() as folder:
                for kind, rows in seen.items():
                    rows.append(start(browser, Path(folder), given.out))
                    print(
                        f"{kind:14}", "  ".join(f"{n} {s:.1f}" for n, s in zip(MARKS, rows[-1], strict=True))
                    )
    for kind, rows in seen.items():
        for name, values in zip(MARKS, zip(*rows, strict=True), strict=True):
            middle = statistics.median(values)
            print(
                f"{kind:14} {name:13} median {middle:5.1f} s  range {min(values):.1f} to {max(values):.1f} s"
            )


def start(browser: Browser, workspace: Path, out: Path | None) -> list[float]:
    """Seconds from the start of the server to each of MARKS."""
    began = time.perf_counter()
    log = workspace / "server.log"
    with demo(workspace / "workspace", log) as (address, process):
        times = [time.perf_counter() - began]
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(address, wait_until="commit")
        for look in (
            page.get_by_role("heading").first,
            page.get_by_label("Ask a question about the documents"),
            page.locator(".st-key-card-rag").get_by_text("Cost"),
            page.locator(VERDICT),
        ):
            look.wait_for()
            times.append(time.perf_counter() - began)
        print(f"server's processor time {processor_seconds(process.pid):.1f} s", file=sys.stderr)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=out / "started.png")
            shutil.copy(log, out / "server.log")
        context.close()
    return times


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
