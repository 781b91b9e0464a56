"""Mail: the body that says something, and what came with it as documents of their own."""

from __future__ import annotations

import email.policy
import struct
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backends.datatypes import ParsedFile
from backends.documents import limits
from backends.documents.library import DocumentDetails, IngestResult, Library
from backends.documents.opening import open_folder
from backends.documents.parsing import parse_file
from backends.documents.store import Workspace
from tests.documents.compound import compound
from tests.documents.test_archives import make_zip
from tests.documents.test_parsing import make_pdf, password_pdf
from tests.fakes import HashingEmbedder

SETTINGS = SimpleNamespace(chunk_size=32, chunk_overlap=8, chunking="sentences")
DATE = "Mon, 06 May 2024 10:00:00 +0200"


def mail(subject: str = "Order 7", body: str = "See what is attached.") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Date"], message["Subject"] = "a@x.y", "b@x.y", DATE, subject
    message.set_content(body)
    return message


def attach(message: EmailMessage, name: str, data: bytes, kind: str = "application/octet-stream") -> None:
    main, sub = kind.split("/")
    message.add_attachment(data, maintype=main, subtype=sub, filename=name)


def read(folder: Path, message: EmailMessage | bytes, name: str = "a.eml") -> ParsedFile:
    path = folder / name
    path.write_bytes(message if isinstance(message, bytes) else message.as_bytes())
    return parse_file(path)


# --- body ------------------------------------------------------------------------------------------

STUB = "This message is in HTML. Open it in a program that shows HTML."
LONG = "<p>" + "The berth costs 31 euros a night, and water is included in it. " * 8 + "</p>"


@pytest.mark.parametrize(
    ("plain", "html", "shown"),
    [
        (STUB, f"<body>{LONG}</body>", "berth"),
        ("", "<p>The berth is free.</p>", "berth is free"),
        ("Please view this in HTML.", "<p>The fee is 45 euros a night in May.</p>", "45 euros"),
        ("The berth is free on Monday.", "<p>The <b>berth</b> is free on Monday.</p>", "free on Monday."),
        ("Text says one.", "<p>HTML says two.</p>", "Text says one."),
    ],
)
def test_the_body_is_the_text_unless_it_is_a_stub(tmp_path: Path, plain: str, html: str, shown: str) -> None:
    message = mail(body=plain)
    message.add_alternative(html, subtype="html")
    text = read(tmp_path, message).text
    assert shown in text and text.count(shown) == (8 if html == f"<body>{LONG}</body>" else 1)
    assert STUB not in text


def test_the_parts_of_a_body_are_read_in_order(tmp_path: Path) -> None:
    message = mail(body="First.")
    message.add_attachment("Second.", disposition="inline")
    message.add_attachment("<p>Third.</p>", subtype="html", disposition="inline")
    assert read(tmp_path, message).text.endswith("First.\n\nSecond.\n\nThird.")


def test_windows_1252_that_says_it_is_latin_1(tmp_path: Path) -> None:
    head = b"Subject: x\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n"
    parsed = read(tmp_path, head + b"It costs \x80 45 \x96 \x93paid\x94.\r\n")
    assert parsed.text.endswith("It costs € 45 – “paid”.")


def test_flowed_text_goes_on_over_line_ends(tmp_path: Path) -> None:
    head = b"Subject: x\r\nContent-Type: text/plain; format=flowed\r\n\r\n"
    body = b"The gate is \r\nshut.\r\nIt opens\r\n> you wrote \r\n> this\r\n"
    assert read(tmp_path, head + body).text.split("\n")[-4:] == [
        "The gate is shut.", "It opens", "> you wrote", "> this",
    ]  # fmt: skip


# --- attachments -----------------------------------------------------------------------------------


def test_attachments_are_files_of_their_own(tmp_path: Path) -> None:
    message = mail()
    attach(message, "rules.txt", b"The dock closes at 16:40.")
    attach(message, "rules.txt", b"Another file of that name.")
    attach(message, "C:\\docs\\fees: 2024.csv", b"Town,Fee\nAlta,3\n", "text/csv")
    attach(message, "scan", b"%PDF-", "application/pdf")
    attach(message, "logo.png", b"\x89PNG", "image/png")
    attach(message, "plan.dwg", b"AC1027")
    attach(message, "smime.p7s", b"x", "application/pkcs7-signature")
    parsed = read(tmp_path, message)
    names = [each.name for each in parsed.attachments]
    assert names == ["rules.txt", "rules (2).txt", "fees- 2024.csv", "scan.pdf"]
    assert parsed.attachments[0].data == b"The dock closes at 16:40."
    assert parsed.notes == ("attachment not read: plan.dwg", "pictures left out (1)")
    assert "Attachment: rules (2).txt\nAttachment: fees- 2024.csv" in parsed.text


