"""A small table that stays whole on a phone: its words wrap, where Streamlit's own would scroll sideways.

Enters: heads and rows of cells. Leaves: the table as HTML, all of it text. A share is drawn as a bar beside
its number where there is room. For long tables, and those to sort or choose from, Streamlit's is the better.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.ui.text import plain_html

Cell = str | float  # a float is a share, 0 to 1


def plain_table(head: Sequence[str], rows: Sequence[Sequence[Cell]], name: str) -> None:
    """The first column says what a row is of; the others are figures. `name` is read out before the table."""
    _draw(head, rows, name, "plain")


def word_table(head: Sequence[str], rows: Sequence[Sequence[str]], name: str) -> None:
    """The same for cells that are words, or too many for a phone: where it is narrow, each row becomes a list
    of its own with the heads beside the cells."""
    _draw(head, rows, name, "plain words")


def _draw(head: Sequence[str], rows: Sequence[Sequence[Cell]], name: str, kind: str) -> None:
    # The roles are said, as a browser forgets them where a table is drawn as a list.
    heads = "".join(f'<th scope="col" role="columnheader">{plain_html(each)}</th>' for each in head)
    body = "".join(
        f'<tr role="row"><th scope="row" role="rowheader">{plain_html(str(first))}</th>'
        f"{''.join(map(_cell, head[1:], rest))}</tr>"
        for first, *rest in rows
    )
    st.html(
        f'<div class="around"><table class="{kind}" role="table" aria-label="{plain_html(name)}">'
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table></div>'
    )


def _cell(head: str, value: Cell) -> str:
    if isinstance(value, str):
        return f'<td role="cell" data-head="{plain_html(head)}">{plain_html(value)}</td>'
    return (
        f'<td role="cell"><span class="bar"><i style="width:{100 * value:.0f}%"></i></span>{value:.2f}</td>'
    )
