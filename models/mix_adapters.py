"""Mixes two adapters of which the second went on from the first: the weighted mean of their weights.

Enters: two PEFT folders and the second one's share. Leaves: the second folder's weights, overwritten. A mean
of two runs from one start often keeps what each does well (Wortsman et al. 2022, "Model soups").
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

WEIGHTS = "adapter_model.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, required=True, help="of the second, 0 to 1")
    args = parser.parse_args()
    first, second = load_file(args.first / WEIGHTS), load_file(args.second / WEIGHTS)
    if {name: value.shape for name, value in first.items()} != {n: v.shape for n, v in second.items()}:
        raise SystemExit("These adapters are of different shapes.")
    mixed = {
        name: torch.lerp(first[name].float(), value.float(), args.share).to(value.dtype).contiguous()
        for name, value in second.items()
    }
    save_file(mixed, args.second / WEIGHTS, metadata={"format": "pt"})


if __name__ == "__main__":
    main()
