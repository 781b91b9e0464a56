"""Adapters as GGUF: a PEFT folder becomes the file that llama.cpp and Ollama load, and the other way round.

Enters: an adapter's folder, the folder of its base model. Leaves: a `.gguf` file that carries the adapter's
card too, or the files of a PEFT folder. It registers nothing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file

from backends.datatypes import JsonObject, JsonValue, UserError
from backends.language.gguf_files import (
    LoraLayer,
    LoraWeights,
    read_lora,
    read_safetensors,
    shape_of,
    write_lora,
)
from backends.system.files import write_whole
from backends.training.adapters import CARD, CONFIG, WEIGHTS, Adapter

LORA_WEIGHT = re.compile(r"base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight")
CARD_KEY = "triptych.card"


def write_adapter(adapter: Adapter, base: Path, out: Path) -> None:
    """Write the adapter as GGUF; `base` is the folder of the model it was trained on.

    Raises UserError when it is no plain LoRA of a model of the Llama family.
    """
    notes = {"general.base_model.0.name": adapter.card.base_model, CARD_KEY: json.dumps(asdict(adapter.card))}
    write_lora(_of_folder(adapter.folder), shape_of(base), out, adapter.name, notes)


def unpack_gguf(file: Path, base: Path, layers: Mapping[str, tuple[int, ...]], folder: Path) -> None:
    """Put the adapter of a GGUF file into `folder` as PEFT files, its card too where it carries one.

    Raises UserError when the file is damaged or its adapter does not fit the model of folder `base`.
    """
    lora, texts = read_lora(file, shape_of(base), layers)
    weights = {}
    for layer, matrices in lora.layers.items():
        for side, values in (("A", matrices.a), ("B", matrices.b)):
            weights[f"base_model.model.{layer}.lora_{side}.weight"] = values.contiguous()
    save_file(weights, folder / WEIGHTS)
    write_whole(folder / CONFIG, json.dumps(_config_of(lora, texts.get("general.base_model.0.name", ""))))
    if CARD_KEY in texts:
        write_whole(folder / CARD, texts[CARD_KEY])


def _of_folder(folder: Path) -> LoraWeights:
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if config.get("use_dora") or config.get("bias", "none") != "none":
        raise UserError(f"The adapter {folder.name} is no plain LoRA: GGUF cannot hold it.")
    sides: dict[str, dict[str, torch.Tensor]] = {}
    for key, values in read_safetensors(folder / WEIGHTS):
        if (match := LORA_WEIGHT.fullmatch(key)) is None:
            raise UserError(f"The adapter {folder.name} holds weights that are not plain LoRA: {key}.")
        sides.setdefault(match[1], {})[match[2]] = values
    alpha = float(config["lora_alpha"])
    layers = {}
    for layer, both in sides.items():
        rank = len(both["A"])
        # A file has one alpha; what a layer differs by goes into its B, in full precision.
        factor = _factor(config, layer, rank) / (alpha / rank)
        b = both["B"] if math.isclose(factor, 1) else both["B"].float() * factor
        layers[layer] = LoraLayer(both["A"], b)
    return LoraWeights(layers, alpha)


def _factor(config: JsonObject, layer: str, rank: int) -> float:
    """What PEFT multiplies B A of this layer with."""
    alpha = config["lora_alpha"]
    for pattern, own in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", layer):
            alpha = own
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _config_of(lora: LoraWeights, base_model: str) -> dict[str, JsonValue]:
    """The configuration by which PEFT reads them as llama.cpp does; the factor is 1 without an alpha."""
    ranks = {layer: len(matrices.a) for layer, matrices in lora.layers.items()}
    rank = max(ranks.values())
    others = {layer: own for layer, own in ranks.items() if own != rank}
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "r": rank,
        "lora_alpha": lora.alpha or rank,
        "rank_pattern": {re.escape(layer): own for layer, own in others.items()},
        "alpha_pattern": {} if lora.alpha else {re.escape(layer): own for layer, own in others.items()},
        "target_modules": sorted(ranks),
        "lora_dropout": 0.0,
        "bias": "none",
    }
