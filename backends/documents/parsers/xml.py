"""XML of any kind: feeds, exports, marked-up text.

Enters: an XML file. Leaves: a line per record ("name: Hammer; price: 4; price currency: EUR"), table rows,
and paragraphs where text and elements mix; HTML that a feed carries is read as such.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from lxml.etree import _Element as Element

from backends.datatypes import ParsedFile, UserError
from backends.documents.parsers.common import clean, literal, one_line, stem, table_lines
from backends.documents.parsers.html import html_text, parse_html
from backends.documents.parsers.web import declared_encoding, html_to_parsed
from backends.system.encodings import decoded

_RECORD = 600  # characters up to which a record stays on one line
_MOST_PARTS = 60  # elements of a record
_TITLES = ("title", "name", "heading", "head")
_PLAIN = {"p", "para", "simpara", "li", "item", "text", "content", "body", "description", "summary"}
_NO_CONTENT = {"class", "style", "space", "schemaLocation", "noNamespaceSchemaLocation", "isPermaLink"}
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_HTML = re.compile(r"<[a-zA-Z/!][^>]*>")
_URL = ("http://", "https://")


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    from lxml import etree

    file = decoded(data := path.read_bytes(), declared_encoding(data))
    source = re.sub(r"^\s*<\?xml[^>]*\?>", "", file.text)  # what it declares is settled
    parser = etree.XMLParser(recover=True, remove_comments=True, remove_pis=True, no_network=True)
    root = etree.fromstring(source.encode("utf-8", errors="replace"), parser)
    if root is None:
        raise UserError(f"{name} is not XML.")
    if _label(root) == "html":
        return replace(html_to_parsed(source, name), type=kind)
    text = clean("\n".join(_blocks(root)), keep_spaces=True)
    title = next((line.lstrip("# ") for line in text.split("\n") if line.startswith("#")), "")
    faults = [entry for entry in parser.error_log if entry.level_name in ("ERROR", "FATAL")]
    broken = [f"not well-formed in line {fault.line}: something may be missing" for fault in faults[:1]]
    return ParsedFile(text, title or stem(name), kind, notes=(*file.notes, *broken))


def _label(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _blocks(element: Element) -> Iterator[str]:
    """The lines of an element: as a record, a table, a paragraph, or part by part."""
    label = _label(element)
    if not len(element):
        yield from _leaf(element, label)
    elif _is_mixed(element):
        text = one_line(_words(element))
        yield (
            "; ".join([text if label in _PLAIN else f"{label}: {text}", *_attributes(element, label)]) + "\n"
        )
    elif _is_table(element):
        yield "\n" + "\n".join(table_lines([[_text(cell) for cell in row] for row in element])) + "\n"
    elif (record := _record(element)) is not None:
        yield record
    else:
        yield from ("; ".join(pairs) for pairs in [_attributes(element, label)] if pairs)
        for child in element:
            if _label(child) in _TITLES and not len(child) and _text(child):
                yield f"\n## {_text(child)}\n"
            else:
                yield from _blocks(child)
        yield ""


def _leaf(element: Element, label: str) -> Iterator[str]:
    text = element.text or ""
    if _keeps_lines(element):
        yield "; ".join(_attributes(element, label))
        yield f"{literal(text.strip(chr(10)))}\n"
    elif _HTML.search(text):
        yield html_text([parse_html(text)]) + "\n"
    elif pairs := _pairs(element, label):
        yield "; ".join(pairs)


def _keeps_lines(element: Element) -> bool:
    """Whether an element says that its white space means something, and has lines: pages of a wiki, logs."""
    return element.get(_SPACE) == "preserve" and "\n" in (element.text or "").strip()


def _words(element: Element) -> str:
    """The words of a paragraph; elements that nothing stands between are words of their own."""
    parts = [element.text or ""]
    for child in element:
        before = child.getprevious()
        apart = before is not None and not before.tail
        inner = " " if _label(child) == "br" else _words(child)
        parts += [" " if apart else "", inner, child.tail or ""]
    return "".join(parts)


def _text(element: Element) -> str:
    return one_line(element.text or "")


def _attributes(element: Element, label: str) -> list[str]:
    found = ((name.rpartition("}")[2], one_line(value)) for name, value in element.attrib.items())
    return [
        f"{label} {name}".strip() + f": {value}"
        for name, value in found
        if value and name not in _NO_CONTENT and not value.startswith(_URL)
    ]


def _pairs(element: Element, label: str) -> list[str]:
    """ "label: text" and the attributes of an element without others within."""
    text = _text(element)
    said = [f"{label}: {text}"] if text and not text.startswith(_URL) else []
    return [*said, *_attributes(element, label)]


def _is_mixed(element: Element) -> bool:
    """Whether text and elements alternate: the words of a paragraph, some of them marked."""
    return bool((element.text or "").strip()) or any((child.tail or "").strip() for child in element)


def _is_table(element: Element) -> bool:
    """Rows of one name, whose cells have one name."""
    rows = list(element)
    cells = {_label(cell) for row in rows for cell in row}
    return (
        len(rows) > 1
        and len({_label(row) for row in rows}) == 1
        and len(cells) == 1
        and all(len(row) > 1 and not any(len(cell) for cell in row) for row in rows)
    )


def _record(element: Element) -> str | None:
    """All of an element on one line; None when it is too much, or holds several of a kind."""
    if sum(1 for _ in islice(element.iter(), _MOST_PARTS + 1)) > _MOST_PARTS:
        return None
    pairs = _flat(element, "")
    line = "; ".join(pairs) if pairs is not None else ""
    return line if 0 < len(line) <= _RECORD else None


def _flat(element: Element, path: str) -> list[str] | None:
    kinds = Counter(_label(child) for child in element)
    pairs = _attributes(element, path)
    for child in element:
        label = f"{path} {_label(child)}".strip()
        if not len(child):
            if (
                _keeps_lines(child)
                or _HTML.search(child.text or "")
                or (kinds[_label(child)] > 1 and child.attrib)
            ):
                return None
            pairs += _pairs(child, label)
        elif _is_mixed(child) or kinds[_label(child)] > 1 or (inner := _flat(child, label)) is None:
            return None
        else:
            pairs += inner
    return pairs
