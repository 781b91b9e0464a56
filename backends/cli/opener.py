"""Opens what a verb works on: the library of a workspace or folder, or the whole product.

Enters: a folder and settings. Leaves: an opened `Library` or `Triptych`, and progress for a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from backends.cli.terminal import ProgressLine, say

if TYPE_CHECKING:
    from backends.documents.library import Library, Progress
    from backends.product import Triptych
    from backends.settings import Settings


def open_library(
    workspace: Path, settings: Settings, documents: Path | None, progress: ProgressLine
) -> Library:
    """The library of the workspace, or of a folder of documents."""
    from backends.search import open_alone

    return open_alone(workspace, settings, documents, reporter(progress))


@contextmanager
def reading(library: Library, engine: str, address: str | None, workers: int | None) -> Iterator[None]:
    """Let this engine read the library's files; UserError when it cannot be had."""
    if engine == "local":
        yield
        return
    from backends.bulk import cluster
    from backends.bulk.file_reading import reading_on

    with cluster.opened(address, workers) as opened:
        library.preparer = reading_on(opened, library.embedder)
        yield


def open_triptych(
    workspace: Path, settings: Settings, documents: Path | None, role: str | None, progress: ProgressLine
) -> Triptych:
    """The product over the workspace, or over a folder of documents, as whoever calls may see it.

    Raises UserError where that is nobody, or where a `role` is asked for that is not theirs to look through.
    """
    from backends.cli import caller
    from backends.product import Triptych

    who = caller.reader(workspace, role)
    opened = Triptych.open(
        workspace, settings, documents=documents, role=who.role, progress=reporter(progress)
    )
    opened.audit = who.audit
    return opened


def reporter(progress: ProgressLine) -> Callable[[Progress], None]:
    """The library's progress records as lines for people; a file it had to leave out is always told."""

    def report(step: Progress) -> None:
        if step.stage == "rejected":
            progress.clear()
            say(f"triptych: left out {step.item}")
        else:
            progress(f"{step.stage} {step.done}/{step.total}  {step.item}".rstrip())

    return report
