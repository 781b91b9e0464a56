"""Models and adapters as GGUF, on a tiny model: what is written reads back as it was."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from backends.datatypes import UserError
from backends.language.generation import LanguageModel
from backends.language.gguf_files import shape_of, write_model
from backends.training.adapter_exchange import import_adapter
from backends.training.adapter_gguf import write_adapter
from backends.training.adapters import Adapter, AdapterCard, Adapters, LearnedDocument, write_card
from backends.training.serving_files import ServedBase, models_lines, pack_gguf, write_files
from tests.fakes import random_adapter, tiny_language_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return LanguageModel.load(tiny_language_model(tmp_path_factory.mktemp("base") / "tiny", key_heads=1))


@pytest.fixture
def adapter(model: LanguageModel, tmp_path: Path) -> Adapter:
    folder = random_adapter(model.folder, tmp_path / "theirs")
    learned = (LearnedDocument("a.md", 1, "f"),)
    card = AdapterCard("theirs", "hybrid", model.name, model.fingerprint, learned, 3)
    write_card(folder, card)
    return Adapter(folder, card)


@pytest.fixture
def base(model: LanguageModel) -> ServedBase:
    return ServedBase.from_model(model)


def taken_in(folder: Path, model: LanguageModel) -> Adapter:
    adapters = Adapters(folder / "own", folder / "none")
    return import_adapter(adapters, folder / "out.gguf", "x", "hybrid", model)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_an_adapter_goes_out_as_gguf_and_comes_back_as_it_was(
    model: LanguageModel, adapter: Adapter, tmp_path: Path, dtype: torch.dtype
) -> None:
    held = {key: values.to(dtype) for key, values in weights(adapter.folder).items()}
    save_file(held, adapter.folder / "adapter_model.safetensors")
    write_adapter(adapter, Path(model.folder), tmp_path / "out.gguf")
    taken = taken_in(tmp_path, model)
    before, after = weights(adapter.folder), weights(taken.folder)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key].float(), after[key]) for key in before)
    assert (taken.card.documents, taken.card.rows) == (adapter.card.documents, 3)


def test_layers_with_factors_of_their_own_keep_them(
    model: LanguageModel, adapter: Adapter, tmp_path: Path
) -> None:
    """A GGUF file knows one alpha; PEFT knows one a layer, and one by the root of the rank."""
    path = adapter.folder / "adapter_config.json"
    config = json.loads(path.read_text()) | {"use_rslora": True, "alpha_pattern": {"v_proj": 3}}
    path.write_text(json.dumps(config))
    write_adapter(adapter, Path(model.folder), tmp_path / "out.gguf")
    taken = taken_in(tmp_path, model)
    rank, alpha = config["r"], config["lora_alpha"]
    before, after = weights(adapter.folder), weights(taken.folder)
    for key, values in before.items():
        own = 3 if "v_proj" in key else alpha
        factor = own / rank**0.5 / (alpha / rank) if "lora_B" in key else 1
        torch.testing.assert_close(after[key], values * factor)


def test_rows_that_are_rotated_in_pairs_lie_as_llama_cpp_wants_them(
    model: LanguageModel, tmp_path: Path
) -> None:
    from gguf import GGUFReader

    write_model(Path(model.folder), tmp_path / "model.gguf", "tiny")
    tensors = {tensor.name: np.array(tensor.data) for tensor in GGUFReader(tmp_path / "model.gguf").tensors}
    given = load_file(Path(model.folder) / "model.safetensors")
    shape = shape_of(Path(model.folder))
    for name, heads in (("q", shape.heads), ("k", shape.key_heads)):
        theirs = given[f"model.layers.1.self_attn.{name}_proj.weight"].numpy()
        width = len(theirs) // heads
        for head in range(heads):
            for pair in range(width // 2):
                for side in (0, 1):
                    wanted = theirs[head * width + side * (width // 2) + pair]
                    assert np.array_equal(
                        tensors[f"blk.1.attn_{name}.weight"][head * width + 2 * pair + side], wanted
                    )
    assert np.array_equal(
        tensors["blk.0.ffn_down.weight"], given["model.layers.0.mlp.down_proj.weight"].numpy()
    )
    assert "output.weight" not in tensors  # the embeddings are tied


def test_files_for_a_server(model: LanguageModel, adapter: Adapter, base: ServedBase, tmp_path: Path) -> None:
    served = write_files(tmp_path / "served", base, [adapter])
    names = {path.name for path in served.files}
    assert names == {"tiny.gguf", "theirs.gguf", "Modelfile", "Modelfile.theirs", "models.toml"}
    assert all(path.is_file() for path in served.files)
    assert "--lora-init-without-apply" in served.command
    recipe = (tmp_path / "served" / "Modelfile.theirs").read_text()
    assert "FROM ./tiny.gguf" in recipe
    assert "ADAPTER ./theirs.gguf" in recipe
    assert "TEMPLATE" not in recipe  # this model has another than ChatML, which Ollama reads from the file
    assert "lora = [{ id = 0, scale = 0 }]" in models_lines(base, [adapter])
    with zipfile.ZipFile(BytesIO(pack_gguf(adapter, base))) as archive:
        assert sorted(archive.namelist()) == ["Modelfile", "theirs.gguf"]


def test_an_adapter_of_another_model_is_not_written(
    adapter: Adapter, base: ServedBase, tmp_path: Path
) -> None:
    other = replace(base, fingerprint="another")
    with pytest.raises(UserError, match="trained on another base model"):
        write_files(tmp_path / "served", other, [adapter])
    assert not (tmp_path / "served").exists()


def test_what_gguf_cannot_hold_is_said(
    model: LanguageModel, adapter: Adapter, base: ServedBase, tmp_path: Path
) -> None:
    path = adapter.folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"use_dora": True}))
    with pytest.raises(UserError, match="no plain LoRA"):
        pack_gguf(adapter, base)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "config.json").write_text('{"model_type": "gemma"}')
    with pytest.raises(UserError, match=r"plain Llama family.*gemma"):
        write_model(foreign, tmp_path / "x.gguf", "x")
    assert not list(tmp_path.glob("*.gguf"))


@pytest.mark.parametrize("cut", [0, 3, 64, 2000])
def test_a_damaged_file_is_one_sentence(
    model: LanguageModel, adapter: Adapter, tmp_path: Path, cut: int
) -> None:
    write_adapter(adapter, Path(model.folder), tmp_path / "out.gguf")
    whole = (tmp_path / "out.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:cut])
    adapters = Adapters(tmp_path / "own", tmp_path / "none")
    with pytest.raises(UserError, match=r"cut\.gguf"):
        import_adapter(adapters, tmp_path / "cut.gguf", "x", "hybrid", model)
    assert list(adapters.folder.iterdir()) == []


def test_a_model_is_no_adapter(model: LanguageModel, tmp_path: Path) -> None:
    write_model(Path(model.folder), tmp_path / "model.gguf", "tiny")
    with pytest.raises(UserError, match=r"model\.gguf is no LoRA adapter"):
        import_adapter(Adapters(tmp_path / "own"), tmp_path / "model.gguf", "x", "hybrid", model)
