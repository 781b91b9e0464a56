"""CSV as spreadsheets write it."""

from __future__ import annotations

import re
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
        ("question,answer\n«é» größer,b\n".encode() + b"\xff,b\n", "line 3: a letter cannot be read"),
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


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (
            "question;answer\nIle kosztuje wypożyczalnia łódek?;45 złotych i więcej\n"
            "Jak długo będzie?;czternaście dni\n",
            "cp1250",
        ),
        ("question;answer\nŞehir hangisi?;İzmir ve Muğla\nÜcret?;12 lira\n", "cp1254"),
        ("question;answer\nСколько стоит лодка?;120 рублей\n", "cp1251"),
        ("question;answer\nWas kostet es?;45 € – für Möbel\n", "cp1252"),
        ("question\tanswer\nWas kostet es?\t45 €\n", "utf-16"),
    ],
)
def test_the_encoding_of_the_country(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    columns, rows = read_csv(tmp_path / "a.csv")
    assert columns == ["question", "answer"]
    cells = re.split(r"[;\t]", text.split("\n")[1])
    assert next(rows)[1] == dict(zip(columns, cells, strict=True))