def test_a_message_within_a_message_is_a_mail(tmp_path: Path) -> None:
    outer = mail("Fwd: Complaint")
    outer.add_attachment(mail("Complaint 88: crate/box", "The crate arrived broken; we ask for 60 euros."))
    (within,) = read(tmp_path, outer).attachments
    assert within.name == "box.eml"
    inner = read(tmp_path, within.data, within.name)
    assert (inner.title, inner.date) == ("Complaint 88: crate/box", "2024-05-06")
    assert inner.text.endswith("The crate arrived broken; we ask for 60 euros.")


def test_a_broken_message_within_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    outer = mail("Fwd")
    outer.add_attachment(with_files(tmp_path))
    data = outer.as_bytes()
    inner = data.rindex(b"boundary=")
    (within,) = read(tmp_path, data[: inner + 15] + b"\xf8\x96" + data[inner + 15 :]).attachments
    parsed = read(tmp_path, within.data, "b.eml")
    assert "See what is attached." in parsed.text
    assert [each.name for each in parsed.attachments] == ["plan.pdf", "old.zip", "Complaint.eml"]


# --- Outlook ---------------------------------------------------------------------------------------


def outlook(place: str = "", more: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """The streams of a message with a subject; `more` are others by their tags."""
    streams = {"0037001F": "Order 7".encode("utf-16-le"), **(more or {})}
    head = b"\0" * (24 if place else 32)
    since = datetime(2024, 5, 6, 8, tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)
    sent = struct.pack("<HHIQ", 0x40, 0x0039, 0, int(since.total_seconds()) * 10**7)
    page = struct.pack("<HHIQ", 0x03, 0x3FFD, 0, 1250)
    found = {f"{place}__properties_version1.0": head + sent + page}
    return found | {f"{place}__substg1.0_{tag}": data for tag, data in streams.items()}


def test_outlook_mail_with_files_and_a_mail_within(tmp_path: Path) -> None:
    one, two = "__attach_version1.0_#00000000/", "__attach_version1.0_#00000001/"
    streams = outlook(more={"1000001E": "Książka: żółta.".encode("cp1250")})
    streams |= {f"{one}__substg1.0_3707001F": "fees.csv".encode("utf-16-le")}
    streams |= {f"{one}__substg1.0_37010102": b"Town,Fee\nAlta,3\n"}
    streams |= outlook(f"{two}__substg1.0_3701000D/", {"1000001F": "The crate broke.".encode("utf-16-le")})
    parsed = read(tmp_path, compound(streams), "a.msg")
    assert (parsed.title, parsed.date) == ("Order 7", "2024-05-06")
    assert "Książka: żółta." in parsed.text
    assert [each.name for each in parsed.attachments] == ["fees.csv", "Order 7.eml"]
    assert read(tmp_path, parsed.attachments[1].data, "b.eml").text.endswith("The crate broke.")


@pytest.mark.parametrize("squeezed", [False, True])
def test_outlook_mail_whose_body_is_rich_text(tmp_path: Path, squeezed: bool) -> None:
    import compressed_rtf

    rtf = compressed_rtf.compress(rb"{\rtf1\ansi The berth is \b free\b0.\par}", compressed=squeezed)
    assert read(tmp_path, compound(outlook(more={"10090102": rtf})), "a.msg").text.endswith(
        "The berth is free."
    )


def test_outlook_mail_whose_body_is_html(tmp_path: Path) -> None:
    html = "<p>Książka <b>żółta</b></p>".encode("cp1250")
    place = outlook(more={"10130102": html})
    place["__properties_version1.0"] += struct.pack("<HHIQ", 0x03, 0x3FDE, 0, 1250)
    assert read(tmp_path, compound(place), "a.msg").text.endswith("Książka żółta")


# --- in the library --------------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(Workspace.open(tmp_path / "workspace"), HashingEmbedder())


def ingest(library: Library, paths: Sequence[Path], **more: Any) -> list[IngestResult]:
    return list(library.ingest(paths, settings=SETTINGS, **more))


def write(folder: Path, message: EmailMessage, name: str = "a.eml") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(message.as_bytes(policy=email.policy.SMTP))
    return folder / name


def with_files(tmp_path: Path) -> EmailMessage:
    message = mail()
    make_pdf(tmp_path / "plan.pdf")
    attach(message, "plan.pdf", (tmp_path / "plan.pdf").read_bytes(), "application/pdf")
    archive = make_zip(tmp_path / "old.zip", {"x/note.md": "The old fee was 3 euros."})
    attach(message, "old.zip", archive.read_bytes(), "application/zip")
    message.add_attachment(mail("Complaint", "The crate arrived broken."))
    return message


def test_attachments_become_documents_for_the_same_readers(library: Library, tmp_path: Path) -> None:
    path = write(tmp_path / "in", with_files(tmp_path))
    results = ingest(library, [path], roles=("hr",))
    names = ["a.eml", "a.eml/plan.pdf", "a.eml/old.zip/x/note.md", "a.eml/Complaint.eml"]
    assert [(each.document, each.status) for each in results] == [(name, "indexed") for name in names]
    assert [document.name for document in library.documents("hr")] == sorted(names)
    assert library.documents("sales") == []
    assert library.get("a.eml/plan.pdf").page_at(0) == 1
    assert library.get("a.eml/Complaint.eml").date == "2024-05-06"
    assert [each.status for each in ingest(library, [path], roles=("hr",))] == ["unchanged"]


def test_attachments_of_a_mail_that_is_kept_from_some_stay_so(library: Library, tmp_path: Path) -> None:
    path = write(tmp_path / "in", mail(body="Nothing yet."))
    ingest(library, [path], details={"a.eml": DocumentDetails(roles=("hr",), tags=("case",))})
    ingest(library, [write(tmp_path / "in", with_files(tmp_path))])  # the next version, given without a role
    document = library.get("a.eml/plan.pdf")
    assert (document.roles, document.tags) == (("hr",), ("case",))


def test_what_cannot_be_read_is_a_row_of_its_own(library: Library, tmp_path: Path) -> None:
    message = mail()
    attach(message, "locked.pdf", password_pdf(), "application/pdf")
    attach(message, "broken.docx", b"no archive")
    attach(message, "b.zip", b"no archive")
    path = write(tmp_path / "in", message)
    rows = {each.document: each for each in ingest(library, [path])}
    assert [each.status for each in rows.values()] == ["indexed", "rejected", "rejected", "rejected"]
    assert rows["a.eml/locked.pdf"].needs_password
    assert "not a real docx" in str(rows["a.eml/broken.docx"].error)
    assert "not a real zip" in str(rows["a.eml/b.zip"].error)
    again = {each.document: each.status for each in ingest(library, [path], passwords=["secret"])}
    assert again["a.eml"] == "unchanged" and again["a.eml/locked.pdf"] == "indexed"


def test_messages_within_messages_come_to_an_end(library: Library, tmp_path: Path) -> None:
    message = mail("innermost")
    for depth in range(limits.MAX_NESTED + 2):
        outer = mail(f"level {depth}")
        outer.add_attachment(message)
        message = outer
    results = ingest(library, [write(tmp_path / "in", message)])
    assert [each.status for each in results] == ["indexed"] * (limits.MAX_NESTED + 1) + ["rejected"]
    assert "more than 3 files deep" in str(results[-1].error)


def test_cancelling_stops_between_attachments(library: Library, tmp_path: Path) -> None:
    stop = threading.Event()
    results = library.ingest([write(tmp_path / "in", with_files(tmp_path))], settings=SETTINGS, cancel=stop)
    assert next(results).document == "a.eml"
    stop.set()
    assert list(results) == []


def test_a_folder_keeps_the_attachments_of_its_mails(tmp_path: Path) -> None:
    folder, place = tmp_path / "in", tmp_path / "workspace"
    write(folder, with_files(tmp_path))
    (folder / "b.md").write_text("Another document.")

    def names() -> list[str]:
        library = open_folder(place, folder, HashingEmbedder(), SETTINGS)
        return [document.name for document in library.documents()]

    found = ["a.eml", "a.eml/Complaint.eml", "a.eml/old.zip/x/note.md", "a.eml/plan.pdf", "b.md"]
    assert names() == found and names() == found
    write(folder, mail(body="Nothing is attached."))
    assert names() == ["a.eml", "b.md"]


def test_bytes_in_a_header_that_nothing_declares_are_guessed(tmp_path: Path) -> None:
    source = "From: a@x.y\r\nSubject: Gebühr für Öl\r\nContent-Type: text/plain\r\n\r\n45 Euro für Möbel.\r\n"
    parsed = read(tmp_path, source.encode("cp1252"))
    assert (parsed.title, parsed.notes) == ("Gebühr für Öl", ())


def test_the_mark_of_a_signature_joins_no_lines(tmp_path: Path) -> None:
    source = "Subject: x\r\nContent-Type: text/plain; format=flowed\r\n\r\nPaid by \r\nMay.\r\n-- \r\nIb\r\n"
    assert read(tmp_path, source.encode()).text.endswith("Paid by May.\n--\nIb")


def test_an_invitation_without_a_name_is_said(tmp_path: Path) -> None:
    head = "Subject: Check\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=M\n\n"
    body = "--M\nContent-Type: text/plain\n\nSee the invitation.\n"
    event = "--M\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\nEND:VCALENDAR\n--M--\n"
    (tmp_path / "a.eml").write_text(f"{head}{body}{event}")
    parsed = parse_file(tmp_path / "a.eml")
    assert parsed.text.endswith("See the invitation.")
    assert parsed.notes == ("attachment not read: text/calendar",)
