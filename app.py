"""Router of the app: opens the product once, draws the shared sidebar, runs the chosen page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import opening, resources, session, sidebar, tour, training_note

HERE = Path(__file__).resolve().parent
LOGO = str(HERE / "pages/ui/logo.svg")

st.set_page_config(page_title="Triptych", page_icon=LOGO, layout="wide")
st.logo(LOGO, size="large")
pages = [
    st.Page(HERE / "pages/ask/compare.py", title="Compare", icon=":material/view_column:", default=True),
    st.Page(HERE / "pages/library/documents.py", title="Documents", icon=":material/folder_open:"),
    st.Page(HERE / "pages/library/versions.py", title="Versions", visibility="hidden"),
    st.Page(HERE / "pages/library/health.py", title="Library health", icon=":material/monitor_heart:"),
    st.Page(HERE / "pages/tune/fine_tune.py", title="Fine-tune", icon=":material/model_training:"),
    st.Page(HERE / "pages/evaluate/evaluate.py", title="Evaluate", icon=":material/analytics:"),
    st.Page(HERE / "pages/stress/stress.py", title="Stress tests", icon=":material/bolt:"),
    st.Page(HERE / "pages/costs/costs.py", title="Costs", icon=":material/payments:"),
    st.Page(HERE / "pages/advise/advise.py", title="Advise", icon=":material/signpost:"),
]
page = st.navigation(pages)

opening.wait_until_open()
desk = resources.desk(session.current().visitor)
with st.sidebar:
    sidebar.draw(desk, desk.model_name)
    training_note.draw(desk, session.current())
    tour.entry(pages)
tour.draw(pages, page)
page.run()
