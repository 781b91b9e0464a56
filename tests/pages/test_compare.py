"""The home page as a visitor uses it: ask, watch, change something meanwhile, look behind the answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from streamlit.testing.v1 import AppTest

from backends.answering.agreement import judged_together
from backends.answering.checks import CONTRADICTED
from backends.evaluation.scenarios import scenarios
from backends.settings import make_settings
from pages.ask import export, link
from pages.ui import choices, resources, session
from pages.ui.asking import KIND, Asked, asking, round_of, rounds_of
from pages.ui.choices import Choices
from pages.ui.look import backend_of
from pages.ui.text import markdown
from tests.pages.conftest import APP, settle
from tests.pages.scripted import ANSWERS, ScriptedService, ScriptedServices, document

Visit = Callable[[], AppTest]


def state(app: AppTest) -> session.Session:
    return app.session_state["triptych"]


def service_of(app: AppTest, services: ScriptedServices) -> ScriptedService:
    return services.by_visitor[state(app).visitor]


def shown(app: AppTest) -> str:
    """All text of the page's HTML blocks, where answers and documents stand."""
    bodies = [element.proto.body for element in app.get("html")]
    return "\n".join(body for body in bodies if not body.startswith(("<script>", "<style>")))


def asked(app: AppTest) -> list[str]:
    return [made.asked.question for made in rounds_of(resources.jobs().owned_by(state(app).visitor, KIND))]


def type_and_ask(app: AppTest, question: str) -> AppTest:
    app.text_input(key="question").set_value(question)
    return app.button[next(i for i, b in enumerate(app.button) if b.label == "Ask")].click().run()


def test_first_visit_answers_an_example_for_real(visit: Visit, services: ScriptedServices) -> None:
    app = visit()
    assert len(asked(app)) == 1
    assert app.text_input(key="question").value == asked(app)[0]
    assert service_of(app, services).asked == [
        (asked(app)[0], name) for name in ("rag", "fine_tuned", "hybrid")
    ]
    assert "45" in shown(app) and "if the sensor" in shown(app).replace("</mark>", "")
    (conclusion,) = [header.value.replace("\\", "") for header in app.header]
    assert conclusion == "RAG and Hybrid agree: “30 days from delivery”. A source contradicts Fine-tuned."
    measured = next(caption.value for caption in app.caption if "Fastest" in caption.value)
    assert measured.startswith("Fastest\\: a tie")  # of those that answer: the quickest of all is wrong
    assert [warning.value for warning in app.warning] == [markdown(CONTRADICTED)]


def test_empty_question_says_so_and_asks_nothing(visit: Visit) -> None:
    app = visit()
    before = asked(app)
    type_and_ask(app, "   ")
    assert [error.value for error in app.error] == ["The question is empty\\: ask something in words\\."]
    assert asked(app) == before


def test_question_of_ten_thousand_characters_says_so_and_asks_nothing(visit: Visit) -> None:
    app = visit()
    before = asked(app)
    type_and_ask(app, "why " * 2_500)
    assert "9\\,999 characters" in app.error[0].value and "4\\,000" in app.error[0].value
    assert asked(app) == before


def test_example_is_asked_at_a_click(visit: Visit) -> None:
    app = visit()
    example = app.button(key="example-1")
    example.click()
    settle(app)
    assert example.label == markdown(asked(app)[0])
    assert app.text_input(key="question").value == asked(app)[0]


def test_widget_touched_mid_answer_neither_loses_nor_restarts_it(
    visit: Visit, services: ScriptedServices, gate: threading.Event
) -> None:
    app = visit()
    service = service_of(app, services)
    service.asked.clear()
    gate.clear()
    type_and_ask(app, "How long may a customer return it?")
    first_word = ANSWERS["rag"].split()[0]
    settle(app, until=lambda app: first_word in shown(app))
    app.slider(key="top_k").set_value(9).run()
    app.toggle(key="rerank").set_value(False).run()
    app.toggle(key="multi_step").set_value(True).run()
    assert first_word in shown(app)
    gate.set()
    settle(app)
    assert service.asked == [
        ("How long may a customer return it?", n) for n in ("rag", "fine_tuned", "hybrid")
    ]
    assert resources.jobs().owned_by(state(app).visitor, KIND)[0].state == "done"
    assert (state(app).settings.top_k, state(app).settings.multi_step) == (9, True)


