"""The verb `triptych search`: finds passages, with scores, and writes TREC runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from backends.cli import opener
from backends.cli.arguments import (
    DocumentsFolder,
    Given,
    Json,
    Role,
    StoreAddress,
    WorkspaceFolder,
    check_date,
    check_folder,
    check_place,
    questions_of,
    read_workspace,
    settings_of,
    takes_settings,
)
from backends.cli.terminal import Output, hit_row, interruptible, printing, table
from backends.datatypes import Filters, Hit, Question
from backends.evaluation.trec import RUN_DEPTH, run_rows, write_run


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
    store: StoreAddress = None,
) -> None:
    """Find passages, with scores."""
    folder, who = read_workspace(workspace, role, store)
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
    from backends.search import find

    with printing(as_json) as (out, progress), interruptible():
        library = opener.open_library(folder, settings, documents, progress)
        retriever = library.retriever(settings, role=who.role)
        run_lines: list[str] = []
        for number, each in enumerate(asked, start=1):
            depth = (top_k or RUN_DEPTH) if run else (top_k or settings.top_k)
            hits = find(retriever, each.question, depth, settings, filters, whole_documents=run is not None)
            progress.clear()
            who.note("searched", [hit.chunk.document for hit in hits])
            _show_hits(out, each, hits[: top_k or settings.top_k], title=len(asked) > 1)
            run_lines += run_rows(each.id, hits, depth)
            if len(asked) > 1:
                progress(f"searched {number} of {len(asked)}")
        progress.clear()
        if run is not None:
            write_run(run, run_lines)


def _show_hits(out: Output, question: Question, hits: Sequence[Hit], *, title: bool) -> None:
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
