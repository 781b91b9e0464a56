"""What a visitor can trust: a role's view, versions, removal that reaches answers, the log of questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from backends.datatypes import Answer
from backends.documents.differences import compare
from pages.library.changed_lines import folded, row_html, summary
from pages.ui import resources
from pages.ui.asking import BackendEvent
from tests.pages.conftest import APP, settle
from tests.pages.scripted import TEXTS, ScriptedServices, document

Visit = Callable[[], AppTest]
SECRET = "price-list-2026.csv"


def go(app: AppTest, page: str) -> AppTest:
    return settle(app.switch_page(str(APP.parent / "pages" / page)))


@pytest.fixture
def visitor(visit: Visit, services: ScriptedServices) -> AppTest:
    """Has asked the first example; one document is for finance only, one has an earlier version."""
    app = visit()
    service = services.by_visitor[app.session_state["triptych"].person]
    service.library[SECRET] = replace(service.library[SECRET], roles=("finance",))
    name = "returns-policy.md"
    service.earlier[name] = [document(name, TEXTS[name].replace("30 days", "14 days"))]
    service.library[name] = replace(service.library[name], version=2)
    return settle(app)


def names(app: AppTest) -> list[str]:
    return list(app.dataframe[0].value["Name"])


def see_as(app: AppTest, role: str) -> AppTest:
    app.selectbox(key="role").set_value(role)
    return settle(app)


def test_a_role_sees_its_documents_only_and_none_of_the_owners_questions(visitor: AppTest) -> None:
    visitor.text_input(key="question").set_value("What does the Lark Pro cost?")
    visitor.button("FormSubmitter:ask-Ask").click()
    settle(visitor)
    see_as(visitor, "finance")
    assert SECRET in names(go(visitor, "library/documents_page.py"))
    assert len(visitor.file_uploader) == 0 and "remove" not in [b.key for b in visitor.button]
    see_as(visitor, "")
    assert len(visitor.file_uploader) == 1
    now = visitor.session_state["triptych"]
    owners = resources.jobs().owned_by(now.person, "ask")
    assert owners and not set(owners) & set(resources.jobs().owned_by(f"{now.person}~finance", "ask"))


def test_what_is_kept_from_a_role_is_not_counted(visitor: AppTest, services: ScriptedServices) -> None:
    service = services.by_visitor[visitor.session_state["triptych"].person]
    name = "lark-pro-data-sheet.pdf"
    service.library[name] = replace(service.library[name], roles=("hr",))
    settle(visitor)
    see_as(visitor, "hr")
    assert "Sample company, 2" in visitor.pills(key="scope-here").options
    assert any(caption.value.startswith("6 passages of at most") for caption in visitor.caption)
    assert SECRET not in names(go(visitor, "library/documents_page.py"))
    assert "3" not in next(c.value for c in visitor.caption if "Choose a row" in c.value)


def test_versions_are_compared(visitor: AppTest) -> None:
    go(visitor, "library/versions_page.py")
    assert [box.value for box in visitor.selectbox][:3] == ["returns-policy.md", 1, 2]
    assert "0 came and 0 went between version 1 and version 2" in visitor.header[0].value
    drawn = "".join(element.proto.body for element in visitor.get("html"))
    assert ">14</del>" in drawn and ">30</ins>" in drawn


def test_removal_takes_the_answers_that_quote_it(visitor: AppTest) -> None:
    now = visitor.session_state["triptych"]
    (job,) = resources.jobs().owned_by(now.visitor, "ask")
    go(visitor, "library/documents_page.py")
    quoted = next(
        source.document
        for event in job.events_of(BackendEvent)
        if event.arm == "rag" and isinstance(event.what, Answer)
        for source in event.what.sources
    )
    visitor.text_input(key="filter").set_value(quoted).run()
    visitor.button(key="remove").click().run()
    visitor.button(key="confirm-remove").click().run()
    next(button for button in visitor.button if button.label == "Remove now").click()
    settle(visitor)
    assert job not in resources.jobs().owned_by(now.visitor, "ask")
    assert [*visitor.success, *visitor.warning]  # the proof stands until it is dismissed


def test_the_log_is_the_visitors_own_and_can_be_switched_off_and_deleted(
    visitor: AppTest, visit: Visit
) -> None:
    go(visitor, "library/health_page.py")
    assert visitor.metric[0].value == "1"
    visitor.toggle(key="logging").set_value(False)
    settle(visitor)
    service = resources.service(visitor.session_state["triptych"].visitor)
    assert not service.logging
    visitor.button(key="delete-log").click()
    settle(visitor)
    assert "Logging is switched off" in visitor.header[0].value
    bob = go(visit(), "library/health_page.py")
    assert bob.metric[0].value == "1"  # his own first example, and nothing of hers


def test_differences_read_without_colour_and_show_text_as_text() -> None:
    rows = compare("same\nthe <b>old</b> price of lamps\nx", "same\nthe <b>new</b> price of lamps\nx\nlast")
    assert summary(rows, 1, 2) == "1 line changed, 1 came and 0 went between version 1 and version 2"
    drawn = [row_html(item) for item in folded(rows, 0)]
    assert drawn[0].endswith("… 1 unchanged line</div>")
    assert "~" in drawn[1] and "&lt;b&gt;old&lt;/b&gt;</del>" in drawn[1] and "+" in drawn[3]
    assert "<b>" not in "".join(drawn)
