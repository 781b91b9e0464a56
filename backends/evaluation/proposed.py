"""Proposes questions for an evaluation from the documents themselves.

Enters: documents and a model that words questions. Leaves: `Question`s. A generated question is a proposal:
its answer is a stretch of a document, but only a person can say whether it is a good question, so it goes
through a review table before it is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from backends.answering.overlap import sentences
from backends.datatypes import Document, Question
from backends.system.reporting import Report
from backends.training.row_building import SourcePassage, Way, Writer, build_rows

CATEGORIES: dict[Way, str] = {"table": "table", "gap": "gap", "model": "in its own words"}


def proposed(
    documents: Sequence[Document],
    writer: Writer | None,
    count: int,
    *,
    seed: int = 0,
    report: Report = lambda done, total, what: None,
    cancel: threading.Event | None = None,
) -> list[Question]:
    """At most `count` questions from table rows and, with a writer, from sentences in its own words.

    They come from where training rows come from; the short answer of a row is the gold answer.
    """
    passages = [SourcePassage(d.name, d.title or d.name, d.text) for d in documents]
    ways: tuple[Way, ...] = ("table", "model") if writer is not None else ("table", "gap")
    built = build_rows(passages, ways, writer=writer, most=count, seed=seed, report=report, cancel=cancel)
    return [
        Question(
            id=f"proposed-{number}",
            question=made.row.question,
            answers=(sentences(made.row.answer)[0].removesuffix("."),),
            documents=made.row.documents,
            category=CATEGORIES[made.way],
        )
        for number, made in enumerate(built.rows, start=1)
    ]
