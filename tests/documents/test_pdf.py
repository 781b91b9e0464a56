"""PDF: what stands on a page is read as it stands, nothing is lost, no label is wrong."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfdoc
from reportlab.pdfgen.canvas import Canvas

from backends.datatypes import ParsedFile, UserError
from backends.documents import limits
from backends.documents.parsers import recognition
from backends.documents.parsers.pdf_page import LEVEL, LOWERED, RAISED, TextLine
from backends.documents.parsers.pdf_reading import pages_in_words
from backends.documents.parsers.pdf_scripts import plain_scripts
from backends.documents.parsing import parse_file

Spot = tuple[float, float, str]  # x, y, text; a text that begins with ">" ends at x
LEFT = [
    "The keeper of the harbour opens",
    "its gates at dawn, and closes them",
    "when the last boat has come in.",
    "Guests pay at the red house.",
]
RIGHT = [
    "Nets may be dried on the northern",
    "pier only, as the other ones are",
    "kept free for the ferry and for",
    "whoever waits for it.",
]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., ParsedFile]:
    """Draw pages of spots, with whatever else `more` draws on the first, and read them."""

    def read(
        *pages: Sequence[Spot], more: Callable[[Canvas], None] | None = None, bold: int = 0
    ) -> ParsedFile:
        path = tmp_path / "a.pdf"
        canvas = Canvas(str(path), pagesize=(600, 800))
        for number, page in enumerate(pages):
            for at, (x, y, text) in enumerate(page):
                canvas.setFont("Helvetica-Bold" if at < bold else "Helvetica", 10)
                (canvas.drawRightString if text[:1] == ">" else canvas.drawString)(x, y, text.lstrip(">"))
            if more and number == 0:
                more(canvas)
            canvas.showPage()
        canvas.save()
        return parse_file(path)

    return read


def rows(cells: Sequence[Sequence[str]], y: float, xs: Sequence[float], leading: float = 16) -> list[Spot]:
    return [
        (x, y - leading * at, cell)
        for at, row in enumerate(cells)
        for x, cell in zip(xs, row, strict=True)
        if cell
    ]


def page_texts(parsed: ParsedFile) -> list[str]:
    return [parsed.text[page.start : page.end] for page in parsed.pages]


# --- page headers and footers ------------------------------------------------------------------------


def test_headers_stand_once_and_page_numbers_never(read: Callable[..., ParsedFile]) -> None:
    words = [
        "Boats leave at noon.",
        "Nets dry on the pier.",
        "Keys hang in the hall.",
        "Lamps burn all night.",
    ]
    pages = [
        [(50, 780, "Harbour | Manual"), (500, 780, f"Page {at}"), (50, 700, text), (50, 20, "Rev. B")]
        for at, text in enumerate(words, start=1)
    ]
    first, *others = page_texts(read(*pages))
    assert first.split() == ["Harbour", "|", "Manual", "Boats", "leave", "at", "noon.", "Rev.", "B"]
    assert others == words[1:]


@pytest.mark.parametrize("count", [2, 3, 12])
def test_lines_that_count_with_the_pages_are_kept(count: int, read: Callable[..., ParsedFile]) -> None:
    """A number is a page's only where it says so, or stands alone on three pages or more."""
    pages = [
        [(50, 780, f"Rule {at}"), (50, 700, f"Text {at * 7} of it."), (50, 20, f"{at}")]
        for at in range(1, count + 1)
    ]
    texts = page_texts(read(*pages))
    assert [text.split("\n\n")[0] for text in texts] == [f"Rule {at}" for at in range(1, count + 1)]
    assert all(text.endswith("of it." if count > 2 else f"{at}") for at, text in enumerate(texts, start=1))


def test_a_footer_with_an_amount_is_content(read: Callable[..., ParsedFile]) -> None:
    total = [(50.0, 100.0, "Total due"), (300.0, 100.0, "12.50 euros")]
    bills = ((71, "May"), (75, "June"), (82, "July"))
    pages = [[(50, 780, f"Bill {at}"), (50, 700, f"For {name}."), *total] for at, name in bills]
    assert all(text.endswith("Total due: 12.50 euros") for text in page_texts(read(*pages)))


