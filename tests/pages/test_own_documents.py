"""One's own documents on the home page: the way to a comparison, judged answers, asking once more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Event
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from streamlit.testing.v1 import AppTest

from backends.datatypes import Citation
from backends.feedback.judged_answers import JudgedStore
from pages.ask import own_documents
from pages.ask.earlier_answers import others_of, pairs, what_differs
from pages.library.rendered import rendered
from pages.ui import resources, training_jobs
from pages.ui.asking import KIND, rounds_of
from pages.ui.pending_removals import PendingRemoval
from pages.ui.places import places
from pages.ui.session import MINE
from pages.ui.text import markdown
from tests.pages.conftest import settle
from tests.pages.scripted import ScriptedServices, document
from tests.pages.test_compare import asked, service_of, shown, state, type_and_ask

Visit = Callable[[], AppTest]


def test_mine_without_documents_is_a_drop_zone_and_with_some_a_way_to_a_comparison(
    visit: Visit, services: ScriptedServices
) -> None:
    app = visit()
    app.pills(key="scope-here").set_value(MINE).run()
    assert app.file_uploader and not any(button.label == "Ask" for button in app.button)
    service = service_of(app, services)
    service.library["plan.txt"] = document("plan.txt", "The moon base opens in 2031.", source="upload")
    settle(app)
    assert app.button(key="example-0").label == "What does plan\\.txt say\\?"
    assert app.button(key="step-2").label == "Ask" and "Not trained on these yet" in "".join(
        caption.value for caption in app.caption
    )
    app.button(key="step-2").click()
    settle(app)
    assert asked(app)[0] == "What does plan.txt say?"
    (newest, *_) = rounds_of(resources.jobs().owned_by(state(app).visitor, KIND))
    assert newest.asked.settings.only == ("plan.txt",)
    assert {s.document for a in newest.answers for s in a.sources} == {"plan.txt"}


def test_an_answer_is_judged_saved_and_asked_again(visit: Visit, services: ScriptedServices) -> None:
    app = visit()
    service = service_of(app, services)
    app.button(key="right-rag").click().run()
    app.button(key="wrong-hybrid").click().run()
    gold = next(each for each in app.text_input if each.label.startswith("The right answer"))
    gold.set_value("30 days")
    next(button for button in app.button if button.label == "Save").click().run()
    kept: JudgedStore = service.judged()
    assert [(j.backend, j.right) for j in kept.all()] == [("hybrid", False), ("rag", True)]
    assert [case.answers for case in kept.questions()] == [("30 days",)]
    before = len(service.asked)
    app.button(key="again-rag").click()
    settle(app)
    assert service.asked[before:] == [(asked(app)[0], "rag")]
    (made,) = rounds_of(resources.jobs().owned_by(state(app).visitor, KIND))
    assert list(made.columns) == ["rag", "fine_tuned", "hybrid"] and made.finished


def test_answers_made_with_other_settings_say_so_and_both_stand_side_by_side(visit: Visit) -> None:
    app = visit()
    app.slider(key="top_k").set_value(3).run()
    assert any("other settings: top\\-k 8 \\(now 3\\)" in caption.value for caption in app.caption)
    assert any("top\\-k 3 \\(default 8\\)" in caption.value for caption in app.caption)
    app.button(key="ask-again").click()
    settle(app)
    then, now = reversed(rounds_of(resources.jobs().owned_by(state(app).visitor, KIND)))
    assert others_of(now, [then, now]) == [then]
    assert what_differs(then, now) == "top-k 8 (now 3)"
    assert [pair.backend for pair in pairs(then, now)] == ["rag", "fine_tuned", "hybrid"]
    (answer,) = [each for each in now.answers if each.backend == "hybrid"]
    trained = replace(answer, adapter="mine")
    after = replace(now, columns={**now.columns, "hybrid": replace(now.columns["hybrid"], answer=trained)})
    before = replace(then, asked=now.asked, columns={"rag": then.columns["rag"]})
    assert what_differs(before, after) == (
        "Fine-tuned answers only now and Hybrid without an answer (now by the adapter mine)"
    )
    assert what_differs(after, before).startswith("Fine-tuned answered only then")


def test_a_citation_opens_its_passage_from_the_text(visit: Visit) -> None:
    page = shown(visit())
    assert 'popovertarget="cite-rag-q-1-1"' in page and 'id="cite-rag-q-1-1"' in page


def test_what_is_json_is_shown_as_code(visit: Visit, services: ScriptedServices, monkeypatch) -> None:
    monkeypatch.setitem(__import__("tests.pages.scripted", fromlist=["ANSWERS"]).ANSWERS, "rag", '{"a": 1}')
    app = visit()
    type_and_ask(app, "As JSON?")
    settle(app)
    assert '{\n  "a": 1\n}' in [code.value for code in app.code]


def test_places_are_named_as_the_document_names_them(services: ScriptedServices) -> None:
    service = services.service("ada")
    sheet = document("prices.xlsx", "A: 1; B: 2")
    page = replace(service.library["lark-pro-data-sheet.pdf"].pages[0], label="Spare parts", end=10)
    service.library["prices.xlsx"] = replace(sheet, type="xlsx", pages=(page,))
    place = places(service)
    assert place(Citation("prices.xlsx", 1, 1, 0, 4, "A: 1", marker=1)) == "prices.xlsx, sheet Spare parts"
    assert (
        place(Citation("lark-pro-data-sheet.pdf", 1, 2, 0, 4, "Lark", marker=1))
        == "lark-pro-data-sheet.pdf, page 2"
    )
    assert place(Citation("gone.pdf", 1, 2, 0, 4, "Lark", marker=1)) == "gone.pdf, page 2"


def test_documents_are_rendered_and_foreign_markup_stays_text() -> None:
    text = "# Prices\n\nName: A; Price: 1\nName: B; Price: <b>2</b>\n\n- one\n- two\n\nWords & more."
    page = rendered(replace(document("x.docx", text), type="docx"), 1_000)
    assert "<h4>Prices</h4>" in page and page.count("<tr>") == 3 and "<li>two</li>" in page
    assert "&lt;b&gt;2" in page and "Words &amp; more." in page
    page = rendered(
        replace(document("x.md", "**Bold** <i>x</i> ![p](http://a/b.png)"), type="markdown"), 1_000
    )
    assert "<strong>Bold</strong>" in page and "<i>" not in page and "<img" not in page


def test_a_parting_goes_at_a_word_or_when_nobody_looks_and_stays_when_it_is_undone() -> None:
    import threading

    undone = threading.Event()
    removal = PendingRemoval(("a.md",), seen=0.0)
    assert removal.wait(undone, clock=lambda: 1_000.0) and removal.begun
    told = PendingRemoval(("a.md",))
    told.go()
    assert told.wait(undone)
    undone.set()
    kept = PendingRemoval(("a.md",))
    assert not kept.wait(undone) and not kept.begun


def test_one_click_makes_rows_of_these_documents_and_trains_both_kinds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started, trained = [], []
    jobs = SimpleNamespace(start=lambda kind, visitor, work: started.append(work))
    monkeypatch.setattr(resources, "jobs", lambda: jobs)
    monkeypatch.setattr(training_jobs, "follow", lambda trainer, run, context: trained.append(run))
    trainer = MagicMock(model_name="small", **{"free_name.return_value": "mine"})
    service = MagicMock(**{"trainer.return_value": trainer})
    own_documents.start_training(MagicMock(visitor="v"), service, ["plan.txt"])
    started[0](MagicMock(cancelled=Event()))
    assert [call.args[0] for call in trainer.build.call_args_list] == [["plan.txt"]]
    assert [call.args[1] for call in trainer.plan.call_args_list] == ["fine_tuned", "hybrid"]
    assert trained == [trainer.plan.return_value] * 2


def test_a_training_without_gain_is_told_from_none_also_where_a_document_gave_no_rows() -> None:
    def run(owner: str, state: str, *names: str) -> SimpleNamespace:
        documents = [SimpleNamespace(name=name) for name in names]
        return SimpleNamespace(state=state, plan=SimpleNamespace(owner=owner, documents=documents))

    def tried(*runs: SimpleNamespace) -> list[str]:
        trainer = SimpleNamespace(runs=SimpleNamespace(all=lambda: list(runs)))
        service = MagicMock(**{"trainer.return_value": trainer})
        return own_documents.without_gain(MagicMock(visitor="v"), service, ["plan.txt", "photo.txt"])

    assert tried() == tried(run("w", "done", "plan.txt")) == tried(run("v", "failed", "plan.txt")) == []
    assert tried(run("v", "done", "plan.txt", "gone.txt"), run("v", "done", "photo.txt")) == ["plan.txt"]


def test_the_name_of_a_document_is_only_words_in_the_note_about_training() -> None:
    name = "[fees](javascript:alert(1)) <img src=x> $x$.txt"
    assert f"has learned {markdown(name)}, so" in own_documents.not_trained([name], None)
    assert "[fees](" not in own_documents.not_trained([name], None)
