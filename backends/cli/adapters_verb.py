"""The verbs `triptych adapters`: list, activate, back, compare, delete, export, gguf, import.

Enters: arguments. Leaves: rows or lines on stdout, and a changed registry.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backends.cli.arguments import (
    Given,
    Json,
    WorkspaceFolder,
    settings_of,
    takes_settings,
    use_workspace,
)
from backends.cli.terminal import printing, table
from backends.datatypes import UserError
from backends.system.json_values import plain

if TYPE_CHECKING:
    from backends.training.adapters import Adapters

adapters_app = typer.Typer(help="The adapters: list, activate, back, compare, delete, export, gguf, import.")


@adapters_app.callback(invoke_without_command=True)
def adapters(ctx: typer.Context, as_json: Json = False, workspace: WorkspaceFolder = None) -> None:
    """The adapters of the workspace; without a sub-command they are listed."""
    use_workspace(workspace)
    ctx.obj = as_json
    if ctx.invoked_subcommand is None:
        list_adapters(ctx, as_json=as_json)


def _known(workspace: Path | None) -> Adapters:
    from backends.training.adapters import Adapters

    return Adapters(use_workspace(workspace) / "adapters")


@adapters_app.command("list")
def list_adapters(ctx: typer.Context, as_json: Json = False, workspace: WorkspaceFolder = None) -> None:
    """Every adapter, and which one answers."""
    from backends.training.adapter_comparison import score_words, size_of
    from backends.training.adapters import ADAPTER_KINDS, DAMAGED

    known = _known(workspace)
    active = {adapter.name for kind in ADAPTER_KINDS if (adapter := known.active(kind))}
    with printing(as_json or bool(ctx.obj)) as (out, _):
        for name in known.damaged():
            typer.echo(f"triptych: {DAMAGED.format(name)}", err=True)
        if out.as_json:
            for adapter in known.all():
                card = {**plain(adapter.card), "adapter": adapter.name}
                out.row(
                    card
                    | {
                        "active": adapter.name in active,
                        "shipped": adapter.shipped,
                        "bytes": size_of(adapter),
                    }
                )
            return
        rows = [
            (
                adapter.name,
                adapter.card.kind,
                "yes" if adapter.name in active else "",
                adapter.card.rows,
                score_words(adapter.card.report.get("score_after")),
                f"{size_of(adapter) / 1e6:.1f} MB",
                adapter.card.created[:10],
            )
            for adapter in known.all()
        ]
        columns = ("adapter", "kind", "active", "rows", "held-out right", "size", "made")
        out.text(table(columns, rows, numbers=("rows", "size")))


@adapters_app.command("activate")
def activate(
    name: Annotated[str, typer.Argument(help="Adapter that is to answer for its kind.")],
    workspace: WorkspaceFolder = None,
) -> None:
    """Let this adapter answer from now on."""
    adapter = _known(workspace).activate(name)
    typer.echo(f"{adapter.name} answers for {adapter.card.kind} now.")


@adapters_app.command("back")
def back(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="fine_tuned, hybrid or embedder.")],
    workspace: WorkspaceFolder = None,
) -> None:
    """Go back to the adapter that answered before; before the first embedder, the published one found."""
    from backends.training.adapters import ADAPTER_KINDS

    known, found = _known(workspace), next((each for each in ADAPTER_KINDS if each == kind), None)
    if found is None:
        raise UserError(f"There is no kind {kind!r}: choose fine_tuned, hybrid or embedder.")
    if found == "embedder" and known.previous(found) is None:
        known.deactivate(found)
        typer.echo("Passages are found with the published embedding model again.")
        return
    typer.echo(f"{known.roll_back(found).name} answers for {kind} again.")


@adapters_app.command("compare")
def compare_two(
    ctx: typer.Context,
    first: Annotated[str, typer.Argument()],
    second: Annotated[str, typer.Argument()],
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """In what two adapters differ."""
    from backends.training.adapter_comparison import compare

    known = _known(workspace)
    found = compare(known.get(first), known.get(second))
    with printing(as_json or bool(ctx.obj)) as (out, _):
        if out.as_json:
            for each in found:
                out.row(each)
            return
        out.text(table(("", first, second), [(each.what, each.first, each.second) for each in found]))


@adapters_app.command("delete")
def delete(
    name: Annotated[str, typer.Argument(help="Adapter to remove.")], workspace: WorkspaceFolder = None
) -> None:
    """Remove an adapter of your own."""
    _known(workspace).delete(name)
    typer.echo(f"{name} is gone.")


@adapters_app.command("export")
def export(
    name: Annotated[str, typer.Argument(help="Adapter to pack.")],
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The zip file; NAME.zip by default.")
    ] = None,
    workspace: WorkspaceFolder = None,
) -> None:
    """Pack an adapter as a zip of a standard PEFT folder."""
    from backends.training.adapter_exchange import pack

    path = to or Path(f"{name}.zip")
    packed = pack(_known(workspace).get(name))
    try:
        path.write_bytes(packed)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error
    typer.echo(str(path))


@adapters_app.command("gguf")
@takes_settings("model")
def gguf(
    to: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the files are to lie.")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Adapters; those that answer now by default.")
    ] = None,
    *,
    given: Given,
    workspace: WorkspaceFolder = None,
) -> None:
    """Write the model and adapters as GGUF for llama.cpp and Ollama, with Modelfiles and a models.toml."""
    from backends.product import shared_model
    from backends.training.serving_files import ServedBase, write_files

    known = _known(workspace)
    model = shared_model(settings_of(**given).model)
    active = [known.active(kind, model.fingerprint) for kind in ("fine_tuned", "hybrid")]
    chosen = [known.get(name) for name in names] if names else [each for each in active if each]
    served = write_files(to, ServedBase.from_model(model), chosen)
    for path in served.files:
        typer.echo(str(path))
    typer.echo(f"\nllama.cpp:  {served.command}")
    typer.echo(f"Ollama:     cd {to} && ollama create {model.name} -f Modelfile")
    for adapter in chosen:
        typer.echo(f"            ollama create {adapter.name} -f Modelfile.{adapter.name}")
    typer.echo(f"Triptych:   append {to / 'models.toml'} to that of the workspace, then --model served")


@adapters_app.command("import")
@takes_settings("model")
def take_in(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="A PEFT LoRA with safetensors, as folder or zip, or a GGUF file."
        ),
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call it.")],
    hybrid: Annotated[bool, typer.Option("--hybrid", help="It answers from passages.")] = False,
    *,
    given: Given,
    workspace: WorkspaceFolder = None,
) -> None:
    """Take in an adapter; pickled weights and those of another base model are refused."""
    from backends.product import shared_model
    from backends.training.adapter_exchange import import_adapter

    if not source.exists():
        raise UserError(f"There is no file or folder {source}.")
    known = _known(workspace)
    base = shared_model(settings_of(**given).model)
    adapter = import_adapter(known, source, name, "hybrid" if hybrid else "fine_tuned", base)
    typer.echo(
        f"{adapter.name} fits {base.name}; `triptych adapters activate {adapter.name}` lets it answer."
    )
