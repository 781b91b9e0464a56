"""Models and LoRA weights as GGUF, the files of llama.cpp and Ollama: written from folders, LoRA read back.

Enters: a Hugging Face folder of the Llama family, matrices of a LoRA adapter. Leaves: `.gguf` files, and the
matrices of one. Nothing is lost: no weight is rounded. It knows no registry of adapters. Layout
and names are those of llama.cpp's own converters (convert_hf_to_gguf.py, convert_lora_to_gguf.py).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from gguf import (
    MODEL_ARCH,
    GGMLQuantizationType,
    GGUFReader,
    GGUFType,
    GGUFWriter,
    ReaderTensor,
    TokenType,
    get_tensor_name_map,
)
from gguf.quants import dequantize
from safetensors import SafetensorError, safe_open

from backends.datatypes import JsonObject, JsonValue, UserError

ARCHITECTURE = "llama"
CONVERTERS = "llama.cpp's own converters (convert_hf_to_gguf.py, convert_lora_to_gguf.py) know more"


@dataclass(frozen=True)
class Shape:
    """What of a model's configuration decides how its weights lie in a GGUF file."""

    layers: int
    heads: int
    key_heads: int
    tied: bool  # the matrix of the embeddings is also that of the output

    def turns_of(self, tensor: str) -> int | None:
        """Heads of a tensor (`blk.0.attn_q.weight`) whose rows lie in another order; None for the others."""
        part = tensor.split(".")[2] if tensor.startswith("blk.") else ""
        return {"attn_q": self.heads, "attn_k": self.key_heads}.get(part)

    def gguf_name(self, layer: str) -> str:
        """`blk.0.attn_q` for model.layers.0.self_attn.q_proj. UserError for a layer that Llama has not."""
        found = get_tensor_name_map(MODEL_ARCH.LLAMA, self.layers).get_name(layer)
        if found is None:
            raise UserError(f"The layer {layer} is none of the Llama family: {CONVERTERS}.")
        return str(found)


@dataclass(frozen=True)
class LoraLayer:
    """The two matrices of one adapted layer: A (rank, in), B (out, rank), as PEFT holds them."""

    a: torch.Tensor
    b: torch.Tensor


@dataclass(frozen=True)
class LoraWeights:
    """A LoRA adapter: what is added to a layer's weights is `alpha / rank` times B A."""

    layers: Mapping[str, LoraLayer]  # by the layer's name in the model, such as model.layers.0.mlp.up_proj
    alpha: float


def shape_of(folder: Path) -> Shape:
    """Of the model in a Hugging Face folder; raises UserError when it is not of the plain Llama family."""
    config = _config(folder)
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if config.get("model_type") != "llama" or kind != "default" or config.get("attention_bias"):
        what = f"{config.get('model_type')}, rope {kind}"
        raise UserError(f"Only models of the plain Llama family are written as GGUF ({what}): {CONVERTERS}.")
    heads = int(config["num_attention_heads"])
    return Shape(
        layers=int(config["num_hidden_layers"]),
        heads=heads,
        key_heads=int(config.get("num_key_value_heads") or heads),
        tied=bool(config.get("tie_word_embeddings")),
    )


# --- models --------------------------------------------------------------------------------------


def write_model(folder: Path, out: Path, name: str) -> None:
    """Write the model of a Hugging Face folder, its tokenizer and chat template as one GGUF file.

    Raises UserError, and leaves no file, when it is not of the Llama family or its tokenizer none that is
    known here.
    """
    shape = shape_of(folder)

    def fill(writer: GGUFWriter) -> None:
        writer.add_type(GGUFType.MODEL)
        writer.add_name(name)
        _add_shape(writer, _config(folder), shape)
        _add_tokenizer(writer, folder)
        for key, weight in _weights(folder):
            if not (shape.tied and key.startswith("lm_head")):
                tensor = f"{shape.gguf_name(key.removesuffix('.weight'))}.weight"
                _add(writer, tensor, _turned(weight, shape.turns_of(tensor)))

    _write(out, fill)


def _add_shape(writer: GGUFWriter, config: JsonObject, shape: Shape) -> None:
    rope = config.get("rope_parameters") or {}
    writer.add_context_length(int(config["max_position_embeddings"]))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_heads)
    writer.add_rope_dimension_count(int(config.get("head_dim") or config["hidden_size"] // shape.heads))
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0))
    writer.add_layer_norm_rms_eps(float(config["rms_norm_eps"]))
    writer.add_vocab_size(int(config["vocab_size"]))


