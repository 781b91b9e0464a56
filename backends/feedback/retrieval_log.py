"""Monitoring: what each question found, kept in the workspace for the visitor who asked it.

Enters: an answer and its evidence, and who asked through whose eyes. Leaves: a `Health` made of that
visitor's own questions alone; a role's view counts only what was asked in it. A visitor can switch the log
off and delete it. It lies in a file of its own, so that no copy of the library carries questions along, or in
the database that app servers share (`feedback_rows`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import numpy as np

from backends.datatypes import Answer, Evidence, Hit, JsonObject, JsonValue

FILE = "monitoring.db"
KEPT_DAYS = 90
ONE_ASKING = timedelta(minutes=10)  # the same question to another backend within this time was asked once
SCHEMA = """
CREATE TABLE IF NOT EXISTS retrievals (
    id INTEGER PRIMARY KEY, asking INTEGER NOT NULL, person TEXT NOT NULL, role TEXT NOT NULL,
    at TEXT NOT NULL, question TEXT NOT NULL, backend TEXT NOT NULL, milliseconds REAL NOT NULL,
    hits TEXT NOT NULL, best REAL, found INTEGER NOT NULL, fits INTEGER NOT NULL, declined INTEGER NOT NULL,
    warnings TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS retrievals_by_person ON retrievals (person, at);
CREATE TABLE IF NOT EXISTS switched_off (person TEXT PRIMARY KEY);
"""
FOUND_IT = "EXISTS (SELECT 1 FROM json_each(hits) WHERE json_extract(value, '$.document') = ?)"
ENOUGH = 20  # questions from which one of twenty can be told
LISTS = ("hits", "warnings")  # columns that hold JSON
RETRIEVAL_STAGES = ("rewrite", "retrieve", "rerank")


@dataclass(frozen=True)
class Viewer:
    """Who asks, and through whose eyes; role None is the owner's view."""

    person: str
    role: str | None = None


@dataclass(frozen=True)
class Unanswered:
    """A question the documents did not answer, and what happened."""

    question: str
    at: datetime
    reason: str
    best: float | None  # cosine of the best passage


@dataclass(frozen=True)
class Health:
    """A visitor's questions of some days in numbers. Shares are of questions; times are of retrievals."""

    questions: int
    retrievals: int
    per_day: tuple[tuple[str, int], ...]  # ISO day, oldest first, days without a question included
    median_ms: float | None
    p95_ms: float | None  # None below ENOUGH questions: it would be the slowest one
    slowest_ms: float | None
    low: int  # questions for which something was found and nothing fitted well
    empty: int  # questions for which nothing was found
    most_asked: tuple[tuple[str, int], ...]
    unanswered: tuple[Unanswered, ...]  # newest first


class QuestionLog(Protocol):
    """The log of one workspace. Safe to use from several threads and processes."""

    def enabled(self, person: str) -> bool:
        """Whether this person's questions are logged."""
        ...

    def switch(self, person: str, on: bool) -> None:
        """Log this visitor's questions from now on, or no longer; what is there stays until it is deleted."""
        ...

    def record(
        self, reader: Viewer, answer: Answer, evidence: Evidence | None, now: datetime | None = None
    ) -> None:
        """Log the retrieval behind an answer; nothing for backends that look nothing up."""
        ...

    def clear(self, person: str) -> int:
        """Delete a visitor's log; how many rows went."""
        ...

    def forget(self, person: str, document: str) -> int:
        """Delete the visitor's questions that found this document; how many rows went."""
        ...

    def forget_for_all_but(self, persons: Sequence[str], document: str) -> int:
        """Delete all questions that found this document but those of these persons; how many rows went."""
        ...

    def health(self, reader: Viewer, days: int, now: datetime | None = None, most: int = 10) -> Health:
        """The last `days` days of this visitor; a role sees what was asked in its own view only."""
        ...


class Monitor:
    """The log in a file of the workspace."""

    def __init__(self, workspace: Path) -> None:
        self.path = workspace / FILE

    def enabled(self, person: str) -> bool:
        """Whether this person's questions are logged."""
        with self._open() as db:
            return db.execute("SELECT 1 FROM switched_off WHERE person = ?", (person,)).fetchone() is None

    def switch(self, person: str, on: bool) -> None:
        """Log this visitor's questions from now on, or no longer; what is there stays until it is deleted."""
        with self._open() as db:
            if on:
                db.execute("DELETE FROM switched_off WHERE person = ?", (person,))
            else:
                db.execute("INSERT OR IGNORE INTO switched_off VALUES (?)", (person,))

    def record(
        self, reader: Viewer, answer: Answer, evidence: Evidence | None, now: datetime | None = None
    ) -> None:
        """Log the retrieval behind an answer; nothing for backends that look nothing up."""
        if evidence is None or not self.enabled(reader.person):
            return
        row = retrieval_row(reader, answer, evidence, now or datetime.now(UTC))
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")  # committed whole, or gone when the connection closes
            db.execute("DELETE FROM retrievals WHERE at < ?", (oldest_kept(row),))
            values = {
                **row,
                "asking": self._asking(db, row),
                **{name: json.dumps(row[name], ensure_ascii=False) for name in LISTS},
            }
            db.execute(
                f"INSERT INTO retrievals ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                tuple(values.values()),
            )
            db.execute("COMMIT")

    @staticmethod
    def _asking(db: sqlite3.Connection, row: JsonObject) -> int:
        """The number of the question: the same one when only another backend answers it."""
        same = db.execute(
            "SELECT asking FROM retrievals WHERE person = ? AND role = ? AND question = ? AND at >= ?"
            " ORDER BY id DESC LIMIT 1",
            (row["person"], row["role"], row["question"], before(row, ONE_ASKING)),
        ).fetchone()
        if same is not None:
            backends = db.execute("SELECT backend FROM retrievals WHERE asking = ?", same)
            if row["backend"] not in {each[0] for each in backends}:
                return int(same[0])
        (last,) = db.execute("SELECT coalesce(max(asking), 0) FROM retrievals").fetchone()
        return int(last) + 1

    def rows(self) -> list[dict[str, JsonValue]]:
        """Everything logged, of everybody, oldest first."""
        return self._rows("ORDER BY id")

    def _rows(self, which: str, *values: str) -> list[dict[str, JsonValue]]:
        with self._open() as db:
            db.row_factory = sqlite3.Row
            found = [dict(row) for row in db.execute(f"SELECT * FROM retrievals {which}", values)]
        return [{**row, **{name: json.loads(row[name]) for name in LISTS}} for row in found]

    def switched_off(self) -> list[str]:
        """Who wants nothing logged."""
        with self._open() as db:
            return [row[0] for row in db.execute("SELECT person FROM switched_off")]

    def clear(self, person: str) -> int:
        """Delete a visitor's log; how many rows went."""
        return self._delete("person = ?", person)

    def forget(self, person: str, document: str) -> int:
        """Delete the visitor's questions that found this document; how many rows went."""
        return self._delete(f"person = ? AND {FOUND_IT}", person, document)

    def forget_for_all_but(self, persons: Sequence[str], document: str) -> int:
        """Delete all questions that found this document but those of these persons; how many rows went."""
        others = "person NOT IN (SELECT value FROM json_each(?))"
        return self._delete(f"{others} AND {FOUND_IT}", json.dumps(list(persons)), document)

    def _delete(self, where: str, *values: str) -> int:
        if not self.path.exists():
            return 0
        with self._open() as db:
            gone = db.execute(f"DELETE FROM retrievals WHERE {where}", values).rowcount
        with self._open() as db:
            db.execute("VACUUM")
        return gone

    # --- looking at it -------------------------------------------------------------------------

    def health(self, reader: Viewer, days: int, now: datetime | None = None, most: int = 10) -> Health:
        """The last `days` days of this visitor; a role sees what was asked in its own view only."""
        span = LastDays(now or datetime.now(UTC), days)
        rows = self._rows("WHERE person = ? AND at >= ? ORDER BY id", reader.person, span.first)
        return health_of(rows, reader, span, most)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        try:
            db.execute("PRAGMA secure_delete = ON")
            for statement in SCHEMA.split(";\n"):
                db.execute(statement)
            yield db
        finally:
            db.close()


@dataclass(frozen=True)
class LastDays:
    """Some whole days, the last of them today."""

    today: datetime
    days: int

    @property
    def first(self) -> str:
        """The first of them, ISO 8601."""
        return self._day(self.days - 1)

    @property
    def all(self) -> list[str]:
        """Each of them, oldest first."""
        return [self._day(ago) for ago in reversed(range(self.days))]

    def _day(self, ago: int) -> str:
        return (self.today - timedelta(days=ago)).date().isoformat()


def health_of(rows: Sequence[JsonObject], reader: Viewer, span: LastDays, most: int) -> Health:
    """What logged rows of a person come to, oldest first; a role sees those of its own view."""
    rows = [row for row in rows if reader.role is None or row["role"] == reader.role]
    askings: dict[JsonValue, list[JsonObject]] = {}
    for row in rows:
        askings.setdefault(row["asking"], []).append(row)
    asked = [each[0] for each in askings.values()]
    times = [row["milliseconds"] for row in rows]
    return Health(
        questions=len(asked),
        retrievals=len(rows),
        per_day=tuple((day, sum(row["at"].startswith(day) for row in asked)) for day in span.all),
        median_ms=float(np.median(times)) if times else None,
        p95_ms=float(np.percentile(times, 95)) if len(asked) >= ENOUGH else None,
        slowest_ms=max(times, default=None),
        low=sum(any(row["found"] and not row["fits"] for row in each) for each in askings.values()),
        empty=sum(all(not row["found"] for row in each) for each in askings.values()),
        most_asked=_most_asked([row["question"] for row in asked], most),
        unanswered=tuple(reversed([made for each in askings.values() if (made := _unanswered(each))])),
    )


def retrieval_row(reader: Viewer, answer: Answer, evidence: Evidence, at: datetime) -> dict[str, JsonValue]:
    """What is kept of one retrieval, but for the number of its question."""
    hits = sorted([*(s.hit for s in evidence.sources), *evidence.left_out], key=lambda hit: hit.rank)
    found: list[JsonValue] = [_row(hit) for hit in hits]
    return {
        "person": reader.person,
        "role": reader.role or "",
        "at": _stamp(at),
        "question": answer.question,
        "backend": answer.backend,
        "milliseconds": sum(answer.latency_ms.get(stage, 0.0) for stage in RETRIEVAL_STAGES),
        "hits": found,
        "best": max((hit.dense for hit in hits if hit.dense is not None), default=None),
        "found": bool(hits),
        "fits": bool(hits) and not evidence.warnings,
        "declined": answer.abstained,
        "warnings": list(answer.warnings),
    }


def oldest_kept(row: JsonObject) -> str:
    """When the oldest rows were logged that stay beside this one."""
    return before(row, timedelta(days=KEPT_DAYS))


def before(row: JsonObject, span: timedelta) -> str:
    """So long before a row was logged."""
    return _stamp(datetime.fromisoformat(row["at"]) - span)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _row(hit: Hit) -> dict[str, JsonValue]:
    """What is kept of a hit: where it stands and its scores, never its text."""
    chunk = hit.chunk
    return {
        "document": chunk.document,
        "version": chunk.version,
        "start": chunk.start,
        "end": chunk.end,
        "score": round(hit.score, 4),
        "dense": None if hit.dense is None else round(hit.dense, 4),
        "bm25": None if hit.bm25 is None else round(hit.bm25, 4),
    }


def _most_asked(questions: Sequence[str], most: int) -> tuple[tuple[str, int], ...]:
    """Questions asked more than once; capitals, spaces and the mark at the end make no difference."""
    counts: dict[str, tuple[str, int]] = {}
    for question in questions:
        key = " ".join(question.casefold().rstrip(" ?.!").split())
        counts[key] = (question, counts.get(key, ("", 0))[1] + 1)
    repeated = [pair for pair in counts.values() if pair[1] > 1]
    return tuple(sorted(repeated, key=lambda pair: -pair[1])[:most])


def _unanswered(rows: Sequence[JsonObject]) -> Unanswered | None:
    """Why none of the backends answered this question; None when one did."""
    if any(row["fits"] and not row["declined"] for row in rows):
        return None
    last = rows[-1]
    if not any(row["found"] for row in rows):
        reason = "Nothing was found"
    elif not any(row["fits"] for row in rows):
        reason = "Nothing fitted well"
    else:
        reason = "The answer was declined"
    return Unanswered(last["question"], datetime.fromisoformat(last["at"]), reason, last["best"])
