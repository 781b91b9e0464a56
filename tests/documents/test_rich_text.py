"""Rich Text Format: nothing glued, nothing hidden, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.datatypes import ParsedFile, UserError
from backends.documents.parsers.rtf import rtf_text
from backends.documents.parsing import parse_file

FONTS = (
    r"{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset238 B;}{\f2\fcharset128 C;}{\f3\fcharset2 Symbol;}}"
    r"{\stylesheet{\s1 heading 1;}}{\info{\title The yard}{\revtim\yr2024\mo5\dy6}}"
)


def read(folder: Path, body: str, name: str = "a.rtf") -> ParsedFile:
    (folder / name).write_bytes(rf"{{\rtf1\ansi\ansicpg1252\uc1{FONTS}{body}}}".encode("latin-1"))
    return parse_file(folder / name)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"The dose is 10{\super 6} units.", "The dose is 10^6 units."),
        (r"The load is 250{\super 1} kg, 25 m{\up6 2}.", "The load is 250 (note 1) kg, 25 m^2."),
        (r"H{\sub 2}O, 12{\sub 2}, 1{\super st}", "H2O, 12_2, 1st"),
        (r"It costs 19{\super 99} euros.", "It costs 19.99 euros."),
        (r"f\'fcr \'80 5 {\f1 \'9f\'f3\'b3w} {\f2 \'89\'bf\'8a\'69}", "für € 5 źółw 価格"),
        (r"\u322?\'f3d\u378? {\uc2 \u233\'3f\'3fx} \u-10179?\u-8704?", "łódź éx 😀"),
        (r"A {\b bold}word\tab and\~5\_6\emdash x", "A boldword and 5-6—x"),
        (r"{\pntext\f3\'B7\tab}dot\par{\listtext 2.\tab}second", "- dot\n2. second"),
        (r"Goes{\footnote \chftn  On {\b level} ground.} on a | b.\par next",
         "Goes on a | b.\nNote: On level ground.\nnext"),
        (r"{\header No. HX-5521\par}{\headerf No. HX-5521\par}Text{\*\annotation Why?}\par",
         "Text\nPage header: No. HX-5521\nComment: Why?"),
        (r"\pard\outlinelevel0 Fees\par\pard All.", "## Fees\n\nAll."),
        (r"{\shp{\*\shpinst\shpleft0{\sp{\sn x}{\sv y}}{\shptxt In a box.\par}}}", "In a box."),
        (r"{\field{\*\fldinst{HYPERLINK x}}{\fldrslt{the plan}}}{\pict\pngblip 8950}\bin3 {{{.", "the plan."),
        (r"{\*\unknown {gone}} stays", "stays"),
    ],
)  # fmt: skip
def test_text_as_it_is_seen(tmp_path: Path, source: str, text: str) -> None:
    parsed = read(tmp_path, source)
    assert (parsed.text, parsed.notes) == (text, ())
    assert (parsed.title, parsed.date) == ("The yard", "2024-05-06")


def test_what_is_not_seen_is_left_out_and_said(tmp_path: Path) -> None:
    parsed = read(tmp_path, r"Fee 4. {\v Margin 38 \b percent.} {\strike 5}{\deleted gone}\v0 \plain End.")
    assert parsed.text == "Fee 4. End."
    assert parsed.notes == ("hidden text left out", "struck-out text left out", "deleted text left out")


def test_merged_cells_and_header_rows_of_tables(tmp_path: Path) -> None:
    row = r"\trowd{head}\{merge}\cellx1\cellx2\cellx3\pard\intbl {a}\cell {b}\cell {c}\cell\row"
    rows = [("\\trhdr", "cl", "12", "13", "14"), ("", "clvmgf", "North", "Week\\par day", "4.10"),
            ("", "clvmrg", "", "Weekend", "2.70")]  # fmt: skip
    body = "".join(
        row.replace("{head}", head)
        .replace("{merge}", merge)
        .replace("{a}", a)
        .replace("{b}", b)
        .replace("{c}", c)
        for head, merge, a, b, c in rows
    )
    text = read(tmp_path, rf"Fees\par {body}\pard After.\par").text
    assert text == "Fees\n\n12: North; 13: Week day; 14: 4.10\n12: North; 13: Weekend; 14: 2.70\n\nAfter."
    nested = (
        r"\trowd\cellx1\cellx2\pard\intbl A\cell x\nestcell y\nestcell\nestrow z\nestcell\nestrow\cell\row"
    )
    assert read(tmp_path, nested).text == "A: x, y / z"


def test_a_doc_may_be_rich_text_and_a_false_rtf_is_refused(tmp_path: Path) -> None:
    assert read(tmp_path, "The berth is free.", "a.doc").text == "The berth is free."
    (tmp_path / "b.rtf").write_bytes(b"no rtf at all")
    with pytest.raises(UserError, match="not a real rtf"):
        parse_file(tmp_path / "b.rtf")


@pytest.mark.parametrize(
    "source",
    [b"{\\rtf1 " + b"{" * 5000, b"{\\rtf1 }}}} end", b"{\\rtf1 \\bin9999999999 x", b"{\\rtf1 \\u999999 \\'"],
)
def test_broken_sources_end(source: bytes) -> None:
    assert isinstance(rtf_text(source), str)
