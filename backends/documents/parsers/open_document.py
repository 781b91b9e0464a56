"""What texts and sheets of OpenDocument share: the styles that matter and the text of an element.

Enters: elements of content.xml and styles.xml. Leaves: text, with raised and lowered letters told apart. It
knows no paragraph and no sheet.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field

from lxml.etree import _Element as Element

from backends.datatypes import UserError
from backends.documents.parsers.common import raised

OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_FO = "{urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0}"
_BOX = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}text-box"
_GAPS = (f"{TEXT}s", f"{TEXT}tab", f"{TEXT}line-break")
_APART = (f"{OFFICE}annotation", f"{TEXT}note", f"{TEXT}tracked-changes", f"{TEXT}ruby-text", _BOX)


@dataclass
class Styles:
    """Names of the styles that change what is read; it fills as style elements are met."""

    bold: set[str] = field(default_factory=set)
    raised: dict[str, str] = field(default_factory=dict)  # style: superscript or subscript
    unseen: set[str] = field(default_factory=set)  # text or tables that are not displayed
    struck: set[str] = field(default_factory=set)
    on_skip: Callable[[str], None] = lambda _what: None  # is told what is left out

    def take(self, style: Element) -> None:
        """Note what a style:style element says."""
        name = style.get(f"{STYLE}name", "")
        text = style.find(f"{STYLE}text-properties")
        table = style.find(f"{STYLE}table-properties")
        if text is not None:
            if text.get(f"{_FO}font-weight") in ("bold", "600", "700", "800", "900"):
                self.bold.add(name)
            place = text.get(f"{STYLE}text-position", "").split(" ")[0]
            if place and place not in ("0%", "0"):
                self.raised[name] = "subscript" if place == "sub" or place.startswith("-") else "superscript"
            if text.get(f"{STYLE}text-line-through-style", "none") != "none":
                self.struck.add(name)
        hidden = text is not None and text.get(f"{TEXT}display") == "none"
        if hidden or (table is not None and table.get(f"{TABLE}display") == "false"):
            self.unseen.add(name)


def text_of(element: Element, styles: Styles) -> str:
    """The text of a paragraph as it stands on the page; notes and comments in it are left to the caller."""
    text = element.text or ""
    for child in element:
        if not isinstance(child.tag, str):
            inner = ""
        elif child.tag in _GAPS:
            inner = " "
        elif child.tag in _APART:
            inner = ""
        else:
            name = child.get(f"{TEXT}style-name", "")
            inner = raised(text, text_of(child, styles), styles.raised.get(name, ""))
            if inner.strip() and name in styles.unseen | styles.struck:
                styles.on_skip("hidden text" if name in styles.unseen else "struck-out text")
                inner = ""
        text += inner + (child.tail or "")
    return text


def refuse_encrypted(archive: zipfile.ZipFile, name: str) -> None:
    """UserError when the parts of the file are encrypted."""
    manifest = "META-INF/manifest.xml"
    if manifest in archive.namelist() and b"encryption-data" in archive.read(manifest):
        raise UserError(f"{name} is protected with a password; save it without one to have it read.")
