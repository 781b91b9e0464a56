"""Votes, judged answers, the log of questions and runs: one contract over files and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backends.access.audit import AuditLog
from backends.datatypes import UserError
from backends.documents.library import Library
from backends.documents.opening import open_session, open_store
from backends.erasure import removal
from backends.evaluation import archive, run_rows
from backends.evaluation.archive import Archive, Entry, RunStore
from backends.evaluation.run_rows import open_runs, open_runs_of
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.feedback.judged_answers import JudgedAnswer, counts
from backends.feedback.kept_feedback import keep_present, open_judged, open_question_log, open_votes
from backends.feedback.retrieval_log import KEPT_DAYS, Viewer
from backends.feedback.votes import TIE, Vote, VotedAnswer
from backends.settings import make_settings
from backends.system.data_holder import REMOVED
from tests.evaluation.subjects import ScriptedSubject, make_questions
from tests.fakes import HashingEmbedder
from tests.feedback.test_retrieval_log import NOON, answer, evidence
from tests.scale.conftest import needed

needed("psycopg")
record_rows = pytest.importorskip("backends.postgres.record_rows")
cleaning = pytest.importorskip("backends.postgres.cleaning")

SETTINGS = SimpleNamespace(chunk_size=32, chunk_overlap=8, chunking="sentences")
SECRET = "Nobody knows yet that Lark buys the Osprey company for ninety million."
ADA, BOB = Viewer("ada"), Viewer("bob")
RAG = VotedAnswer("rag", "Within 30 days [1].", ("returns.md",))
BASE = VotedAnswer("base", "Within 45 days.")
JUDGED = JudgedAnswer("r1", "rag", "How long may I return it?", "30 days [1].", ("returns.md",))


@dataclass(frozen=True)
class Servers:
    """Two app servers' workspaces; over files both are the one that they share."""

    one: Path
    two: Path


