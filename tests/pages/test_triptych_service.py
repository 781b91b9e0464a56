"""The real service on a tiny random model: prompts as sent, private copies, progress, counts."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from backends.datatypes import Answer, Evidence, Prompt, Token, UserError
from backends.documents.library import Library
from backends.documents.opening import open_session
from backends.documents.store import Workspace
from backends.evaluation.archive import RunRecord, Setting
from backends.feedback.votes import Vote, VotedAnswer
from backends.language.generation import LanguageModel
from backends.product import Triptych
from backends.settings import make_settings
from backends.system.data_holder import REMOVED
from backends.system.reporting import no_report
from backends.system.viewers import viewer_id
from backends.training import row_building
from pages.ui.triptych_service import TriptychService
from tests.fakes import AgreeableReader, HashingEmbedder, tiny_language_model

SETTINGS = make_settings(max_tokens=8, context_tokens=200, top_k=2, chunk_size=32, chunk_overlap=4)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return LanguageModel.load(tiny_language_model(tmp_path_factory.mktemp("model"), context=1024))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A workspace whose own library holds two documents."""
    workspace, files = tmp_path / "workspace", tmp_path / "files"
    files.mkdir()
    (files / "returns.md").write_text("# Returns\n\nCustomers return goods within 30 days.\n")
    (files / "lamps.txt").write_text("The Lark lamp costs 99 euros. It weighs 2 kilos.\n")
    library = Library(Workspace.open(workspace), HashingEmbedder())
    assert [row.status for row in library.ingest([files], settings=SETTINGS)] == ["indexed", "indexed"]
    return workspace


def service_of(visitor: str, base: Path, model: LanguageModel) -> TriptychService:
    def on(library: Library) -> Triptych:
        return Triptych(base, SETTINGS, library, model=model)

    shared = on(Library(Workspace.open(base), HashingEmbedder()))
    return TriptychService(shared, lambda: on(open_session(base, visitor, HashingEmbedder())), person=visitor)


def test_an_answer_comes_with_the_prompt_that_was_sent(base: Path, model: LanguageModel) -> None:
    service = service_of("ada", base, model)
    events = list(service.ask("rag", "What does the lamp cost?", SETTINGS, threading.Event()))
    prompts = [event.text for event in events if isinstance(event, Prompt)]
    assert len(prompts) == 1
    assert "What does the lamp cost?" in prompts[0] and "99 euros" in prompts[0]
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert len([event for event in events if isinstance(event, Evidence)]) == 1
    assert "".join(event.text for event in events if isinstance(event, Token)).strip() == answer.text
    for source in answer.sources:
        document = service.document(source.document, source.version)
        assert document is not None and document.text[source.start : source.end] == source.text


def test_untrained_backend_says_so(base: Path, model: LanguageModel) -> None:
    service = service_of("ada", base, model)
    assert service.statuses()["fine_tuned"].state == "untrained"
    with pytest.raises(UserError, match="no fine-tuned adapter"):
        list(service.ask("fine_tuned", "What?", SETTINGS, threading.Event()))


def test_uploads_and_removals_stay_with_the_visitor(base: Path, model: LanguageModel, tmp_path: Path) -> None:
    ada, bob = service_of("ada", base, model), service_of("bob", base, model)
    note = tmp_path / "note.txt"
    note.write_text("The moon base opens in 2031.")
    assert not ada.private
    results = list(ada.ingest([note], SETTINGS, lambda step: None, threading.Event()))
    assert [(row.document, row.status) for row in results] == [("note.txt", "indexed")]
    ada.forget("lamps.txt", no_report)
    (told,) = ada.removals()
    assert told.proven and told.text.startswith("lamps.txt is gone from your copy: 1 version")
    ada.dismiss_removal(told.id)
    assert ada.removals() == [] and bob.removals() == ()
    assert [d.name for d in ada.documents()] == ["note.txt", "returns.md"]
    assert [d.name for d in bob.documents()] == ["lamps.txt", "returns.md"]
    assert (ada.private, bob.private) == (True, False)


def test_a_copy_that_vanishes_under_a_cached_session_is_told_and_the_pages_go_on(base, model) -> None:
    ada = service_of("ada", base, model)
    ada.forget("lamps.txt", no_report)
    assert (ada.private, ada.lost()) == (True, "")
    shutil.rmtree(base / "sessions" / "ada")
    assert [d.name for d in ada.documents()] == ["lamps.txt", "returns.md"]
    assert ada.lost().startswith("Your own copy of the documents was removed")
    ada.dismiss_loss()
    ada.forget("returns.md", no_report)
    assert ([d.name for d in ada.documents()], ada.lost()) == (["lamps.txt"], "")


