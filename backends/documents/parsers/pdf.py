"""PDF.

Enters: a PDF file. Leaves: its pages with paragraphs put together again from lines, headings recognised by
their size, words joined that were broken at line ends, rows of tables with the labels of their columns, form
values and comments; page headers and footers once. What was not read is a note.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from backends.datatypes import ParsedFile, PasswordNeeded, UserError
from backends.documents import limits
from backends.documents.parsers.common import PageText, assemble, clean, iso_date, one_line, stem
from backends.documents.parsers.pdf_flow import in_columns, page_text
from backends.documents.parsers.pdf_page import TextLine
from backends.documents.parsers.pdf_reading import Contents, contents
from backends.documents.parsers.pdf_rows import with_aligned_tables
from backends.documents.parsers.pdf_running import without_running_lines
from backends.documents.parsers.pdf_scripts import plain_scripts
from backends.documents.parsers.pdf_series import labelled, table_text
from backends.documents.parsers.pdf_tables import Item, with_tables
from backends.documents.parsers.pdf_words import whole_words

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument


def parse(path: Path, kind: str, name: str, passwords: Sequence[str] = ()) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    document = _open(path, name, passwords)
    try:
        if len(document) > limits.MAX_PAGES:
            raise UserError(
                f"{name} has {len(document):,} pages; documents of up to {limits.MAX_PAGES:,} are read."
            )
        found = contents(document)
        about = document.get_metadata_dict()
    finally:
        document.close()
    if not any(any(c.isalnum() for c in line.text) for page in found.pages for line in page.lines):
        raise UserError(_nothing(found, name))
    parsed = _put_together(found, one_line(about.get("Title", "")), name, kind)
    date = iso_date(about.get("CreationDate", "") or about.get("ModDate", ""))
    return replace(parsed, date=date, notes=found.notes)


def _open(path: Path, name: str, passwords: Sequence[str]) -> PdfDocument:
    """The opened document. Many files are encrypted with an empty password: those open without asking."""
    import pypdfium2 as pdfium

    for password in (None, *passwords):
        try:
            return pdfium.PdfDocument(path, password=password)
        except pdfium.PdfiumError as error:
            if "password" not in str(error).lower():
                raise UserError(f"{name} is broken or not a real PDF ({one_line(error)}).") from error
    fits = "none of the passwords given opens it" if passwords else "give the password to have it read"
    raise PasswordNeeded(f"{name} is protected with a password; {fits}.")


def _nothing(found: Contents, name: str) -> str:
    """Why there is no text."""
    pages = len(found.pages)
    if all(page.fate == "damaged" for page in found.pages):
        return f"{name} is broken or not a real PDF (no page of it can be read)."
    if any(page.fate == "off" for page in found.pages):
        return f"{name} has {pages} page(s) but no text, only images; it needs text recognition first."
    return f"{name} has {pages} page(s) in which no text was found."


def _put_together(found: Contents, title: str, name: str, kind: str) -> ParsedFile:
    lines = plain_scripts([page.lines for page in found.pages])
    ruled = [with_tables(each, page.drawing) for each, page in zip(lines, found.pages, strict=True)]
    pages = [
        with_aligned_tables(in_columns(items), page.drawing)
        for items, page in zip(without_running_lines(ruled), found.pages, strict=True)
    ]
    sizes = [line.size for page in lines for line in page for _ in range(1 + len(line.text) // 20)]
    body = median(sizes) if sizes else 10.0
    texts = whole_words(
        [
            clean("\n\n".join([page_text(items, body, table_text), *page.comments]))
            for items, page in zip(labelled(pages), found.pages, strict=True)
        ]
    )
    numbered = [PageText(number, text) for number, text in enumerate(texts, start=1)]
    junk = re.search(r"untitled|anonymous|microsoft word|\.(docx?|tex|indd|dvi)\b", title, re.I)
    useful = title if 3 < len(title) < 150 and not junk else ""
    return assemble(numbered, title=useful or _heading(pages[0], texts[0], body) or stem(name), kind=kind)


def _heading(page: Sequence[Item], text: str, body: float) -> str:
    """The biggest line of the first page, with what the page's text made of it; "" if none stands out."""
    lines = [item for item in page if isinstance(item, TextLine) and item.upright]
    biggest = max(lines, key=lambda line: line.size, default=None)
    if biggest is None or biggest.size <= 1.15 * body or len(biggest.text) >= 120:
        return ""
    whole = re.search(rf"^#+ (.*{re.escape(biggest.text)}.*)$", text, re.M)
    return whole.group(1) if whole and len(whole.group(1)) < 150 else one_line(biggest.text)
