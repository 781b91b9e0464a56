"""The guided tour's bar above every page, the invitation to a newcomer, and the way back in from the sidebar.

Enters: the pages of the app and the one that is open. Leaves: the visitor's place on the tour, and the values
that a step fills in. It presses no button of a page itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages.ui import resources, session
from pages.ui.tour_steps import HOME, STEPS, Step, Tour

Pages = Sequence[StreamlitPage]


def draw(pages: Pages, page: StreamlitPage) -> None:
    """The bar while the tour is on; on the home page of a newcomer, an invitation."""
    tour = resources.tour(session.current().person)
    if tour.step is not None:
        _bar(tour, STEPS[tour.step], pages, page)
    elif page.title == HOME and not tour.declined:
        _invitation(tour, pages)


def entry(pages: Pages) -> None:
    """The way in, or back in, from the sidebar of every page."""
    tour = resources.tour(session.current().person)
    if tour.step is None:
        again = f"Go on with the tour (step {tour.reached + 1} of {len(STEPS)})"
        if st.button(
            again if tour.reached else "Guided tour", key="tour-open", icon=":material/tour:", width="stretch"
        ):
            _go(tour, tour.reached, pages)


def _invitation(tour: Tour, pages: Pages) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="tour-invitation"):
        st.caption("New here? Seven steps in five minutes show what each approach can do.", width="content")
        if st.button("Take the tour", key="tour-start", type="tertiary", icon=":material/tour:"):
            _go(tour, 0, pages)
        st.button("Not now", key="tour-decline", type="tertiary", on_click=tour.leave)


def _bar(tour: Tour, step: Step, pages: Pages, page: StreamlitPage) -> None:
    here = page.title == step.page
    if here and tour.to_fill:
        tour.to_fill = False
        if "question" in step.fills:  # it is about the sample
            session.current().scope = session.SAMPLE
        for key, value in step.fills.items():
            session.put(key, value)
    number = STEPS.index(step)
    with st.container(border=True, key="tour"):
        words, buttons = st.columns([2, 1], vertical_alignment="center")
        words.markdown(f"**Step {number + 1} of {len(STEPS)}: {step.title}.** {step.do} {step.look}")
        with buttons.container(
            horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small"
        ):
            _buttons(tour, number, pages, here)


def _buttons(tour: Tour, number: int, pages: Pages, here: bool) -> None:
    if not here and st.button(f"Go to {STEPS[number].page}", key="tour-go", type="primary"):
        _go(tour, number, pages)
    if number > 0 and st.button("Back", key="tour-back"):
        _go(tour, number - 1, pages)
    kind: Literal["primary", "secondary"] = "primary" if here else "secondary"
    if number == len(STEPS) - 1:
        st.button("Finish", key="tour-finish", type=kind, on_click=tour.finish)
    elif st.button("Next", key="tour-next", type=kind):
        _go(tour, number + 1, pages)
    st.button(
        "Leave", key="tour-leave", type="tertiary", on_click=tour.leave,
        help="You can go on from the sidebar later.",
    )  # fmt: skip


def _go(tour: Tour, step: int, pages: Pages) -> None:
    tour.go(step)
    st.switch_page(next(page for page in pages if page.title == STEPS[step].page))
