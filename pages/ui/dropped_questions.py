"""Questions that were made from documents and not kept, each with its reason.

Enters: what the maker dropped. Leaves: one line that counts the reasons, and the questions behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from backends.training.row_building import Dropped, reasons
from pages.ui.text import plural


def dropped_questions(dropped: Sequence[Dropped]) -> None:
    """Nothing where nothing was dropped."""
    if not dropped:
        return
    with st.expander(f"{plural(len(dropped), 'question')} not kept: {told(dropped)}"):
        st.caption(
            "Each question is kept only if the reader, given its passage among the neighbouring ones, comes "
            "back with the same answer; what gives its answer away or does not say what it is about goes too."
        )
        st.dataframe(
            pd.DataFrame(
                {
                    "Question": [each.question for each in dropped],
                    "Made for": [each.answer for each in dropped],
                    "Why it was not kept": [each.why for each in dropped],
                    "Document": [each.document for each in dropped],
                }
            ),
            hide_index=True,
            height=min(80 + 35 * len(dropped), 320),
            column_config={"Question": st.column_config.TextColumn(width="large")},
        )


def told(dropped: Sequence[Dropped]) -> str:
    """The reasons with their numbers, the commonest first."""
    return "; ".join(f"{number:,} {why}" for why, number in reasons(dropped).items())
