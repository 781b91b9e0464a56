"""The benchmark of the readers: what it counts, and that the formats it vouches for lose nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.readers.__main__ import TRUTH, measure, own, table, write
from benchmarks.readers.made import documents
from benchmarks.readers.score import Truth, score

TRUE = Truth(
    ["The fee is 4.10 EUR.", "It rose by 3 %."],
    [[("Town", "Alta"), ("Price", "1,204.50")], [("Town", "Boden"), ("Price", "980.00")]],
)
READ = "The fee is 4.10 EUR.\nIt rose by 3 %.\nTown: Alta; Price: 1,204.50\nTown: Boden; Price: 980.00"


def test_what_is_read_in_full_is_right() -> None:
    made = score(TRUE, READ)
    assert (made.words_found, made.numbers_found, made.rows_right) == (made.words, made.numbers, made.rows)
    assert (made.words_extra, made.glued, made.numbers_altered, made.labels_false, made.reordered) == (0,) * 5


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        (("980.00", "98.00"), "numbers_altered", 1),
        (("980.00", "98.00"), "rows_right", 1),
        (("Town: Boden; Price: 980.00", "Alta: Boden; 1,204.50: 980.00"), "labels_false", 1),
        (("Town: Boden; Price: 980.00", "Boden; 980.00"), "rows_found", 2),
        (("Town: Boden; Price: 980.00", "Boden; 980.00"), "rows_right", 1),
        (("fee is", "feeis"), "glued", 1),
        (("It rose by 3 %.", ""), "words_found", 11),
        (("4.10 EUR.\nIt rose by 3 %.", "4.10 EUR."), "numbers_found", 3),
    ],
)
def test_every_fault_is_counted(change: tuple[str, str], field: str, value: int) -> None:
    assert getattr(score(TRUE, READ.replace(*change)), field) == value


def test_lines_in_another_order_are_counted() -> None:
    one, two = TRUE.lines
    assert score(TRUE, f"{two}\n{one}").reordered == 1


def test_sheets_and_delimited_text_lose_nothing(tmp_path: Path) -> None:
    write(tmp_path, seed=7, formats={".xlsx", ".xls", ".ods", ".csv"})
    records = list(measure(tmp_path, own, set()))
    assert len(records) == 4 * len(documents(7)) - 1  # prose has no table to delimit
    for record in records:
        assert record["error"] is None
        for part, whole in (("words_found", "words"), ("numbers_found", "numbers"), ("rows_right", "rows")):
            assert record[part] == record[whole], record
        assert record["labels_false"] == record["numbers_altered"] == 0
    assert [line.split(" | ")[0] for line in table(records)[2:]] == ["| csv", "| ods", "| xls", "| xlsx"]


def test_a_folder_of_ones_own_is_measured_by_its_references(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The fee is 4.10 EUR.")
    truth = {"lines": ["The fee is 4.10 EUR. Paid by noon."], "rows": []}
    (tmp_path / f"a.txt{TRUTH}").write_text(json.dumps(truth))
    (tmp_path / "b.pdf").write_bytes(b"no pdf")
    (tmp_path / f"b.pdf{TRUTH}").write_text(json.dumps(truth))
    one, two = measure(tmp_path, own, set())
    assert (one["words_found"], one["words"]) == (5, 8)
    assert two["error"] and two["words_found"] == 0
