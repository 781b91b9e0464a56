"""LlamaIndex with its sentence splitter, its Hugging Face embeddings and its FAISS store."""

from __future__ import annotations

from pathlib import Path

from common import TOP_K, model_path, run, texts_of

CHARACTERS_OF_A_TOKEN = 4.4  # its splitter counts tokens


class LlamaIndex:
    def load(self) -> None:
        from llama_index.core import Document, StorageContext, VectorStoreIndex
        from llama_index.core.node_parser import SentenceSplitter
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding
        from llama_index.vector_stores.faiss import FaissVectorStore

        # isort: split
        import faiss

        self.parts = (Document, StorageContext, VectorStoreIndex, SentenceSplitter, FaissVectorStore, faiss)
        self.model = HuggingFaceEmbedding(model_name=model_path(), device="cpu", embed_batch_size=32)

    def ingest(self, folder: Path, characters: int) -> int:
        self.texts = texts_of(folder)
        return self.rechunk(characters)

    def rechunk(self, characters: int) -> int:
        document, storage, vector_index, splitter, store, faiss = self.parts
        documents = [document(text=text, metadata={"name": name}) for name, text in self.texts.items()]
        size = round(characters / CHARACTERS_OF_A_TOKEN)
        nodes = splitter(chunk_size=size, chunk_overlap=0).get_nodes_from_documents(documents)
        context = storage.from_defaults(vector_store=store(faiss_index=faiss.IndexFlatIP(384)))
        index = vector_index(nodes, storage_context=context, embed_model=self.model)
        self.retriever = index.as_retriever(similarity_top_k=TOP_K)
        return len(nodes)

    def query(self, question: str) -> list[str]:
        return [found.get_content() for found in self.retriever.retrieve(question)]


run(LlamaIndex())
