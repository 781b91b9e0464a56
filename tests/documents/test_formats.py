"""The rarer formats and the harder layouts, from files made here byte by byte."""

from __future__ import annotations

import io
import sqlite3
import struct
import zipfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from backends.datatypes import ParsedFile, PasswordNeeded, UserError
from backends.documents import limits
from backends.documents.parsers.common import iso_date
from backends.documents.parsers.languages import language
from backends.documents.parsing import parse_file
from tests.documents.compound import compound
from tests.documents.test_parsing import password_pdf


def parse(folder: Path, name: str, content: bytes | str, passwords: Sequence[str] = ()) -> ParsedFile:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return parse_file(path, passwords=passwords)


# --- Word, PowerPoint and Outlook of old -------------------------------------------------------------


def old_word(text: str, notes: str = "", flags: int = 0) -> bytes:
    """A doc of two pieces: the first half in one byte a letter, the second in two."""
    whole = text + notes
    half = len(whole) // 2
    narrow, wide = whole[:half].encode("cp1252"), whole[half:].encode("utf-16-le")
    main = bytearray(0x400) + narrow + b"\0" * (len(narrow) % 2) + wide
    struct.pack_into("<H8xH", main, 0, 0xA5EC, flags)
    struct.pack_into("<6i", main, 0x4C, len(text), len(notes), 0, 0, 0, 0)
    places = (0x40000000 | 2 * 0x400, 0x400 + len(narrow) + len(narrow) % 2)
    pieces = struct.pack("<3i", 0, half, len(whole))
    pieces += b"".join(struct.pack("<HIH", 0, place, 0) for place in places)
    formatting = b"\x01" + struct.pack("<H", 4) + b"\1\2\3\4"
    table = formatting + b"\x02" + struct.pack("<i", len(pieces)) + pieces
    struct.pack_into("<ii", main, 0x01A2, 0, len(table))
    return compound({"WordDocument": bytes(main), "0Table": table})


def test_doc(tmp_path: Path) -> None:
    link = "\x13HYPERLINK \x13 PAGE \x14 1\x15\x14the page\x15"
    text = (
        f"Safety manual\rSee {link} – naïve.\rLevel\x07Sound\x07Light\x07\x07high\x07two tones\x07red\x07\x07"
    )
    parsed = parse(tmp_path, "a.doc", old_word(text + "End of it.\r", "A footnote.\r"))
    assert parsed.title == "Safety manual" and parsed.type == "doc"
    assert parsed.text.split("\n\n") == [
        "Safety manual",
        "See the page – naïve.",
        "Level: high; Sound: two tones; Light: red",
        "End of it.",
        "A footnote.",
    ]


def record(kind: int, content: bytes, *, instance: int = 0, container: bool = False) -> bytes:
    return struct.pack("<HHI", instance << 4 | (0xF if container else 0), kind, len(content)) + content


def slide_text(kind: int, text: str) -> bytes:
    wide = any(ord(letter) > 255 for letter in text)
    atom = record(0x0FA0, text.encode("utf-16-le")) if wide else record(0x0FA8, text.encode("latin-1"))
    return record(0x0F9F, struct.pack("<I", kind)) + atom


def old_powerpoint() -> bytes:
    """Two slides, the later one first in the file; the second has a text box of its own."""
    box = record(0x040C, record(0xF00D, slide_text(4, "A box – beside"), container=True), container=True)
    last, first = record(0x03EE, box, container=True), record(0x03EE, b"", container=True)
    outline = record(0x03F3, struct.pack("<5I", 1, 0, 0, 0, 0)) + slide_text(0, "Safety manual")
    outline += slide_text(1, "Read it\rKeep it")
    outline += record(0x03F3, struct.pack("<5I", 2, 0, 0, 0, 0)) + slide_text(0, "Alarms")
    document = record(0x03E8, record(0x0FF0, outline, container=True), container=True)
    places = struct.pack("<III", 2 << 20 | 1, len(document) + len(last), len(document))
    directory = record(0x1772, places)
    return compound({"PowerPoint Document": document + last + first + directory})


