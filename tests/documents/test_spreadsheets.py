"""Spreadsheets as a person sees them: numbers by their formats, merged cells, comments, what is not there."""

from __future__ import annotations

import datetime
import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from backends.datatypes import ParsedFile, UserError
from backends.documents.parsers import excel_records as xlsb
from backends.documents.parsers.number_formats import shown
from backends.documents.parsers.open_document import OFFICE, TABLE, TEXT
from backends.documents.parsing import parse_file
from tests.documents.binary_workbook import hidden_column, merged, rich, row_of, wide, workbook

LONG = 5901234123457  # a barcode


def text_of(path: Path) -> str:
    return parse_file(path).text


# --- formats of numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("General", LONG, str(LONG)),
        ("General", "123456789012345678", "123456789012345678"),
        ("General", 98765432109.75, "98765432109.75"),
        ("General", 0.000034, "0.000034"),
        ("General", 0.1 + 0.2, "0.3"),
        ("General", 6.02e23, "6.02E+23"),
        ("0.00E+00", LONG, str(LONG)),
        ("#,##0.00", 1e30, "1E+30"),
        ("00000", 733, "00733"),
        ("0", 2.5, "3"),
        ("#,##0.00", 1234567.891, "1,234,567.89"),
        ("0,000", 12, "0,012"),
        ("0.0##", 2.5, "2.5"),
        ("#.##", 0.5, "0.5"),
        ("0.00", 1.005, "1.01"),
        ("0%", 0.19, "19 %"),
        ("0.00 %", 0.1234, "12.34 %"),
        ("[$€-407]#,##0.00", 1234.5, "€1,234.50"),
        ('#,##0.00 "kr"', 1200, "1,200.00 kr"),
        ('"¥"#,##0', 1200, "¥1,200"),
        (r"#,##0.00\ [$zł-415]", -8.5, "-8.50 zł"),
        ("#,##0;(#,##0)", -250, "-250"),
        ("0.0;[Red]0.0", -3, "-3.0"),
        ('_($* #,##0.00_);_($* (#,##0.00);_($* "-"??_);_(@_)', -1234.5, "-$1,234.50"),
        ('_($* #,##0.00_);_($* (#,##0.00);_($* "-"??_);_(@_)', 0, "$0.00"),
        (";;;", 42, "42"),
        ('[>=1000000]0.0,,"M";0', 2500000, "2.5M"),
        ('[>=1000000]0.0,,"M";0', 25, "25"),
        ("000-00-0000", 123456789, "123-45-6789"),
        ("(###) ###-####", 5551234567, "(555) 123-4567"),
        ("# ?/?", 1.25, "1 1/4"),
        ('"Yes";"Yes";"No"', 1, "Yes"),
        ('"Yes";"Yes";"No"', 0, "No"),
        ('0;-0;"none"', 0, "none"),
        ('0;-0;"-"', 0, "0"),
        ('General "pcs"', 12, "12 pcs"),
        ("@", 17, "17"),
        ("dd.mm.yyyy hh:mm", 45418.297222, "2024-05-06 07:08"),
        ("m/d/yy", 45418, "2024-05-06"),
        ("d mmmm yyyy", 45418, "2024-05-06"),
        ("mmmm yyyy", 45418, "May 2024"),
        ("mmm-yy", 45418, "May-2024"),
        ("yyyy", 45418, "2024"),
        ("dddd", 45418, "Monday"),
        ("h:mm AM/PM", 0.604166667, "2:30 PM"),
        ("hh:mm:ss", 0.604166667, "14:30:00"),
        ("[h]:mm", 1.09375, "26:15"),
        ("[mm]:ss", 0.05, "72:00"),
        ("mm:ss", 0.05, "12:00"),
        ("yyyy-mm-dd", -3, "-3"),
        ("yyyy-mm-dd", 60, "1900-02-28"),
    ],
)
def test_a_number_is_shown_by_its_format(code: str, value: str | float, text: str) -> None:
    assert shown(value, code) == text


def test_days_since_1904() -> None:
    assert shown(0, "yyyy-mm-dd", epoch_1904=True) == "1904-01-01"


