"""What this machine can do, asked once: which number format is fast, where models run, how many threads may.

Enters: nothing. Leaves: facts about processor and container. It knows no model.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import torch

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


@cache
def cpu_has_fast_bf16() -> bool:
    """Whether the processor multiplies bfloat16 natively (AMX or AVX-512 BF16).

    Elsewhere torch emulates it, which is several times slower than float32.
    """
    import torch

    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("amx_bf16") or abilities.get("avx512_bf16"))


@cache
def device() -> torch.device:
    """The GPU where there is one, else the processor."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def free_memory() -> int:
    """Bytes that a model may still take: of the GPU where there is one, else of the machine."""
    if device().type == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available)


def give_back_memory() -> None:
    """Hand freed memory back to the system: glibc keeps the holes that arrays of some MB leave."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def serving_dtype() -> torch.dtype:
    """bfloat16 where it is fast, else float32."""
    import torch

    return torch.bfloat16 if device().type == "cuda" or cpu_has_fast_bf16() else torch.float32


def bound_threads() -> int | None:
    """Let the number libraries start no more threads than a container's quota lets run; returns that number.

    To be called before they are loaded: OpenMP reads its variable once, and processes started later inherit
    it. Without a quota, or where somebody has chosen a number, nothing changes. More threads than the quota
    has time for wait for each other half of every scheduling period.
    """
    quota = cpu_quota()
    if quota is None or quota >= processors():
        return None
    threads = max(1, math.floor(quota))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(min(torch.get_num_threads(), threads))
    return threads


def cpu_quota(cgroups: Path = CGROUPS, own: Path = OWN_CGROUP) -> float | None:
    """Processors whose time this process and its group may use; None without a quota.

    The tightest of the group and those around it (cgroup v2: cpu.max; v1: cpu.cfs_quota_us).
    """
    found = [
        quota
        for folder in _groups(cgroups, own)
        for quota in (_quota_v2(folder), _quota_v1(folder))
        if quota is not None
    ]
    return min(found, default=None)


def processors() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _groups(cgroups: Path, own: Path) -> list[Path]:
    """The folders of this process's group, of those around it, and the top; those that are there."""
    folders = {cgroups, cgroups / "cpu"}
    for line in _read(own).splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = cgroups / "cpu" if controllers else cgroups
        inside = top / path.lstrip("/")
        folders |= {each for each in (inside, *inside.parents) if each.is_relative_to(top)}
    return [folder for folder in folders if folder.is_dir()]


def _quota_v2(folder: Path) -> float | None:
    allowed, period = (*_read(folder / "cpu.max").split(), "", "")[:2]
    return int(allowed) / int(period) if allowed.isdigit() and period.isdigit() else None


def _quota_v1(folder: Path) -> float | None:
    allowed, period = _read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()
    return int(allowed) / int(period) if allowed.isdigit() and period.isdigit() else None  # -1: none


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:  # not Linux, not mounted, or not ours to read
        return ""
