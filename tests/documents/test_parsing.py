"""Every family is read: pages lie where they should, rows can be read alone, bad files get a sentence."""

from __future__ import annotations

import email.message
import json
import re
import zipfile
from pathlib import Path

import pytest

from backends.datatypes import UserError
from backends.documents import limits
from backends.documents.parsers.common import table_lines
from backends.documents.parsing import SUPPORTED, parse_file
from backends.documents.reader_pool import Readers
from tests.documents.real_files import FORMATS, manifest, read

PARAGRAPH = (
    "The monitor measures carbon dioxide every minute and sends the readings to the gateway, which keeps "
    "them for seventy-two hours when the connection is lost and delivers them afterwards."
)


def parse(tmp_path: Path, name: str, content: str | bytes):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return parse_file(path)


# --- one file of each family, made here ------------------------------------------------------------


def make_pdf(path: Path) -> None:
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

    style = getSampleStyleSheet()
    parts = [Paragraph("Safety manual", style["Title"]), Paragraph(PARAGRAPH, style["BodyText"])]
    parts += [PageBreak(), Paragraph("Alarms", style["Heading2"])]
    parts += [Paragraph("An alarm rings once.", style["BodyText"])]
    SimpleDocTemplate(str(path)).build(parts)


def make_docx(path: Path) -> None:
    import docx

    document = docx.Document()
    document.add_heading("Safety manual", 0)
    document.add_paragraph(PARAGRAPH)
    document.add_heading("Alarms", 1)
    table = document.add_table(rows=0, cols=3)
    for row in (("Level", "Sound", "Light"), ("low", "none", "green"), ("high", "two tones", "red")):
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    document.add_paragraph("An alarm rings once.", style="List Bullet")
    document.save(str(path))


