"""Where in a passage the answer to a question stands, and whether it stands there at all.

Enters: a question and passages. Leaves: the best span of each, in characters, with the log-odds that it
answers. The weights are MiniLM as the reranker left it with the upper layers and heads of models/span_reader.
Longer passages are read in overlapping windows. It knows no document, no index and no language model.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backends.datatypes import JsonObject, UserError
from backends.retrieval.cross_encoder import RERANKER, CrossEncoder
from backends.retrieval.embedding import MODEL_SHA256, batches, load_tokenizer, merged_weights
from backends.retrieval.minilm import Bert, Precision, best_precision
from backends.system.contention import WatchedLock
from backends.system.files import MODELS

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPAN_READER = MODELS / "span_reader"
LONGEST = 256  # tokens of question and passage together, the three special ones included
LONGEST_QUESTION = 64
OVERLAP = 48  # tokens that two windows of a long passage share
LONGEST_SPAN = 48  # tokens
BATCH = 2048  # tokens that go through the network together
NOTHING = -20.0  # log-odds of a passage without a word


@dataclass(frozen=True)
class Span:
    """The words of a passage that answer best: `passage[start:end] == text`.

    `score` is the log-odds that they answer against "nothing here does", `no_answer` the same as a
    probability that the passage does not answer, 0 to 1.
    """

    start: int
    end: int
    text: str
    score: float
    no_answer: float


@dataclass(frozen=True)
class Calibration:
    """score = span x (log-odds of the span against none) + head x (logit that anything answers) + offset."""

    span: float
    head: float
    offset: float


@dataclass(frozen=True)
class Found:
    """Of one window: first and last token of its best span, the margin over none, and the head's logit."""

    first: int
    last: int
    margin: float
    head: float