# --- tables ------------------------------------------------------------------------------------------


def test_a_table_goes_on_over_pages_with_its_labels(read: Callable[..., ParsedFile]) -> None:
    xs = (50, 200, 350)
    first = rows([("Code", "Town", "Fee"), *((f"K{at}", "Alta", f"{at}.50") for at in range(30))], 780, xs)
    second = rows([(f"K{at}", "Boden", f"{at}.50") for at in range(30, 50)], 780, xs)
    one, two = page_texts(read(first, second))
    assert one.split("\n")[0] == "Code: K0; Town: Alta; Fee: 0.50"
    assert two.split("\n")[0] == "Code: K30; Town: Boden; Fee: 30.50"


def test_the_next_table_does_not_take_the_labels_of_the_one_before(read: Callable[..., ParsedFile]) -> None:
    xs = (50, 200, 350)
    page = [
        *rows([("Site", "Staff", "Beds"), ("Alta", "12", "300"), ("Boden", "9", "210")], 780, xs),
        (50, 700, "In other towns the rooms are counted:"),
        *rows([("City", "Rooms", "Fee"), ("Essen", "41", "12"), ("Faro", "7", "15")], 680, xs),
    ]
    lines = read(page).text.split("\n")
    assert "Site: Alta; Staff: 12; Beds: 300" in lines
    assert "City: Essen; Rooms: 41; Fee: 12" in lines


def test_rows_under_a_different_header_on_the_next_page(read: Callable[..., ParsedFile]) -> None:
    """The same columns, but a heading of its own: neither header is the other's."""
    xs = (50, 200, 350)
    first = rows(
        [("Stop", "Bus 1", "Bus 2"), *((f"Quay {at}", f"6:{at:02}", f"7:{at:02}") for at in range(10, 40))],
        780,
        xs,
    )
    second = rows(
        [("Stop", "Bus 3", "Bus 4"), *((f"Quay {at}", f"8:{at:02}", f"9:{at:02}") for at in range(10, 40))],
        780,
        xs,
    )
    one, two = page_texts(read(first, second))
    assert "Stop: Quay 12; Bus 1: 6:12; Bus 2: 7:12" in one
    assert "Stop: Quay 12; Bus 3: 8:12; Bus 4: 9:12" in two


def test_another_table_at_the_top_of_the_next_page(read: Callable[..., ParsedFile]) -> None:
    """The same columns and no word between: what its first row says tells that it is another table."""
    xs = (50, 200, 350)
    first = rows(
        [("Site", "Staff", "Beds"), *((f"Alta {at}", f"{at}", f"{at}00") for at in range(10, 40))], 780, xs
    )
    second = rows(
        [("City", "Rooms", "Fee"), *((f"Faro {at}", f"{at}", f"{at}.50") for at in range(10, 30))], 780, xs
    )
    one, two = page_texts(read(first, second))
    assert "Site: Alta 12; Staff: 12; Beds: 1200" in one
    assert "City: Faro 12; Rooms: 12; Fee: 12.50" in two


def test_a_row_left_over_for_the_next_page_has_its_labels(read: Callable[..., ParsedFile]) -> None:
    xs = (50, 200, 350)
    first = rows([("Code", "Town", "Fee"), *((f"K{at}", "Alta", f"{at}.50") for at in range(40))], 780, xs)
    assert (
        page_texts(read(first, rows([("K40", "Boden", "40.50")], 780, xs)))[1]
        == "Code: K40; Town: Boden; Fee: 40.50"
    )


def test_bold_first_rows_are_labels_and_plain_ones_of_words_are_not(read: Callable[..., ParsedFile]) -> None:
    cells = [("Ana Holm", "Sales", "Oslo"), ("Ben Ode", "Legal", "Rome"), ("Eva Lind", "Stores", "Graz")]
    spots = rows(cells, 700, (50, 200, 350))
    assert read(spots).text == "Ana Holm; Sales; Oslo\nBen Ode; Legal; Rome\nEva Lind; Stores; Graz"
    assert read(spots, bold=3).text.split("\n")[0] == "Ana Holm: Ben Ode; Sales: Legal; Oslo: Rome"


