"""The verb `triptych stress`: runs stress tests on a private copy of the documents, one row per backend.

Enters: arguments. Leaves: rows or tables on stdout, every answer in a file on request, and an exit status:
1 when a backend or a test could not be measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.table import Table

from backends.cli import opener
from backends.cli.arguments import (
    Backends,
    DocumentsFolder,
    Given,
    Json,
    Role,
    StoreAddress,
    WorkspaceFolder,
    backends_of,
    check_folder,
    check_place,
    settings_of,
    takes_settings,
    use_workspace,
)
from backends.cli.terminal import Output, ProgressLine, interruptible, printing, say, table
from backends.datatypes import JsonValue, UserError
from backends.system.json_values import plain
from backends.system.reporting import Report

if TYPE_CHECKING:
    from backends.stress.records import Result, StressTest

TESTS = ("freshness", "erasure", "format", "noise", "injection", "latency")


@takes_settings("chunk_size", "chunk_overlap", "mode", "max_tokens", "model")
def stress(
    tests: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEST]...", help=f"Which: {', '.join(TESTS)}; all of them by default."),
    ] = None,
    backend: Backends = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Questions with gold answers and documents, one JSON row each; without it those of the "
            "sample, or ones made from the documents.",
        ),
    ] = None,
    number: Annotated[int, typer.Option(min=1, max=200, help="How many questions each test asks.")] = 6,
    seed: Annotated[
        int, typer.Option(min=0, help="Draws questions, edits, distractors and the injected word.")
    ] = 0,
    forget: Annotated[
        str | None, typer.Option(metavar="DOCUMENT", help="Which document the erasure test forgets.")
    ] = None,
    retrain: Annotated[
        bool,
        typer.Option(
            "--retrain",
            help="Freshness and erasure: train again on the changed copy and measure once more (minutes).",
        ),
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Of that training; without it as many as the adapter had."),
    ] = None,
    passages: Annotated[
        int, typer.Option(min=100, max=1_000_000, help="The largest made-up corpus of the latency test.")
    ] = 100_000,
    probes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write every answer and its verdict, one JSON row each."),
    ] = None,
    *,
    given: Given,
    documents: DocumentsFolder = None,
    role: Role = None,
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
    store: StoreAddress = None,
) -> None:
    """Edit, forget, disturb and poison a copy of the documents, and measure who notices and how fast."""
    from backends.evaluation.questions import load_questions

    folder = use_workspace(workspace, store)
    settings = settings_of(**given)
    chosen = tests_of(tests or TESTS)
    backends = backends_of(backend)
    check_folder(documents)
    check_place(probes, "the answers")
    asked = load_questions(questions) if questions is not None else None
    if epochs is not None and not retrain:
        raise UserError("--epochs is for --retrain: without it nothing is trained.")
    with printing(as_json) as (out, progress), interruptible():
        from backends.offline.private_copy import stress as run_test
        from backends.stress import results
        from backends.stress.latency import sizes_up_to
        from backends.stress.records import Retraining

        progress("loading the model and the documents")
        triptych = opener.open_triptych(folder, settings, documents, role, progress)
        if probes is not None:
            probes.write_text("", encoding="utf-8")

        def measure(test: StressTest, report: Report) -> Result:
            result = run_test(
                triptych, test, backends, settings,
                questions=asked, number=number, seed=seed, document=forget, sizes=sizes_up_to(passages),
                retraining=Retraining(epochs) if retrain else None, progress=report,
            )  # fmt: skip
            if documents is None and role is None:  # what the advisor may rest on
                results.keep(folder, result)
            return result

        failed = run_tests(chosen, measure, out, progress, probes)
    if failed:
        raise typer.Exit(1)


def run_tests(
    tests: Sequence[StressTest],
    measure: Callable[[StressTest, Report], Result],
    out: Output,
    progress: ProgressLine,
    probes: Path | None,
) -> bool:
    """Run and show one test after the other; whether something could not be measured."""

    failed = False
    for test in tests:

        def report(done: int, total: int, what: str, test: str = test) -> None:
            progress(f"{test} {done}/{total}  {what}")

        try:
            result = measure(test, report)
        except UserError as error:
            if len(tests) == 1:
                raise
            progress.clear()
            say(f"triptych: {test}: {error}")
            failed = True
            continue
        progress.clear()
        show(out, result)
        if probes is not None:
            append_answers(probes, result)
        for name, reason in result.skipped.items():
            say(f"triptych: {test}, {name}: {reason}")
            failed = True
    return failed


def tests_of(names: Sequence[str]) -> list[StressTest]:
    """The stress tests of these names; UserError for another name."""
    for name in names:
        if name not in TESTS:
            raise UserError(f"There is no stress test {name!r}: choose from {', '.join(TESTS)}.")
    return [cast("StressTest", name) for name in dict.fromkeys(names)]


def show(out: Output, result: Result) -> None:
    """The rows; for people also the sentence and what else was measured."""

    if out.as_json:
        for row in result.rows:
            out.row({**plain(row), "sentence": result.sentence, "seed": result.seed})
        return
    out.text(result.sentence)
    if result.test == "format":
        out.text(forms(result))
    else:
        cells = [(row.backend, row.measure, *amount(plain(row))) for row in result.rows]
        out.text(
            table(("backend", "share of", "measured", "95 %", "asked"), cells, numbers=("measured", "asked"))
        )
    for row in result.rows:
        details = plain(
            {k: v for k, v in row.details.items() if result.test != "format" or k == "style_kept"}
        )
        parts = [f"{name.replace('_', ' ')} {short(value)}" for name, value in details.items()]
        if parts:
            out.text(f"  {row.backend}: {'; '.join(parts)}")
    out.text(*result.notes, "")


def forms(result: Result) -> Table:
    """How each backend keeps a JSON schema in each way of asking, side by side."""
    from backends.stress.form import side_by_side

    cells = []
    for each in side_by_side(result.rows):
        valid, shown, asked = amount(plain(each.valid))
        cells.append((each.backend, each.how, valid, shown, *amount(plain(each.fields))[:2], asked))
    head = ("backend", "asked with", "valid", "95 %", "fields right", "95 % ", "asked")
    return table(head, cells, numbers=("valid", "fields right", "asked"))


def amount(row: dict[str, JsonValue]) -> tuple[str, str, str]:
    """A row's value, interval and count as cells."""
    low, high = row["interval"]
    return f"{row['value']:.2f}", f"{low:.2f}-{high:.2f}", str(row["count"])


def short(value: JsonValue) -> str:
    """A detail in a few characters."""
    if isinstance(value, dict) and "interval" in value:
        return f"{value['value']:.2f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {short(item)}" for name, item in value.items())
    return "-" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def append_answers(path: Path, result: Result) -> None:
    """Append every answer with its verdict."""
    import json

    with path.open("a", encoding="utf-8") as file:
        for probe in result.probes:
            file.write(json.dumps({"test": result.test, **plain(probe)}, ensure_ascii=False) + "\n")
