"""Finds and loads causal language models and merges LoRA adapters into copies of them.

Enters: a folder or an id, an adapter folder. Leaves: a model and its tokenizer, fingerprints of weights.
It writes no text. Only safetensors weights are opened; pickled ones are refused.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import logging
import math
import os
import warnings
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel
from safetensors import SafetensorError, safe_open
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from backends.datatypes import JsonValue, UserError
from backends.language import base_model
from backends.system.hardware import device, free_memory

CausalModel = PreTrainedModel
Tokenizer = PreTrainedTokenizerBase

EMBEDDED, UNTUNED = "embedded", "embedded-untuned"
SAMPLES, SAMPLE_BYTES = 32, 1 << 16  # places and bytes of a weights file that its fingerprint reads
PACKS = "support_avx512bf16_for_cpu"  # an attribute of bitsandbytes' layers
log = logging.getLogger(__name__)


def context_length(config: PreTrainedConfig) -> int:
    """Most tokens, prompt and answer together, that the model reads."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", None) or 2048)


def model_name(model: str | Path) -> str:
    """What records and pages call this model."""
    own = {EMBEDDED: base_model.READER_NAME, UNTUNED: base_model.UNTUNED_NAME}
    return own.get(str(model)) or Path(str(model)).name


def locate_model(model: str | Path) -> str:
    """Folder or id that `from_pretrained` takes; folders are checked before anything is read."""
    if str(model) in (EMBEDDED, UNTUNED):
        return str(base_model.reader() if str(model) == EMBEDDED else base_model.untuned())
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UserError(f"The folder {folder} holds no Hugging Face model: config.json is missing.")
        if not any(folder.glob("*.safetensors")):
            pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
            reason = "only pickled weights, which are refused" if pickled else "no weights"
            raise UserError(f"The folder {folder} holds {reason}: *.safetensors files are needed.")
        return str(folder)
    if folder.is_absolute() or len(folder.parts) > 2 or str(model).startswith((".", "~")):
        raise UserError(f"There is no folder {folder}.")
    return str(model)


def load_pretrained(
    source: str, dtype: torch.dtype, attention: str = "sdpa", *, four_bits: bool = False
) -> tuple[CausalModel, Tokenizer]:
    """(model, tokenizer) from a folder or id; the local cache first, the hub only where that is allowed.

    `attention` is "sdpa" to serve, "eager" to train on a processor: the fused backward pass is slow there.
    `four_bits`: weights of the layers in NF4, computed in `dtype`, on the device that is used.
    """
    check_memory(source, dtype, share=0.25 if four_bits else 1.0)
    transformers_logging.disable_progress_bar()  # a line of its own for every load, also in servers' logs
    # PEFT reads an attribute that transformers has renamed; nothing a user could do about it.
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
    local = Path(source).is_dir()
    offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
    problem: Exception | None = None
    for only_local in [True] if local or offline else [True, False]:
        options: dict[str, JsonValue] = {"local_files_only": only_local, "trust_remote_code": False}
        weights = {"dtype": dtype, "attn_implementation": attention, "use_safetensors": True}
        weights |= _in_four_bits(dtype) if four_bits else {}
        try:
            config = AutoConfig.from_pretrained(source, **options)
            tokenizer = AutoTokenizer.from_pretrained(source, **options)
            model = AutoModelForCausalLM.from_pretrained(source, config=config, **weights, **options)
            if four_bits:
                _keep_trainable(model)
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


def _in_four_bits(dtype: torch.dtype) -> dict[str, JsonValue]:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError("Weights of 4 bits need the package bitsandbytes: pip install -e '.[qlora]'.")
    kept = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": kept, "device_map": {"": str(device())}}


def _keep_trainable(model: CausalModel) -> None:
    """Keep bitsandbytes from packing weights at the first reading: no gradient passes packed ones."""
    for layer in model.modules():
        if hasattr(layer, PACKS):
            setattr(layer, PACKS, False)


def check_memory(source: str, dtype: torch.dtype, share: float = 1.0) -> None:
    """Raises UserError when `share` of the weights in this folder will not fit into the free memory."""
    files = list(Path(source).glob("*.safetensors")) if Path(source).is_dir() else []
    weights = 0
    for file in files:
        with safe_open(file, framework="pt") as opened:
            weights += sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118
    needed, free = share * weights * dtype.itemsize, free_memory()
    if needed > free:
        raise UserError(
            f"The model {Path(source).name} needs about {needed / 1e9:.1f} GB of memory, but "
            f"{free / 1e9:.1f} GB is free: choose a smaller one or close other programs."
        )


def model_fingerprint(source: str, model: CausalModel) -> str:
    """Identity of the weights: size and samples of every file, or names and shapes of the tensors.

    Hashing all of a large model would take longer than loading it.
    """
    digest = hashlib.sha256()
    folder = Path(source)
    if own := base_model.identity_of(folder):  # rounding may differ between machines, the model does not
        digest.update(own.encode())
    elif folder.is_dir():
        for path in sorted(folder.glob("*.safetensors")):
            _digest_samples(path, digest)
    else:
        for name, weight in model.named_parameters():
            digest.update(f"{name} {tuple(weight.shape)}".encode())
        digest.update(source.encode())
    return digest.hexdigest()[:16]


def _digest_samples(path: Path, digest: hashlib._Hash) -> None:
    """Add a file's size and bytes of places spread over it."""
    size = path.stat().st_size
    digest.update(f"{path.name} {size}".encode())
    with path.open("rb") as file:
        for place in range(SAMPLES):
            file.seek(place * max(0, size - SAMPLE_BYTES) // max(1, SAMPLES - 1))
            digest.update(file.read(SAMPLE_BYTES))


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


def merge_adapter(base: CausalModel, adapter: Path, base_fingerprint: str, base_name: str) -> CausalModel:
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
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"The adapter {adapter.name} is damaged and cannot be used ({str(error).splitlines()[0][:160]}): "
            "delete it or train it again."
        ) from error
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"The adapter {adapter.name} does not fit {base_name}: {str(error).splitlines()[0][:160]}"
        ) from error
    merged = merged.to(dtype).eval()
    embeddings = merged.get_input_embeddings().get_parameter("weight")
    if torch.equal(embeddings, base.get_input_embeddings().get_parameter("weight")):
        merged.set_input_embeddings(base.get_input_embeddings())  # a fifth of a small model: kept once
        merged.tie_weights()
    return merged


def _recorded_base(adapter: Path) -> str | None:
    card = adapter / "card.json"
    if not card.is_file():
        return None
    try:
        value = json.loads(card.read_text(encoding="utf-8")).get("base_fingerprint")
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"The adapter {adapter.name} is damaged: it has no readable card.json.") from error
    return str(value) if value else None
