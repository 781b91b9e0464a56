"""The verb `triptych ready`: whether this machine could serve now, check by check."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from backends.cli import opener
from backends.cli.arguments import Json, WorkspaceFolder, settings_of, use_workspace
from backends.cli.terminal import ProgressLine, printing, table
from backends.datatypes import UserError
from backends.system.failures import KINDS, in_words


def ready(as_json: Json = False, workspace: WorkspaceFolder = None) -> None:
    """Check that sign-in, documents and models are there; status 1 where one is not.

    A server that runs says the same at /ready.
    """
    folder = use_workspace(workspace)
    with printing(as_json) as (out, progress):
        rows = []
        for name, check in checks(folder, progress):
            began = time.perf_counter()
            error = problem(check)
            progress.clear()
            row = {"check": name, "ok": not error, "seconds": time.perf_counter() - began, "error": error}
            rows.append(row)
            if out.as_json:
                out.row(row)
        if not out.as_json:
            cells = [(r["check"], "ok" if r["ok"] else r["error"], f"{r['seconds']:.2f} s") for r in rows]
            out.text(table(("check", "result", "took"), cells, numbers=("took",)))
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


def checks(folder: Path, progress: ProgressLine) -> Iterator[tuple[str, Callable[[], object]]]:
    """What must be there to serve, in the order in which it is needed."""
    from backends.cli.demo_verb import check_sign_in

    yield "sign-in", lambda: check_sign_in(folder)
    yield "permissions", lambda: check_permissions(folder)
    yield "documents", lambda: opener.open_library(folder, settings_of(), None, progress).catalogue()
    yield (
        "models",
        lambda: opener.open_triptych(folder, settings_of(), None, None, progress).warm_up(("rag", "base")),
    )


def check_permissions(folder: Path) -> None:
    """Raises UserError where people sign in, and other accounts of this machine could read the files."""
    from backends.access.sign_in import configured

    if configured(folder) is not None and folder.exists() and folder.stat().st_mode & 0o077:
        raise UserError(f"Other accounts of this machine may open {folder}: chmod 700 it.")


def problem(check: Callable[[], object]) -> str:
    """Why the check did not pass; empty when it did."""
    try:
        check()
    except UserError as error:
        return str(error)
    except KINDS as error:
        return in_words(error) or str(error)
    return ""
