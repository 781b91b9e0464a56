"""How a comparison of two versions reads: a sentence, and lines with what went and what came.

Enters: rows of `documents.differences`. Leaves: words and safe HTML. Removed and added words differ by line
and sign as well as by colour.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from backends.documents.differences import DiffRow, Part
from pages.ui.text import plain_html, plural

Shown = DiffRow | int  # an int stands for so many unchanged lines
STYLES = {
    "same": "",
    "gone": "text-decoration:line-through;background:color-mix(in srgb,#c2410c 18%,transparent)",
    "new": "text-decoration:underline;background:color-mix(in srgb,#0f766e 20%,transparent)",
}
TAGS: dict[str, Literal["span", "del", "ins"]] = {"same": "span", "gone": "del", "new": "ins"}
_SIGNS = re.compile(r"\s*#{1,6}\s+")
SOFT = "opacity:.65;font-size:.85rem"


def summary(rows: Sequence[DiffRow], old: int, new: int) -> str:
    """`3 lines changed, 1 came and 2 went between version 1 and version 2`."""
    changed = sum(row.changed and row.old is not None and row.new is not None for row in rows)
    came = sum(row.old is None for row in rows)
    went = sum(row.new is None for row in rows)
    if not changed + came + went:
        return f"The text of version {old} and version {new} is the same"
    return (
        f"{plural(changed, 'line')} changed, {came:,} came and {went:,} went "
        f"between version {old} and version {new}"
    )


def folded(rows: Sequence[DiffRow], context: int) -> list[Shown]:
    """The rows, with at most `context` unchanged ones kept on each side of a change; the rest as counts."""
    near = {
        other
        for at, row in enumerate(rows)
        if row.changed
        for other in range(max(0, at - context), min(len(rows), at + context + 1))
    }
    shown: list[Shown] = []
    for at, row in enumerate(rows):
        if at in near:
            shown.append(row)
        elif shown and isinstance(last := shown[-1], int):
            shown[-1] = last + 1
        else:
            shown.append(1)
    return shown


def row_html(item: Shown) -> str:
    """One line; a sign in front says what happened to it."""
    if isinstance(item, int):
        return f'<div style="{SOFT}">… {plural(item, "unchanged line")}</div>'
    sign = "+" if item.old is None else "−" if item.new is None else "~" if item.changed else " "
    heading = bool(item.parts) and bool(_SIGNS.match(item.parts[0].text))
    parts = "".join(
        f'<{TAGS[part.kind]} style="{STYLES[part.kind]}">{plain_html(text)}</{TAGS[part.kind]}>'
        for part, text in zip(item.parts, _without_signs(item.parts), strict=True)
    )
    parts = f"<strong>{parts}</strong>" if heading else parts
    return (
        '<div style="display:flex;gap:.6rem;align-items:baseline">'
        f'<code style="flex:none;width:1ch;background:none;padding:0">{sign}</code>'
        f'<span style="min-width:0;overflow-wrap:anywhere">{parts or "&nbsp;"}</span></div>'
    )


def _without_signs(parts: Sequence[Part]) -> list[str]:
    """The text of each part; a heading's signs stand in the first one and are read, not shown."""
    return [_SIGNS.sub("", part.text) if n == 0 else part.text for n, part in enumerate(parts)]
