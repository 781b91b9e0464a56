"""The server of `triptych demo`: Streamlit with the sign-in of this workspace, and `/ready`.

Enters: the workspace of TRIPTYCH_WORKSPACE. Leaves: an ASGI app, which `streamlit run` finds here and serves.
`/_stcore/health` says that the server runs; `/ready` says 200 once the models are loaded and the documents
can be read, 503 before. Asking it begins the loading, so that the first visitor need not wait for it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from backends.access import sign_in  # noqa: E402
from backends.settings import default_workspace  # noqa: E402
from pages.ui import resources  # noqa: E402


async def ready(_: Request) -> JSONResponse:
    """Whether a visitor would be served now; it says nothing about what is served."""
    state = await run_in_threadpool(resources.readiness)
    return JSONResponse({"ready": state == "ready", "state": state}, 200 if state == "ready" else 503)


configured = sign_in.configured(default_workspace().expanduser())
app = st.App(
    Path(__file__).with_name("app.py"),
    secrets=sign_in.secrets(configured) if configured is not None else None,
    routes=[Route("/ready", ready)],
)
