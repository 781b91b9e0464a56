"""The verbs `triptych documents`: list, history, forget."""

from __future__ import annotations

from typing import Annotated

import typer

from backends.cli import opener
from backends.cli.arguments import (
    Json,
    WorkspaceFolder,
    choose_workspace,
    read_workspace,
    settings_of,
    use_workspace,
)
from backends.cli.terminal import note_lines, printing, table
from backends.datatypes import JsonValue, UserError
from backends.system.json_values import plain

documents_app = typer.Typer(help="What is in the workspace: list, history, forget.")


@documents_app.callback(invoke_without_command=True)
def documents(ctx: typer.Context, as_json: Json = False, workspace: WorkspaceFolder = None) -> None:
    """The documents of the workspace; without a sub-command they are listed."""
    choose_workspace(workspace)  # who may see what is asked by each sub-command
    ctx.obj = as_json
    if ctx.invoked_subcommand is None:
        list_documents(ctx, as_json=as_json)


@documents_app.command("list")
def list_documents(ctx: typer.Context, as_json: Json = False, workspace: WorkspaceFolder = None) -> None:
    """Every document of the workspace, newest version."""

    folder, caller = read_workspace(workspace)
    with printing(as_json or bool(ctx.obj)) as (out, progress):
        rows: list[dict[str, JsonValue]] = [
            {
                "document": document.name,
                "version": document.version,
                "title": document.title,
                "type": document.type,
                "pages": len(document.pages) or None,
                "characters": len(document.text),
                "roles": document.roles,
                "tags": document.tags,
                "date": document.date,
                "language": document.language,
                "source": document.source,
                "notes": document.notes,
            }
            for document in opener.open_library(folder, settings_of(), None, progress).documents(caller.role)
        ]
        progress.clear()
        if out.as_json:
            for row in rows:
                out.row(row)
            return
        names = ("document", "version", "type", "pages", "characters", "roles")
        cells = [[*(row[name] for name in names[:-1]), ", ".join(row["roles"])] for row in rows]
        out.text(table(names, cells, numbers=("version", "pages", "characters")), f"{len(rows)} documents")
        for row in rows:
            if row["notes"]:
                out.text(row["document"], *note_lines(row["notes"]))


@documents_app.command("history")
def history(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Document; without it, all of them.")] = None,
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """What happened to a document: every version that came, changed or was forgotten."""

    folder, caller = read_workspace(workspace)
    with printing(as_json or bool(ctx.obj)) as (out, progress):
        library = opener.open_library(folder, settings_of(), None, progress)
        names = [name] if name else [entry.name for entry in library.catalogue(caller.role)]
        entries = [(each, entry) for each in names for entry in library.history(each, caller.role)]
        progress.clear()
        if name and not entries:
            raise UserError(f"There is no document {name!r} in the workspace.")
        for each, entry in entries:
            out.record({"document": each, **plain(entry)})


@documents_app.command("forget")
def forget(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Document to remove, with its passages and vectors.")],
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """Remove a document, and files that came within it, for good; says what was purged, which adapters
    learned from it, and the proof."""
    from backends.cli import caller
    from backends.erasure import removal
    from backends.erasure.forget import dismiss

    folder = use_workspace(workspace)
    with printing(as_json or bool(ctx.obj)) as (out, progress):
        library = opener.open_library(folder, settings_of(), None, progress)
        if name not in {entry.name for entry in library.catalogue()}:
            raise UserError(f"There is no document {name!r} in the workspace.")

        caller.owner(folder).note("forgot", [name])

        def report(done: int, total: int, what: str) -> None:
            progress(f"{what} ({done} of {total})" if total else what)

        proofs = removal.forget_whole(library, name, report)
        progress.clear()
        for proof in proofs:
            out.record(proof)
            dismiss(library.workspace, proof.id)  # it has been told
        if not all(
            proof.proven for proof in proofs
        ):  # a file that cannot be read or rewritten may still hold the text
            raise typer.Exit(1)