def test_stop_keeps_what_was_said(visit: Visit, gate: threading.Event) -> None:
    app = visit()
    gate.clear()
    type_and_ask(app, "How long?")
    settle(app, until=lambda app: ANSWERS["rag"].split()[0] in shown(app))
    app.button(key="stop").click().run()
    gate.set()
    settle(app)
    columns = rounds_of(resources.jobs().owned_by(state(app).visitor, KIND))[0].columns
    assert [column.state for column in columns.values()] == ["done", "stopped", "stopped"]


def test_failed_backend_says_so_and_the_others_go_on(visit: Visit, services: ScriptedServices) -> None:
    services.broken = "fine_tuned"
    app = visit()
    assert [error.value for error in app.error] == [
        "No answer. There is no fine\\_tuned adapter\\: train one\\."
    ]
    made = rounds_of(resources.jobs().owned_by(state(app).visitor, KIND))[0]
    assert [answer.backend for answer in made.answers] == ["rag", "hybrid"]


def test_overlap_that_does_not_fit_changes_nothing(visit: Visit) -> None:
    app = visit()
    before = state(app).settings
    app.slider(key="chunk_overlap").set_value(200).run()
    assert [error.value for error in app.error] == [
        "The overlap \\(200 tokens\\) must be smaller than the chunk size \\(128 tokens\\)\\. "
        "Nothing was changed\\."
    ]
    assert state(app).settings == before
    assert app.slider(key="chunk_overlap").value == before.chunk_overlap  # the control springs back
    app.slider(key="top_k").set_value(3).run()  # and blocks nothing else
    assert (state(app).settings.top_k, state(app).settings.chunk_overlap) == (3, before.chunk_overlap)
    assert not app.error
    app.slider(key="chunk_size").set_value(256).run()
    app.slider(key="chunk_overlap").set_value(200).run()
    assert (state(app).settings.chunk_size, state(app).settings.chunk_overlap) == (256, 200)


def test_chunk_size_indexes_anew_and_top_k_never_does(visit: Visit, services: ScriptedServices) -> None:
    app = visit()
    visitor = state(app).visitor
    app.slider(key="top_k").set_value(12).run()
    app.segmented_control(key="mode").set_value("bm25").run()
    assert resources.jobs().owned_by(visitor, "index") == []
    app.slider(key="chunk_size").set_value(256).run()
    settle(app)
    assert len(resources.jobs().owned_by(visitor, "index")) == 1
    assert service_of(app, services).prepared == [(256, 24)]


def test_backends_can_be_switched_but_not_all_off(visit: Visit) -> None:
    app = visit()
    app.pills(key="backends").set_value(["hybrid", "base"]).run()
    assert state(app).backends == ("hybrid", "base")
    app.pills(key="backends").set_value([]).run()
    assert state(app).backends == ("hybrid", "base")
    assert app.pills(key="backends").value == ["hybrid", "base"]


def test_earlier_question_can_be_opened_again(visit: Visit) -> None:
    app = visit()
    first = state(app).round_id
    app.button(key="example-2").click()
    settle(app)
    app.session_state["behind"] = "This session"
    app.run()
    app.button(key=f"round-{first}").click().run()
    assert state(app).round_id == first


def test_two_visitors_see_only_their_own(visit: Visit) -> None:
    ada, bob = visit(), visit()
    type_and_ask(ada, "Who is Ada?")
    settle(ada)
    assert state(ada).visitor != state(bob).visitor
    assert "Who is Ada?" in asked(ada) and "Who is Ada?" not in asked(bob)