# --- every kind of workbook -------------------------------------------------------------------------------


def make_xlsx(path: Path, rows: list[list[Any]], formats: dict[str, str] | None = None, **more: Any) -> Any:
    """Write rows; `formats` are the number formats of cells. The book is given back, to be saved again."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    for place, code in (formats or {}).items():
        sheet[place].number_format = code
    for area in more.get("merged", ()):
        sheet.merge_cells(area)
    book.save(path)
    return book


def test_numbers_of_an_xlsx(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["Item", "Code", "Fee", "Share", "Zip", "Ran", "On", "Open"],
        [
            "Lamp",
            LONG,
            1200,
            0.155,
            733,
            datetime.timedelta(hours=26, minutes=15),
            datetime.date(2024, 5, 6),
            True,
        ],
    ]
    formats = {"C2": '#,##0.00 "kr"', "D2": "0.0%", "E2": "00000", "F2": "[h]:mm", "G2": "dd/mm/yyyy"}
    make_xlsx(tmp_path / "a.xlsx", rows, formats)
    assert text_of(tmp_path / "a.xlsx") == (
        f"Item: Lamp; Code: {LONG}; Fee: 1,200.00 kr; Share: 15.5 %; Zip: 00733; Ran: 26:15; "
        "On: 2024-05-06; Open: yes"
    )


def test_numbers_of_an_xls(tmp_path: Path) -> None:
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("Prices")
    codes = [None, None, "0%", "00000", '#,##0.00 "kr"', "D-MMM-YYYY"]
    for at, name in enumerate(("Item", "Code", "Tax", "Zip", "Fee", "From")):
        sheet.write(0, at, name)
    for at, value in enumerate(("Lamp", LONG, 0.19, 733, 1200, datetime.date(2024, 5, 6))):
        sheet.write(
            1, at, value, xlwt.easyxf(num_format_str=codes[at]) if codes[at] else xlwt.Style.default_style
        )
    sheet.write_merge(2, 3, 0, 0, "Desk")
    sheet.write(2, 1, 7)
    sheet.write(3, 1, 8)
    book.save(str(tmp_path / "a.xls"))
    assert text_of(tmp_path / "a.xls").split("\n") == [
        f"Item: Lamp; Code: {LONG}; Tax: 19 %; Zip: 00733; Fee: 1,200.00 kr; From: 2024-05-06",
        "Item: Desk; Code: 7", "Item: Desk; Code: 8",
    ]  # fmt: skip


def make_ods(path: Path, rows: list[list[Any]]) -> None:
    """Cells are texts, or (attributes, shown text)."""
    from odf.opendocument import OpenDocumentSpreadsheet
    from odf.table import Table, TableCell, TableRow
    from odf.text import P

    book = OpenDocumentSpreadsheet()
    table = Table(name="Stock")
    for row in rows:
        made = TableRow()
        for cell in row:
            attributes, text = cell if isinstance(cell, tuple) else ({"valuetype": "string"}, cell)
            made.addElement(written := TableCell(**attributes))
            if text:
                written.addElement(P(text=text))
        table.addElement(made)
    book.spreadsheet.addElement(table)
    book.save(str(path))


def test_numbers_of_an_ods(tmp_path: Path) -> None:
    number = {"valuetype": "float", "value": str(LONG)}
    make_ods(
        tmp_path / "a.ods",
        [
            ["Item", "Code", "Tax", "Fee", "From"],
            ["Lamp", (number, "5.90123E+12"), ({"valuetype": "percentage", "value": "0.19"}, "19 %"),
             ({"valuetype": "currency", "currency": "EUR", "value": "1234.5"}, "1.234,50 €"),
             ({"valuetype": "date", "datevalue": "2024-05-06"}, "06.05.24")],
            [({"valuetype": "string", "numberrowsspanned": "2"}, "Desk"), (number, ""),
             ({"valuetype": "percentage", "value": "0.07"}, ""),
             ({"valuetype": "date", "datevalue": "2024-05-01"}, "Mai 2024"), ""],
            [(number, str(LONG)), ({"formula": "of:=[.B2]*2"}, "")],
        ],
    )  # fmt: skip
    parsed = parse_file(tmp_path / "a.ods")
    assert parsed.text.split("\n") == [
        f"Item: Lamp; Code: {LONG}; Tax: 19 %; Fee: 1.234,50 €; From: 2024-05-06",
        f"Item: Desk; Code: {LONG}; Tax: 7 %; Fee: Mai 2024",
        f"Item: Desk; Code: {LONG}",
    ]
    assert parsed.notes == ("1 formula without a value (Stock row 4)",)


# --- what surrounds the cells -------------------------------------------------------------------------------


def test_merged_cells_hold_for_every_row(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["Line", "2023", None, "2024", None], [None, "In", "Out", "In", "Out"],
        ["A", 1, 2, 3, 4], ["B", 5, 6, 7, 8], ["closed from May on"], ["C", 9, 10, 11, 12],
    ]  # fmt: skip
    make_xlsx(tmp_path / "a.xlsx", rows, merged=["A1:A2", "B1:C1", "D1:E1", "A5:E5"])
    assert text_of(tmp_path / "a.xlsx").split("\n") == [
        "Line: A; 2023 In: 1; 2023 Out: 2; 2024 In: 3; 2024 Out: 4",
        "Line: B; 2023 In: 5; 2023 Out: 6; 2024 In: 7; 2024 Out: 8",
        "closed from May on",
        "Line: C; 2023 In: 9; 2023 Out: 10; 2024 In: 11; 2024 Out: 12",
    ]


def test_formulas_comments_and_hidden_sheets_are_told(tmp_path: Path) -> None:
    from openpyxl.comments import Comment

    book = make_xlsx(tmp_path / "a.xlsx", [["Pump", "Bar", "Sum"], ["P1", 4, "=B2*2"], ["P2", 6, "=B3*2"]])
    book.active["B2"].comment = Comment("Measured\nat 20 degrees", "Ana")
    book.active["B1"].comment = Comment("gauge", "Ana")
    book.create_sheet("Wages").append(["Boss", 9000])
    book["Wages"].sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    parsed = parse_file(tmp_path / "a.xlsx")
    assert parsed.text.split("\n")[2:5] == [
        "Comment on Bar: gauge",
        "Pump: P1; Bar: 4; Comment on Bar: Measured at 20 degrees",
        "Pump: P2; Bar: 6",
    ]
    assert "Boss: 9000" in parsed.text
    assert parsed.notes == (
        "2 formulas without values (Sheet!C2, Sheet!C3)", "hidden sheet read too: Wages"
    )  # fmt: skip


def test_a_formula_that_a_program_wrote_as_nought_was_never_calculated(tmp_path: Path) -> None:
    make_xlsx(tmp_path / "a.xlsx", [["Pump", "Bar", "Sum"], ["P1", 4, "=B2*2"], ["P2", 6, 0]])
    change(
        tmp_path / "a.xlsx",
        "xl/worksheets/sheet1.xml",
        lambda xml: re.sub(r"</f><v ?/>|</f><v></v>", "</f><v>0</v>", xml),
    )
    parsed = parse_file(tmp_path / "a.xlsx")
    assert parsed.notes and parsed.text.split("\n") == ["Pump: P1; Bar: 4", "Pump: P2; Bar: 6; Sum: 0"]


def change(path: Path, member: str, edit: Any) -> None:
    """Edit one part of a zipped file, or all of them with member ""."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            wanted = name == member or (not member and name.endswith((".xml", ".rels")))
            archive.writestr(name, edit(data.decode()).encode() if wanted else data)


