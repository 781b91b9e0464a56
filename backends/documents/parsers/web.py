"""Web pages, feeds and e-books.

Enters: html, xml, epub. Leaves: headings, paragraphs, list items and table rows; menus and footers removed.
"""

from __future__ import annotations

import posixpath
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from backends.datatypes import ParsedFile, UserError
from backends.documents.parsers.common import (
    PageText,
    assemble,
    clean,
    iso_date,
    one_line,
    stem,
    table_lines,
)
from backends.documents.parsers.encodings import decode

_SKIP = {
    "script", "style", "noscript", "template", "svg", "nav", "footer", "aside", "form", "button", "select",
    "iframe", "head", "title", "ix:header", "math", "canvas", "object",
}  # fmt: skip
_BLOCK = {
    "address", "article", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "header", "hr", "html", "main", "ol", "p", "pre", "section", "summary", "tbody",
    "td", "tr", "ul", "[document]",
}  # fmt: skip
_INNER_BLOCKS = sorted(_BLOCK - {"td", "tr", "tbody"} | {"table", "li"})
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
MENU_LINKS = 12  # fewer are rather references of a text
ENOUGH_WORDS = 500  # characters outside menus that make a page more than a menu
_MENU_ROLES = {"navigation", "banner", "contentinfo", "search", "menu", "menubar"}


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    if kind == "epub":
        return _epub(path, name)
    data = path.read_bytes()
    if kind == "xml":
        return _xml(data, name)
    return html_to_parsed(_decode_html(data), name)


def _decode_html(data: bytes) -> str:
    """The encoding a page declares, unless its bytes say otherwise."""
    declared = re.search(rb"<meta[^>]+charset\s*=\s*[\"']?([\w-]+)", data[:4096], re.I)
    return decode(data, declared.group(1).decode("ascii") if declared else "")


def html_to_parsed(html: str, name: str) -> ParsedFile:
    soup = _soup(html)
    title = one_line(soup.title.get_text()) if soup.title else ""
    heading = soup.find("h1")
    date = _date(soup)  # before the head is left out
    _drop_menus(soup)
    named = title or (one_line(heading.get_text()) if heading else "") or stem(name)
    return ParsedFile(html_text(soup), named, "html", date=date)


def _date(soup: Any) -> str:
    """The day a page says it was changed or published."""
    for label in (
        "article:modified_time",
        "article:published_time",
        "dcterms.modified",
        "dcterms.date",
        "date",
    ):
        for attribute in ("property", "name"):
            tag = soup.find("meta", attrs={attribute: label})
            if tag is not None and (day := iso_date(tag.get("content"))):
                return day
    return ""


def html_text(soup: Any) -> str:
    """The words of a page's main part when that is marked, else of all but menus and the like."""
    main = soup.find("main") or soup.find(attrs={"role": "main"}) or soup.find("article") or soup.body or soup
    whole = clean("\n".join(_blocks(soup.body or soup)))
    if main is (soup.body or soup):
        return whole
    inner = clean("\n".join(_blocks(main)))
    return inner if len(inner) > 0.25 * len(whole) else whole


def _soup(html: str) -> Any:
    from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        return BeautifulSoup(html, "lxml")


def _blocks(parent: Any) -> Iterator[str]:
    """Lines of an element; running text is collected until a block begins or ends."""
    from bs4 import Comment, Declaration, Doctype, NavigableString, ProcessingInstruction

    running: list[str] = []

    def flush() -> Iterator[str]:
        text = one_line("".join(running))
        running.clear()
        if text:
            yield text + "\n"

    for child in parent.children:
        if isinstance(child, Comment | Doctype | Declaration | ProcessingInstruction):
            continue
        if isinstance(child, NavigableString):
            running.append(str(child))
            continue
        name = child.name.lower()
        if name in _SKIP or _is_hidden(child):
            continue
        if name == "br":
            running.append("\n")
            yield from flush()
        elif re.fullmatch(r"h[1-6]", name):
            yield from flush()
            text = one_line(child.get_text(" "))
            if text:
                yield f"\n{'#' * int(name[1])} {text}\n"
        elif name == "table":
            yield from flush()
            yield from _table(child)
        elif name == "li":
            yield from flush()
            yield from _item(child)
        elif name in _BLOCK or child.find(_INNER_BLOCKS) is not None:
            yield from flush()
            yield from _blocks(child)
        else:
            running.append(child.get_text())
    yield from flush()


