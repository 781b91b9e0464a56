"""Where a document is cut into passages, as spans to draw.

Enters: passages and what a question found. Leaves: spans that do not overlap. It draws nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from backends.datatypes import Chunk
from pages.ui.look import LOOKS
from pages.ui.text import StyledSpan


def boundaries(length: int, chunks: Sequence[Chunk], found: Sequence[tuple[int, int]]) -> list[StyledSpan]:
    """Spans that do not overlap: cut wherever a passage or a hit begins or ends."""
    cuts = sorted(
        {min(c, length) for chunk in chunks for c in (chunk.start, chunk.end)}
        | {min(c, length) for hit in found for c in hit}
    )
    spans = []
    for start, end in itertools.pairwise(cuts):
        numbers = [n for n, chunk in enumerate(chunks, start=1) if chunk.start <= start and end <= chunk.end]
        if not numbers:
            continue
        hit = any(a <= start and end <= b for a, b in found)
        tint = LOOKS["rag"].css if numbers[0] % 2 else LOOKS["fine_tuned"].css
        strength = 30 if len(numbers) > 1 else 12
        line = f"border-bottom:2px solid {LOOKS['hybrid'].css};" if hit else ""
        style = f"color:inherit;background:color-mix(in srgb, {tint} {strength}%, transparent);{line}"
        which = " and ".join(f"passage {n} ({chunks[n - 1].tokens} tokens)" for n in numbers)
        spans.append(StyledSpan(start, end, style, which + (", found by the last question" if hit else "")))
    return spans