@pytest.mark.parametrize("mark", ["bold", "table", "filter", "frozen"])
def test_what_the_sheet_marks_as_a_header_is_one(tmp_path: Path, mark: str) -> None:
    from openpyxl.styles import Font
    from openpyxl.worksheet.table import Table

    book = make_xlsx(
        tmp_path / "a.xlsx",
        [["Rota of the week"], ["Issued", "May"], ["Ana", "Ben", "Ida"], ["Oslo", "Rome", "Ulm"]],
    )
    sheet = book.active
    if mark == "bold":
        for cell in sheet[3]:
            cell.font = Font(bold=True)
    elif mark == "table":
        sheet.add_table(Table(displayName="T", ref="A3:C4"))
    elif mark == "filter":
        sheet.auto_filter.ref = "A3:C4"
    else:
        sheet.freeze_panes = "A4"
    book.save(tmp_path / "a.xlsx")
    assert text_of(tmp_path / "a.xlsx").split("\n")[-1] == "Ana: Oslo; Ben: Rome; Ida: Ulm"


def test_raised_digits_are_no_digits_of_the_number(tmp_path: Path) -> None:
    from openpyxl.cell.rich_text import CellRichText, TextBlock
    from openpyxl.cell.text import InlineFont

    up, down = InlineFont(vertAlign="superscript"), InlineFont(vertAlign="subscript")
    cell = CellRichText(
        "dose 10", TextBlock(up, "6"), " per m", TextBlock(up, "2"), ", CO", TextBlock(down, "2")
    )
    make_xlsx(tmp_path / "a.xlsx", [["Note", cell], ["1", CellRichText("the 1", TextBlock(up, "st"))]])
    assert text_of(tmp_path / "a.xlsx") == "Note: dose 10^6 per m^2, CO2\n1: the 1st"


