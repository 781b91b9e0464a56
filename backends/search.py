"""The library alone, without a language model: opened in a second, for ingest and search.

Enters: a workspace folder and settings. Leaves: an opened `Library`; for a question, hits in order. It is
what `product` opens too, less the models that answer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backends.datatypes import Filters, Hit
from backends.documents.library import Library, Progress
from backends.documents.opening import open_folder, open_library
from backends.erasure import removal
from backends.retrieval.cross_encoder import shipped
from backends.retrieval.embedding import MODEL_SHA256, MiniLM
from backends.retrieval.other_embedder import embedder_in
from backends.retrieval.retriever import Retriever
from backends.settings import Settings
from backends.training.adapters import Adapters, tuned_embedder

RERANKED = 20  # passages compared sentence by sentence; the rest keep their order


def open_alone(
    workspace: Path, settings: Settings, documents: Path | None, progress: Callable[[Progress], None]
) -> Library:
    """The library of the workspace, or of a folder of documents."""
    adapters = Adapters(workspace / "adapters")
    tuned = tuned_embedder(adapters, MODEL_SHA256)
    embedder = embedder_in(tuned.folder) if tuned is not None else MiniLM()
    if documents is not None:
        library = open_folder(workspace, documents, embedder, settings, progress=progress)
    else:
        library = open_library(workspace, embedder, settings, progress=progress)
    if tuned is not None and tuned_embedder(adapters, MODEL_SHA256, library.restricted()) is None:
        library.use(MiniLM())
    removal.finish(library.workspace)
    library.ranker = shipped()
    return library


def find(
    retriever: Retriever,
    question: str,
    depth: int,
    settings: Settings,
    filters: Filters,
    *,
    whole_documents: bool,
) -> list[Hit]:
    """Hits in order, best first; with `whole_documents` enough passages to rank `depth` documents."""
    wanted = depth * 5 if whole_documents else depth
    hits = retriever.search(question, top_k=wanted, mode=settings.mode, filters=filters)
    if settings.rerank and len(hits) > 1:
        first = retriever.rerank(question, hits[:RERANKED], cross_encoder=settings.cross_encoder)
        hits = first + hits[RERANKED:]
    return hits