def test_groups_above_columns_by_the_rules_below_them(read: Callable[..., ParsedFile]) -> None:
    cells = [
        ("", "North", "", "South", ""),
        ("Week", "in", "out", "in", "out"),
        ("1", "12", "13", "21", "22"),
        ("2", "14", "15", "23", "24"),
    ]
    ruled = [(140, 305), (320, 470)]  # of unequal reach: their middle tells nothing

    def draw(canvas: Canvas) -> None:
        for start, end in ruled:
            canvas.line(start, 697, end, 697)
        canvas.line(50, 681, 470, 681)

    lines = read(rows(cells, 700, (50, 150, 260, 340, 430)), more=draw).text.split("\n")
    assert lines[0] == "Week: 1; North in: 12; North out: 13; South in: 21; South out: 22"


def test_groups_whose_reach_is_not_certain_are_no_labels(read: Callable[..., ParsedFile]) -> None:
    cells = [
        ("", "North", "", "South", ""),
        ("Week", "in", "out", "in", "out"),
        ("1", "12", "13", "21", "22"),
        ("2", "14", "15", "23", "24"),
    ]
    text = read(rows(cells, 700, (50, 150, 260, 340, 430))).text
    assert text.split("\n")[0] == "North; South"
    assert "North in" not in text


def test_empty_cells_are_filled_only_where_rules_say_so(read: Callable[..., ParsedFile]) -> None:
    cells = [("Zone", "Day", "Fee"), ("North", "Weekday", "4.10"), ("", "Weekend", "2.70")]
    spots = rows(cells, 700, (55, 155, 255))

    def grid(canvas: Canvas) -> None:
        for y in (714, 694, 662):
            canvas.line(50, y, 350, y)
        canvas.line(150, 678, 350, 678)
        for x in (50, 150, 250, 350):
            canvas.line(x, 662, x, 714)

    assert read(spots).text.split("\n")[1] == "Day: Weekend; Fee: 2.70"
    assert read(spots, more=grid).text.split("\n")[1] == "Zone: North; Day: Weekend; Fee: 2.70"


def test_rules_part_what_stands_close_together(read: Callable[..., ParsedFile]) -> None:
    cells = [("Lot", "Sum"), ("7", "120"), ("8", "95")]

    def grid(canvas: Canvas) -> None:
        for y in (714, 694, 678, 662):
            canvas.line(50, y, 110, y)
        for x in (50, 70, 110):
            canvas.line(x, 662, x, 714)

    assert "7 120" not in read(rows(cells, 700, (54, 72)), more=grid).text


def test_columns_of_prose_are_no_table(read: Callable[..., ParsedFile]) -> None:
    spots = [
        (40 + 280 * column, 700 - 12 * row, text)
        for row, pair in enumerate(zip(LEFT, RIGHT, strict=True))
        for column, text in enumerate(pair)
    ]
    text = read(spots).text
    assert " ".join(text.split()) == " ".join([*LEFT, *RIGHT])


# --- raised and lowered ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a dose of 10^6 units", "a dose of 10^6 units"),
        ("10^-3 mol", "10^-3 mol"),
        ("of 250^1 kg.", "of 250 kg (note 1)."),
        ("for 12^2 people", "for 12 (note 2) people"),
        ("2 × 10^2 kg", "2 × 10^2 kg"),
        ("40 m^2 large", "40 m^2 large"),
        ("it rose^1 in May", "it rose (note 1) in May"),
        ("as shown.^1,2 Then", "as shown. (note 1, 2) Then"),
        ("the 2^nd and 1^st", "the 2nd and 1st"),
        ("x^2 + 7^8", "x^2 + 7^8"),
        ("H_2 O", "H2 O"),
        ("110_2 is 6", "110_2 is 6"),
        ("250* kg", "250* kg"),
        ("^1 Only uphill.", "Note 1: Only uphill."),
        ("1^1/2 cups", "1 1/2 cups"),
    ],
)
def test_no_number_changes_by_what_is_raised(text: str, plain: str) -> None:
    """In `text` a raised or lowered part is what follows ^ or _ up to a blank or a stop."""
    marked = re.sub(
        r"([\^_])([-\w]+(?:,\d)?)", lambda m: f"{RAISED if m[1] == '^' else LOWERED}{m[2]}{LEVEL}", text
    )
    notes = [f"{RAISED}1{LEVEL} Only uphill.", f"{RAISED}2{LEVEL} By order."]
    lines = [TextLine(each, 0, 100, 0, 7, 10) for each in (marked, *notes)]
    assert plain_scripts([lines])[0][0].text == plain