def strict(xml: str) -> str:
    for one, two in (
        (
            "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
            "http://purl.oclc.org/ooxml/officeDocument/relationships",
        ),
        (
            "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
            "http://purl.oclc.org/ooxml/spreadsheetml/main",
        ),
    ):
        xml = xml.replace(one, two)
    return xml


def test_strict_open_xml(tmp_path: Path) -> None:
    make_xlsx(tmp_path / "a.xlsx", [["Room", "Key", "Floor"], ["Oak", "K7", 2]])
    change(tmp_path / "a.xlsx", "", strict)
    assert text_of(tmp_path / "a.xlsx") == "Room: Oak; Key: K7; Floor: 2"


def test_a_workbook_may_be_named_for_another_kind(tmp_path: Path) -> None:
    make_xlsx(tmp_path / "a.xlsx", [["Room", "Key", "Floor"], ["Oak", "K7", 2]])
    (tmp_path / "a.xls").write_bytes((tmp_path / "a.xlsx").read_bytes())
    assert text_of(tmp_path / "a.xls") == "Room: Oak; Key: K7; Floor: 2"


def test_tables_on_a_sheet_are_kept_apart(tmp_path: Path) -> None:
    make_xlsx(
        tmp_path / "a.xlsx",
        [["Room", "Key", "Floor"], ["Oak", "K7", 2], [], ["Dish", "Price", "Day"], ["Pie", 4.5, "Monday"]],
    )
    assert (
        text_of(tmp_path / "a.xlsx") == "Room: Oak; Key: K7; Floor: 2\n\nDish: Pie; Price: 4.5; Day: Monday"
    )


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.ods"])
def test_broken_workbooks_are_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no workbook at all")
    with pytest.raises(UserError, match="broken or not a real"):
        parse_file(tmp_path / name)


def test_an_area_merged_over_the_whole_sheet_costs_nothing(tmp_path: Path) -> None:
    make_xlsx(tmp_path / "a.xlsx", [["Room"], ["Oak"]], merged=["C1:D1"])
    change(
        tmp_path / "a.xlsx",
        "xl/worksheets/sheet1.xml",
        lambda xml: xml.replace('"C1:D1"', '"A1:XFD1048576"'),
    )
    assert text_of(tmp_path / "a.xlsx").count("Room") <= 2


