"""Windows for the span reader: what answers stands where it is said to, and what does not is not there."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models"))

import reader_rows

TIDES = "The tide is high at noon. Boats leave at six. Nets are dried on the north wall."
OTHER = "Boats of the harbour are painted in spring. The wall is inspected each May by the master."
TABLE = "Harbour,Depth,Berths\nOslo,12 m,40\nBergen,14 m,35\nMoss,9 m,12\nHamar,4 m,8"
SHEET = "Ague is a fever. It is caught in marshes. Bark is given against it for a week."
ROWS = [
    {"source": source, "title": title, "context": context, "question": question, "answers": answers}
    for source, title, context, question, answers in (
        ("squad_v2_dev", "Tides", TIDES, "When is the tide high?", ["at noon", "noon"]),
        ("squad_v2_dev", "Tides", TIDES, "Who owns the boats?", []),
        ("squad_v1_dev", "Tides", OTHER, "When is the wall always inspected?", ["each May"]),
        ("squad_train_sample", "", TIDES, "Where are most nets dried?", ["the north wall"]),
        ("wikitablequestions", "Harbours", TABLE, "How deep is Bergen?", ["14 m"]),
        ("fairytaleqa", "The net", TIDES, "When do boats leave?", ["At six."]),
        ("qamr", "", "Boats leave at six.", "What leaves?", ["Boats"]),
        ("medquad", "Ague", SHEET, "How is ague treated?", ["Bark is given against it for a week."]),
    )
]


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> reader_rows.Windows:
    monkeypatch.setattr(reader_rows, "kept_aside", lambda row: False)
    return reader_rows.Windows(ROWS, random.Random(2))


@pytest.mark.parametrize("kind", reader_rows.SHARES)
def test_an_answer_is_a_piece_of_its_passage(windows: reader_rows.Windows, kind: str) -> None:
    drawn = [window for _ in range(100) for window in getattr(windows, kind)()]
    answered = [window for window in drawn if window.answered]
    assert len(answered) > 20
    for window in answered:
        said = window.passage[window.start : window.end]
        assert said == said.strip() and len(said.split()) <= reader_rows.LONGEST_SPAN + 10
    known = {row["question"]: row["answers"] for row in ROWS}
    for window in (each for each in answered if each.question in known):
        assert window.passage[window.start : window.end].lower().strip(".") in {
            answer.lower().strip(".") for answer in known[window.question]
        }


def test_what_does_not_answer_does_not_hold_the_answer(windows: reader_rows.Windows) -> None:
    for _ in range(200):
        for window in windows.paragraph():
            if not window.answered and window.question == "When is the tide high?":
                assert "noon" not in window.passage
    for _ in range(100):
        made = windows.table()
        if len(made) == 2:  # the asked row or its column is gone
            shown, absent = made
            assert shown.answered and not absent.answered and shown.passage not in absent.passage


def test_about_half_of_the_windows_answer(windows: reader_rows.Windows) -> None:
    drawn = windows.draw()
    assert 0.45 < sum(next(drawn).answered for _ in range(1500)) / 1500 < 0.75


def test_articles_are_kept_aside_whole() -> None:
    aside = [reader_rows.kept_aside({"title": f"Title {n}", "context": "x"}) for n in range(600)]
    assert 60 < sum(aside) < 140
    assert reader_rows.kept_aside(ROWS[0]) == reader_rows.kept_aside(ROWS[1])
