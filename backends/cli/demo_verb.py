"""The verb `triptych demo`: serves the app in the browser."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from backends.cli.arguments import (
    StoreAddress,
    WorkspaceFolder,
    use_workspace,
)
from backends.datatypes import UserError
from backends.system import public_demo
from backends.system.files import ROOT

if TYPE_CHECKING:
    pass


def demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 8501,
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "localhost",
    public: Annotated[
        bool,
        typer.Option(
            "--public",
            help="For anybody to visit: each visitor has a share of questions, documents and trainings.",
        ),
    ] = False,
    workspace: WorkspaceFolder = None,
    store: StoreAddress = None,
) -> None:
    """Serve the app in the browser."""
    use_workspace(workspace, store)
    if public:
        os.environ[public_demo.VARIABLE] = "1"
    script = ROOT / "launch" / "app.py"
    if not script.is_file():
        raise UserError("The app is not here: run triptych from an editable install of the repository.")
    flags = {
        "server.port": str(port),
        "server.address": host,
        "server.headless": "true",  # never asks for an e-mail address, opens no browser
        "browser.gatherUsageStats": "false",
    }
    arguments = [f"--{name}={value}" for name, value in flags.items()]
    # Streamlit reads .streamlit/config.toml from the current folder.
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(script), *arguments])