def test_ppt(tmp_path: Path) -> None:
    parsed = parse(tmp_path, "a.ppt", old_powerpoint())
    assert parsed.title == "Safety manual" and parsed.type == "ppt"
    pages = [parsed.text[page.start : page.end] for page in parsed.pages]
    assert pages == ["# Safety manual\n\n- Read it\n- Keep it", "# Alarms\n\nA box – beside"]


def test_msg(tmp_path: Path) -> None:
    def wide(text: str) -> bytes:
        return text.encode("utf-16-le")

    streams = {
        "__properties_version1.0": b"\0" * 32,
        "__substg1.0_0037001F": wide("Budget fréeze"),
        "__substg1.0_0C1A001F": wide("Ines Kovač"),
        "__substg1.0_5D01001F": wide("ines@x.example"),
        "__substg1.0_0E04001F": wide("all"),
        "__substg1.0_007D001F": wide("Received: x\r\nDate: Fri, 16 Dec 2022 17:04:16 -0500\r\n"),
        "__substg1.0_1000001F": wide("We freeze the budget.\r\n\r\nUntil December."),
        "__attach_version1.0_#00000000/__substg1.0_3707001F": wide("note.txt"),
        "__attach_version1.0_#00000000/__substg1.0_37010102": b"Second file. " * 500,
    }
    parsed = parse(tmp_path, "a.msg", compound(streams))
    assert (parsed.title, parsed.type, parsed.date) == ("Budget fréeze", "email", "2022-12-16")
    head = (
        "From: Ines Kovač <ines@x.example>\nTo: all\n"
        "Date: Fri, 16 Dec 2022 17:04:16 -0500\nSubject: Budget fréeze"
    )
    assert parsed.text.startswith(f"{head}\n\nWe freeze the budget.\n\nUntil December.")
    assert parsed.text.endswith("Attachment: note.txt")
    assert [(each.name, each.data[:13]) for each in parsed.attachments] == [("note.txt", b"Second file. ")]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.doc", b"hello", "broken or not a real doc"),
        ("a.doc", compound({"x": b"1"}), "holds no document"),
        ("a.doc", old_word("secret\r", flags=0x0100), "password"),
        ("a.ppt", compound({"PowerPoint Document": record(0x2F14, b"")}), "password"),
        ("a.msg", compound({"x": b"1"}), "is not an Outlook message"),
        ("a.db", b"SQLite format 4\0", "is not a SQLite file"),
        ("a.db", b"SQLite format 3\0" + b"\xff" * 4096, "broken or not a real database"),
        ("a.ods", b"hello", "broken or not a real ods"),
    ],
)
def test_what_cannot_be_read_gets_one_sentence(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(tmp_path, name, content)
    assert words in str(caught.value) and str(caught.value).endswith(".")


def test_an_encrypted_msg_is_refused(tmp_path: Path) -> None:
    streams = {
        "__properties_version1.0": b"\0" * 32,
        "__attach_version1.0_#00000000/__substg1.0_3707001F": "encrypted.asc".encode("utf-16-le"),
    }
    with pytest.raises(UserError, match="encrypted"):
        parse(tmp_path, "a.msg", compound(streams))


def test_docx_comments_and_text_boxes_are_read_once(tmp_path: Path) -> None:
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    compatible = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    boxed = "<w:txbxContent><w:p><w:r><w:t>In a box</w:t></w:r></w:p></w:txbxContent>"
    body = (
        '<w:p><w:r><w:t>Thirty days.</w:t></w:r><w:r><w:commentReference w:id="7"/></w:r></w:p>'
        f"<w:p><w:r><mc:AlternateContent><mc:Choice>{boxed}</mc:Choice><mc:Fallback>{boxed}</mc:Fallback>"
        "</mc:AlternateContent></w:r></w:p>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        root = f"<w:document {space} {compatible}><w:body>{body}</w:body></w:document>"
        archive.writestr("word/document.xml", root)
        comment = '<w:comment w:id="7"><w:p><w:r><w:t>Is that so?</w:t></w:r></w:p></w:comment>'
        archive.writestr("word/comments.xml", f"<w:comments {space}>{comment}</w:comments>")
    text = parse(tmp_path, "a.docx", out.getvalue()).text
    assert text.split("\n\n") == ["Thirty days.", "Comment: Is that so?", "In a box"]


def test_docx_hyphens_that_do_not_break_are_hyphens(tmp_path: Path) -> None:
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    marked = "<w:r><w:t>day</w:t><w:noBreakHyphen/><w:t>to</w:t><w:noBreakHyphen/><w:t>day</w:t></w:r>"
    typed = "<w:r><w:t> work, day\u2011to\u2011day, co\xadoperate</w:t></w:r>"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        body = f"<w:document {space}><w:body><w:p>{marked}{typed}</w:p></w:body></w:document>"
        archive.writestr("word/document.xml", body)
    assert parse(tmp_path, "a.docx", out.getvalue()).text == "day-to-day work, day-to-day, cooperate"


# --- databases, sheets, tables -----------------------------------------------------------------------


def test_a_sqlite_file_is_a_page_per_table(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute('CREATE TABLE "pri""ces" (plan TEXT, "monthly price" REAL, photo BLOB)')
        db.execute("CREATE TABLE empty (x)")
        db.execute("CREATE TABLE plans AS SELECT 1 AS id, 'Team' AS name")
        db.executemany('INSERT INTO "pri""ces" VALUES (?, ?, ?)', [("Team", 24.0, b"\1"), (None, 9.5, None)])
        db.commit()
    before = sorted(tmp_path.iterdir())
    parsed = parse_file(path)
    assert [(page.number, page.label) for page in parsed.pages] == [
        (1, 'pri"ces'),
        (2, "empty"),
        (3, "plans"),
    ]
    pages = [parsed.text[page.start : page.end] for page in parsed.pages]
    assert pages[0] == '## pri"ces\n\nplan: Team; monthly price: 24\nmonthly price: 9.5'
    assert pages[2] == "## plans\n\nid: 1; name: Team"
    assert sorted(tmp_path.iterdir()) == before  # no journal, no lock


def test_a_table_that_is_too_long_is_refused_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = "Plan,Price,Note\n" + "Team,24 EUR,x\n" * 50
    assert parse(tmp_path, "a.csv", table).text.count("\n") == 49
    monkeypatch.setattr(limits, "MAX_ROWS", 20)
    with pytest.raises(UserError, match=r"^a\.csv has more than 20 rows"):
        parse(tmp_path, "a.csv", table)
    monkeypatch.setattr(limits, "MAX_ROWS", 1000)
    monkeypatch.setattr(limits, "MAX_CHARACTERS", 100)
    with pytest.raises(UserError, match=r"more than 100 characters.*row 3"):
        parse(tmp_path, "a.csv", table)
    monkeypatch.undo()
    long = "x" * 200
    assert long in parse(tmp_path, "a.csv", f"{long},Price\nTeam,24\n").text  # no limit stays behind


@pytest.mark.parametrize("suffix", ["docx", "pptx", "xlsx", "epub", "odt", "ods"])
def test_archives_that_unpack_to_too_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 3 * limits.MB)
    monkeypatch.setattr(limits, "MAX_UNPACKED", limits.MB)
    with pytest.raises(UserError, match="unpacks to 3 MB, more than the 1 MB that are read"):
        parse(tmp_path, f"a.{suffix}", out.getvalue())


def test_the_table_of_an_rtf_has_rows_that_can_be_read_alone(tmp_path: Path) -> None:
    cells = "".join(
        r"\trowd" + "".join(rf"\intbl {cell}\cell" for cell in row) + r"\row"
        for row in (("Level", "Sound", "Light"), ("high", "two tones", "red"))
    )
    text = parse(tmp_path, "a.rtf", r"{\rtf1\ansi Alarms\par " + cells + r"\pard The end.\par}").text
    assert "Level: high; Sound: two tones; Light: red" in text.split("\n")


# --- PDF ---------------------------------------------------------------------------------------------


def canvas_pdf(path: Path, lines: Sequence[tuple[float, float, str]]) -> Path:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), pagesize=(600, 400))
    canvas.setFont("Helvetica", 10)
    for x, y, text in lines:
        canvas.drawString(x, y, text)
    canvas.save()
    return path