def test_forgetting_reaches_the_visitors_log_and_runs(base: Path, model: LanguageModel) -> None:
    ada = service_of("ada", base, model)
    list(ada.ask("rag", "What does the lamp cost?", SETTINGS, threading.Event()))
    assert ada.health(7).questions == 1
    text = ada.document("lamps.txt").text  # type: ignore[union-attr]
    runs = base / "visitors" / "ada" / "evaluations"
    runs.mkdir(parents=True)
    (runs / "answers.jsonl").write_text(json.dumps({"text": text}) + "\n")
    ada.votes().record(Vote("1", "Cost?", "rag", False, (VotedAnswer("rag", "99 euros", ("lamps.txt",)),)))
    ada.forget("lamps.txt", no_report)
    (told,) = ada.removals()
    assert "1 logged question." in told.text and "found nowhere" in told.text
    assert ada.health(7).questions == 0
    assert "99 euros" not in (runs / "answers.jsonl").read_text()
    (vote,) = ada.votes().all()
    assert (vote.choice, vote.answers[0].text) == ("rag", REMOVED)


def test_a_role_name_that_leads_outside_writes_nothing_outside_the_workspace(base, model) -> None:
    role = "x/../../../outside"
    shared = Triptych(base, SETTINGS, Library(Workspace.open(base), HashingEmbedder()), model=model)
    service = TriptychService(shared, lambda: shared, person="ada", role=role)
    before = {path for path in base.parent.rglob("*") if not path.is_relative_to(base)}
    service.votes().record(Vote("1", "Cost?", "rag", False, (VotedAnswer("rag", "99 euros"),)))
    assert len(service.votes().all()) == 1
    service.evaluator(viewer_id("ada", role)).own.begin(RunRecord("", "", "", "own", (), (), Setting()))
    assert {path for path in base.parent.rglob("*") if not path.is_relative_to(base)} == before


def test_passages_are_counted_once_they_are_indexed(base: Path, model: LanguageModel) -> None:
    service = service_of("ada", base, model)
    assert service.passages(SETTINGS) is None
    service.prepare(SETTINGS, no_report)
    counts = service.passages(SETTINGS)
    assert counts is not None and set(counts) == {"returns.md", "lamps.txt"}
    assert counts["lamps.txt"] == len(service.chunks("lamps.txt", SETTINGS))
    assert service.passages(make_settings(chunk_size=64, chunk_overlap=4)) is None


def test_unknown_document_is_none(base: Path, model: LanguageModel) -> None:
    assert service_of("ada", base, model).document("nowhere.md") is None


def test_indexing_stops_when_it_is_cancelled(base: Path, model: LanguageModel) -> None:
    service = service_of("ada", base, model)
    stopped, seen = threading.Event(), []

    def report(done: int, total: int, what: str) -> None:
        seen.append(what)
        stopped.set()

    with pytest.raises(UserError, match="Cancelled"):
        service.prepare(make_settings(chunk_size=48, chunk_overlap=4), report, stopped)
    assert len(seen) <= 2  # the second document is not begun
    service.prepare(make_settings(chunk_size=48, chunk_overlap=4), no_report)  # nothing is left half-made


def test_who_waits_for_anothers_indexing_can_be_cancelled_too(base: Path, model: LanguageModel) -> None:
    service, stopped = service_of("ada", base, model), threading.Event()
    stopped.set()
    building = service._triptych.library._building
    held, done = threading.Event(), threading.Event()

    def build() -> None:
        with building:
            held.set()
            assert done.wait(20)

    other = threading.Thread(target=build)
    other.start()
    assert held.wait(10)
    try:
        with pytest.raises(UserError, match="Cancelled"):
            service.prepare(SETTINGS, no_report, stopped)
    finally:
        done.set()
        other.join()


def test_questions_are_suggested_from_peoples_documents_before_data(
    base: Path, model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_building, "shipped", AgreeableReader)
    service = service_of("ada", base, model)
    (tmp_path / "desks.json").write_text(
        json.dumps([{"device": "desk", "price_eur": 300}, {"device": "lamp", "price_eur": 40}])
    )
    (tmp_path / "boats.csv").write_text("Boat,Berth fee,Notes\nHeron,24 EUR,new\nSeagull,31 EUR,old\n")
    names = ["desks.json", "boats.csv"]
    list(service.ingest([tmp_path / n for n in names], SETTINGS, lambda step: None, threading.Event()))
    boats = {f"How much is the berth fee for {name}?" for name in ("Heron", "Seagull")}
    desks = {f"What is the price for the {name}?" for name in ("desk", "lamp")}
    assert set(service.suggest(names, 2, no_report, threading.Event()).questions) == boats
    assert set(service.suggest(names, 4, no_report, threading.Event()).questions) == boats | desks
    assert set(service.suggest(names[:1], 4, no_report, threading.Event()).questions) == desks
