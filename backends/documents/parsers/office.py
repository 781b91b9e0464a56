"""What the zipped Office formats share: their archive, its parts, the strict kind, charts and properties.

Enters: files and XML. Leaves: parts, lines of charts, title and date. It knows no paragraph and no slide.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from lxml.etree import _Element as Element

from backends.datatypes import UserError
from backends.documents import limits
from backends.documents.parsers.common import iso_date, one_line, table_lines
from backends.documents.parsers.number_formats import plain, shown

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# The strict kind of Open XML has other names for the same things.
_STRICT = b"http://purl.oclc.org/ooxml/"
_TRANSITIONAL = b"http://schemas.openxmlformats.org/"
_YEAR = b"/2006"


def check_archive(path: Path, kind: str, name: str) -> None:
    """UserError unless the file is a zip archive of bearable size."""
    with path.open("rb") as file:
        if file.read(8) == OLE:
            raise UserError(
                f"{name} is protected with a password or in an old format; "
                f"save it as {kind} without a password."
            )
    if not zipfile.is_zipfile(path):
        raise UserError(f"{name} is broken or not a real {kind} file.")
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > limits.MAX_UNPACKED:
        raise UserError(
            f"{name} unpacks to {unpacked / limits.MB:.0f} MB, more than the "
            f"{limits.MAX_UNPACKED // limits.MB} MB that are read."
        )


def transitional(path: Path) -> Path | io.BytesIO:
    """The file, or a copy of a strict one with the names that everybody knows."""
    with zipfile.ZipFile(path) as archive:
        if "_rels/.rels" not in archive.namelist() or _STRICT not in archive.read("_rels/.rels"):
            return path
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as copy:
            for member in archive.infolist():
                data = archive.read(member)
                if member.filename.endswith((".xml", ".rels")):
                    data = _renamed(data)
                copy.writestr(member.filename, data)
    made.seek(0)
    return made


def _renamed(data: bytes) -> bytes:
    """.../ooxml/wordprocessingml/main is .../wordprocessingml/2006/main elsewhere."""
    first, *rest = data.split(_STRICT)
    made = [first]
    for part in rest:
        family, mark, tail = part.partition(b"/")
        known = family.isalpha() and mark
        made.append(_TRANSITIONAL + family + _YEAR + b"/" + tail if known else _STRICT + part)
    return b"".join(made)


def parse_xml(data: bytes) -> Element:
    """The root of an XML part; entities are not resolved."""
    from lxml import etree

    return etree.fromstring(data, etree.XMLParser(huge_tree=True, resolve_entities=False, collect_ids=False))


def related(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """{id: (kind, part)} of what a part refers to within the file."""
    folder, name = posixpath.split(part)
    listing = posixpath.join(folder, "_rels", f"{name}.rels")
    if listing not in archive.namelist():
        return {}
    return {
        element.get("Id", ""): (
            element.get("Type", "").rsplit("/", 1)[-1],
            posixpath.normpath(posixpath.join("/", folder, element.get("Target", ""))).lstrip("/"),
        )
        for element in parse_xml(archive.read(listing))
        if element.get("TargetMode") != "External"
    }


def core_properties(archive: zipfile.ZipFile, member: str = "docProps/core.xml") -> tuple[str, str]:
    """(title, day of the last change) of the file's properties; OpenDocument's have the same names."""
    if member not in archive.namelist():
        return "", ""
    found = {
        element.tag.rpartition("}")[2]: element.text or ""
        for element in parse_xml(archive.read(member)).iter()
        if isinstance(element.tag, str)
    }
    changed = found.get("modified") or found.get("date") or found.get("created") or found.get("creation-date")
    return one_line(found.get("title", "")), iso_date(changed)


@dataclass
class LeftOut:
    """What a reader passed over on purpose, by its name; it fills as the text is read."""

    counts: Counter[str] = field(default_factory=Counter)

    def note(self, what: str) -> None:
        """Count one more thing that was left out."""
        self.counts[what] += 1

    @property
    def notes(self) -> tuple[str, ...]:
        """One statement for each kind."""
        return tuple(
            f"{what} left out" + (f" ({count} places)" if count > 1 else "")
            for what, count in self.counts.items()
        )


# --- charts and diagrams -----------------------------------------------------------------------------


def chart_lines(chart: Element) -> list[str]:
    """The title of a chart and its values as rows: a category and the value of each series."""
    title = " ".join(e.text or "" for e in chart.iterfind("{*}chart/{*}title//{*}t"))
    series = list(chart.iter("{*}ser"))
    names = [_first(each, "{*}tx//{*}v") or f"Series {at}" for at, each in enumerate(series, start=1)]
    columns = [_points(each, "val", "yVal") for each in series]
    categories: dict[int, str] = {}
    for each in series:
        categories = _points(each, "cat", "xVal") | categories
    rows = [[categories.get(at, ""), *(column.get(at, "") for column in columns)]
            for at in sorted({at for column in columns for at in column})]  # fmt: skip
    heading = [f"Chart: {one_line(title)}"] if title.strip() else ["Chart"]
    return (
        [*heading, *table_lines([["", *names], *rows], has_header=True)] if rows else heading[: bool(title)]
    )


def _first(element: Element, path: str) -> str:
    found = element.find(path)
    return "" if found is None else one_line(found.text or "")


def _points(series: Element, *kinds: str) -> dict[int, str]:
    """{place: text} of the categories or values of a series, numbers by their format."""
    for kind in kinds:
        found: dict[int, str] = {}
        for cache in series.iterfind(f"{{*}}{kind}//{{*}}ptCount/.."):
            code = _first(cache, "{*}formatCode") or "General"
            numbers = cache.tag.endswith(("numCache", "numLit"))
            for point in cache.iterfind("{*}pt"):
                text = _first(point, "{*}v")
                found.setdefault(int(point.get("idx", 0)), _number(text, code) if numbers else text)
        if found:
            return found
    return {}


def _number(text: str, code: str) -> str:
    try:
        return shown(text, code) if code != "General" else plain(text)
    except ValueError:
        return text


def diagram_lines(data: Element) -> list[str]:
    """The texts of a SmartArt diagram."""
    points = data.iter("{*}pt")
    texts = (one_line(" ".join(e.text or "" for e in point.iterfind("{*}t//{*}t"))) for point in points)
    return [f"- {text}" for text in texts if text]
