"""The costs page as a visitor uses it: measure, read, change a price, take it away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from streamlit.testing.v1 import AppTest

from backends.training.adapters import AdapterCard, write_card
from pages.ui import resources
from pages.ui.measured import who_answered
from pages.ui.own_prices import keep_changes, own_book
from tests.pages.conftest import settle
from tests.pages.drawn_tables import table_with
from tests.pages.scripted import ScriptedServices

PAGE = "pages/costs/costs_page.py"
Visit = Callable[[], AppTest]


def costs(visit: Visit) -> AppTest:
    return visit().switch_page(PAGE).run()


def words(app: AppTest) -> str:
    found = [*app.header, *app.markdown, *app.caption]
    return "\n".join(element.value.replace("\\", "") for element in found)


def parts(app: AppTest) -> pd.DataFrame:
    return table_with(app, "Part of a month").set_index("Part of a month")


def test_the_example_of_the_home_page_is_already_counted(visit: Visit) -> None:
    app = costs(visit)
    assert "1 question answered by RAG, Fine-tuned and Hybrid" in words(app)
    assert "Fine-tuned is cheaper than RAG above" in words(app)


def test_measuring_stores_an_evaluation_that_counts_everywhere(visit: Visit) -> None:
    app = costs(visit)
    app.button(key="measure").click()
    settle(app)
    assert "From the evaluation “For costs and advice”, measured by somebody on this server" in words(app)
    assert "At 100,000 questions a month" in words(app)
    cell = parts(app).loc["1,000 answers", "RAG"]
    app.switch_page("pages/advise/advise_page.py").run()
    table = table_with(app, "Run")
    each = table[(table["What"] == "cost of an answer") & (table["Of"] == "RAG")]["Value"].item()
    assert each == f"{cell!s} for 1,000"


def test_the_page_opens_with_who_costs_least(visit: Visit) -> None:
    app = costs(visit)
    assert len(app.header) == 1
    assert words(app).startswith("At 10,000 questions a month RAG costs least, $")
    assert "95 % interval" not in words(app)  # one question has none
    assert words(app).count("Fine-tuned is cheaper than RAG") == 1
    app.text_input(key="volume").set_value("250,000").run()
    assert words(app).startswith("At 250,000 questions a month ")


def test_a_rented_machine_is_paid_whatever_is_asked(visit: Visit) -> None:
    app = costs(visit)
    app.radio(key="serving").set_value("rented").run()
    table = parts(app)
    assert table.loc["Rented machines, idle hours included", "RAG"] == "$146.00"
    assert "Rented day and night: RAG 1 machine" in words(app)


def crossing(app: AppTest) -> str:
    return next(line for line in words(app).splitlines() if "is cheaper than RAG" in line)


def test_what_is_typed_moves_the_crossover(visit: Visit) -> None:
    app = costs(visit)
    before = crossing(app)
    app.text_input(key="changes").set_value("400").run()
    assert crossing(app) != before
    app.radio(key="serving").set_value("self_hosted").run()
    assert app.slider(key="busy").value == 50 and "is cheaper than RAG" in crossing(app)


def test_inputs_survive_a_visit_to_another_page(visit: Visit) -> None:
    app = costs(visit)
    app.text_input(key="months").set_value("24").run()
    app.text_input(key="training").set_value("90").run()
    app.selectbox(key="hosted").set_value("hosted_large").run()
    before = crossing(app)
    app.switch_page("pages/stress/stress_page.py").run()
    app.switch_page(PAGE).run()
    assert not app.exception
    assert [app.text_input(key=key).value for key in ("months", "training")] == ["24", "90"]
    assert app.selectbox(key="hosted").value == "hosted_large"
    assert crossing(app) == before
    app.radio(key="serving").set_value("self_hosted").run()
    app.slider(key="busy").set_value(80).run()
    app.switch_page("pages/stress/stress_page.py").run()
    app.switch_page(PAGE).run()
    assert (app.radio(key="serving").value, app.slider(key="busy").value) == ("self_hosted", 80)


def test_changed_prices_survive_and_count_for_the_advice(visit: Visit, tmp_path: Path) -> None:
    app = costs(visit)
    now, service = app.session_state["triptych"], resources.service(app.session_state["triptych"].visitor)
    dear = own_book(now, service).with_value("embedding", 12.5)
    keep_changes(now, service, dear)
    app.switch_page("pages/stress/stress_page.py").run()
    app.switch_page(PAGE).run()
    assert own_book(now, service)["embedding"] == 12.5
    assert set(now.prices["hosted_small"]) == {"embedding"}  # the rest goes on following the file


def test_the_workspaces_own_price_book_is_the_one_on_the_page(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(
        'currency = "CHF"\n[mine]\nlabel = "Our rack"\n'
        "prompt_per_million_tokens = 2\ncompletion_per_million_tokens = 3\n"
    )
    app = costs(visit)
    assert app.selectbox(key="hosted").options == ["Our rack"]
    assert "CHF" in words(app)


def test_the_visitors_own_adapter_says_how_long_training_takes(
    visit: Visit, services: ScriptedServices
) -> None:
    app = costs(visit)
    service = services.by_visitor[app.session_state["triptych"].visitor]
    folder = service.adapters().folder / "mine"
    folder.mkdir(parents=True)
    report = {"seconds": 450.0, "tokens": 1000}
    write_card(folder, AdapterCard("mine", "fine_tuned", "tiny", "f0", rows=321, report=report))
    service.adapters().activate("mine")
    app = app.switch_page("pages/stress/stress_page.py").run().switch_page(PAGE).run()
    assert app.text_input(key="training").value == "7.5"
    app.switch_page("pages/advise/advise_page.py").run()
    assert app.text_input(key="ask-rows").value == "321"
    assert "the training rows of the adapter mine" in words(app)


def test_how_many_questions_each_has_answered_is_said_in_one_figure_where_it_is_the_same() -> None:
    assert who_answered({"rag": 60, "hybrid": 60}) == "60 questions answered by RAG and Hybrid"
    assert who_answered({"rag": 1}) == "1 question answered by RAG"
    assert who_answered({"rag": 6, "base": 1200}) == "questions answered by RAG 6 and Base 1,200"
