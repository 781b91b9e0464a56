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
    heads = "".join(f'<th scope="col">{plain_html(each)}</th>' for each in head)
    body = "".join(
        f'<tr><th scope="row">{plain_html(str(first))}</th>{"".join(map(_cell, rest))}</tr>'
        for first, *rest in rows
    )
    st.html(
        f'<table class="plain" aria-label="{plain_html(name)}"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return f"<td>{plain_html(value)}</td>"
    return f'<td><span class="bar"><i style="width:{100 * value:.0f}%"></i></span>{value:.2f}</td>'
