"""Numbers that are typed: as people write them, with a sentence where they are none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from backends.datatypes import UserError
from backends.system.wording import figure
from pages.ui.number_box import read_number

Visit = Callable[[], AppTest]
COSTS, ADVISE = "pages/costs/costs_page.py", "pages/advise/advise_page.py"


def test_a_number_is_written_in_full_and_read_back() -> None:
    written = {
        0: "0",
        43.5: "43.5",
        0.05: "0.05",
        3e-5: "0.00003",
        30_000: "30,000",
        1e8: "100,000,000",
    }
    assert {value: figure(value) for value in written} == written
    assert [read_number(text, 0, 1e9) for text in written.values()] == list(written)
    assert figure(-0.0) == "0"


@pytest.mark.parametrize(
    "text", ["1234567", "1,234,567", "1 234 567", "1’234’567", "1\u202f234\u202f567", " 1_234_567 "]
)
def test_thousands_may_be_parted_in_any_usual_way(text: str) -> None:
    assert read_number(text, 1, 1e7) == 1_234_567


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Nothing was typed."),
        ("ten thousand", "“ten thousand” is no number that can be read: write it as 30,000 or 1.5."),
        ("1,5", "“1,5” is no number that can be read"),
        ("1e5", "“1e5” is no number that can be read"),
        ("nan", "“nan” is no number that can be read"),
        ("9" * 400, f"“{'9' * 29}…” is not between 1 and 10,000."),
        ("-3", "“-3” is not between 1 and 10,000."),
        ("10,001", "“10,001” is not between 1 and 10,000."),
        ("2.5", "“2.5” is no whole number."),
    ],
)
def test_what_is_no_such_number_is_said(text: str, said: str) -> None:
    with pytest.raises(UserError) as raised:
        read_number(text, 1, 10_000, whole=True)
    assert said in str(raised.value)


def test_bad_text_keeps_the_last_good_value_and_says_so_until_a_good_one_comes(visit: Visit) -> None:
    app = visit().switch_page(COSTS).run()
    assert app.text_input(key="volume").value == "10,000"
    app.text_input(key="volume").set_value("25000").run()
    assert app.text_input(key="volume").value == "25,000" and not app.error
    app.text_input(key="volume").set_value("25.000,5").run()
    assert app.text_input(key="volume").value == "25,000"
    (problem,) = [each.value.replace("\\", "") for each in app.error]
    assert problem.startswith("“25.000,5” is no number") and problem.endswith(" 25,000 stays.")
    assert app.header[0].value.replace("\\", "").startswith("At 25,000 questions a month ")
    app.text_input(key="months").set_value("36").run()
    assert len(app.error) == 1
    app.switch_page("pages/about/about_page.py").run()
    app.switch_page(ADVISE).run()
    assert app.text_input(key="volume").value == "25,000" and not app.error
    app.text_input(key="volume").set_value("50").run()
    assert app.error[0].value.replace("\\", "") == "“50” is not between 100 and 100,000,000. 25,000 stays."
    app.text_input(key="volume").set_value("100,000,000").run()
    assert app.text_input(key="volume").value == "100,000,000" and not app.error
