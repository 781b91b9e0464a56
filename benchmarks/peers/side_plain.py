"""Plain sentence-transformers and faiss: what one writes without a framework."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common import TOP_K, model_path, run, texts_of


class Plain:
    def load(self) -> None:
        from sentence_transformers import SentenceTransformer

        # isort: split
        import faiss

        self.faiss: Any = faiss
        self.model = SentenceTransformer(model_path(), device="cpu")

    def ingest(self, folder: Path, characters: int) -> int:
        self.texts = texts_of(folder)
        return self.rechunk(characters)

    def rechunk(self, characters: int) -> int:
        self.passages = [
            text[at : at + characters]
            for text in self.texts.values()
            for at in range(0, len(text), characters)
        ]
        vectors = self.model.encode(self.passages, normalize_embeddings=True, show_progress_bar=False)
        self.index = self.faiss.IndexFlatIP(vectors.shape[1])
        self.index.add(vectors)
        return len(self.passages)

    def query(self, question: str) -> list[str]:
        vector = self.model.encode([question], normalize_embeddings=True, show_progress_bar=False)
        return [self.passages[at] for at in self.index.search(vector, TOP_K)[1][0]]


run(Plain())
