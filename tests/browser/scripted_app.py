"""Serves the app with the scripted product: `streamlit run tests/browser/scripted_app.py`."""

from __future__ import annotations

import os
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from backends.system.reporting import Report  # noqa: E402
from pages.ui import resources  # noqa: E402
from tests.pages.scripted import ScriptedServices  # noqa: E402


def open_scripted(report: Report) -> ScriptedServices:
    """Takes its time, so that the page of a first start can be seen."""
    opening = float(os.environ.get("TRIPTYCH_SCRIPTED_OPENING", "1"))
    for number in range(10):
        report(number, 10, f"Reading document {number}.md")
        time.sleep(opening / 10)
    return ScriptedServices(pause=float(os.environ.get("TRIPTYCH_SCRIPTED_PAUSE", "0.05")))


def rerun_that_may_be_dropped(rerun: Callable[..., None]) -> Callable[..., None]:
    """Streamlit drops a rerun at times; here it drops every one that the home page asks for."""

    def ask(*scope: str) -> None:
        if not sys._getframe(1).f_code.co_filename.endswith("compare_page.py"):
            rerun(*scope)

    return ask


resources.use(open_scripted)
if os.environ.get("TRIPTYCH_SCRIPTED_DROPS_RERUNS") and st.rerun.__module__ != __name__:
    st.rerun = rerun_that_may_be_dropped(st.rerun)  # type: ignore[assignment]
runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
