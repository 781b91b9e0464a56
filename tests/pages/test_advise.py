"""The advice page as a visitor uses it: RAG first, answers that change it, a report to take away."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

PAGE = "pages/advise/advise_page.py"
Visit = Callable[[], AppTest]


def words(app: AppTest) -> str:
    found = [*app.header, *app.subheader, *app.markdown, *app.caption, *app.info]
    return "\n".join(e.value.replace("\\", "") for e in found)


def test_the_advice_follows_the_answers(visit: Visit) -> None:
    app = visit().switch_page(PAGE).run()
    assert not app.exception
    assert words(app).startswith("Use RAG: ") and "RAG comes first" in words(app)
    assert "Not known yet: answers right" in words(app)
    assert app.button(key="measure").label == "Measure with 30 questions"
    for key, value in {"missing": 2, "attribution": 0, "strictness": 2, "expertise": 2}.items():
        app.segmented_control(key=f"ask-{key}").set_value(value)
    app.text_input(key="ask-rows").set_value("5,000")
    app.text_input(key="ask-weeks").set_value("30")
    app.text_input(key="changes").set_value("0")
    app.run()
    assert words(app).startswith(("Use Hybrid: ", "Use Fine-tuning: "))
    app.text_input(key="ask-rows").set_value("50").run()
    assert words(app).startswith("Use RAG: 50 labelled examples are fewer than 200")
    assert "50 labelled examples are fewer than 200" in words(app)


def test_what_is_assumed_on_the_costs_page_is_what_the_advice_reckons_with(visit: Visit) -> None:
    app = visit().switch_page("pages/costs/costs_page.py").run()
    app.text_input(key="changes").set_value("33")
    app.text_input(key="volume").set_value("77,000").run()
    app.switch_page(PAGE).run()
    assert [app.text_input(key=key).value for key in ("changes", "volume")] == ["33", "77,000"]
    app.text_input(key="volume").set_value("88,000").run()
    app.switch_page("pages/stress/stress_page.py").run()
    labels = [expander.label.replace("\\", "") for expander in app.expander]
    assert any(label.startswith("Assumptions: 88,000 questions and 33 changes a month") for label in labels)
