"""Serves the app with the real services and tiny models: `streamlit run tests/browser/small_app.py`."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from backends.system.reporting import Report  # noqa: E402
from pages.ui import resources  # noqa: E402


def opened(_: Report) -> resources.Services:
    # Imported here, as the product does: the page is there before the libraries of models are loaded.
    from tests.pages.small_services import small_services

    workspace = Path(os.environ["TRIPTYCH_WORKSPACE"])
    return small_services(workspace, workspace.parent / "model")


resources.use(opened)
runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
