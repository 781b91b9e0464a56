"""Rich Text Format.

Enters: an rtf file, or the RTF of a mail. Leaves: its words, one paragraph a line, table rows that can be
read alone, notes and comments after their paragraph, page headers once. Raised digits are never glued to
those before them; hidden, struck-out and deleted text is left out, and said. Pictures and objects are not
touched. The format is Microsoft's specification 1.9.1.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from backends.datatypes import ParsedFile, UserError
from backends.documents.parsers.common import (
    Cell,
    clean,
    iso_date,
    one_line,
    prices,
    raised,
    stem,
    table_lines,
)
from backends.documents.parsers.office import LeftOut
from backends.documents.parsers.plain_text import title_of

_TOKEN = re.compile(
    r"\\(?:'(?P<byte>[0-9a-fA-F]{2})|(?P<word>[a-zA-Z]{1,40})(?P<number>-?\d{1,10})?[ ]?"
    r"|(?P<symbol>[^a-zA-Z]))"
    r"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]+)|[\r\n]+",
    re.S,
)
_SIGNS = {
    "tab": "\t", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ", "qmspace": " ", "zwj": "\u200d",
    "zwnj": "\u200c",
}  # fmt: skip
_SYMBOLS = {"~": " ", "_": "-", "\n": "\n", "\r": "\n", "\\": "\\", "{": "{", "}": "}"}
_PARTED = {"par", "sect", "page", "column", "softpage"}
# Parts of a file that are no text of it.
_PASSED_OVER = {
    "fonttbl", "colortbl", "stylesheet", "info", "pict", "objdata", "fldinst", "filetbl", "listtable",
    "listoverridetable", "revtbl", "rsidtbl", "sp", "nonshppict", "xe", "tc", "private", "template",
    "atnid", "atnauthor", "atntime", "atndate", "atnref", "atnparent", "ftnsep", "ftnsepc", "aftnsep",
    "aftnsepc",
}  # fmt: skip
_ASIDES = {
    "footnote": "Note", "annotation": "Comment", "header": "Page header", "headerl": "Page header",
    "headerr": "Page header", "headerf": "Page header", "footer": "Page footer", "footerl": "Page footer",
    "footerr": "Page footer", "footerf": "Page footer",
}  # fmt: skip
_OPTIONAL = {"shpinst", "annotation", "footnote"}  # optional parts that hold text all the same
_CHARSETS = {
    77: "mac-roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
    255: "cp437",
}  # fmt: skip
_OF_LETTERS = {
    "plain", "super", "sub", "up", "dn", "nosupersub", "v", "strike", "striked", "deleted", "uc",
}  # fmt: skip
_SEEN_AS = {"hidden": "hidden text", "struck": "struck-out text", "deleted": "deleted text"}
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    data = path.read_bytes()
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{\\rtf"):
        raise UserError(f"{name} is broken or not a real rtf file.")
    reader = _Reader(data)
    text = reader.text()
    title = one_line(reader.title) or title_of(text) or stem(name)
    return ParsedFile(text, title, kind, date=iso_date(reader.changed), notes=reader.left_out.notes)


def rtf_text(data: bytes) -> str:
    """The text of an RTF source."""
    return _Reader(data).text()


@dataclass(frozen=True)
class _Look:
    """What holds for the text of a group, and for those within it."""

    into: str = "body"  # where it goes: body, "" for nowhere, title, or one of _ASIDES
    encoding: str = ""  # of the font; "" for that of the file
    skip: int = 1  # letters that stand for one beyond the code page, for programs that know no Unicode
    place: str = ""  # superscript, subscript
    hidden: bool = False
    struck: bool = False
    deleted: bool = False
    label: bool = False  # the number or dot of a list's item


@dataclass
class _Row:
    """A row of a table while it is read: its cells, and how they are merged."""

    cells: list[str] = field(default_factory=list)
    merges: list[set[str]] = field(default_factory=lambda: [set()])
    header: bool = False


@dataclass
class _Reader:
    data: bytes
    left_out: LeftOut = field(default_factory=LeftOut)
    title: str = ""
    changed: str = ""
    _look: _Look = _Look()
    _above: list[_Look] = field(default_factory=list)
    _encoding: str = "cp1252"
    _fonts: dict[int, str] = field(default_factory=dict)
    _font: int = 0  # that the table of fonts tells of
    _bytes: bytearray = field(default_factory=bytearray)  # of letters that are not told yet
    _to_skip: int = 0
    _opened: bool = False  # a group has just begun: the next word may tell what it is
    _optional: bool = False
    _words: dict[str, list[str]] = field(default_factory=dict)  # by where they go
    _last_left_out: str = ""
    _asides: list[str] = field(default_factory=list)  # that follow the paragraph
    _said: set[str] = field(default_factory=set)  # page headers so far
    _level: int = 0  # of a heading
    _in_table: bool = False
    _row: _Row = field(default_factory=_Row)
    _rows: list[_Row] = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The lines of the file."""
        source = self.data.decode("latin-1")
        at = 0
        while match := _TOKEN.match(source, at):
            at = match.end()
            if match["word"] == "bin":  # so many bytes of something
                at += max(int(match["number"] or 0), 0)
            else:
                self._token(match)
        self._end_paragraph()
        self._end_table()
        return clean("\n".join(self._lines))

    def _token(self, match: re.Match[str]) -> None:
        kind = match.lastgroup
        if word := match["word"]:
            number = match["number"]
            self._word(word, int(number) if number else None)
        elif kind == "byte":
            self._letters(bytes([int(match["byte"], 16)]))
        elif kind == "text":
            self._letters(match["text"].encode("latin-1"))
        elif kind == "brace":
            self._brace(match["brace"])
        elif kind == "symbol":
            self._symbol(match["symbol"])

    # --- groups -----------------------------------------------------------------------------------

    def _brace(self, brace: str) -> None:
        self._decode()
        self._to_skip = 0
        if brace == "{":
            self._above.append(self._look)
            self._opened, self._optional = True, False
            return
        ended, self._opened = self._look, False
        self._look = self._above.pop() if self._above else self._look
        if ended.into in _ASIDES and self._look.into != ended.into:
            self._end_aside(ended.into)
        if ended.label and not self._look.label:
            mark = self._taken("label").strip()
            self._add(f"{mark} " if any(map(str.isalnum, mark)) else "- " if mark else "")

    def _end_aside(self, kind: str) -> None:
        text = one_line(self._taken(kind))
        line = f"{_ASIDES[kind]}: {text}"
        if text and not (kind[:4] in ("head", "foot") and kind != "footnote" and line in self._said):
            self._said.add(line)
            self._asides.append(line)

    def _symbol(self, symbol: str) -> None:
        if symbol == "*":
            self._optional = True
        elif symbol in _SYMBOLS:
            self._decode()
            if symbol in "\r\n":
                self._end_paragraph()
            else:
                self._add(_SYMBOLS[symbol])

    # --- words ------------------------------------------------------------------------------------

    def _word(self, word: str, number: int | None) -> None:
        self._decode()
        opened, self._opened = self._opened, False
        optional, self._optional = self._optional, False
        if opened and self._begins_part(word, optional):
            return
        if word == "u":
            self._to_skip = self._look.skip
            self._add(chr((number or 0) % 0x10000))
        elif word in _SIGNS:
            self._add(_SIGNS[word])
        elif word == "line":
            self._add("\n")
        elif word in _PARTED:
            self._end_paragraph()
        elif word in ("cell", "nestcell", "row", "nestrow"):
            self._end_cell(word)
        elif not self._set(word, number):
            self._about_file(word, number)

    def _begins_part(self, word: str, optional: bool) -> bool:
        """Whether the group that has just begun is something else than text that goes on."""
        into = self._look.into
        if word in _ASIDES and into == "body" and (not optional or word in _OPTIONAL):
            into = word
        elif word == "title" and self._above[-1:] and self._above[-1].into == "info":
            into = "title"
        elif word == "revtim":
            into = "date"
        elif word in ("info", "fonttbl"):
            into = word
        elif word in ("shptxt", "result") and into in ("", "shape"):
            into = "body"
        elif word == "shpinst":
            into = "shape"
        elif word in ("listtext", "pntext"):
            self._look = replace(self._look, label=True)
            return True
        elif word in _PASSED_OVER or (optional and word not in _OPTIONAL):
            into = ""
        else:
            return False
        self._look = replace(self._look, into=into)
        return True

    def _set(self, word: str, number: int | None) -> bool:
        """Take what a word says of the letters or the paragraph that follow."""
        if word in _OF_LETTERS:
            changes = _changes(word, number)
            self._look = replace(self._look, **changes)  # type: ignore[arg-type]
        elif word == "pard":
            self._level, self._in_table = 0, False
        elif word == "intbl":
            self._in_table = True
        elif word == "outlinelevel":
            self._level = min((number or 0) + 2, 6) if (number or 0) < 6 else 0
        elif word == "trowd":
            self._row = _Row(self._row.cells)
        elif word in ("clmgf", "clmrg", "clvmgf", "clvmrg"):
            self._row.merges[-1].add(word)
        elif word == "cellx":
            self._row.merges.append(set())
        elif word == "trhdr":
            self._row.header = True
        else:
            return False
        return True

    def _about_file(self, word: str, number: int | None) -> None:
        """Fonts and code pages, and the day of the last change."""
        if word in ("ansicpg", "mac", "pc", "pca"):
            names = {"mac": "mac-roman", "pc": "cp437", "pca": "cp850"}
            self._encoding = _known(names.get(word, f"cp{number}"), self._encoding)
        elif word == "f" and number is not None:
            if self._look.into == "fonttbl":
                self._font = number
            else:
                self._look = replace(self._look, encoding=self._fonts.get(number, ""))
        elif word == "fcharset" and self._look.into == "fonttbl":
            self._fonts[self._font] = _CHARSETS.get(number or 0, "")
        elif self._look.into == "date" and word in ("yr", "mo", "dy"):
            self.changed += f"{'-' if self.changed else ''}{number or 0:02d}"

    # --- letters ----------------------------------------------------------------------------------

    def _letters(self, data: bytes) -> None:
        self._opened = False
        skipped = min(self._to_skip, len(data))
        self._to_skip -= skipped
        if self._look.into not in ("", "info", "fonttbl", "date", "shape"):
            self._bytes += data[skipped:]

    def _decode(self) -> None:
        if self._bytes:
            data, self._bytes = bytes(self._bytes), bytearray()
            self._add(data.decode(self._look.encoding or self._encoding, errors="replace"))

    def _add(self, text: str) -> None:
        """Letters in their place; those that are not seen are counted instead."""
        look = self._look
        where = "label" if look.label else look.into
        if where == "title":
            self.title += text
        if where not in ("body", "label", *_ASIDES):
            return
        for which, what in _SEEN_AS.items():
            if getattr(look, which):
                if text.strip() and self._said_of(what):
                    self.left_out.note(what)
                return
        self._last_left_out = ""
        parts = self._words.setdefault(where, [])
        before = next((part for part in reversed(parts) if part), "")
        parts.append(raised(before, text, look.place) if look.place else text)

    def _taken(self, where: str) -> str:
        """The letters that were put there, which is empty then."""
        return _SURROGATES.sub(_pair, "".join(self._words.pop(where, ())))

    def _said_of(self, what: str) -> bool:
        """Whether a new place begins, not one that goes on after a code."""
        new = self._last_left_out != what
        self._last_left_out = what
        return new

    # --- paragraphs and tables ----------------------------------------------------------------------

    def _end_paragraph(self) -> None:
        self._decode()
        if self._look.into in _ASIDES:
            self._add(" ")
        if self._look.into != "body":
            return
        if self._in_table:
            self._words.setdefault("body", []).append("\n")
            return
        self._end_table()
        text = self._taken("body")
        lines = [prices(line) for line in map(one_line, text.split("\n")) if line]
        if lines and self._level:
            self._lines.append(f"\n{'#' * self._level} {' '.join(lines)}\n")
        elif lines:
            self._lines.append("\n".join(lines))
        self._lines += self._asides
        self._asides.clear()

    def _end_cell(self, word: str) -> None:
        if self._look.into != "body":
            return
        if word in ("nestcell", "nestrow"):
            self._words.setdefault("body", []).append(", " if word == "nestcell" else " / ")
        elif word == "cell":
            text = one_line(self._taken("body")).replace(", / ", " / ").removesuffix(", /")
            self._row.cells.append(text)
        else:
            self._rows.append(self._row)
            self._row = _Row(merges=self._row.merges, header=False)

    def _end_table(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        header = next((at for at, row in enumerate(rows) if not row.header), 0)
        lines = table_lines(_cells(rows), has_header=True if header else None, header_rows=max(header, 1))
        self._lines.append("\n" + "\n".join(lines) + "\n")


def _changes(word: str, number: int | None) -> dict[str, object]:
    """What a word of `_OF_LETTERS` says of the letters that follow."""
    on = number != 0
    if word in ("super", "up"):
        return {"place": "superscript" if on else ""}
    if word in ("sub", "dn"):
        return {"place": "subscript" if on else ""}
    if word == "uc":
        return {"skip": max(number or 0, 0)}
    if word == "nosupersub":
        return {"place": ""}
    if word == "plain":
        return {"place": "", "hidden": False, "struck": False, "deleted": False, "encoding": ""}
    return {{"v": "hidden", "deleted": "deleted"}.get(word, "struck"): on}


def _cells(rows: list[_Row]) -> Iterator[list[Cell]]:
    """The rows with their merged cells; those that go on with another are left out."""
    for number, row in enumerate(rows):
        cells: list[Cell] = []
        for at, text in enumerate(row.cells):
            marks = _marks(rows, number, at)
            if "clvmrg" in marks:
                continue
            if "clmrg" in marks and cells:
                cells[-1] = replace(cells[-1], across=cells[-1].across + 1)
                continue
            down = 1
            while "clvmgf" in marks and "clvmrg" in _marks(rows, number + down, at):
                down += 1
            cells.append(Cell(text, down=down))
        yield cells


def _marks(rows: list[_Row], number: int, at: int) -> set[str]:
    """How a cell is merged with others."""
    merges = rows[number].merges if number < len(rows) else []
    return merges[at] if at < len(merges) else set()


def _pair(found: re.Match[str]) -> str:
    return found[0].encode("utf-16", "surrogatepass").decode("utf-16")


def _known(encoding: str, otherwise: str) -> str:
    try:
        return codecs.lookup({"cp65001": "utf-8", "cp10000": "mac-roman"}.get(encoding, encoding)).name
    except LookupError:
        return otherwise
