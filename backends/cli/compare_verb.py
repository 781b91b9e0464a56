"""The verb `triptych compare`: paired tests and intervals over results of other tools and own runs.

Enters: files of results, or names of stored runs. Leaves: rows or tables on stdout, reports in files, and an
exit status: 1 when an arm is significantly worse than `--baseline`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backends.cli.arguments import Json, WorkspaceFolder, check_place, use_workspace
from backends.cli.terminal import Output, printing, table
from backends.datatypes import UserError

if TYPE_CHECKING:
    from backends.evaluation.other_results import Results
    from backends.evaluation.result_comparison import ResultComparison


def compare(
    results: Annotated[
        list[str],
        typer.Argument(
            metavar="RESULT...",
            help="Results: promptfoo JSON, RAGAS or DeepEval results, AutoRAG parquet or its node folder, "
            "CSV, a .json report of `evaluate`, or the id or name of a stored run.",
        ),
    ],
    baseline: Annotated[
        str | None,
        typer.Option(metavar="ARM", help="Compare everything with this arm or file, and exit 1 on a drop."),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this measure (repeat for several).")
    ] = None,
    lower_is_better: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Of this measure less is better (repeat).")
    ] = None,
    arms_in_columns: Annotated[
        bool, typer.Option("--arms-in-columns", help="In CSV files a column of numbers is an arm.")
    ] = False,
    report: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Write a report: .html or .json (repeat).")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JUnit XML for a build server.")
    ] = None,
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """Compare results of any tools: paired tests, intervals, and what so many questions can tell."""
    from backends.evaluation.result_comparison import as_junit, compare_results, report_kind, write_report

    folder = use_workspace(workspace)
    for path in report or ():
        report_kind(path)
    check_place(junit)
    with printing(as_json) as (out, _):
        found = [_results(folder, given, arms_in_columns) for given in results]
        compared = compare_results(
            found, baseline=baseline, measures=metric or (), lower_is_better=lower_is_better or ()
        )
        for path in report or ():
            write_report(path, compared)
        if junit is not None:
            junit.write_text(as_junit(compared), encoding="utf-8")
        _show(out, compared)
    if compared.regressions:
        raise typer.Exit(1)


def _results(workspace: Path, given: str, arms_in_columns: bool) -> Results:
    """A file, or else a stored run of the workspace."""
    from backends.evaluation.other_results import read_results, run_results
    from backends.evaluation.run_rows import open_runs

    path = Path(given).expanduser()
    if path.exists():
        return read_results(path, arms_in_columns=arms_in_columns)
    archive = open_runs(workspace)
    try:
        return run_results(archive.load(archive.find(given).run))
    except UserError as error:
        raise UserError(f"There is no file {given}. {error}") from error


def _show(out: Output, compared: ResultComparison) -> None:
    from backends.evaluation.paired import evidence
    from backends.evaluation.reports import INTERVALS
    from backends.evaluation.result_comparison import rows, table_cells

    if out.as_json:
        for row in rows(compared):
            out.row(row)
        return
    told = compared.main_differences()
    out.text(*(f"{gap.sentence} ({evidence(gap)})" for gap in told), "")
    if len(told) < len(compared.gaps):
        out.text(f"{len(compared.gaps) - len(told)} further comparisons may be chance; --json has all.", "")
    columns: Sequence[str] = ["", "better", *(side.name for side in compared.sides)]
    out.text(table(columns, table_cells(compared), numbers=columns[2:]), "", INTERVALS)
    out.text(*compared.notes)
