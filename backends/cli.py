"""The command line: `triptych demo, ingest, documents, search, ask`, and verbs that other modules bring.

Enters: arguments. Leaves: rows on stdout, progress on stderr, and an exit status: 0 done, 1 done but some
item failed, 2 bad usage or input. Arguments are checked before anything is opened, so bad input changes
nothing; whatever is slow to import is imported by the verb that needs it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from backends.arguments import (
    Backends,
    DocumentsFolder,
    Given,
    Json,
    Role,
    WorkspaceFolder,
    backends_of,
    check_date,
    check_folder,
    check_place,
    questions_of,
    settings_of,
    takes_settings,
    use_workspace,
)
from backends.datatypes import Answer, BackendName, Filters, Hit, Question, UserError
from backends.evaluate_verb import evaluate
from backends.runs import RUN_DEPTH, run_rows, write_run
from backends.stress_verb import stress
from backends.train_verb import adapters_app, train

if TYPE_CHECKING:
    from backends.assemble import Triptych
    from backends.console import Output, ProgressLine
    from backends.corpus.library import IngestResult, Library, Progress
    from backends.corpus.retrieval import Retriever
    from backends.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
INTERRUPTED = 130
RERANKED = 20  # passages compared sentence by sentence; the rest keep their order


class FriendlyGroup(TyperGroup):
    """Turns a UserError of any verb into its sentence on stderr and exit status 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            typer.echo(f"triptych: {error}", err=True)
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=FriendlyGroup,
    name="triptych",
    help="RAG or fine-tuning? Ask your own documents and see every approach answer, side by side.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
documents_app = typer.Typer(help="What is in the workspace: list, history, forget.")
app.add_typer(documents_app, name="documents")
app.command()(evaluate)
app.command()(train)
app.command()(stress)
app.add_typer(adapters_app, name="adapters")


@app.callback()
def root(workspace: WorkspaceFolder = None) -> None:
    if workspace is not None:
        os.environ["TRIPTYCH_WORKSPACE"] = str(workspace)


# --- demo ----------------------------------------------------------------------------------------


@app.command()
def demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 8501,
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "localhost",
    workspace: WorkspaceFolder = None,
) -> None:
    """Serve the app in the browser."""
    use_workspace(workspace)
    script = ROOT / "launch" / "app.py"
    if not script.is_file():
        raise UserError("The app is not here: run triptych from an editable install of the repository.")
    flags = {
        "server.port": str(port),
        "server.address": host,
        "server.headless": "true",  # never asks for an e-mail address, opens no browser
        "browser.gatherUsageStats": "false",
    }
    arguments = [f"--{name}={value}" for name, value in flags.items()]
    # Streamlit reads .streamlit/config.toml from the current folder.
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(script), *arguments])


# --- ingest --------------------------------------------------------------------------------------


@app.command()
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
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """Parse, chunk, embed and index files or folders; a file of a known name replaces that document."""
    folder = use_workspace(workspace)
    settings = settings_of(**given)
    for path in paths:
        if not path.exists():
            raise UserError(f"There is no file or folder {path}.")
        if path.is_dir() and not any(item.is_file() for item in path.rglob("*")):
            raise UserError(f"The folder {path} holds no files.")
    if not folder.exists():
        refuse_unreadable(paths, password or ())
    with printing(as_json) as (out, progress), interruptible():
        library = open_library(folder, settings, None, progress)
        results = []
        for result in library.ingest(
            paths,
            settings=settings,
            source="upload",
            roles=tuple(role or ()),
            progress=reporter(progress),
            passwords=password or (),
        ):
            progress.clear()
            results.append(result)
            _show_ingested(out, result)
    _finish_ingest(results)


