"""The verb `triptych evaluate`: runs questions through the backends, prints scores, compares with a baseline.

Enters: arguments. Leaves: rows or tables on stdout, reports in files, and an exit status: 1 when a measure
dropped significantly against the baseline or an answer failed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backends.cli import opener
from backends.cli.arguments import (
    Address,
    Backends,
    DocumentsFolder,
    Engine,
    Given,
    Json,
    Role,
    StoreAddress,
    Workers,
    WorkspaceFolder,
    backends_of,
    check_engine,
    check_folder,
    check_place,
    settings_of,
    takes_settings,
    use_workspace,
)
from backends.cli.terminal import Output, ProgressLine, interruptible, printing, say, table
from backends.datatypes import JsonValue, UserError

if TYPE_CHECKING:
    from backends.bulk.question_answering import ClusterSpread
    from backends.datatypes import BackendName, Question
    from backends.evaluation.archive import Arm, Run, RunRecord, RunStore
    from backends.evaluation.comparison import BaselineComparison, Board
    from backends.evaluation.runner import Subject
    from backends.settings import Settings

SAMPLES = ("sample-test", "sample-dev")


@takes_settings()
def evaluate(
    questions: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Questions with gold answers, JSONL, JSON, CSV or a promptfooconfig.yaml; or "
            f"{' or '.join(SAMPLES)}, which come along.",
        ),
    ],
    backend: Backends = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Compare with this run: its id or name, `latest`, or a .json report."
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="A name to find this run by.")] = "",
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SETTING=A,B",
            help="Try each value, such as model=embedded,company; several sweeps make a grid.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first questions.")] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Write a report: .html, .md, .csv or .json (repeat for several)."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JUnit XML for a build server.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew even if the same run was interrupted.")
    ] = False,
    ragas: Annotated[
        bool,
        typer.Option(
            "--ragas",
            help="Let the RAGAS library judge the answers too, with the model of TRIPTYCH_JUDGE_URL and "
            "TRIPTYCH_JUDGE_MODEL.",
        ),
    ] = False,
    *,
    given: Given,
    documents: DocumentsFolder = None,
    role: Role = None,
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = None,
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
    store: StoreAddress = None,
) -> None:
    """Score the backends on questions with gold answers; exit 1 on a significant drop against --baseline.

    An interrupted run goes on where it stopped when the same command is given again.
    """
    from backends.evaluation.reports import report_kind

    folder = use_workspace(workspace, store)
    settings = settings_of(**given)
    asked = questions_of(questions)[:limit]
    arms = arms_of(backends_of(backend), settings, sweep or [])
    check_folder(documents)
    for path in report or ():
        report_kind(path)
    check_place(junit)
    check_engine(engine, address, workers)
    if ragas:
        check_judge()
    with printing(as_json) as (out, progress):
        job = Evaluating(progress)
        with interruptible(lambda: job.account):
            progress("loading the model and the documents")
            subject, archive = open_subject(folder, settings, documents, role, progress)
            known = baseline_run(archive, baseline) if baseline else None
            with spreading(folder, settings, documents, role, engine, address, workers) as spread:
                run = job.run(
                    archive, subject, asked, arms, fresh=fresh, name=name,
                    question_set=Path(questions).name, spread=spread,
                )  # fmt: skip
            judged = not ragas or job.judge(archive)
        progress.clear()
        failed = show(out, archive.load(run.record.run), known, report or [], junit)
    if failed or not judged:
        raise typer.Exit(1)


def questions_of(given: str) -> list[Question]:
    """The questions of a file, or of a sample split by its name."""
    from backends.evaluation.probes import sample_questions
    from backends.evaluation.questions import load_questions

    if given in SAMPLES and not Path(given).exists():
        return sample_questions("test" if given == "sample-test" else "dev")
    return load_questions(Path(given))


def arms_of(backends: Sequence[BackendName], settings: Settings, sweeps: Sequence[str]) -> tuple[Arm, ...]:
    """The backends, or with sweeps every backend at every point of the grid."""
    from backends.evaluation.runner import plain_arms, sweep_arms

    if not sweeps:
        return plain_arms(backends, settings)
    axes: dict[str, list[JsonValue]] = {}
    for given in sweeps:
        name, equals, values = given.partition("=")
        field = name.replace("-", "_")
        if field not in type(settings).model_fields or not equals or not values:
            raise UserError(f"--sweep takes a setting and values such as top_k=2,4,8, not {given!r}.")
        axes[field] = [value.strip() for value in values.split(",")]
    grid = [dict(zip(axes, point, strict=True)) for point in product(*axes.values())]
    return sweep_arms(backends, settings, [{k: _number(v) for k, v in point.items()} for point in grid])


def _number(value: str) -> JsonValue:
    """`8` as a number, `true` as yes, `dense` as text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def open_subject(
    workspace: Path, settings: Settings, documents: Path | None, role: str | None, progress: ProgressLine
) -> tuple[Subject, RunStore]:
    """What is evaluated and where its runs are kept."""
    from backends.offline.subject import TriptychSubject, archive_of

    triptych = opener.open_triptych(workspace, settings, documents, role, progress)
    return TriptychSubject(triptych), archive_of(triptych)


