"""What a signed-in person's service shows, keeps and writes down: the real one, with tiny models."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import asdict
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from backends.access import sign_in
from backends.access.audit import FORGOTTEN, AuditLog
from backends.datatypes import Answer, UserError
from backends.documents import session_lease
from backends.settings import Settings
from backends.system import public_demo
from backends.system.jobs import Jobs
from backends.system.reporting import no_report
from backends.system.viewers import held, signed_in_person, viewer_id
from pages.ui import resources, signing_in, triptych_service
from pages.ui.triptych_service import TriptychService
from tests.access.test_sign_in import FILE
from tests.pages.conftest import APP
from tests.pages.small_services import DOCUMENTS, SmallServices, small_services

QUOTAS = "\n[quotas]\nask = 2\ndocuments = 2\n"
ADA, BEN = (signed_in_person("https://login.example.com", who) for who in ("ada", "ben"))
HR = held(["hr"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("model") / "tiny"


@pytest.fixture
def services(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallServices:
    for variable in (sign_in.VARIABLE, public_demo.VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(triptych_service, "FOLLOW_EVERY", 0.0)
    (tmp_path / sign_in.FILE).write_text(FILE + QUOTAS)
    return small_services(tmp_path, model)


def settings(service: TriptychService) -> Settings:
    return service._shared.settings


def add(service: TriptychService, folder: Path, name: str, text: str) -> list[str]:
    (folder / "up").mkdir(exist_ok=True)
    path = folder / "up" / name
    path.write_text(text)
    return [
        row.status for row in service.ingest([path], settings(service), lambda _: None, threading.Event())
    ]


def names(service: TriptychService) -> set[str]:
    return {entry.name for entry in service.catalogue()}


def done(workspace: Path) -> list[tuple[str, tuple[str, ...]]]:
    return [(entry.action, entry.documents) for entry in AuditLog(workspace).entries()]


def test_a_member_adds_to_a_copy_that_holds_only_what_they_may_read(
    services: SmallServices, tmp_path: Path
) -> None:
    ada, ben = services.service(viewer_id(ADA, HR)), services.service(viewer_id(BEN, held([])))
    assert names(ada) == {"a-people.md", "open.md"} and names(ben) == {"open.md"}
    assert ada.may_change and ada.roles() == ()
    # A name that is taken by a document of others tells nothing of it.
    assert add(ada, tmp_path, "a-finance.md", "Ada's own words.") == ["indexed"]
    assert names(ada) == {"a-finance.md", "a-people.md", "open.md"} and names(ben) == {"open.md"}
    copy = tmp_path / "sessions" / ADA / "triptych.db"
    assert b"heliotrope" not in copy.read_bytes()
    again = services.service(viewer_id(ADA, HR))
    assert again.private and names(again) == names(ada)
    # Taken out of the group, the same copy shows less.
    assert names(services.service(viewer_id(ADA, held([])))) == {"a-finance.md", "open.md"}
    with pytest.raises(UserError, match="no document"):
        ben.forget("a-people.md", no_report)
    with pytest.raises(UserError, match="for the owners"):
        ada.trainer()


def test_a_copy_of_who_signs_in_stays(services: SmallServices, tmp_path: Path) -> None:
    ada = services.service(viewer_id(ADA, HR))
    add(ada, tmp_path, "note.md", "A note.")
    del ada
    copy = tmp_path / "sessions" / ADA
    os.utime(copy, (time.time() - 90 * 86_400,) * 2)
    session_lease.remove_unused(copy.parent)
    assert copy.exists()


def test_an_owner_looks_through_a_role_and_changes_nothing_there(services: SmallServices) -> None:
    owner, looking = services.service(ADA), services.service(viewer_id(ADA, "hr"))
    assert names(owner) == set(DOCUMENTS) and names(looking) == {"a-people.md", "open.md"}
    assert owner.roles() == ["finance", "hr"] and not looking.may_change
    with pytest.raises(UserError, match="choose the owner's view"):
        looking.forget("open.md", no_report)


def test_what_was_done_is_written_down_without_a_word_of_it(services: SmallServices, tmp_path: Path) -> None:
    ada = services.service(viewer_id(ADA, HR))
    for _ in range(3):  # a page is drawn anew at every click
        assert ada.document("a-people.md") is not None
    assert ada.document("a-finance.md") is None
    events = list(ada.ask("rag", "What is the salary?", settings(ada), threading.Event()))
    assert isinstance(events[-1], Answer)
    list(ada.ask("base", "What is the salary?", settings(ada), threading.Event()))
    add(ada, tmp_path, "note.md", "A note.")
    ada.forget("note.md", no_report)
    assert done(tmp_path) == [
        ("read", ("a-people.md",)),
        ("asked", ("a-people.md", "open.md")),
        ("asked", ()),
        ("added", (FORGOTTEN,)),
        ("forgot", (FORGOTTEN,)),
    ]
    written = str([asdict(entry) for entry in AuditLog(tmp_path).entries()])
    assert not any(word in written for word in ("salary", "vermilion", "note"))
    looking = services.service(viewer_id(BEN, "hr"))
    looking.document("open.md")
    assert list(AuditLog(tmp_path).entries())[-1].detail == "viewed as hr"


def test_what_cannot_be_written_down_is_not_shown(
    services: SmallServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("No space is left.")

    ada = services.service(viewer_id(ADA, HR))
    monkeypatch.setattr(AuditLog, "record", full)
    with pytest.raises(OSError, match="No space"):
        ada.document("open.md")
    with pytest.raises(OSError, match="No space"):
        next(iter(ada.ask("rag", "What is the salary?", settings(ada), threading.Event())))


def test_quotas_are_each_persons(services: SmallServices, tmp_path: Path) -> None:
    ada = services.service(viewer_id(ADA, HR))
    assert add(ada, tmp_path, "1.md", "One.") + add(ada, tmp_path, "2.md", "Two.") == ["indexed"] * 2
    with pytest.raises(UserError, match="Each person here is allowed 2 documents of their own; you have 2"):
        add(ada, tmp_path, "3.md", "Three.")
    assert services._sign_in is not None
    shares = public_demo.Shares(public_demo.quotas(services._sign_in.quotas), allows=public_demo.PEOPLE)
    jobs = Jobs(refusal=shares.refusal)
    for who, role in ((ADA, HR), (ADA, held([])), (BEN, HR)):
        assert not jobs.start("ask", viewer_id(who, role), lambda _: None).refused
    refused = jobs.start("ask", viewer_id(ADA, HR), lambda _: None)
    assert refused.refused and "Each person here is allowed 2 questions a minute" in (refused.error or "")
    assert not jobs.start("train", ADA, lambda _: None).refused  # not limited here


PAGES = [
    f"pages/{each}_page.py"
    for each in (
        "library/documents",
        "library/health",
        "tune/fine_tune",
        "evaluate/evaluate",
        "stress/stress",
    )
]


def test_a_member_finds_every_page_whole(services: SmallServices, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    claims = {"iss": "https://login.example.com", "sub": "ada", "name": "Ada", "exp": now + 900}
    claims |= {"groups": ["finance-team"], "is_logged_in": True}
    monkeypatch.setattr(signing_in, "claims_of_whoever_is_here", lambda: claims)
    st.cache_resource.clear()
    resources.use(lambda _: services)
    try:
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.run()
        assert resources.opening().wait(60)
        for page in PAGES:  # not the home page, which would ask its first question
            app.switch_page(page).run()
            assert not app.exception, (page, app.exception[0].value)
            assert "vermilion" not in str(app.main) and "a-people.md" not in str(app.main)
    finally:
        resources.use(resources.open_product)
        st.cache_resource.clear()
