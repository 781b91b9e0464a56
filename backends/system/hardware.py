"""What this machine can do, asked once: which number format is fast, and where models run.

Enters: nothing. Leaves: facts about the processor. It knows no model.
"""

from __future__ import annotations

from functools import cache

import psutil
import torch


@cache
def cpu_has_fast_bf16() -> bool:
    """Whether the processor multiplies bfloat16 natively (AMX or AVX-512 BF16).

    Elsewhere torch emulates it, which is several times slower than float32.
    """
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("amx_bf16") or abilities.get("avx512_bf16"))


@cache
def device() -> torch.device:
    """The GPU where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def free_memory() -> int:
    """Bytes that a model may still take: of the GPU where there is one, else of the machine."""
    if device().type == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available)


def serving_dtype() -> torch.dtype:
    """bfloat16 where it is fast, else float32."""
    return torch.bfloat16 if device().type == "cuda" or cpu_has_fast_bf16() else torch.float32