def test_hidden_rows_and_columns_are_read_and_said(tmp_path: Path) -> None:
    import openpyxl
    import xlwt

    rows: list[list[Any]] = [["Room", "Rate", "Cost"], ["Oak", 100, 41], ["Elm", 120, 55], ["Ash", 90, 30]]
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.active.column_dimensions["C"].hidden = True
    book.active.column_dimensions["F"].hidden = True  # nothing is in it
    book.active.row_dimensions[3].hidden = True
    book.save(tmp_path / "a.xlsx")
    old = xlwt.Workbook()
    sheet = old.add_sheet("Sheet")
    for at, row in enumerate(rows):
        for column, value in enumerate(row):
            sheet.write(at, column, value)
    sheet.col(2).hidden = sheet.row(2).hidden = True
    old.save(str(tmp_path / "a.xls"))
    for name in ("a.xlsx", "a.xls"):
        parsed = parse_file(tmp_path / name)
        assert "Room: Elm; Rate: 120; Cost: 55" in parsed.text
        assert len(parsed.notes) == 1 and parsed.notes[0].startswith("hidden rows or columns read too (2): ")
        assert "Sheet row 3" in parsed.notes[0] and "Sheet column C" in parsed.notes[0]


def test_ods_times_without_a_text_and_hidden_rows_and_columns(tmp_path: Path) -> None:
    from odf.opendocument import OpenDocumentSpreadsheet
    from odf.table import Table, TableCell, TableColumn, TableRow
    from odf.text import P

    book = OpenDocumentSpreadsheet()
    table = Table(name="S")
    for hidden in (False, False, True):
        table.addElement(TableColumn(visibility="collapse") if hidden else TableColumn())
    for at, row in enumerate(
        [("Task", "Took", "Cost"), ("Roof", "PT26H15M00S", "4"), ("Door", "PT2H0M30S", "5")]
    ):
        line = TableRow(visibility="filter") if at == 2 else TableRow()
        for column, value in enumerate(row):
            timed = at and column == 1
            cell = TableCell(valuetype="time", timevalue=value) if timed else TableCell(valuetype="string")
            if not timed:
                cell.addElement(P(text=value))
            line.addElement(cell)
        table.addElement(line)
    book.spreadsheet.addElement(table)
    book.save(str(tmp_path / "a.ods"))
    parsed = parse_file(tmp_path / "a.ods")
    assert "Roof; Took: 26:15; Cost: 4" in parsed.text and "Took: 02:00:30" in parsed.text
    assert parsed.notes == ("hidden rows or columns read too (2): S row 3, S column C",)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("Zone\tDay\tFee\nNorth\tWeekday\t4,10\nWést\tHoliday\t1,50\n".encode("cp1252"),
         "Zone: Wést; Day: Holiday; Fee: 1,50"),
        (b"<html><table><tr><th>Zone<th>Day<th>Fee<tr><td>East<td>Weekend<td>2.70</table>",
         "Zone: East; Day: Weekend; Fee: 2.70"),
    ],
)  # fmt: skip
def test_an_xls_may_be_a_page_or_delimited_text(tmp_path: Path, data: bytes, line: str) -> None:
    (tmp_path / "a.xls").write_bytes(data)
    assert text_of(tmp_path / "a.xls").split("\n")[-1] == line


# --- delimited text -----------------------------------------------------------------------------------------


def csv_lines(folder: Path, text: str, encoding: str = "utf-8") -> list[str]:
    (folder / "a.csv").write_bytes(text.encode(encoding))
    parsed: ParsedFile = parse_file(folder / "a.csv")
    return parsed.text.split("\n")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('Item,Zip,Note\nA,"=""00501""",ok\nB,"=""00733""",late\n',
         ["Item: A; Zip: 00501; Note: ok", "Item: B; Zip: 00733; Note: late"]),
        ("Name,Size,Fee\rIb,3,10\rUla,4,12\r", ["Name: Ib; Size: 3; Fee: 10", "Name: Ula; Size: 4; Fee: 12"]),
        ("Name,Role,Fee\n\nIb,Clerk,12\n\nUla,Head,14\n\n",
         ["Name: Ib; Role: Clerk; Fee: 12", "Name: Ula; Role: Head; Fee: 14"]),
        ("Name,Role,Phone\nIb,Clerk,555-1\nUla,Head,555-2\n\nBoat,Plate,Length\nTern,KL 7,12\nSkua,KL 8,9\n",
         ["Name: Ib; Role: Clerk; Phone: 555-1", "Name: Ula; Role: Head; Phone: 555-2", "",
          "Boat: Tern; Plate: KL 7; Length: 12", "Boat: Skua; Plate: KL 8; Length: 9"]),
        ("Name,Role,Fee\nIb,Clerk,12\nUla,Head,14\n\nTotal,,26\n\nSeen,by,Ib\n\nAll in euros.\n",
         ["Name: Ib; Role: Clerk; Fee: 12", "Name: Ula; Role: Head; Fee: 14", "", "Name: Total; Fee: 26", "",
          "Seen; by; Ib", "", "All in euros."]),
    ],
)  # fmt: skip
def test_gaps_and_line_ends_of_delimited_text(tmp_path: Path, text: str, lines: list[str]) -> None:
    assert csv_lines(tmp_path, text) == lines


