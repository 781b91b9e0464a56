"""Runs the layers of a network as compiled code while a step is made: half as fast again on a processor.

Enters: a network of equal decoder layers. Leaves: the same network, its layers compiled inside the `with`
block. It needs a C++ compiler, so recipes ask for it and pages do not. All layers share one compilation,
which holds for batches of one shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch


class CompiledLayers:
    """The layers of one network and what they are while a step is made."""

    def __init__(self, layers: Sequence[torch.nn.Module], backend: str = "inductor") -> None:
        self._layers = list(layers)
        self._forwards = [
            torch.compile(layer.forward, dynamic=False, backend=backend) for layer in self._layers
        ]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within this block the compiled layers run; outside of it the plain ones, which know a cache."""
        numbers = [layer.self_attn.layer_idx for layer in self._layers]
        for layer, forward in zip(self._layers, self._forwards, strict=True):
            layer.forward = forward
            layer.self_attn.layer_idx = 0  # one number for all means one compilation; no cache is in use
        try:
            yield
        finally:
            for layer, number in zip(self._layers, numbers, strict=True):
                del layer.forward
                layer.self_attn.layer_idx = number
