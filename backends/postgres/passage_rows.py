"""A document's passages as rows: places and vectors, texts, the words of each, abbreviations explained.

Enters: chunks with their vectors. Leaves: rows, added by COPY. Words are kept as the embedded index counts
them, a row for each word of a document, so that both stores score alike. It knows no question and no role.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from pgvector import HalfVector

from backends.datatypes import Chunk
from backends.postgres.server import Server, storable
from backends.retrieval.acronyms import definitions
from backends.retrieval.bm25 import Stems
from backends.retrieval.folding import words_of
from backends.retrieval.passages import passage_text

Counted = tuple[list[int], list[int]]  # ordinals of the passages that hold a word, and how often each does


def keep_passages(
    server: Server, key: tuple[int, int, int], chunks: Sequence[Chunk], vectors: np.ndarray
) -> None:
    """Add the (n, d) passages of one document; `key` is (document, scheme, when it was cut)."""
    document, scheme, made = key
    words, lengths = counted_words([passage_text(chunk) for chunk in chunks])
    server.run(
        "INSERT INTO chunked VALUES (%s, %s, %s, %s, %s)",
        (document, scheme, made, len(chunks), int(lengths.sum())),
    )
    server.copy(
        "passages",
        'document, scheme, ordinal, start, "end", tokens, page, vector',
        ("int8", "int4", "int4", "int4", "int4", "int4", "int4", "halfvec"),
        [
            (document, scheme, at, c.start, c.end, c.tokens, c.page, HalfVector(vector))
            for at, (c, vector) in enumerate(zip(chunks, vectors, strict=True))
        ],
    )
    server.copy(
        "passage_texts",
        "document, scheme, ordinal, heading, text",
        ("int8", "int4", "int4", "text", "text"),
        [(document, scheme, at, storable(c.heading), storable(c.text)) for at, c in enumerate(chunks)],
    )
    server.copy(
        "words",
        "document, scheme, word, ordinals, counts, lengths",
        ("int8", "int4", "text", "bytea", "bytea", "bytea"),
        [
            (document, scheme, storable(word), *_packed(ordinals, counts, lengths))
            for word, (ordinals, counts) in words.items()
        ],
    )
    pairs = dict.fromkeys(pair for chunk in chunks for pair in definitions(chunk.text))
    server.copy(
        "explained",
        "document, scheme, short, long",
        ("int8", "int4", "text", "text"),
        [(document, scheme, short, long) for short, long in pairs],
    )


def counted_words(texts: Sequence[str]) -> tuple[dict[str, Counted], np.ndarray]:
    """(for each stemmed word the texts that hold it and how often, (n,) words of each text)."""
    stems = Stems()
    found: dict[str, Counted] = {}
    lengths = np.zeros(len(texts), np.int32)
    for at, text in enumerate(texts):
        words = stems.stems(words_of(text))
        lengths[at] = len(words)
        for word, count in Counter(words).items():
            ordinals, counts = found.setdefault(word, ([], []))
            ordinals.append(at)
            counts.append(count)
    return found, lengths


def _packed(ordinals: list[int], counts: list[int], lengths: np.ndarray) -> tuple[bytes, bytes, bytes]:
    """Each as little-endian int32."""
    return (
        np.asarray(ordinals, "<i4").tobytes(),
        np.asarray(counts, "<i4").tobytes(),
        lengths[ordinals].astype("<i4").tobytes(),
    )