def test_a_header_in_front_of_a_gap_names_the_columns_behind_it(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in [["Article", "Size", "Price"], [], ["Spade", "90 cm", 24.5], ["Rake", "140 cm", 19], [],
                ["Fork", "120 cm", 21]]:  # fmt: skip
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert [line for line in text_of(tmp_path / "a.xlsx").split("\n") if line] == [
        "Article; Size; Price",
        "Article: Spade; Size: 90 cm; Price: 24.5",
        "Article: Rake; Size: 140 cm; Price: 19",
        "Article: Fork; Size: 120 cm; Price: 21",
    ]


def test_delimited_text_has_captions_forms_and_quotes(tmp_path: Path) -> None:
    text = '# from the till\n\nItem;Price;Note\nLamp;24,50;"red; large"\nDesk;310,00;\n'
    assert csv_lines(tmp_path, text) == [
        "# from the till", "", "Item: Lamp; Price: 24,50; Note: red; large", "Item: Desk; Price: 310,00"
    ]  # fmt: skip
    assert (
        csv_lines(tmp_path, "sep=;\nItem;Price;Note\nLamp;24,50;x\n", "cp1252")[-1]
        == "Item: Lamp; Price: 24,50; Note: x"
    )


# --- xlsb ------------------------------------------------------------------------------------------


def _real(style: int, value: float) -> tuple[int, int, bytes]:
    return xlsb.REAL, style, struct.pack("<d", value)


def _text(text: str, style: int = 0) -> tuple[int, int, bytes]:
    return xlsb.TEXT, style, wide(text)


def _packed(number: int, *, hundredth: bool = False) -> tuple[int, int, bytes]:
    return xlsb.NUMBER, 0, struct.pack("<i", number << 2 | 2 | hundredth)


def test_numbers_of_a_binary_workbook_are_as_its_sheet_shows_them(tmp_path: Path) -> None:
    formats = ["00000", '#,##0.00 "kr"', "[h]:mm"]
    styles = [(0, 0), (164, 0), (165, 0), (166, 0), (9, 0), (14, 0)]
    head = [_text(name) for name in ("Item", "EAN", "Zip", "Fee", "Time", "Share", "From", "Ok", "Sum")]
    values = [
        (xlsb.SHARED, 0, struct.pack("<I", 0)),
        _real(0, 4006381333931),
        _real(1, 501),
        _real(2, -1204.5),
        _real(3, 26.25 / 24),
        _real(4, 0.19),
        _real(5, 45418),
        (xlsb.FLAG, 0, b"\1"),
        (xlsb.FORMULA_REAL, 0, struct.pack("<d", 12.5) + bytes(6)),
    ]
    sheet = row_of(0, *head) + row_of(1, *values) + row_of(2, *values)
    path = workbook(tmp_path / "a.xlsb", sheet, formats=formats, styles=styles, texts=[rich("Lamp")])
    parsed = parse_file(path)
    line = (
        "Item: Lamp; EAN: 4006381333931; Zip: 00501; Fee: -1,204.50 kr; Time: 26:15; Share: 19 %; "
        "From: 2024-05-06; Ok: yes; Sum: 12.5"
    )
    assert parsed.text == f"{line}\n{line}"
    assert parsed.notes == ()


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (_packed(17), "17"),
        (_packed(-450, hundredth=True), "-4.5"),
        ((xlsb.NUMBER, 0, struct.pack("<d", 0.75)[4:]), "0.75"),
        ((xlsb.ERROR, 0, b"\x07"), "#DIV/0!"),
        ((xlsb.FORMULA_TEXT, 0, wide("North") + bytes(6)), "North"),
        ((xlsb.RICH_TEXT, 0, rich("106 N", (2, 2), (3, 0))), "10^6 N"),
    ],
)
def test_every_kind_of_cell_of_a_binary_workbook(
    tmp_path: Path, cell: tuple[int, int, bytes], text: str
) -> None:
    path = workbook(tmp_path / "a.xlsb", row_of(0, _text("Value"), cell, _text("end")))
    assert parse_file(path).text == f"Value; {text}; end"