def test_exports_hold_every_answer_and_no_foreign_markup(visit: Visit) -> None:
    app = visit()
    type_and_ask(app, "<script>alert(1)</script> =SUM(A1)")
    settle(app)
    rounds = rounds_of(resources.jobs().owned_by(state(app).visitor, KIND))
    records = json.loads(export.as_json(rounds))
    assert len(records) == 6 and {r["backend"] for r in records} == {"rag", "fine_tuned", "hybrid"}
    assert {"citations", "sources", "latency_ms", "usage", "cost", "groundedness"} <= set(records[0])
    assert len(export.as_csv(rounds).splitlines()) == 7
    report = export.as_report(rounds)
    assert "<script>alert" not in report and "&lt;script&gt;alert" in report
    assert "http" not in report  # self-contained


def test_controls_carry_their_value_in_every_run_for_a_browser_that_missed_the_first(visit: Visit) -> None:
    app = visit()
    app.slider(key="top_k").set_value(12).run()
    app.toggle(key="multi_step").set_value(True).run()
    app.segmented_control(key="mode").set_value("bm25").run()
    app.pills(key="backends").set_value(["hybrid", "base"]).run()
    told = {control.key: control.proto for control in [*app.slider, *app.toggle, *app.button_group]}
    settings = state(app).settings
    for name in ("chunk_size", "chunk_overlap", "top_k", "temperature", "max_tokens"):
        assert list(told[name].default) == [getattr(settings, name)]
    assert (told["rerank"].default, told["multi_step"].default) == (True, True)
    assert list(told["mode"].default) == [2]
    assert list(told["backends"].default) == [2, 3]
    assert app.text_input(key="question").proto.default == asked(app)[0]


def test_a_scenario_starts_with_one_click_and_its_answers_are_checked(
    visit: Visit, services: ScriptedServices
) -> None:
    app = visit()
    assert not any("Scenarios:" in each.value for each in app.caption)  # these are not the sample's documents
    report = next(each for each in scenarios() if each.title == "Report in the brand voice")
    for service in services.by_visitor.values():
        service.library |= {name: document(name, "Some text.") for name in report.documents}
    app.run().pills(key="scenario").set_value(report.title)
    settle(app)
    asked = report.questions[0].question
    assert app.text_input(key="question").value == asked
    line = next(each.value for each in app.markdown if each.value.startswith("Checked, Report"))
    gold = report.questions[0].answers[0]
    assert f"**RAG** does not give “{gold}”, in house style" in line.replace("\\", "")
    second = report.questions[1]
    app.button(key=f"scenario-{second.id}").click()
    settle(app)
    assert app.text_input(key="question").value == second.question


def test_a_question_comes_with_those_asked_before_it(visit: Visit, services: ScriptedServices) -> None:
    app = settle(visit())
    settle(type_and_ask(app, "And for the Pro?"))
    first, second = reversed(asked(app))
    assert second == "And for the Pro?"
    assert service_of(app, services).asked_before == (first,)


def test_the_switches_of_the_search_reach_the_settings(visit: Visit) -> None:
    app = settle(visit())
    before = state(app).settings
    for name in ("multi_step", "related_words", "follow_ups"):
        assert app.toggle(key=name).value == getattr(before, name)
        app.toggle(key=name).set_value(not getattr(before, name)).run()
    app.toggle(key="cross_encoder").set_value(False).run()
    chosen = state(app).settings
    assert (chosen.multi_step, chosen.related_words, chosen.follow_ups) == (False, True, False)
    assert not chosen.cross_encoder
    app.toggle(key="rerank").set_value(False).run()
    assert app.toggle(key="cross_encoder").disabled


