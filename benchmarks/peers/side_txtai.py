"""txtai with stored content; passages of fixed length, because its own splitters need more packages."""

from __future__ import annotations

from pathlib import Path

from common import TOP_K, model_path, run, texts_of


class Txtai:
    def load(self) -> None:
        from txtai import Embeddings

        self.make = Embeddings
        self.index = Embeddings(path=model_path(), content=True, gpu=False)

    def ingest(self, folder: Path, characters: int) -> int:
        self.texts = texts_of(folder)
        return self.rechunk(characters)

    def rechunk(self, characters: int) -> int:
        passages = [
            text[at : at + characters]
            for text in self.texts.values()
            for at in range(0, len(text), characters)
        ]
        self.index.index(enumerate(passages))
        return len(passages)

    def query(self, question: str) -> list[str]:
        return [found["text"] for found in self.index.search(question, TOP_K)]


run(Txtai())
