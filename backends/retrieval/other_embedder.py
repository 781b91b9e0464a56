"""Any sentence-transformers model in the place of MiniLM.

Enters: a folder or the id of such a model, and texts. Leaves: unit vectors, as `embedding.Embedder` promises.
Where the model's vector of a text is the mean over its tokens, a part of a text is embedded with what stands
around it, as with MiniLM; any other model is given each part alone. Only safetensors are loaded, and no code
of the model's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backends.datatypes import UserError
from backends.retrieval.embedding import Embedder, MiniLM
from backends.system.contention import WatchedLock
from backends.system.files import write_whole

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DESCRIPTION = "embedder.json"  # in a folder beside the card: which model it is
BATCH = 32
PROBE = "Which of these two is the mean of its words, and which one is not?"
UNKNOWN = 0.3  # share of unknown tokens from which on a text is none of its languages


class OtherEmbedder:
    """A sentence-transformers model. Making one is cheap; it loads at first use.

    Raises UserError, then, when it is not there, no such model, or not the one with this fingerprint.
    """

    precision = "fp32"

    def __init__(self, place: str, fingerprint: str = "") -> None:
        """`place` is a folder or an id; an empty fingerprint takes what is there."""
        self._place = place
        self._fingerprint = fingerprint
        self._lock = WatchedLock()
        self._model: SentenceTransformer | None = None
        self._means = False

    def __reduce__(self) -> tuple[object, ...]:
        """How it is made in another process, which has to have the model at the same place."""
        return OtherEmbedder, (self._place, self.fingerprint)

    @property
    def name(self) -> str:
        return f"{Path(self._place).name} {self.fingerprint[:16]}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 over its weights."""
        if not self._fingerprint:
            self._load()
        return self._fingerprint

    @property
    def dimension(self) -> int:
        length = self._load().get_embedding_dimension()
        if length is None:
            raise UserError(f"{self._place} does not say how long its vectors are.")
        return length

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        model = self._load()
        with self._lock.held():
            made = model.encode(
                list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
            )
        return np.asarray(made, np.float32)

    def embed_parts(
        self, texts: Sequence[str], parts: Sequence[Sequence[tuple[int, int]]]
    ) -> list[np.ndarray]:
        self._load()
        if self._means:
            return [self._part_means(text, spans) for text, spans in zip(texts, parts, strict=True)]
        pieces = [text[start:end] for text, spans in zip(texts, parts, strict=True) for start, end in spans]
        vectors, first, found = self.embed(pieces), 0, []
        for spans in parts:
            found.append(vectors[first : first + len(spans)])
            first += len(spans)
        return found

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        encoded = self._load().tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return [(start, end) for start, end in encoded["offset_mapping"] if end > start]

    def reads(self, text: str) -> bool:
        """Whether its vocabulary knows the text: in which languages it was trained it does not say."""
        tokenizer = self._load().tokenizer
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        return sum(each == tokenizer.unk_token_id for each in ids) <= UNKNOWN * len(ids)

    def _part_means(self, text: str, spans: Sequence[tuple[int, int]]) -> np.ndarray:
        """(parts, d): the mean over the tokens in each part; what the model does not read takes its end."""
        states, offsets = self._states(text)
        starts = np.array([start for start, _ in offsets])
        rows = []
        for start, end in spans:
            inside = states[(starts >= start) & (starts < end)]
            rows.append(inside.mean(0) if len(inside) else states[-1])
        return np.array(rows, np.float32).reshape(len(spans), self.dimension)

    def _states(self, text: str) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """(tokens, d) and where each token stands, without the special ones."""
        import torch

        model = self._load()
        encoded = model.tokenizer(
            text, truncation=True, max_length=model.max_seq_length, return_offsets_mapping=True,
            return_special_tokens_mask=True, return_tensors="pt",
        )  # fmt: skip
        offsets, special = encoded.pop("offset_mapping")[0].tolist(), encoded.pop("special_tokens_mask")[0]
        with self._lock.held(), torch.inference_mode():
            states = model[0](dict(encoded.to(model.device)))["token_embeddings"][0].float().cpu().numpy()
        kept = [at for at, mark in enumerate(special.tolist()) if not mark]
        if not kept:
            return states[:1], [(0, 0)]
        return states[kept], [tuple(offsets[at]) for at in kept]

    def _load(self) -> SentenceTransformer:
        with self._lock.held():
            if self._model is not None:
                return self._model
            from sentence_transformers import SentenceTransformer

            try:
                model = SentenceTransformer(
                    self._place, model_kwargs={"use_safetensors": True}, trust_remote_code=False
                )
            except (OSError, ValueError, RuntimeError, AttributeError, KeyError, ImportError) as error:
                raise UserError(
                    f"{self._place} could not be loaded as a sentence-transformers model: {str(error)[:200]}"
                ) from error
            if model.tokenizer is None or not getattr(model.tokenizer, "is_fast", False):
                raise UserError(f"{self._place} has no fast tokenizer, which tells where its tokens stand.")
            found = _digest(model)
            if self._fingerprint not in ("", found):
                raise UserError(
                    f"{self._place} is not the model it was: its weights have changed. Try it anew."
                )
            self._fingerprint, self._model = found, model.eval()
        self._means = self._pools_by_mean()
        return self._model

    def _pools_by_mean(self) -> bool:
        """Asked rather than read in its configuration: whether a text's vector is the mean of its tokens'."""
        states, _ = self._states(PROBE)
        mean = states.mean(0) / np.linalg.norm(states.mean(0))
        own = self.embed([PROBE])[0]
        return len(own) == len(mean) and float(mean @ own) > 0.95


def _digest(model: SentenceTransformer) -> str:
    import torch

    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def describe(folder: Path, embedder: OtherEmbedder, place: str) -> None:
    """Note in a folder which model it stands for."""
    write_whole(folder / DESCRIPTION, json.dumps({"model": place, "fingerprint": embedder.fingerprint}))


def embedder_in(folder: Path) -> Embedder:
    """The embedder that a folder stands for: another model, or MiniLM with the LoRA that lies there.

    Raises UserError when its description cannot be read.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        return MiniLM(adapter=folder)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return OtherEmbedder(str(raw["model"]), str(raw["fingerprint"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"The embedder {folder.name} has no readable {DESCRIPTION}.") from error