def refuse_unreadable(paths: Sequence[Path], passwords: Sequence[str]) -> None:
    """A first ingest in which no file can be read must not leave a new workspace behind."""
    from backends.corpus.isolation import parse_isolated

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
    from backends.console import duration, say

    if out.as_json:
        out.row(result)
    else:
        pages = f"{result.pages} pages, " if result.pages else ""
        detail = result.error or f"{pages}{result.chunks} passages, {duration(result.seconds)}"
        detail += " --password opens it." if result.needs_password else ""
        detail += f", the same contents as {result.same_as}" if result.same_as else ""
        out.text(f"{result.status:9}  {result.document}  ({detail})")
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


# --- documents -----------------------------------------------------------------------------------


@documents_app.callback(invoke_without_command=True)
def documents(ctx: typer.Context, as_json: Json = False, workspace: WorkspaceFolder = None) -> None:
    use_workspace(workspace)
    ctx.obj = as_json
    if ctx.invoked_subcommand is None:
        list_documents(ctx, as_json=as_json)


@documents_app.command("list")
def list_documents(ctx: typer.Context, as_json: Json = False, workspace: WorkspaceFolder = None) -> None:
    """Every document of the workspace, newest version."""
    from backends.console import table

    folder = use_workspace(workspace)
    with printing(as_json or bool(ctx.obj)) as (out, progress):
        rows: list[dict[str, Any]] = [
            {
                "document": document.name,
                "version": document.version,
                "title": document.title,
                "type": document.type,
                "pages": len(document.pages) or None,
                "characters": len(document.text),
                "roles": document.roles,
                "tags": document.tags,
                "date": document.date,
                "language": document.language,
                "source": document.source,
            }
            for document in open_library(folder, settings_of(), None, progress).documents()
        ]
        progress.clear()
        if out.as_json:
            for row in rows:
                out.row(row)
            return
        names = ("document", "version", "type", "pages", "characters", "roles")
        cells = [[*(row[name] for name in names[:-1]), ", ".join(row["roles"])] for row in rows]
        out.text(table(names, cells, numbers=("version", "pages", "characters")), f"{len(rows)} documents")


@documents_app.command("history")
def history(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Document; without it, all of them.")] = None,
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """What happened to a document: every version that came, changed or was forgotten."""
    from backends.console import plain

    folder = use_workspace(workspace)
    with printing(as_json or bool(ctx.obj)) as (out, progress):
        library = open_library(folder, settings_of(), None, progress)
        names = [name] if name else [document.name for document in library.documents()]
        entries = [(each, entry) for each in names for entry in library.history(each)]
        progress.clear()
        if name and not entries:
            raise UserError(f"There is no document {name!r} in the workspace.")
        for each, entry in entries:
            out.record({"document": each, **plain(entry)})


@documents_app.command("forget")
def forget(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Document to remove, with its passages and vectors.")],
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """Remove a document for good; says what was purged and which adapters learned from it."""
    folder = use_workspace(workspace)
    with printing(as_json or bool(ctx.obj)) as (out, progress):
        library = open_library(folder, settings_of(), None, progress)
        if name not in {document.name for document in library.documents()}:
            raise UserError(f"There is no document {name!r} in the workspace.")
        report = library.forget(name)
        progress.clear()
        out.record(report)
        if report.found_in:  # a file that Triptych cannot rewrite still holds the text
            raise typer.Exit(1)


# --- search --------------------------------------------------------------------------------------


@app.command()
@takes_settings("mode", "rerank", "cross_encoder", "chunk_size", "chunk_overlap", "chunking")
def search(
    question: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    queries: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Questions, one JSON row each.")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"Write a TREC run: documents ranked by their best passage, --top-k of them "
            f"(default {RUN_DEPTH}). Spaces in names are written %20.",
        ),
    ] = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", metavar="K", min=1, max=1000, help="How many to find.")
    ] = None,
    *,
    given: Given,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this document; * stands for anything (repeat for several)."),
    ] = None,
    type_: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="Only documents of this type, as `documents` lists it."),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only documents that carry this tag.")] = None,
    since: Annotated[str, typer.Option(metavar="DATE", help="Only documents of this day or later.")] = "",
    until: Annotated[str, typer.Option(metavar="DATE", help="Only documents up to this day.")] = "",
    documents: DocumentsFolder = None,
    role: Role = None,
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """Find passages, with scores."""
    folder = use_workspace(workspace)
    settings = settings_of(**given)
    filters = Filters(
        tuple(only or ()),
        tuple(type_ or ()),
        tuple(tag or ()),
        check_date(since, "--since"),
        check_date(until, "--until"),
    )
    asked = questions_of(question, queries, option="--queries")
    check_folder(documents)
    check_place(run, "the run file")
    with printing(as_json) as (out, progress), interruptible():
        library = open_library(folder, settings, documents, progress)
        retriever = library.retriever(settings, role=role)
        run_lines: list[str] = []
        for number, each in enumerate(asked, start=1):
            depth = (top_k or RUN_DEPTH) if run else (top_k or settings.top_k)
            hits = find(retriever, each.question, depth, settings, filters, whole_documents=run is not None)
            progress.clear()
            _show_hits(out, each, hits[: top_k or settings.top_k], title=len(asked) > 1)
            run_lines += run_rows(each.id, hits, depth)
            if len(asked) > 1:
                progress(f"searched {number} of {len(asked)}")
        progress.clear()
        if run is not None:
            write_run(run, run_lines)


