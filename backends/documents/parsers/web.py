"""Web pages and e-books.

Enters: html, epub. Leaves: headings, paragraphs, list items and table rows; menus and footers removed.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from lxml.etree import _Element as Element

from backends.datatypes import ParsedFile
from backends.documents.parsers.boilerplate import remove_boilerplate
from backends.documents.parsers.common import PageText, assemble, iso_date, one_line, stem
from backends.documents.parsers.html import html_text, inline_text, parse_html
from backends.system.encodings import decoded

_MAIN = 0.25  # the least share of a page that what is marked as its main part holds
_OUTSIDE = 50  # words outside the main part that are told


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    if kind == "epub":
        return _epub(path, name)
    file = decoded(data := path.read_bytes(), declared_encoding(data))
    parsed = html_to_parsed(file.text, name)
    return replace(parsed, notes=(*file.notes, *parsed.notes))


def declared_encoding(data: bytes) -> str:
    """What a page says its encoding is, or an XML file; "" where it does not."""
    head = data[:4096]
    found = re.search(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w:-]+)", head, re.I) or re.match(
        rb"\s*<\?xml[^>]+encoding\s*=\s*[\"']([\w:-]+)", head
    )
    return found[1].decode("ascii") if found else ""


def html_to_parsed(source: str, name: str) -> ParsedFile:
    """An HTML source as a `ParsedFile`."""
    root = parse_html(source)
    titled = root.find(".//title")
    title = inline_text(titled) if titled is not None else ""
    date = _date(root)
    notes = remove_boilerplate(root)
    heading = root.find(".//h1")
    named = title or (inline_text(heading) if heading is not None else "") or stem(name)
    text, outside = _main_text(root)
    return ParsedFile(text, named, "html", date=date, notes=(*notes, *outside))


def _date(root: Element) -> str:
    """The day a page says it was changed or published."""
    for label in (
        "article:modified_time",
        "article:published_time",
        "dcterms.modified",
        "dcterms.date",
        "date",
    ):
        for tag in root.iter("meta"):
            if label in (tag.get("property"), tag.get("name")) and (day := iso_date(tag.get("content"))):
                return day
    return ""


def _main_text(root: Element) -> tuple[str, tuple[str, ...]]:
    """The words of a page's main part when that is marked, else of all that is left; and a note."""
    body = root.find("body") if root.find("body") is not None else root
    whole = html_text([body])
    mains = [element for element in body.iter() if element.tag == "main" or element.get("role") == "main"]
    outermost = [element for element in mains if not any(each in mains for each in element.iterancestors())]
    text = html_text(outermost)
    if len(text) <= _MAIN * len(whole):
        return whole, ()
    outside = len(whole.split()) - len(text.split())
    return text, (f"text outside the page's main part left out ({outside} words)",) * (outside >= _OUTSIDE)


def _epub(path: Path, name: str) -> ParsedFile:
    """Chapters in the order of the book's spine, each a page."""
    from lxml import etree

    from backends.documents.parsers.office import check_archive

    check_archive(path, "epub", name)
    with zipfile.ZipFile(path) as archive:
        container = etree.fromstring(archive.read("META-INF/container.xml"))
        book = next(e.get("full-path") for e in container.iter() if str(e.tag).endswith("}rootfile"))
        package = etree.fromstring(archive.read(book))
        items = {e.get("id"): e.get("href") for e in package.iter() if str(e.tag).endswith("}item")}
        spine = [e.get("idref") for e in package.iter() if str(e.tag).endswith("}itemref")]
        title = next((e.text or "" for e in package.iter() if str(e.tag).endswith("}title")), "")
        date = next((e.text or "" for e in package.iter() if str(e.tag).endswith("}date")), "")
        pages = []
        for number, identifier in enumerate(spine, start=1):
            member = posixpath.join(posixpath.dirname(book), unquote(items[identifier]))
            chapter = decoded(data := archive.read(member), declared_encoding(data)).text
            pages.append(PageText(number, _main_text(_cleaned(chapter))[0]))
    parsed = assemble(pages, title=one_line(title) or stem(name), kind="epub", keep_spaces=True)
    return replace(parsed, date=iso_date(date))


def _cleaned(source: str) -> Element:
    root = parse_html(source)
    remove_boilerplate(root)
    return root
