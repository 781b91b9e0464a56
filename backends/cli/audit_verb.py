"""The verb `triptych audit`: who signed in, read, asked, added, forgot and trained, and when."""

from __future__ import annotations

from typing import Annotated

import typer

from backends.cli.arguments import Json, WorkspaceFolder, check_date, use_workspace
from backends.cli.terminal import printing, table


def audit(
    since: Annotated[str, typer.Option(metavar="DATE", help="Only from this day on.")] = "",
    person: Annotated[str, typer.Option(help="Only this person, by id or by part of the name.")] = "",
    document: Annotated[str, typer.Option(metavar="NAME", help="Only what was about this document.")] = "",
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """Show the audit log, which is kept where people sign in."""
    from backends.access.audit import AuditLog

    folder = use_workspace(workspace)
    check_date(since, "--since")
    entries = list(AuditLog(folder).entries())
    names = {entry.person: entry.name for entry in entries if entry.name}
    shown = [
        entry
        for entry in entries
        if entry.at >= since
        and (person == entry.person or person.casefold() in names.get(entry.person, "").casefold())
        and (not document or document in entry.documents)
    ]
    with printing(as_json) as (out, _):
        if out.as_json:
            for entry in shown:
                out.row(entry)
            return
        rows = [
            (
                entry.at[:19].replace("T", " "),
                names.get(entry.person, entry.person[:14]),
                entry.action,
                ", ".join(entry.documents) + (" (own copy)" if entry.copy else ""),
                entry.question or entry.detail,
            )
            for entry in shown
        ]
        out.text(table(("when (UTC)", "who", "did", "documents", "detail"), rows), f"{len(rows)} entries")
