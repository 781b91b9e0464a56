"""Trying another cut on the documents page: seen before it is taken, and nothing changes until then."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.charts import passage_sizes
from tests.pages.conftest import APP, settle

PAGE = "pages/library/documents_page.py"
Visit = Callable[[], AppTest]


def test_another_cut_is_tried_refused_when_it_does_not_fit_and_taken(visit: Visit) -> None:
    app = settle(visit().switch_page(str(APP.parent / PAGE)))
    app.toggle(key="try-cut").set_value(True).run()
    app.slider(key="try-chunk_size").set_value(64).run()
    app.selectbox(key="try-chunking").set_value("sections").run()
    assert not app.exception
    assert any("passages instead of" in m.value for m in app.markdown)
    assert any("of the cut that is being tried" in c.value for c in app.caption)
    assert app.session_state["triptych"].settings.chunk_size == 128  # nothing is taken yet
    app.slider(key="try-chunk_overlap").set_value(200).run()
    assert any("must be smaller" in error.value for error in app.error)
    app.slider(key="try-chunk_overlap").set_value(16).run()
    app.button(key="take-cut").click()
    app = settle(app)
    settings = app.session_state["triptych"].settings
    assert (settings.chunk_size, settings.chunk_overlap, settings.chunking) == (64, 16, "sections")
    assert any("nothing newly embedded" in c.value for c in app.sidebar.caption)


@pytest.mark.parametrize("tried", [None, [8, 8, 120], []], ids=["none", "another", "empty"])
def test_the_histogram_counts_every_passage_once(tried: list[int] | None) -> None:
    chart = passage_sizes([3, 100, 128, 128], tried, "light")
    for name, sizes in (("Now", [3, 100, 128, 128]), ("Tried", tried)):
        rows = chart.data[chart.data["cut"] == name]
        assert rows["passages"].sum() == len(sizes or [])
    assert chart.title.startswith("Now: 4 passages, half of them longer than 114 tokens")
    assert len(chart.figure.data) == (1 if tried is None else 2)
