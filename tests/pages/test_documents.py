"""The documents page: list, filter, boundaries, removal, uploads, and that they stay with their visitor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from streamlit.testing.v1 import AppTest

from backends.datatypes import ParsedFile
from backends.settings import Settings, make_settings
from backends.system.jobs import Jobs
from pages.ui import resources, uploading
from pages.ui.service import FileResult, OnStep
from tests.documents.test_parsing import password_pdf
from tests.pages import scripted
from tests.pages.conftest import APP, settle
from tests.pages.scripted import ScriptedService, ScriptedServices

Visit = Callable[[], AppTest]
PAGE = "pages/library/documents_page.py"


@pytest.fixture
def open_documents(visit: Visit) -> Callable[[], AppTest]:
    def come() -> AppTest:
        return settle(visit().switch_page(str(APP.parent / PAGE)))

    return come


def names(app: AppTest) -> list[str]:
    return list(app.dataframe[0].value["Name"])


def look_at(app: AppTest, view: str) -> AppTest:
    app.segmented_control(key="view").set_value(view)
    return app.run()


def shown(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def rows(app: AppTest) -> list[str]:
    """What became of each uploaded file."""
    return [m.value for m in app.markdown if ":material/" in m.value]


def upload(app: AppTest, *files: tuple[str, bytes]) -> None:
    app.file_uploader[0].set_value([(name, content, "application/octet-stream") for name, content in files])


def drop(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    upload(app, *files)
    return settle(app)


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def visitor(app: AppTest) -> str:
    return str(app.session_state["triptych"].visitor)


def test_list_filter_and_boundaries(open_documents: Visit) -> None:
    app = open_documents()
    assert names(app) == ["lark-pro-data-sheet.pdf", "price-list-2026.csv", "returns-policy.md"]
    app.text_input(key="filter").set_value("RETURNS").run()
    assert names(app) == ["returns-policy.md"]
    look_at(app, "Passages")
    assert 'title="passage 2 (20 tokens)' in shown(app)


def test_own_documents_come_first_and_the_keyboard_reaches_the_text(open_documents: Visit) -> None:
    app = drop(open_documents(), ("zebra.txt", b"A herd drinks 300 litres a day. " * 60))
    assert names(app)[0] == "zebra.txt" and names(app)[1:] == sorted(names(app)[1:])
    app.text_input(key="filter").set_value("zebra").run()
    assert '<div class="read" tabindex="0" role="region" aria-label="Text of zebra.txt">' in shown(app)
    look_at(app, "Passages")
    assert '<div class="read" tabindex="0" role="region" aria-label="Passages of zebra.txt">' in shown(app)


def test_other_rows_are_another_table_so_that_no_neighbour_of_a_removed_one_is_chosen(
    open_documents: Visit,
) -> None:
    app = open_documents()
    before = app.dataframe[0].proto.id
    assert app.run().dataframe[0].proto.id == before
    app.text_input(key="filter").set_value("returns").run()
    assert app.dataframe[0].proto.id != before


def test_what_a_document_does_not_have_is_a_dash(open_documents: Visit) -> None:
    frame = open_documents().dataframe[0]
    assert frame.value["Pages"].isna().any() and frame.proto.placeholder == "\N{EN DASH}"
    assert list(frame.value)[:4] == ["Name", "Version", "Readers", "Passages"]  # in sight at 1440 pixels


def test_what_a_reader_left_out_is_said_with_the_upload_and_under_the_document(
    open_documents: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(path: Path, passwords: object) -> ParsedFile:
        return ParsedFile(
            path.read_text(), "A", "text", notes=("page 2 is an *image*", "hidden text left out")
        )

    monkeypatch.setattr(scripted, "parse_file", parse)
    app = drop(open_documents(), ("a.txt", b"Words that can be read."))
    assert "Note: page 2 is an \\*image\\*; hidden text left out." in "".join(rows(app))
    app.text_input(key="filter").set_value("a.txt").run()
    assert "- page 2 is an \\*image\\*\n- hidden text left out" in app.info[0].value


def test_added_documents_may_be_for_some_roles_only(open_documents: Visit) -> None:
    app = open_documents()
    app.multiselect(key="drop-roles").set_value(["finance"]).run()
    drop(app, ("budget.txt", b"The budget is 12 million."))
    listed = app.dataframe[0].value.set_index("Name")["Readers"]
    assert listed["budget.txt"] == "finance" and listed["returns-policy.md"] == "everyone"


def test_a_role_that_is_no_name_is_refused_and_the_files_wait(open_documents: Visit) -> None:
    app = open_documents()
    app.multiselect(key="drop-roles").set_value(["x/../../../outside"]).run()
    drop(app, ("budget.txt", b"The budget is 12 million."))
    assert "cannot name a role" in app.error[0].value and "budget.txt" not in names(app)
    app.multiselect(key="drop-roles").set_value(["finance"])
    settle(app)
    assert app.dataframe[0].value.set_index("Name")["Readers"]["budget.txt"] == "finance"


def test_document_text_is_shown_as_text(open_documents: Visit) -> None:
    app = open_documents()
    app.text_input(key="filter").set_value("returns").run()
    look_at(app, "Passages")
    assert "&lt;b&gt;nothing&lt;/b&gt; is *free*" in shown(app)
    assert "$5 to $10" in shown(app)
    assert "<b>" not in shown(app)


def test_each_dropped_file_tells_its_result(open_documents: Visit) -> None:
    app = open_documents()
    drop(app, ("note.txt", b"The moon base opens in 2031."), ("empty.txt", b""))
    assert rows(app) == [
        ":red[:material/block:] **empty\\.txt** is empty \\(0 bytes\\)\\. It was not added.",
        ":green[:material/check_circle:] **note\\.txt** is ready: 1 passage, 0.0 s.",
    ]
    assert "**2 files: 1 added, 1 not added**" in [m.value for m in app.markdown]
    assert "note.txt" in names(app)


def test_while_files_are_read_each_shows_where_it_is(
    open_documents: Visit, services: ScriptedServices
) -> None:
    app = open_documents()
    service = next(iter(services.by_visitor.values()))
    service.files_gate = threading.Event()
    upload(app, ("one.txt", b"First."), ("two.txt", b"Second."), ("three.txt", b"Third."))
    settle(app, until=lambda app: len(app.get("progress")) == 2)
    overall, at_hand = (bar.proto.text for bar in app.get("progress"))
    assert overall.startswith("1 of 3 files")
    assert at_hand.startswith("**one\\.txt**: indexing passage 64 of 256, about ")
    assert rows(app) == [
        ":gray[:material/schedule:] two\\.txt waits",
        ":gray[:material/schedule:] three\\.txt waits",
    ]
    cancel = next(button for button in app.button if button.label == "Cancel")
    cancel.click().run()
    service.files_gate.set()
    settle(app)
    assert rows(app) == [
        ":green[:material/check_circle:] **one\\.txt** is ready: 1 passage, 0.0 s.",
        ":gray[:material/do_not_disturb_on:] two\\.txt was not added",
        ":gray[:material/do_not_disturb_on:] three\\.txt was not added",
    ]
    assert app.warning[0].value.startswith("Cancelled")
    assert "one.txt" in names(app) and "two.txt" not in names(app)


def test_the_list_of_results_stays_until_it_is_closed(open_documents: Visit) -> None:
    app = open_documents()
    drop(app, ("note.txt", b"Hello there."))
    app.run()
    assert len(rows(app)) == 1
    next(button for button in app.button if button.label == "Close this list").click().run()
    assert rows(app) == []


def test_a_file_that_came_again_is_a_new_version(open_documents: Visit) -> None:
    app = open_documents()
    drop(app, ("note.txt", b"Hello there."))
    drop(app, ("note.txt", b"Hello again."))
    assert rows(app) == [
        ":green[:material/check_circle:] **note\\.txt** is ready; it replaces the version before: "
        "1 passage, 0.0 s."
    ]


def test_the_password_is_asked_for_and_used(open_documents: Visit) -> None:
    app = open_documents()
    drop(app, ("locked.pdf", password_pdf()), ("note.txt", b"Hello there."))
    locked, _ = rows(app)
    assert locked.startswith(":orange[:material/lock:] **locked\\.pdf** is protected with a password")
    field = next(each for each in app.text_input if each.label.startswith("Password of"))
    folder = Path(
        resources.jobs().owned_by(visitor(app), "upload")[0].events_of(uploading.Upload)[0].folder.name
    )
    assert folder.exists()
    field.set_value("wrong")
    settle(press(app, "Read again"))
    assert "none of the passwords given opens it" in rows(app)[0]
    field = next(each for each in app.text_input if each.label.startswith("Password of"))
    field.set_value("secret")
    settle(press(app, "Read again"))
    assert any(
        row.startswith(":green[:material/check_circle:] **locked\\.pdf** is ready: ") for row in rows(app)
    )
    assert "locked.pdf" in names(app)
    assert not folder.exists()


def test_no_password_stays_in_the_records_of_jobs() -> None:
    given: list[Sequence[str]] = []

    class Locked(ScriptedService):
        def ingest(
            self,
            paths: Sequence[Path],
            settings: Settings,
            on_step: OnStep,
            cancelled: threading.Event,
            passwords: Sequence[str] = (),
            roles: Sequence[str] = (),
        ) -> Iterator[FileResult]:
            given.append(passwords)
            yield FileResult("locked.pdf", "rejected", needs_password=True)

    dropped = uploading.Upload(TemporaryDirectory(), [], ["locked.pdf"], ("sesame",))
    job = Jobs().start("upload", "ada", uploading.adding(Locked("ada"), dropped, make_settings()))
    assert job.wait(60) and job.error is None and given == [("sesame",)]
    kept = [vars(each) for each in job.events_since(0)]
    assert len(kept) == 2 and "sesame" not in repr(kept)


def test_nothing_of_a_file_stays_behind(open_documents: Visit) -> None:
    app = open_documents()
    drop(app, ("note.txt", b"Hello there."))
    upload = resources.jobs().owned_by(visitor(app), "upload")[0].events_of(uploading.Upload)[0]
    assert not Path(upload.folder.name).exists()


def test_uploads_belong_to_their_visitor(open_documents: Visit, services: ScriptedServices) -> None:
    ada, bob = open_documents(), open_documents()
    drop(ada, ("secret.txt", b"Ada's plan."))
    settle(bob)
    assert "secret.txt" in names(ada)
    assert "secret.txt" not in names(bob)
    assert resources.jobs().owned_by(bob.session_state["triptych"].visitor, "upload") == []


def test_name_with_a_path_or_markup_stays_a_name(open_documents: Visit) -> None:
    app = open_documents()
    drop(app, ("../../<script>alert(1)</script>.txt", b"hello there"))
    assert "script>.txt" in names(app)
    assert "<script" not in shown(app)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a\0b.txt", "ab.txt"),
        ("../../etc/passwd", "etc/passwd"),
        ("\u00e9" * 300 + ".txt", "\u00e9" * 98 + ".txt"),
        ("C:\\files\\.\\x.pdf", "C:/files/x.pdf"),
        ("..", "unnamed"),
        (".hidden", ".hidden"),
        ("one." + "e" * 90, "one." + "e" * 39),
    ],
)
def test_a_dropped_files_name_leads_nowhere_and_fits_every_file_system(given: str, kept: str) -> None:
    assert uploading._inside(given) == kept


def test_removal_asks_first(open_documents: Visit) -> None:
    app = open_documents()
    app.text_input(key="filter").set_value("returns").run()
    app.button(key="remove").click().run()
    assert "returns-policy.md" in names(app)
    app.button(key="confirm-remove").click().run()
    app.text_input(key="filter").set_value("").run()
    assert "returns-policy.md" not in names(app)
    press(app, "Undo")
    settle(app)
    assert "returns-policy.md" in names(app)


def remove(app: AppTest, name: str) -> AppTest:
    app.text_input(key="filter").set_value(name).run()
    app.button(key="remove").click().run()
    app.button(key="confirm-remove").click().run()
    app.text_input(key="filter").set_value("")
    return press(app.run(), "Remove now")


def test_a_removal_is_carried_out_when_the_page_is_left_and_an_old_list_says_so(
    open_documents: Visit, services: ScriptedServices
) -> None:
    app = drop(open_documents(), ("note.txt", b"Hello there."))
    app.text_input(key="filter").set_value("note").run()
    app.button(key="remove").click().run()
    app.button(key="confirm-remove").click().run()
    assert "note.txt" in next(iter(services.by_visitor.values())).library
    settle(app.switch_page(str(APP.parent / "pages/library/health_page.py")))
    assert "note.txt" not in next(iter(services.by_visitor.values())).library
    settle(app.switch_page(str(APP.parent / PAGE)))
    assert rows(app) == [":gray[:material/auto_delete:] **note\\.txt** was removed since."]


def test_text_is_edited_in_place_as_a_new_version(open_documents: Visit, services: ScriptedServices) -> None:
    app = open_documents()
    app.text_input(key="filter").set_value("returns").run()
    look_at(app, "Edit")
    app.text_area[0].set_value("# Returns\n\nA customer may return a Lark Pro within 60 days.\n")
    app.button(key="save-edit").click()
    settle(app)
    document = next(iter(services.by_visitor.values())).library["returns-policy.md"]
    assert (document.version, "60 days" in document.text) == (2, True)


def test_the_proof_of_a_removal_stays_until_it_is_dismissed(open_documents: Visit) -> None:
    app = open_documents()
    settle(remove(app, "returns"))
    settle(remove(app, "price"))
    for _ in range(3):
        app.run()
    assert [each.value for each in app.success] == [
        "price\\-list\\-2026\\.csv is gone from your copy\\.",
        "returns\\-policy\\.md is gone from your copy\\.",
    ]
    press(app, "Close this proof")
    assert [each.value for each in app.success] == ["returns\\-policy\\.md is gone from your copy\\."]
    press(app, "Close this proof")
    assert not app.success and not app.run().success


def test_a_removal_shows_how_far_it_is(open_documents: Visit, services: ScriptedServices) -> None:
    app = open_documents()
    service = next(iter(services.by_visitor.values()))
    service.files_gate = threading.Event()
    remove(app, "returns").run()
    settle(app, until=lambda app: any("Searching" in bar.proto.text for bar in app.get("progress")))
    (bar,) = app.get("progress")
    assert bar.proto.text == "Removing **returns\\-policy\\.md**: Searching returns\\-policy\\.md"
    service.files_gate.set()
    assert len(settle(app).success) == 1


def test_what_is_not_proven_gone_is_a_warning_and_what_failed_is_an_error(
    open_documents: Visit, services: ScriptedServices
) -> None:
    app = open_documents()
    service = next(iter(services.by_visitor.values()))
    service.unproven, service.stuck = frozenset({"returns-policy.md"}), frozenset({"price-list-2026.csv"})
    settle(remove(app, "returns"))
    settle(remove(app, "price"))
    assert not app.success and len(app.warning) == 1
    assert app.error[0].value == "price\\-list\\-2026\\.csv is not removed yet\\. A file is stuck\\."
    press(app, "Close")
    assert not app.error