def make_pptx(path: Path) -> None:
    from pptx import Presentation
    from pptx.util import Inches

    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[5])
    first.shapes.title.text = "Safety manual"
    first.shapes.add_textbox(0, Inches(3), Inches(5), Inches(1)).text_frame.text = PARAGRAPH
    second = deck.slides.add_slide(deck.slide_layouts[5])
    second.shapes.title.text = "Alarms"
    table = second.shapes.add_table(2, 3, 0, Inches(2), Inches(5), Inches(1)).table
    for at, text in enumerate(("Level", "Sound", "Light", "high", "two tones", "red")):
        table.cell(at // 3, at % 3).text = text
    second.notes_slide.notes_text_frame.text = "An alarm rings once."
    deck.save(str(path))


def make_xlsx(path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    first = book.active
    first.title = "Safety manual"
    first.append(["Part", "Measures", "Remark"])
    first.append(["SB-42", "carbon dioxide", PARAGRAPH])
    second = book.create_sheet("Alarms")
    second.append(["Level", "Sound", "Light", "Share"])
    second.append(["high", "two tones", "red", 0.125])
    second["D2"].number_format = "0.0%"
    second.append(["An alarm rings once."])
    book.save(path)


def make_epub(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as book:
        book.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
            '<rootfiles><rootfile full-path="o/b.opf"/></rootfiles></container>',
        )
        book.writestr(
            "o/b.opf",
            '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            "<metadata><dc:title>Safety manual</dc:title></metadata>"
            '<manifest><item id="b" href="2.xhtml"/><item id="a" href="1.xhtml"/></manifest>'
            '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>',
        )
        book.writestr("o/1.xhtml", f"<html><body><h1>Safety manual</h1><p>{PARAGRAPH}</p></body></html>")
        book.writestr("o/2.xhtml", "<html><body><h2>Alarms</h2><p>An alarm rings once.</p></body></html>")


@pytest.mark.parametrize(
    ("suffix", "make", "pages"),
    [
        ("pdf", make_pdf, 2),
        ("docx", make_docx, 0),
        ("pptx", make_pptx, 2),
        ("xlsx", make_xlsx, 2),
        ("epub", make_epub, 2),
    ],
)
def test_binary_families(tmp_path, suffix, make, pages):
    path = tmp_path / f"safety.{suffix}"
    make(path)
    parsed = parse_file(path)
    assert parsed.type == suffix == SUPPORTED[f".{suffix}"]
    assert parsed.title == ("Safety" if suffix == "xlsx" else "Safety manual")
    assert [page.number for page in parsed.pages] == list(range(1, pages + 1))
    assert PARAGRAPH in parsed.text  # put together again however it was broken
    assert re.search(r"^#+ Alarms$", parsed.text, re.M)
    alarm = parsed.text.index("An alarm rings once.")
    if pages:
        first, second = parsed.pages
        assert first.start <= parsed.text.index(PARAGRAPH) < first.end < second.start <= alarm < second.end
        assert second.end == len(parsed.text)
    if suffix in ("docx", "pptx", "xlsx"):
        row = next(line for line in parsed.text.split("\n") if "two tones" in line)
        assert row.startswith("Level: high; Sound: two tones; Light: red")
    if suffix == "xlsx":
        assert [page.label for page in parsed.pages] == ["Safety manual", "Alarms"]
        assert "Share: 12.5 %" in parsed.text


def test_pdf_tables_columns_and_running_lines(tmp_path):
    """Cells go under their column, columns are read one after the other, page headers are told once."""
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 400))
    for page in (1, 2, 3):
        canvas.drawString(50, 380, "Example Ltd | Manual")
        canvas.drawString(520, 380, f"Page {page}")
        if page == 1:
            for row, cells in enumerate(
                (("Part", "Range", "Price"), ("SB-42", "", "11 EUR"), ("SB-17", "0 to 5", ""))
            ):
                for column, cell in enumerate(cells):
                    canvas.drawString(50 + 150 * column, 340 - 20 * row, cell)
        elif page == 2:
            for column in (0, 1):
                for line in range(4):
                    words = f"column {column} line {line} has words that go on and on, almost to the edge"
                    canvas.drawString(30 + 290 * column, 340 - 14 * line, words[:48])
        else:
            canvas.drawString(50, 340, "\u2022 first item")
            canvas.drawString(50, 326, "\u2022 second item")
        canvas.showPage()
    canvas.save()
    parsed = parse_file(tmp_path / "a.pdf")
    one, two, three = (parsed.text[page.start : page.end] for page in parsed.pages)
    assert one == "Example Ltd | Manual\n\nPart: SB-42; Price: 11 EUR\nPart: SB-17; Range: 0 to 5"
    assert two.index("column 0 line 3") < two.index("column 1 line 0")
    assert "column 0 line 0 has words that go on and on, alm column 0 line 1" in two
    assert three == "- first item\n- second item"


def test_markdown_loses_its_marks_but_not_its_structure(tmp_path):
    parsed = parse(
        tmp_path,
        "a.md",
        "---\ntitle: x\n---\n# Price *list*\n\nA **bold** claim that\ngoes on, see [the page](http://x.y/z_(1)).\n\n"
        "- one\n- two that\n  goes on\n\n| Plan | Price |\n|---|--:|\n| Team | 24 EUR |\n\n"
        "| | |\n|---|---|\n| Owner | Ruth |\n\n"
        "```\ncode_with_marks = a*b*c\n```\n\nsnake_case_name stays\n",
    )
    assert parsed.title == "x" and parsed.type == "markdown"
    assert parsed.text.split("\n") == [
        "# Price list", "", "A bold claim that goes on, see the page.", "", "- one", "- two that goes on",
        "", "Plan: Team; Price: 24 EUR", "", "Owner: Ruth", "", "code_with_marks = a*b*c", "",
        "snake_case_name stays",
    ]  # fmt: skip