def find(
    retriever: Retriever,
    question: str,
    depth: int,
    settings: Settings,
    filters: Filters,
    *,
    whole_documents: bool,
) -> list[Hit]:
    """Hits in order, best first; with `whole_documents` enough passages to rank `depth` documents."""
    wanted = depth * 5 if whole_documents else depth
    hits = retriever.search(question, top_k=wanted, mode=settings.mode, filters=filters)
    if settings.rerank and len(hits) > 1:
        first = retriever.rerank(question, hits[:RERANKED], cross_encoder=settings.cross_encoder)
        hits = first + hits[RERANKED:]
    return hits


def _show_hits(out: Output, question: Question, hits: Sequence[Hit], *, title: bool) -> None:
    from backends.console import hit_row, table

    if out.as_json:
        for hit in hits:
            out.row(hit_row(question.id, question.question, hit))
        return
    if title:
        out.text(f"{question.id}: {question.question}")
    rows = [
        (
            hit.rank,
            f"{hit.score:.4f}",
            hit.chunk.document + (f", page {hit.chunk.page}" if hit.chunk.page is not None else ""),
            " ".join(hit.chunk.text.split())[:200],
        )
        for hit in hits
    ]
    out.text(table(("rank", "score", "document", "passage"), rows, numbers=("rank", "score")), "")


# --- ask -----------------------------------------------------------------------------------------


@app.command()
@takes_settings()
def ask(
    question: Annotated[str | None, typer.Argument(help="What to ask.")] = None,
    questions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Questions, one JSON row each.")
    ] = None,
    after: Annotated[
        list[str] | None,
        typer.Option(metavar="QUESTION", help="Asked before, for --follow-ups (repeat; the oldest first)."),
    ] = None,
    backend: Backends = None,
    *,
    given: Given,
    documents: DocumentsFolder = None,
    role: Role = None,
    as_json: Json = False,
    workspace: WorkspaceFolder = None,
) -> None:
    """Ask the backends; one answer record per question and backend."""
    folder = use_workspace(workspace)
    settings = settings_of(**given)
    asked = questions_of(question, questions, option="--questions")
    check_folder(documents)
    backends = backends_of(backend)
    with printing(as_json) as (out, progress):
        progress("loading the model and the documents")
        failed = Asking(out, progress, len(asked) * len(backends), after or ()).run(
            lambda: open_triptych(folder, settings, documents, role, progress), asked, backends, settings
        )
    if failed:
        raise typer.Exit(1)


