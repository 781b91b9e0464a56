"""Hostile input: mutated files for every reader, files that unpack without end, and words that would be code.

Readers run in their own process, as in the product. A file is read or refused in a sentence; a reader that
dies or runs out of time is counted apart: it is contained, and still a fault of the reader.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import cache, partial
from pathlib import Path

import lxml.html
import pandas as pd
from markdown_it import MarkdownIt

from backends.datatypes import Answer, Citation, Cost, SourceRecord, Usage, UserError
from backends.documents.archives import unpacked
from backends.documents.library import files_in
from backends.documents.parsing import SUPPORTED
from backends.documents.reader_pool import Limits, Readers
from backends.evaluation import reports
from backends.evaluation.archive import Archive
from backends.evaluation.comparison import Board
from backends.evaluation.runner import carry_out, plain_arms, plan
from backends.settings import make_settings
from backends.system.csv_file import without_formula
from backends.system.viewers import check_person, check_roles, viewer_folder
from backends.training.adapters import Adapters
from pages.ask.export import as_csv, as_report
from pages.ui.asking import Asked, Column, Round
from pages.ui.text import markdown
from tests.campaign.cases import Case, Part, Plan
from tests.documents.compound import compound
from tests.documents.test_formats import old_powerpoint, old_word
from tests.evaluation.subjects import ScriptedSubject, make_questions

SECONDS = 20.0
DEEP = 200_000
MARKUP = "words that would be HTML, Markdown or LaTeX"
AT_ONCE = 25  # mutated files a case
WANTED = {
    "mutated files of every reader": 20_000,
    "files that unpack or nest without end": 30,  # each of BOMBS
    "formulas in exports": 2_000,
    MARKUP: 2_000,
    "names that would be paths": 2_000,
}
WORDS = "Customers return goods within 30 days. The Lark lamp costs 99 euros and weighs 2 kilos."
EVIL = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "![x](http://evil.example/p.png)",
    "[x](javascript:alert(1))",
    "$\\href{http://evil.example}{x}$",
    "$$x$$",
    "`code`",
    "**bold**",
    ":red[x]",
    ":material/bolt:",
    "| a | b |\n|---|---|",
    "# Title",
    "&lt;script&gt;",
    "\x00\x1b[31m",
    "</title><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "</style><script>",
    "<!-- --><iframe src=x>",
    "\u202egnp.exe",
    "{{7*7}}",
    "<a href='http://evil.example'>x</a>",
    "--> <base href=//evil.example>",
)
FORMULAS = (
    "=1+1",
    "+1",
    "-1+cmd",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "  =1+1",
    "=cmd|' /C calc'!A0",
    "＝1+1",
    "%0A=1",
    "|x",
)
PATHS = (
    "../../x",
    "/etc/passwd",
    "..",
    ".",
    "a/../../b",
    "C:\\x",
    "..\\..\\x",
    "x\x00y",
    "~root",
    "$HOME",
    "a" * 300,
    "",
    "con",
    ".hidden",
    "%2e%2e/x",
    "a\nb",
    "\u2024\u2024/x",
    "x;rm -rf",
    "-rf",
    "role~hr",
)


# --- files ---------------------------------------------------------------------------------------


@cache
def samples() -> Mapping[str, bytes]:
    """A small valid file of every kind that is read, by its suffix."""
    page = (
        f"<html><head><title>T</title></head><body><h1>H</h1><p>{WORDS}</p><table><tr><td>1</td></tr></table>"
    )
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["Date"] = "Order", "a@example.org", "Mon, 1 Jan 2024 10:00:00 +0000"
    mail.set_content(WORDS)
    mail.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="a.csv")
    rows = f"name,price\nLark,99\nAlpha,{WORDS}\n"
    notebook = {"cells": [{"cell_type": "markdown", "source": [WORDS]}], "metadata": {}, "nbformat": 4}
    return {
        ".md": f"# Title\n\n{WORDS}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n".encode(),
        ".txt": WORDS.encode(),
        ".rst": f"Title\n=====\n\n{WORDS}\n\n.. note:: x\n".encode(),
        ".org": f"* Title\n{WORDS}\n| a | b |\n".encode(),
        ".rtf": (r"{\rtf1\ansi{\fonttbl{\f0 A;}}\b Title\b0\par " + WORDS + "}").encode(),
        ".json": json.dumps({"a": [1, {"b": WORDS}]}).encode(),
        ".jsonl": f"{json.dumps({'a': WORDS})}\n".encode() * 3,
        ".ipynb": json.dumps(notebook).encode(),
        ".csv": rows.encode(),
        ".tsv": rows.replace(",", "\t").encode(),
        ".html": page.encode(),
        ".xml": f"<?xml version='1.0'?><a><b c='d'>{WORDS}</b></a>".encode(),
        ".eml": mail.as_bytes(),
        ".epub": _epub(page),
        ".db": _database(),
        ".doc": old_word(WORDS),
        ".ppt": old_powerpoint(),
        ".msg": _message(),
        **_office(),
        ".pdf": _pdf(),
    }


def _epub(page: str) -> bytes:
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="c.opf"/></rootfiles></container>'
    )
    book = (
        '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="a" href="a.xhtml"/></manifest>'
        '<spine><itemref idref="a"/></spine></package>'
    )
    return _zipped({"META-INF/container.xml": container, "c.opf": book, "a.xhtml": f"{page}</body></html>"})


def _zipped(members: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def _database() -> bytes:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE lamps (name TEXT, price REAL)")
    db.executemany("INSERT INTO lamps VALUES (?, ?)", [("Lark", 99.0), (WORDS, 1.0)])
    db.commit()
    return db.serialize()


def _message() -> bytes:
    return compound({
        "__substg1.0_0037001F": "Order".encode("utf-16-le"),
        "__substg1.0_1000001F": WORDS.encode("utf-16-le"),
        "__properties_version1.0": bytes(32),
    })  # fmt: skip


def _office() -> dict[str, bytes]:
    import docx
    import openpyxl
    import pptx
    import xlwt
    from odf.opendocument import OpenDocumentSpreadsheet, OpenDocumentText
    from odf.table import Table, TableCell, TableRow
    from odf.text import P

    made: dict[str, bytes] = {}

    def keep(suffix: str, save: Callable[[io.BytesIO], object]) -> None:
        out = io.BytesIO()
        save(out)
        made[suffix] = out.getvalue()

    word = docx.Document()
    word.add_heading("Title")
    word.add_paragraph(WORDS)
    word.add_table(2, 2)
    keep(".docx", word.save)
    book = openpyxl.Workbook()
    book.active.append(["name", "price"])
    book.active.append([WORDS, "=1+1"])
    keep(".xlsx", book.save)
    slides = pptx.Presentation()
    slides.slides.add_slide(slides.slide_layouts[0]).shapes.title.text = WORDS
    keep(".pptx", slides.save)
    old = xlwt.Workbook()
    old.add_sheet("s").write(0, 0, WORDS)
    keep(".xls", old.save)
    text = OpenDocumentText()
    text.text.addElement(P(text=WORDS))
    keep(".odt", text.write)
    sheet, table, row, cell = OpenDocumentSpreadsheet(), Table(name="s"), TableRow(), TableCell()
    cell.addElement(P(text=WORDS))
    row.addElement(cell)
    table.addElement(row)
    sheet.spreadsheet.addElement(table)
    keep(".ods", sheet.write)
    return made


def _pdf() -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    page = Canvas(out, pageCompression=0)
    for line, text in enumerate(("Title", *WORDS.split(". "))):
        page.drawString(72, 720 - 20 * line, text)
    page.showPage()
    page.save()
    return out.getvalue()


def mutated(data: bytes, draw: random.Random) -> bytes:
    """The file with some damage: in a zip, to one of its members."""
    if data[:2] == b"PK" and draw.random() < 0.8:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
        name = draw.choice(sorted(members))
        members[name] = _damaged(bytes(members[name]), draw)  # type: ignore[arg-type]
        return _zipped(members)
    return _damaged(data, draw)


def _damaged(data: bytes, draw: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 5, 20))):
        at = draw.randrange(len(made) + 1)
        end = min(len(made), at + draw.choice((1, 4, 16, 200)))
        match draw.choice(("flip", "cut", "drop", "twice", "noise", "number", "angle", "move")):
            case "flip" if at < len(made):
                made[at] ^= 1 << draw.randrange(8)
            case "cut":
                del made[at:]
            case "drop":
                del made[at:end]
            case "twice":
                made[at:at] = made[at:end] * draw.choice((1, 2, 300))
            case "noise":
                made[at:end] = draw.randbytes(end - at)
            case "number":
                made[at:end] = draw.choice(
                    (b"-1", b"4294967296", b"1e999", b"NaN", b"99999999999999999999", b"\xff" * 4)
                )
            case "angle":
                made[at:at] = draw.choice(
                    (b"<", b">", b"<a>", b"&x;", b"{", b"}", b"\\", b"\0", b'"', b"\xef\xbb\xbf", b"]]>")
                )
            case "move":
                piece = made[at:end]
                del made[at:end]
                to = draw.randrange(len(made) + 1)
                made[to:to] = piece
    return bytes(made) or b"\0"


def _repeated(before: bytes, count: int, between: bytes = WORDS.encode(), after: bytes = b"") -> bytes:
    return before * count + between + after * count


def _laughs() -> bytes:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]><a>&l11;</a>'.encode()


def _zeros() -> bytes:
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    zeros = bytes(40_000_000)
    return _zipped(
        {f"word/{n}.xml": zeros for n in range(16)} | {"word/document.xml": f"<w:document {space}/>"}
    )


def _filled(suffix: str, member: str) -> bytes:
    """The small file of this kind with one member that unpacks to 600 MB of spaces."""
    return _with(suffix, member, b" " * 600_000_000)


def _nested(suffix: str, member: str, tag: bytes) -> bytes:
    """The small file of this kind with one member that nests without end, where its words stood."""
    with zipfile.ZipFile(io.BytesIO(samples()[suffix])) as archive:
        before, _, after = archive.read(member).rpartition(b"</")
    deep = _repeated(b"<" + tag + b">", DEEP, after=b"</" + tag + b">")
    return _with(suffix, member, before + deep + b"</" + after)


def _with(suffix: str, member: str, data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(samples()[suffix])) as archive:
        members: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    assert member in members, f"{member} is no member: {sorted(members)}"
    return _zipped({**members, member: data})


def _deep_mail() -> bytes:
    mail = WORDS
    for number in range(300):
        mail = f'Content-Type: multipart/mixed; boundary="b{number}"\n\n--b{number}\n{mail}\n--b{number}--\n'
    return mail.encode()


def _endless_view() -> bytes:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE t (a TEXT)")
    db.execute("INSERT INTO t VALUES ('words')")
    numbers = "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT a FROM n"
    db.execute(f"CREATE VIEW endless AS {numbers}")
    db.commit()
    return db.serialize()


def _lists() -> bytes:
    return b"".join(b" " * (2 * n) + b"- a\n" for n in range(2_000))


def _notebook() -> bytes:
    return json.dumps({"cells": [{"cell_type": "code", "source": "x" * 10_000_000}]}).encode()


# Files that are small and would be large, deep or endless.
BOMBS: Mapping[str, Callable[[], bytes]] = {
    "deep.json": lambda: _repeated(b"[", DEEP, b"1", b"]"),
    "laughs.xml": _laughs,
    "outside.xml": lambda: b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>words &x; words</a>',
    "deep.html": lambda: _repeated(b"<div>", DEEP),
    "deep.xml": lambda: _repeated(b"<a>", DEEP, after=b"</a>"),
    "deep.rtf": lambda: b"{\\rtf1 " + _repeated(b"{", DEEP),
    "deep.md": lambda: _repeated(b"> ", 20_000),
    "lists.md": _lists,
    "links.md": lambda: b"[" * 50_000 + b"](" * 50_000,
    "zeros.docx": _zeros,
    "cells.xlsx": lambda: _cells(),
    "pages.pdf": lambda: _looping_pdf(),
    "deep.eml": _deep_mail,
    "endless.db": _endless_view,
    "wide.csv": lambda: b"a" + b",a" * 200_000 + b"\n1\n",
    "one_line.txt": lambda: b"word " * 4_000_000,
    "quotes.csv": lambda: b'"' * 2_000_001 + b"\n",
    "notebook.ipynb": _notebook,
    "filled.xlsx": lambda: _filled(".xlsx", "xl/worksheets/sheet1.xml"),
    "filled.pptx": lambda: _filled(".pptx", "ppt/slides/slide1.xml"),
    "filled.odt": lambda: _filled(".odt", "content.xml"),
    "filled.epub": lambda: _filled(".epub", "a.xhtml"),
    "nested.docx": lambda: _nested(".docx", "word/document.xml", b"w:tbl"),
    "nested.xlsx": lambda: _nested(".xlsx", "xl/worksheets/sheet1.xml", b"row"),
    "nested.odt": lambda: _nested(".odt", "content.xml", b"text:list"),
    "nested.epub": lambda: _nested(".epub", "a.xhtml", b"ul"),
    "nested.ipynb": lambda: _repeated(b'{"cells":[', DEEP, b"1", b"]}"),
    "stars.org": lambda: b"".join(b"*" * n + b" a\n" for n in range(1, 4_000)),
    "quotes.rst": lambda: b"".join(b" " * n + b"a\n\n" for n in range(4_000)),
    "wide.tsv": lambda: b"a" + b"\ta" * 200_000 + b"\n1\n",
}


def _cells() -> bytes:
    """A sheet that says it is as large as a sheet can be, and merges all of it."""
    with zipfile.ZipFile(io.BytesIO(samples()[".xlsx"])) as archive:
        members: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    text = bytes(members[name]).decode()  # type: ignore[arg-type]
    text = re.sub('<dimension ref="[^"]*"', '<dimension ref="A1:XFD1048576"', text)
    members[name] = text.replace(
        "</sheetData>", '</sheetData><mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    )
    return _zipped(members)


def _looping_pdf() -> bytes:
    """A page tree whose only child is itself."""
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[2 0 R]/Count 1000000>>endobj\ntrailer<</Root 1 0 R>>\n"
    )


DIED = re.compile(r"program that reads it|takes longer than")


class Hostile:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._readers: Readers | None = None

    @property
    def readers(self) -> Readers:
        if self._readers is None:
            self._readers = Readers(Limits(seconds=SECONDS))
        return self._readers

    def close(self) -> None:
        if self._readers is not None:
            self._readers.close()

    def mutate(self, suffix: str, number: int) -> int:
        """A few damaged files of one kind; whoever reads them neither dies nor hangs."""
        draw = random.Random(f"{suffix} {number}")
        for at in range(AT_ONCE):
            path = self.folder / f"{number}-{at}{suffix}"
            path.write_bytes(mutated(samples()[suffix], draw))
            self._read(path)
            path.unlink()
        return AT_ONCE

    def _read(self, path: Path) -> None:
        try:
            self.readers.parse(path)
        except UserError as error:
            if DIED.search(str(error)):
                kept = Path(os.environ.get("CAMPAIGN_KEPT", self.folder)) / f"died-{path.name}"
                kept.write_bytes(path.read_bytes())
                raise AssertionError(f"contained, but the reader died or hung: {error} ({kept})") from error
            assert len(str(error)) < 600 and "Traceback" not in str(error)

    def explode(self, name: str) -> None:
        path = self.folder / name
        path.write_bytes(BOMBS[name]())
        began = time.monotonic()
        try:
            text = self.readers.parse(path).text
        except UserError as error:
            text = str(error)
        assert "root:" not in text, "it read a file beside it"
        assert time.monotonic() - began < 6 * SECONDS
        path.unlink()

    # --- exports ---------------------------------------------------------------------------------

    def formulas(self, number: int) -> int:
        draw = random.Random(number)
        words = [draw.choice(FORMULAS) + draw.choice(("", "x", ",1")) for _ in range(6)]
        board = _board(self.folder / f"f{number}", *words[:3])
        frame = pd.DataFrame({words[0]: [words[1], 1.0], "b": [words[2], words[3]]})
        charts = frame.map(without_formula).rename(columns=without_formula).to_csv(index=False)
        exports = (as_csv([_round(*words)]), reports.as_csv(board), charts)
        for text in exports:
            for row in csv.reader(io.StringIO(text)):
                for cell in row:
                    bare = cell.lstrip()
                    assert not bare.startswith(("=", "+", "-", "@", "＝")) or _is_number(bare), repr(cell)
        return len(words)

    def markup(self, number: int) -> int:
        """Foreign words change no tag and no attribute of a page, and are plain text in Markdown."""
        draw = random.Random(number)
        words = [
            draw.choice(EVIL) + draw.choice(("", " x", EVIL[draw.randrange(len(EVIL))])) for _ in range(6)
        ]
        plain = ["plain words"] * 6
        assert _skeleton(as_report([_round(*words)])) == _skeleton(as_report([_round(*plain)]))
        board, calm = (
            _board(self.folder / f"{kind}{number}", *each)
            for kind, each in (("m", words[:3]), ("n", plain[:3]))
        )
        assert _skeleton(reports.as_html(board)) == _skeleton(reports.as_html(calm))
        shown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        assert _skeleton(shown.render(reports.as_markdown(board))) == _skeleton(
            shown.render(reports.as_markdown(calm))
        )
        for word in words:
            if word.strip():
                (start, inline, _) = shown.parse(markdown(word))
                assert start.type == "paragraph_open" and {t.type for t in inline.children or ()} <= {
                    "text",
                    "text_special",
                }
                assert not re.search(r"(?<!\\)[$:]", markdown(word))
        return len(words)

    # --- names -----------------------------------------------------------------------------------

    def paths(self, number: int) -> int:
        """No typed name leads outside of the folder it is for."""
        draw = random.Random(number)
        around = self.folder / "around"
        inside = around / "deep" / "home"
        inside.mkdir(parents=True, exist_ok=True)
        before = _beside(around, inside)
        name = draw.choice(PATHS) + draw.choice(("", "x", "/", draw.choice(PATHS)))
        adapters = Adapters(inside / "adapters", inside / "none")
        for what in (
            lambda: adapters.path_for(name), lambda: viewer_folder(inside, check_person(name)),
            lambda: viewer_folder(inside, "ada", name),
        ):  # fmt: skip
            try:
                found = what()
            except UserError:
                continue
            assert found.resolve().is_relative_to(inside.resolve()), name
        with suppress(UserError):
            check_roles([name])
        packed = inside / "a.zip"
        members = {name.replace("\x00", "") or "x": WORDS, "b/ok.txt": WORDS}
        packed.write_bytes(_zipped(members))
        tempfile.tempdir = str(inside)
        with unpacked([packed]) as (found_files, _refused):
            for path, inner in files_in(found_files):
                assert not Path(inner).is_absolute() and ".." not in Path(inner).parts
                assert path.resolve().is_relative_to(found_files[0].resolve())
        tempfile.tempdir = None
        assert _beside(around, inside) == before
        return 4


def _beside(around: Path, inside: Path) -> set[Path]:
    return {path for path in around.rglob("*") if not path.is_relative_to(inside)}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _skeleton(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """Tags and attribute names in their order, but for our own marks: how many words an answer shares with
    what it cites depends on the words."""
    tree = lxml.html.fromstring(page.encode("utf-8", "replace"))
    found = [(str(each.tag), tuple(sorted(each.attrib))) for each in tree.iter()]
    return [each for each in found if each != ("mark", ("style",))]


def _answer(*words: str) -> Answer:
    question, text, document, model, note, cited = words
    return Answer(
        id="a",
        question=question,
        backend="rag",
        text=f"{text} [1]",
        citations=(Citation(document, 1, None, 0, len(cited), cited, marker=1),),
        sources=(SourceRecord(document, 1, None, 0, len(cited), cited, rank=1, score=0.5),),
        latency_ms={"total": 5.0, "generate": 4.0},
        usage=Usage(3, 2),
        cost=Cost(0.1, "USD", "your input"),
        model=model,
        adapter=model,
        abstained=False,
        groundedness=0.5,
        warnings=(note,),
        settings={},
    )


def _round(*words: str) -> Round:
    answer = _answer(*words)
    asked = Asked(words[0], ("rag", "base"), make_settings(), datetime(2024, 1, 1, tzinfo=UTC))
    failed = Column("base", "failed", failure=words[1])
    return Round("r", asked, {"rag": Column("rag", "done", answer=answer), "base": failed}, True)


def _board(folder: Path, name: str, question: str, gold: str) -> Board:
    from dataclasses import replace

    questions = [
        replace(each, question=question, answers=(gold,) if each.answers else ())
        for each in make_questions(2)
    ]
    subject = ScriptedSubject()
    planned = plan(
        subject, questions, plain_arms(("rag", "base"), make_settings()), question_set=name, name=name
    )
    archive = Archive(folder)
    return Board(carry_out(archive, archive.begin(planned), subject))


def cases(of: Plan) -> Iterator[Case]:
    hostile = Hostile(of.folder)
    suffixes = sorted(samples())
    assert {SUPPORTED[suffix] for suffix in suffixes} == set(SUPPORTED.values()), (
        "a kind of file has no sample"
    )
    for name in list(BOMBS)[: 3 if of.small else None]:
        yield Case("files that unpack or nest without end", name, partial(hostile.explode, name))
    for number in range(2 if of.small else 10_000):
        seed = of.seed * 100_000 + number
        yield Case("formulas in exports", f"formulas-{seed}", partial(hostile.formulas, seed))
        yield Case(MARKUP, f"markup-{seed}", partial(hostile.markup, seed))
        yield Case("names that would be paths", f"paths-{seed}", partial(hostile.paths, seed))
        for suffix in random.Random(seed).sample(suffixes, 4):
            run = partial(hostile.mutate, suffix, seed)
            yield Case("mutated files of every reader", f"mutated{suffix}-{seed}", run)
    hostile.close()


PART = Part("hostile", cases, WANTED)
