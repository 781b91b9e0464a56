"""Stress tests on the real library and a tiny model: the copy is edited, the original stays as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from backends.cli import main, opener
from backends.datatypes import BACKEND_NAMES, Question, UserError
from backends.documents.opening import open_folder
from backends.language.generation import LanguageModel
from backends.offline.private_copy import PrivateCopySubject, private_copy, stress, synthetic
from backends.offline.trainer import Trainer
from backends.product import Triptych
from backends.settings import Settings, make_settings
from backends.stress.records import Retraining, ShownPassage
from backends.training import row_building
from backends.training.adapters import AdapterCard, Adapters, write_card
from backends.training.lora import LoraParams, train_adapter
from backends.training.row_building import WAYS
from backends.training.rows import closed_book
from tests.fakes import AgreeableReader, HashingEmbedder, random_adapter, tiny_language_model
from tests.pages.tuning_services import make_triptych

SETTINGS = make_settings(
    max_tokens=8, context_tokens=200, top_k=2, chunk_size=32, chunk_overlap=4, rerank=False
)
TEXTS = {
    "returns.md": "# Returns\n\nCustomers return goods within 30 days of delivery. Shipping back is free.\n",
    "lamps.txt": "The Lark lamp costs 99 euros in every shop. It weighs 2 kilos without its cable.\n"
    + "".join(f"The shelf number {n} holds {n + 3} lamps of another kind.\n" for n in range(12)),
}
QUESTION = Question("q", "What does the lamp cost?", ("99 euros",), ("lamps.txt",))


@pytest.fixture(scope="module")
def triptych(tmp_path_factory: pytest.TempPathFactory) -> Triptych:
    home = tmp_path_factory.mktemp("home")
    base = tiny_language_model(home / "base", context=2048)
    (home / "documents").mkdir()
    for name, text in TEXTS.items():
        (home / "documents" / name).write_text(text)
    model = LanguageModel.load(base)
    for seed, kind in enumerate(("fine_tuned", "hybrid"), start=1):
        folder = random_adapter(base, home / "adapters" / kind, seed=seed)
        report = {"seconds": 3600}
        write_card(folder, AdapterCard(kind, kind, "base", model.fingerprint, report=report))  # type: ignore[arg-type]
    library = open_folder(home / "workspace", home / "documents", HashingEmbedder(), SETTINGS)
    adapters = Adapters(home / "workspace" / "adapters", home / "adapters")
    return Triptych(home / "workspace", SETTINGS, library, adapters=adapters, model=model)


@pytest.fixture
def subject(triptych: Triptych) -> Iterator[PrivateCopySubject]:
    with private_copy(triptych, SETTINGS) as made:
        yield made


def test_the_copy_holds_the_same_texts_and_embeds_nothing_again(triptych: Triptych) -> None:
    embedder = triptych.library.embedder
    assert isinstance(embedder, HashingEmbedder)
    before = len(embedder.embedded)
    with private_copy(triptych, SETTINGS) as subject:
        texts = {document.name: document.text for document in subject.documents()}
    assert texts == {d.name: d.text for d in triptych.library.documents()}
    assert len(embedder.embedded) == before


def test_an_edit_is_found_in_the_copy_and_not_in_the_original(
    subject: PrivateCopySubject, triptych: Triptych
) -> None:
    seconds = subject.put("lamps.txt", "The Lark lamp costs 55 euros in every shop.")
    assert seconds > 0
    assert any("55 euros" in p.text for p in subject.found("What does the lamp cost?"))
    assert not any("99 euros" in p.text for p in subject.found("What does the lamp cost?"))
    assert "99 euros" in triptych.library.get("lamps.txt").text


def test_a_forgotten_document_is_gone_from_the_copy_alone(
    subject: PrivateCopySubject, triptych: Triptych
) -> None:
    subject.forget("lamps.txt")
    assert {p.document for p in subject.found("lamp cost")} == {"returns.md"}
    assert {d.name for d in triptych.library.documents()} == set(TEXTS)


def test_given_passages_are_the_only_evidence(subject: PrivateCopySubject) -> None:
    given = [ShownPassage("a.md", "A", "One sentence."), ShownPassage("b.md", "B", "Another one.")]
    for backend in ("rag", "hybrid"):
        answer = subject.answer_from("Why?", backend, given)
        assert [(s.document, s.text) for s in answer.sources] == [
            ("a.md", "One sentence."),
            ("b.md", "Another one."),
        ]
    with pytest.raises(UserError, match="reads no passages"):
        subject.answer_from("Why?", "base", given)


def test_the_cost_of_a_change(subject: PrivateCopySubject) -> None:
    assert subject.change_cost("base", 4000)["amount"] == 0
    assert subject.change_cost("rag", 4000)["amount"] == pytest.approx(1000 * 0.02 / 1e6)
    assert subject.change_cost("fine_tuned", 4000)["amount"] == pytest.approx(1.8)  # an hour of training


def test_weights_differ_in_likelihood(subject: PrivateCopySubject) -> None:
    values = {b: subject.likelihood("Why?", "42", b) for b in BACKEND_NAMES}
    assert values["rag"] == values["base"] and len(set(values.values())) == 3


@pytest.mark.parametrize("test", ["freshness", "erasure", "noise", "injection"])
def test_every_test_runs_on_the_real_product(triptych: Triptych, test: Any) -> None:
    result = stress(triptych, test, ["rag", "fine_tuned"], SETTINGS, questions=[QUESTION], number=1)
    assert [row.backend for row in result.rows] == ["rag", "fine_tuned"]
    assert result.probes and result.sentence.endswith((".", "answers."))
    assert {d.name: d.text for d in triptych.library.documents()}["lamps.txt"].startswith(
        "The Lark lamp costs 99"
    )


def test_made_up_passages_are_searched_by_the_real_index(subject: PrivateCopySubject) -> None:
    found = subject.searcher(60, 0)("What does the lamp cost?")
    assert re.fullmatch(r"made-[012]\.md", found.document) and found.search > 0 < found.choose
    documents, embedder = subject.documents(), HashingEmbedder()
    made, again, other = (synthetic(documents, embedder, 60, seed) for seed in (1, 1, 2))
    assert [c.text for c in made.chunks] == [c.text for c in again.chunks] != [c.text for c in other.chunks]
    assert np.allclose(np.linalg.norm(made.vectors, axis=1), 1) and made.vectors.shape[0] == 60


def test_latency_runs_on_the_real_product(triptych: Triptych) -> None:
    result = stress(triptych, "latency", ["rag", "base"], SETTINGS, questions=[QUESTION], sizes=(40, 80))
    assert [row.backend for row in result.rows] == ["rag"]
    assert set(result.rows[0].details["by_size"]) == {"40", "80"}


def test_documents_without_questions_of_their_own_get_made_ones(triptych: Triptych) -> None:
    result = stress(triptych, "freshness", ["rag"], SETTINGS, number=2)
    assert result.rows[0].details["edits"] == 2


# --- the verb --------------------------------------------------------------------------------------


@pytest.fixture
def verb(triptych: Triptych, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path / "workspace"))

    def opened(_folder: Path, _settings: Settings, *_: Any) -> Triptych:
        return triptych

    monkeypatch.setattr(opener, "open_triptych", opened)


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main.app, ["stress", *(str(argument) for argument in arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


SMALL = ("--max-tokens", 8, "--chunk-size", 32, "--chunk-overlap", 4, "--number", 1)


@pytest.mark.usefixtures("verb")
def test_json_rows_have_an_interval_and_nothing_else_is_printed(tmp_path: Path) -> None:
    probes = tmp_path / "probes.jsonl"
    code, out, _ = run(
        "freshness", "--backend", "rag", "--backend", "base", "--json", "--probes", probes, *SMALL
    )
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [row["backend"] for row in rows] == ["rag", "base"]
    for row in rows:
        low, high = row["interval"]
        assert row["test"] == "freshness" and 0 <= low <= row["value"] <= high <= 1
    assert {json.loads(line)["verdict"] for line in probes.read_text().splitlines()} <= {
        "new",
        "old",
        "neither",
    }


@pytest.mark.usefixtures("verb")
def test_people_get_the_sentence_first() -> None:
    code, out, _ = run("freshness", "--backend", "rag", *SMALL)
    assert code == 0 and out.startswith("1 fact was edited")


@pytest.mark.usefixtures("verb")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed"], "There is no stress test 'speed'"),
        (["noise", "--backend", "gpt"], "There is no backend 'gpt'"),
        (["erasure", "--forget", "none.md", *SMALL], "There is no document none.md to forget."),
        (["noise", "--probes", "/nowhere/at/all.jsonl"], "There is no folder"),
        (["freshness", "--epochs", "2"], "--epochs is for --retrain"),
    ],
)
def test_bad_input_is_named_with_status_2(arguments: list[object], message: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "") and message in err


def test_the_copy_is_trained_again_and_the_workspace_keeps_its_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_building, "shipped", AgreeableReader)
    triptych = make_triptych(tmp_path)
    trainer = Trainer(triptych)
    draft = trainer.build(None, WAYS)
    train, held = draft.sides()
    params = LoraParams(rank=4, alpha=8, epochs=2, scored_rows=2)
    path = triptych.adapters.path_for("mine")
    train_adapter(
        trainer.model_name, closed_book(train), closed_book(held), path, params,
        documents=trainer.learned(row for _, row in train),
    )  # fmt: skip
    triptych.adapters.activate("mine")
    asked = [Question("q", "What does Lamp Birch cost?", ("28 EUR",), ("prices.csv",))]
    result = stress(
        triptych, "freshness", ["rag", "fine_tuned"], triptych.settings,
        questions=asked, number=1, retraining=Retraining(1),
    )  # fmt: skip
    tuned = result.rows[1].details
    assert tuned["seconds_to_retrain"] > 0 and tuned["new_after_retraining"].count == 1
    assert "Trained again for" in result.sentence
    assert [each.name for each in triptych.adapters.all()] == ["mine"]