LEFT = [
    "Retrieval finds the passages that",
    "answer a question, and hands them",
    "to the model. It is cheap to keep",
    "up to date, as the documents are",
    "read anew whenever they change in",
    "any way, and nothing is learned.",
]
RIGHT = [
    "Training changes the weights of a",
    "model, so that it behaves as it is",
    "wanted to. It does so without any",
    "passages in its prompt, and so it",
    "answers sooner and for less money",
    "until the facts have moved on.",
]


def test_columns_that_the_file_holds_line_by_line(tmp_path: Path) -> None:
    lines = [(40.0, 380.0, "Two ways to teach a model, side by side over the whole width of this page")]
    for row, pair in enumerate(zip(LEFT, RIGHT, strict=True)):
        lines += [(40.0 + 280 * column, 350.0 - 12 * row, text) for column, text in enumerate(pair)]
    text = parse_file(canvas_pdf(tmp_path / "a.pdf", lines)).text
    assert text.split("\n\n")[-1].split("\n") == [" ".join(LEFT), " ".join(RIGHT)]


def test_a_table_of_short_cells_is_not_taken_for_columns(tmp_path: Path) -> None:
    rows = [
        ("Product of the catalogue", "What it costs in a year"),
        *[(f"Sensor model {n}", f"{n}00 EUR") for n in range(1, 8)],
    ]
    lines = [
        (40.0 + 280 * column, 350.0 - 12 * row, cell)
        for row, pair in enumerate(rows)
        for column, cell in enumerate(pair)
    ]
    text = parse_file(canvas_pdf(tmp_path / "a.pdf", lines)).text
    assert "Sensor model 3: 300 EUR" in text


