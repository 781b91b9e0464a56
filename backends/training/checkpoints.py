"""Checkpoints of a training run: tensors and a small JSON state in one safetensors file, whole or not at all.

Enters: named tensors and a mapping. Leaves: the same, after a crash too. It knows no model and no optimizer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from backends.datatypes import JsonObject, JsonValue, UserError
from backends.system.files import sync


def write_checkpoint(path: Path, tensors: Mapping[str, torch.Tensor], state: JsonObject) -> None:
    """Replace the checkpoint at `path`; it is on the disk when this returns.

    Raises UserError when the disk is full or the place cannot be written; the old checkpoint stays.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
            partial,
            metadata={"state": json.dumps(dict(state))},
        )
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"The checkpoint could not be saved: {error}.") from error


def read_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, JsonValue]]:
    """(tensors, state) of a checkpoint. Raises UserError when it cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            state: dict[str, JsonValue] = json.loads(file.metadata()["state"])
            return {name: file.get_tensor(name) for name in file.keys()}, state  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"The checkpoint {path.name} cannot be read: {error}.") from error
