"""What a server elsewhere needs to answer as Triptych does: GGUF files, Modelfiles, lines for models.toml.

Enters: the folder of a base model, adapters, a folder to write into. Leaves: files for llama.cpp's server and
for Ollama, and how to start them. It starts no server.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backends.datatypes import UserError
from backends.language.base_model import READER_NAME
from backends.language.gguf_files import shape_of, write_model
from backends.language.prompts import INSTRUCTION
from backends.system.files import write_whole
from backends.training.adapter_gguf import write_adapter
from backends.training.adapters import Adapter

MODELFILE, MODELS_FILE = "Modelfile", "models.toml"
LLAMA_PORT = 8080
CHATML = '''TEMPLATE """{{ range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""
'''


class LoadedModel(Protocol):
    """What is asked of `generation.LanguageModel`."""

    name: str
    folder: str
    context: int
    fingerprint: str


@dataclass(frozen=True)
class ServedBase:
    """The model that adapters belong to."""

    name: str
    folder: Path
    context: int
    fingerprint: str

    @classmethod
    def from_model(cls, model: LoadedModel) -> ServedBase:
        return cls(model.name, Path(model.folder), model.context, model.fingerprint)


@dataclass(frozen=True)
class Served:
    """What was written, and the command that serves it with llama.cpp."""

    files: tuple[Path, ...]
    command: str


def write_files(to: Path, base: ServedBase, adapters: Sequence[Adapter]) -> Served:
    """Write model and adapters as GGUF into the folder `to`, with Modelfiles and a models.toml.

    A model that is there already is left as it is. Raises UserError for an adapter of another base model, and
    for what GGUF cannot hold.
    """
    _check(base, adapters)
    try:
        to.mkdir(parents=True, exist_ok=True)
        model = to / f"{base.name}.gguf"
        if not model.is_file():
            write_model(base.folder, model, base.name)
        written = [model]
        for adapter in adapters:
            written.append(to / f"{adapter.name}.gguf")
            write_adapter(adapter, base.folder, written[-1])
        texts = {MODELFILE: modelfile(base)} | {
            f"{MODELFILE}.{adapter.name}": modelfile(base, adapter) for adapter in adapters
        }
        texts[MODELS_FILE] = models_lines(base, adapters)
        for name, text in texts.items():
            write_whole(to / name, text)
            written.append(to / name)
    except OSError as error:
        raise UserError(f"{to} cannot be written: {error.strerror or error}.") from error
    loras = ",".join(str(to / f"{adapter.name}.gguf") for adapter in adapters)
    lora = f" --lora {loras} --lora-init-without-apply" if adapters else ""
    command = f"llama-server -m {model}{lora} -c {base.context} --port {LLAMA_PORT}"
    return Served(tuple(written), command)


def pack_gguf(adapter: Adapter, base: ServedBase) -> bytes:
    """One adapter as a zip: its GGUF file and a Modelfile. Raises UserError as `write_files`."""
    _check(base, [adapter])
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        file = Path(folder) / f"{adapter.name}.gguf"
        write_adapter(adapter, base.folder, file)
        archive.write(file, file.name)
        archive.writestr(MODELFILE, modelfile(base, adapter))
    return out.getvalue()


def writable(base: ServedBase) -> bool:
    """Whether adapters of this model can be written as GGUF here."""
    try:
        shape_of(base.folder)
    except UserError:
        return False
    return True


def modelfile(base: ServedBase, adapter: Adapter | None = None) -> str:
    """Ollama's recipe of the model, or of the model with this adapter; the files lie beside it."""
    template = base.folder / "chat_template.jinja"
    chatml = template.is_file() and "<|im_start|>" in template.read_text(encoding="utf-8")
    lines = [f"FROM ./{base.name}.gguf", *([f"ADAPTER ./{adapter.name}.gguf"] if adapter else [])]
    lines += ["PARAMETER temperature 0", f"PARAMETER num_ctx {base.context}"]
    lines += [*(['PARAMETER stop "<|im_end|>"'] if chatml else []), f'SYSTEM """{INSTRUCTION}"""']
    return "\n".join(lines) + "\n" + (CHATML if chatml else "")


def models_lines(base: ServedBase, adapters: Sequence[Adapter]) -> str:
    """A table for models.toml: llama.cpp's server with these adapters, by their numbers in its command."""
    off = ", ".join(f"{{ id = {number}, scale = 0 }}" for number in range(len(adapters)))
    lines = [
        "# Copy into models.toml of the workspace; then --model served.",
        "[served]",
        f'address = "http://localhost:{LLAMA_PORT}/v1"',
        f'model = "{base.name}"',
        f"context = {base.context}",
        f'tokenizer = "{"embedded" if base.name == READER_NAME else base.folder}"',
        "logprobs = true",
        *([f"lora = [{off}]"] if adapters else []),
    ]
    for kind in ("fine_tuned", "hybrid"):
        number = next((n for n, each in enumerate(adapters) if each.card.kind == kind), None)
        if number is not None:
            lines += [f"[served.{kind}]  # {adapters[number].name}", f"lora = [{{ id = {number} }}]"]
    return "\n".join(lines) + "\n"


def _check(base: ServedBase, adapters: Sequence[Adapter]) -> None:
    for adapter in adapters:
        if adapter.card.base_fingerprint not in ("", base.fingerprint):
            raise UserError(
                f"The adapter {adapter.name} was trained on another base model: {adapter.card.base_model} "
                f"({adapter.card.base_fingerprint}), not {base.name} ({base.fingerprint})."
            )
