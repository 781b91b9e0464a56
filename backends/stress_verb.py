"""The verb `triptych stress`: runs stress tests on a private copy of the documents, one row per backend.

Enters: arguments. Leaves: rows or tables on stdout, every answer in a file on request, and an exit status:
1 when a backend or a test could not be measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from backends.arguments import (
    ChunkOverlap,
    ChunkSize,
    DocumentsFolder,
    Json,
    MaxTokens,
    Mode,
    Model,
    Role,
    WorkspaceFolder,
    backends_of,
    check_folder,
    settings_of,
    use_workspace,
)
from backends.datatypes import BACKEND_NAMES, UserError

if TYPE_CHECKING:
    from backends.console import Output
    from backends.measure.stress.records import Result, StressTest

TESTS = ("freshness", "erasure", "format", "noise", "injection")


def stress(
    tests: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEST]...", help=f"Which: {', '.join(TESTS)}; all five by default."),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Who answers: {', '.join(BACKEND_NAMES)} (repeat for several)."),
    ] = None,
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
    probes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write every answer and its verdict, one JSON row each."),
    ] = None,
    chunk_size: ChunkSize = None,
    chunk_overlap: ChunkOverlap = None,
    mode: Mode = None,
    max_tokens: MaxTokens = None,
    model: Model = None,
    documents: DocumentsFolder = None,
    role: Role = None,
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """Edit, forget, disturb and poison a copy of the documents, and measure who notices."""
    from backends import cli

    folder = use_workspace(workspace)
    settings = settings_of(
        chunk_size=chunk_size, chunk_overlap=chunk_overlap, mode=mode, max_tokens=max_tokens, model=model
    )
    chosen = tests_of(tests or TESTS)
    backends = backends_of(backend or BACKEND_NAMES)
    check_folder(documents)
    if probes is not None and not probes.absolute().parent.is_dir():
        raise UserError(f"There is no folder {probes.absolute().parent} to write the answers into.")
    asked = None
    if questions is not None:
        from backends.questions import load_questions

        asked = load_questions(questions)
    failed = False
    with cli.printing(as_json) as (out, progress), cli.interruptible():
        from backends.stressing import stress as run_test

        progress("loading the model and the documents")
        triptych = cli.open_triptych(folder, settings, documents, role, progress)
        if probes is not None:
            probes.write_text("", encoding="utf-8")
        for test in chosen:

            def report(done: int, total: int, what: str, test: str = test) -> None:
                progress(f"{test} {done}/{total}  {what}")

            try:
                result = run_test(
                    triptych,
                    test,
                    backends,
                    settings,
                    questions=asked,
                    number=number,
                    seed=seed,
                    document=forget,
                    progress=report,
                )
            except UserError as error:
                if len(chosen) == 1:
                    raise
                progress.clear()
                _say(f"triptych: {test}: {error}")
                failed = True
                continue
            progress.clear()
            show(out, result)
            if probes is not None:
                keep(probes, result)
            for name, reason in result.skipped.items():
                _say(f"triptych: {test}, {name}: {reason}")
                failed = True
    if failed:
        raise typer.Exit(1)


def tests_of(names: Sequence[str]) -> list[StressTest]:
    for name in names:
        if name not in TESTS:
            raise UserError(f"There is no stress test {name!r}: choose from {', '.join(TESTS)}.")
    return [cast("StressTest", name) for name in dict.fromkeys(names)]


def _say(message: str) -> None:
    from backends.console import say

    say(message)


def show(out: Output, result: Result) -> None:
    """The rows; for people also the sentence and what else was measured."""
    from backends.console import plain, table

    if out.as_json:
        for row in result.rows:
            out.row({**plain(row), "sentence": result.sentence, "seed": result.seed})
        return
    out.text(result.sentence)
    cells = [(row.backend, row.measure, *amount(plain(row))) for row in result.rows]
    out.text(
        table(("backend", "share of", "measured", "95 %", "asked"), cells, numbers=("measured", "asked"))
    )
    for row in result.rows:
        parts = [f"{name.replace('_', ' ')} {short(value)}" for name, value in plain(row.details).items()]
        if parts:
            out.text(f"  {row.backend}: {'; '.join(parts)}")
    out.text(*result.notes, "")


def amount(row: dict[str, Any]) -> tuple[str, str, str]:
    low, high = row["interval"]
    return f"{row['value']:.2f}", f"{low:.2f}-{high:.2f}", str(row["count"])


def short(value: Any) -> str:
    """A detail in a few characters."""
    if isinstance(value, dict) and "interval" in value:
        return f"{value['value']:.2f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {short(item)}" for name, item in value.items())
    return "-" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def keep(path: Path, result: Result) -> None:
    """Append every answer with its verdict."""
    import json

    from backends.console import plain

    with path.open("a", encoding="utf-8") as file:
        for probe in result.probes:
            file.write(json.dumps({"test": result.test, **plain(probe)}, ensure_ascii=False) + "\n")
