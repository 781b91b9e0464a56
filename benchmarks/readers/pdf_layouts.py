"""`python -m benchmarks.readers.pdf_layouts [--seeds N] [--reader NAME]`: PDF files of many layouts, read.

Enters: seeds. Leaves: files whose words, rows and lines are known, and a table of what was read of each
layout. Every layout is drawn in several ways: rules or none, headers set apart or plain, other alignments,
other lengths. `--reader pdfplumber` reads them with that library, where it is installed; its rows are
labelled by our rules.
"""

from __future__ import annotations

import argparse
import io
import random
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from backends.documents.parsers.common import table_lines
from backends.documents.parsing import parse_file
from benchmarks.readers.score import Score, Truth, score

COLUMNS = (
    "layout", "pages", "words", "extra", "numbers", "altered", "labels right", "false labels", "lines whole",
    "ms a page",
)  # fmt: skip
STYLES = getSampleStyleSheet()
TREES = "Oak Elm Ash Birch Cedar Fir Hazel Ivy Larch Maple Pine Rowan Spruce Teak Willow Alder Beech"
PARTS = "clamp washer bolt screw spring bracket valve hinge nut gasket pin rivet sleeve collar bush"
PERSONS = "Ana Hana Otto Vera Cleo Jana Quinn Xenia Eva Lea Sven Zoe Gil Nina Udo Ben Ivo Pia"
NAMES, THINGS, PEOPLE = (tuple(words.split()) for words in (TREES, PARTS, PERSONS))
PLACES = ("ground floor", "annex", "basement", "attic", "second floor", "first floor", "boat house")
SENTENCES = tuple(
    line.strip()
    for line in """
    The south wing houses the archive, which opens on weekdays from nine to four.
    Visitors must leave their bags at the desk and may not bring any liquids into the reading room at all.
    Copies cost ten cents each, and scans are free of charge.
    Orders that arrive before noon are ready on the same day, all others on the day after.
    Lost cards are replaced at the desk within an hour.
    The garden is open to members of the society and to their guests as long as daylight allows.
    Whoever finds a fault in the catalogue is asked to tell the librarian, who keeps a list of them.
    Groups of more than ten people are shown around by a guide, who should be asked for.
    """.strip().splitlines()
)

Rows = list[list[str]]


@dataclass(frozen=True)
class Layout:
    """A file and what stands in it: lines in order, and rows as (label, value), label "" for none."""

    data: bytes
    lines: list[str]
    rows: list[list[tuple[str, str]]] = field(default_factory=list)


def _pairs(header: Sequence[str], rows: Rows) -> list[list[tuple[str, str]]]:
    return [[(label, cell) for label, cell in zip(header, row, strict=True) if cell] for row in rows]


def _built(flow: Sequence[Any], draw: Callable[[Canvas, Any], None] = lambda *_: None) -> bytes:
    place = io.BytesIO()
    SimpleDocTemplate(place, pagesize=A4).build(list(flow), onFirstPage=draw, onLaterPages=draw)
    return place.getvalue()


def _drawn(pages: Sequence[Sequence[tuple[float, float, str] | tuple[float, float, str, str, int]]]) -> bytes:
    """Pages of (x, y, text[, font, size]); a text that begins with ">" ends at x."""
    place = io.BytesIO()
    canvas = Canvas(place, pagesize=A4)
    for page in pages:
        for x, y, text, *look in page:
            canvas.setFont(*(look or ("Helvetica", 10)))
            (canvas.drawRightString if text.startswith(">") else canvas.drawString)(x, y, text.lstrip(">"))
        canvas.showPage()
    canvas.save()
    return place.getvalue()


def _title(words: str) -> Paragraph:
    return Paragraph(words, STYLES["Title"])


def _body(words: str) -> Paragraph:
    return Paragraph(words, STYLES["BodyText"])


def _broken(words: str, width: int) -> list[str]:
    return [line.strip() for line in re.findall(rf".{{1,{width}}}(?:\s|$)", words)]