@pytest.fixture(params=["file", "postgres"])
def servers(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Servers:
    if request.param == "file":
        monkeypatch.setenv("TRIPTYCH_STORE", "")
        return Servers(tmp_path / "one", tmp_path / "one")
    monkeypatch.setenv("TRIPTYCH_STORE", request.getfixturevalue("database"))
    return Servers(tmp_path / "one", tmp_path / "two")


@pytest.fixture
def shared(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Servers:
    monkeypatch.setenv("TRIPTYCH_STORE", database)
    return Servers(tmp_path / "one", tmp_path / "two")


def vote(name: str, choice: str, *answers: VotedAnswer, blind: bool = False) -> Vote:
    return Vote(name, "How long?", choice, blind, answers or (RAG, BASE))


def evaluated(runs: RunStore, count: int = 3) -> archive.Run:
    arms = plain_arms(("rag", "base"), make_settings())
    planned = plan(ScriptedSubject(), make_questions(count), arms, question_set="x")
    return carry_out(runs, runs.begin(planned), ScriptedSubject())


def test_votes_are_the_viewers_own_and_change_in_place(servers: Servers) -> None:
    here, there = open_votes(servers.one, "ada"), open_votes(servers.two, "ada")
    assert (here.all(), here.vote_on("a"), here.clear()) == ([], None, 0)
    given = [vote("a", "rag", blind=True), vote('b"\0\u2028', TIE)]
    for number, each in enumerate(given):
        here.record(each, NOON + timedelta(seconds=number))
    assert there.all() == given and there.vote_on(given[1].round) == given[1]
    there.record(vote("a", "base", BASE, blind=True), NOON + timedelta(seconds=9))
    assert here.all() == [given[1], vote("a", "base", blind=False)]  # the answers that were shown stay
    assert open_votes(servers.one, "ada", "hr").all() == open_votes(servers.two, "bob").all() == []
    open_votes(servers.two, "bob").record(vote("z", TIE))
    assert here.clear() == 2 and there.all() == []
    assert len(open_votes(servers.one, "bob").all()) == 1


def test_judged_answers_give_way_to_what_is_said_later(servers: Servers) -> None:
    here, there = open_judged(servers.one, "ada", "hr"), open_judged(servers.two, "ada", "hr")
    here.keep(replace(JUDGED, right=True))
    there.keep(replace(JUDGED, backend="hybrid", right=False, gold="30 days"))
    here.keep(replace(JUDGED, right=False))
    assert [(each.backend, each.right) for each in there.all()] == [("hybrid", False), ("rag", False)]
    assert counts(there.all()) == {"hybrid": (0, 1), "rag": (0, 1)}
    assert [case.answers for case in there.questions()] == [("30 days",)]
    there.keep(JUDGED)  # taken back
    assert here.find("r1", "rag") is None
    here.keep(replace(JUDGED, gold="a month"))
    there.clear_cases()
    assert here.questions() == [] and [each.backend for each in here.all()] == ["hybrid"]
    assert open_judged(servers.one, "ada").all() == []


def test_the_log_counts_questions_and_knows_whose_they_are(servers: Servers) -> None:
    here, there = open_question_log(servers.one), open_question_log(servers.two)
    times = [NOON + timedelta(minutes=number) for number in (0, 1, 2, 9, 20)]
    for at, backend in zip(times, ("rag", "hybrid", "rag", "hybrid", "base"), strict=True):
        here.record(ADA, answer("What is X?", backend), evidence("a.md", "b.md"), at)
    here.record(replace(ADA, role="hr"), answer("What is X?"), evidence(), times[1])
    here.record(BOB, answer("What is X?"), evidence("b.md", fits=False), times[1])
    later = NOON + timedelta(hours=1)
    seen = there.health(ADA, 3, later)
    # rag and hybrid of the first asking, of the second, a third after more than ten minutes, one as hr
    assert (seen.questions, seen.retrievals, seen.empty) == (4, 6, 1)
    assert there.health(replace(ADA, role="hr"), 3, later).questions == 1
    assert there.health(BOB, 3, later).low == 1
    there.switch("bob", False)
    here.record(BOB, answer("Private"), evidence("a.md"), NOON)
    assert not here.enabled("bob") and here.health(BOB, 3, later).questions == 1
    here.switch("bob", True)
    assert there.enabled("bob")
    assert there.forget("ada", "b.md") == 5 and here.health(ADA, 3, later).questions == 1
    assert here.forget_for_all_but(["bob"], "b.md") == 0
    assert here.forget_for_all_but(["ada"], "b.md") == 1
    assert here.clear("ada") == 1 and here.clear("ada") == 0
    assert there.health(ADA, 3, later).questions == 0


def test_old_rows_of_the_log_go(servers: Servers) -> None:
    kept = open_question_log(servers.one)
    kept.record(ADA, answer("Long ago"), evidence("a.md"), NOON - timedelta(days=KEPT_DAYS, minutes=1))
    kept.record(ADA, answer("Now"), evidence("a.md"), NOON)
    assert kept.health(ADA, 300, NOON).questions == 1


def test_a_run_is_the_same_on_every_server(servers: Servers) -> None:
    here, there = open_runs(servers.one), open_runs(servers.two)
    assert here.records() == []
    run = evaluated(here)
    assert there.load(run.record.run) == run and there.records() == [run.record]
    assert there.has(run.record.run) and not there.has("another")
    newer = evaluated(there, 1)
    assert [each.run for each in here.records()] == [newer.record.run, run.record.run]
    assert here.find("latest") == newer.record == here.find(newer.record.run)
    before = here.state(run.record.run)
    assert there.state(run.record.run) == before
    there.add(run.record.run, Entry("q000", "rag", failure="again"))
    assert here.state(run.record.run) != before
    assert here.load(run.record.run).entries[-1].failure == "again"
    there.update(replace(run.record, name="first", complete=False))
    assert here.find("first").questions == run.record.questions
    assert here.unfinished(replace(run.record, run="", name="")) == here.find("first")
    assert open_runs_of(servers.one, "ada").records() == []
    there.delete(run.record.run)
    assert [each.run for each in here.records()] == [newer.record.run]
    with pytest.raises(UserError, match="is no readable evaluation run"):
        here.load(run.record.run)


def test_one_works_on_a_run_at_a_time(servers: Servers) -> None:
    here, there = open_runs(servers.one), open_runs(servers.two)
    first, second = evaluated(here, 1).record.run, evaluated(here, 1).record.run
    with here.alone(first):
        with pytest.raises(UserError, match=f"{first} is being worked on"), there.alone(first):
            pass
        with there.alone(second):
            pass
    with there.alone(first):
        pass


def test_the_oldest_runs_go(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "KEPT_RUNS", 2)
    monkeypatch.setattr(run_rows, "KEPT_RUNS", 2)
    runs = open_runs(servers.one)
    made = [evaluated(runs, 1).record.run for _ in range(3)]
    assert [each.run for each in runs.records()] == made[:0:-1]


# --- forgetting ----------------------------------------------------------------------------------


def told(where: Path, person: str) -> None:
    """What a person leaves behind of a document, in its words and by its name."""
    open_votes(where, person).record(
        vote("v", "rag", VotedAnswer("rag", "It is Lark [1].", ("merger.md",)), VotedAnswer("base", SECRET))
    )
    open_judged(where, person).keep(
        JudgedAnswer("j", "rag", "Who buys the Osprey company?", "Lark", ("merger.md",), True)
    )
    own = open_runs_of(where, person)
    run = evaluated(own, 1)
    own.add(run.record.run, Entry("q000", "rag", failure=f"It said: {SECRET}"))


def assert_gone(where: Path, person: str) -> None:
    (left,) = open_votes(where, person).all()
    assert [each.text for each in left.answers] == [REMOVED, REMOVED] and left.choice == "rag"
    assert open_judged(where, person).all() == []
    own = open_runs_of(where, person)
    assert own.load(own.find("latest").run).entries[-1].failure == REMOVED


def holding(where: Path, folder: Path) -> Library:
    library = Library(open_store(where), HashingEmbedder())
    (folder / "merger.md").write_text(SECRET)
    list(library.ingest([folder / "merger.md"], settings=SETTINGS))
    return library


def test_forgetting_reaches_what_everybody_left_behind(servers: Servers, tmp_path: Path) -> None:
    library = holding(servers.two, tmp_path)
    told(servers.one, "ada")
    told(servers.two, "bob")
    kept = open_question_log(servers.one)
    kept.record(ADA, answer("Who buys it?"), evidence("merger.md"), NOON)
    kept.record(ADA, answer(f"Is this true: {SECRET}"), evidence("other.md"), NOON)
    AuditLog(servers.one, questions=True).record("asked", "ada", question=SECRET)
    proof = removal.forget(library, "merger.md")
    assert proof.proven and proof.logged_questions == 1 and proof.records >= 9
    for person in ("ada", "bob"):
        assert_gone(servers.one, person)
    assert [each.question for each in kept.health(ADA, 3, NOON).unanswered] == []
    assert next(AuditLog(servers.two).entries()).question == REMOVED


def test_a_visitors_copy_forgets_that_visitors_alone(servers: Servers, tmp_path: Path) -> None:
    holding(servers.one, tmp_path)
    copy = open_session(servers.one, "ada", HashingEmbedder())
    for person in ("ada", "ada2"):
        told(servers.one, person)
    proof = removal.forget(copy, "merger.md")
    assert proof.proven
    assert_gone(servers.one, "ada")
    assert open_votes(servers.one, "ada2").all()[0].answers[1].text == SECRET
    assert open_judged(servers.one, "ada2").all() != []


@pytest.mark.parametrize("copy", [False, True])
def test_the_proof_reads_what_the_database_holds(
    shared: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy: bool
) -> None:
    library = holding(shared.one, tmp_path)
    library = open_session(shared.one, "ada", HashingEmbedder()) if copy else library
    told(shared.two, "ada")
    monkeypatch.setattr(record_rows, "change_records", lambda *_: None)
    proof = removal.forget(library, "merger.md")
    assert not proof.proven and len(proof.found_in) == 1
    assert proof.found_in[0].endswith("the shared records" if copy else ": triptych.records")
    assert any("write-ahead log" in limit for limit in proof.limits)


def test_records_that_cannot_be_had_are_named_in_the_proof(
    shared: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding(shared.one, tmp_path)
    copy = open_session(shared.one, "ada", HashingEmbedder())

    def silent(*_: object) -> None:
        raise UserError("The database does not answer.")

    monkeypatch.setattr(record_rows, "change_records", silent)
    proof = removal.forget(copy, "merger.md")
    assert (proof.proven, proof.unread) == (False, ("the shared records",))


def test_what_is_removed_leaves_the_tables_file(
    shared: Servers, postgres: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleaned: list[list[str]] = []
    real = cleaning.clean_tables

    def clean(server: Any, tables: Sequence[str]) -> bool:
        cleaned.append(list(tables))
        return bool(real(server, tables))

    monkeypatch.setattr(record_rows, "clean_tables", clean)
    open_votes(shared.one, "ada").record(vote("a", TIE))
    open_votes(shared.one, "ada").clear()
    open_question_log(shared.one).record(ADA, answer("Q"), evidence("a.md"), NOON)
    open_question_log(shared.two).clear("ada")
    runs = open_runs(shared.one)
    runs.delete(evaluated(runs, 1).record.run)
    assert cleaned == [["records"]] * 3
    dead = record_rows.prepared(open_store(shared.one).server._address).row(  # type: ignore[attr-defined]
        "SELECT pg_relation_size('records')"
    )
    assert dead == (0,)


# --- from files into the database ----------------------------------------------------------------


def all_of(where: Path) -> list[object]:
    runs = [open_runs(where), open_runs_of(where, "ada")]
    log = open_question_log(where)
    return [
        open_votes(where, "ada").all(),
        open_judged(where, "ada").all(),
        log.health(ADA, 3, NOON),
        log.enabled("bob"),
        [[each.load(record.run) for record in each.records()] for each in runs],
    ]


def test_what_lay_in_files_moves_into_the_database_once(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "one"
    monkeypatch.setenv("TRIPTYCH_STORE", "")
    open_votes(where, "ada").record(vote("a", "rag", blind=True))
    open_judged(where, "ada").keep(replace(JUDGED, right=True))
    log = open_question_log(where)
    for backend in ("rag", "hybrid"):
        log.record(ADA, answer("What is X?", backend), evidence("a.md"), NOON)
    log.switch("bob", False)
    evaluated(open_runs(where))
    evaluated(open_runs_of(where, "ada"), 1)
    kept = all_of(where)
    monkeypatch.setenv("TRIPTYCH_STORE", database)
    assert all_of(where) == kept == all_of(tmp_path / "two")
    assert not [path for path in where.rglob("*") if path.is_file()]
    monkeypatch.setenv("TRIPTYCH_STORE", "")
    open_votes(where, "ada").record(vote("a", TIE))  # an old server of a rolling upgrade writes on
    open_votes(where, "ada").record(vote("b", TIE))
    monkeypatch.setenv("TRIPTYCH_STORE", database)
    votes = [(each.round, each.choice) for each in open_votes(where, "ada").all()]
    assert votes == [("a", "rag"), ("b", TIE)]


def test_runs_of_a_visitors_own_copy_stay_beside_it(shared: Servers) -> None:
    copy = shared.one / "sessions" / "ada"
    run = evaluated(open_runs(copy), 1)
    assert Archive(copy).records() == [run.record]
    assert open_runs(shared.one).records() == []


def test_who_was_away_for_long_is_forgotten_but_not_their_log(shared: Servers) -> None:
    for person in ("ada", "bob"):
        open_votes(shared.one, person).record(vote("a", TIE))
    log = open_question_log(shared.one)
    log.switch("ada", False)
    log.record(BOB, answer("Q"), evidence("a.md"), NOON)
    evaluated(open_runs(shared.one), 1)
    age = "UPDATE records SET at = at - interval '31 days'"
    server = open_store(shared.one).server  # type: ignore[attr-defined]
    server.run(age)
    keep_present(shared.two, "ada", 30)
    assert len(open_votes(shared.one, "ada").all()) == 1
    assert open_votes(shared.one, "bob").all() == []
    assert not log.enabled("ada") and log.health(BOB, 3, NOON).questions == 1
    assert len(open_runs(shared.two).records()) == 1