def _item(item: Any) -> Iterator[str]:
    lines = [line.strip() for block in _blocks(item) for line in block.split("\n") if line.strip()]
    for at, line in enumerate(lines):
        yield f"- {line}" if at == 0 and not line.startswith("- ") else line
    yield ""


def _is_hidden(element: Any) -> bool:
    return (
        element.has_attr("hidden")
        or element.get("aria-hidden") == "true"
        or element.get("role") in _MENU_ROLES
        or bool(_HIDDEN.search(element.get("style") or ""))
    )


def _drop_menus(soup: Any) -> None:
    """Take out lists and tables of many short links and hardly any other words, whatever they are called.

    A page that is nothing but such lists keeps them.
    """
    menus = [each for each in soup.find_all(["ul", "ol", "table"]) if _is_menu(each)]
    linked = sum(len(menu.get_text(strip=True)) for menu in menus)  # nested ones count twice: no harm
    if menus and len(soup.get_text(strip=True)) - linked > ENOUGH_WORDS:
        for menu in menus:
            menu.extract()


def _is_menu(element: Any) -> bool:
    links = element.find_all("a", href=True, limit=400)
    if len(links) < MENU_LINKS:
        return False
    linked = sum(len(link.get_text(strip=True)) for link in links)
    return linked > 0.85 * len(element.get_text(strip=True)) and linked / len(links) < 40


def _table(table: Any) -> Iterator[str]:
    """Rows of data tables; tables that only lay out a page are read as blocks."""
    if table.find("table") is not None or table.find(["p", "div", "ul", "h1", "h2", "h3"]) is not None:
        rows_of_text = [
            row for row in table.find_all("tr") if len(row.find_all(["td", "th"], recursive=False)) > 1
        ]
        if table.find("table") is not None or len(rows_of_text) < 2:
            for row in table.find_all(["tr", "caption"]):
                if row.find_parent("table") is table:
                    for cell in row.find_all(["td", "th"], recursive=False) or [row]:
                        yield from _blocks(cell)
            return
    caption = table.find("caption")
    if caption is not None and one_line(caption.get_text(" ")):
        yield one_line(caption.get_text(" "))
    rows, heads = [], []
    for row in table.find_all("tr"):
        cells = row.find_all(["td", "th"])
        rows.append([text for cell in cells for text in _cell(cell)])
        heads.append(bool(cells) and all(cell.name == "th" for cell in cells))
    yield "\n" + "\n".join(table_lines(rows, has_header=True if heads and heads[0] else None)) + "\n"


def _cell(cell: Any) -> list[str]:
    try:
        span = min(int(cell.get("colspan", 1)), 50)
    except ValueError:
        span = 1
    return [one_line(cell.get_text(" ")), *[""] * (span - 1)]


def _xml(data: bytes, name: str) -> ParsedFile:
    """A feed entry or any other element with text becomes lines; embedded HTML is read as such."""
    from lxml import etree

    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, recover=True, huge_tree=False))
    if root is None:
        raise UserError(f"{name} is not XML.")
    parts: list[str] = []
    for element in root.iter():
        text = (element.text or "").strip() if isinstance(element.tag, str) else ""
        if not text or text.startswith(("http://", "https://")):
            continue
        label = etree.QName(element).localname
        if "<" in text and ">" in text:
            parts.append(html_text(_soup(text)) + "\n")
        elif label in ("title", "name", "heading"):
            parts.append(f"\n## {one_line(text)}\n")
        else:
            parts.append(f"{label}: {one_line(text)}")
    text = clean("\n".join(parts))
    title = next((line.lstrip("# ") for line in text.split("\n") if line.startswith("#")), "")
    return ParsedFile(text, title or stem(name), "xml")


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
            pages.append(PageText(number, html_text(_soup(_decode_html(archive.read(member))))))
    parsed = assemble(pages, title=one_line(title) or stem(name), kind="epub")
    return replace(parsed, date=iso_date(date))