RULINGS: dict[str, list[Any]] = {
    "grid": [("GRID", (0, 0), (-1, -1), 0.5, colors.black)],
    "box": [("INNERGRID", (0, 0), (-1, -1), 0.25, colors.grey), ("BOX", (0, 0), (-1, -1), 1, colors.black)],
    "lines": [("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.grey)],
    "head": [("LINEBELOW", (0, 0), (-1, 0), 1, colors.black)],
    "none": [],
}
HEADS: dict[str, list[Any]] = {
    "bold": [("FONTNAME", (0, 0), (-1, 0), "Helvetica-Bold")],
    "shaded": [("BACKGROUND", (0, 0), (-1, 0), colors.lightgrey)],
    "plain": [],
}


def _table(
    rows: Sequence[Sequence[Any]],
    chance: random.Random,
    *,
    ruling: Sequence[str] = tuple(RULINGS),
    head: Sequence[str] = tuple(HEADS),
    aligns: Sequence[str] = (),
    widths: Sequence[float] | None = None,
    repeat: bool = False,
    style: Sequence[Any] = (),
) -> Table:
    """A table in one of the ways that people draw them."""
    columns = range(len(rows[0]))
    aligns = aligns or [chance.choice(["LEFT", "RIGHT", "CENTRE"]) for _ in columns]
    looks = [
        *RULINGS[chance.choice(ruling)],
        *HEADS[chance.choice(head)],
        ("FONTSIZE", (0, 0), (-1, -1), chance.choice([8, 9, 10])),
        *(("ALIGN", (at, 0), (at, -1), align) for at, align in enumerate(aligns)),
        *style,
    ]
    widths = widths or chance.choice([None, [chance.uniform(90, 125) for _ in columns]])
    return Table(rows, colWidths=widths, repeatRows=int(repeat), style=TableStyle(looks))


def _of_table(title: str, header: list[str], rows: Rows, table: Table, full: Rows | None = None) -> Layout:
    return Layout(_built([_title(title), table]), [title], _pairs(header, full or rows))


# --- tables ----------------------------------------------------------------------------------------


def price_list(chance: random.Random) -> Layout:
    """Over many pages, the header on each of them or on the first."""
    number, rows = 100_000 + chance.randrange(900), []
    for at in range(chance.choice([60, 140, 300])):
        number += chance.randrange(7, 60)
        name = f"{chance.choice(THINGS)} type {chr(65 + at % 26)}{at}"
        price = f"{chance.randrange(1, 90000) / 100:,.2f}"
        rows.append([str(number), name, str(chance.randrange(90)), price])
    header = ["Article", "Name", "Stock", "Price"]
    return _of_table(
        "Price list", header, rows, _table([header, *rows], chance, repeat=chance.random() < 0.5)
    )


def rooms(chance: random.Random) -> Layout:
    """Rows that differ in words alone, over pages."""
    rows = [
        [f"{name} {number}", f"{chance.choice(PEOPLE)} {chr(65 + at % 26)}.", chance.choice(PLACES)]
        for number in range(1, chance.choice([4, 6]))
        for at, name in enumerate(NAMES)
    ]
    header = ["Room", "Keeper", "Where"]
    return _of_table(
        "Room keepers", header, rows, _table([header, *rows], chance, repeat=chance.random() < 0.5)
    )


def timetable(chance: random.Random) -> Layout:
    header = ["Stop", *(f"Bus {at}" for at in range(1, chance.choice([4, 5])))]
    rows = [
        [f"Stop {at}", *(f"{hour:02}:{at % 60:02}" for hour in range(6, 5 + len(header)))]
        for at in range(1, chance.choice([50, 109]))
    ]
    return _of_table("Timetable", header, rows, _table([header, *rows], chance, repeat=chance.random() < 0.5))


def years(chance: random.Random) -> Layout:
    """A header of years over figures."""
    first = chance.randrange(2010, 2022)
    header = [
        chance.choice(["EUR million", "Site"]),
        *map(str, range(first, first + chance.choice([2, 3, 5]))),
    ]
    lines = ["Revenue", "Costs", "Profit", "Staff", "Taxes", "Energy", "Water"][: chance.choice([2, 4, 7])]
    rows = [[line, *(f"{chance.randrange(100, 99999) / 10:,.1f}" for _ in header[1:])] for line in lines]
    return _of_table("Figures", header, rows, _table([header, *rows], chance))


def centred(chance: random.Random) -> Layout:
    header = ["Size", "Chest", "Waist", "Hip"]
    rows = [
        [size, str(80 + 6 * at), str(64 + 6 * at), str(chance.randrange(86, 130))]
        for at, size in enumerate(["S", "M", "L", "XL", "XXL"][: chance.choice([3, 5])])
    ]
    widths = [chance.choice([60, 80, 100])] * 4
    return _of_table(
        "Sizes", header, rows, _table([header, *rows], chance, aligns=["CENTRE"] * 4, widths=widths)
    )


def row_spans(chance: random.Random) -> Layout:
    rows, full = [], []
    style: list[Any] = [("VALIGN", (0, 1), (0, -1), chance.choice(["TOP", "MIDDLE"]))]
    for zone in ["North", "South", "East", "West"][: chance.choice([2, 4])]:
        days = ["Weekday", "Weekend", "Holiday"][: chance.choice([2, 3])]
        style.append(("SPAN", (0, len(rows) + 1), (0, len(rows) + len(days))))
        for at, day in enumerate(days):
            fee = f"{chance.randrange(100, 990) / 100:.2f} euros"
            rows.append(["" if at else zone, day, fee])
            full.append([zone, day, fee])
    header = ["Zone", "Day", "Fee"]
    return _of_table(
        "Fees", header, rows, _table([header, *rows], chance, ruling=["grid", "box"], style=style), full
    )


def column_spans(chance: random.Random) -> Layout:
    header = ["Day", "Opens", "Closes", "Fee"]
    rows = [
        [
            day,
            f"{chance.randrange(6, 11):02}:00",
            f"{chance.randrange(15, 22)}:30",
            f"{chance.randrange(2, 9)}.00",
        ]
        for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
    ]
    at = chance.randrange(1, 4)
    full = [list(row) for row in rows]
    rows[at][1:3], full[at][1:3] = ["closed", ""], ["closed", "closed"]
    style = [("SPAN", (1, at + 1), (2, at + 1))]
    table = _table([header, *rows], chance, ruling=["grid"], head=["bold", "shaded"], style=style)
    return _of_table("Hours", header, rows, table, full)


def two_header_rows(chance: random.Random) -> Layout:
    halves = ["first half", "second half"]
    header = ["Region", *(f"{year} {half}" for year in (2023, 2024) for half in halves)]
    top, second = ["", "2023", "", "2024", ""], ["Region", *halves, *halves]
    rows = [
        [name, *(str(chance.randrange(100, 999)) for _ in range(4))]
        for name in NAMES[: chance.choice([3, 6])]
    ]
    style = [("SPAN", (1, 0), (2, 0)), ("SPAN", (3, 0), (4, 0)), ("ALIGN", (1, 0), (-1, 0), "CENTRE")]
    style += chance.choice([[("FONTNAME", (0, 0), (-1, 1), "Helvetica-Bold")], []])
    table = _table([top, second, *rows], chance, ruling=["grid", "box"], head=["plain"], style=style)
    return _of_table("Sales", header, rows, table)


def wrapped_cells(chance: random.Random) -> Layout:
    rows = [
        [f"Risk {at}: {chance.choice(THINGS)}", chance.choice(PEOPLE), sentence]
        for at, sentence in enumerate(SENTENCES[: chance.choice([4, 7])], start=1)
    ]
    cells = [[_body(cell) for cell in row] for row in rows]
    style = [("VALIGN", (0, 0), (-1, -1), chance.choice(["TOP", "MIDDLE"]))]
    header, widths = ["Risk", "Owner", "What is done about it"], [100, 60, chance.choice([150, 260])]
    table = _table([header, *cells], chance, head=["bold"], widths=widths, style=style, aligns=["LEFT"] * 3)
    return _of_table("Risks", header, rows, table)


def empty_cells(chance: random.Random) -> Layout:
    """Cells that are empty, and a sum below."""
    rows = []
    for at in range(chance.choice([5, 12])):
        hours = ["", ""] if at % 3 == 1 else [str(chance.randrange(2, 40)), "40.00"]
        rows.append([f"{chance.choice(THINGS)} work {at}", *hours, f"{chance.randrange(100, 9999)}.00"])
    rows.append(["Total", "", "", f"{chance.randrange(10000, 99999)}.00"])
    header, aligns = ["Post", "Hours", "Rate", "Sum"], ["LEFT", "RIGHT", "RIGHT", "RIGHT"]
    ruling = ["grid", "none", "head"]
    table = _table([header, *rows], chance, ruling=ruling, aligns=aligns, widths=[150, 60, 60, 80])
    return _of_table("Work", header, rows, table)


def no_header(chance: random.Random) -> Layout:
    """A list of people: none of them may become a label."""
    rows = [
        [f"{chance.choice(PEOPLE)} {chance.choice(NAMES)}", place, f"{chance.choice(NAMES)} office"]
        for place in chance.sample(["Sales", "Purchasing", "Legal", "Support", "Finance"], 4)
    ]
    table = _table(rows, chance, head=["plain"], ruling=["grid", "none", "lines"])
    return _of_table("People", ["", "", ""], rows, table)


def label_and_value(chance: random.Random) -> Layout:
    """Label, value, label, value."""
    rows = [
        ["Insured", f"{chance.choice(PEOPLE)} Rask", "Policy", f"PX-{chance.randrange(10, 99)}"],
        ["Car", f"Volta {chance.randrange(1, 9)}", "Plate", f"KL {chance.randrange(10, 99)}"],
        ["Street", f"Mill Lane {chance.randrange(1, 99)}", "Town", f"{chance.choice(NAMES)}ton"],
        ["Phone", "555 0101", "Since", str(chance.randrange(1990, 2020))],
    ][: chance.choice([3, 4])]
    aligns, widths = ["LEFT"] * 4, [80, 110, 80, 110]
    table = _table(rows, chance, head=["plain"], ruling=["grid", "box", "none"], aligns=aligns, widths=widths)
    return Layout(
        _built([_title("Policy"), table]), ["Policy"], [[(row[0], row[1]), (row[2], row[3])] for row in rows]
    )


def groups_of_rows(chance: random.Random) -> Layout:
    """Headings among the rows."""
    rows, full, style, ruled = [], [], [], chance.random() < 0.4
    for group in ["Fruit", "Bread", "Cheese"][: chance.choice([2, 3])]:
        style.append(("SPAN", (0, len(rows) + 1), (-1, len(rows) + 1)))
        rows.append([group, "", ""])
        for at in range(chance.choice([2, 4])):
            price = f"{chance.randrange(100, 900) / 100:.2f}"
            full.append([f"{group} {chr(97 + at)}", f"{chance.randrange(1, 9)} kg", price])
            rows.append(full[-1])
    header, aligns, ruling = (
        ["Item", "Size", "Price"],
        ["LEFT", "CENTRE", "RIGHT"],
        ["grid"] if ruled else ["none", "head"],
    )
    table = _table([header, *rows], chance, ruling=ruling, head=["bold"], style=style * ruled, aligns=aligns)
    groups = [row[0] for row in rows if not row[1]]
    return Layout(_built([_title("Prices"), table]), ["Prices", *groups], _pairs(header, full))


def tables_with_captions(chance: random.Random) -> Layout:
    """Tables below each other: the labels of one are not the other's."""
    flow, lines, pairs = [], [], []
    for at, header in enumerate(
        (["Site", "Staff", "Beds"], ["City", "Rooms", "Fee"], ["Lake", "Boats", "Piers"])
    ):
        rows = [
            [name, str(chance.randrange(10, 99)), str(chance.randrange(100, 999))]
            for name in chance.sample(NAMES, 4)
        ]
        lines.append(f"Table {at + 1}: {header[0]} by {header[1].lower()}")
        table = _table([header, *rows], chance, widths=[100, 60, 60])
        flow += [_body(lines[-1]), table, Spacer(1, chance.choice([4, 20]))]
        pairs += _pairs(header, rows)
    return Layout(_built(flow), lines, pairs)


def drawn_rows(chance: random.Random) -> Layout:
    """Rows at fixed places, tight, over pages, the header on each or on the first."""
    rows = [
        [
            str(chance.randrange(10**7, 10**8)),
            f"{chance.choice(PEOPLE)} {chance.choice(NAMES)}",
            f"{chance.randrange(1, 28):02}.{chance.randrange(1, 12):02}.{chance.randrange(1990, 2024)}",
            f"{chance.choice(['', '-'])}{chance.randrange(1, 99999) / 100:,.2f}",
        ]
        for _ in range(chance.choice([30, 90]))
    ]
    header, leading, each = (
        ["Account", "Holder", "Opened", "Balance"],
        chance.choice([12, 15]),
        chance.random() < 0.5,
    )
    pages = []
    for start in range(0, len(rows), 40):
        lines = [header] * (each or not start) + rows[start : start + 40]
        spots = [(780.0 - leading * at, line) for at, line in enumerate(lines)]
        pages.append(
            [
                (x, y, text)
                for y, line in spots
                for x, text in zip((60, 160, 300, 500), (*line[:3], f">{line[3]}"), strict=True)
            ]
        )
    return Layout(_drawn(pages), [], _pairs(header, rows))


def noted_figures(chance: random.Random) -> Layout:
    """Marks of notes behind figures of a table."""
    rows = [
        [f"{chance.choice(THINGS)} {at}", str(chance.randrange(100, 999)), str(chance.randrange(10, 99))]
        for at in range(5)
    ]
    cells = [
        [_body(row[0]), _body(f"{row[1]}<super>{1 + at % 2}</super>"), row[2]] for at, row in enumerate(rows)
    ]
    header, widths = ["Load", "Limit", "Tested"], [120, 80, 60]
    table = _table(
        [header, *cells], chance, ruling=["grid", "none"], head=["bold"], widths=widths, aligns=["LEFT"] * 3
    )
    notes = _body("<super>1</super> At 20 degrees.<br/><super>2</super> Without its lid.")
    full = [[row[0], f"{row[1]} (note {1 + at % 2})", row[2]] for at, row in enumerate(rows)]
    lines = ["Loads", "Note 1: At 20 degrees.", "Note 2: Without its lid."]
    return Layout(_built([_title("Loads"), table, Spacer(1, 20), notes]), lines, _pairs(header, full))


def money(chance: random.Random) -> Layout:
    """Figures as they are written in different places."""
    rows = []
    for name in chance.sample(NAMES, 8):
        n = chance.randrange(1, 999)
        sums = [f"{n} {n % 900 + 100:03},50 €", f"({n}.{n % 10}00)", f"$ {n},000.75", f"{n}'200 CHF", f"-{n}"]
        changes = [f"{n % 20},{n % 10} %", f"+{n % 9}.1%", "n/a", "–"]
        rows.append([name, chance.choice(sums), chance.choice(changes), f"{n % 28 + 1}/{n % 12 + 1}/2024"])
    header, aligns = ["Land", "Turnover", "Change", "Day"], ["LEFT", "RIGHT", "RIGHT", "CENTRE"]
    return _of_table(
        "Turnover by land",
        header,
        rows,
        _table([header, *rows], chance, aligns=aligns, head=["bold", "shaded"]),
    )


def bill_with_items(chance: random.Random) -> Layout:
    """An address beside the bill's data, items drawn line by line, sums below."""
    header, rows = ["Pos", "Description", "Qty", "Unit price", "Amount"], []
    for at in range(1, chance.choice([3, 8, 14])):
        count, price = chance.randrange(1, 20), chance.randrange(100, 20000) / 100
        name = f"{chance.choice(THINGS)} {chance.choice(['M6', 'M8', 'steel', 'brass'])}"
        rows.append([str(at), name, str(count), f"{price:,.2f}", f"{count * price:,.2f}"])
    data = [
        ("Invoice no.", str(chance.randrange(1000, 9999))),
        ("Date", "3 May 2024"),
        ("Customer", f"C-{chance.randrange(97)}"),
    ]
    sums = [
        ("Subtotal", f"{chance.randrange(100, 9999)}.10"),
        ("VAT 19 %", "88.40"),
        ("Total", f"{chance.randrange(99, 999)}.50"),
    ]
    leading, font = chance.choice([13, 16, 20]), chance.choice(["Helvetica-Bold", "Helvetica"])
    page: list[Any] = [
        (60, 780 - 13 * at, line) for at, line in enumerate(("Example Works", "Mill Lane 4", "12345 Newtown"))
    ]
    for at, (label, value) in enumerate(data):
        page += [(360, 780 - 13 * at, label), (450, 780 - 13 * at, value)]
    for at, row in enumerate([header, *rows]):
        y, look = 680 - leading * at, (font, 10) if at == 0 else ()
        page += [(60, y, row[0], *look), (95, y, row[1], *look)]
        page += [(x, y, f">{cell}", *look) for x, cell in zip((330, 430, 530), row[2:], strict=True)]
    for at, (label, value) in enumerate(sums):
        y = 680 - leading * (len(rows) + 2) - 14 * at
        page += [(360, y, label), (530, y, f">{value}")]
    page.append((60, 90, "Payable in 14 days without deduction."))
    lines = [
        "Example Works",
        "Mill Lane 4",
        "12345 Newtown",
        *(f"{label}: {value}" for label, value in (*data, *sums)),
    ]
    return Layout(_drawn([page]), [*lines, "Payable in 14 days without deduction."], _pairs(header, rows))


# --- pages that repeat themselves -------------------------------------------------------------------


def invoices(chance: random.Random) -> Layout:
    """One a page: number above, total below."""
    first, pages, lines = chance.randrange(1000, 9000), [], []
    look = chance.choice([("Helvetica-Bold", 14), ("Helvetica", 11)])
    for at in range(1, chance.choice([3, 4, 7])):
        total = f"{chance.randrange(1000, 99999) / 100:,.2f} euros"
        texts = [
            f"Invoice {first + at}",
            f"Date: {at:02} May 2024",
            f"For services in April we charge {total}, due in 14 days.",
            f"Total due: {total}",
        ]
        spots = zip((780, 760, 700, 120), texts, strict=True)
        pages.append([(72, y, text, *(look if y == 780 else ("Helvetica", 10))) for y, text in spots])
        pages[-1].append((520, 40, f">Page {at}", "Helvetica", 10))
        lines += texts
    return Layout(_drawn(pages), lines)


def payslips(chance: random.Random) -> Layout:
    """One a page, the same form on each."""
    flow, lines, pairs = [], [], []
    for name in chance.sample(PEOPLE, chance.choice([3, 5])):
        rows = [
            ["Gross pay", f"{chance.randrange(2000, 5000)}.00"],
            ["Tax", f"-{chance.randrange(200, 900)}.00"],
            ["Net pay", f"{chance.randrange(1500, 3500)}.00"],
        ]
        table = _table(
            [["Item", "Amount"], *rows], chance, head=["bold"], aligns=["LEFT", "RIGHT"], widths=[120, 80]
        )
        flow += [
            _body(f"Payslip of {name}"),
            _body("Example Works, Mill Lane 4"),
            Spacer(1, 30),
            table,
            PageBreak(),
        ]
        lines += [f"Payslip of {name}", "Example Works, Mill Lane 4"]
        pairs += _pairs(["Item", "Amount"], rows)
    return Layout(_built(flow), lines, pairs)


def rules(chance: random.Random) -> Layout:
    """One heading a page, which differs in its number."""
    word, look, pages, lines = (
        chance.choice(["Rule", "Section"]),
        ("Helvetica-Bold", chance.choice([11, 14, 18])),
        [],
        [],
    )
    for at, sentence in enumerate(SENTENCES[: chance.choice([3, 4, 8])], start=1):
        pages.append([(72, 770, f"{word} {at}", *look)])
        pages[-1] += [
            (72, 730 - 12 * row, line, "Helvetica", 10) for row, line in enumerate(_broken(sentence, 80))
        ]
        lines += [f"{word} {at}", sentence]
    return Layout(_drawn(pages), lines)


def slides(chance: random.Random) -> Layout:
    """Few lines on each, titles that differ in a number."""
    closing, pages, lines = "See the plan for details of the regions and the teams.", [], []
    for at, year in enumerate(range(2021, 2021 + chance.choice([3, 5])), start=1):
        texts = [f"Target {year}", f"Sell {chance.randrange(100, 999)} units in the north.", closing]
        pages.append(
            [
                (50, y, text, "Helvetica", 28 if y == 340 else 16)
                for y, text in zip((340, 200, 150), texts, strict=True)
            ]
        )
        pages[-1].append((50, 20, str(at), "Helvetica", 16))
        lines += texts
    return Layout(_drawn(pages), lines)


def manual(chance: random.Random) -> Layout:
    """Prose with headers and footers, which are wanted once."""

    def draw(canvas: Canvas, _: Any) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(72, 810, "Example Works | Service manual")
        canvas.drawRightString(520, 810, f"Page {canvas.getPageNumber()}")
        canvas.drawString(72, 30, "Confidential")

    flow, lines = [], ["Example Works | Service manual", "Confidential"]
    for at in range(1, chance.choice([5, 9])):
        text = " ".join([f"{chance.choice(PEOPLE)} wrote part {at}.", *chance.sample(SENTENCES, 6)])
        flow += [Paragraph(f"Chapter {at}", STYLES["Heading1"]), _body(text), PageBreak()]
        lines += [f"Chapter {at}", text]
    return Layout(_built(flow, draw), lines)


# --- prose and forms -------------------------------------------------------------------------------


def report(chance: random.Random) -> Layout:
    """Headings, paragraphs with figures, lists."""
    flow, lines = [_title("Yearly report")], ["Yearly report"]
    for at in range(1, chance.choice([4, 7])):
        sold, more = f"{chance.randrange(1000, 9999):,}", f"{chance.randrange(30)}.{at} %"
        facts = f"In {2010 + at} we sold {sold} tickets, {more} more than before."
        text = " ".join([facts, *chance.sample(SENTENCES, 3)])
        flow += [Paragraph(f"{at} Results of part {at}", STYLES["Heading2"]), _body(text)]
        lines += [f"{at} Results of part {at}", text]
        for mark in chance.choice([["\u2022"] * 3, ["1.", "2.", "3."]]):
            item = (
                f"{chance.choice(THINGS)} {at}{chance.randrange(9)} costs {chance.randrange(1, 99)}.50 euros"
            )
            flow.append(Paragraph(item, STYLES["Bullet"], bulletText=mark))
            lines.append(f"{mark} {item}".replace("\u2022", "-"))
    return Layout(_built(flow), lines)


def _in_columns(chance: random.Random, parts: Sequence[str], width: int, step: int) -> list[Any]:
    """Columns that the file holds line by line, or one after the other."""
    spots = [
        (row, column, line)
        for column, part in enumerate(parts)
        for row, line in enumerate(_broken(part, width))
    ]
    return [
        (50 + step * column, 700 - 13 * row, line)
        for row, column, line in (sorted(spots) if chance.random() < 0.7 else spots)
    ]


def two_columns(chance: random.Random) -> Layout:
    half = chance.choice([2, 3, 4])
    parts = [" ".join(SENTENCES[:half]), " ".join(SENTENCES[half : 2 * half])]
    return Layout(_drawn([_in_columns(chance, parts, 38, 260)]), parts)


def three_columns(chance: random.Random) -> Layout:
    """A heading over them."""
    parts = [" ".join(chance.sample(SENTENCES, 2)) for _ in range(3)]
    heading = "News of the society and of all its houses"
    return Layout(
        _drawn([[(50, 760, heading, "Helvetica-Bold", 16), *_in_columns(chance, parts, 27, 170)]]),
        [heading, *parts],
    )


def glossary(chance: random.Random) -> Layout:
    """Terms and their meanings, wrapped, without rules."""
    rows = [[name, sentence] for name, sentence in zip(chance.sample(THINGS, 6), SENTENCES, strict=False)]
    cells = [[_body(cell) for cell in row] for row in rows]
    table = Table(
        cells,
        colWidths=[90, chance.choice([180, 300])],
        style=TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP")]),
    )
    return Layout(
        _built([_title("Words"), table]), ["Words", *(f"{name}: {sentence}" for name, sentence in rows)]
    )


def powers_and_notes(chance: random.Random) -> Layout:
    load, dose, unit = (
        chance.randrange(200, 900),
        chance.choice([3, 5, 6, 9]),
        chance.choice(["kg", "bar", "euros", "mm"]),
    )
    text = _body(
        f"The dose is 10<super>{dose}</super> units per m<super>2</super> and H<sub>2</sub>O below 5 %.<br/>"
        f"The load limit is {load}<super>1</super> {unit}. The fee was raised<super>2</super> in May."
    )
    notes = _body("<super>1</super> Only on level ground.<br/><super>2</super> By the council.")
    lines = [
        f"The dose is 10^{dose} units per m^2 and H2O below 5 %.",
        f"The load limit is {load} {unit} (note 1).",
        "The fee was raised (note 2) in May.",
        "Note 1: Only on level ground.",
        "Note 2: By the council.",
    ]
    return Layout(_built([text, Spacer(1, chance.choice([10, 300])), notes]), lines)


def form(chance: random.Random) -> Layout:
    """Fields that were filled in, with labels beside or above."""
    values = [("Plate", f"KL-{chance.randrange(1000, 9999)}"), ("Zone", f"North {chance.randrange(2, 9)}")]
    ticked, above, place = chance.random() < 0.5, chance.random() < 0.3, io.BytesIO()
    canvas = Canvas(place, pagesize=A4)
    canvas.setFont("Helvetica", 10)
    canvas.drawString(72, 750, "Application for a parking permit")
    for at, (label, value) in enumerate(values):
        y, x = 710 - 50 * at, 72 if above else 150
        canvas.drawString(72, y + 16 * above, f"{label}:")
        canvas.acroForm.textfield(name=f"f{at}", value=value, x=x, y=y - 6, width=180, height=18)
    canvas.drawString(72, 600, "Resident:")
    canvas.acroForm.checkbox(name="resident", checked=ticked, x=150, y=596, size=14)
    canvas.save()
    filled = [f"{label}: {value}" for label, value in (*values, ("Resident", "yes" if ticked else "no"))]
    return Layout(place.getvalue(), ["Application for a parking permit", *filled])


LAYOUTS: tuple[Callable[[random.Random], Layout], ...] = (
    price_list, rooms, timetable, years, centred, row_spans, column_spans, two_header_rows, wrapped_cells,
    empty_cells, no_header, label_and_value, groups_of_rows, tables_with_captions, drawn_rows, noted_figures,
    money, bill_with_items, invoices, payslips, rules, slides, manual, report, two_columns, three_columns,
    glossary, powers_and_notes, form,
)  # fmt: skip


# --- reading ---------------------------------------------------------------------------------------


def own(path: Path) -> tuple[str, int]:
    parsed = parse_file(path)
    return parsed.text, len(parsed.pages)


def pdfplumber(path: Path) -> tuple[str, int]:
    import pdfplumber as library

    texts = []
    with library.open(path) as document:
        for page in document.pages:
            tables = page.find_tables()
            rest = page
            for table in tables:
                rest = rest.outside_bbox(table.bbox)
            texts.append(rest.extract_text() or "")
            texts += ["\n".join(table_lines(table.extract())) for table in tables]
        return "\n".join(texts), len(document.pages)


READERS = {each.__name__: each for each in (own, pdfplumber)}


@dataclass
class Total:
    """Counts of one layout."""

    score: Score = field(default_factory=Score)
    whole: int = 0  # lines found as they stand
    lines: int = 0
    pages: int = 0
    seconds: float = 0.0


def measured(seeds: int, read: Callable[[Path], tuple[str, int]]) -> Iterator[tuple[str, Total]]:
    """Every layout with what was read of it, and all together."""
    totals: dict[str, Total] = defaultdict(Total)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.pdf"
        for make in LAYOUTS:
            for seed in range(seeds):
                layout = make(random.Random(f"{make.__name__} {seed}"))
                path.write_bytes(layout.data)
                began = time.process_time()
                text, pages = read(path)
                seconds = time.process_time() - began
                flat, found = " ".join(text.split()), score(Truth(layout.lines, layout.rows), text)
                for total in (totals[make.__name__.replace("_", " ")], totals["all"]):
                    total.score += found
                    total.whole += sum(line in flat for line in layout.lines)
                    total.lines += len(layout.lines)
                    total.pages += pages
                    total.seconds += seconds
    yield from sorted(totals.items(), key=lambda item: item[0] == "all")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.readers.pdf_layouts", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--seeds", type=int, default=6, help="files a layout")
    parser.add_argument("--reader", choices=sorted(READERS), default="own")
    given = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for name, total in measured(given.seeds, READERS[given.reader]):
        found = total.score
        cells = [
            name, total.pages, _share(found.words_found, found.words), found.words_extra,
            _share(found.numbers_found, found.numbers), found.numbers_altered,
            _share(found.rows_right, found.rows), found.labels_false, _share(total.whole, total.lines),
            f"{1000 * total.seconds / total.pages:.1f}",
        ]  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