def test_stop_ends_the_indexing_before_an_answer(visit: Visit, services: ScriptedServices) -> None:
    """Indexing for a new chunk size may take minutes: Stop must not wait for its end."""
    app = visit()
    service = service_of(app, services)
    service.pause = 0.2
    asked_now = Asked("Why?", ("rag", "hybrid"), make_settings(chunk_size=64), datetime.now(UTC))
    job = resources.jobs().start(KIND, "ben", asking(service, asked_now))
    while not job.progress[2]:
        time.sleep(0.01)
    job.cancel()
    assert job.wait(20)
    assert (job.state, job.error) == ("cancelled", None)
    assert (64, 24) not in service.prepared
    made = round_of(job)
    assert made is not None and {column.state for column in made.columns.values()} == {"stopped"}


def test_labels_heed_the_other_answers_once_all_have_answered(
    visit: Visit, services: ScriptedServices
) -> None:
    app = visit()
    job = resources.jobs().owned_by(state(app).visitor, KIND)[0]
    assert job.wait(20)
    alone = round_of(job)
    assert alone is not None
    judged = {each.backend: each.checks for each in rounds_of([job])[0].answers}
    assert judged == {
        name: made.checks
        for (_, name), made in judged_together(
            {("m", backend_of(a.backend)): a for a in alone.answers}
        ).items()
    }
    assert any(judged[each.backend] != each.checks for each in alone.answers)
    assert judged["fine_tuned"].warning == CONTRADICTED


def test_a_settings_file_that_broke_meanwhile_is_one_sentence(visit: Visit, tmp_path: Path) -> None:
    visit()
    (tmp_path / "settings.toml").write_text("top_k = = 4")
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not app.exception
    assert "is not valid TOML" in app.error[0].value


def test_several_models_stand_side_by_side_and_one_of_them_is_a_setting(
    visit: Visit, services: ScriptedServices
) -> None:
    app = visit()
    service_of(app, services).served = ("company",)
    app.run()
    state(app).backends = ("rag", "hybrid")
    app.pills(key="models").set_value(["company", "embedded"])
    settle(app.run())
    assert "without RAG, model embedded" in " ".join(c.value for c in app.caption).replace("\\", "")
    settle(type_and_ask(app, "How long may I return it?"))
    newest = rounds_of(resources.jobs().owned_by(state(app).visitor, KIND))[0]
    arms = ["rag, model embedded", "hybrid, model embedded", "rag, model company", "hybrid, model company"]
    assert list(newest.columns) == arms == [answer.backend for answer in newest.answers]
    assert [a.settings["model"] for a in newest.answers] == ["embedded", "embedded", "company", "company"]
    assert "Hybrid, model company" in " ".join(m.value for m in app.markdown).replace("\\", "")
    assert app.header[0].value.startswith("All 4 agree")
    assert {row["backend"] for row in json.loads(export.as_json([newest]))} == {"rag", "hybrid"}
    assert "Hybrid, model company" in export.as_report([newest])
    app.button(key="vote-rag, model company").click()
    app.button(key="again-hybrid, model embedded").click()
    settle(app)
    (vote,) = service_of(app, services).votes().all()
    assert vote.choice == "rag, model company"
    for tab in ("Same question before", "Where the time went", "Tokens and cost", "This session", "Prompt"):
        app.session_state["behind"] = tab
        app.run()
        assert not app.exception, tab
    app.pills(key="models").set_value(["company"])
    settle(app.run())
    settle(type_and_ask(app, "How long may I return it?"))
    newest = rounds_of(resources.jobs().owned_by(state(app).visitor, KIND))[0]
    assert list(newest.columns) == ["rag", "hybrid"] and newest.asked.settings.model == "company"


def test_models_survive_a_reload_and_come_with_a_link(tmp_path: Path) -> None:
    choices.save(tmp_path, Choices(models=("company",)))
    assert choices.load(tmp_path).models == ("company",)
    (tmp_path / choices.FILE).write_text('{"settings": {}, "backends": [], "scope": "", "selected": [], '
                                         '"collections": {}}')  # as it was written before  # fmt: skip
    assert choices.load(tmp_path).models == ()
    now = session.Session("ada", models=("company", "embedded"))
    assert link.parameters("Why?", now, [])["model"] == ["company", "embedded"]