def test_html_keeps_the_article_and_drops_menus(tmp_path):
    parsed = parse(
        tmp_path,
        "a.html",
        "<html><head><title>Press</title><style>p{}</style></head><body><nav><a>Home</a></nav>"
        "<main><h1>News</h1>"
        f"<p>{PARAGRAPH}<br>Second <b>line</b>.</p><ul><li>one</li><li><p>two</p></li></ul>"
        "<table><tr><th>Plan</th><th>Price</th></tr><tr><td>Team</td><td>24 EUR</td></tr></table>"
        '<div style="display:none">hidden</div></main><footer>Imprint</footer><script>x()</script></body>'
        "</html>",
    )
    assert parsed.title == "Press"
    assert parsed.text.replace("\n\n", "\n").split("\n") == [
        "# News", PARAGRAPH, "Second line.", "- one", "- two", "Plan: Team; Price: 24 EUR",
    ]  # fmt: skip


def test_delimited_text_becomes_rows_with_their_header(tmp_path):
    table = 'Plan,Price,Note\nTeam,24 EUR,"a, b"\nFree,0 EUR,\n'
    assert parse(tmp_path, "a.csv", table).text.split("\n") == [
        "Plan: Team; Price: 24 EUR; Note: a, b",
        "Plan: Free; Price: 0 EUR",
    ]
    assert (
        parse(tmp_path, "b.csv", "Plan;Price;Note\nTeam;24,50;x\n").text
        == "Plan: Team; Price: 24,50; Note: x"
    )
    assert (
        parse(tmp_path, "c.tsv", "Plan\tPrice\tNote\nTeam\t24\tx\n").text == "Plan: Team; Price: 24; Note: x"
    )


def test_tables_with_and_without_a_header():
    def lines(rows):
        return list(table_lines(rows))

    assert lines([["Key facts"], ["a", "b", "c"], ["1", "2", "3"]]) == ["Key facts", "a: 1; b: 2; c: 3"]
    assert lines([["Owner", "Ruth"], ["Term", "2 years"]]) == ["Owner: Ruth", "Term: 2 years"]
    assert lines([["Team", "24", "EUR"], ["Free", "0", "EUR"]]) == ["Team; 24; EUR", "Free; 0; EUR"]
    assert lines([[None, ""], []]) == []


def test_json_records_become_lines(tmp_path):
    rows = [{"id": 1, "price": {"amount": 24.5, "paid": True}, "tags": ["a", "b"], "none": None}, {"id": 2}]
    expected = "id: 1; price amount: 24.5; price paid: yes; tags: a, b\nid: 2"
    assert parse(tmp_path, "a.json", json.dumps(rows)).text == expected
    assert parse(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))).text == expected
    with pytest.raises(UserError, match="line 1"):
        parse(tmp_path, "b.json", "{broken")


def test_email_headers_body_and_attachment(tmp_path):
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "Ines <i@x.example>",
        "all@x.example",
        "Budget fréeze",
    )
    message.set_content("We freeze the budget.\n\nUntil December.")
    message.add_alternative("<p>We <b>freeze</b> the budget in HTML.</p>", subtype="html")
    message.add_attachment("Second file.", filename="note.txt")
    parsed = parse(tmp_path, "a.eml", message.as_bytes())
    assert parsed.title == "Budget fréeze"
    head = "From: Ines <i@x.example>\nTo: all@x.example\nSubject: Budget fréeze\n\nWe freeze"
    assert parsed.text.startswith(head)
    assert "in HTML" not in parsed.text and parsed.text.endswith("Until December.\n\nAttachment: note.txt")
    assert [(each.name, each.data.strip()) for each in parsed.attachments] == [("note.txt", b"Second file.")]


def test_wrapped_lines_are_joined_but_lists_and_verses_are_not(tmp_path):
    wrapped = "\n".join(re.findall(r".{1,60}(?:\s|$)", PARAGRAPH))
    assert parse(tmp_path, "a.txt", wrapped).text == PARAGRAPH
    listed = "Frozen\n- travel\n- hotels\nRoses are red\nViolets are blue"
    assert parse(tmp_path, "b.txt", listed).text == listed


TEXT = "Größe: 30 €, naïve café – „gut“."


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "cp1252")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_common_encodings(tmp_path, encoding):
    assert parse(tmp_path, "a.txt", (TEXT * 3).encode(encoding)).text == TEXT * 3


