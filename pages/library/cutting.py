"""How the documents are cut: passage sizes as a histogram, and another cut, tried before it is applied.

Enters: the visitor's session and service. Leaves: the settings whose borders the page should draw, and
changed settings once the tried ones are taken. Trying stores and indexes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import streamlit as st

from backends.datatypes import Chunk, UserError
from backends.settings import Settings, make_settings
from pages.ui import charts, session
from pages.ui.service import Service
from pages.ui.sidebar import CHUNKINGS
from pages.ui.text import markdown, plural

# Measured with `python -m benchmarks.pooling`, passages of 128 tokens, both rankings fused.
POOLED = (
    "A passage's vector is put together from those of its sentences, which is why a new cut is quick. "
    "What that costs: on 76 questions over 1,460 abstracts (CISI) nothing, nDCG@10 is 0.44 either way; on "
    "the sample's 137 development questions the answer is in the first five passages for 73 %, not 75 %."
)
TRIED = ("chunk_size", "chunk_overlap", "chunking")


def draw(now: session.Session, service: Service) -> Settings:
    """The panel; returns the settings to draw borders for: the tried ones while there are any."""
    with st.expander("How the documents are cut", icon=":material/content_cut:"):
        if not st.toggle(
            "Try another cut",
            key="try-cut",
            help="See what other settings would do to the passages; nothing changes until you take them.",
        ):
            _histogram(service.preview(now.settings), None)
            return now.settings
        tried = _controls(now.settings)
        if tried is None:
            return now.settings
        present, other = service.preview(now.settings), service.preview(tried)
        st.markdown(_effect(present, other, tried))
        _histogram(present, other)
        st.button("Take this cut", key="take-cut", type="primary", on_click=_take, args=(tried,))
        return tried


def _controls(settings: Settings) -> Settings | None:
    """What the panel's own controls say; None, with a sentence, when it does not fit together."""
    for name in TRIED:
        session.restore(f"try-{name}", getattr(settings, name))
    columns = st.columns(3)
    with columns[0]:
        st.selectbox("Passages end", list(CHUNKINGS), format_func=CHUNKINGS.__getitem__, key="try-chunking")
    with columns[1]:
        st.slider("Chunk size", 32, 512, step=16, key="try-chunk_size", format="%d tokens")
    with columns[2]:
        st.slider("Overlap", 0, 256, step=8, key="try-chunk_overlap", format="%d tokens")
    given = {name: session.read(f"try-{name}") for name in TRIED}
    try:
        return make_settings(**settings.model_dump() | given)
    except UserError as error:
        sentence = str(error)
        st.error(markdown(f"{sentence[:1].upper()}{sentence[1:]}."))
        return None


def _effect(present: Sequence[Chunk], other: Sequence[Chunk], tried: Settings) -> str:
    """What would change, in words."""
    if not other:
        return "There is nothing to cut."
    same = len({_place(chunk) for chunk in present} & {_place(chunk) for chunk in other})
    typical = round(median(chunk.tokens for chunk in other))
    return (
        f"{plural(len(other), 'passage')} instead of {len(present):,}; {same:,} stay as they are. "
        f"{plural(tried.top_k, 'passage')} of typical length would hold about {tried.top_k * typical:,} "
        f"tokens, of which a prompt shows the best {tried.context_tokens:,}. Nothing would be embedded: "
        "the vectors of all sentences are kept."
    )


def _place(chunk: Chunk) -> tuple[str, int, int]:
    return chunk.document, chunk.start, chunk.end


def _histogram(present: Sequence[Chunk], other: Sequence[Chunk] | None) -> None:
    sizes = [chunk.tokens for chunk in present]
    tried = [chunk.tokens for chunk in other] if other is not None else None
    charts.show(charts.passage_sizes(sizes, tried, session.theme()))
    st.caption(POOLED)


def _take(tried: Settings) -> None:
    """The tried cut becomes the one in force; the sidebar then indexes what is missing."""
    now = session.current()
    now.settings, now.rejected = tried, None
    session.show_settings()
    session.put("try-cut", False)
