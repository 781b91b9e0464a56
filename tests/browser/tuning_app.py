"""Serves the app with a product that can train: `streamlit run tests/browser/tuning_app.py`."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pages.ui import resources  # noqa: E402
from tests.pages.tuning_services import TuningServices  # noqa: E402

resources.use(lambda report: TuningServices(Path(os.environ["TRIPTYCH_TUNING_HOME"])))
runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
