"""Votes, judged answers and the log of questions as rows of the database that app servers share.

Enters and leaves: what `votes`, `judged_answers` and `retrieval_log` keep in files, by the same protocols.
Erasure finds a document's words in them by the names that all records have.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from backends.datatypes import Answer, Evidence, JsonObject, JsonValue
from backends.feedback.judged_answers import (
    JudgedAnswer,
    JudgedStore,
    judged_row,
    readable,
    without_cases,
)
from backends.feedback.retrieval_log import (
    ONE_ASKING,
    Health,
    LastDays,
    Viewer,
    before,
    health_of,
    oldest_kept,
    retrieval_row,
)
from backends.feedback.votes import Vote, vote_of, vote_row
from backends.postgres.record_rows import PostgresRecords, keyed

RETRIEVAL, NOT_LOGGED = "retrieval", "not logged"
LOG_KINDS = (RETRIEVAL, NOT_LOGGED)
SAME_DAY = timedelta(days=1)  # further back no row is looked at to tell whether a question is asked again


class PostgresVotes:
    """One viewer's votes."""

    def __init__(self, address: str, place: str) -> None:
        self._records = PostgresRecords(address, place, "vote")

    def record(self, vote: Vote, now: datetime | None = None) -> None:
        """Keep this vote; one that was changed keeps its question and answers and is no longer blind."""
        row = vote_row(vote, now)
        with self._records.server.transaction():
            if (known := self._records.get(vote.round)) is not None:
                row = {**known, "at": row["at"], "choice": row["choice"], "blind": False}
            self._records.put(vote.round, row)

    def vote_on(self, round_id: str) -> Vote | None:
        """The vote about these answers."""
        row = self._records.get(round_id)
        return vote_of(row) if row is not None else None

    def all(self) -> list[Vote]:
        """Every vote, by the time at which it was given or changed."""
        return [vote_of(row) for row in sorted(self._records.all(), key=lambda row: str(row["at"]))]

    def clear(self) -> int:
        """Delete them all."""
        gone = self._records.clear()
        self._records.clean()
        return gone

    def take(self, rows: Iterable[JsonObject]) -> None:
        """Votes that lay in a file before."""
        for row in rows:
            self._records.take(str(row["round"]), row)


class PostgresJudged(JudgedStore):
    """What one viewer said of answers."""

    def __init__(self, address: str, place: str) -> None:
        self._records = PostgresRecords(address, place, "judged")

    def all(self) -> list[JudgedAnswer]:
        """Without what is gone."""
        return readable(self._records.all())

    def keep(self, judged: JudgedAnswer) -> None:
        """Keep this one in the place of what was said of the same answer, as the newest."""
        key = json.dumps(judged.key)
        with self._records.server.transaction():
            self._records.remove(key)
            if judged.said:
                self._records.put(key, judged_row(judged))

    def clear_cases(self) -> None:
        """Drop the test cases."""
        with self._records.server.transaction():
            kept = without_cases(self.all())
            self._records.clear()
            self.take(kept)

    def take(self, judged: Iterable[JudgedAnswer]) -> None:
        """What was said, oldest first, unless something else was said since."""
        for each in judged:
            self._records.take(json.dumps(each.key), judged_row(each))


class PostgresQuestionLog:
    """The log of all who use a workspace; each person's rows are theirs, in the order of their keys."""

    def __init__(self, address: str) -> None:
        self._address = address

    def _of(self, person: str) -> PostgresRecords:
        return PostgresRecords(self._address, person, RETRIEVAL)

    def _off(self, person: str) -> PostgresRecords:
        return PostgresRecords(self._address, person, NOT_LOGGED)

    def enabled(self, person: str) -> bool:
        """Whether this person's questions are logged."""
        return not self._off(person).keys()

    def switch(self, person: str, on: bool) -> None:
        """Log this visitor's questions from now on, or no longer."""
        if on:
            self._off(person).clear()
        else:
            self._off(person).put("", {})

    def record(
        self, reader: Viewer, answer: Answer, evidence: Evidence | None, now: datetime | None = None
    ) -> None:
        """Log the retrieval behind an answer."""
        if evidence is None or not self.enabled(reader.person):
            return
        row = retrieval_row(reader, answer, evidence, now or datetime.now(UTC))
        records = self._of(reader.person)
        with records.server.transaction():
            records.remove_before(oldest_kept(row))
            key = _key(row)
            records.put(key, {**row, "asking": _asking(records.all(before(row, SAME_DAY)), row) or key})

    def clear(self, person: str) -> int:
        """Delete a visitor's log."""
        return self._cleaned(self._of(person).clear())

    def forget(self, person: str, document: str) -> int:
        """Delete the visitor's questions that found this document."""
        return self._remove(document, lambda place: place == person)

    def forget_for_all_but(self, persons: Sequence[str], document: str) -> int:
        """Delete all questions that found this document but those of these persons."""
        return self._remove(document, lambda place: place not in persons)

    def _remove(self, document: str, whose: Callable[[str], bool]) -> int:
        found = [
            (records, key)
            for records, key, row in keyed(self._address, RETRIEVAL)
            if whose(records.place) and any(hit["document"] == document for hit in row["hits"])
        ]
        return self._cleaned(sum(records.remove(key) for records, key in found))

    def _cleaned(self, gone: int) -> int:
        if gone:
            self._of("").clean()
        return gone

    def health(self, reader: Viewer, days: int, now: datetime | None = None, most: int = 10) -> Health:
        """The last `days` days of this visitor."""
        span = LastDays(now or datetime.now(UTC), days)
        return health_of(self._of(reader.person).all(span.first), reader, span, most)

    def take(self, rows: Iterable[JsonObject], switched_off: Iterable[str]) -> None:
        """What a file held before."""
        for row in rows:
            self._of(str(row["person"])).take(f"{row['at']} {row['id']}", row)
        for person in switched_off:
            self.switch(person, False)


def _key(row: JsonObject) -> str:
    """Keys sort by time."""
    return f"{row['at']} {uuid.uuid4().hex}"


def _asking(earlier: Sequence[JsonObject], row: JsonObject) -> JsonValue:
    """The question of an earlier row that this one asks of another backend; None when it is a new one."""
    same = [each for each in earlier if each["role"] == row["role"] and each["question"] == row["question"]]
    if not same or str(same[-1]["at"]) < before(row, ONE_ASKING):
        return None
    asking: JsonValue = same[-1]["asking"]
    return None if row["backend"] in [e["backend"] for e in same if e["asking"] == asking] else asking
