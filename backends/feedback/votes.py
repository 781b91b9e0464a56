"""Preference votes: which answer a visitor found most helpful, what the votes say, and pairs to train on.

Enters: a `Vote`. Leaves: win rates with intervals, and rows for preference tuning (DPO). One place for each
visitor's view, beside their evaluation runs, so that forgetting a document reaches the answers kept there:
a file, or rows of the database that app servers share (`feedback_rows`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from backends.answering.answer_text import without_markers
from backends.datatypes import JsonObject, JsonValue, TrainingRow
from backends.evaluation.statistics import wilson_interval
from backends.system.data_holder import REMOVED

FILE = "votes.db"
TIE = "tie"
NONE = "none"
SCHEMA = """
CREATE TABLE IF NOT EXISTS votes (
    round TEXT PRIMARY KEY, at TEXT NOT NULL, question TEXT NOT NULL, choice TEXT NOT NULL,
    blind INTEGER NOT NULL, answers TEXT NOT NULL
)
"""


@dataclass(frozen=True)
class VotedAnswer:
    """One of the answers to choose from; `documents` are those it was shown, by name."""

    backend: str
    text: str
    documents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vote:
    """`choice` is a backend, TIE or NONE; `blind`: it was made before anyone said who wrote what."""

    round: str
    question: str
    choice: str
    blind: bool
    answers: tuple[VotedAnswer, ...]


@dataclass(frozen=True)
class WinRate:
    """How often a backend was chosen, of the votes it took part in; ties and "none" count as not chosen."""

    backend: str
    won: int
    votes: int

    @property
    def share(self) -> float:
        """Votes won of those given, 0 to 1."""
        return self.won / self.votes

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson score interval."""
        return wilson_interval(self.won, self.votes)


class VoteStore(Protocol):
    """The votes of one viewer. Safe to use from several threads and processes."""

    def record(self, vote: Vote, now: datetime | None = None) -> None:
        """Keep this vote; an earlier one about the same answers gives way, and the new one is not blind."""
        ...

    def vote_on(self, round_id: str) -> Vote | None:
        """The vote about these answers."""
        ...

    def all(self) -> list[Vote]:
        """Every vote, oldest first."""
        ...

    def clear(self) -> int:
        """Delete them all; how many there were."""
        ...


class Votes:
    """The votes in one folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def record(self, vote: Vote, now: datetime | None = None) -> None:
        """Keep this vote in the place of an earlier one."""
        row = vote_row(vote, now)
        values = (
            *(row[name] for name in ("round", "at", "question", "choice", "blind")),
            json.dumps(row["answers"]),
        )
        with self._open() as db:
            db.execute(
                "INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (round)"
                " DO UPDATE SET at = excluded.at, choice = excluded.choice, blind = 0",
                values,
            )

    def vote_on(self, round_id: str) -> Vote | None:
        """The vote about these answers."""
        return next(iter(self._read("WHERE round = ?", round_id)), None)

    def all(self) -> list[Vote]:
        """Every vote, oldest first."""
        return [vote_of(row) for row in self.rows()]

    def clear(self) -> int:
        """Delete them all; how many there were."""
        if not self.path.exists():
            return 0
        with self._open() as db:
            gone = db.execute("DELETE FROM votes").rowcount
            db.execute("VACUUM")
        return gone

    def rows(self) -> list[dict[str, JsonValue]]:
        """Every vote as it is stored, oldest first."""
        return self._rows("ORDER BY at, rowid")

    def _read(self, which: str, *values: str) -> list[Vote]:
        return [vote_of(row) for row in self._rows(which, *values)]

    def _rows(self, which: str, *values: str) -> list[dict[str, JsonValue]]:
        if not self.path.exists():
            return []
        with self._open() as db:
            db.row_factory = sqlite3.Row
            found = [dict(row) for row in db.execute(f"SELECT * FROM votes {which}", values)]
        return [{**row, "answers": json.loads(row["answers"])} for row in found]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection on which every statement is a transaction."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        try:
            db.execute("PRAGMA secure_delete = ON")
            db.execute(SCHEMA)
            yield db
        finally:
            db.close()


def vote_row(vote: Vote, now: datetime | None = None) -> dict[str, JsonValue]:
    """A vote as it is stored: with the names that records have everywhere, by which an erasure finds it."""
    answers: list[JsonValue] = [
        {"backend": a.backend, "text": a.text, "sources": [{"document": name} for name in a.documents]}
        for a in vote.answers
    ]
    return {
        "round": vote.round,
        "at": (now or datetime.now(UTC)).isoformat(timespec="seconds"),
        "question": vote.question,
        "choice": vote.choice,
        "blind": vote.blind,
        "answers": answers,
    }


def vote_of(row: JsonObject) -> Vote:
    """The vote of a stored row."""
    given = tuple(
        VotedAnswer(a["backend"], a["text"], tuple(source["document"] for source in a["sources"]))
        for a in row["answers"]
    )
    return Vote(row["round"], row["question"], row["choice"], bool(row["blind"]), given)


# --- what they say -------------------------------------------------------------------------------


def win_rates(votes: Sequence[Vote]) -> list[WinRate]:
    """One for each backend that took part, in the order of their first votes."""
    took_part = [a.backend for vote in votes for a in vote.answers]
    return [
        WinRate(name, sum(vote.choice == name for vote in votes), took_part.count(name))
        for name in dict.fromkeys(took_part)
    ]


def preference_pairs(votes: Sequence[Vote]) -> list[dict[str, str]]:
    """Rows of the standard preference format that TRL's DPOTrainer reads: prompt, chosen, rejected.

    The chosen answer with each of the others. The prompt is the question alone, because the backends were
    sent different ones; so markers that point to passages are taken out. Ties, votes for none, answers of the
    same words and answers that a forgotten document took with it make no pair.
    """
    pairs = []
    for vote in votes:
        texts = {a.backend: without_markers(a.text).strip() for a in vote.answers}
        chosen = texts.pop(vote.choice, None)
        for rejected in texts.values():
            given = (vote.question, chosen, rejected)
            if chosen and rejected and chosen != rejected and REMOVED not in given:
                pairs.append({"prompt": vote.question, "chosen": chosen, "rejected": rejected})
    return pairs


def chosen_answers(votes: Sequence[Vote]) -> list[TrainingRow]:
    """The answers that were chosen, with the documents they were shown, as rows to learn from."""
    rows = []
    for vote in votes:
        for given in vote.answers:
            text = without_markers(given.text).strip()
            if given.backend == vote.choice and text and REMOVED not in (vote.question, text):
                rows.append(TrainingRow(vote.question, text, given.documents))
    return rows


def as_jsonl(rows: Sequence[dict[str, str]]) -> str:
    """Rows as text, one JSON object a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
