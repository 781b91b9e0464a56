"""LoRA training on a tiny model: it learns, measures, cancels, saves whole or not at all, and refuses."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from backends.datatypes import Finished, TrainingRow, UserError
from backends.language.generation import LanguageModel
from backends.language.prompts import build_messages
from backends.training import lora
from backends.training.adapters import Adapters, LearnedDocument, read_card
from backends.training.compiled import CompiledLayers
from backends.training.lora import (
    EpochDone,
    LoraParams,
    Measuring,
    TrainingPaused,
    TrainingProgress,
    train_adapter,
)
from backends.training.packing import Batch, filled, tensors
from backends.training.rows import Example, closed_book
from tests.fakes import tiny_language_model

ROWS = [(n, TrainingRow(f"Code {n}?", "AB"[n % 2] * 3)) for n in range(1, 25)]
QUICK = LoraParams(epochs=2, rank=4, batch_tokens=1024, scored_rows=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_language_model(tmp_path_factory.mktemp("base"))


def test_it_learns_and_the_saved_adapter_serves_what_was_learned(folder: Path, tmp_path: Path) -> None:
    rows = closed_book([(n, TrainingRow(f"Code {n}?", "yes")) for n in range(1, 25)])
    params = LoraParams(epochs=12, rank=8, learning_rate=1e-2, batch_tokens=256, scored_rows=4)
    learned = (LearnedDocument("a.md", 2, "hash"),)
    report = train_adapter(folder, rows[:20], rows[20:], tmp_path / "mine", params, documents=learned)
    assert report.loss_before is not None and report.loss_after is not None
    assert report.loss_after < report.loss_before / 5
    assert report.score_before is not None and report.score_before.exact == 0
    assert report.score_after is not None and report.score_after.exact == 1
    assert (report.rows, report.held_out_rows, report.epochs_done) == (20, 4, 12)
    assert 0 < report.trainable_share < 1
    assert report.tokens == 12 * sum(_tokens(folder, row) for row in rows[:20])

    model = LanguageModel.load(folder)
    text = "".join(
        event.text
        for event in model.generate(build_messages("Code 5?"), adapter=tmp_path / "mine")
        if not isinstance(event, Finished)
    )
    assert text == "yes"
    card = read_card(tmp_path / "mine")
    assert (card.name, card.kind, card.documents) == ("mine", "fine_tuned", learned)
    assert card.base_fingerprint == model.fingerprint
    assert Adapters(tmp_path, shipped=tmp_path / "none").get("mine").card == card


def _tokens(folder: Path, example: Example) -> int:
    model = LanguageModel.load(folder)
    return model.count_tokens(model.render(example.messages)) + model.count_tokens(example.answer) + 1


@pytest.mark.parametrize("packs", [True, False])
def test_rows_together_have_the_loss_of_the_same_rows_alone(folder: Path, packs: bool) -> None:
    rows = closed_book([(n, TrainingRow("why " * n, "because " * (n % 4 + 1))) for n in range(1, 25)])
    run = lora._Run(folder, rows, [], QUICK)
    assert run.packs
    run.packs = packs
    run.network.eval()
    with torch.inference_mode():
        together, answers, _ = run._loss(run.train_rows[:6])
        alone = [run._loss([row]) for row in run.train_rows[:6]]
    assert answers == sum(count for _, count, _ in alone)
    assert float(together) == pytest.approx(sum(float(loss) for loss, _, _ in alone), rel=0.02)


def test_a_model_that_ignores_masks_is_trained_on_plain_rows(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_mask(*given: Any) -> Batch:
        return replace(tensors(*given), mask=None)

    monkeypatch.setattr(lora, "tensors", without_mask)
    assert not lora._Run(folder, closed_book(ROWS), [], QUICK).packs


@pytest.mark.parametrize("packs", [True, False])
def test_every_row_is_in_exactly_one_batch_and_batches_hold_their_tokens(folder: Path, packs: bool) -> None:
    rows = closed_book([(n, TrainingRow("why " * (1 + n % 7), "because")) for n in range(1, 61)])
    run = lora._Run(folder, rows, [], QUICK)
    run.packs = packs
    batches = run._batches(run.train_rows, 1)
    assert sorted(id(row) for batch in batches for row in batch) == sorted(id(row) for row in run.train_rows)
    sizes = [
        len(filled([row.encoded for row in batch], run.length)) if packs else len(batch) for batch in batches
    ]
    assert all(size <= run.rows_at_once for size in sizes)
    assert [len(b) for b in run._batches(run.train_rows, 1)] == [len(b) for b in batches]


def test_question_noise_is_fresh_in_every_epoch_and_the_same_in_every_run(folder: Path) -> None:
    rows = closed_book(
        [(n, TrainingRow("when does the shop on the hill open", "at nine")) for n in range(24)]
    )
    params = replace(QUICK, question_noise=0.4)
    run, again = (lora._Run(folder, rows, rows[:2], params) for _ in range(2))
    first, second = ([row.encoded for row in run._rows_of(epoch)] for epoch in (1, 2))
    assert first != second
    assert first == [row.encoded for row in again._rows_of(1)]
    clean = run.train_rows[0]
    assert [row.encoded for row in run.held_rows] == [clean.encoded] * 2
    assert all(row.encoded.answer == clean.encoded.answer for row in run._rows_of(1))
    assert any(len(row) < len(clean) for row in first)


def test_question_noise_must_be_a_share() -> None:
    with pytest.raises(UserError, match=r"at least 0 and below 1, not 1\.5"):
        LoraParams(question_noise=1.5)


def test_only_the_answer_and_its_end_are_learned(folder: Path) -> None:
    run = lora._Run(folder, closed_book(ROWS), [], QUICK)
    row = run.train_rows[0]
    assert run.tokenizer.decode([*row.encoded.answer]) == "BBB<|end|>"
    assert str(run.tokenizer.decode([*row.encoded.prompt])).endswith("<|assistant|>")


def test_progress_and_cancel_keep_the_finished_epochs(folder: Path, tmp_path: Path) -> None:
    cancel, seen = threading.Event(), []

    def watch(progress: TrainingProgress) -> None:
        seen.append(progress)
        if progress.epoch == 2:
            cancel.set()

    params = LoraParams(epochs=50, rank=4, batch_tokens=256, scored_rows=1)
    report = train_adapter(
        folder, closed_book(ROWS), [], tmp_path / "a", params, progress=watch, cancel=cancel
    )
    assert (report.cancelled, report.epochs_done, report.kept_epoch) == (True, 1, 1)
    assert (tmp_path / "a" / "adapter_model.safetensors").is_file()
    assert [each.step for each in seen] == list(range(1, len(seen) + 1))
    assert all(each.tokens_per_second > 0 and each.seconds_left > 0 for each in seen)


def test_cancelled_before_the_first_epoch_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(UserError, match="nothing to keep"):
        train_adapter(folder, closed_book(ROWS), [], tmp_path / "a", QUICK, cancel=cancel)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_paused_ends_as_if_it_never_was(folder: Path, tmp_path: Path) -> None:
    rows = closed_book(ROWS)
    params = replace(QUICK, epochs=3, batch_tokens=256, question_noise=0.3, dropout=0.1)
    whole = train_adapter(folder, rows[:20], rows[20:], tmp_path / "whole", params)

    checkpoint, pause, seen = tmp_path / "run" / "checkpoint.safetensors", threading.Event(), []

    def watch(progress: TrainingProgress) -> None:
        seen.append(progress)
        if progress.epoch == 2:
            pause.set()

    with pytest.raises(TrainingPaused, match="interrupted in epoch 2 of 3; it can go on"):
        train_adapter(
            folder, rows[:20], rows[20:], tmp_path / "a", params,
            progress=watch, pause=pause, checkpoint=checkpoint,
        )  # fmt: skip
    assert not (tmp_path / "a").exists()
    pause.clear()
    rest: list[TrainingProgress] = []
    told: list[EpochDone | Measuring] = []
    resumed = train_adapter(
        folder, rows[:20], rows[20:], tmp_path / "a", params,
        progress=rest.append, watch=told.append, checkpoint=checkpoint,
    )  # fmt: skip
    assert [each.step for each in [*seen, *rest]] == list(range(1, rest[-1].steps + 1))
    measured: dict[str, Any] = {
        "seconds": 0.0,
        "memory_bytes": 0,
    }  # of this machine and moment; all the rest is of the run
    assert replace(resumed, **measured) == replace(whole, **measured)
    weights = [(tmp_path / name / "adapter_model.safetensors").read_bytes() for name in ("whole", "a")]
    assert weights[0] == weights[1]
    assert [each.epoch for each in told if isinstance(each, EpochDone)] == [2, 3]


def test_a_checkpoint_of_another_run_is_refused(folder: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    train_adapter(folder, closed_book(ROWS), [], tmp_path / "a", QUICK, checkpoint=checkpoint)
    with pytest.raises(UserError, match="other rows, settings or another model"):
        train_adapter(folder, closed_book(ROWS[:22]), [], tmp_path / "b", QUICK, checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    with pytest.raises(UserError, match=r"checkpoint\.safetensors cannot be read"):
        train_adapter(folder, closed_book(ROWS), [], tmp_path / "b", QUICK, checkpoint=checkpoint)


def test_who_watches_sees_a_sample_answer_before_and_after_every_epoch(folder: Path, tmp_path: Path) -> None:
    told: list[EpochDone | Measuring] = []
    rows = closed_book(ROWS)
    train_adapter(folder, rows[:20], rows[20:], tmp_path / "a", QUICK, watch=told.append)
    epochs = [each for each in told if isinstance(each, EpochDone)]
    assert [each.epoch for each in epochs] == [0, 1, 2]
    assert epochs[0].train_loss is None
    assert {(s.question, s.wanted) for each in epochs for s in each.samples} == {
        (f"Code {n}?", rows[n - 1].answer) for n in (21, 22)
    }
    assert {(each.when, each.total) for each in told if isinstance(each, Measuring)} == {
        ("before", 2),
        ("after", 2),
    }


def test_it_stops_early_when_the_held_out_rows_gain_no_more(folder: Path, tmp_path: Path) -> None:
    rows = closed_book([(n, TrainingRow(f"Code {n}?", "yes")) for n in range(1, 25)])
    params = LoraParams(epochs=40, rank=8, learning_rate=1e-2, batch_tokens=256, scored_rows=1, patience=2)
    report = train_adapter(folder, rows[:20], rows[20:], tmp_path / "a", params)
    assert report.epochs_done < 40
    assert report.score_after is not None and report.score_after.right == (21,)


def test_only_the_chosen_layers_learn(folder: Path, tmp_path: Path) -> None:
    train_adapter(
        folder, closed_book(ROWS), [], tmp_path / "a", replace(QUICK, target_modules="q_proj, v_proj")
    )
    names = load_file(tmp_path / "a" / "adapter_model.safetensors")
    assert {name.split(".")[-3] for name in names} == {"q_proj", "v_proj"}
    with pytest.raises(UserError, match="no layers of the name 'attention'"):
        train_adapter(
            folder, closed_book(ROWS), [], tmp_path / "b", replace(QUICK, target_modules="attention")
        )


def test_the_layers_below_the_first_that_learns_stay_as_they_are(folder: Path, tmp_path: Path) -> None:
    train_adapter(folder, closed_book(ROWS), [], tmp_path / "a", replace(QUICK, first_layer=1))
    names = load_file(tmp_path / "a" / "adapter_model.safetensors")
    assert names and {name.split(".layers.")[1].split(".")[0] for name in names} == {"1"}
    train_adapter(folder, closed_book(ROWS), [], tmp_path / "b", replace(QUICK, first_layer=9))
    names = load_file(tmp_path / "b" / "adapter_model.safetensors")
    assert names and {name.split(".layers.")[1].split(".")[0] for name in names} == {"1"}
    with pytest.raises(UserError, match="counted from 0, not -1"):
        replace(QUICK, first_layer=-1)


def test_training_goes_on_from_a_finished_adapter_of_the_same_shape(folder: Path, tmp_path: Path) -> None:
    rows = closed_book(ROWS)
    first = train_adapter(folder, rows[:20], rows[20:], tmp_path / "first", QUICK)
    second = train_adapter(folder, rows[:20], rows[20:], tmp_path / "second", QUICK, start=tmp_path / "first")
    assert second.loss_before == first.loss_after
    assert (first.started_from, second.started_from) == ("", "first")
    with pytest.raises(UserError, match="another rank than rank 8"):
        other = replace(QUICK, rank=8)
        train_adapter(folder, rows[:20], rows[20:], tmp_path / "third", other, start=tmp_path / "first")


def test_a_failing_save_leaves_the_old_adapter(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a"
    train_adapter(folder, closed_book(ROWS), [], out, QUICK)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lora, "write_card", full)
    with pytest.raises(UserError, match="could not be saved: No space left on device"):
        train_adapter(folder, closed_book(ROWS), [], out, QUICK)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.filterwarnings("error::UserWarning")  # PEFT warns when it looked for the base on the hub
def test_the_saved_folder_is_plain_peft_without_a_path_of_this_machine(folder: Path, tmp_path: Path) -> None:
    train_adapter(folder, closed_book(ROWS), [], tmp_path / "a", QUICK)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "card.json",
    ]
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == folder.name
    assert str(tmp_path) not in (tmp_path / "a" / "card.json").read_text()


def test_too_few_rows_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="19 training rows are too few: at least 20"):
        train_adapter(folder, closed_book(ROWS[:19]), [], tmp_path / "a", QUICK)


def test_a_row_longer_than_the_context_is_named(folder: Path, tmp_path: Path) -> None:
    rows = [*ROWS, (25, TrainingRow("Why?", "because " * 90))]
    with pytest.raises(UserError, match=r"Row 25 has \d{3} tokens with its prompt, but .* reads 512"):
        train_adapter(folder, closed_book(rows), [], tmp_path / "a", QUICK)


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"epochs": 0}, {"learning_rate": 0.0}])
def test_parameters_must_be_positive(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match="positive numbers"):
        LoraParams(**wrong)  # type: ignore[arg-type]


def test_compiled_layers_learn_the_same_and_are_plain_again_afterwards(folder: Path) -> None:
    rows = closed_book(ROWS)
    plain, fast = lora._Run(folder, rows, [], QUICK), lora._Run(folder, rows, [], QUICK)
    base: Any = fast.network.get_base_model()
    layers = base.base_model.layers
    fast._compiled = CompiledLayers(layers, backend="eager")  # traced, without a C++ compiler
    losses = [run._step(run._batches(run.train_rows, 1)[0], 1e-3)[0] for run in (plain, fast)]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)
    assert [layer.self_attn.layer_idx for layer in layers] == [0, 1]
    assert all("forward" not in vars(layer) for layer in layers)


def test_frozen_weights_of_four_bits_learn_and_the_adapter_serves_on_the_whole_weights(
    folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    rows = closed_book([(n, TrainingRow(f"Code {n}?", "yes")) for n in range(1, 25)])
    params = LoraParams(
        epochs=12, rank=8, learning_rate=1e-2, batch_tokens=256, scored_rows=4, four_bits=True
    )
    report = train_adapter(folder, rows[:20], rows[20:], tmp_path / "mine", params)
    assert report.loss_before is not None and report.loss_after is not None
    assert report.loss_after < report.loss_before / 5
    assert report.score_after is not None and report.score_after.exact == 1
    model = LanguageModel.load(folder)
    events = model.generate(build_messages("Code 5?"), adapter=tmp_path / "mine")
    assert "".join(event.text for event in events if not isinstance(event, Finished)) == "yes"


def test_without_its_package_weights_of_four_bits_are_refused_in_one_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    rows = closed_book(ROWS)
    with pytest.raises(UserError, match=r"need the package bitsandbytes: pip install -e '\.\[qlora\]'"):
        train_adapter(folder, rows, [], tmp_path / "mine", replace(QUICK, four_bits=True))