@contextmanager
def spreading(
    workspace: Path,
    settings: Settings,
    documents: Path | None,
    role: str | None,
    engine: str,
    address: str | None,
    workers: int | None,
) -> Iterator[ClusterSpread | None]:
    """Who answers instead of this process; None with the engine local."""
    if engine == "local":
        yield None
        return
    from backends.bulk import cluster
    from backends.bulk.question_answering import WorkspacePlace, spread_on
    from backends.settings import store_address

    folder = documents.absolute() if documents else None
    place = WorkspacePlace(workspace, settings, folder, role, store_address(workspace))
    with cluster.opened(address, workers) as opened:
        yield spread_on(opened, place)


def check_judge() -> None:
    """Before anything is asked: is there a judge model, and the library to ask it with?"""
    from backends.evaluation.judging import HOW, Endpoint
    from backends.evaluation.ragas_judge import check_installed

    if Endpoint.configured() is None:
        raise UserError(f"--ragas needs a judge model. {HOW}")
    check_installed()


def baseline_run(archive: RunStore, given: str) -> Run:
    """The run to compare with, from the archive or from a file."""
    from backends.evaluation.reports import read_json

    path = Path(given)
    if path.suffix == ".json":
        return read_json(path)
    return archive.load(archive.find(given).run)


class Evaluating:
    """Carries out one run and tells how far it has come."""

    def __init__(self, progress: ProgressLine) -> None:
        self._progress = progress
        self._record: RunRecord | None = None
        self._done = self._total = 0
        self._judging = False

    @property
    def account(self) -> str:
        """What an interruption leaves."""
        if self._record is None:
            return "Nothing was begun."
        if self._judging:
            return (
                f"The answers of run {self._record.run} are stored; the Evaluate page goes on judging them."
            )
        return (
            f"{self._done} of {self._total} answers of run {self._record.run} are stored; "
            "the same command goes on from there."
        )

    def run(
        self,
        archive: RunStore,
        subject: Subject,
        questions: Sequence[Question],
        arms: Sequence[Arm],
        *,
        fresh: bool,
        name: str,
        question_set: str,
        spread: ClusterSpread | None,
    ) -> Run:
        from backends.evaluation.runner import carry_out, plan

        planned = plan(subject, questions, arms, question_set=question_set, name=name)
        if spread is not None:
            machine = {**planned.setting.machine, "answered by": spread.words}
            planned = replace(planned, setting=replace(planned.setting, machine=machine))
        begun = None if fresh else archive.unfinished(planned)
        if begun is not None:
            self._progress.clear()
            done = len(archive.load(begun.run).entries)
            say(f"Going on with run {begun.run}: {done} of {len(questions) * len(arms)} answers are there.")
        self._record = begun or archive.begin(planned)
        return carry_out(
            archive, self._record, subject, progress=self._report, cancelled=threading.Event(), spread=spread
        )

    def judge(self, archive: RunStore) -> bool:
        """Let the configured judge model score the run; whether it could. The run stands either way."""
        from backends.evaluation.judging import judge_run
        from backends.offline.subject import configured_judge

        assert self._record is not None
        self._judging = True
        try:
            with configured_judge() as judge:
                judge_run(
                    archive, self._record.run, judge,
                    progress=lambda done, total, what: self._progress(f"judging {done}/{total}  {what}"),
                )  # fmt: skip
        except UserError as error:
            self._progress.clear()
            say(f"triptych: {error}")
            return False
        return True

    def _report(self, done: int, total: int, what: str) -> None:
        self._done, self._total = done, total
        self._progress(f"{done}/{total}  {what}")


# --- showing -------------------------------------------------------------------------------------


def show(out: Output, run: Run, baseline: Run | None, files: Sequence[Path], junit: Path | None) -> bool:
    """Print and write what was found; whether something failed."""
    from backends.evaluation.comparison import Board, compare_with_baseline
    from backends.evaluation.reports import as_junit, rows, write_report

    board = Board(run)
    compared = compare_with_baseline(board, Board(baseline)) if baseline else None
    base = baseline.record.run if baseline else None
    for path in files:
        write_report(path, board, compared, base)
    if junit is not None:
        junit.write_text(as_junit(board, compared), encoding="utf-8")
    if out.as_json:
        for row in rows(board, compared, base):
            out.row(row)
    else:
        _show_tables(out, board, compared)
    failed = any(entry.answer is None for entry in run.entries)
    return failed or bool(compared and compared.regressions)


def _show_tables(out: Output, board: Board, compared: BaselineComparison | None) -> None:
    """For people: plain words first, numbers behind."""
    from backends.evaluation.comparison import arm_label
    from backends.evaluation.judging import judge_words
    from backends.evaluation.paired import evidence
    from backends.evaluation.reports import (
        INTERVALS,
        JUDGE_COLUMNS,
        JUDGED,
        WITHIN,
        baseline_lines,
        judged_cells,
        table_cells,
    )

    for note in board.notes:
        out.text(note, "")
    if compared is not None:
        out.text("Against the baseline", *(f"  {line}" for line in baseline_lines(compared)), "")
    if words := board.verdicts():
        out.text(*words, "")
    if board.arms:
        columns = ["", *(arm_label(name) for name in board.arms)]
        out.wide_table(columns, [[what, *cells] for what, cells in table_cells(board)])
        out.text(INTERVALS, JUDGED, WITHIN, "")
    if board.run.verdicts:
        out.text(judge_words(board), table(JUDGE_COLUMNS, judged_cells(board)), "")
    for made in board.differences:
        if made.significant:
            out.text(f"{made.sentence} ({evidence(made)})")
    failures = [entry for entry in board.run.entries if entry.answer is None]
    if failures:
        out.text("", f"{len(failures)} answers failed; the first: {failures[0].failure}")
    out.text("", f"run {board.run.record.run}")