class Asking:
    """Works through questions and backends, printing each answer as soon as it is there."""

    def __init__(self, out: Output, progress: ProgressLine, total: int, earlier: Sequence[str] = ()) -> None:
        self.out = out
        self.progress = progress
        self.total = total
        self.earlier = earlier
        self.done = 0
        self.failed = 0
        self.began = time.monotonic()

    def run(
        self, open_: Any, questions: Sequence[Question], backends: Sequence[BackendName], settings: Settings
    ) -> int:
        """Number of answers that failed. An interruption loses only the answer being made."""
        from backends.console import answers_table, say

        with interruptible(lambda: f"{self.done} of {self.total} answers were made and printed."):
            triptych: Triptych = open_()
            self.began = time.monotonic()
            for question in questions:
                answers = [
                    answer
                    for backend in backends
                    if (answer := self._answer(triptych, question, backend, settings)) is not None
                ]
                if not self.out.as_json and len(answers) > 1:
                    self.out.text(answers_table(answers), "")
        self.progress.clear()
        if self.failed:
            say(f"triptych: {self.failed} of {self.total} answers failed.")
        return self.failed

    def _answer(
        self, triptych: Triptych, question: Question, backend: BackendName, settings: Settings
    ) -> Answer | None:
        from backends.console import say, show_answer

        try:
            answer = triptych.answer(question, backend, settings, earlier=self.earlier)
        except UserError as error:
            self.progress.clear()
            say(f"triptych: {question.id}, {backend}: {error}")
            self.failed += 1
            return None
        self.done += 1
        self.progress.clear()
        if self.out.as_json:
            self.out.row(answer)
        else:
            show_answer(self.out, answer)
        if self.total > 1:
            self._report(question, backend, answer)
        return answer

    def _report(self, question: Question, backend: str, answer: Answer) -> None:
        from backends.console import duration

        handled = self.done + self.failed
        left = (time.monotonic() - self.began) / handled * (self.total - handled)
        took = answer.latency_ms["total"] / 1000
        rest = f"about {duration(left)} left" if handled < self.total else "done"
        self.progress(f"{handled}/{self.total}  {question.id}  {backend}  {took:.2f} s  {rest}")


# --- shared --------------------------------------------------------------------------------------


def open_library(
    workspace: Path, settings: Settings, documents: Path | None, progress: ProgressLine
) -> Library:
    from backends.corpus.embedding import MiniLM
    from backends.corpus.opening import open_folder
    from backends.corpus.opening import open_library as open_workspace
    from backends.corpus.reranker import shipped

    if documents is not None:
        library = open_folder(workspace, documents, MiniLM(), settings, progress=reporter(progress))
    else:
        library = open_workspace(workspace, MiniLM(), settings, progress=reporter(progress))
    library.ranker = shipped()
    return library


def open_triptych(
    workspace: Path, settings: Settings, documents: Path | None, role: str | None, progress: ProgressLine
) -> Triptych:
    from backends.assemble import Triptych

    return Triptych.open(workspace, settings, documents=documents, role=role, progress=reporter(progress))


def reporter(progress: ProgressLine) -> Callable[[Progress], None]:
    """The library's progress records as lines for people; a file it had to leave out is always told."""
    from backends.console import say

    def report(step: Progress) -> None:
        if step.stage == "rejected":
            progress.clear()
            say(f"triptych: left out {step.item}")
        else:
            progress(f"{step.stage} {step.done}/{step.total}  {step.item}".rstrip())

    return report


@contextmanager
def printing(as_json: bool) -> Iterator[tuple[Output, ProgressLine]]:
    """stdout for the rows of this verb, and a progress line on stderr."""
    from backends.console import Output, ProgressLine

    progress = ProgressLine()
    try:
        with Output(as_json) as out:
            yield out, progress
    finally:
        progress.clear()


@contextmanager
def interruptible(account: Any = lambda: "") -> Iterator[None]:
    """Ctrl-C and SIGTERM end the verb in order: what is printed stays, one sentence says how far it got."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"\ntriptych: Interrupted. {account()}".rstrip(), err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, previous)
