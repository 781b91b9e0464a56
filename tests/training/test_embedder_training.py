"""The embedder learns a library's words, by the real trainer on the real model, in a few short steps."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from backends.datatypes import Chunk, UserError
from backends.retrieval.embedding import MODEL_SHA256, MiniLM, model_folder
from backends.training.adapters import LearnedDocument, read_card
from backends.training.embedder_pairs import Pair
from backends.training.embedder_training import EmbedderParams, score, train_embedder
from backends.training.gain import gain_of
from backends.training.lora import Measuring, TrainingProgress, TrainingReport

WORDS = ["zorvel", "quimt", "brasp", "flunder", "mokkit", "trelp", "vashdin", "gorrow"]
THINGS = (
    "a red ladder,the oak table,an oil lamp,two blue chairs,a garden hose,the iron gate,a tea pot,one clock"
)
LEARNED = (LearnedDocument("stock.md", 1, "hash"),)


def passages() -> list[Chunk]:
    texts = [f"In the hall stands {thing}." for thing in THINGS.split(",")]
    return [Chunk("stock.md", 1, 0, len(text), text, None, 10) for text in texts]


def pairs(form: str) -> list[Pair]:
    """Words that nobody knows, for things that everybody knows."""
    return [Pair(at + 1, form.format(word), at, ((at + 1) % len(WORDS),)) for at, word in enumerate(WORDS)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingReport, list[object]]:
    folder = tmp_path_factory.mktemp("tuned") / "words"
    told: list[object] = []
    params = EmbedderParams(rank=8, learning_rate=3e-3, epochs=8, batch=8)
    train = pairs("Where is the {}?")
    held = [Pair(20 + pair.row, f"{pair.question} Tell me.", pair.passage, ()) for pair in train]
    report = train_embedder(passages(), train, held, folder, params, documents=LEARNED, tell=told.append)
    return folder, report, told


def test_it_finds_held_out_questions_that_it_did_not_find(made) -> None:
    _, report, _ = made
    assert report.score_after.contains > report.score_before.contains
    assert report.score_after.rows == report.held_out_rows == len(WORDS)
    gain = gain_of({"score_before": vars(report.score_before), "score_after": vars(report.score_after)})
    assert gain.after > gain.before


def test_what_was_learned_lies_on_the_shelf_as_a_peft_folder_with_its_card(made) -> None:
    folder, report, _ = made
    card = read_card(folder)
    assert (card.kind, card.base_fingerprint, card.documents) == ("embedder", MODEL_SHA256, LEARNED)
    assert card.rows == report.rows == len(WORDS)
    assert {"adapter_model.safetensors", "adapter_config.json", "card.json"} == {
        p.name for p in folder.iterdir()
    }
    assert not list(folder.parent.glob(".*"))


def test_its_vectors_are_those_of_sentence_transformers_with_the_adapter(made) -> None:
    from sentence_transformers import SentenceTransformer

    folder, _, _ = made
    reference = SentenceTransformer(str(model_folder()), device="cpu")
    reference.load_adapter(str(folder))
    texts = ["Where is the zorvel?", "In the hall stands a red ladder."]
    tuned = MiniLM("fp32", folder)
    np.testing.assert_allclose(tuned.embed(texts), reference.encode(texts), atol=1e-5)
    assert abs(tuned.embed(texts) - MiniLM("fp32").embed(texts)).max() > 1e-3
    assert tuned.name != MiniLM.base and tuned.name == MiniLM("fp32", folder).name


def test_steps_and_measuring_are_told(made) -> None:
    _, _, told = made
    steps = [each for each in told if isinstance(each, TrainingProgress)]
    assert [each.step for each in steps] == list(range(1, 9)) and steps[-1].steps == 8
    assert steps[-1].loss < steps[0].loss and steps[-1].seconds_left == 0
    assert [each.when for each in told if isinstance(each, Measuring)] == ["before"] * 2 + ["after"] * 2


def test_cancelled_before_the_first_step_it_leaves_nothing(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(UserError, match="Cancelled"):
        train_embedder(passages(), pairs("{}?"), [], tmp_path / "x", EmbedderParams(epochs=1), cancel=stop)
    assert not list(tmp_path.iterdir())


def test_a_weightless_or_foreign_folder_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        _ = MiniLM(adapter=tmp_path).name
    (tmp_path / "adapter_model.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="does not fit"):
        MiniLM(adapter=tmp_path).embed(["x"])


def test_ranks_are_scored_by_the_first_few() -> None:
    asked = pairs("{}")[:4]
    found = score(asked, [1, 3, 4, None])
    assert found is not None
    assert (found.exact, found.contains, found.rows, found.right) == (0.25, 0.5, 4, (1, 2))
    assert score([], []) is None


def test_parameters_that_cannot_train_are_refused() -> None:
    with pytest.raises(UserError, match="two questions a step"):
        EmbedderParams(batch=1)
