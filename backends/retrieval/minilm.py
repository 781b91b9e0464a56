"""The BERT of all-MiniLM-L6-v2: batches of token ids to hidden states, for the embedder and the reranker.

Enters: token ids and weights by their published names. Leaves: float tensors. Six layers are short enough to
write out, and loading them this way takes a tenth of the time that importing a general library does; tests
hold it equal to sentence-transformers and to transformers with PEFT. Rows stand one behind the other without
padding, and in bf16 the weights are packed once for the processor: together 1.5 times as fast as padded
batches (benchmarks/LOG.md). Only the last row is followed by a few idle tokens, so that there are few
different sizes: for each, oneDNN writes machine code first, which takes longer than to run it. It knows no
text and no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, chain, groupby
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["bf16", "fp32"]

CLS, SEP = 101, 102
SMALL, FINE, COARSE = 256, 32, 256  # a batch has a multiple of FINE tokens, above SMALL of COARSE


def size_of(tokens: int) -> int:
    """The next larger of the few sizes of a batch in bf16."""
    step = FINE if tokens <= SMALL else COARSE
    return -(-tokens // step) * step


def best_precision() -> Precision:
    """bf16 where the processor computes in it (two to four times faster), else fp32."""
    from backends.system.hardware import cpu_has_fast_bf16

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
        states, lengths = self._encode(firsts, seconds, only_first=False)
        return states[: sum(lengths)].split(lengths)

    def first_states(
        self, firsts: Sequence[Sequence[int]], seconds: Sequence[Sequence[int]] | None = None
    ) -> torch.Tensor:
        """(rows, d): the state of [CLS] of each row, without computing the others' last layer."""
        return self._encode(firsts, seconds, only_first=True)[0][: len(firsts)]

    def _encode(
        self, firsts: Sequence[Sequence[int]], seconds: Sequence[Sequence[int]] | None, *, only_first: bool
    ) -> tuple[torch.Tensor, list[int]]:
        """States of all tokens, one row behind the other, or `only_first` of each row; and the rows' lengths.

        Some idle ones may stand behind them.
        """
        x, lengths = self._embedded(firsts, seconds)
        for layer in range(self.LAYERS):
            at = f"encoder.layer.{layer}."
            alone = only_first and layer == self.LAYERS - 1
            context = self._attend(self.linear(x, at + "attention.self.qkv"), lengths, only_first=alone)
            x = self._firsts_of(x, lengths) if alone else x
            x = self._norm(
                x + self.linear(context, at + "attention.output.dense"), at + "attention.output.LayerNorm"
            )
            inner = self.linear(x, at + "intermediate.dense", gelu=True)
            x = self._norm(x + self.linear(inner, at + "output.dense"), at + "output.LayerNorm")
        return x, lengths

    def _embedded(
        self, firsts: Sequence[Sequence[int]], seconds: Sequence[Sequence[int]] | None
    ) -> tuple[torch.Tensor, list[int]]:
        """What enters the first layer, and the rows' lengths."""
        import torch

        rows = [[CLS, *first, SEP] for first in firsts]
        ends = [len(row) for row in rows]  # of the first part
        if seconds is not None:
            rows = [[*row, *second, SEP] for row, second in zip(rows, seconds, strict=True)]
        lengths = [len(row) for row in rows]
        idle = [0] * (self._size(sum(lengths)) - sum(lengths))
        ids = torch.tensor([*chain(*rows), *idle])
        places = torch.tensor([*chain(*map(range, lengths)), *idle])
        types = torch.tensor(
            [*chain(*([0] * end + [1] * (n - end) for n, end in zip(lengths, ends, strict=True))), *idle]
        )
        x = self.w["embeddings.word_embeddings.weight"][ids]
        x = x + self.w["embeddings.position_embeddings.weight"][places]
        x = x + self.w["embeddings.token_type_embeddings.weight"][types]
        return self._norm(x, "embeddings.LayerNorm"), lengths

    def _size(self, tokens: int) -> int:
        return size_of(tokens) if self._packed else tokens

    def _firsts_of(self, x: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """The first state of each row, and idle ones."""
        import torch
        import torch.nn.functional as F

        found = x[torch.tensor([0, *accumulate(lengths[:-1])])]
        return F.pad(found, (0, 0, 0, self._size(len(found)) - len(found)))

    def _attend(self, qkv: torch.Tensor, lengths: Sequence[int], *, only_first: bool) -> torch.Tensor:
        """Every token, or `only_first` of each row, reads the tokens of its own row; what stands behind reads
        nothing."""
        import torch
        import torch.nn.functional as F

        found, first = [], 0
        for length, group in groupby(lengths):
            rows = len(list(group))
            part = qkv[first : first + rows * length].view(rows, length, 3, self.HEADS, -1)
            q, k, v = part.permute(2, 0, 3, 1, 4)
            read = F.scaled_dot_product_attention(q[:, :, :1] if only_first else q, k, v)
            found.append(read.transpose(1, 2).reshape(rows if only_first else rows * length, -1))
            first += rows * length
        joined = torch.cat(found)
        return F.pad(joined, (0, 0, 0, self._size(len(joined)) - len(joined)))

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
