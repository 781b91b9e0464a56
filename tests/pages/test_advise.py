"""The advice page as a visitor uses it: RAG first, answers that change it, a report to take away."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

PAGE = "pages/advise/advise_page.py"
Visit = Callable[[], AppTest]


def words(app: AppTest) -> str:
    return "\n".join(e.value.replace("\\", "") for e in [*app.markdown, *app.caption, *app.info])


def test_the_advice_follows_the_answers(visit: Visit) -> None:
    app = visit().switch_page(PAGE).run()
    assert not app.exception
    assert "### :blue[● RAG]" in words(app) and "RAG comes first" in words(app)
    assert "Not known yet: answers right" in words(app)
    assert app.button(key="measure-all").label == "Measure with 30 questions"
    for key, value in {"missing": 2, "attribution": 0, "strictness": 2, "expertise": 2}.items():
        app.segmented_control(key=f"ask-{key}").set_value(value)
    app.number_input(key="ask-rows").set_value(5_000.0)
    app.number_input(key="ask-weeks").set_value(30.0)
    app.number_input(key="ask-changes").set_value(0.0)
    app.run()
    assert "### :green[■ Hybrid]" in words(app) or "### :orange[▲ Fine-tuning]" in words(app)
    app.number_input(key="ask-rows").set_value(50.0).run()
    assert "### :blue[● RAG]" in words(app)
    assert "50 labelled examples are fewer than 200" in words(app)
