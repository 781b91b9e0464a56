"""Router of the app: opens the product once, draws the shared sidebar, runs the chosen page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from backends.datatypes import UserError
from backends.system import public_demo
from backends.system.failures import KINDS, in_words
from pages.ui import signing_in, start_screen
from pages.ui.tour_steps import HOME

HERE = Path(__file__).resolve().parent
LOGO, NAME = str(HERE / "pages/ui/logo.svg"), str(HERE / "pages/ui/wordmark.svg")

st.set_page_config(page_title="Triptych", page_icon=LOGO, layout="wide")
st.logo(NAME, size="large", icon_image=LOGO)
door = signing_in.door()
locked = door is not None and door.person is None
member = door is not None and door.person is not None and not door.person.owner
pages = [
    st.Page(
        HERE / "pages/ask/compare_page.py",
        title="Compare",
        url_path="compare",
        icon=":material/view_column:",
        default=True,
    ),
    st.Page(
        HERE / "pages/library/documents_page.py",
        title="Documents",
        url_path="documents",
        icon=":material/folder_open:",
    ),
    st.Page(
        HERE / "pages/library/versions_page.py", title="Versions", url_path="versions", visibility="hidden"
    ),
    st.Page(
        HERE / "pages/library/health_page.py",
        title="Library health",
        url_path="health",
        icon=":material/monitor_heart:",
    ),
    st.Page(
        HERE / "pages/tune/fine_tune_page.py",
        title="Fine-tune",
        url_path="fine_tune",
        icon=":material/model_training:",
        visibility="hidden" if member else "visible",  # owners train
    ),
    st.Page(
        HERE / "pages/evaluate/evaluate_page.py",
        title="Evaluate",
        url_path="evaluate",
        icon=":material/analytics:",
    ),
    st.Page(
        HERE / "pages/stress/stress_page.py", title="Stress tests", url_path="stress", icon=":material/bolt:"
    ),
    st.Page(HERE / "pages/costs/costs_page.py", title="Costs", url_path="costs", icon=":material/payments:"),
    st.Page(
        HERE / "pages/advise/advise_page.py", title="Advise", url_path="advise", icon=":material/signpost:"
    ),
    st.Page(HERE / "pages/about/about_page.py", title="About", url_path="about", icon=":material/info:"),
]
page = st.navigation(pages, position="hidden" if locked else "sidebar")
st.set_page_config(page_title="Sign in - Triptych" if locked else f"{page.title} - Triptych")
if door is not None and door.person is None:
    signing_in.draw(door)
    st.stop()

start_screen.wait_until_open()
# Imported here: they bring models with them, which take seconds, and the start screen is to be there first.
from pages.ui import (  # noqa: E402
    css_rules,
    focus,
    pending_removals,
    resources,
    session,
    sidebar,
    tour,
    training_note,
)
from pages.ui.text import markdown  # noqa: E402

try:
    session.remember()
    if page.title != "Documents":
        pending_removals.begin_all(session.current().visitor)
    css_rules.draw()
    service = resources.service(session.current().visitor)
    with st.sidebar:
        if notice := public_demo.notice():
            st.info(notice, icon=":material/groups:")
        sidebar.draw(service, service.model_name, page.title)
        training_note.draw(service, session.current())
        tour.entry(pages)
        if door is not None and door.person is not None:
            signing_in.who(door.person)
        if page.title == HOME:
            focus.on_the_question_box()
    tour.draw(pages, page)
    page.run()
except (UserError, *KINDS) as error:  # a sentence, never a traceback
    words = str(error) if isinstance(error, UserError) else in_words(error)
    if words is None:
        raise
    st.error(markdown(words), icon=":material/error:")
