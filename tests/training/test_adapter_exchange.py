"""Packing, taking in, comparing and pricing adapters, on a tiny model."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from backends.datatypes import UserError
from backends.language.generation import LanguageModel
from backends.training.adapter_comparison import compare, same_rows, training_cost
from backends.training.adapter_exchange import import_adapter, pack
from backends.training.adapters import AdapterCard, Adapters, read_card, write_card
from tests.fakes import random_adapter, tiny_language_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return LanguageModel.load(tiny_language_model(tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="module")
def peft_folder(model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_adapter(model.folder, tmp_path_factory.mktemp("peft") / "theirs")


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    return Adapters(tmp_path / "adapters", tmp_path / "none")


def said(model: LanguageModel, folder: Path) -> str:
    events = model.generate([{"role": "user", "content": "Hello"}], adapter=folder, max_tokens=12)
    return "".join(getattr(event, "text", "") for event in events)


def test_an_imported_folder_answers_as_before_and_packs_into_a_zip_that_imports_again(
    model: LanguageModel, peft_folder: Path, adapters: Adapters, tmp_path: Path
) -> None:
    taken = import_adapter(adapters, peft_folder, "theirs", "hybrid", model)
    assert (taken.card.kind, taken.card.origin) == ("hybrid", "imported")
    assert adapters.active("hybrid") is None  # registered, not activated
    assert said(model, taken.folder) == said(model, peft_folder)
    packed = pack(taken)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert sorted(archive.namelist()) == [
            "theirs/adapter_config.json",
            "theirs/adapter_model.safetensors",
            "theirs/card.json",
        ]
    (tmp_path / "theirs.zip").write_bytes(packed)
    again = import_adapter(adapters, tmp_path / "theirs.zip", "again", "hybrid", model)
    assert said(model, again.folder) == said(model, peft_folder)
    with pytest.raises(UserError, match="already an adapter 'again'"):
        import_adapter(adapters, tmp_path / "theirs.zip", "again", "hybrid", model)


def test_pickled_weights_are_refused(model: LanguageModel, adapters: Adapters, tmp_path: Path) -> None:
    folder = tmp_path / "pickle"
    folder.mkdir()
    torch.save({}, folder / "adapter_model.bin")
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"pickled weights \(adapter_model\.bin\)"):
        import_adapter(adapters, folder, "x", "hybrid", model)
    assert list(adapters.folder.iterdir()) == []


def test_an_adapter_of_another_base_model_is_refused(
    model: LanguageModel, adapters: Adapters, tmp_path: Path
) -> None:
    wider = tiny_language_model(tmp_path / "wider", hidden=48)
    deeper = tiny_language_model(tmp_path / "deeper", layers=3)
    foreign = random_adapter(wider, tmp_path / "foreign")
    with pytest.raises(UserError, match=r"does not fit .*: its layer \S+ is \d+ wide where the model's is"):
        import_adapter(adapters, foreign, "x", "hybrid", model)
    with pytest.raises(UserError, match=r"that model has no layer model\.layers\.2"):
        import_adapter(adapters, random_adapter(deeper, tmp_path / "deep"), "x", "hybrid", model)
    write_card(foreign, AdapterCard("foreign", "hybrid", "wide model", "0123"))
    with pytest.raises(UserError, match=r"trained on another base model: wide model \(0123\)"):
        import_adapter(adapters, foreign, "x", "hybrid", model)
    assert list(adapters.folder.iterdir()) == []


def test_what_is_no_plain_lora_is_refused(
    model: LanguageModel, peft_folder: Path, adapters: Adapters, tmp_path: Path
) -> None:
    def variant(name: str, config: str | None = None, weights: bytes | None = None) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file, content in (("adapter_config.json", config), ("adapter_model.safetensors", weights)):
            given = content.encode() if isinstance(content, str) else content
            (folder / file).write_bytes((peft_folder / file).read_bytes() if given is None else given)
        return folder

    extra = load_file(peft_folder / "adapter_model.safetensors") | {"lm_head.weight": torch.zeros(2, 2)}
    save_file(extra, tmp_path / "extra.safetensors")
    cases = {
        "no LoRA adapter .*PROMPT": variant("prompt", json.dumps({"peft_type": "PROMPT_TUNING"})),
        "not valid JSON": variant("broken", "{"),
        "cannot be read": variant("garbage", weights=b"not safetensors"),
        "not plain LoRA: lm_head": variant("extra", weights=(tmp_path / "extra.safetensors").read_bytes()),
    }
    (tmp_path / "note.zip").write_text("no zip")
    cases["not a zip file"] = tmp_path / "note.zip"
    for reason, folder in cases.items():
        with pytest.raises(UserError, match=reason):
            import_adapter(adapters, folder, "x", "hybrid", model)
    assert list(adapters.folder.iterdir()) == []


def test_a_zip_writes_nowhere_but_into_its_folder(
    model: LanguageModel, peft_folder: Path, adapters: Adapters, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "sly.zip", "w") as archive:
        for path in peft_folder.iterdir():
            if path.name != "README.md":
                archive.write(path, f"../../../{path.name}")
        archive.writestr("../../escaped.txt", "hello")
    taken = import_adapter(adapters, tmp_path / "sly.zip", "sly", "hybrid", model)
    assert sorted(path.name for path in taken.folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "card.json",
    ]
    assert not list(tmp_path.rglob("escaped.txt"))


def test_comparing_tells_what_differs(model: LanguageModel, peft_folder: Path, adapters: Adapters) -> None:
    one, two = (import_adapter(adapters, peft_folder, name, "hybrid", model) for name in ("one", "two"))
    score = {"exact": 0.5, "contains": 0.75, "rows": 48}
    card = replace(
        read_card(two.folder), parameters={"rank": 8}, report={"score_after": score}, data_fingerprint="d"
    )
    write_card(two.folder, card)
    one, two = adapters.get("one"), adapters.get("two")
    found = {each.what: (each.first, each.second) for each in compare(one, two)}
    assert found["Held-out answers right"] == ("-", "36 of 48")
    assert found["Rank"] == ("4", "8")
    assert "Base model" not in found
    assert not same_rows(one, two)
    assert same_rows(two, two)


def test_cost_is_measured_time_times_the_inputs() -> None:
    cost = training_cost({"seconds": 1800}, watts=60, price_per_hour=0.2)
    assert (cost.seconds, cost.watt_hours, cost.amount) == (1800, 30, 0.1)
    assert training_cost({}, watts=60, price_per_hour=0.2).amount == 0


@pytest.mark.parametrize(
    ("named", "taken"),
    [("someone/other-1B", False), ("/old/place/other-1B", False), ("someone/{name}", True), ("", True)],
)
def test_an_adapter_that_names_another_base_is_refused_though_its_layers_fit(
    model: LanguageModel, peft_folder: Path, adapters: Adapters, tmp_path: Path, named: str, taken: bool
) -> None:
    folder = tmp_path / "named"
    shutil.copytree(peft_folder, folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = named.format(name=model.name)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    if taken:
        assert import_adapter(adapters, folder, "x", "hybrid", model).name == "x"
    else:
        with pytest.raises(UserError, match=r"names another base model, .*other-1B"):
            import_adapter(adapters, folder, "x", "hybrid", model)
        assert list(adapters.folder.iterdir()) == []
