"""The documents page: list, filter, boundaries, removal, uploads, and that they stay with their visitor."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import resources
from tests.pages.conftest import APP, settle
from tests.pages.scripted import ScriptedHouse

Visit = Callable[[], AppTest]
PAGE = "pages/library/documents.py"


@pytest.fixture
def open_documents(visit: Visit) -> Callable[[], AppTest]:
    def come() -> AppTest:
        return settle(visit().switch_page(str(APP.parent / PAGE)))

    return come


def names(app: AppTest) -> list[str]:
    return list(app.dataframe[0].value["Name"])


def shown(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def drop(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.file_uploader[0].set_value([(name, content, "application/octet-stream") for name, content in files])
    return settle(app)


def test_list_filter_and_boundaries(open_documents: Visit) -> None:
    app = open_documents()
    assert names(app) == ["lark-pro-data-sheet.pdf", "price-list-2026.csv", "returns-policy.md"]
    app.text_input(key="filter").set_value("RETURNS").run()
    assert names(app) == ["returns-policy.md"]
    assert 'title="passage 2 (20 tokens)' in shown(app)


def test_document_text_is_shown_as_text(open_documents: Visit) -> None:
    app = open_documents()
    app.text_input(key="filter").set_value("returns").run()
    assert "&lt;b&gt;nothing&lt;/b&gt; is *free*" in shown(app)
    assert "$5 to $10" in shown(app)
    assert "<b>" not in shown(app)


def test_each_dropped_file_tells_its_result(open_documents: Visit) -> None:
    app = open_documents()
    drop(app, ("note.txt", b"The moon base opens in 2031."), ("empty.txt", b""))
    assert [s.value for s in app.success] == ["**note\\.txt** is ready: 1 passage, 0.0 s."]
    assert [e.value for e in app.error] == [
        "**empty\\.txt** was not added. empty\\.txt is empty \\(0 bytes\\)\\."
    ]
    assert "note.txt" in names(app)


def test_uploads_belong_to_their_visitor(open_documents: Visit, house: ScriptedHouse) -> None:
    ada, bob = open_documents(), open_documents()
    drop(ada, ("secret.txt", b"Ada's plan."))
    settle(bob)
    assert "secret.txt" in names(ada)
    assert "secret.txt" not in names(bob)
    assert resources.jobs().of(bob.session_state["triptych"].visitor, "upload") == []


def test_name_with_a_path_or_markup_stays_a_name(open_documents: Visit) -> None:
    app = open_documents()
    drop(app, ("../../<script>alert(1)</script>.txt", b"hello there"))
    assert "script>.txt" in names(app)
    assert "<script" not in shown(app)


def test_removal_asks_first(open_documents: Visit) -> None:
    app = open_documents()
    app.text_input(key="filter").set_value("returns").run()
    app.button(key="remove").click().run()
    assert "returns-policy.md" in names(app)
    app.button(key="confirm-remove").click().run()
    app.text_input(key="filter").set_value("").run()
    assert "returns-policy.md" not in names(app)
