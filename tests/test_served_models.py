"""The four backends over an address: the same records, an arm that fails alone, prices, roles, keys."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backends.cli import main
from backends.datatypes import BACKEND_NAMES, Answer, BackendName, Question, UserError
from backends.documents.opening import open_folder
from backends.evaluation.archive import Archive, answer_of
from backends.evaluation.runner import carry_out, sweep_arms
from backends.evaluation.runner import plan as plan_run
from backends.language import endpoint
from backends.language.generation import LanguageModel
from backends.offline.subject import TriptychSubject
from backends.product import Triptych
from backends.settings import make_settings
from backends.system.environment import environment_without_secrets
from backends.system.files import ROOT
from backends.system.json_values import plain
from tests.fakes import HashingEmbedder, tiny_language_model
from tests.language.fake_server import FakeServer, dies_after, pieces, refuses, serving

SETTINGS = make_settings(
    model="company", max_tokens=8, context_tokens=200, top_k=2, chunk_size=32, chunk_overlap=4
)
QUESTION = "How long may customers return goods?"
SECRET = "sk-never-shown-4242"
FILE = """
[company]
address = "{address}"
model = "org/large"
key = "SERVED_KEY"
prompt_per_million_tokens = 2.0
completion_per_million_tokens = 10.0
currency = "EUR"
price_date = "2026-10-01"
[company.fine_tuned]
model = "org/tuned"
[company.hybrid]
model = "org/reads"
retries = 0
[bare]
address = "{address}"
model = "small"
"""


@pytest.fixture(scope="module")
def running() -> Iterator[FakeServer]:
    with serving() as server:
        yield server


@pytest.fixture
def server(running: FakeServer, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    monkeypatch.setenv("SERVED_KEY", SECRET)
    monkeypatch.setattr(endpoint, "FIRST_PAUSE", 0.01)
    running.says(pieces("Within ", "30 days", ". [1]"))
    return running


@pytest.fixture
def triptych(server: FakeServer, tmp_path: Path) -> Triptych:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "returns.md").write_text(
        "# Returns\n\nCustomers return goods within 30 days. Shipping back is free of charge.\n"
    )
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "models.toml").write_text(FILE.format(address=server.address))
    return Triptych(workspace, SETTINGS, open_folder(workspace, documents, HashingEmbedder(), SETTINGS))


@pytest.mark.parametrize("name", BACKEND_NAMES)
def test_a_record_is_that_of_a_model_in_process(
    triptych: Triptych, server: FakeServer, name: BackendName
) -> None:
    answer = triptych.answer(QUESTION, name)
    assert (answer.text, answer.backend) == ("Within 30 days. [1]", name)
    assert answer.usage.prompt_tokens == 21
    retrieving, tuned = name in ("rag", "hybrid"), name in ("fine_tuned", "hybrid")
    stages = {"queue", "generate", "first_token", "total", *(["retrieve", "rerank"] if retrieving else [])}
    assert set(answer.latency_ms) == stages
    parts = sum(answer.latency_ms[stage] for stage in stages - {"first_token", "total"})
    assert parts == pytest.approx(answer.latency_ms["total"], abs=1.0)
    models = {"fine_tuned": "org/tuned", "hybrid": "org/reads"}
    assert (answer.model, answer.adapter) == (models.get(name, "org/large"), models.get(name))
    assert bool(answer.citations) == retrieving
    for citation in answer.citations:
        document = triptych.library.get(citation.document, citation.version)
        assert document.text[citation.start : citation.end] == citation.text
    assert answer.cost.amount == pytest.approx((21 * 2 + 4 * 10) / 1e6)
    assert (answer.cost.currency, "org/" in answer.cost.basis) == ("EUR", True)
    assert "fine-tuned premium" not in answer.cost.basis
    record = json.loads(json.dumps(plain(answer)))
    assert set(record) == {field.name for field in fields(Answer)}
    assert answer_of(record) == answer
    assert SECRET not in json.dumps(record)
    assert server.asked[-1]["model"] == models.get(name, "org/large")
    assert tuned == (triptych.status(name).adapter is not None)


def test_a_failed_arm_leaves_the_others_working(triptych: Triptych, server: FakeServer) -> None:
    server.says(pieces("one"), refuses(500, "no"), pieces("three"))
    assert triptych.answer(QUESTION, "base").text == "one"
    with pytest.raises(UserError, match="failed with status 500"):
        triptych.answer(QUESTION, "hybrid")
    assert triptych.answer(QUESTION, "fine_tuned").text == "three"


def test_what_broke_off_is_in_the_record_with_a_warning(triptych: Triptych, server: FakeServer) -> None:
    server.says(dies_after("Within 30"))
    answer = triptych.answer(QUESTION, "rag")
    assert answer.text == "Within 30"
    assert any("broke off" in warning for warning in answer.warnings)
    assert any("estimated" in warning for warning in answer.warnings)


def test_a_tuned_backend_without_a_table_is_untrained(triptych: Triptych) -> None:
    bare = SETTINGS.model_copy(update={"model": "bare"})
    status = triptych.status("hybrid", bare)
    assert (status.state, "bare.hybrid" in status.reason) == ("untrained", True)
    with pytest.raises(UserError, match=r"names no model for bare\.fine_tuned"):
        triptych.backend("fine_tuned", bare)
    assert "premium" not in triptych.answer(QUESTION, "base", bare).cost.basis


def test_a_served_tuned_model_is_withheld_from_roles(triptych: Triptych, server: FakeServer) -> None:
    seen = triptych.seen_by("sales")
    assert seen.status("fine_tuned").state == "withheld"
    with pytest.raises(UserError, match="weights cannot leave anything out"):
        seen.backend("hybrid")
    assert seen.status("rag").usable
    assert server.asked == []


def test_what_needs_weights_says_that_there_are_none(triptych: Triptych) -> None:
    with pytest.raises(UserError, match="answers behind an address"):
        triptych.model()


def test_waiting_for_a_server_keeps_nobody_from_answering(triptych: Triptych, server: FakeServer) -> None:
    """One visitor's endpoint hangs; another's answer must not wait for it."""
    hanging, asked = threading.Event(), []

    def waits(handler: object) -> None:
        hanging.set()
        server.released.wait(5)
        pieces("late")(handler)  # type: ignore[arg-type]

    server.says(waits, pieces("early"))
    first = threading.Thread(target=lambda: asked.append(triptych.answer(QUESTION, "base").text))
    first.start()
    assert hanging.wait(5)
    assert triptych.answer(QUESTION, "base").text == "early"
    assert asked == []
    server.released.set()
    first.join(5)
    server.released.clear()
    assert asked == ["late"]


def test_a_grid_of_models_is_evaluated_and_a_dead_server_fails_only_its_arm(
    triptych: Triptych, tmp_path: Path, server: FakeServer
) -> None:
    content = FILE.format(address=server.address).replace("[bare]", "[gone]\nretries = 0\ntimeout = 2", 1)
    content = content.replace(
        f'timeout = 2\naddress = "{server.address}"', 'address = "http://127.0.0.1:9/v1"'
    )
    (triptych.workspace / "models.toml").write_text(content)
    arms = sweep_arms(["base", "rag"], SETTINGS, [{"model": "company"}, {"model": "gone"}])
    questions = [Question(f"q{i}", f"{QUESTION} ({i})", ("30 days",), ("returns.md",)) for i in range(3)]
    subject = TriptychSubject(triptych)
    subject.likeness = lambda one, other: 0.5  # type: ignore[method-assign]
    archive = Archive(tmp_path / "runs")
    planned = plan_run(subject, questions, arms, question_set="test")
    assert not planned.sweep  # models are compared with each other as backends are
    assert planned.setting.model == "org/large, small"  # what each address calls it
    assert len(set(planned.setting.model_fingerprint.split(", "))) == 2
    assert planned.setting.adapters["hybrid, model company"]["name"] == "org/reads"
    run = carry_out(archive, archive.begin(planned), subject)
    answered = {
        arm.name: sum(e.answer is not None for e in run.entries_of(arm.name).values()) for arm in arms
    }
    assert answered == {
        "base, model company": 3, "rag, model company": 3, "base, model gone": 0, "rag, model gone": 0,
    }  # fmt: skip
    assert "cannot be reached" in str(run.entries_of("base, model gone")["q0"].failure)


def test_the_readme_works_as_written(
    triptych: Triptych, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = (ROOT / "README.md").read_text().partition("## Use your own models")[2]
    written = section.partition("```toml\n")[2].partition("```")[0]
    assert '"http://localhost:8000/v1"' in written
    table = written.replace("http://localhost:8000/v1", server.address)
    (triptych.workspace / "models.toml").write_text(table)
    monkeypatch.setenv("COMPANY_KEY", SECRET)
    asked = {}
    for name in BACKEND_NAMES:
        answer = triptych.answer(QUESTION, name)
        asked[name] = (server.asked[-1]["model"], server.asked[-1]["headers"]["authorization"])
        assert answer.cost.amount == pytest.approx((21 * 0.40 + 4 * 1.20) / 1e6)
    models = {"rag": "org/large", "fine_tuned": "tuned", "hybrid": "reads", "base": "org/large"}
    assert asked == {name: (model, f"Bearer {SECRET}") for name, model in models.items()}
    for line in section.partition("## Formats")[0].splitlines():
        if line.startswith("triptych "):
            verb = line.split()[1]
            options = [word for word in line.partition("#")[0].split() if word.startswith("--")]
            told = CliRunner().invoke(main.app, [verb, "--help"], env={"COLUMNS": "200"}).stdout
            assert all(option in told for option in options), line


def test_local_models_are_as_before(triptych: Triptych, tmp_path: Path) -> None:
    base = tiny_language_model(tmp_path / "base", context=1024)
    local = SETTINGS.model_copy(update={"model": str(base)})
    assert isinstance(triptych.asked("base", local), LanguageModel)
    assert triptych.status("hybrid", local).state == "untrained"


def test_helper_processes_get_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVED_KEY", "OPENAI_API_KEY", "TRIPTYCH_JUDGE_KEY", "AWS_SECRET_ACCESS_KEY", "MY_THING"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert SECRET not in environment_without_secrets().values()
    assert environment_without_secrets()["LC_ALL"] == "C.UTF-8"
    assert "PATH" in environment_without_secrets()
