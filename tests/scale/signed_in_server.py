"""Serves the app as `triptych demo` does, with people who sign in: uvicorn's `signed_in_server:app`.

Library, store, roles and audit are the real ones; the models are tiny.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from backends.system.reporting import Report  # noqa: E402
from pages.ui import resources  # noqa: E402


def opened(_: Report) -> resources.Services:
    # Imported here, as the product does: the server answers before the libraries of models are loaded.
    from tests.pages.small_services import small_services

    return small_services(Path(os.environ["TRIPTYCH_WORKSPACE"]), Path(os.environ["TRIPTYCH_MODEL"]))


resources.use(opened)
spec = importlib.util.spec_from_file_location("triptych_server", ROOT / "launch" / "server.py")
assert spec is not None and spec.loader is not None
server = importlib.util.module_from_spec(spec)
spec.loader.exec_module(server)
app = server.app
