"""The log of retrievals: numbers by hand, one visitor's eyes only, switched off, forgotten."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backends.datatypes import Answer, Chunk, Cost, Evidence, Hit, Sentence, Source, Usage
from backends.documents.library import Library
from backends.documents.store import Workspace
from backends.erasure import removal
from backends.feedback.kept_feedback import LogData
from backends.feedback.retrieval_log import Health, Monitor, Viewer
from backends.settings import make_settings
from backends.system.data_holder import REMOVED
from tests.fakes import HashingEmbedder

ADA, BOB = Viewer("ada"), Viewer("bob")
NOON = datetime(2026, 9, 10, 12, tzinfo=UTC)


def answer(question: str, backend: str = "rag", *, ms: float = 10.0, declined: bool = False) -> Answer:
    return Answer(
        id="q",
        question=question,
        backend=backend,
        text="",
        citations=(),
        sources=(),
        latency_ms={"retrieve": ms, "rerank": 5.0, "generate": 900.0, "total": 915.0 + ms},
        usage=Usage(1, 1),
        cost=Cost(0.0, "USD", ""),
        model="m",
        adapter=None,
        abstained=declined,
        groundedness=None,
    )


def evidence(*documents: str, fits: bool = True) -> Evidence:
    hits = [
        Hit(Chunk(name, 1, 0, 4, "Text", None, 1), rank, 0.03, 0.5 / rank, 2.0)
        for rank, name in enumerate(documents, start=1)
    ]
    sources = tuple(Source(1, hit, (Sentence(0, 4, "Text"),)) for hit in hits[:1])
    return Evidence(sources, tuple(hits[1:]), () if fits and hits else ("It fits badly.",))


@pytest.fixture
def monitor(tmp_path) -> Monitor:
    return Monitor(tmp_path)


def health(monitor: Monitor, reader: Viewer = ADA, days: int = 3) -> Health:
    return monitor.health(reader, days, now=NOON + timedelta(hours=1))


def test_numbers_by_hand(monitor):
    monitor.record(ADA, answer("What is X?", ms=10), evidence("a.md", "b.md"), NOON - timedelta(days=2))
    monitor.record(ADA, answer("what is x", ms=20), evidence("a.md"), NOON)
    monitor.record(ADA, answer("what is x", "hybrid", ms=30), evidence("a.md"), NOON)
    monitor.record(ADA, answer("Who is Y?", ms=40), evidence("a.md", fits=False), NOON)
    monitor.record(ADA, answer("Where is Z?", ms=50), evidence(), NOON)
    monitor.record(ADA, answer("Why W?", ms=60, declined=True), evidence("b.md"), NOON)
    monitor.record(ADA, answer("Base?", "base"), None, NOON)  # looks nothing up
    seen = health(monitor)
    assert (seen.questions, seen.retrievals, seen.low, seen.empty) == (5, 6, 1, 1)
    assert seen.per_day == (("2026-09-08", 1), ("2026-09-09", 0), ("2026-09-10", 4))
    # Retrieve and rerank: 15, 25, 35, 45, 55, 65. Of so few the slowest in a hundred cannot be told.
    assert (seen.median_ms, seen.p95_ms, seen.slowest_ms) == (40.0, None, 65.0)
    assert seen.most_asked == (("what is x", 2),)
    assert [(each.question, each.reason, each.best) for each in seen.unanswered] == [
        ("Why W?", "The answer was declined", 0.5),
        ("Where is Z?", "Nothing was found", None),
        ("Who is Y?", "Nothing fitted well", 0.5),
    ]
    assert health(monitor, days=1).questions == 4


def test_one_of_twenty_is_told_from_twenty_questions_on(monitor):
    for number in range(20):
        assert health(monitor).p95_ms is None
        monitor.record(ADA, answer(f"What is X{number}?", ms=number), evidence("a.md"), NOON)
    assert health(monitor).p95_ms == pytest.approx(5 + 18.05)


def test_the_same_question_again_counts_again(monitor):
    for at in (NOON, NOON + timedelta(minutes=1)):
        monitor.record(ADA, answer("What is X?"), evidence("a.md"), at)
        monitor.record(ADA, answer("What is X?", "hybrid"), evidence("a.md"), at)
    assert (health(monitor).questions, health(monitor).retrievals) == (2, 4)


def test_no_visitor_sees_another_and_no_role_what_was_asked_outside_it(monitor):
    staff = replace(ADA, role="staff")
    monitor.record(ADA, answer("What do the directors earn?"), evidence("pay.md"), NOON)
    monitor.record(staff, answer("When is lunch?"), evidence("canteen.md"), NOON)
    monitor.record(BOB, answer("Bob's question"), evidence("a.md"), NOON)
    assert (health(monitor).questions, health(monitor, BOB).questions) == (2, 1)
    assert health(monitor, staff).questions == 1
    assert health(monitor, replace(ADA, role="hr")).questions == 0
    assert health(monitor, replace(BOB, role="staff")).questions == 0


def test_switched_off_means_nothing_is_written(monitor):
    monitor.switch("ada", False)
    monitor.record(ADA, answer("A private question"), evidence("a.md"), NOON)
    monitor.record(BOB, answer("Another"), evidence("a.md"), NOON)
    assert not monitor.enabled("ada") and monitor.enabled("bob")
    assert b"private" not in monitor.path.read_bytes()
    monitor.switch("ada", True)
    monitor.record(ADA, answer("A public question"), evidence("a.md"), NOON)
    assert health(monitor).questions == 1


def test_a_visitor_deletes_the_own_log_only_and_it_is_gone_from_the_disk(monitor):
    monitor.record(ADA, answer("A private question"), evidence("a.md"), NOON)
    monitor.record(BOB, answer("Another"), evidence("a.md"), NOON)
    assert monitor.clear("ada") == 1
    assert b"private" not in monitor.path.read_bytes()
    assert (health(monitor).questions, health(monitor, BOB).questions) == (0, 1)


def test_a_visitor_who_forgets_a_document_loses_the_questions_that_found_it(monitor):
    monitor.record(ADA, answer("About a"), evidence("b.md", "a.md"), NOON)
    monitor.record(ADA, answer("About b"), evidence("b.md"), NOON)
    monitor.record(BOB, answer("About a"), evidence("a.md"), NOON)
    assert monitor.forget("ada", "a.md") == 1
    assert (health(monitor).questions, health(monitor, BOB).questions) == (1, 1)


def test_old_rows_go(monitor):
    monitor.record(ADA, answer("Long ago"), evidence("a.md"), NOON - timedelta(days=100))
    monitor.record(ADA, answer("Now"), evidence("a.md"), NOON)
    assert health(monitor, days=200).questions == 1


@pytest.mark.own_file
def test_forgetting_in_the_library_reaches_the_log(tmp_path):
    secret = "Zanzibar was chosen as the site of the second research station."
    (tmp_path / "gone.md").write_text(secret)
    library = Library(Workspace.open(tmp_path / "workspace"), HashingEmbedder())
    list(library.ingest([tmp_path / "gone.md"], settings=make_settings()))
    monitor = Monitor(tmp_path / "workspace")
    monitor.record(ADA, answer(f"Is it true that {secret}"), evidence("gone.md", "keep.md"), NOON)
    monitor.record(BOB, answer("And the canteen?"), evidence("keep.md"), NOON)
    monitor.record(BOB, answer(f"Somebody says: {secret}"), evidence("keep.md"), NOON)
    proof = removal.forget(library, "gone.md")
    assert proof.proven and proof.logged_questions == 1
    rows = sqlite3.connect(monitor.path).execute("SELECT question FROM retrievals ORDER BY id").fetchall()
    assert rows == [("And the canteen?",), (REMOVED,)]


def test_forgetting_in_the_workspace_leaves_the_log_of_those_with_a_copy_of_their_own(tmp_path, monitor):
    (monitor.path.parent / "sessions" / "ada").mkdir(parents=True)
    for reader in (ADA, BOB):
        monitor.record(reader, answer("About a"), evidence("a.md"), NOON)
    assert LogData().forget(monitor.path.parent, "a.md").questions == 1
    assert (health(monitor).questions, health(monitor, BOB).questions) == (1, 0)
    assert LogData().forget(monitor.path.parent / "sessions" / "ada", "a.md").questions == 1
