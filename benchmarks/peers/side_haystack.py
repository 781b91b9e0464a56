"""Haystack with its document splitter, its sentence-transformers embedders and its in-memory store."""

from __future__ import annotations

from pathlib import Path

from common import TOP_K, model_path, run, texts_of

WORDS_OF_A_CHARACTER = 1 / 6.2  # its splitter counts words


class Haystack:
    def load(self) -> None:
        from haystack import Document
        from haystack.components.preprocessors import DocumentSplitter
        from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
        from haystack.document_stores.in_memory import InMemoryDocumentStore
        from haystack.utils import ComponentDevice
        from haystack_integrations.components.embedders.sentence_transformers import (
            SentenceTransformersDocumentEmbedder,
            SentenceTransformersTextEmbedder,
        )

        self.parts = (Document, DocumentSplitter, InMemoryDocumentStore, InMemoryEmbeddingRetriever)
        options = {
            "model": model_path(),
            "device": ComponentDevice.from_str("cpu"),
            "normalize_embeddings": True,
            "progress_bar": False,
        }
        self.documents = SentenceTransformersDocumentEmbedder(**options)
        self.question = SentenceTransformersTextEmbedder(**options)
        for each in (self.documents, self.question):
            each.warm_up()

    def ingest(self, folder: Path, characters: int) -> int:
        self.texts = texts_of(folder)
        return self.rechunk(characters)

    def rechunk(self, characters: int) -> int:
        document, splitter, store_class, retriever = self.parts
        cut = splitter(
            split_by="word", split_length=round(characters * WORDS_OF_A_CHARACTER), split_overlap=0
        )
        cut.warm_up()
        documents = [document(content=text, meta={"name": name}) for name, text in self.texts.items()]
        passages = cut.run(documents=documents)["documents"]
        store = store_class(embedding_similarity_function="dot_product")
        store.write_documents(self.documents.run(documents=passages)["documents"])
        self.retriever = retriever(store, top_k=TOP_K)
        return len(passages)

    def query(self, question: str) -> list[str]:
        vector = self.question.run(text=question)["embedding"]
        return [found.content for found in self.retriever.run(query_embedding=vector)["documents"]]


run(Haystack())
