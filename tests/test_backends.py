"""One contract for all four backends, and the facade that puts them together."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from pytest import FixtureRequest

from backends import product
from backends.datatypes import (
    BACKEND_NAMES,
    Answer,
    BackendName,
    CatalogueEntry,
    Event,
    Evidence,
    Finished,
    Prompt,
    Question,
    Stage,
    Token,
    UserError,
)
from backends.documents.opening import open_folder
from backends.language.generation import LanguageModel
from backends.language.prompts import NOT_IN_DOCUMENTS, build_messages, evidence_lines
from backends.product import Triptych
from backends.settings import Settings, make_settings
from backends.system.json_texts import follows_schema
from backends.training.adapters import AdapterCard, Adapters, LearnedDocument, write_card
from tests.fakes import HashingEmbedder, random_adapter, tiny_language_model

SETTINGS = make_settings(max_tokens=8, context_tokens=200, top_k=2, chunk_size=32, chunk_overlap=4)
QUESTION = "How long may customers return goods?"
RETRIEVING = ("rag", "hybrid")
TUNED = ("fine_tuned", "hybrid")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, adapters, documents and a workspace, made once."""
    home = tmp_path_factory.mktemp("home")
    base = tiny_language_model(home / "base", context=1024)
    (home / "documents").mkdir()
    (home / "documents" / "returns.md").write_text(
        "# Returns\n\nCustomers return goods within 30 days. Shipping back is free of charge.\n"
    )
    (home / "documents" / "lamps.txt").write_text("The Lark lamp costs 99 euros. It weighs 2 kilos.\n")
    fingerprint = LanguageModel.load(base).fingerprint
    for seed, kind in enumerate(TUNED, start=1):
        folder = random_adapter(base, home / "adapters" / kind, seed=seed)
        write_card(folder, AdapterCard(kind, kind, "base", fingerprint))  # type: ignore[arg-type]
    return home


def open_triptych(home: Path, documents: Path, workspace: Path, settings: Settings = SETTINGS) -> Triptych:
    return Triptych(
        workspace,
        settings,
        open_folder(workspace, documents, HashingEmbedder(), settings),
        adapters=Adapters(workspace / "adapters", home / "adapters"),
        model=LanguageModel.load(home / "base"),
    )


@pytest.fixture(scope="module")
def triptych(home: Path) -> Triptych:
    return open_triptych(home, home / "documents", home / "workspace")


@pytest.fixture(params=BACKEND_NAMES)
def name(request: FixtureRequest) -> BackendName:
    return request.param


def run(
    triptych: Triptych, name: BackendName, question: str = QUESTION, settings: Settings = SETTINGS
) -> list[Event]:
    return list(triptych.backend(name, settings).run(question, settings))


# --- the contract ----------------------------------------------------------------------------------


def test_a_run_ends_with_exactly_one_finished(triptych: Triptych, name: BackendName) -> None:
    events = run(triptych, name)
    assert [index for index, event in enumerate(events) if isinstance(event, Finished)] == [len(events) - 1]
    assert triptych.backend(name).name == name


def test_evidence_comes_before_generation_and_only_where_something_is_retrieved(
    triptych: Triptych, name: BackendName
) -> None:
    events = run(triptych, name)
    stages = [event.name for event in events if isinstance(event, Stage)]
    evidence = [event for event in events if isinstance(event, Evidence)]
    if name in RETRIEVING:
        assert stages == ["retrieve", "rerank", "generate"]
        assert len(evidence) == 1
        assert events.index(evidence[0]) < events.index(Stage("generate"))
    else:
        assert (stages, evidence) == (["generate"], [])


def test_the_parts_of_a_question_are_looked_up_one_by_one_when_asked_to(triptych: Triptych) -> None:
    settings = SETTINGS.model_copy(update={"multi_step": True, "top_k": 2})
    question = "How long may customers return goods and what does the Lark lamp cost?"
    events = list(triptych.backend("rag", settings).run(question, settings))
    assert [e.name for e in events if isinstance(e, Stage)] == ["rewrite", "retrieve", "rerank", "generate"]
    [evidence] = [event for event in events if isinstance(event, Evidence)]
    assert {source.hit.chunk.document for source in evidence.sources} == {"returns.md", "lamps.txt"}


def test_the_prompt_is_the_one_that_training_builds(triptych: Triptych, name: BackendName) -> None:
    events = run(triptych, name)
    sources = next((event.sources for event in events if isinstance(event, Evidence)), ())
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.prompt == triptych.model().render(build_messages(QUESTION, evidence_lines(sources)))
    assert finished.usage.prompt_tokens == triptych.model().count_tokens(finished.prompt)
    assert finished.adapter == (name if name in TUNED else None)


