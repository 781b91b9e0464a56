"""The verb `triptych demo`: serves the app in the browser."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from backends.cli.arguments import (
    StoreAddress,
    WorkspaceFolder,
    use_workspace,
)
from backends.datatypes import UserError
from backends.system import public_demo
from backends.system.files import ROOT


def check_sign_in(workspace: Path) -> None:
    """Raises UserError where people are to sign in and cannot: before anything is served."""
    from backends.access.sign_in import configured, secrets

    sign_in = configured(workspace)
    if sign_in is None:
        return
    secrets(sign_in)
    if importlib.util.find_spec("authlib") is None:
        raise UserError("Signing in needs Authlib, which is not installed: run pip install -e '.[scale]'.")


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
    folder = use_workspace(workspace, store)
    if public:
        os.environ[public_demo.VARIABLE] = "1"
    check_sign_in(folder)
    script = ROOT / "launch" / "server.py"
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
