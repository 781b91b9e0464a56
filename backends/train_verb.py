"""The verbs `triptych train` and `triptych adapters`: train an adapter and register it, look after all.

Enters: arguments. Leaves: rows or lines on stdout, progress on stderr, a registered adapter. Ctrl-C while it
trains keeps the best finished epoch.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backends.arguments import (
    DocumentsFolder,
    Given,
    Json,
    WorkspaceFolder,
    check_folder,
    settings_of,
    takes_settings,
    use_workspace,
)
from backends.datatypes import TrainingRow, UserError

if TYPE_CHECKING:
    from backends.console import Output, ProgressLine
    from backends.language.adapters import Adapter, AdapterKind, Adapters
    from backends.language.training import HeldOutScore, LoraParams, TrainingReport
    from backends.tuning import Draft, Workshop

INTERRUPTED = 130


@takes_settings("seed", "model")
def train(
    examples: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Training rows, JSONL or CSV (repeat for several); else they are built from the documents.",
        ),
    ] = None,
    hybrid: Annotated[
        bool, typer.Option("--hybrid", help="Learn to answer from retrieved passages, not by heart.")
    ] = False,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call the adapter.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, max=1000, help="Times every row is seen.")] = None,
    rank: Annotated[int | None, typer.Option(min=1, max=1024, help="Size of the adapter.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(metavar="NUMBER", help="How far a step goes.")
    ] = None,
    question_noise: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Words left out of questions, anew in every epoch.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=0, help="Stop after so many epochs without a gain; 0: never.")
    ] = None,
    held_out: Annotated[
        float,
        typer.Option(min=0.0, max=0.5, metavar="SHARE", help="Rows kept for the test, never trained on."),
    ] = 0.1,
    *,
    given: Given,
    documents: DocumentsFolder = None,
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """Train a LoRA adapter and make it the active one of its kind."""
    from backends.cli import open_triptych, printing
    from backends.language.examples import check_rows, load_rows

    folder = use_workspace(workspace)
    settings = settings_of(**given)
    check_folder(documents)
    rows = [row for path in examples or () for row in load_rows(path)]
    if examples:
        check_rows(rows)
    kind: AdapterKind = "hybrid" if hybrid else "fine_tuned"
    with printing(as_json) as (out, progress), cancellable() as cancel:
        from backends.tuning import Workshop, default_params

        params = _changed(
            default_params(kind, settings.model),
            epochs=epochs, rank=rank, learning_rate=learning_rate, question_noise=question_noise,
            patience=patience, seed=given["seed"],
        )  # fmt: skip
        progress("loading the model and the documents")
        workshop = Workshop(open_triptych(folder, settings, documents, None, progress))
        chosen = name or workshop.free_name("fine-tuned-own" if kind == "fine_tuned" else "hybrid-own")
        workshop.adapters.path_for(chosen)
        draft = _draft(workshop, rows, held_out, progress, cancel)
        report = _train(workshop, draft, kind, chosen, params, progress, cancel)
        progress.clear()
        _tell(out, workshop.adapters.activate(chosen), report)


def _changed(params: LoraParams, **given: Any) -> LoraParams:
    from dataclasses import replace

    values = {name: value for name, value in given.items() if value is not None}
    if "rank" in values:
        values["alpha"] = 2 * values["rank"]
    return replace(params, **values)


def _draft(
    workshop: Workshop,
    rows: Sequence[TrainingRow],
    share: float,
    progress: ProgressLine,
    cancel: threading.Event,
) -> Draft:
    """The given rows, or rows built from the documents in all ways."""
    from backends.language.building import WAYS
    from backends.tuning import Draft

    if rows:
        return Draft.of(((row, "yours") for row in rows), share)

    def report(done: int, total: int, what: str) -> None:
        progress(f"{what} ({done} of {total})")

    draft = workshop.build(None, WAYS, report=report, cancel=cancel)
    return Draft.of(((each.row, each.way) for each in draft.rows), share, draft.rejected)


def _train(
    workshop: Workshop,
    draft: Draft,
    kind: AdapterKind,
    name: str,
    params: LoraParams,
    progress: ProgressLine,
    cancel: threading.Event,
) -> TrainingReport:
    from backends.console import duration
    from backends.language.examples import check_rows
    from backends.language.training import Measuring, TrainingProgress, train_adapter

    def show(step: TrainingProgress) -> None:
        held = "" if step.held_out_loss is None else f", held out {step.held_out_loss:.3f}"
        progress(
            f"epoch {step.epoch} of {step.epochs}: loss {step.loss:.3f}{held}, "
            f"{step.tokens_per_second:,.0f} tokens/s, about {duration(step.seconds_left)} left"
        )

    def watch(event: object) -> None:
        if isinstance(event, Measuring):
            progress(f"measuring {event.when} training: {event.done} of {event.total} held-out rows")

    train_side, held = draft.sides()
    warnings = check_rows([row for _, row in train_side])

    def report(done: int, total: int, what: str) -> None:
        progress(f"{what} ({done} of {total})")

    try:
        return train_adapter(
            workshop.model_name,
            workshop.examples(train_side, kind, report=report),
            workshop.examples(held, kind, report=report),
            workshop.adapters.path_for(name),
            params,
            kind=kind,
            documents=workshop.learned(row for _, row in [*train_side, *held]),
            warnings=warnings,
            progress=show,
            watch=watch,
            cancel=cancel,
        )
    except UserError as error:
        if not cancel.is_set():
            raise
        progress.clear()
        typer.echo(f"\ntriptych: Interrupted. {error}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _tell(out: Output, adapter: Adapter, report: TrainingReport) -> None:
    from backends.console import duration

    if out.as_json:
        out.row(training_row(adapter, report))
        return
    out.text(
        f"{adapter.name}: trained on {report.rows} rows, {report.held_out_rows} held out, and active now"
    )
    if report.loss_before is not None and report.loss_after is not None:
        out.text(f"  held-out loss     {report.loss_before:.3f} before, {report.loss_after:.3f} after")
    if report.score_before is not None and report.score_after is not None:
        before, after = _share(report.score_before), _share(report.score_after)
        out.text(f"  held-out answers  {before} right before, {after} after")
    out.text(
        f"  {duration(report.seconds)}, {report.tokens_per_second:,.0f} tokens/s, "
        f"{report.epochs_done} epochs, the best was number {report.kept_epoch}"
    )
    for warning in report.warnings:
        out.text(f"  note: {warning}")


def _share(score: HeldOutScore) -> str:
    return f"{round(score.contains * score.rows)} of {score.rows}"


def training_row(adapter: Adapter, report: TrainingReport) -> dict[str, Any]:
    """The record of a training run as `train --json` prints it."""
    from backends.console import plain

    row = plain(report)
    row.pop("curve")
    return {
        "adapter": adapter.name,
        "kind": adapter.card.kind,
        **row,
        "tokens_per_second": round(report.tokens_per_second, 1),
        "documents": [document.name for document in adapter.card.documents],
        "folder": str(adapter.folder),
    }


@contextmanager
def cancellable() -> Iterator[threading.Event]:
    """Set by Ctrl-C and SIGTERM; a second Ctrl-C ends the program at once."""
    cancel = threading.Event()

    def stop(_signal: int, _frame: object) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- adapters --------------------------------------------------------------------------------------

adapters_app = typer.Typer(help="The adapters: list, activate, back, compare, delete, export, import.")


@adapters_app.callback(invoke_without_command=True)
def adapters(ctx: typer.Context, as_json: Json = False, workspace: WorkspaceFolder = None) -> None:
    use_workspace(workspace)
    ctx.obj = as_json
    if ctx.invoked_subcommand is None:
        list_adapters(ctx, as_json=as_json)


def _known(workspace: Path | None) -> Adapters:
    from backends.language.adapters import Adapters

    return Adapters(use_workspace(workspace) / "adapters")


@adapters_app.command("list")
def list_adapters(ctx: typer.Context, as_json: Json = False, workspace: WorkspaceFolder = None) -> None:
    """Every adapter, and which one answers."""
    from backends.cli import printing
    from backends.console import plain, table
    from backends.language.registry import score_words, size_of

    known = _known(workspace)
    active = {adapter.name for kind in ("fine_tuned", "hybrid") if (adapter := known.active(kind))}
    with printing(as_json or bool(ctx.obj)) as (out, _):
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
    kind: Annotated[str, typer.Argument(metavar="KIND", help="fine_tuned or hybrid.")],
    workspace: WorkspaceFolder = None,
) -> None:
    """Go back to the adapter that answered before."""
    if kind not in ("fine_tuned", "hybrid"):
        raise UserError(f"There is no kind {kind!r}: choose fine_tuned or hybrid.")
    typer.echo(f"{_known(workspace).roll_back(kind).name} answers for {kind} again.")  # type: ignore[arg-type]


@adapters_app.command("compare")
def compare_two(
    ctx: typer.Context,
    first: Annotated[str, typer.Argument()],
    second: Annotated[str, typer.Argument()],
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """In what two adapters differ."""
    from backends.cli import printing
    from backends.console import table
    from backends.language.registry import compare

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
    from backends.language.registry import pack

    path = to or Path(f"{name}.zip")
    packed = pack(_known(workspace).get(name))
    try:
        path.write_bytes(packed)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error
    typer.echo(str(path))


@adapters_app.command("import")
@takes_settings("model")
def take_in(
    source: Annotated[Path, typer.Argument(metavar="FOLDER_OR_ZIP", help="A PEFT LoRA with safetensors.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call it.")],
    hybrid: Annotated[bool, typer.Option("--hybrid", help="It answers from passages.")] = False,
    *,
    given: Given,
    workspace: WorkspaceFolder = None,
) -> None:
    """Take in an adapter; pickled weights and those of another base model are refused."""
    from backends.language.generation import LanguageModel
    from backends.language.registry import import_adapter

    if not source.exists():
        raise UserError(f"There is no file or folder {source}.")
    known = _known(workspace)
    base = LanguageModel.load(settings_of(**given).model)
    adapter = import_adapter(known, source, name, "hybrid" if hybrid else "fine_tuned", base)
    typer.echo(
        f"{adapter.name} fits {base.name}; `triptych adapters activate {adapter.name}` lets it answer."
    )