def test_superscript_characters_are_told_from_figures() -> None:
    lines = [
        TextLine(text, 0, 100, 0, 7, 10)
        for text in ("The limit is 250¹ kg, or 10⁶ g on 4 m².", "¹ Only uphill.")
    ]
    assert [line.text for line in plain_scripts([lines])[0]] == [
        "The limit is 250 kg (note 1), or 10^6 g on 4 m².",
        "Note 1: Only uphill.",
    ]


# --- forms, comments, what is not read ---------------------------------------------------------------


def test_fields_stand_behind_their_labels_and_in_their_columns(read: Callable[..., ParsedFile]) -> None:
    def fields(canvas: Canvas) -> None:
        form = canvas.acroForm
        form.textfield(name="a", value="KL-7724", x=150, y=694, width=120, height=18)
        form.checkbox(name="b", checked=True, x=60, y=640, size=14)
        form.checkbox(name="c", checked=False, x=60, y=610, size=14)
        for at, (item, count) in enumerate((("Bolt", "12"), ("Nut", "30"))):
            form.textfield(name=f"d{at}", value=item, x=60, y=480 - 30 * at, width=100, height=18)
            form.textfield(name=f"e{at}", value=count, x=260, y=480 - 30 * at, width=100, height=18)

    spots = [
        (60, 700, "Plate:"),
        (80, 644, "Express"),
        (80, 614, "Insured"),
        (60, 520, "Article"),
        (260, 520, "Pieces"),
    ]
    text = read(spots, more=fields).text
    assert "Plate: KL-7724" in text
    assert "[x] Express" in text and "[ ] Insured" in text
    assert "Article: Bolt; Pieces: 12\nArticle: Nut; Pieces: 30" in text


def annotation(kind: str, box: Sequence[float], **more: Any) -> Callable[[Canvas], None]:
    corners = [box[0], box[3], box[2], box[3], box[0], box[1], box[2], box[1]]
    entries = {
        "Type": pdfdoc.PDFName("Annot"),
        "Subtype": pdfdoc.PDFName(kind),
        "Rect": pdfdoc.PDFArray(list(box)),
        "QuadPoints": pdfdoc.PDFArray(corners),
        **{key: pdfdoc.PDFString(value) for key, value in more.items()},
    }
    return lambda canvas: canvas._addAnnotation(pdfdoc.PDFDictionary(entries))


def test_comments_are_read(read: Callable[..., ParsedFile]) -> None:
    note = annotation("Text", (300, 690, 320, 710), Contents="Raised to 45 in May.", T="Ana")
    assert read([(50, 700, "The fee is 40 euros.")], more=note).text == (
        "The fee is 40 euros.\n\nComment by Ana: Raised to 45 in May."
    )


def test_what_is_struck_out_is_left_out_and_said(read: Callable[..., ParsedFile]) -> None:
    begin = 50 + Canvas("", pagesize=(600, 800)).stringWidth("The fee is ", "Helvetica", 10)
    strike = annotation("StrikeOut", (begin - 0.5, 698, begin + 43, 710))
    parsed = read([(50, 700, "The fee is 40 euros 45 euros.")], more=strike)
    assert parsed.text == "The fee is 45 euros."
    assert parsed.notes == ("text struck out on page 1 was left out",)


