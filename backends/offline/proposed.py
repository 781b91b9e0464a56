"""Proposes questions for an evaluation from the documents themselves.

Enters: documents and a model that words questions. Leaves: `Question`s, and what was made and not kept. A
generated question is a proposal: its answer is a stretch of a document, but only a person can say whether it
is a good question, so it goes through a review table before it is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from backends.answering.answerability import Reader
from backends.datatypes import Document, Question
from backends.system.reporting import Report
from backends.training.row_building import Dropped, SourcePassage, Way, Writer, build_rows

CATEGORIES: dict[Way, str] = {"table": "table", "model": "sentence"}


@dataclass(frozen=True)
class Proposed:
    """Questions to review, and those that were not worth it, each with its reason."""

    questions: tuple[Question, ...] = ()
    dropped: tuple[Dropped, ...] = ()


def propose(
    documents: Sequence[Document],
    writer: Writer | None,
    count: int,
    *,
    reader: Reader | None = None,
    seed: int = 0,
    report: Report = lambda done, total, what: None,
    cancel: threading.Event | None = None,
) -> Proposed:
    """At most `count` questions about table rows and sentences, made as training rows are made.

    The short answer of a row is the gold answer. Without a reader the shipped one checks.
    """
    passages = [SourcePassage(d.name, d.title or d.name, d.text) for d in documents]
    built = build_rows(
        passages, reader=reader, writer=writer, most=count, seed=seed, report=report, cancel=cancel
    )
    questions = tuple(
        Question(
            id=f"proposed-{number}",
            question=made.row.question,
            answers=made.short,
            documents=made.row.documents,
            category=CATEGORIES[made.way],
        )
        for number, made in enumerate(built.rows, start=1)
    )
    return Proposed(questions, built.dropped)
