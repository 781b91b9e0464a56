"""Tables: which row names the columns, where merged cells stand, and when a row is kept as it is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from backends.documents.parsers.common import REPEATED, Cell, prices, table_lines
from backends.documents.parsers.headers import is_name, kind_of

Rows = Sequence[Sequence[object]]


def lines(rows: Rows, **more: object) -> list[str]:
    return list(table_lines(rows, **more))  # type: ignore[arg-type]


def text_rows(text: str) -> list[list[str]]:
    """One row a line, cells between bars."""
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().split("\n")]


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("Boat | Built | Metres\nSkua | 1988 | 31\nTern | 1991 | 24", "Boat: Tern; Built: 1991; Metres: 24"),
        ("Mine | 2001 | 2002\nUlv | 31 | 35\nRev | 12 | 9", "Mine: Rev; 2001: 12; 2002: 9"),
        ("Shoe | 36 | 37 | 38\nPace | no | yes | no\nTrot | yes | yes | no",
         "Shoe: Trot; 36: yes; 37: yes; 38: no"),
        ("Bond | 1 year | 5 years\nA | 2 % | 3 %\nB | 2.5 % | 4 %", "Bond: B; 1 year: 2.5 %; 5 years: 4 %"),
        ("Rate | 0-5 | 6-17 | 18-99\nBus | 0 | 2.10 | 4.20\nFerry | 0 | 3 | 6.50",
         "Rate: Ferry; 0-5: 0; 6-17: 3; 18-99: 6.50"),
        ("Figure | Q4 2024 | Q1 2025\nRevenue (million) | 4.10 | 4.75\nStaff | 81 | 90\nMargin | 12 % | 14 %",
         "Figure: Margin; Q4 2024: 12 %; Q1 2025: 14 %"),
        ("Shop | Jan 2024 | Feb 2024\nOslo | 12 | 15\nBergen | 9 | 7",
         "Shop: Bergen; Jan 2024: 9; Feb 2024: 7"),
        ("Fee | 1 | 10 | 100\nCopy | 0.2 | 0.18 | 0.1\nScan | 0.3 | 0.25 | 0.22",
         "Fee: Scan; 1: 0.3; 10: 0.25; 100: 0.22"),
        (" | Basic | Plus\nStorage | 5 GB | 50 GB\nSupport | e-mail | phone",
         "Support; Basic: e-mail; Plus: phone"),
        ("Name | Phone | Phone\nIb | 555-11 | 555-12\nUla | 555-13 | 555-14",
         "Name: Ula; Phone: 555-13; Phone: 555-14"),
        ("Tool | Number of times that it may be lent to the same member in one calendar year | Shelf\n"
         "Saw | 4 | B2\nDrill | 2 | B3",
         "Tool: Drill; Number of times that it may be lent to the same member in one calendar year: 2; "
         "Shelf: B3"),
        ("Part | Maker | Stock\nBolt | Ode | 40\nNut | Fry\nPin | Holm | 12 | on order",
         "Part: Pin; Maker: Holm; Stock: 12; on order"),
        ("Ort | Straße | PLZ\nUlm | Am Bach 3 | 89073\nKiel | Hafen 9 | 24103",
         "Ort: Kiel; Straße: Hafen 9; PLZ: 24103"),
        ("Item | Price\nLamp | 24 EUR\nDesk | 310 EUR", "Item: Desk; Price: 310 EUR"),
        ("Site | Q1/24 | Q2/24 | Q3/24\nPorto | 14 | 15 | 17\nFaro | 3 | 2 | 4",
         "Site: Faro; Q1/24: 3; Q2/24: 2; Q3/24: 4"),
        ("Lager | KW 51/24 | KW 52/24 | KW 1/25\nKiel | 12 | 9 | 7\nUlm | 3 | 5 | 5",
         "Lager: Ulm; KW 51/24: 3; KW 52/24: 5; KW 1/25: 5"),
        ("Shop | Nov 24 | Dec 24 | Jan 25\nOslo | 12 | 15 | 9\nBergen | 9 | 7 | 8",
         "Shop: Bergen; Nov 24: 9; Dec 24: 7; Jan 25: 8"),
        ("Shop | 11/2024 | 12/2024\nOslo | 12 | 15\nBergen | 9 | 7", "Shop: Bergen; 11/2024: 9; 12/2024: 7"),
        ("Parcel | 0-2 kg | 2-5 kg | 5-10 kg\nInland | 4.10 | 5.20 | 7.30\nEurope | 9.80 | 12.40 | 17.90",
         "Parcel: Europe; 0-2 kg: 9.80; 2-5 kg: 12.40; 5-10 kg: 17.90"),
    ],
)  # fmt: skip
def test_a_row_has_its_labels(table: str, line: str) -> None:
    made = lines(text_rows(table))
    assert made[-1] == line
    assert len(made) == len(text_rows(table)) - 1


@pytest.mark.parametrize(
    "table",
    [
        "Ana Holm | Sales | Oslo office\nBen Ode | Purchasing | Rome office\nCleo Fry | Legal | Lund office",
        "Skua | 31 | red\nTern | 24 | blue\nAuk | 12 | red",
        "2021 | Ulv | Rolf Dahl\n2022 | Rev | Siv Berg",
        "Skua | 1988 | 1991\nTern | 1990 | 1994\nAuk | 2001 | 2002",
        "Colour | red | -\nWeight | 12 | kg\nPower | 40 | W",
        "Thu | Ana | open\nFri | Ben | open\nSat | Cleo | shut",
    ],
)
def test_without_a_certain_header_rows_stay_as_they_stand(table: str) -> None:
    expected = ["; ".join(cell for cell in row if cell) for row in text_rows(table)]
    assert lines(text_rows(table)) == expected


def test_two_columns_read_from_left_to_right_unless_names_stand_above() -> None:
    assert lines(text_rows("Founded | 1998\nStaff | 240\nSeat | Oslo")) == [
        "Founded: 1998", "Staff: 240", "Seat: Oslo"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "form",
    [
        "Tenant | Gil Rask | Flat | 12 B\nDeposit | 900 euros | From | 4 May 2024\nPets | none | Keys | 3",
        "Tenant: | Gil Rask | Flat: | 12 B",
    ],
)
def test_forms_are_read_in_pairs(form: str) -> None:
    assert lines(text_rows(form))[0] == "Tenant: Gil Rask; Flat: 12 B"


def test_captions_stand_above_the_table() -> None:
    rows = text_rows("Tariffs of the harbour\nfrom 2 May, in euros\nCraft | Day | Week\nYacht | 20 | 110")
    assert lines(rows) == [
        "Tariffs of the harbour",
        "from 2 May, in euros",
        "Craft: Yacht; Day: 20; Week: 110",
    ]
    rows = text_rows("Issued | 2 May 2024\nCraft | Length | Day\nYacht | 9 m | 20\nBarge | 30 m | 44")
    assert lines(rows)[0] == "Issued; 2 May 2024"
    assert lines(rows)[2] == "Craft: Barge; Length: 30 m; Day: 44"


def test_two_header_rows_make_one_label() -> None:
    rows = text_rows(
        "Port | 2023 |  | 2024 | \n | In | Out | In | Out\nBodø | 4 | 5 | 6 | 7\nMoss | 1 | 2 | 3 | 4"
    )
    assert lines(rows)[-1] == "Port: Moss; 2023 In: 1; 2023 Out: 2; 2024 In: 3; 2024 Out: 4"
    head: Rows = [
        [Cell("Port", down=2), Cell("2023", across=2), Cell("2024", across=2)],
        ["In", "Out", "In", "Out"],
    ]
    assert lines([*head, *rows[2:]]) == lines(rows)
    assert lines([*head, *rows[2:]], has_header=True, header_rows=2) == lines(rows)
    assert lines([[Cell(cell, heading=True) for cell in rows[0]], *rows[1:]]) == lines(rows)


def test_a_column_of_one_name_stands_between_groups_of_two() -> None:
    names = [Cell("Part", down=2), Cell("Plan", across=2), Cell("Seen", across=2), Cell("Remark", down=2)]
    head: Rows = [names, ["Q1", "Q2", "Q1", "Q2"]]
    body: Rows = [
        ["Rope", "1,200 €", "1,300 €", "1,150 €", "1,420 €", ""],
        ["Fuel", "5 €", "6 €", "5 €", "7 €", "dear"],
    ]
    assert lines([*head, *body]) == [
        "Part: Rope; Plan Q1: 1,200 €; Plan Q2: 1,300 €; Seen Q1: 1,150 €; Seen Q2: 1,420 €",
        "Part: Fuel; Plan Q1: 5 €; Plan Q2: 6 €; Seen Q1: 5 €; Seen Q2: 7 €; Remark: dear",
    ]


def test_marked_cells_are_the_header_whatever_they_hold() -> None:
    marked: Rows = [[Cell(name, heading=True) for name in ("Ana", "Ben", "Cleo")], ["Ida", "Jan", "Kim"]]
    assert lines(marked) == ["Ana: Ida; Ben: Jan; Cleo: Kim"]
    rows_headed = [[Cell("Ana", heading=True), "Sales", "Oslo"], [Cell("Ben", heading=True), "Legal", "Rome"]]
    assert lines(rows_headed) == ["Ana; Sales; Oslo", "Ben; Legal; Rome"]


def test_merged_cells_stand_in_each_row_and_under_each_label() -> None:
    rows: Rows = [
        ["Zone", "Day", "Fee", "Permit"],
        [Cell("North", down=2), "Weekday", "4.10", "yes"],
        ["Weekend", "2.70", "no"],
        [Cell("South", down=2), "Weekday", Cell("free", across=2)],
        ["Weekend", "1.90", "no"],
        [Cell("From May on", across=4)],
        ["East", "Weekday", "3.00", "yes"],
    ]
    assert lines(rows, has_header=True) == [
        "Zone: North; Day: Weekday; Fee: 4.10; Permit: yes",
        "Zone: North; Day: Weekend; Fee: 2.70; Permit: no",
        "Zone: South; Day: Weekday; Fee: free; Permit: free",
        "Zone: South; Day: Weekend; Fee: 1.90; Permit: no",
        "From May on",
        "Zone: East; Day: Weekday; Fee: 3.00; Permit: yes",
    ]
    assert lines(rows[1:3], has_header=False) == ["North; Weekday; 4.10; yes", "North; Weekend; 2.70; no"]


def test_a_long_merged_text_is_said_once() -> None:
    text = "word " * REPEATED
    made = lines([["A", "B", "C"], [Cell(text, across=2, down=3), "x"], ["y"], ["z"]], has_header=True)
    assert made == [f"A: {text.strip()}; C: x", "C: y", "C: z"]
    assert len(lines([[Cell("wide", across=10**9), "x"]])[0]) < 20


def test_a_header_that_comes_again_on_the_next_page_is_no_row() -> None:
    page = [["Item", "Price", "Stock"], ["Lamp", "24", "3"]]
    assert lines([*page, ["Item", "Price", "Stock"], ["Desk", "310", "1"]]) == [
        "Item: Lamp; Price: 24; Stock: 3", "Item: Desk; Price: 310; Stock: 1"
    ]  # fmt: skip


def test_a_header_alone_is_a_row() -> None:
    assert lines([["Item", "Price", "Stock"]], has_header=True) == ["Item; Price; Stock"]
    assert lines([["", ""], ["Owner", "Ruth"]], has_header=True) == ["Owner: Ruth"]


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("1,204.50", "number"), ("€ 4.10", "money"), ("90 kr", "money"), ("15 %", "percent"),
        ("2019", "year"), ("4 May 2024", "date"), ("06.05.24", "date"), ("May 2024", "date"),
        ("14:30", "time"), ("30 days", "quantity"), ("0-5", "range"), ("PX-88", "code"),
        ("no", "choice"), ("n/a", ""), ("Oslo", "words"), ("12 Oak Street North", "mixed"),
    ],
)  # fmt: skip
def test_kinds(cell: str, kind: str) -> None:
    assert kind_of(cell) == kind


def test_names() -> None:
    for cell in ("Unit price", "unit_price", "Weight (kg)", "Team 2", "Preis", "Monday", "#"):
        assert is_name(cell), cell
    for cell in ("Oslo", "12 May", "Harare (ZIM)", "Ana Holm", "45"):
        assert not is_name(cell), cell


def test_years_below_groups_name_columns() -> None:
    rows: Rows = [["Mast", Cell("Wind", across=2), Cell("Rain", across=2)],
            ["", "2023", "2024", "2023", "2024"],
            ["Ulv", "7.1", "7.4", "810", "790"], ["Rev", "5.0", "5.2", "600", "640"]]  # fmt: skip
    assert lines(rows) == [
        "Mast: Ulv; Wind 2023: 7.1; Wind 2024: 7.4; Rain 2023: 810; Rain 2024: 790",
        "Mast: Rev; Wind 2023: 5.0; Wind 2024: 5.2; Rain 2023: 600; Rain 2024: 640",
    ]


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("Cost centre | 2023 | 2024\nStaff | 1200 | 1300\nRent | 300 | 310\nTotal | 1500 | 1610",
         "Cost centre: Total; 2023: 1500; 2024: 1610"),
        ("Ode | 1914 | 1918\nHolm | 1939 | 1945\nFry | 1618 | 1648", "Fry; 1618; 1648"),
        ("Pump | Flow | Head | Power\n | m3/h | m | kW\nP1 | 12 | 30 | 2.2\nP2 | 18 | 25 | 3.0",
         "Pump: P2; Flow (m3/h): 18; Head (m): 25; Power (kW): 3.0"),
        ("Tank | Volume | Mass\nUnit | [l] | (kg)\nA | 12 | 30\nB | 18 | 25",
         "Tank: B; Volume (l): 18; Mass (kg): 25"),
        ("Position | Qty | Price | Amount\nKitchen | | | \n"
         "Sink | 1 | 220 | 220\nTap | 2 | 80 | 160\nWithout VAT. | | |",
         "Without VAT."),
        ("Article | Price | Stock\nSpade | 24.5 | 3\nRake | 19 | 5\nCity | Date | Visitors\n"
         "Alta | 2024-05-01 | 510\nMoss | 2024-05-02 | 220", "City: Moss; Date: 2024-05-02; Visitors: 220"),
        ("Column | Type | Meaning\nname | text | name of the person\nage | number | age in years\n"
         "city | text | town\ncountry | text | state", "Column: country; Type: text; Meaning: state"),
        ("Coffee ........ | 3.50\nTea ........... | 2.80", "Tea: 2.80"),
        ("Policy no.: | PX-88\nInsured: | Gil Rask", "Insured: Gil Rask"),
    ],
)  # fmt: skip
def test_the_last_row_of_tables_that_are_not_plain(table: str, found: str) -> None:
    assert lines(text_rows(table))[-1] == found


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Milk 1^99 €", "Milk 1.99 €"),
        ("Tea $3^50, ham 1 234^50 kr", "Tea $3.50, ham 1 234.50 kr"),
        ("10^12 euros, 10^99 euros", "10^12 euros, 10.99 euros"),
        ("25^10 units, x^20, 2^16 dollars", "25^10 units, x^20, 2^16 dollars"),
    ],
)
def test_raised_cents(line: str, shown: str) -> None:
    assert prices(line) == shown