# --- what cannot be read -------------------------------------------------------------------------


def password_pdf() -> bytes:
    import io

    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, encrypt=StandardEncryption("secret"))
    canvas.drawString(100, 100, "hidden")
    canvas.save()
    return out.getvalue()


def picture_pdf() -> bytes:
    import io

    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.rect(10, 10, 100, 100, fill=1)
    canvas.save()
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", b"", "empty (0 bytes)"),
        ("a.txt", b" \n\n ", "no readable text"),
        ("a.bin", b"\0\1\2", "kind that is not read (.bin)"),
        ("noname", b"x", "no suffix"),
        ("a.pdf", b"hello", "broken or not a real"),
        ("a.docx", b"hello", "broken or not a real docx"),
        ("a.pptx", b"PK\x03\x04nothing", "broken or not a real pptx"),
        ("a.xlsx", b"hello", "broken or not a real xlsx"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "password"),
        ("a.eml", b"\n \n", "white space"),
        ("a.html", b"<html><body><nav>x</nav></body></html>", "no readable text"),
        ("a.json", b"[]", "no readable text"),
        ("a.ipynb", b"{}", "broken"),
        ("a.pdf", password_pdf(), "password"),
        ("a.pdf", picture_pdf(), "no text"),
    ],
)
def test_what_cannot_be_read_gets_one_sentence(tmp_path, name, content, words):
    with pytest.raises(UserError) as caught:
        parse(tmp_path, name, content)
    message = str(caught.value)
    assert words in message and message.startswith(name) and message.endswith(".") and "\n" not in message


def test_a_file_that_is_too_large_is_refused_with_the_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_BYTES", limits.MB)
    with pytest.raises(UserError, match=r"2\.0 MB.*up to 1 MB"):
        parse(tmp_path, "a.txt", b"x" * 2 * 1024 * 1024)


@pytest.mark.parametrize("suffix", sorted(SUPPORTED))
def test_no_file_of_any_suffix_crashes_the_reader(tmp_path, suffix):
    for content in (b"\x00\xff" * 300, b"<a><b>", b"%PDF-1.7\n", b"PK\x05\x06" + b"\0" * 18, b"plain words"):
        try:
            assert parse(tmp_path, f"a{suffix}", content).text
        except UserError as error:
            assert str(error).endswith(".")


HOSTILE = {
    "long-word.txt": b"A" * 400_000 + b"\xe9",
    "one-paragraph.txt": (b"x" * 60 + b"\n") * 30_000,
    "broken-words.txt": b"abcdefghij" * 6 + b"a-\n" + b"b" * 400_000,
    "spans.html": b"<table>" + b"<tr><td rowspan=9999 colspan=100>x" * 1000,
    "closed-tabs.html": b"<div class=x style='display:none'>a</div>" * 8000 + b"<p>shown",
    "control.html": b"a<p hidden>x</p>&#1;\x01b <script></script>\x02 c<!-- \x03 -->",
    "comments.md": b"shown <!--" + b"<!--" * 20_000,
    "roles.rst": b":ref:`x " * 8000,
    "links.org": b"* a\n" + b"[[" * 20_000,
    "parts.eml": b"Content-Type: multipart/mixed; boundary=b\n\n"
    + b"--b\nContent-Type: a/b; name=a.txt\n\nx\n" * 3000,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_read_in_bounded_time(tmp_path, name):
    """A search that takes the square of a length would take minutes for each of these."""
    assert parse(tmp_path, name, HOSTILE[name]).text


# --- real files, where they are at hand ------------------------------------------------------------


@pytest.fixture(scope="module")
def readers():
    made = Readers()
    yield made
    made.close()


@pytest.mark.skipif(not FORMATS.exists(), reason="the collection of real files is not here")
@pytest.mark.parametrize("row", manifest(FORMATS), ids=lambda row: row.file)
def test_real_files(row, readers):
    """Each is read as the manifest says, or refused with a sentence: see `real_files` for the table."""
    outcome = read(row, FORMATS, readers)
    assert outcome.as_expected, outcome.words