def test_the_same_question_gets_the_same_answer(triptych: Triptych, name: BackendName) -> None:
    assert run(triptych, name) == run(triptych, name)


def test_the_evidence_stays_within_the_budget(triptych: Triptych) -> None:
    for budget in (64, 100, 200):
        settings = SETTINGS.model_copy(update={"context_tokens": budget})
        [evidence] = [e for e in run(triptych, "rag", settings=settings) if isinstance(e, Evidence)]
        lines = "\n".join(evidence_lines(evidence.sources)) + "\n"
        assert triptych.model().count_tokens(lines) <= budget or len(evidence.sources[0].sentences) == 1


def test_a_question_that_leaves_no_room_is_refused(triptych: Triptych, name: BackendName) -> None:
    with pytest.raises(UserError, match=r"\d{3,} tokens .*1,024"):
        run(triptych, name, "why? " * 200)


def test_stop_ends_an_answer_early(triptych: Triptych, name: BackendName) -> None:
    stop = threading.Event()
    stop.set()
    events = list(triptych.backend(name, SETTINGS, stop).run(QUESTION, SETTINGS))
    assert isinstance(events[-1], Finished)
    assert events[-1].usage.completion_tokens == 1


def test_rag_without_documents_declines_instead_of_guessing(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    empty = open_triptych(home, tmp_path / "empty", tmp_path / "workspace")
    events = run(empty, "rag")
    assert Token(NOT_IN_DOCUMENTS) in events
    assert Stage("generate") not in events
    record = empty.answer(QUESTION, "rag")
    assert (record.abstained, record.sources, record.groundedness) == (True, (), None)
    assert "generate" not in record.latency_ms


# --- the facade --------------------------------------------------------------------------------------


def test_ask_yields_a_backends_events_and_ends_with_its_record(triptych: Triptych) -> None:
    for name in BACKEND_NAMES:
        own = list(triptych.ask(Question("q1", QUESTION), name))
        record, prompts = own[-1], [event.text for event in own if isinstance(event, Prompt)]
        assert isinstance(record, Answer) and len(prompts) == 1 and QUESTION in prompts[0]
        assert (record.id, record.backend, record.question) == ("q1", name, QUESTION)
        assert "".join(event.text for event in own if isinstance(event, Token)).strip() == record.text
        assert bool(record.sources) == (name in RETRIEVING)
        assert record.settings["corpus"] == triptych.library.fingerprint
        assert record.latency_ms["total"] >= record.latency_ms["generate"] > 0
        assert not any("First answer" in warning for warning in record.warnings)


def test_sources_are_slices_of_their_document(triptych: Triptych) -> None:
    record = triptych.answer(QUESTION, "rag")
    for each in record.sources:
        assert triptych.library.get(each.document, each.version).text[each.start : each.end] == each.text


def test_a_backend_that_cannot_answer_raises_its_reason_and_the_others_answer(
    home: Path, triptych: Triptych, tmp_path: Path
) -> None:
    untrained = Triptych(
        triptych.workspace,
        SETTINGS,
        triptych.library,
        adapters=Adapters(tmp_path, tmp_path),
        model=triptych.model(),
    )
    with pytest.raises(UserError, match=r"^There is no fine-tuned adapter for the model base: train one\.$"):
        list(untrained.ask(QUESTION, "fine_tuned"))
    assert {untrained.answer(QUESTION, name).backend for name in ("base", "rag")} == {"base", "rag"}
    assert (untrained.status("fine_tuned").state, untrained.status("rag").state) == ("untrained", "ready")


@pytest.mark.parametrize("question", ["", "  ", "x" * 4001])
def test_a_question_that_cannot_be_asked_is_refused_before_anything_runs(
    triptych: Triptych, question: str
) -> None:
    with pytest.raises(UserError, match="question"):
        next(triptych.ask(question, "base"))


def test_who_is_stopped_before_is_not_asked(triptych: Triptych) -> None:
    stop = threading.Event()
    stop.set()
    assert list(triptych.ask(QUESTION, "base", stop=stop)) == []
    with pytest.raises(UserError, match="Stopped before"):
        triptych.answer(QUESTION, "base", stop=stop)


def test_an_adapter_is_stale_once_its_documents_change(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = shutil.copytree(home / "documents", tmp_path / "documents")
    triptych = open_triptych(home, documents, tmp_path / "workspace")
    learned = triptych.library.get("returns.md")
    adapters = shutil.copytree(home / "adapters", tmp_path / "adapters")
    card = triptych.adapters.get("fine_tuned").card
    known = LearnedDocument(learned.name, learned.version, learned.content_hash)
    write_card(adapters / "fine_tuned", replace(card, documents=(known,)))
    triptych.adapters = Adapters(tmp_path / "none", adapters)
    assert triptych.status("fine_tuned").state == "ready"
    (documents / "returns.md").write_text("Customers return goods within 14 days.")
    later = open_triptych(home, documents, tmp_path / "workspace")
    later.adapters = triptych.adapters
    status = later.status("fine_tuned")
    assert status.state == "stale"
    assert status.reason == (
        "The adapter fine_tuned learned documents that have changed or are gone here: "
        "returns.md (learned version 1, now another)."
    )
    read: list[str | None] = []
    real = later.library.catalogue

    def catalogue(role: str | None) -> list[CatalogueEntry]:
        read.append(role)
        return real(role)

    monkeypatch.setattr(later.library, "catalogue", catalogue)
    assert later.statuses() == {name: later.status(name) for name in BACKEND_NAMES}
    del read[:]
    assert later.statuses()["fine_tuned"] == status
    assert len(read) == 1  # the hybrid's adapter is asked of the same reading
    assert status.reason in later.answer(QUESTION, "fine_tuned").warnings


def test_a_workspaces_own_prices_are_used(home: Path, tmp_path: Path) -> None:
    triptych = open_triptych(home, home / "documents", tmp_path)
    (tmp_path / "prices.toml").write_text(
        'currency = "EUR"\n[hosted_small]\nprompt_per_million_tokens = 1\ncompletion_per_million_tokens = 1\n'
    )
    record = triptych.answer(QUESTION, "base")
    assert record.cost.currency == "EUR"
    assert record.cost.amount == pytest.approx(
        (record.usage.prompt_tokens + record.usage.completion_tokens) / 1e6
    )


def test_models_are_loaded_once_and_bounded(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product, "_models", type(product._models)())
    monkeypatch.setattr(product, "MAX_MODELS", 1)
    first = product.shared_model(str(home / "base"))
    assert product.shared_model(str(home / "base")) is first
    other = tiny_language_model(tmp_path / "other", seed=9)
    product.shared_model(str(other))
    assert list(product._models) == [str(other)]


def test_a_follow_up_is_answered_as_it_is_meant_and_says_how_it_was_read(triptych: Triptych) -> None:
    settings = SETTINGS.model_copy(update={"follow_ups": True})
    earlier = ["How heavy is the Lark One?"]
    answer = triptych.answer("And what does it cost?", "base", settings, earlier=earlier)
    assert answer.question == "And what does it cost?"
    assert "Read as: What does the Lark One cost?" in answer.warnings
    assert "rewrite" in answer.latency_ms
    alone = SETTINGS.model_copy(update={"follow_ups": False})
    plain = triptych.answer("And what does it cost?", "base", alone, earlier=earlier)
    assert "rewrite" not in plain.latency_ms
    assert not any(note.startswith("Read as") for note in plain.warnings)


def test_related_words_are_looked_for_in_a_stage_of_their_own(triptych: Triptych) -> None:
    settings = SETTINGS.model_copy(update={"related_words": True})
    events = list(triptych.backend("rag", settings).run(QUESTION, settings))
    assert [e.name for e in events if isinstance(e, Stage)] == ["rewrite", "retrieve", "rerank", "generate"]


# --- JSON under a schema ---------------------------------------------------------------------------

SHIPMENT = {
    "type": "object",
    "properties": {"state": {"enum": ["sent", "returned"]}, "days": {"type": "integer"}},
    "required": ["state", "days"],
    "additionalProperties": False,
}
HELD = SETTINGS.model_copy(update={"max_tokens": 60})


def test_every_backend_keeps_the_schema_that_a_question_carries(
    triptych: Triptych, name: BackendName
) -> None:
    question = Question("s", QUESTION, schema=SHIPMENT)
    answer = triptych.answer(question, name, HELD)
    assert follows_schema(answer.text, SHIPMENT)
    free = HELD.model_copy(update={"constrained_decoding": False})
    assert not follows_schema(triptych.answer(question, name, free).text, SHIPMENT)
    assert answer.settings["constrained_decoding"] is True


def test_a_schema_that_cannot_be_kept_fails_that_question_in_one_sentence(triptych: Triptych) -> None:
    odd = Question("s", QUESTION, schema={"type": "string", "pattern": "(?=look)ahead"})
    with pytest.raises(UserError, match="switch constrained decoding off"):
        triptych.answer(odd, "base", HELD)
    long = Question("s", QUESTION, schema=SHIPMENT)
    with pytest.raises(UserError, match="may have 8: allow longer answers"):
        triptych.answer(long, "base", SETTINGS)
