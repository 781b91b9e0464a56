"""Which texts answer a question, judged by a cross-encoder: MiniLM that reads question and text together.

Enters: a question and texts (sentences or passages). Leaves: one logit a text. The weights are the packaged
MiniLM with the LoRA of models/reranker folded in; a test holds the scores equal to those of transformers with
PEFT. It knows no document and no index.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from backends.datatypes import JsonObject, UserError
from backends.retrieval.embedding import (
    ADAPTER_WEIGHTS,
    MODEL_SHA256,
    batches,
    load_tokenizer,
    merged_weights,
)
from backends.retrieval.minilm import Bert, Precision, best_precision
from backends.system.contention import WatchedLock
from backends.system.files import MODELS

if TYPE_CHECKING:
    from tokenizers import Tokenizer

RERANKER = MODELS / "reranker"
LONGEST = 128  # tokens of question and text together, the three special ones included
LONGEST_QUESTION = 64
REMEMBERED = 2000  # pairs of question and text
BATCH = 1024  # tokens that go through the network together

_OFF = "Switch it off with the setting cross_encoder (--no-cross-encoder)."


class Ranker(Protocol):
    """Anything that says how well texts answer a question."""

    def score(self, question: str, texts: Sequence[str]) -> np.ndarray:
        """(n,) float32 logits: above 0 the text rather answers the question than not."""
        ...


class Judgements:
    """A ranker that remembers what it judged lately: another top-k or budget reads only what is new."""

    def __init__(self, ranker: Ranker) -> None:
        self._ranker = ranker
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()

    def score(self, question: str, texts: Sequence[str]) -> np.ndarray:
        """(n,) float32 logits, as the ranker gave them."""
        with self._lock:
            known = {text: self._known[question, text] for text in texts if (question, text) in self._known}
        if missing := [text for text in dict.fromkeys(texts) if text not in known]:
            known |= dict(zip(missing, self._ranker.score(question, missing).tolist(), strict=True))
        with self._lock:
            for text in known:
                self._known[question, text] = known[text]
                self._known.move_to_end((question, text))
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return np.array([known[text] for text in texts], np.float32)

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._known.clear()

    def fresh(self) -> Judgements:
        """The same ranker with nothing remembered."""
        return Judgements(self._ranker)


class CrossEncoder:
    """The reranker on the CPU. Making one is cheap; tokenizer and weights load at first use."""

    def __init__(self, folder: Path = RERANKER, precision: Precision | None = None) -> None:
        self._folder = folder
        self._precision = precision
        self._lock = WatchedLock()
        self._loaded: tuple[Tokenizer, Bert] | None = None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the adapter's weights. Raises UserError when they are missing or damaged."""
        path = self._folder / ADAPTER_WEIGHTS
        if not path.is_file() or not (self._folder / "adapter_config.json").is_file():
            raise UserError(f"There is no reranker in {self._folder}. {_OFF}")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        card = self._card()
        if card.get("weights_sha256") not in (None, found):
            raise UserError(
                f"The reranker is damaged: the SHA-256 of {path.name} is {found[:12]}..., its card says "
                f"{str(card['weights_sha256'])[:12]}... {_OFF}"
            )
        if card.get("base_sha256") not in (None, MODEL_SHA256):
            raise UserError(f"The reranker in {self._folder} was trained on another base model. {_OFF}")
        return found

    def score(self, question: str, texts: Sequence[str]) -> np.ndarray:
        """(n,) float32 logits. Pairs longer than LONGEST tokens lose the end of their text."""
        logits = np.zeros(len(texts), np.float32)
        if not texts:
            return logits
        with self._lock.held():
            tokenizer, bert = self._load()
            encoded = tokenizer.encode_batch([question, *texts], add_special_tokens=False)
            first = encoded[0].ids[:LONGEST_QUESTION]
            seconds = [each.ids[: LONGEST - 3 - len(first)] for each in encoded[1:]]
            order = sorted(
                range(len(seconds)), key=lambda at: len(seconds[at])
            )  # equal lengths are computed together
            lengths = [len(first) + 1 + len(seconds[at]) for at in order]
            for begin, end in batches(lengths, BATCH):
                part = order[begin:end]
                logits[part] = _logits(bert, [first] * len(part), [seconds[at] for at in part])
        return logits

    def _load(self) -> tuple[Tokenizer, Bert]:
        if self._loaded is None:
            fingerprint = self.fingerprint
            try:
                weights = merged_weights(self._folder)
                if weights["classifier.weight"].shape[0] != 1:
                    raise ValueError(
                        f"its classifier has {weights['classifier.weight'].shape[0]} outputs, not 1"
                    )
            except (KeyError, ValueError, RuntimeError) as error:
                raise UserError(
                    f"The reranker {fingerprint[:12]} does not fit MiniLM: {str(error)[:160]}. {_OFF}"
                ) from error
            self._loaded = load_tokenizer(), Bert(weights, self._precision or best_precision())
        return self._loaded

    def _card(self) -> JsonObject:
        path = self._folder / "card.json"
        card: JsonObject = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return card


def _logits(bert: Bert, firsts: Sequence[Sequence[int]], seconds: Sequence[Sequence[int]]) -> np.ndarray:
    """BertForSequenceClassification with one label: tanh pooler over the first state, then a linear layer."""
    import torch

    with torch.inference_mode():
        pooled = torch.tanh(bert.linear(bert.first_states(firsts, seconds), "pooler.dense"))
        logits: np.ndarray = bert.linear(pooled, "classifier").squeeze(1).float().numpy()
        return logits


@cache
def shipped() -> CrossEncoder:
    """The reranker of this process."""
    return CrossEncoder()
