"""CSV as spreadsheets write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.datatypes import UserError
from backends.system.csv_file import read_csv, without_formula


def read(path: Path, raw: bytes) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    path.write_bytes(raw)
    columns, rows = read_csv(path)
    return columns, [(line, dict(row)) for line, row in rows]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_every_way_a_spreadsheet_saves_csv(tmp_path: Path, mark: str, encoding: str, ends: str) -> None:
    text = ends.join(
        [f"Question{mark} Answer ", f'"Wie viel{mark} Grüße?"{mark}45 €', "", f"Ça va?{mark}ja", ""]
    )
    columns, rows = read(tmp_path / "rows.csv", text.encode(encoding))
    assert columns == ["question", "answer"]
    assert rows == [
        (2, {"question": f"Wie viel{mark} Grüße?", "answer": "45 €"}),
        (4, {"question": "Ça va?", "answer": "ja"}),
    ]


def test_excels_own_first_line_names_the_separator(tmp_path: Path) -> None:
    columns, rows = read(tmp_path / "a.csv", b"sep=;\r\nquestion;answer\r\nWhere, then?;Oslo\r\n")
    assert (columns, rows) == (["question", "answer"], [(3, {"question": "Where, then?", "answer": "Oslo"})])


def test_separators_inside_quoted_names_do_not_count(tmp_path: Path) -> None:
    columns, _ = read(tmp_path / "a.csv", b'"a;b;c",question\n1,2\n')
    assert columns == ["a;b;c", "question"]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"question,answer\na,b\nc,d,e\n", "line 3: the line has more cells"),
        (b'question,answer\n"a" b,c\n', "line 2"),
        (b"question,answer\n\x81\xff,b\n", "neither UTF-8"),
        (b"question\0answer\xff", "no text"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, raw: bytes, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read(tmp_path / "a.csv", raw)
    with pytest.raises(UserError, match="There is no file"):
        read_csv(tmp_path / "none.csv")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "@SUM(A1)", "\t=1", "  =1+1", "＝1", "|x", "\r=1"])
def test_a_formula_becomes_text(text: str) -> None:
    assert without_formula(text).startswith("'")


def test_other_values_stay_and_no_carriage_return_begins_a_row() -> None:
    assert [without_formula(value) for value in ("a=1", -1.5, None, "")] == ["a=1", -1.5, None, ""]
    assert without_formula("a\r=1\r\nb") == "a\n=1\nb"
