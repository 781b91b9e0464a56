"""Finds and loads causal language models and merges LoRA adapters into copies of them.

Enters: a folder or an id, an adapter folder. Leaves: a model and its tokenizer, fingerprints of weights.
It writes no text. Only safetensors weights are opened; pickled ones are refused.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from backends.datatypes import UserError
from backends.system.files import MODELS

EMBEDDED = MODELS / "embedded"
log = logging.getLogger(__name__)


def context_length(config: Any) -> int:
    """Most tokens, prompt and answer together, that the model reads."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", None) or 2048)


def locate_model(model: str | Path) -> str:
    """Folder or id that `from_pretrained` takes; folders are checked before anything is read."""
    if str(model) == "embedded":
        model = EMBEDDED
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UserError(f"The folder {folder} holds no Hugging Face model: config.json is missing.")
        if not any(folder.glob("*.safetensors")):
            pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
            reason = "only pickled weights, which are refused" if pickled else "no weights"
            raise UserError(f"The folder {folder} holds {reason}: *.safetensors files are needed.")
        return str(folder)
    if folder == EMBEDDED:
        raise UserError("The embedded model is not here: models/embedded is missing from this copy.")
    if folder.is_absolute() or len(folder.parts) > 2 or str(model).startswith((".", "~")):
        raise UserError(f"There is no folder {folder}.")
    return str(model)


def load_pretrained(source: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """(model, tokenizer) from a folder or id; the local cache first, the hub only where that is allowed."""
    transformers_logging.disable_progress_bar()  # a line of its own for every load, also in servers' logs
    # PEFT reads an attribute that transformers has renamed; nothing a user could do about it.
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
    local = Path(source).is_dir()
    offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
    problem: Exception | None = None
    for only_local in [True] if local or offline else [True, False]:
        options: dict[str, Any] = {"local_files_only": only_local, "trust_remote_code": False}
        try:
            config = AutoConfig.from_pretrained(source, **options)
            tokenizer = AutoTokenizer.from_pretrained(source, **options)
            model = AutoModelForCausalLM.from_pretrained(
                source, config=config, dtype=dtype, use_safetensors=True, **options
            )
            return model, tokenizer
        except (OSError, ValueError, KeyError, json.JSONDecodeError) as error:
            problem = error
    log.info("Loading %s failed: %s", source, problem)
    if local:
        reason = str(problem).splitlines()[0][:200]
        raise UserError(f"The folder {source} cannot be loaded as a causal language model: {reason}")
    where = "and this machine is set to work offline" if offline else "and it could not be fetched"
    raise UserError(
        f"The model {source!r} is not a folder, not in the local Hugging Face cache, {where}."
    ) from problem


def model_fingerprint(source: str, model: Any) -> str:
    """Identity of the weights: names, shapes and the first bytes of every file, or of the tensors.

    Hashing all of a large model would take longer than loading it.
    """
    digest = hashlib.sha256()
    folder = Path(source)
    if folder.is_dir():
        for path in sorted(folder.glob("*.safetensors")):
            with path.open("rb") as file:
                digest.update(f"{path.name} {path.stat().st_size}".encode())
                digest.update(file.read(1 << 20))
    else:
        for name, weight in model.named_parameters():
            digest.update(f"{name} {tuple(weight.shape)}".encode())
        digest.update(source.encode())
    return digest.hexdigest()[:16]


def adapter_fingerprint(adapter: Path) -> str:
    """Changes whenever the adapter's files do; raises UserError when they are not a safe PEFT folder."""
    weights = adapter / "adapter_model.safetensors"
    if not adapter.is_dir():
        raise UserError(f"The adapter {adapter.name} is not there any more.")
    if not weights.is_file():
        pickled = any(adapter.glob("*.bin")) or any(adapter.glob("*.pt"))
        reason = "holds pickled weights, which are refused" if pickled else "holds no weights"
        raise UserError(f"The adapter {adapter.name} {reason}: adapter_model.safetensors is needed.")
    if not (adapter / "adapter_config.json").is_file():
        raise UserError(f"The adapter {adapter.name} holds no adapter_config.json.")
    stat = weights.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def merge_adapter(base: Any, adapter: Path, base_fingerprint: str, base_name: str) -> Any:
    """A copy of `base` with the LoRA weights folded in; raises UserError for an adapter of another base."""
    learned_on = _recorded_base(adapter)
    if learned_on not in (None, base_fingerprint):
        raise UserError(
            f"The adapter {adapter.name} was trained on another base model ({learned_on}) than {base_name} "
            f"({base_fingerprint})."
        )
    dtype = next(base.parameters()).dtype
    try:
        config = PeftConfig.from_pretrained(str(adapter))
        # Folded in float32: adding small updates to bfloat16 weights twice would round twice.
        tuned = PeftModel.from_pretrained(copy.deepcopy(base).float(), str(adapter), config=config)
        merged = tuned.merge_and_unload(safe_merge=True)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"The adapter {adapter.name} does not fit {base_name}: {str(error).splitlines()[0][:160]}"
        ) from error
    return merged.to(dtype).eval()


def _recorded_base(adapter: Path) -> str | None:
    card = adapter / "card.json"
    if not card.is_file():
        return None
    value = json.loads(card.read_text(encoding="utf-8")).get("base_fingerprint")
    return str(value) if value else None
