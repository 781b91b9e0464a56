"""llama.cpp's own server, in this process, on GGUF files of ours: the wheel `xllamacpp` brings it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def serving(model: Path, loras: Sequence[Path] = (), *, context: int = 2048, slots: int = 1) -> Iterator[str]:
    """The address of a server with this model; adapters answer only where a request names them.

    `context` tokens are shared by `slots` requests at a time.
    """
    llama = pytest.importorskip(
        "xllamacpp", reason="llama.cpp's server is not installed (pip install xllamacpp)"
    )
    given = llama.CommonParams()
    given.model.path = str(model)
    given.lora_adapters = [llama.CommonAdapterLoraInfo(str(path), 1.0) for path in loras]
    given.lora_init_without_apply = True
    given.n_ctx, given.n_parallel = context, slots
    given.cache_type_k = given.cache_type_v = llama.ggml_type.GGML_TYPE_F32  # as in process; F16 by default
    given.flash_attn_type = llama.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    given.verbosity, given.warmup = -1, False
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = 1
    server = llama.Server(given)
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server
