"""Triptych itself: the library of a workspace on disk, BM25 beside the vectors, both rankings fused."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from common import TOP_K, run

CHARACTERS_OF_A_TOKEN = 4.4  # its chunk size counts tokens


class Triptych:
    def load(self) -> None:
        sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
        from backends.documents.library import Library
        from backends.documents.store import Workspace
        from backends.retrieval.embedding import MiniLM
        from backends.settings import make_settings

        self.settings = make_settings
        self.folder = tempfile.TemporaryDirectory()
        embedder = MiniLM()
        embedder.embed(["load"])
        self.library = Library(Workspace.open(Path(self.folder.name)), embedder)

    def ingest(self, folder: Path, characters: int) -> int:
        settings = self._settings(characters)
        for result in self.library.ingest([folder], settings=settings):
            assert result.status == "indexed", result
        return self.rechunk(characters)

    def rechunk(self, characters: int) -> int:
        self.retriever = self.library.retriever(self._settings(characters))
        return len(self.retriever.chunks)

    def _settings(self, characters: int):
        return self.settings(chunk_size=round(characters / CHARACTERS_OF_A_TOKEN), chunk_overlap=0)

    def query(self, question: str) -> list[str]:
        found = self.retriever.fresh().search(question, top_k=TOP_K, mode="hybrid")
        return [hit.chunk.text for hit in found]


run(Triptych())
