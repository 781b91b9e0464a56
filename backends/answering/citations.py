"""Citations: the markers of an answer as exact pieces of its sources.

Enters: an answer's text and the sources it was shown. Leaves: `Citation`s and `SourceRecord`s with offsets
into the documents. It knows no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backends.answering.answer_text import cited_markers, without_markers
from backends.answering.overlap import best_support, sentences
from backends.datatypes import (
    Citation,
    Source,
    SourceRecord,
)

PageOf = Callable[[Source, int], int | None]  # page that holds this offset of the source's document


def resolve_citations(
    text: str, sources: Sequence[Source], page_of: PageOf | None = None
) -> tuple[Citation, ...]:
    """Each marker [n] as the sentence of source n that best aligns with the words that carry it.

    Only what the answer itself marks is attributed; `text` is the exact slice of the document.
    """
    by_rank = {source.rank: source for source in sources}
    found: dict[tuple[int, int, int], Citation] = {}
    previous = ""
    for sentence in sentences(text):
        claim = without_markers(sentence) or previous
        previous = claim
        for marker in cited_markers(sentence):
            if (source := by_rank.get(marker)) is None:
                continue
            index, _ = best_support(claim, [item.text for item in source.sentences])
            # A marker whose words the source does not hold still names the source: its best sentence stands.
            chosen = source.sentences[index] if index >= 0 else max(source.sentences, key=lambda s: s.score)
            found.setdefault(
                (marker, chosen.start, chosen.end),
                Citation(
                    marker=marker,
                    document=source.hit.chunk.document,
                    version=source.hit.chunk.version,
                    page=page_in(source, chosen.start, page_of),
                    start=chosen.start,
                    end=chosen.end,
                    text=chosen.text,
                ),
            )
    return tuple(found.values())


def source_record(source: Source, page_of: PageOf | None) -> SourceRecord:
    """The record of a source as it is shown, stored and exported."""
    chunk = source.hit.chunk
    return SourceRecord(
        rank=source.rank,
        document=chunk.document,
        version=chunk.version,
        page=page_in(source, chunk.start, page_of),
        start=chunk.start,
        end=chunk.end,
        score=source.hit.score,
        text=chunk.text,
    )


def page_in(source: Source, offset: int, page_of: PageOf | None) -> int | None:
    """The page that holds this offset of a source; None for formats without pages."""
    return page_of(source, offset) if page_of is not None else source.hit.chunk.page
