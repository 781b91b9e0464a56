"""Word, PowerPoint and OpenDocument texts: what stands on the page, what is left out, what is said of it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.documents.parsing import parse_file
from tests.documents.test_spreadsheets import change

MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def lines(path: Path) -> list[str]:
    return [line for line in parse_file(path).text.split("\n") if line]


def make_docx(folder: Path, build: Callable[[Any], None]) -> Path:
    import docx

    document = docx.Document()
    build(document)
    document.save(str(folder / "a.docx"))
    return folder / "a.docx"


def bare_docx(folder: Path, body: str, **parts: str) -> Path:
    """A file with this XML for its body, and other parts by the first word of their name."""
    with zipfile.ZipFile(folder / "a.docx", "w") as archive:
        document = f'<w:document xmlns:w="{WORD}" xmlns:m="{MATH}"><w:body>{body}</w:body></w:document>'
        archive.writestr("word/document.xml", document)
        for name, content in parts.items():
            archive.writestr(f"word/{name}.xml", content)
    return folder / "a.docx"


# --- Word ----------------------------------------------------------------------------------------------


def test_hidden_struck_and_deleted_text_is_left_out_and_said(tmp_path: Path) -> None:
    def build(document: Any) -> None:
        document.add_paragraph("Paid monthly. ").add_run("Margin 41 percent.").font.hidden = True
        paragraph = document.add_paragraph("")
        paragraph.add_run("Rebate 2 percent.").font.strike = True
        paragraph.add_run(" Rebate 5 percent.")
        off = document.add_paragraph("").add_run("Shown after all.")
        off.font.hidden = False

    path = make_docx(tmp_path, build)
    deleted = "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:t>kept</w:t></w:r></w:p>"
    change(path, "word/document.xml", lambda xml: xml.replace("<w:sectPr", f"{deleted}<w:sectPr", 1))
    assert lines(path) == ["Paid monthly.", "Rebate 5 percent.", "Shown after all.", "kept"]
    assert parse_file(path).notes == (
        "hidden text left out",
        "struck-out text left out",
        "deleted text left out",
    )


def test_what_a_form_asks_for_is_left_out_until_somebody_fills_it_in(tmp_path: Path) -> None:
    path = make_docx(tmp_path, lambda document: document.add_paragraph("Application"))
    prompt = "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{}</w:sdtContent></w:sdt>"
    filled = "<w:sdt><w:sdtPr/><w:sdtContent><w:r><w:t>Ida Holm</w:t></w:r></w:sdtContent></w:sdt>"
    asked = prompt.format("<w:r><w:t>Click or tap to enter a date.</w:t></w:r>")
    block = prompt.format("<w:p><w:r><w:t>Say why.</w:t></w:r></w:p>")
    form = (
        f"<w:p><w:r><w:t>Name: </w:t></w:r>{filled}</w:p><w:p><w:r><w:t>From:</w:t></w:r>{asked}</w:p>{block}"
    )
    change(path, "word/document.xml", lambda xml: xml.replace("<w:sectPr", f"{form}<w:sectPr", 1))
    assert lines(path) == ["Application", "Name: Ida Holm", "From:"]
    assert parse_file(path).notes == ("unfilled form field left out (2 places)",)


def test_raised_digits_and_formulas(tmp_path: Path) -> None:
    def build(document: Any) -> None:
        paragraph = document.add_paragraph("dose 10")
        paragraph.add_run("6").font.superscript = True
        paragraph.add_run(" per m")
        paragraph.add_run("3").font.superscript = True
        paragraph.add_run(", CO")
        paragraph.add_run("2").font.subscript = True
        paragraph.add_run(" on the 1")
        paragraph.add_run("st").font.superscript = True

    assert lines(make_docx(tmp_path, build)) == ["dose 10^6 per m^3, CO2 on the 1st"]
    power = "<m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup>"
    path = bare_docx(tmp_path, f"<w:p><w:r><w:t>area </w:t></w:r><m:oMath>{power}</m:oMath></w:p>")
    assert lines(path) == ["area x^2"]


NUMBERING = f"""<w:numbering xmlns:w="{WORD}">
<w:abstractNum w:abstractNumId="1">
<w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="decimal"/><w:lvlText w:val="Article %1"/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl>
<w:lvl w:ilvl="2"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="(%3)"/></w:lvl>
</w:abstractNum>
<w:abstractNum w:abstractNumId="2">
<w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="o"/></w:lvl>
</w:abstractNum>
<w:num w:numId="7"><w:abstractNumId w:val="1"/></w:num>
<w:num w:numId="8"><w:abstractNumId w:val="2"/></w:num>
<w:num w:numId="9"><w:abstractNumId w:val="1"/>
<w:lvlOverride w:ilvl="0"><w:startOverride w:val="3"/></w:lvlOverride></w:num>
</w:numbering>"""


def clause(text: str, number: int, level: int) -> str:
    place = f'<w:pPr><w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr></w:pPr>'
    return f"<w:p>{place}<w:r><w:t>{text}</w:t></w:r></w:p>"


def test_clauses_have_the_numbers_that_word_gives_them(tmp_path: Path) -> None:
    body = "".join(
        clause(text, number, level)
        for text, number, level in (
            ("Lease", 7, 0), ("Term", 7, 1), ("Rent", 7, 1), ("monthly", 7, 2), ("yearly", 7, 2),
            ("Keys", 8, 0),            ("Duties", 7, 0), ("Care", 7, 1), ("Anew", 9, 0),
        )
    )  # fmt: skip
    assert lines(bare_docx(tmp_path, body, numbering=NUMBERING)) == [
        "Article 3 Lease", "3.1 Term", "3.2 Rent", "(a) monthly", "(b) yearly", "- Keys",
        "Article 4 Duties", "4.1 Care", "Article 3 Anew",
    ]  # fmt: skip


def test_page_headers_come_once_without_their_page_numbers(tmp_path: Path) -> None:
    def build(document: Any) -> None:
        document.sections[0].header.paragraphs[0].text = "Contract KX-41 of 2 June"
        document.sections[0].footer.paragraphs[0].text = "Page 7"
        document.add_paragraph("The term is one year.")

    assert lines(make_docx(tmp_path, build)) == [
        "Page header: Contract KX-41 of 2 June",
        "The term is one year.",
    ]


def test_text_boxes_are_paragraphs_of_their_own(tmp_path: Path) -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>Ring twice</w:t></w:r></w:p></w:txbxContent>"
    names = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    choices = f"<mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
    drawn = f"<mc:AlternateContent {names}>{choices}</mc:AlternateContent>"
    body = f"<w:p><w:r><w:t>The door is shut.</w:t></w:r><w:r>{drawn}</w:r></w:p>"
    assert lines(bare_docx(tmp_path, body)) == ["The door is shut.", "Ring twice"]


def test_merged_cells_bold_headers_and_tables_in_cells(tmp_path: Path) -> None:
    def build(document: Any) -> None:
        table = document.add_table(4, 3)
        for at, text in enumerate(("Ana", "Ben", "Ida")):
            table.cell(0, at).paragraphs[0].add_run(text).bold = True
        table.cell(1, 0).merge(table.cell(2, 0)).text = "Oslo"
        table.cell(1, 1).text, table.cell(2, 1).text = "Rome", "Bonn"
        inner = table.cell(1, 2).add_table(2, 3)
        for at, text in enumerate(("Key", "Price", "Day", "K7", "4.50", "Monday")):
            inner.cell(at // 3, at % 3).text = text
        table.cell(3, 0).merge(table.cell(3, 2)).text = "All others"

    assert lines(make_docx(tmp_path, build)) == [
        "Ana: Oslo; Ben: Rome; Ida: Key: K7; Price: 4.50; Day: Monday", "Ana: Oslo; Ben: Bonn", "All others"
    ]  # fmt: skip


def rename_strict(xml: str) -> str:
    known = "http://schemas.openxmlformats.org/"
    for family in ("officeDocument", "wordprocessingml", "presentationml", "drawingml"):
        xml = xml.replace(f"{known}{family}/2006/", f"http://purl.oclc.org/ooxml/{family}/")
    return xml


@pytest.mark.parametrize("suffix", ["docx", "pptx"])
def test_strict_open_xml(tmp_path: Path, suffix: str) -> None:
    if suffix == "docx":
        path = make_docx(tmp_path, lambda document: document.add_heading("Opens at 8:20", 1))
    else:
        path = make_pptx(tmp_path, lambda slide: setattr(slide.shapes.title, "text", "Opens at 8:20"))
    change(path, "", rename_strict)
    assert "Opens at 8:20" in parse_file(path).text


# --- PowerPoint ----------------------------------------------------------------------------------------


def make_pptx(folder: Path, build: Callable[[Any], None]) -> Path:
    from pptx import Presentation

    deck = Presentation()
    build(deck.slides.add_slide(deck.slide_layouts[5]))
    deck.save(str(folder / "a.pptx"))
    return folder / "a.pptx"


def box(slide: Any, text: str, left: float, top: float, width: float = 3) -> Any:
    from pptx.util import Inches

    shape = slide.shapes.add_textbox(Inches(left), Inches(top), Inches(width), Inches(0.8))
    shape.text_frame.text = text
    return shape


def test_soft_breaks_part_words(tmp_path: Path) -> None:
    def build(slide: Any) -> None:
        slide.shapes.title.text = "Fire drill\vHall 9"
        box(slide, "Call 555-0199\vAsk for Siv", 1, 2)

    assert lines(make_pptx(tmp_path, build)) == ["# Fire drill Hall 9", "Call 555-0199 Ask for Siv"]


def test_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    left = ["Before you dive, check the air and the valves.", "Never dive alone in water below ten degrees."]
    right = [
        "After the dive, rinse all gear with fresh water.",
        "Hang the suit up inside out, in the shade only.",
    ]

    def build(slide: Any) -> None:
        slide.shapes.title.text = "Diving"
        for at in (0, 1):
            box(slide, left[at], 0.5, 2 + 1.5 * at)
            box(slide, right[at], 5, 2.01 + 1.5 * at)

    assert lines(make_pptx(tmp_path, build))[1:] == [*left, *right]


def test_labels_stay_beside_their_values(tmp_path: Path) -> None:
    def build(slide: Any) -> None:
        for at, (label, value) in enumerate((("Price", "24 EUR"), ("Weight", "3 kg"))):
            box(slide, label, 0.5, 2 + at)
            box(slide, value, 5, 2.02 + at)

    assert lines(make_pptx(tmp_path, build)) == ["Price", "24 EUR", "Weight", "3 kg"]


def test_charts_hidden_slides_and_raised_digits(tmp_path: Path) -> None:
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    def build(slide: Any) -> None:
        data = CategoryChartData(number_format="0%")
        data.categories = ["Oslo", "Rome"]
        data.add_series("2023", (0.25, 0.5))
        data.add_series("2024", (0.75, None))
        made = slide.shapes.add_chart(
            XL_CHART_TYPE.COLUMN_CLUSTERED, 0, Inches(3), Inches(5), Inches(3), data
        )
        made.chart.has_title = True
        made.chart.chart_title.text_frame.text = "Rooms let"
        paragraph = box(slide, "10", 0.5, 1.9).text_frame.paragraphs[0]
        run = paragraph.add_run()
        run.text = "6"
        run.font._element.set("baseline", "30000")
        slide._element.set("show", "0")

    parsed = parse_file(make_pptx(tmp_path, build))
    assert [line for line in parsed.text.split("\n") if line] == [
        "10^6", "Chart: Rooms let", "Oslo; 2023: 25 %; 2024: 75 %", "Rome; 2023: 50 %"
    ]  # fmt: skip
    assert parsed.notes == ("hidden slide read too: 1",)


# --- OpenDocument --------------------------------------------------------------------------------------


def test_lists_in_cells_are_parted_by_commas(tmp_path: Path) -> None:
    from docx import Document
    from odf.opendocument import OpenDocumentText
    from odf.table import Table, TableCell, TableRow
    from odf.text import List, ListItem, P

    word = Document()
    row = word.add_table(1, 3).rows[0].cells
    row[0].text, row[1].text, row[2].text = "Ana", "Before noon:", "Mon"
    for task in ("ropes", "hooks"):
        row[1].add_paragraph(task, style="List Bullet")
    word.save(str(tmp_path / "a.docx"))
    assert parse_file(tmp_path / "a.docx").text == "Ana; Before noon: ropes, hooks; Mon"

    text = OpenDocumentText()
    table, line, listed = Table(), TableRow(), List()
    for task in ("ropes", "hooks", "oil"):
        item = ListItem()
        item.addElement(P(text=task))
        listed.addElement(item)
    for content in (P(text="Ana"), listed, P(text="Mon")):
        cell = TableCell()
        cell.addElement(content)
        line.addElement(cell)
    table.addElement(line)
    text.text.addElement(table)
    text.save(str(tmp_path / "a.odt"))
    assert parse_file(tmp_path / "a.odt").text == "Ana; ropes, hooks, oil; Mon"


def test_odt_tabs_notes_lists_and_styles(tmp_path: Path) -> None:
    from odf.office import Annotation
    from odf.opendocument import OpenDocumentText
    from odf.style import Style, TextProperties
    from odf.text import H, List, ListItem, Note, NoteBody, NoteCitation, P, Span, Tab

    document = OpenDocumentText()
    for name, look in (
        ("up", {"textposition": "super 58%"}), ("unseen", {"display": "none"}),
        ("struck", {"textlinethroughstyle": "solid"}),
    ):  # fmt: skip
        style = Style(name=name, family="text")
        style.addElement(TextProperties(**look))
        document.automaticstyles.addElement(style)
    document.text.addElement(H(outlinelevel=1, text="Berths"))
    paragraph = P(text="Fee")
    paragraph.addElement(Tab())
    paragraph.addText("45 EUR for 10")
    paragraph.addElement(Span(stylename="up", text="3"))
    paragraph.addText(" kg")
    note = Note(noteclass="footnote", id="n1")
    note.addElement(NoteCitation(text="1"))
    body = NoteBody()
    body.addElement(P(text="Paid in June."))
    note.addElement(body)
    paragraph.addElement(note)
    comment = Annotation()
    comment.addElement(P(text="Ask Siv."))
    paragraph.addElement(comment)
    document.text.addElement(paragraph)
    left_out = P(text="Shown.")
    left_out.addElement(Span(stylename="unseen", text=" Not shown."))
    left_out.addElement(Span(stylename="struck", text=" Not valid."))
    document.text.addElement(left_out)
    listed, entry = List(), ListItem()
    entry.addElement(P(text="No fires."))
    listed.addElement(entry)
    document.text.addElement(listed)
    document.save(str(tmp_path / "a.odt"))
    parsed = parse_file(tmp_path / "a.odt")
    assert [line for line in parsed.text.split("\n") if line] == [
        "# Berths", "Fee 45 EUR for 10^3 kg", "Note: Paid in June.", "Comment: Ask Siv.", "Shown.",
        "- No fires.",
    ]  # fmt: skip
    assert parsed.notes == ("hidden text left out", "struck-out text left out")
