"""Serves the app with the scripted product: `streamlit run tests/browser/scripted_app.py`."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pages.ui import resources  # noqa: E402
from tests.pages.scripted import ScriptedHouse  # noqa: E402

resources.use(lambda report: ScriptedHouse(pause=float(os.environ.get("TRIPTYCH_SCRIPTED_PAUSE", "0.05"))))
runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