def _add_tokenizer(writer: GGUFWriter, folder: Path) -> None:
    """A byte-level BPE, split into words as GPT-2 or SmolLM split them."""
    tokenizer = _json(folder / "tokenizer.json")
    model, config = tokenizer["model"], _json(folder / "tokenizer_config.json")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_word_splitting(tokenizer, folder))
    tokens = {number: (token, TokenType.NORMAL) for token, number in model["vocab"].items()}
    for added in tokenizer["added_tokens"]:
        kind = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
        tokens[added["id"]] = (added["content"], kind)
    size = int(_config(folder)["vocab_size"])
    rows = [tokens.get(number, (f"[unused{number}]", TokenType.UNUSED)) for number in range(size)]
    writer.add_token_list([token for token, _ in rows])
    writer.add_token_types([kind for _, kind in rows])
    writer.add_token_merges([each if isinstance(each, str) else " ".join(each) for each in model["merges"]])
    numbers = {token: number for number, (token, _) in tokens.items()}
    for field, add in (
        ("bos_token", writer.add_bos_token_id),
        ("eos_token", writer.add_eos_token_id),
        ("pad_token", writer.add_pad_token_id),
    ):
        if (token := _token_text(config.get(field))) in numbers:
            add(numbers[token])
    writer.add_add_bos_token(False)  # the chat template says all that stands in front
    template = folder / "chat_template.jinja"
    if template.is_file():
        writer.add_chat_template(template.read_text(encoding="utf-8"))
    elif isinstance(config.get("chat_template"), str):
        writer.add_chat_template(config["chat_template"])


def _word_splitting(tokenizer: JsonObject, folder: Path) -> str:
    """llama.cpp's name of how the tokenizer splits a text into words before it joins bytes."""
    pre = tokenizer.get("pre_tokenizer") or {}
    parts = pre.get("pretokenizers", [pre])
    kinds = [part.get("type") for part in parts]
    plain = tokenizer["model"]["type"] == "BPE" and not tokenizer.get("normalizer")
    if plain and kinds[-1:] == ["ByteLevel"] and not parts[-1].get("add_prefix_space"):
        if kinds == ["ByteLevel"]:
            return "gpt-2"
        if kinds == ["Digits", "ByteLevel"] and parts[0].get("individual_digits"):
            return "smollm"
    raise UserError(f"The tokenizer of {folder.name} is none that is written as GGUF here: {CONVERTERS}.")


def _token_text(given: JsonValue) -> str:
    return str(given.get("content", "")) if isinstance(given, dict) else str(given or "")


