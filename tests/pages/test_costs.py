"""The costs page as a visitor uses it: measure, read, change a price, take it away."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from tests.pages.conftest import settle

PAGE = "pages/costs/costs_page.py"
Visit = Callable[[], AppTest]


def costs(visit: Visit) -> AppTest:
    return visit().switch_page(PAGE).run()


def words(app: AppTest) -> str:
    return "\n".join(element.value.replace("\\", "") for element in [*app.markdown, *app.caption])


def test_the_example_of_the_home_page_is_already_counted(visit: Visit) -> None:
    app = costs(visit)
    assert "RAG 1, Fine-tuned 1 and Hybrid 1" in words(app)
    assert "Fine-tuned is cheaper than RAG above" in words(app)


def test_measuring_asks_every_backend_the_same_questions(visit: Visit) -> None:
    app = costs(visit)
    app.button(key="measure").click()
    settle(app)
    assert "RAG 1, Fine-tuned 1" not in words(app)
    assert "At 100,000 questions a month" in words(app)


def crossing(app: AppTest) -> str:
    return next(line for line in words(app).splitlines() if "is cheaper than RAG" in line)


def test_what_is_typed_moves_the_crossover(visit: Visit) -> None:
    app = costs(visit)
    before = crossing(app)
    app.number_input(key="changes").set_value(400.0).run()
    assert crossing(app) != before
    app.segmented_control(key="serving").set_value("self_hosted").run()
    assert app.slider(key="busy").value == 50 and "is cheaper than RAG" in crossing(app)
