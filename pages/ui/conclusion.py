"""What every page opens with, below its title: its conclusion in one or two plain sentences.

Enters: a sentence that was computed, and what it rests on. Leaves: the page's first heading. Tests and the
list in docs/ hold each page to it.
"""

from __future__ import annotations

import streamlit as st

from pages.ui.text import markdown


def conclusion(sentence: str, rests_on: str = "") -> None:
    """The sentence, as text that only looks like itself; below it, smaller, what it rests on."""
    st.header(markdown(sentence), anchor=False)
    if rests_on:
        st.caption(markdown(rests_on))