def _weights(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and values of every weight of a folder's safetensors files."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(f"The folder {folder.name} holds no *.safetensors files to write as GGUF.")
    for file in files:
        yield from read_safetensors(file)


def read_safetensors(file: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and values of each tensor. Raises UserError for what is no such file."""
    try:
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                yield name, opened.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file.name} cannot be read: {error}.") from error


# --- adapters ------------------------------------------------------------------------------------


def write_lora(lora: LoraWeights, shape: Shape, out: Path, name: str, notes: Mapping[str, str]) -> None:
    """Write a LoRA adapter as one GGUF file; `notes` are further texts, by keys of their own.

    Always in float32: between two bfloat16 matrices llama.cpp rounds the states too, and a tuned model that
    answers from memory then says other things (7 of 20 questions; none in float32).

    Raises UserError, and leaves no file, when a layer is none that llama.cpp adapts.
    """

    def fill(writer: GGUFWriter) -> None:
        writer.add_type(GGUFType.ADAPTER)
        writer.add_name(name)
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", lora.alpha)
        for key, text in notes.items():
            writer.add_string(key, text)
        for layer, matrices in lora.layers.items():
            tensor = f"{shape.gguf_name(layer)}.weight"
            if tensor.startswith("token_embd") or (tensor.startswith("output.") and shape.tied):
                raise UserError(f"The adapter {name} changes {layer}, which llama.cpp does not adapt here.")
            _add(writer, f"{tensor}.lora_a", matrices.a.float())
            _add(writer, f"{tensor}.lora_b", _turned(matrices.b.float(), shape.turns_of(tensor)))

    _write(out, fill)


def read_lora(
    file: Path, shape: Shape, layers: Mapping[str, tuple[int, ...]]
) -> tuple[LoraWeights, dict[str, str]]:
    """The LoRA adapter of a GGUF file and its texts; `layers` are those of the model it is for.

    Raises UserError when the file is damaged, holds something else, or adapts a layer the model has not.
    """
    reader = _reader(file)
    said = {key: field.contents() for key, field in reader.fields.items()}
    texts = {key: value for key, value in said.items() if isinstance(value, str)}
    if texts.get("general.type") != "adapter" or texts.get("adapter.type") != "lora":
        raise UserError(f"{file.name} is no LoRA adapter (its type is {texts.get('general.type')!r}).")
    if texts.get("general.architecture") != ARCHITECTURE:
        raise UserError(f"{file.name} is for a model of the family {texts.get('general.architecture')}.")
    names = {f"{shape.gguf_name(layer)}.weight": layer for layer in layers if layer != "lm_head"}
    found: dict[str, dict[str, torch.Tensor]] = {}
    for tensor in reader.tensors:
        base, _, side = tensor.name.rpartition(".")
        if side not in ("lora_a", "lora_b") or base not in names:
            raise UserError(f"{file.name} does not fit the model: it has no layer for {tensor.name[:80]}.")
        values = _values(tensor)
        if side == "lora_b":
            values = _turned(values, shape.turns_of(base), back=True)
        found.setdefault(names[base], {})[side] = values
    if not found or any(len(sides) != 2 for sides in found.values()):
        raise UserError(f"{file.name} is damaged: it does not hold both matrices of every layer it adapts.")
    matrices = {layer: LoraLayer(sides["lora_a"], sides["lora_b"]) for layer, sides in found.items()}
    return LoraWeights(matrices, float(said.get("adapter.lora.alpha", 0))), texts


def _reader(file: Path) -> GGUFReader:
    try:
        return GGUFReader(file)
    except (OSError, ValueError, KeyError, IndexError, OverflowError, MemoryError) as error:
        raise UserError(f"{file.name} is not a GGUF file that can be read: {error}.") from error


# --- both ----------------------------------------------------------------------------------------


def _turned(weight: torch.Tensor, heads: int | None, back: bool = False) -> torch.Tensor:
    """Rows (out, ...) from the order of Hugging Face to that of llama.cpp, within each head, or back.

    There the pairs that are rotated together are i and i + width/2, here 2i and 2i + 1.
    """
    if heads is None:
        return weight
    half = weight.shape[0] // heads // 2
    parts = (half, 2) if back else (2, half)
    return weight.reshape(heads, *parts, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def _add(writer: GGUFWriter, name: str, weight: torch.Tensor) -> None:
    """Vectors are always float32: llama.cpp adds them to states of that kind."""
    if weight.ndim == 1 or weight.dtype not in (torch.bfloat16, torch.float16):
        writer.add_tensor(name, weight.float().contiguous().numpy())
    elif weight.dtype == torch.float16:
        writer.add_tensor(name, weight.contiguous().numpy())
    else:  # numpy has no bfloat16: its bytes are handed over
        data = weight.contiguous().view(torch.uint8).numpy()
        writer.add_tensor(name, data, raw_dtype=GGMLQuantizationType.BF16)


def _values(tensor: ReaderTensor) -> torch.Tensor:
    """In the number format of the file; what is quantized as float32. The file's memory is left."""
    if tensor.tensor_type == GGMLQuantizationType.BF16:
        return torch.from_numpy(tensor.data.copy()).view(torch.bfloat16)
    if tensor.tensor_type in (GGMLQuantizationType.F16, GGMLQuantizationType.F32):
        return torch.from_numpy(tensor.data.copy())
    return torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())


def _write(out: Path, fill: Callable[[GGUFWriter], None]) -> None:
    """The whole file or none; raises UserError when it cannot be written."""
    partial = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.partial")
    writer = GGUFWriter(partial, ARCHITECTURE, use_temp_file=True)
    try:
        fill(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        partial.replace(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}.") from error
    finally:
        writer.close()
        partial.unlink(missing_ok=True)


def _config(folder: Path) -> dict[str, JsonValue]:
    return _json(folder / "config.json")


def _json(file: Path) -> dict[str, JsonValue]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UserError(f"{file.name} of {file.parent.name} cannot be read, and is needed.") from error