def scan(path: Path, words: Sequence[str]) -> Path:
    """A page of text, then pages that are pictures of words."""
    canvas = Canvas(str(path), pagesize=(600, 800))
    canvas.drawString(50, 700, "The first page is text.")
    canvas.showPage()
    for each in words:
        drawn = Canvas(str(path.with_name("scan.pdf")), pagesize=(600, 800))
        drawn.setFont("Helvetica", 12)
        drawn.drawString(60, 600, each)
        drawn.save()
        with pdfium.PdfDocument(path.with_name("scan.pdf")) as document:
            canvas.drawImage(ImageReader(document[0].render(scale=3).to_pil()), 0, 0, 600, 800)
        canvas.showPage()
    canvas.save()
    return path


def test_scanned_pages_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "installed", lambda: False)
    parsed = parse_file(scan(tmp_path / "a.pdf", ["Boats", "Nets"]))
    assert parsed.text == "The first page is text."
    assert len(parsed.pages) == 3
    assert parsed.notes == (
        "pages 2 and 3 are images and were not read: no text recognition (tesseract) is installed",
    )


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_scanned_pages_are_recognised(tmp_path: Path) -> None:
    parsed = parse_file(scan(tmp_path / "a.pdf", ["The harbour opens at seven."]))
    assert page_texts(parsed)[1] == "The harbour opens at seven."
    assert parsed.notes == ("page 2 is an image, read by text recognition, which makes mistakes",)


def test_recognition_that_takes_too_long_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "installed", lambda: True)
    monkeypatch.setattr(limits, "RECOGNITION_SECONDS", 0.0)
    parsed = parse_file(scan(tmp_path / "a.pdf", ["Boats"]))
    assert parsed.notes == ("page 2 is an image and was not read: text recognition took too long",)


def test_recognised_words_become_lines_and_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words of a table, column by column as the program gives them, at 300 dots per inch."""
    columns = [("Room", "Oak", "Elm"), ("Seats", "12", "30"), ("Fee", "4.50", "9.00")]
    word = [
        [recognition.Word(text, 300 + 500 * x, 400 + 80 * y, 400 + 500 * x, 430 + 80 * y)]
        for x, column in enumerate(columns)
        for y, text in enumerate(column)
    ]
    monkeypatch.setattr(recognition, "installed", lambda: True)
    monkeypatch.setattr(recognition, "recognised", lambda *_: word)
    parsed = parse_file(scan(tmp_path / "a.pdf", ["Boats"]))
    assert page_texts(parsed)[1] == "Room: Oak; Seats: 12; Fee: 4.50\nRoom: Elm; Seats: 30; Fee: 9.00"


def test_pictures_and_attached_files_are_said(tmp_path: Path) -> None:
    scan(tmp_path / "picture.pdf", ["Boats"])
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800))
    canvas.drawString(50, 700, "The plan below shows the whole harbour.")
    with pdfium.PdfDocument(tmp_path / "picture.pdf") as document:
        canvas.drawImage(ImageReader(document[1].render().to_pil()), 50, 100, 400, 400)
    canvas.save()
    document = pdfium.PdfDocument(tmp_path / "a.pdf")
    document.new_attachment("prices.xlsx").set_data(b"data")
    document.save(tmp_path / "b.pdf")
    document.close()
    assert parse_file(tmp_path / "b.pdf").notes == (
        "pictures on page 1 were not read",
        "attached files were not read: prices.xlsx",
    )


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([2], "page 2"),
        ([2, 3], "pages 2 and 3"),
        ([1, 4, 5, 6, 9], "pages 1, 4 to 6 and 9"),
        (range(1, 99, 2), f"pages {', '.join(map(str, range(1, 39, 2)))} and others, 49 in all"),
    ],
)
def test_pages_in_words(numbers: Sequence[int], words: str) -> None:
    assert pages_in_words(numbers) == words


DAMAGED = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[KIDS]/Count 2>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 44>>stream
BT /F1 12 Tf 40 200 Td (First page here) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
"""


def test_a_damaged_page_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(DAMAGED.replace(b"KIDS", b"3 0 R 9 0 R"))
    parsed = parse_file(path)
    assert (parsed.text, parsed.notes) == ("First page here", ("page 2 is damaged and was not read",))
    path.write_bytes(DAMAGED.replace(b"KIDS", b"8 0 R 9 0 R"))
    with pytest.raises(UserError, match="broken or not a real PDF"):
        parse_file(path)


