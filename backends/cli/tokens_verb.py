"""The verbs `triptych tokens`: list, make, revoke."""

from __future__ import annotations

from typing import Annotated

import typer

from backends.cli.arguments import Json, WorkspaceFolder, use_workspace
from backends.cli.terminal import printing, say, table

tokens_app = typer.Typer(help="Tokens for the command line, each for certain roles: list, make, revoke.")


@tokens_app.callback(invoke_without_command=True)
def tokens(ctx: typer.Context, as_json: Json = False, workspace: WorkspaceFolder = None) -> None:
    """The tokens of the workspace; without a sub-command they are listed."""
    use_workspace(workspace)
    ctx.obj = as_json
    if ctx.invoked_subcommand is None:
        list_tokens(ctx, as_json=as_json)


@tokens_app.command("list")
def list_tokens(ctx: typer.Context, as_json: Json = False, workspace: WorkspaceFolder = None) -> None:
    """Every token: for whom and until when, never the token itself."""
    from backends.access.tokens import Tokens
    from backends.system.viewers import roles_of

    known = Tokens(use_workspace(workspace)).all()
    with printing(as_json or bool(ctx.obj)) as (out, _):
        rows = [
            {
                "token": each.name,
                "owner": each.role is None,
                "roles": sorted(roles_of(each.role or "")),
                "until": each.until,
                "person": each.person,
            }
            for each in known
        ]
        if out.as_json:
            for row in rows:
                out.row(row)
            return
        cells = [
            (
                r["token"],
                "everything" if r["owner"] else ", ".join(r["roles"]) or "what is open",
                r["until"][:10],
            )  # type: ignore[arg-type, index]
            for r in rows
        ]
        out.text(table(("token", "reads", "until"), cells), f"{len(rows)} tokens")


@tokens_app.command("make")
def make(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What the token is for, such as nightly-check.")],
    role: Annotated[
        list[str] | None, typer.Option(help="Reads what this role may read (repeat for several).")
    ] = None,
    owner: Annotated[bool, typer.Option("--owner", help="Sees and does everything.")] = False,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it holds.")] = 90,
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """Make a token and print it, once: whoever has it in TRIPTYCH_TOKEN reads as its roles may."""
    from backends.access.tokens import Tokens
    from backends.cli import caller

    folder = use_workspace(workspace)
    secret = Tokens(folder).make(name, role or (), owner=owner, days=days)
    caller.owner(folder).note("token", [], f"made {name}")
    with printing(as_json or bool(ctx.obj)) as (out, _):
        if out.as_json:
            out.row({"token": name, "secret": secret})
        else:
            out.text(secret)
            say("triptych: keep it now, it is not shown again. Use it as TRIPTYCH_TOKEN.")


@tokens_app.command("revoke")
def revoke(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The token that is to open nothing any more.")],
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """Let a token open nothing any more, from now on."""
    from backends.access.tokens import Tokens
    from backends.cli import caller

    folder = use_workspace(workspace)
    Tokens(folder).revoke(name)
    caller.owner(folder).note("token", [], f"revoked {name}")
    with printing(as_json or bool(ctx.obj)) as (out, _):
        out.record({"revoked": name})
