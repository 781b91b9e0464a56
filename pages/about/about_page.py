"""About: which Triptych this is, which models answer, and under which licences they and it stand."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import streamlit as st

from backends.system.files import MODELS, ROOT
from pages.ui import resources, session
from pages.ui.conclusion import conclusion
from pages.ui.look import LOOKS
from pages.ui.service import Service
from pages.ui.text import markdown

# What ships: part, what it is, its licence. models/MODEL_CARD.md says what each learned from.
PARTS = (
    ("Language model", "SmolLM2-135M-Instruct by Hugging Face TB, taught to read here", "Apache-2.0"),
    ("Embeddings", "all-MiniLM-L6-v2", "Apache-2.0"),
    ("Reranker", "all-MiniLM-L6-v2 with an adapter trained here", "Apache-2.0"),
    ("Span reader", "all-MiniLM-L6-v2 taught here to find the words that answer", "Apache-2.0"),
    ("Triptych itself", "this app and its command line", "Apache-2.0"),
)


def product_version() -> str:
    """The installed version; a copy that is not installed says so."""
    try:
        return version("triptych")
    except PackageNotFoundError:
        return "of a folder that is not installed"


def answering(service: Service) -> list[tuple[str, str]]:
    """Who answers with what: the model, and the adapter of each tuned backend at this moment."""
    rows = [(f"{LOOKS['base'].mark} {LOOKS['base'].label} and RAG", service.model_name)]
    for kind in ("fine_tuned", "hybrid"):
        adapter = service.adapters().active(kind)
        said = f"{service.model_name} with the adapter {adapter.name}" if adapter else "nothing trained yet"
        rows.append((f"{LOOKS[kind].mark} {LOOKS[kind].label}", said))
    return rows


def page() -> None:
    """Draw the page."""
    service = resources.service(session.current().visitor)
    st.title("About", anchor=False)
    conclusion(
        f"Triptych {product_version()} asks your own documents by retrieval, by fine-tuning and by both, "
        "and shows the answers side by side.",
        "Everything runs on this machine; nothing leaves it unless you name a model behind an address.",
    )
    st.subheader("What answers", anchor=False)
    for who, what in answering(service):
        st.markdown(f"**{markdown(who)}:** {markdown(what)}")
    st.subheader("Models and licences", anchor=False)
    for part, what, licence in PARTS:
        st.markdown(f"**{part}:** {markdown(what)}. Licence: {markdown(licence)}.")
    with st.expander("Model card: what it learned from, and whom to thank"):
        st.markdown((MODELS / "MODEL_CARD.md").read_text("utf-8"))
    with st.expander("Licence of Triptych"):
        st.code((ROOT / "LICENSE").read_text("utf-8"), language=None)
    st.subheader("Look", anchor=False)
    st.markdown(
        "Light, dark, or as your system has it: open the menu ⋮ at the top right of any page. The theme "
        f"in use is {markdown(session.theme())}."
    )


page()
