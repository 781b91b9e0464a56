"""Editing a text document in place: what is saved is read like an upload and becomes its next version.

Enters: a document and the visitor's session. Leaves: an upload of one file of its name.
"""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath

import streamlit as st

from backends.datatypes import Document
from pages.ui import session, uploading
from pages.ui.uploading import Upload

EDITABLE = (".md", ".markdown", ".txt", ".text")  # the text that is stored is what was written


def possible(document: Document) -> bool:
    """Whether the text that was read is the file itself."""
    return document.name.lower().endswith(EDITABLE)


def draw(document: Document) -> None:
    """The text to edit; nothing is saved before the button."""
    key = f"edit-{document.name}-{document.version}"
    session.restore(key, document.text)
    st.text_area("Text", key=key, height=460, label_visibility="collapsed")
    st.caption(f"Saved as version {document.version + 1}; version {document.version} can still be compared.")
    with st.container(horizontal=True):
        st.button(
            "Save as a new version", type="primary", key="save-edit", icon=":material/save:",
            on_click=save, args=(document, key),
        )  # fmt: skip
        st.button("Close without saving", key="close-edit", type="tertiary", on_click=close, args=(key,))


def save(document: Document, key: str) -> None:
    """Take the edited text in as a new version."""
    text = str(session.read(key) or "")
    if text != document.text:
        uploading.start(upload_of(document, text), session.current())
    close(key)


def close(key: str) -> None:
    """Leave the editor."""
    session.drop(key)
    session.drop("view")


def upload_of(document: Document, text: str) -> Upload:
    """The edited text as a file below a folder of its own, at the document's own path; its readers stay."""
    folder = tempfile.TemporaryDirectory(prefix="triptych-edit-", ignore_cleanup_errors=True)
    tree = Path(folder.name) / "tree"
    parts = [part for part in PurePosixPath(document.name).parts if part not in ("/", "..")]
    path = tree.joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return Upload(folder, [tree], [document.name])
