"""Reads prompts and writes tokens with the weights of a Llama network, leaner than its own forward pass.

Enters: a loaded Llama-family network, token ids. Leaves: logits of the next token. It knows no text and no
adapter. Single tokens are computed with int8 weights (one scale a row, activations as they are): writing is
bound by how fast weights come from memory, and by the number of calls, so projections of one input are
joined. The prompt is read with the weights as loaded. Other architectures go through transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaForCausalLM

    from backends.language.loading import CausalModel

PROMPT_STEP = 32  # tokens; prompts are read in lengths of multiples of this: kernels are made anew for each


@dataclass(frozen=True)
class Projection:
    """A weight matrix (out, in) as loaded, and as int8 with one scale for each of its rows."""

    weight: torch.Tensor
    small: torch.Tensor
    scales: torch.Tensor

    @classmethod
    def joined(cls, *weights: torch.Tensor) -> Projection:
        """Matrices that take the same input, one below the other."""
        weight = torch.cat([each.detach() for each in weights]) if len(weights) > 1 else weights[0].detach()
        start = 0
        for each in weights:  # the network's own matrices become parts of the joined one: nothing lies twice
            each.data = weight[start : start + len(each)]
            start += len(each)
        scales = (weight.float().abs().amax(1).clamp(min=1e-8) / 127).to(weight.dtype)
        small = (weight.float() / scales.float()[:, None]).round().clamp(-127, 127).to(torch.int8)
        return cls(weight, small, scales)

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """(tokens, in) to (tokens, out)."""
        if len(states) == 1:
            written: torch.Tensor = torch.ops.aten._weight_int8pack_mm(states, self.small, self.scales)
            return written
        return functional.linear(states, self.weight)


@dataclass(frozen=True)
class Layer:
    """Weights of one decoder layer."""

    before_attention: torch.Tensor
    query_key_value: Projection
    output: Projection
    before_feed_forward: torch.Tensor
    gate_up: Projection
    down: Projection


class KeyValueCache:
    """Keys and values of the tokens seen so far: two tensors (layers, key heads, capacity, width)."""

    def __init__(self, shape: tuple[int, int, int, int], dtype: torch.dtype) -> None:
        self.keys = torch.zeros(shape, dtype=dtype)
        self.values = torch.zeros(shape, dtype=dtype)
        self.length = 0


class LlamaDecoder:
    """The forward pass of one network on a processor; safe to use from several threads."""

    def __init__(self, network: LlamaForCausalLM, beside: LlamaDecoder | None = None) -> None:
        """`beside` decodes a network with the same embeddings: they are then kept once."""
        config = network.config
        self.heads = config.num_attention_heads
        self.key_heads = config.num_key_value_heads or self.heads
        self.width = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self.eps = config.rms_norm_eps
        self._embedding = network.model.embed_tokens.weight.detach()
        self._norm = network.model.norm.weight.detach()
        head = network.lm_head.weight
        self._head: Projection
        if beside is not None and beside._head.weight.data_ptr() == head.data_ptr():
            self._head = beside._head
        else:
            self._head = Projection.joined(head)
        self._layers = [_layer(each) for each in network.model.layers]
        self._rotary = network.model.rotary_emb

    @staticmethod
    def fits(network: CausalModel) -> TypeGuard[LlamaForCausalLM]:
        """Whether this network is a Llama on a processor, with nothing that this pass leaves out."""
        config = network.config
        plain_rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default") == "default"
        return (
            config.model_type == "llama"
            and config.hidden_act == "silu"
            and not config.attention_bias
            and not config.mlp_bias
            and plain_rope
            and next(network.parameters()).device.type == "cpu"
            and torch.backends.mkldnn.is_available()
        )

    def memory(self, capacity: int) -> KeyValueCache:
        """An empty memory for so many tokens."""
        shape = (len(self._layers), self.key_heads, capacity + PROMPT_STEP, self.width)
        return KeyValueCache(shape, self._embedding.dtype)

    @torch.inference_mode()
    def read(self, tokens: Sequence[int], memory: KeyValueCache) -> torch.Tensor:
        """Logits (vocabulary,) of what follows these tokens, which `memory` holds afterwards.

        A prompt is filled up behind its last token, which does not see the filling; it is written over later.
        """
        count, start = len(tokens), memory.length
        spare = -count % PROMPT_STEP if count > 1 else 0
        ids = torch.tensor([*tokens, *[tokens[-1]] * spare])
        states = self._embedding[ids]
        cos, sin = self._rotary(states, torch.arange(start, start + len(ids))[None])
        for number, layer in enumerate(self._layers):
            keys, values = memory.keys[number], memory.values[number]
            states = self._attend(layer, states, cos[0], sin[0], keys, values, start)
            inner = functional.rms_norm(states, states.shape[-1:], layer.before_feed_forward, self.eps)
            gate, up = layer.gate_up(inner).chunk(2, dim=-1)
            states = states + layer.down(functional.silu(gate) * up)
        memory.length = start + count
        last = functional.rms_norm(states[count - 1 : count], states.shape[-1:], self._norm, self.eps)
        return self._head(last)[0]

    def _attend(
        self,
        layer: Layer,
        states: torch.Tensor,
        cos: torch.Tensor,
        sin: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        start: int,
    ) -> torch.Tensor:
        """States (tokens, hidden) after attention over everything up to themselves."""
        tokens = len(states)
        inner = functional.rms_norm(states, states.shape[-1:], layer.before_attention, self.eps)
        joined = layer.query_key_value(inner).view(tokens, -1, self.width).transpose(0, 1)
        turned = _rotate(joined[: self.heads + self.key_heads], cos, sin)
        end = start + tokens
        keys[:, start:end] = turned[self.heads :]
        values[:, start:end] = joined[self.heads + self.key_heads :]
        mask = None
        if tokens > 1 and start:
            mask = torch.ones((tokens, end), dtype=torch.bool).tril(start)
        seen = functional.scaled_dot_product_attention(
            turned[None, : self.heads],
            keys[None, :, :end],
            values[None, :, :end],
            attn_mask=mask,
            is_causal=tokens > 1 and not start,
            enable_gqa=True,
        )
        return states + layer.output(seen[0].transpose(0, 1).reshape(tokens, -1))


def _rotate(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary positions (Su et al. 2021) in the half-split layout of Llama; heads (n, tokens, width)."""
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat((-second, first), dim=-1) * sin


def _layer(layer: LlamaDecoderLayer) -> Layer:
    attention, feed = layer.self_attn, layer.mlp
    return Layer(
        layer.input_layernorm.weight.detach(),
        Projection.joined(attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight),
        Projection.joined(attention.o_proj.weight),
        layer.post_attention_layernorm.weight.detach(),
        Projection.joined(feed.gate_proj.weight, feed.up_proj.weight),
        Projection.joined(feed.down_proj.weight),
    )
