"""The verb `triptych ingest`: reads files, folders and zips into the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backends.cli import opener
from backends.cli.arguments import (
    Address,
    Engine,
    Given,
    Json,
    StoreAddress,
    Workers,
    WorkspaceFolder,
    check_engine,
    settings_of,
    takes_settings,
    use_workspace,
)
from backends.cli.terminal import Output, interruptible, note_lines, printing, say
from backends.datatypes import UserError
from backends.system.viewers import check_roles
from backends.system.wording import duration

if TYPE_CHECKING:
    from backends.documents.library import IngestResult


@takes_settings("chunk_size", "chunk_overlap", "chunking")
def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, folders or zips.")],
    role: Annotated[
        list[str] | None, typer.Option(help="Only this role may read them (repeat for several).")
    ] = None,
    password: Annotated[
        list[str] | None, typer.Option(help="Opens files that need one (repeat for several).")
    ] = None,
    *,
    given: Given,
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = None,
    asked: Annotated[str, typer.Option(hidden=True)] = "",  # when a job was added
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
    store: StoreAddress = None,
) -> None:
    """Parse, chunk, embed and index files or folders; a file of a known name replaces that document.

    Interrupted, the same command goes on: what the library holds already is not read again.
    """
    from backends.cli import caller

    folder = use_workspace(workspace, store)
    check_engine(engine, address, workers)
    settings = settings_of(**given)
    roles = check_roles(role or ())
    for path in paths:
        if not path.exists():
            raise UserError(f"There is no file or folder {path}.")
        if path.is_dir() and not any(item.is_file() for item in path.rglob("*")):
            raise UserError(f"The folder {path} holds no files.")
    if not folder.exists():
        refuse_unreadable(paths, password or ())
    with printing(as_json) as (out, progress), interruptible():
        library = opener.open_library(folder, settings, None, progress)
        results = []
        with opener.reading(library, engine, address, workers):
            for result in library.ingest(
                paths,
                settings=settings,
                source="upload",
                roles=roles,
                progress=opener.reporter(progress),
                passwords=password or (),
                after=library.workspace.latest_event(asked) if asked else None,
            ):
                progress.clear()
                results.append(result)
                if result.status != "rejected":
                    caller.owner(folder).note("added", [result.document], result.status)
                _show_ingested(out, result)
    _finish_ingest(results)


def refuse_unreadable(paths: Sequence[Path], passwords: Sequence[str]) -> None:
    """A first ingest in which no file can be read must not leave a new workspace behind."""
    from backends.documents.reader_pool import parse_isolated

    reason = ""
    for path in paths:
        if path.is_dir() or path.suffix.lower() == ".zip":
            return
        try:
            parse_isolated(path, passwords=passwords)
        except UserError as error:
            reason = str(error)
        else:
            return
    raise UserError(reason)


def _show_ingested(out: Output, result: IngestResult) -> None:
    if out.as_json:
        out.row(result)
    else:
        pages = f"{result.pages} pages, " if result.pages else ""
        detail = result.error or f"{pages}{result.chunks} passages, {duration(result.seconds)}"
        detail += " --password opens it." if result.needs_password else ""
        detail += f", the same contents as {result.same_as}" if result.same_as else ""
        out.text(f"{result.status:9}  {result.document}  ({detail})", *note_lines(result.notes))
    if result.error and out.as_json:
        say(f"triptych: {result.document}: {result.error}")


def _finish_ingest(results: Sequence[IngestResult]) -> None:
    rejected = sum(result.status == "rejected" for result in results)
    if not results:
        raise UserError("There was no document to read.")
    if rejected == len(results):
        reason = results[0].error if rejected == 1 else f"None of the {rejected} files could be read."
        raise UserError(str(reason))
    if rejected:
        raise typer.Exit(1)
