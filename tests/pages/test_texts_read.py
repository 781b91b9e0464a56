"""Drawing the home page again reads no document's text: the catalogue and the passage on show are enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from backends.datatypes import DatabaseRow
from backends.documents import store
from backends.documents.library import Library
from backends.documents.opening import open_session
from backends.documents.storage import StoredDocument
from backends.documents.store import Workspace
from backends.language.generation import LanguageModel
from backends.product import Triptych
from backends.settings import make_settings
from pages.ui import resources
from pages.ui.triptych_service import TriptychService
from tests.fakes import HashingEmbedder, tiny_language_model
from tests.pages.conftest import APP, settle

SETTINGS = make_settings()


class Services:
    """One visitor's real service over two small documents."""

    def __init__(self, folder: Path) -> None:
        (folder / "files").mkdir()
        (folder / "files" / "returns.md").write_text("# Returns\n\nCustomers return goods within 30 days.\n")
        (folder / "files" / "lamps.txt").write_text("The Lark lamp costs 99 euros. It weighs 2 kilos.\n")
        workspace = Workspace.open(folder / "workspace")
        library = Library(workspace, HashingEmbedder())
        rows = list(library.ingest([folder / "files"], settings=SETTINGS, source="sample"))
        assert [row.status for row in rows] == ["indexed", "indexed"]
        model = LanguageModel.load(tiny_language_model(folder / "model", context=1024))

        def on(library: Library) -> Triptych:
            return Triptych(workspace.path, SETTINGS, library, model=model)

        self._shared = on(library)
        self._copy: Callable[[], Triptych] = lambda: on(
            open_session(workspace.path, "ada", HashingEmbedder())
        )

    def check(self) -> None:
        """There is nothing that could not be read."""

    def service(self, visitor: str) -> TriptychService:
        return TriptychService(self._shared, self._copy, person=visitor)


def test_compare_drawn_again_reads_no_document_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path / "workspace"))
    services = Services(tmp_path)
    st.cache_resource.clear()
    resources.use(lambda report: services)
    try:
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.run()
        assert resources.opening().wait(20)
        settle(app)
        app.text_input(key="question").set_value("What does the lamp cost?").run()
        settle(app)
        app.session_state["behind"] = "Sources"
        settle(app)
        assert any(", characters " in caption.value for caption in app.caption)  # a passage is on show
        texts: list[str] = []
        read = store._document

        def counted(row: DatabaseRow) -> StoredDocument:
            texts.append(row[2])
            return read(row)

        monkeypatch.setattr(store, "_document", counted)
        app.run()
        assert not app.exception and texts == []
    finally:
        resources.use(resources.open_product)
        st.cache_resource.clear()
