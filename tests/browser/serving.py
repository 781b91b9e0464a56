"""Serves the app on a free port and opens Chromium on it: shared by the browser tests and the screenshots."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
VERDICT = ".st-key-outcome h2"  # what the home page makes of the answers, once all are there
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def chromium_path() -> str | None:
    return next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        raise RuntimeError(f"No Chromium found under the names {', '.join(CHROMIUM_NAMES)}.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def served(script: Path, environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """The address of `streamlit run script`, which ends with the block."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += [f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true"]
    with running(command, environment, log, f"http://127.0.0.1:{port}") as (address, _):
        yield address


@contextmanager
def demo(workspace: Path, log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address and process of `triptych demo`, which ends with the block."""
    port = free_port()
    command = [sys.executable, "-m", "backends", "demo", "--host=127.0.0.1", f"--port={port}"]
    command += [f"--workspace={workspace}"]
    with running(command, {"HF_HUB_OFFLINE": "1"}, log, f"http://127.0.0.1:{port}") as server:
        yield server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(
    command: list[str],
    environment: Mapping[str, str],
    log: Path,
    address: str,
    path: str = "/_stcore/health",
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The server of this command from when it answers at `address` to the end of the block."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            _wait_for(f"{address}{path}", process, log)
            yield address, process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.05)
    raise RuntimeError(f"The app did not start:\n{log.read_text(errors='replace')[-2000:]}")
