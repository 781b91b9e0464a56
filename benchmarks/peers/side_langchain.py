"""LangChain with its recursive splitter, its Hugging Face embeddings and its FAISS store."""

from __future__ import annotations

from pathlib import Path

from common import TOP_K, model_path, run, texts_of


class LangChain:
    def load(self) -> None:
        from langchain_community.vectorstores import FAISS
        from langchain_huggingface import HuggingFaceEmbeddings
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        self.store, self.splitter = FAISS, RecursiveCharacterTextSplitter
        self.embeddings = HuggingFaceEmbeddings(
            model_name=model_path(),
            model_kwargs={"device": "cpu"},
            encode_kwargs={"normalize_embeddings": True},
        )

    def ingest(self, folder: Path, characters: int) -> int:
        self.texts = texts_of(folder)
        return self.rechunk(characters)

    def rechunk(self, characters: int) -> int:
        splitter = self.splitter(chunk_size=characters, chunk_overlap=0)
        documents = splitter.create_documents(
            list(self.texts.values()), [{"name": name} for name in self.texts]
        )
        self.index = self.store.from_documents(documents, self.embeddings)
        return len(documents)

    def query(self, question: str) -> list[str]:
        return [found.page_content for found in self.index.similarity_search(question, k=TOP_K)]


run(LangChain())
