"""The fine-tuning page: rows are made, brought and kept; a run is trained, judged, found stale."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from backends.offline.trainer import Trainer
from backends.training import row_building
from backends.training.adapters import Adapters
from pages.tune import tuning_charts
from pages.ui import resources, training_jobs
from tests.fakes import AgreeableReader
from tests.pages.conftest import APP, settle
from tests.pages.tuning_services import TuningServices

PAGE = "pages/tune/fine_tune_page.py"
Visit = Callable[[], AppTest]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tuning")


@pytest.fixture
def open_page(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visit]:
    monkeypatch.setenv("TRIPTYCH_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(row_building, "shipped", AgreeableReader)
    services = TuningServices(home)
    st.cache_resource.clear()
    resources.use(lambda report: services)

    def come() -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=120)
        app.run()
        assert resources.opening().wait(60)
        app.run()
        return settle(app.switch_page(str(APP.parent / PAGE)))

    yield come
    resources.use(resources.open_product)
    st.cache_resource.clear()


@pytest.fixture
def trainer(home: Path) -> Trainer:
    return TuningServices(home).service("anyone").trainer()


def settle_training(app: AppTest) -> AppTest:
    """Training takes a process of its own, which needs seconds to start and gives way to everything else."""
    job, _ = resources.newest_job(visitor(app), training_jobs.TRAIN)
    assert job is not None
    assert job.wait(240)
    return settle(app)


def visitor(app: AppTest) -> str:
    return str(app.session_state["triptych"].visitor)


def shelf(app: AppTest) -> pd.DataFrame:
    """The table of adapters; the one above it holds the rows."""
    frames = [frame.value for frame in app.dataframe]
    (found,) = [frame for frame in frames if {"Name", "State"} <= set(frame.columns)]
    return found


def said(app: AppTest) -> str:
    kinds = (app.caption, app.info, app.success, app.warning, app.error, app.markdown)
    return "\n".join(element.value for kind in kinds for element in kind)


def test_rows_are_made_trained_judged_and_undone(open_page: Visit, trainer: Trainer, home: Path) -> None:
    app = open_page()
    assert "No rows yet" in said(app)
    assert app.button(key="tune-embedder").disabled
    app.multiselect(key="tune-documents").set_value(["prices.csv", "returns.md", "service.txt"])
    app.button(key="tune-build").click()
    settle(app)
    draft = trainer.load_draft(visitor(app))
    assert len(draft.rows) > 20
    assert {each.way for each in draft.rows} == {"table", "model"}
    assert 0 < len(draft.held_out) < len(draft.rows)
    assert "under 200, tuning tends to hurt" in said(app)

    app.pills(key="tune-kinds").set_value(["fine_tuned"])
    app.text_input(key="tune-name").set_value("mine")
    app.run()
    app.number_input(key="tune-epochs-fine_tuned").set_value(2).run()
    app.button(key="tune-train").click().run()
    settle_training(app)
    assert "**mine** is trained and does not answer" in said(app)  # so few rows show no gain
    assert list(shelf(app)["Answers"]) == [""]
    assert app.header[0].value.replace("\\", "").startswith("mine is trained and does not answer: you decide")
    app.button(key="tune-activate").click().run()
    assert "**mine** is trained and answers now" in said(app)
    adapter = trainer.adapters.get("mine")
    assert adapter.card.report["epochs_done"] == 2
    assert {seen.name for seen in adapter.card.documents} == set(trainer.texts())
    table = shelf(app)
    assert list(table["Name"]) == ["mine"]
    assert list(table["Answers"]) == ["yes"]
    assert list(table["State"]) == ["fresh"]
    assert "of" in table["Right after"][0]
    drawn = tuning_charts.gains([adapter], "light")
    assert drawn is not None
    # Grouped along the other axis, a marker would stand beside its share.
    assert [trace.orientation for trace in drawn.figure.data] == ["h", "h"]
    shares = [adapter.card.report[f"score_{when}"]["contains"] for when in ("before", "after")]
    assert [trace.x[0] for trace in drawn.figure.data] == shares

    changed = home / "documents" / "returns.md"
    changed.write_text(changed.read_text().replace("30 days", "14 days"))
    stale = Trainer(TuningServices(home).service("anyone").triptych())  # type: ignore[attr-defined]
    list(stale.triptych.library.ingest([changed], settings=stale.triptych.settings))
    settle(app)
    assert list(shelf(app)["State"]) == ["stale"]
    found = stale.stale(adapter)
    assert [(each.document, each.learned, each.now) for each in found] == [("returns.md", 1, 2)]
    assert ["30 days" in row.answer for row in found[0].at_risk] == [True]
    renewed = stale.renewed(adapter)
    assert not any("30 days" in each.answer for each in renewed.rows)
    assert any("14 days" in each.answer for each in renewed.rows)


def test_a_file_of_rows_comes_in_and_a_bad_one_says_why(open_page: Visit, trainer: Trainer) -> None:
    app = open_page()
    before = len(trainer.load_draft(visitor(app)).rows)
    app.file_uploader[0].set_value([("wrong.csv", b"Frage,Antwort\na,b\n", "text/csv")])
    settle(app)
    assert "needs the columns question and answer" in said(app)
    rows = [{"question": f"What is room {n}?", "answer": f"Room {n} is a kitchen."} for n in range(30)]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    app.file_uploader[0].set_value([("rows.jsonl", content, "application/json")])
    settle(app)
    draft = trainer.load_draft(visitor(app))
    assert len(draft.rows) == before + 30
    assert draft.rows[-1].way == "yours"
    app.switch_page(str(APP.parent / "pages/ask/compare_page.py")).run()
    settle(app.switch_page(str(APP.parent / PAGE)))  # who comes back finds the rows as they were left
    assert trainer.load_draft(visitor(app)) == draft
    assert "to learn" in said(app)


def test_a_taken_name_is_refused_before_anything_is_planned(open_page: Visit, trainer: Trainer) -> None:
    app = open_page()
    runs = len(trainer.runs.all())
    content = "question,answer\n" + "".join(f"What is room {n}?,Room {n} is a kitchen.\n" for n in range(30))
    app.file_uploader[0].set_value([("rows.csv", content.encode(), "text/csv")])
    settle(app)
    assert "Passages are found with the embedding model as it was published" in said(app)
    assert not app.button(key="tune-embedder").disabled
    app.text_input(key="tune-name").set_value("not a name!")
    app.pills(key="tune-kinds").set_value(["fine_tuned"])
    app.run()
    app.button(key="tune-train").click().run()
    assert "cannot name an adapter" in said(app)
    assert len(trainer.runs.all()) == runs


def test_the_workshop_belongs_to_its_folder(trainer: Trainer, home: Path) -> None:
    assert isinstance(trainer.adapters, Adapters)
    assert trainer.runs.folder == home / "workspace" / "training"