def test_words_broken_at_line_ends(tmp_path: Path) -> None:
    """The rest of the document tells whether the hyphen belongs to the word."""
    prose = [
        "The well-known method needs docu-",
        "ments that are up-to-date and well-",
        "known. A state-of-",
        "the-art system of Lucene-",
        "BM25 reads the documents at night.",
    ]
    lines = [(40.0, 350.0 - 12 * row, text) for row, text in enumerate(prose)]
    text = parse_file(canvas_pdf(tmp_path / "a.pdf", lines)).text
    assert " ".join(text.split()) == (
        "The well-known method needs documents that are up-to-date and well-known. "
        "A state-of-the-art system of Lucene-BM25 reads the documents at night."
    )


def test_raised_figures_stay_in_their_line(tmp_path: Path) -> None:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 400))
    text = canvas.beginText(40, 350)
    for size, rise, words in ((10, 0, "Accuracy rose"), (6, 4, "1"), (10, 0, " by nine points.")):
        text.setFont("Helvetica", size)
        text.setRise(rise)
        text.textOut(words)
    canvas.drawText(text)
    canvas.save()
    assert parse_file(tmp_path / "a.pdf").text == "Accuracy rose (note 1) by nine points."


# Where the page's lower left corner lies, so that a page that is turned is read upright.
CORNERS = {0: (0, 0), 90: (600, 0), 180: (600, 400), 270: (0, 400)}


@pytest.mark.parametrize("turn", CORNERS)
def test_turned_pages_and_scaled_fonts_have_no_false_headings(tmp_path: Path, turn: int) -> None:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 400))
    canvas.setPageRotation(turn)
    canvas.translate(*CORNERS[turn])
    canvas.rotate(turn)
    canvas.scale(10, 10)  # fonts of size 1, as some writers leave them
    canvas.setFont("Helvetica", 2)
    canvas.drawString(4, 34, "The heading")
    canvas.setFont("Helvetica", 1)
    for row, words in enumerate(LEFT):
        canvas.drawString(4, 30 - 1.2 * row, words)
    canvas.save()
    lines = parse_file(tmp_path / "a.pdf").text.split("\n")
    assert lines == ["# The heading", "", " ".join(LEFT)]