class SpanReader:
    """The reader on the CPU. Making one is cheap; tokenizer and weights load at first use."""

    def __init__(self, folder: Path = SPAN_READER, precision: Precision | None = None) -> None:
        self._folder = folder
        self._precision = precision
        self._lock = WatchedLock()
        self._loaded: tuple[Tokenizer, Bert] | None = None

    @classmethod
    def load(cls, folder: Path | None = None) -> SpanReader:
        """The reader in `folder`, or the shipped one."""
        return shipped() if folder is None else cls(folder)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the weights. Raises UserError when they are missing, damaged or of another base."""
        path = self._folder / "model.safetensors"
        if not path.is_file() or not (self._folder / "card.json").is_file():
            raise UserError(f"There is no span reader in {self._folder}: get the files of the release anew.")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if (said := str(self._card["weights_sha256"])) != found:
            raise UserError(
                f"The span reader is damaged: the SHA-256 of {path.name} is {found[:12]}..., its card says "
                f"{said[:12]}... Get the files of the release anew."
            )
        if self._card["base_sha256"] != MODEL_SHA256:
            raise UserError(f"The span reader in {self._folder} was trained on another base model.")
        if self._card["reranker_sha256"] != CrossEncoder(RERANKER).fingerprint:
            raise UserError(f"The span reader in {self._folder} was trained on another reranker.")
        return found

    @cached_property
    def calibration(self) -> Calibration:
        """How its two outputs make one score; fitted on questions that training kept aside."""
        return Calibration(**self._card["calibration"])

    def read(self, question: str, passages: Sequence[str]) -> list[Span]:
        """The best span of each passage, in the order given."""
        found = self.outputs(question, passages)
        return [self._span(passage, *each) for passage, each in zip(passages, found, strict=True)]

    def outputs(
        self, question: str, passages: Sequence[str]
    ) -> list[tuple[Found | None, list[tuple[int, int]]]]:
        """Of each passage what its best window gives (None for a passage without tokens), and the characters
        of its tokens."""
        if not passages:
            return []
        with self._lock.held():
            tokenizer, bert = self._load()
            encoded = tokenizer.encode_batch([question, *passages], add_special_tokens=False)
            asked = encoded[0].ids[:LONGEST_QUESTION]
            room = LONGEST - 3 - len(asked)
            windows = [
                (row, begin, each.ids[begin : begin + room])
                for row, each in enumerate(encoded[1:])
                for begin in _windows(len(each.ids), room)
            ]
            best: dict[int, Found] = {}
            for (row, begin, _), found in zip(windows, _read(bert, asked, windows), strict=True):
                moved = Found(found.first + begin, found.last + begin, found.margin, found.head)
                if row not in best or self._score(moved) > self._score(best[row]):
                    best[row] = moved
        return [(best.get(row), each.offsets) for row, each in enumerate(encoded[1:])]

    def _score(self, found: Found) -> float:
        weights = self.calibration
        return weights.span * found.margin + weights.head * found.head + weights.offset

    def _span(self, passage: str, found: Found | None, places: Sequence[tuple[int, int]]) -> Span:
        if found is None:
            return Span(0, 0, "", NOTHING, 1.0)
        start, end = places[found.first][0], places[found.last][1]
        score = max(NOTHING, min(-NOTHING, self._score(found)))
        return Span(start, end, passage[start:end], score, 1 / (1 + math.exp(score)))

    @cached_property
    def _card(self) -> JsonObject:
        card: JsonObject = json.loads((self._folder / "card.json").read_text(encoding="utf-8"))
        return card

    def _load(self) -> tuple[Tokenizer, Bert]:
        if self._loaded is None:
            from safetensors.torch import load_file

            fingerprint = self.fingerprint
            weights = merged_weights(RERANKER)
            own = load_file(self._folder / "model.safetensors")
            if "span.weight" not in own or "answers.weight" not in own:
                raise UserError(f"The span reader {fingerprint[:12]} has no heads.")
            bert = Bert(
                weights | {name: w.float() for name, w in own.items()}, self._precision or best_precision()
            )
            self._loaded = load_tokenizer(), bert
        return self._loaded


def _windows(tokens: int, room: int) -> list[int]:
    """Where the windows of a passage begin; none for an empty one."""
    if tokens <= room:
        return [0] if tokens else []
    step = room - OVERLAP
    return [*range(0, tokens - room, step), tokens - room]


def _read(bert: Bert, asked: Sequence[int], windows: Sequence[tuple[int, int, list[int]]]) -> list[Found]:
    """What each window gives, in their order; those of equal length are computed together."""
    order = sorted(range(len(windows)), key=lambda at: len(windows[at][2]))
    lengths = [len(asked) + 3 + len(windows[at][2]) for at in order]
    found: dict[int, Found] = {}
    for begin, end in batches(lengths, BATCH):
        part = order[begin:end]
        seconds = [windows[at][2] for at in part]
        for at, (states, head) in zip(part, _states(bert, asked, seconds), strict=True):
            found[at] = _best(states, head, len(asked) + 2)
    return [found[at] for at in range(len(windows))]


def _states(
    bert: Bert, asked: Sequence[int], seconds: Sequence[Sequence[int]]
) -> list[tuple[np.ndarray, float]]:
    """Per window the logits of start and end, (its tokens, 2), and that of anything answering."""
    import torch

    with torch.inference_mode():
        rows = bert([asked] * len(seconds), seconds)
        spans = [bert.linear(row, "span").float().numpy() for row in rows]
        pooled = torch.tanh(bert.linear(torch.stack([row[0] for row in rows]), "pooler.dense"))
        heads = bert.linear(pooled, "answers").squeeze(1).float().tolist()
    return list(zip(spans, heads, strict=True))


def _best(logits: np.ndarray, head: float, first: int) -> Found:
    """The span of at most LONGEST_SPAN tokens with the highest sum of start and end; the null stands at 0."""
    inside = logits[first:-1].astype(np.float64)
    starts, ends = inside[:, 0], inside[:, 1]
    sums = starts[:, None] + ends[None, :]
    allowed = np.triu(np.ones_like(sums, dtype=bool)) & ~np.triu(np.ones_like(sums, dtype=bool), LONGEST_SPAN)
    at = int(np.where(allowed, sums, -np.inf).argmax())
    start, end = divmod(at, len(inside))
    return Found(start, end, float(sums[start, end] - logits[0].sum()), head)


@cache
def shipped() -> SpanReader:
    """The reader of this process."""
    return SpanReader()
