"""The BERT of all-MiniLM-L6-v2: batches of token ids to hidden states, for the embedder and the reranker.

Enters: token ids and weights by their published names. Leaves: float tensors. Six layers are short enough to
write out, and loading them this way takes a tenth of the time that importing a general library does; tests
hold it equal to sentence-transformers and to transformers with PEFT. It knows no text and no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["bf16", "fp32"]

CLS, SEP = 101, 102


def best_precision() -> Precision:
    """bf16 where the processor computes in it (two to four times faster), else fp32."""
    from backends.hardware import cpu_has_fast_bf16

    return "bf16" if cpu_has_fast_bf16() else "fp32"


class Bert:
    """BERT, 6 layers of 384, on the CPU."""

    LAYERS, HEADS, EPS = 6, 12, 1e-12

    def __init__(self, weights: Mapping[str, torch.Tensor], precision: Precision) -> None:
        import torch

        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.w = {name: value.to(dtype) for name, value in weights.items() if value.is_floating_point()}
        for layer in range(self.LAYERS):  # one multiplication instead of three
            prefix = f"encoder.layer.{layer}.attention.self."
            for kind in ("weight", "bias"):
                parts = [self.w.pop(f"{prefix}{part}.{kind}") for part in ("query", "key", "value")]
                self.w[f"{prefix}qkv.{kind}"] = torch.cat(parts)

    def __call__(
        self, firsts: Sequence[Sequence[int]], seconds: Sequence[Sequence[int]] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(states, mask) of `[CLS] first [SEP]`, or of `[CLS] first [SEP] second [SEP]` per row."""
        import torch

        ends = [len(first) + 2 for first in firsts]
        rows = [[CLS, *first, SEP] for first in firsts]
        if seconds is not None:
            rows = [[*row, *second, SEP] for row, second in zip(rows, seconds, strict=True)]
        length = max(map(len, rows))
        ids = torch.zeros(len(rows), length, dtype=torch.long)
        types = torch.zeros(len(rows), length, dtype=torch.long)
        mask = torch.zeros(len(rows), length, dtype=torch.bool)
        for at, (row, end) in enumerate(zip(rows, ends, strict=True)):
            ids[at, : len(row)] = torch.tensor(row)
            types[at, end : len(row)] = 1
            mask[at, : len(row)] = True
        return self._encode(ids, types, mask), mask

    def _encode(self, ids: torch.Tensor, types: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        import torch.nn.functional as F

        w, (rows, length) = self.w, ids.shape
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][:length]
        x = x + w["embeddings.token_type_embeddings.weight"][types]
        x = self._norm(x, "embeddings.LayerNorm")
        seen = None if bool(mask.all()) else mask[:, None, None, :]
        for layer in range(self.LAYERS):
            at = f"encoder.layer.{layer}."
            qkv = self.linear(x, at + "attention.self.qkv").view(rows, length, 3, self.HEADS, -1)
            q, k, v = qkv.permute(2, 0, 3, 1, 4)
            context = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
            context = context.transpose(1, 2).reshape(rows, length, -1)
            x = self._norm(
                x + self.linear(context, at + "attention.output.dense"), at + "attention.output.LayerNorm"
            )
            inner = F.gelu(self.linear(x, at + "intermediate.dense"))
            x = self._norm(x + self.linear(inner, at + "output.dense"), at + "output.LayerNorm")
        return x

    def linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        import torch.nn.functional as F

        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        import torch.nn.functional as F

        return F.layer_norm(x, (x.shape[-1],), self.w[name + ".weight"], self.w[name + ".bias"], self.EPS)
