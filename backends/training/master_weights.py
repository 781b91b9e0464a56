"""AdamW on float32 copies of bfloat16 weights: in bfloat16 itself small updates would be rounded away.

Enters: the weights that learn. Leaves: the same weights, updated. It knows no model and no data.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


class MasterWeights:
    """Float32 copies of `weights`, the optimizer over them, and the way back."""

    def __init__(self, weights: Sequence[torch.nn.Parameter], rate: float) -> None:
        self.weights = list(weights)
        self.copies = [weight.detach().float().clone().requires_grad_() for weight in self.weights]
        self.optimizer = torch.optim.AdamW(self.copies, lr=rate, weight_decay=0.0)

    def step(self, rate: float) -> None:
        """One update from the gradients on the weights, clipped to norm 1; the gradients are taken off."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        for copy, weight in zip(self.copies, self.weights, strict=True):
            copy.grad = None if weight.grad is None else weight.grad.float()
            weight.grad = None
        torch.nn.utils.clip_grad_norm_(self.copies, 1.0)
        self.optimizer.step()
        self._write_back()

    def state(self) -> dict[str, torch.Tensor]:
        """Everything a later step depends on, by name: copies and moments."""
        tensors = {f"copy.{number}": copy.detach() for number, copy in enumerate(self.copies)}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"moment.{number}.{name}": value for name, value in moments.items()}
        return tensors

    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        """Go back to what `state` gave."""
        moments: dict[int, dict[str, torch.Tensor]] = {}
        with torch.no_grad():
            for name, tensor in tensors.items():
                part, number, *rest = name.split(".")
                if part == "copy":
                    self.copies[int(number)].copy_(tensor)
                else:
                    moments.setdefault(int(number), {})[rest[0]] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        self._write_back()

    def _write_back(self) -> None:
        with torch.no_grad():
            for copy, weight in zip(self.copies, self.weights, strict=True):
                weight.copy_(copy)
