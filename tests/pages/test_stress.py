"""The stress page as a visitor uses it: run a test, read the sentence, look at every answer."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from backends.settings import default_workspace
from pages.ui import resources
from tests.pages.conftest import settle
from tests.pages.drawn_tables import table_with

PAGE = "pages/stress/stress_page.py"
Visit = Callable[[], AppTest]


def words(app: AppTest) -> str:
    return "\n".join(
        e.value.replace("\\", "") for e in [*app.header, *app.markdown, *app.caption, *app.error]
    )


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        ("freshness", "the new fact was given by RAG in 3 of 3, Fine-tuned in 0 of 3"),
        ("erasure", "After forgetting lamp.md the index finds nothing of it"),
        ("format", "with constrained decoding RAG 0 of 3"),
        ("noise", "believed a wrong document in 3 of 3"),
        ("injection", "An order hidden in a document was obeyed by RAG in 12 of 12"),
        ("latency", "among 1,000 and 120 ms among 10,000 passages; among the most it is within"),
    ],
)
def test_a_run_ends_in_a_sentence(visit: Visit, test: str, sentence: str) -> None:
    app = visit().switch_page(PAGE).run()
    assert sentence not in words(app)
    app.button(key=f"run-{test}").click()
    settle(app)
    assert sentence in words(app)
    assert len(app.dataframe) == 1  # every answer
    measured = table_with(app, "Measured").set_index("Measured")
    if test == "freshness":
        assert measured.index[0] == "New fact"
        assert str(measured.loc["Cost of a change", "RAG"]).startswith("$0.0000")
    if test != "latency":
        assert " of Fine-tuned" in app.header[0].value or " of RAG" in app.header[0].value
    if test == "format":
        table = table_with(app, "Asked with")
        assert set(table["Asked with"]) >= {"prompt only", "tuned, prompt only", "constrained decoding"}
        assert table["Valid by the schema"].str.startswith("0% (0% to ").all()
    if test == "latency":
        assert str(measured.loc["Search alone", "RAG"]).endswith("100 ms among 10,000")


def test_a_finished_test_is_there_after_the_server_was_started_again(visit: Visit) -> None:
    app = visit().switch_page(PAGE).run()
    app.button(key="run-freshness").click()
    settle(app)
    resources.jobs.clear()
    app = visit().switch_page(PAGE).run()
    assert "the new fact was given by RAG in 3 of 3, Fine-tuned in 0 of 3" in words(app)
    assert "Measured by you or another visitor of this server on " in words(app)


def test_a_test_that_waits_for_another_visitor_is_seen_to_wait(visit: Visit) -> None:
    app, release = visit().switch_page(PAGE).run(), threading.Event()
    resources.jobs().start("stress", "somebody else", lambda context: release.wait(20))
    assert not app.get("progress")
    app.button(key="run-noise").click().run()
    assert [line.proto.text for line in app.get("progress")] == ["Waiting"]
    assert all(b.disabled for b in app.button if str(b.key).startswith("run-"))
    release.set()
    settle(app)
    assert not app.get("progress")
    assert not any(b.disabled for b in app.button if str(b.key).startswith("run-"))
    assert "believed a wrong document in 3 of 3" in words(app)


def test_the_advice_rests_on_the_stored_run(visit: Visit) -> None:
    app = visit().switch_page(PAGE).run()
    app.button(key="run-freshness").click()
    settle(app)
    run = next((default_workspace() / "stress").glob("freshness-*.json")).stem
    app.switch_page("pages/advise/advise_page.py").run()
    table = table_with(app, "Run")
    assert set(table["Run"]) == {run}
    assert dict(zip(table["Of"], table["Value"], strict=True)) == {
        "RAG": "100 %", "Hybrid": "100 %", "Fine-tuning": "0 %",
    }  # fmt: skip
    assert "new facts given after an edit" not in app.info[0].value


def test_training_again_is_offered_with_its_time_and_measured_on_both_sides(visit: Visit) -> None:
    app = visit().switch_page(PAGE).run()
    choice = app.selectbox(key="stress-retrain")
    assert choice.value == "Not at all" and "about" in choice.options[1] and "about" in choice.options[2]
    choice.set_value("As long as before").run()
    for test in ("erasure", "freshness"):
        app.button(key=f"run-{test}").click()
        settle(app)
    assert "Trained again without it for 60 s, Fine-tuned tells them in 0 of 4" in words(app)
    assert "Trained again for 60 s, Fine-tuned gave it in 3 of 3" in words(app)
    assert "Hybrid was not trained again: There is no room." in words(app)