def test_a_bullet_drawn_apart_stands_before_its_item(read: Callable[..., ParsedFile]) -> None:
    spots = [
        (70, 700, "Check the doors"),
        (70, 687, "Switch off the lamps"),
        (50, 700, "1."),
        (50, 687, "2."),
    ]
    assert read(spots).text == "1. Check the doors\n2. Switch off the lamps"


# --- what is not seen, and what is turned ----------------------------------------------------------


def _in_mode(mode: int) -> Callable[[Canvas], None]:
    def draw(canvas: Canvas) -> None:
        words = canvas.beginText(50, 500)
        words.setTextRenderMode(mode)
        words.textLine("The old fee was 77 euros")
        canvas.drawText(words)

    return draw


def _white(canvas: Canvas) -> None:
    canvas.setFillColorRGB(1, 1, 1)
    canvas.drawString(50, 500, "The old fee was 77 euros")


def _white_on_blue(canvas: Canvas) -> None:
    canvas.setFillColorRGB(0, 0, 0.5)
    canvas.rect(40, 490, 300, 30, fill=1)
    _white(canvas)


def _invisible_over_a_picture(canvas: Canvas) -> None:
    canvas.drawImage(ImageReader(Image.new("RGB", (30, 40), (200, 200, 190))), 0, 0, 600, 800)
    _in_mode(3)(canvas)


@pytest.mark.parametrize(
    ("more", "left_out"),
    [
        pytest.param(_white, True, id="white"),
        pytest.param(_in_mode(3), True, id="invisible"),
        pytest.param(_in_mode(0), False, id="drawn"),
        pytest.param(_white_on_blue, False, id="white on blue"),
        pytest.param(_invisible_over_a_picture, False, id="the text of a scan"),
    ],
)
def test_text_that_cannot_be_seen_is_left_out_and_said(
    more: Callable[[Canvas], None], left_out: bool, read: Callable[..., ParsedFile]
) -> None:
    parsed = read([(50, 700, "The fee is 45 euros."), (50, 686, "It is due in May.")], more=more)
    assert parsed.text.startswith("The fee is 45 euros.")
    assert ("77" not in parsed.text) == left_out
    assert ("text that cannot be seen on page 1 was left out" in parsed.notes) == left_out


def _turned(x: float, y: float, text: str) -> Callable[[Canvas], None]:
    def draw(canvas: Canvas) -> None:
        canvas.saveState()
        canvas.translate(x, y)
        canvas.rotate(90)
        canvas.setFont("Helvetica", 10)
        canvas.drawString(0, 0, text)
        canvas.restoreState()

    return draw


def test_turned_headings_name_the_columns_below(read: Callable[..., ParsedFile]) -> None:
    def heads(canvas: Canvas) -> None:
        for at, name in enumerate(["Welding", "Painting", "Driving"]):
            _turned(180 + 80 * at, 604, name)(canvas)

    body = [["Ana", "yes", "no", "3"], ["Ben", "no", "yes", "5"], ["Cleo", "yes", "yes", "7"]]
    table = [(50, 600, "Skill"), *rows(body, 580, [50, 170, 250, 330])]
    parsed = read([(50, 760, "What the crew can do."), *table], more=heads)
    assert "Skill: Ana; Welding: yes; Painting: no; Driving: 3\n" in f"{parsed.text}\n"
    assert "Skill: Cleo; Welding: yes; Painting: yes; Driving: 7\n" in f"{parsed.text}\n"


def test_a_stamp_in_the_margin_names_nothing(read: Callable[..., ParsedFile]) -> None:
    body = [["Ana", "yes", "3"], ["Ben", "no", "5"], ["Cleo", "yes", "7"]]
    parsed = read([*rows(body, 580, [50, 170, 250])], more=_turned(20, 300, "COPY 2024"))
    assert parsed.text.split("\n") == ["Ana; yes; 3", "Ben; no; 5", "Cleo; yes; 7", "", "COPY 2024"]
