"""The guided tour: it starts, goes on page by page, fills in, is left, and is found again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from backends.evaluation.questions import load_questions
from pages.ui.tour_steps import STEPS, Tour
from tests.pages.conftest import settle

ROOT = Path(__file__).resolve().parents[2]
Visit = Callable[[], AppTest]


def bar(app: AppTest) -> str:
    """The bold title of the step that is shown; empty without a bar."""
    return next((e.value.split("**")[1] for e in app.markdown if e.value.startswith("**Step ")), "")


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception, app.exception[0].value
    return app


def has(app: AppTest, key: str) -> bool:
    return any(button.key == key for button in app.button)


def test_seven_steps_lead_over_the_pages_and_fill_in(visit: Visit) -> None:
    app = press(visit(), "tour-start")
    for number, step in enumerate(STEPS, start=1):
        assert bar(app) == f"Step {number} of 7: {step.title}."
        assert not has(app, "tour-go")  # the page of the step is open
        if "question" in step.fills:
            assert app.text_input(key="question").value == step.fills["question"]
        if "stress-number" in step.fills:
            assert app.slider(key="stress-number").value == 3
        press(app, "tour-next" if number < len(STEPS) else "tour-finish")
    assert bar(app) == "" and app.button(key="tour-open").label == "Guided tour"


def test_what_a_visitor_types_is_not_filled_over(visit: Visit) -> None:
    app = press(visit(), "tour-start")
    app.text_input(key="question").set_value("How deep can a Lark One dive?")
    next(button for button in app.button if button.label == "Ask").click()
    settle(app)
    assert app.text_input(key="question").value == "How deep can a Lark One dive?"


def test_a_tour_that_was_left_goes_on_where_it_was(visit: Visit) -> None:
    app = press(visit(), "tour-start")
    for _ in range(3):
        press(app, "tour-next")
    press(app, "tour-back")
    assert bar(app).startswith("Step 3 of 7")
    press(app, "tour-leave")
    assert bar(app) == "" and not has(app, "tour-start")
    assert app.button(key="tour-open").label == "Go on with the tour (step 3 of 7)"
    press(app, "tour-open")
    assert bar(app).startswith("Step 3 of 7")


def test_a_visitor_who_strays_is_led_back(visit: Visit) -> None:
    app = press(visit(), "tour-start")
    app.switch_page("pages/costs/costs_page.py").run()
    assert bar(app).startswith("Step 1 of 7")
    press(app, "tour-go")
    assert any(field.key == "question" for field in app.text_input)


def test_who_does_not_want_it_is_not_asked_again(visit: Visit) -> None:
    app = press(visit(), "tour-decline")
    assert not has(app, "tour-start") and app.button(key="tour-open").label == "Guided tour"


def test_the_questions_are_of_the_sample() -> None:
    rows = [q for path in (ROOT / "sample_corpus/questions").glob("*.jsonl") for q in load_questions(path)]
    known = {row.question for row in rows}
    asked = [step.fills["question"] for step in STEPS if "question" in step.fills]
    assert set(asked) <= known and len(asked) == 2


def test_every_step_is_on_a_page_of_the_app() -> None:
    source = (ROOT / "app.py").read_text(encoding="utf-8")
    assert all(f'title="{step.page}"' in source for step in STEPS)
    assert Tour().step is None