def test_passwords(tmp_path: Path) -> None:
    with pytest.raises(PasswordNeeded, match="give the password"):
        parse(tmp_path, "a.pdf", password_pdf())
    assert parse(tmp_path, "a.pdf", password_pdf(), ["secret"]).text == "hidden"


# --- web pages ---------------------------------------------------------------------------------------


def links(count: int) -> str:
    return "<ul>" + "".join(f'<li><a href="/{n}">Topic {n}</a></li>' for n in range(count)) + "</ul>"


def test_menus_without_a_name_are_dropped_but_references_are_kept(tmp_path: Path) -> None:
    prose = "<p>" + "The sensor measures carbon dioxide every minute. " * 20 + "</p>"
    text = parse(tmp_path, "a.html", f"<body>{links(30)}<h1>News</h1>{prose}{links(4)}</body>").text
    assert "Topic 29" not in text and "Topic 3" in text and "carbon dioxide" in text


def test_a_page_of_links_keeps_them(tmp_path: Path) -> None:
    assert "Topic 29" in parse(tmp_path, "a.html", f"<body><h1>Index</h1>{links(30)}</body>").text


# --- dates and languages -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamp", "day"),
    [
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01T10:00:00Z", "2026-03-01"),
        ("D:20260301120000+01'00'", "2026-03-01"),
        ("Sun, 01 Mar 2026 10:00:00 +0000", "2026-03-01"),
        ("", ""),
        (None, ""),
        ("yesterday", ""),
        ("2026-13-40", ""),
        ("0001-01-01", ""),
    ],
)
def test_dates(stamp: str | None, day: str) -> None:
    assert iso_date(stamp) == day


SENTENCES = {
    "en": "The customer may return the device within thirty days of delivery, and it must be complete.",
    "de": "Der Kunde kann das Gerät innerhalb von dreißig Tagen zurückgeben, und es ist frei.",
    "fr": "Le client peut rendre l'appareil dans les trente jours, et il est remboursé par la société.",
    "es": "El cliente puede devolver el aparato en los treinta días que siguen, y no se cobra nada.",
    "it": "Il cliente può restituire il dispositivo entro trenta giorni, e non è una spesa per lui.",
    "pt": "O cliente pode devolver o aparelho em trinta dias, mas não usa mais que uma vez, como foi dito.",
    "nl": "De klant kan het apparaat binnen dertig dagen terugsturen, en dat is voor hem niet duur.",
    "pl": "Klient może zwrócić urządzenie i nie jest to dla niego drogie, ale że tak się nie robi.",
    "sv": "Kunden kan lämna tillbaka apparaten och det är inte en kostnad för den som har köpt den.",
    "tr": "Müşteri cihazı geri verebilir ve bu bir sorun değil, daha çok olarak ile için.",
    "ru": "Покупатель может вернуть прибор в течение тридцати дней.",
    "uk": "Покупець може повернути прилад і отримати гроші, якщо він є.",
    "ja": "お客様は三十日以内に製品を返品できます。",
    "ko": "고객은 삼십 일 이내에 제품을 반품할 수 있습니다.",
    "el": "Ο πελάτης μπορεί να επιστρέψει τη συσκευή.",
    "ar": "يمكن للعميل إعادة الجهاز خلال ثلاثين يوما.",
    "": "SB-42; 24 EUR; a b c d",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_languages(code: str) -> None:
    assert language(SENTENCES[code]) == code


def test_every_parsed_file_tells_its_language(tmp_path: Path) -> None:
    assert parse(tmp_path, "a.txt", SENTENCES["de"]).language == "de"
