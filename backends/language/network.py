"""One set of weights ready to read and write tokens, by the fastest way that fits it.

Enters: a loaded causal network. Leaves: `Read` functions, one an answer, and logits. It knows no text. A
Llama on a processor is read by `llama_decoder`, every other network by transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache

from backends.language.llama_decoder import PROMPT_STEP, LlamaDecoder
from backends.language.loading import CausalModel

if TYPE_CHECKING:
    from peft import PeftModel

Read = Callable[[Sequence[int]], torch.Tensor]  # tokens to the logits of what follows all that was read


class Network:
    """A network and how it is read; `beside` is one whose embeddings it shares."""

    def __init__(self, model: CausalModel, beside: Network | None = None) -> None:
        self.model = model
        self._decoder: LlamaDecoder | None = None
        if LlamaDecoder.fits(model):
            self._decoder = LlamaDecoder(model, None if beside is None else beside._decoder)

    def start(self, capacity: int) -> Read:
        """A fresh memory of at most `capacity` tokens, as the function that reads into it."""
        if self._decoder is None:
            return reading(self.model)
        decoder, memory = self._decoder, self._decoder.memory(capacity)
        return lambda tokens: decoder.read(tokens, memory)

    @torch.inference_mode()
    def logits(self, tokens: Sequence[int]) -> torch.Tensor:
        """Float32 logits (tokens, vocabulary) at every position."""
        where = next(self.model.parameters()).device
        given: torch.Tensor = self.model(input_ids=torch.tensor([list(tokens)], device=where)).logits
        return given[0].float()


def reading(model: CausalModel | PeftModel) -> Read:
    """A fresh cache of transformers, as the function that reads into it.

    On a processor prompts are filled up to a multiple of PROMPT_STEP, since kernels are made anew for every
    length; what stands behind the last token is not seen by it, and is cut from the cache again.
    """
    cache = DynamicCache(config=model.config)
    where = next(model.parameters()).device

    @torch.inference_mode()
    def read(tokens: Sequence[int]) -> torch.Tensor:
        count = len(tokens)
        fillable = where.type == "cpu" and count > 1 and not any(cache.is_sliding)
        spare = -count % PROMPT_STEP if fillable else 0
        filled = torch.tensor([[*tokens, *[tokens[-1]] * spare]], device=where)
        last = torch.tensor([count - 1], device=where)
        told = model(input_ids=filled, past_key_values=cache, use_cache=True, logits_to_keep=last)
        if spare:
            cache.crop(-spare)
        logits: torch.Tensor = told.logits[0, -1]
        return logits

    return read
