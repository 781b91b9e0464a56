"""Answers that a person called right or wrong, and those saved as test cases for an evaluation.

Enters: a `JudgedAnswer`. Leaves: counts, and `Question`s with a gold answer. One place for each visitor's
view, beside their evaluation runs, so that forgetting a document reaches what is kept there: a file, or rows
of the database that app servers share (`feedback_rows`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from backends.answering.answer_text import without_markers
from backends.datatypes import JsonObject, JsonValue, Question
from backends.system.data_holder import REMOVED
from backends.system.files import write_whole

FILE = "judged_answers.jsonl"
CATEGORY = "from Compare"


@dataclass(frozen=True)
class JudgedAnswer:
    """One answer of one round. `gold` is the right answer as the person saved it; empty: no test case."""

    round: str
    backend: str
    question: str
    text: str
    documents: tuple[str, ...] = ()  # cited, or shown where none is cited
    right: bool | None = None
    gold: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Which answer it is about."""
        return self.round, self.backend

    @property
    def said(self) -> bool:
        """Whether anything was said of it."""
        return self.right is not None or bool(self.gold)


class JudgedStore(Protocol):
    """What one viewer said of answers, oldest first."""

    def all(self) -> list[JudgedAnswer]:
        """Without those that a forgotten document took with it, and without rows that cannot be read."""
        ...

    def keep(self, judged: JudgedAnswer) -> None:
        """Keep this one in the place of what was said of the same answer; nothing said: nothing kept."""
        ...

    def clear_cases(self) -> None:
        """Drop the test cases; what was called right or wrong stays."""
        ...

    def find(self, round_id: str, backend: str) -> JudgedAnswer | None:
        """What was said of this backend's answer of a round; None when nothing was."""
        return next((j for j in self.all() if (j.round, j.backend) == (round_id, backend)), None)

    def questions(self) -> list[Question]:
        """The test cases; the newest where a question was saved more than once."""
        newest = {" ".join(each.question.casefold().split()): each for each in self.all() if each.gold}
        return [
            Question(f"case-{number}", each.question, (each.gold,), each.documents, CATEGORY)
            for number, each in enumerate(newest.values(), start=1)
        ]


class JudgedAnswers(JudgedStore):
    """Those kept in one folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def all(self) -> list[JudgedAnswer]:
        """Without what cannot be read or is gone."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return readable(_row_of(line) for line in lines)

    def keep(self, judged: JudgedAnswer) -> None:
        """Keep this one in the place of what was said of the same answer."""
        others = [each for each in self.all() if each.key != judged.key]
        self._write([*others, judged] if judged.said else others)

    def clear_cases(self) -> None:
        """Drop the test cases."""
        self._write(without_cases(self.all()))

    def _write(self, kept: Sequence[JudgedAnswer]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps(judged_row(each), ensure_ascii=False) + "\n" for each in kept)
        write_whole(self.path, "".join(lines))


def counts(judged: Sequence[JudgedAnswer]) -> dict[str, tuple[int, int]]:
    """(called right, called either) by backend."""
    said = [each for each in judged if each.right is not None]
    names = dict.fromkeys(each.backend for each in said)
    return {
        name: (
            sum(bool(each.right) for each in said if each.backend == name),
            sum(each.backend == name for each in said),
        )
        for name in names
    }


def gold_of(text: str) -> str:
    """What an answer would be as a gold answer: its words without references to passages."""
    return without_markers(text)


def without_cases(judged: Sequence[JudgedAnswer]) -> list[JudgedAnswer]:
    """The same without test cases, and without answers of which nothing else was said."""
    kept = [replace(each, gold="") for each in judged]
    return [each for each in kept if each.said]


def judged_row(judged: JudgedAnswer) -> dict[str, JsonValue]:
    """With the names that rows of questions have everywhere: by them an erasure blanks a document's."""
    row = asdict(judged)
    gold = row.pop("gold")
    return {**row, "documents": list(judged.documents), "answers": [gold] if gold else []}


def readable(rows: Iterable[JsonObject | None]) -> list[JudgedAnswer]:
    """What stored rows say, without those that a forgotten document took with it or that say nothing."""
    found = [judged for row in rows if row is not None and (judged := _read(row)) is not None]
    return [each for each in found if REMOVED not in (each.question, each.text, each.gold)]


def _row_of(line: str) -> JsonObject | None:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _read(row: JsonObject) -> JudgedAnswer | None:
    try:
        return JudgedAnswer(
            str(row["round"]),
            str(row["backend"]),
            str(row["question"]),
            str(row["text"]),
            tuple(map(str, row["documents"])),
            row["right"],
            "".join(row["answers"][:1]),
        )
    except (KeyError, TypeError):
        return None
