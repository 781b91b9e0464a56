"""Puts many short examples into few rows of one size, so that shared beginnings are read once.

Enters: prompts and answers as token ids. Leaves: `Packed` trees and tensors for a causal model. Examples
whose prompts begin alike share those tokens; each goes on as a branch that sees the shared part and itself
alone. An attention mask and positions say so, hence the loss is exactly that of the same examples in rows of
their own. It knows no model. All batches of a run have one shape: kernels are made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

IGNORE = -100  # label of a position where nothing is learned


@dataclass(frozen=True)
class Encoded:
    """One example as token ids; the answer includes the token that ends it."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True)
class Packed:
    """Examples with a common beginning. Per token: its id, position, branch (0 = shared) and label."""

    ids: tuple[int, ...]
    positions: tuple[int, ...]
    branches: tuple[int, ...]
    labels: tuple[int, ...]
    examples: int
    plain_tokens: int  # what the examples take as rows of their own

    def __len__(self) -> int:
        return len(self.ids)


def pack(examples: Sequence[Encoded]) -> Packed:
    """All these examples as one tree; each keeps at least one token of its prompt for itself."""
    shared = common_beginning([example.prompt for example in examples])
    ids, positions = list(examples[0].prompt[:shared]), list(range(shared))
    branches, labels = [0] * shared, [IGNORE] * shared
    for number, example in enumerate(examples, start=1):
        own = len(example) - shared
        ids += [*example.prompt[shared:], *example.answer]
        positions += range(shared, shared + own)
        branches += [number] * own
        labels += [*[IGNORE] * (len(example.prompt) - shared), *example.answer]
    plain = sum(map(len, examples))
    return Packed(tuple(ids), tuple(positions), tuple(branches), tuple(labels), len(examples), plain)


def common_beginning(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all prompts begin with, short of the whole of any; 0 for a single one."""
    if len(prompts) < 2:
        return 0
    most = min(map(len, prompts)) - 1
    first = prompts[0]
    return next((at for at in range(most) if any(p[at] != first[at] for p in prompts)), most)


def filled(examples: Sequence[Encoded], length: int) -> list[Packed]:
    """The examples, in their order, as trees of at most `length` tokens each, one tree a row.

    An example longer than `length` has a row of its own, which is then too long for `tensors`.
    """
    shared = common_beginning([example.prompt for example in examples])
    rows: list[Packed] = []
    group: list[Encoded] = []
    used = shared
    for example in examples:
        own = len(example) - shared
        if group and used + own > length:
            rows.append(pack(group))
            group, used = [], shared
        group.append(example)
        used += own
    return [*rows, pack(group)] if group else rows


@dataclass(frozen=True)
class Batch:
    """Tensors of shape (rows, length); `mask` adds to attention, (rows, 1, length, length), None if plain."""

    ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor
    mask: torch.Tensor | None

    def to(self, place: torch.device) -> Batch:
        """The same batch on another device."""
        mask = None if self.mask is None else self.mask.to(place)
        return Batch(self.ids.to(place), self.positions.to(place), self.labels.to(place), mask)


def tensors(rows: Sequence[Sequence[Packed]], length: int, dtype: torch.dtype) -> Batch:
    """A batch of rows; the trees of a row lie side by side, and none sees another."""
    shape = (len(rows), length)
    ids, positions = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, IGNORE)
    branch, tree = torch.full(shape, -1), torch.full(shape, -1)
    for at, row in enumerate(rows):
        start = 0
        for number, packed in enumerate(row):
            here = slice(start, start := start + len(packed))
            ids[at, here] = torch.tensor(packed.ids)
            positions[at, here] = torch.tensor(packed.positions)
            labels[at, here] = torch.tensor(packed.labels)
            branch[at, here] = torch.tensor(packed.branches)
            tree[at, here] = number
    sees = (branch[:, None, :] == 0) | (branch[:, None, :] == branch[:, :, None])
    sees &= tree[:, None, :] == tree[:, :, None]
    sees &= torch.ones((length, length), dtype=torch.bool).tril()
    mask = torch.zeros((len(rows), 1, length, length), dtype=dtype)
    mask.masked_fill_(~sees[:, None], torch.finfo(dtype).min)
    return Batch(ids, positions, labels, mask)


def plain_tensors(examples: Sequence[Encoded], length: int) -> Batch:
    """One example a row, padded behind, where a causal model does not look: for models that take no mask."""
    shape = (len(examples), length)
    ids, labels = torch.zeros(shape, dtype=torch.long), torch.full(shape, IGNORE)
    for at, example in enumerate(examples):
        ids[at, : len(example)] = torch.tensor([*example.prompt, *example.answer])
        labels[at, len(example.prompt) : len(example)] = torch.tensor(example.answer)
    return Batch(ids, torch.arange(length).expand(shape), labels, None)
