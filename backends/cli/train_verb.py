"""The verb `triptych train`: trains an adapter and registers it.

Enters: arguments. Leaves: rows or lines on stdout, progress on stderr, a registered adapter. Ctrl-C while it
trains keeps the best finished epoch.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backends.cli import opener
from backends.cli.arguments import (
    DocumentsFolder,
    Given,
    Json,
    StoreAddress,
    WorkspaceFolder,
    check_folder,
    settings_of,
    takes_settings,
    use_workspace,
)
from backends.cli.terminal import INTERRUPTED, Output, ProgressLine, cancellable, printing, say
from backends.datatypes import JsonObject, JsonValue, TrainingRow, UserError
from backends.system.json_values import plain
from backends.system.wording import duration

if TYPE_CHECKING:
    from backends.offline.trainer import Draft, Trainer
    from backends.training.adapters import Adapter, AdapterKind
    from backends.training.gain import Gain
    from backends.training.lora import HeldOutScore, LoraParams, TrainingReport
    from backends.training.row_export import Form


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
    embedder: Annotated[
        bool,
        typer.Option(
            "--embedder", help="Tune the embedding model instead: passages are found by your questions."
        ),
    ] = False,
    model_instead: Annotated[
        str | None,
        typer.Option(
            "--try",
            metavar="MODEL",
            help="With --embedder: train nothing, score this sentence-transformers model (a folder or an id) "
            "on your questions instead.",
        ),
    ] = None,
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
    four_bits: Annotated[
        bool,
        typer.Option("--four-bits", help="QLoRA: frozen weights of 4 bits (needs the extra 'qlora')."),
    ] = False,
    held_out: Annotated[
        float,
        typer.Option(min=0.0, max=0.5, metavar="SHARE", help="Rows kept for the test, never trained on."),
    ] = 0.1,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Train nothing: write the rows and a configuration for a trainer elsewhere."
        ),
    ] = None,
    form: Annotated[
        str,
        typer.Option(metavar="TRAINER", help="For --export: trl, unsloth, llama-factory, axolotl or hosted."),
    ] = "trl",
    base: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="For --export: what the trainer calls the base model."),
    ] = None,
    activate: Annotated[
        bool,
        typer.Option("--activate", help="Let it answer even if the held-out rows show no gain."),
    ] = False,
    *,
    given: Given,
    documents: DocumentsFolder = None,
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
    store: StoreAddress = None,
) -> None:
    """Train a LoRA adapter, the active one of its kind if held-out rows show a gain; or --export its rows."""
    from backends.training.rows import check_rows, load_rows

    folder = use_workspace(workspace, store)
    settings = settings_of(**given)
    check_folder(documents)
    rows = [row for path in examples or () for row in load_rows(path)]
    if examples:
        check_rows(rows)
    export_form = _check_export(export, form)
    if model_instead is not None and not embedder:
        raise UserError("--try is for --embedder: it names another embedding model.")
    if embedder and (hybrid or export is not None):
        raise UserError("--embedder trains neither a hybrid adapter nor rows for a trainer elsewhere.")
    kind: AdapterKind = "hybrid" if hybrid else "fine_tuned"
    with printing(as_json) as (out, progress), cancellable() as cancel:
        from backends.offline.trainer import Trainer, default_params
        from backends.training.gain import gain_of

        if embedder:
            progress("loading the documents")
            trainer = Trainer(opener.open_triptych(folder, settings, documents, None, progress))
            draft = _draft(trainer, rows, held_out, progress, cancel)
            changed = {"epochs": epochs, "rank": rank, "learning_rate": learning_rate, "seed": given["seed"]}
            _tune_embedder(out, trainer, draft, model_instead, name, changed, activate, progress, cancel)
            return
        params = _changed(
            default_params(kind, settings.model),
            epochs=epochs, rank=rank, learning_rate=learning_rate, question_noise=question_noise,
            patience=patience, seed=given["seed"], four_bits=four_bits or None,
        )  # fmt: skip
        progress("loading the model and the documents")
        trainer = Trainer(opener.open_triptych(folder, settings, documents, None, progress))
        chosen = name or trainer.free_name("fine-tuned-own" if kind == "fine_tuned" else "hybrid-own")
        trainer.adapters.path_for(chosen)
        draft = _draft(trainer, rows, held_out, progress, cancel)
        if export is not None:
            _export(out, trainer, draft, kind, chosen, params, export, export_form, base, progress)
            return
        report = _train(trainer, draft, kind, chosen, params, progress, cancel)
        progress.clear()
        _keep_if_still_there(trainer, chosen)
        gain = gain_of(asdict(report))
        if gain.better or activate:
            trainer.adapters.activate(chosen)
        _print_adapter(out, trainer.adapters.get(chosen), report, gain, active=gain.better or activate)


def _check_export(folder: Path | None, form: str) -> Form:
    """The trainer that rows are written for; checked before anything is built."""
    from backends.training.row_export import FORMS

    known = next((each for each in FORMS if each == form), None)
    if known is None:
        raise UserError(f"Rows cannot be written for {form!r}: choose from {', '.join(FORMS)}.")
    if folder is not None and folder.exists():
        raise UserError(f"{folder} is there already: rows are exported into a new folder.")
    return known


def _export(
    out: Output,
    trainer: Trainer,
    draft: Draft,
    kind: AdapterKind,
    name: str,
    params: LoraParams,
    folder: Path,
    form: Form,
    base: str | None,
    progress: ProgressLine,
) -> None:
    """Write both sides of the split, with the card that the adapter is to be brought back with."""
    from backends.training.row_export import write_rows

    def report(done: int, total: int, what: str) -> None:
        progress(f"{what} ({done} of {total})")

    train_side, held = draft.sides()
    card = trainer.card_for(name, kind, [row for _, row in [*train_side, *held]], params)
    files = write_rows(
        folder, form,
        trainer.examples(train_side, kind, report=report), trainer.examples(held, kind, report=report),
        params, base or card.base_model, card,
    )  # fmt: skip
    progress.clear()
    row = {"folder": str(folder), "form": form, "kind": kind, "rows": len(train_side)}
    out.record({**row, "held_out": len(held), "files": [str(path.relative_to(folder)) for path in files]})


def _changed(params: LoraParams, **given: JsonValue) -> LoraParams:
    from dataclasses import replace

    values = {name: value for name, value in given.items() if value is not None}
    if "rank" in values:
        values["alpha"] = 2 * values["rank"]
    return replace(params, **values)


def _draft(
    trainer: Trainer,
    rows: Sequence[TrainingRow],
    share: float,
    progress: ProgressLine,
    cancel: threading.Event,
) -> Draft:
    """The given rows, or rows built from the documents."""
    from backends.offline.trainer import Draft
    from backends.training.row_building import WAYS, reasons

    if rows:
        return Draft.from_rows(((row, "yours") for row in rows), share)

    def report(done: int, total: int, what: str) -> None:
        progress(f"{what} ({done} of {total})")

    draft = trainer.build(None, WAYS, report=report, cancel=cancel)
    if draft.dropped:
        progress.clear()
        why = "; ".join(f"{number} {reason}" for reason, number in reasons(draft.dropped).items())
        say(f"note: {len(draft.dropped)} questions were made and not kept: {why}.")
    return Draft.from_rows(((each.row, each.way) for each in draft.rows), share, draft.dropped)


def _train(
    trainer: Trainer,
    draft: Draft,
    kind: AdapterKind,
    name: str,
    params: LoraParams,
    progress: ProgressLine,
    cancel: threading.Event,
) -> TrainingReport:
    from backends.training.lora import Measuring, TrainingProgress, train_adapter
    from backends.training.rows import check_rows
    from backends.training.runs import training_announced

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
    progress.clear()
    for warning in warnings:
        say(f"note: {warning}")

    def report(done: int, total: int, what: str) -> None:
        progress(f"{what} ({done} of {total})")

    learned, tested = (trainer.examples(side, kind, report=report) for side in (train_side, held))
    try:
        with training_announced(trainer.folder):
            return train_adapter(
                trainer.model_name,
                learned,
                tested,
                trainer.adapters.path_for(name),
                params,
                kind=kind,
                documents=trainer.learned(row for _, row in [*train_side, *held]),
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


def _tune_embedder(
    out: Output,
    trainer: Trainer,
    draft: Draft,
    model_instead: str | None,
    name: str | None,
    changed: JsonObject,
    activate: bool,
    progress: ProgressLine,
    cancel: threading.Event,
) -> None:
    """Tune or try one, measure, and let it find where held-out questions show a gain."""
    from backends.training.embedder_training import EmbedderParams, add_model, train_embedder
    from backends.training.gain import gain_of
    from backends.training.lora import TrainingProgress
    from backends.training.runs import training_announced

    def report(done: int, total: int, what: str) -> None:
        progress(f"{what} ({done} of {total})")

    def tell(event: object) -> None:
        if isinstance(event, TrainingProgress):
            left = duration(event.seconds_left)
            progress(f"step {event.step} of {event.steps}: loss {event.loss:.3f}, about {left} left")
        else:
            progress("ranking the held-out questions")

    chosen = name or trainer.free_name("embedder-own" if model_instead is None else "embedder-other")
    trainer.check_name(chosen)
    asked, present = trainer.asked(draft, report), trainer.triptych.tuned_embedder()
    params = EmbedderParams(**{key: value for key, value in changed.items() if value is not None})
    now = present.folder if present is not None else None
    place = trainer.adapters.path_for(chosen)
    with training_announced(trainer.folder):
        if model_instead is not None:
            questions = [*asked.train, *asked.held_out]
            made = add_model(
                model_instead, asked.passages, questions, place,
                warnings=asked.warnings, present=now, tell=tell,
            )  # fmt: skip
        else:
            made = train_embedder(
                asked.passages, asked.train, asked.held_out, place, params,
                documents=asked.documents, cancel=cancel, warnings=asked.warnings, present=now, tell=tell,
            )  # fmt: skip
    _keep_if_still_there(trainer, chosen)
    gain = gain_of(asdict(made))
    if gain.better or activate:
        trainer.adopt(chosen, report, cancel)
    progress.clear()
    _print_adapter(out, trainer.adapters.get(chosen), made, gain, active=gain.better or activate)


def _keep_if_still_there(trainer: Trainer, chosen: str) -> None:
    """Raises UserError, and deletes what was trained, when a document it learned was forgotten meanwhile."""
    try:
        trainer.check_still_there(trainer.adapters.get(chosen).card.documents)
    except UserError:
        trainer.adapters.delete(chosen)
        raise


def _print_adapter(
    out: Output, adapter: Adapter, report: TrainingReport, gain: Gain, *, active: bool
) -> None:
    if out.as_json:
        out.row({**training_row(adapter, report), "gain": gain.verdict, "active": active})
        return
    state = "active now" if active else "not made active"
    out.text(f"{adapter.name}: trained on {report.rows} rows, {report.held_out_rows} held out, {state}")
    out.text(f"  {gain.sentence}")
    if not active:
        out.text(f"  `triptych adapters activate {adapter.name}` lets it answer all the same.")
    if report.loss_before is not None and report.loss_after is not None:
        out.text(f"  held-out loss     {report.loss_before:.3f} before, {report.loss_after:.3f} after")
    if report.score_before is not None and report.score_after is not None:
        before, after = _share(report.score_before), _share(report.score_after)
        what = "passages" if report.found_among else "answers "
        out.text(f"  held-out {what} {before} right before, {after} after")
    out.text(
        f"  {duration(report.seconds)}, {report.tokens_per_second:,.0f} tokens/s, "
        f"{report.epochs_done} epochs, the best was number {report.kept_epoch}"
    )
    for warning in report.warnings:
        out.text(f"  note: {warning}")


def _share(score: HeldOutScore) -> str:
    from backends.evaluation.statistics import wilson_interval

    right = round(score.contains * score.rows)
    low, high = wilson_interval(right, score.rows)
    return f"{right} of {score.rows} ({100 * low:.0f}-{100 * high:.0f} %)"


def training_row(adapter: Adapter, report: TrainingReport) -> dict[str, JsonValue]:
    """The record of a training run as `train --json` prints it."""

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
