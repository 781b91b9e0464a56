"""The BERT of all-MiniLM-L6-v2: batches of token ids to hidden states, for the embedder and the reranker.

Enters: token ids and weights by their published names. Leaves: float tensors. Six layers are short enough to
write out, and loading them this way takes a tenth of the time that importing a general library does; tests
hold it equal to sentence-transformers and to transformers with PEFT. Rows stand one behind the other without
padding, and in bf16 the weights are packed once for the processor: together 1.5 times as fast as padded
batches (benchmarks/LOG.md). It knows no text and no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
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
        self._packed: dict[str, torch.Tensor] = {}
        if precision == "bf16" and torch.backends.mkldnn.is_available():
            layers = [name for name in self.w if name.startswith("encoder.") and self.w[name].dim() == 2]
            for name in layers:  # in place of the plain weights, which nothing needs any more
                packed = torch.ops.mkldnn._reorder_linear_weight(self.w.pop(name))
                self._packed[name.removesuffix(".weight")] = packed

    def __call__(
        self, firsts: Sequence[Sequence[int]], seconds: Sequence[Sequence[int]] | None = None
    ) -> tuple[torch.Tensor, ...]:
        """Per row the states, (its tokens, d), of `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`.

        Rows of the same length should stand together: their attention is computed in one go.
        """
        import torch

        rows = [[CLS, *first, SEP] for first in firsts]
        types = None
        if seconds is not None:
            ends = [len(row) for row in rows]
            rows = [[*row, *second, SEP] for row, second in zip(rows, seconds, strict=True)]
            types = [int(at >= end) for row, end in zip(rows, ends, strict=True) for at in range(len(row))]
        lengths = [len(row) for row in rows]
        ids = torch.tensor([token for row in rows for token in row])
        places = torch.cat([torch.arange(length) for length in lengths])
        states = self._encode(ids, places, torch.tensor(types or [0]), lengths)
        return states.split(lengths)

    def _encode(
        self, ids: torch.Tensor, places: torch.Tensor, types: torch.Tensor, lengths: Sequence[int]
    ) -> torch.Tensor:
        """(all tokens, d); `ids`, `places` and `types` are those of all rows, one behind the other."""
        w = self.w
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][places]
        x = x + w["embeddings.token_type_embeddings.weight"][types]
        x = self._norm(x, "embeddings.LayerNorm")
        for layer in range(self.LAYERS):
            at = f"encoder.layer.{layer}."
            context = self._attend(self.linear(x, at + "attention.self.qkv"), lengths)
            x = self._norm(
                x + self.linear(context, at + "attention.output.dense"), at + "attention.output.LayerNorm"
            )
            inner = self.linear(x, at + "intermediate.dense", gelu=True)
            x = self._norm(x + self.linear(inner, at + "output.dense"), at + "output.LayerNorm")
        return x

    def _attend(self, qkv: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """(all tokens, d): every token reads the tokens of its own row."""
        import torch
        import torch.nn.functional as F

        found, first = [], 0
        for length, group in groupby(lengths):
            rows = len(list(group))
            part = qkv[first : first + rows * length].view(rows, length, 3, self.HEADS, -1)
            q, k, v = part.permute(2, 0, 3, 1, 4)
            read = F.scaled_dot_product_attention(q, k, v)
            found.append(read.transpose(1, 2).reshape(rows * length, -1))
            first += rows * length
        return torch.cat(found)

    def linear(self, x: torch.Tensor, name: str, *, gelu: bool = False) -> torch.Tensor:
        """The named layer, with the exact GELU behind it if asked."""
        import torch
        import torch.nn.functional as F

        bias = self.w[name + ".bias"]
        if name in self._packed:
            after, how = ("gelu", "none") if gelu else ("none", "")
            fused: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
                x, self._packed[name], bias, after, [], how
            )
            return fused
        made = F.linear(x, self.w[name + ".weight"], bias)
        return F.gelu(made) if gelu else made

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        import torch.nn.functional as F

        return F.layer_norm(x, (x.shape[-1],), self.w[name + ".weight"], self.w[name + ".bias"], self.EPS)