def test_merged_hidden_bold_and_noted_cells_of_a_binary_workbook(tmp_path: Path) -> None:
    head = row_of(0, *(_text(name, 1) for name in ("11", "12", "13")))
    body = row_of(1, _text("North"), _text("a"), _packed(1))
    body += row_of(2, _text(""), _text("b"), _packed(2), hidden=True)
    path = workbook(
        tmp_path / "a.xlsb",
        hidden_column(2) + head + body + merged(1, 2, 0, 0),
        styles=[(0, 0), (0, 1)],
        comments=[(1, 2, "until May")],
        hidden=True,
    )
    parsed = parse_file(path)
    assert parsed.text == "11: North; 12: a; 13: 1; Comment on 13: until May\n11: North; 12: b; 13: 2"
    assert parsed.notes == (
        "hidden sheet read too: Plan",
        "hidden rows or columns read too (2): Plan row 3, Plan column C",
    )


def test_days_of_a_binary_workbook_that_counts_from_1904(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsb", row_of(0, _text("Day"), _real(0, 0)), styles=[(14, 0)], epoch_1904=True
    )
    assert parse_file(path).text == "Day: 1904-01-01"


@pytest.mark.parametrize("end", [1, 9, 40])
def test_a_binary_workbook_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path, end: int) -> None:
    sheet = row_of(0, _text("Item"), _text("Lamp")) + row_of(1, _text("Fee"), _text("45 euros"))
    parsed = parse_file(workbook(tmp_path / "a.xlsb", sheet[:-end]))
    assert parsed.text.startswith("Item: Lamp")


@pytest.mark.parametrize(
    "extra", ["", '<table:table-cell table:number-columns-spanned="1"><text:p/></table:table-cell>']
)
def test_plain_and_other_rows_of_an_ods_are_read_alike(tmp_path: Path, extra: str) -> None:
    def cell(kind: str, shown: str, **more: str) -> str:
        about = "".join(f' office:{name.replace("_", "-")}="{value}"' for name, value in more.items())
        text = f"<text:p>{shown}</text:p>"
        return f'<table:table-cell office:value-type="{kind}"{about}>{text}</table:table-cell>'

    cells = (
        cell("string", "Lamp"),
        cell("float", "4,01E+12", value="4006381333931"),
        cell("float", "12", value="12"),
        cell("date", "9.3.25", date_value="2025-03-09"),
        cell("percentage", "19 %", value="0.19"),
        cell("currency", "1.204,50 €", value="1204.5"),
    )
    spaces = zip(("office", "table", "text"), (OFFICE, TABLE, TEXT), strict=True)
    named = " ".join(f'xmlns:{name}="{uri[1:-1]}"' for name, uri in spaces)
    rows = f"<table:table-row>{''.join(cells)}{extra}</table:table-row>" * 2
    table = f'<table:table table:name="A">{rows}</table:table>'
    content = f"<office:body><office:spreadsheet>{table}</office:spreadsheet></office:body>"
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("content.xml", f"<office:content {named}>{content}</office:content>")
    line = "Lamp; 4006381333931; 12; 2025-03-09; 19 %; 1.204,50 €"
    assert text_of(tmp_path / "a.ods") == f"{line}\n{line}"
