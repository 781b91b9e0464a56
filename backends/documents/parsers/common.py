"""What the parsers share: decoding, lines, table rows, assembling pages.

Enters: bytes or cells. Leaves: clean text. It knows no file format.
"""

from __future__ import annotations

import codecs
import datetime
import email.utils
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import PurePosixPath

from backends.datatypes import Page, ParsedFile, UserError
from backends.documents import limits

HEAD = 200  # rows of a table that are looked at to tell what it is

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with the same bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Control characters and lone surrogates say nothing, and SQLite or JSON may refuse them.
_JUNK = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1d\x1f\x7f\xad\ud800-\udfff\ufeff\u200b]")
# Hyphens that do not break, Word's own (0x1E) and Unicode's: readers, searches and models know "-".
_HYPHEN = re.compile("[\x1e\u2010\u2011]")
_ODD_SPACE = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\t]")


def decode(data: bytes) -> str:
    """Text of any common encoding: byte-order mark, then UTF-8, then UTF-16/32 by its zeros, then a guess."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if b"\0" in data[:4096]:
        return data.decode(_wide_encoding(data[:4096]), errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode(_guess(data), errors="replace")


def _guess(data: bytes) -> str:
    """Western European is by far the most common 8-bit encoding, so others must explain the bytes better."""
    from charset_normalizer import from_bytes

    few = len(data) < 64 and sum(byte < 128 for byte in data) >= 0.6 * len(data)  # too little for statistics
    matches = [] if few else list(from_bytes(data[:65536]))
    if not matches:
        return "cp1252"
    western = next((match for match in matches if match.encoding == "cp1252"), None)
    if western and (western.chaos, -western.coherence) <= (matches[0].chaos, -matches[0].coherence):
        return "cp1252"
    return str(matches[0].encoding)


def _wide_encoding(head: bytes) -> str:
    """Where the zero bytes stand tells UTF-16 and UTF-32 of mostly Latin text apart."""
    zeros = [head[offset::4].count(0) for offset in range(4)]
    quarter = max(1, len(head) // 4)
    if min(zeros[2], zeros[3]) > 0.8 * quarter:
        return "utf-32-le"
    if min(zeros[0], zeros[1]) > 0.8 * quarter:
        return "utf-32-be"
    return "utf-16-be" if zeros[0] + zeros[2] > zeros[1] + zeros[3] else "utf-16-le"


def clean(text: str) -> str:
    """One kind of line end and of space, nothing unprintable, at most one blank line in a row."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    text = text.replace("\u0085", "\n").replace("\x0c", "\n\n")
    text = _ODD_SPACE.sub(" ", _HYPHEN.sub("-", _JUNK.sub("", text)))
    text = "\n".join(" ".join(line.split()) for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def one_line(text: object) -> str:
    """Cell or heading text on one line."""
    return " ".join(clean(str(text)).split())


def iso_date(stamp: object) -> str:
    """The day of a date in a file's metadata as YYYY-MM-DD, "" where there is none: ISO, PDF's, mail's."""
    text = str(stamp or "").strip()
    found = re.match(r"(?:D:)?(\d{4})-?(\d\d)-?(\d\d)(?!\d{0,5}$)", text) or re.match(
        r"(\d{4})-(\d\d)-(\d\d)$", text
    )
    try:
        if found:
            day = datetime.date(*map(int, found.groups()))
        else:
            day = email.utils.parsedate_to_datetime(text).date()
    except ValueError:
        return ""
    return day.isoformat() if day.year >= 1970 else ""


def stem(name: str) -> str:
    """A title for want of a better one: the file name without suffix, dashes as spaces."""
    words = re.sub(r"[-_]+", " ", PurePosixPath(name).stem).strip()
    return words[:1].upper() + words[1:]


def row_line(header: Sequence[str], cells: Sequence[str]) -> str:
    """One table row that can be read alone: "Header: value; Header: value" without the empty cells."""
    pairs = []
    for at, cell in enumerate(cells):
        label = header[at] if at < len(header) else ""
        if cell:
            pairs.append(f"{label.rstrip(':')}: {cell}" if label and label != cell else cell)
    return "; ".join(pairs)


def table_lines(rows: Iterable[Sequence[object]], *, has_header: bool | None = None) -> Iterator[str]:
    """A table as lines that can be read alone; whether there is a header is guessed if not said.

    Rows are taken as they come, so that a huge table is never held as cells; the first HEAD rows decide.
    """
    cells = ([one_line("" if cell is None else cell) for cell in row] for row in rows)
    first = next(cells, [])
    if has_header and not any(first):
        has_header = False  # Markdown needs a header row; authors leave it empty
    rest = (row for row in chain([first], cells) if any(row))
    head = list(islice(rest, HEAD))
    while has_header is None and len(head) > 1 and _filled(head[0]) == 1 and _filled(head[1]) > 1:
        yield " ".join(filter(None, head.pop(0)))  # a caption
    if not head:
        return
    if has_header is None:
        has_header = _looks_like_header(head[0], head[1:])
    if has_header and len(head) > 1:
        yield from (row_line(head[0], row) for row in chain(head[1:], rest))
    else:
        mark = ": " if max(map(len, head)) == 2 else "; "
        yield from (mark.join(filter(None, row)) for row in chain(head, rest))


class Budget:
    """Counts what a table has given, so that one that is too long is refused before memory runs out."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rows = self._characters = 0

    def spend(self, lines: Iterable[str]) -> Iterator[str]:
        """The same lines, as long as they may be read. UserError when they are too many."""
        for line in lines:
            self._rows += 1
            self._characters += len(line) + 1
            if self._rows > limits.MAX_ROWS:
                raise UserError(
                    f"{self._name} has more than {limits.MAX_ROWS:,} rows, the most that is read."
                )
            if self._characters > limits.MAX_CHARACTERS:
                raise UserError(
                    f"{self._name} holds more than {limits.MAX_CHARACTERS:,} characters, the most to be read "
                    f"(reached in row {self._rows:,})."
                )
            yield line


def _filled(row: Sequence[str]) -> int:
    return sum(map(bool, row))


def _looks_like_header(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Short names, each once, no values, at least three columns: with two, "left: right" reads as well."""
    named = [cell for cell in first if cell]
    widest = max(map(_filled, body), default=0)
    return (
        len(named) >= max(3, widest)
        and len(set(named)) == len(named)
        and all(len(cell) <= 60 for cell in named)
        and not any(_VALUE.fullmatch(cell) for cell in named)
    )


_VALUE = re.compile(r"[-+(]?[$€£]?\d[\d.,]*\)? ?(%|[A-Z]{3}|[a-z]{1,6})?")


@dataclass(frozen=True)
class PageText:
    """The text of one page, slide or sheet before it is put together."""

    number: int
    text: str
    label: str = ""


def assemble(pages: Iterable[PageText], *, title: str, kind: str) -> ParsedFile:
    """Join pages with blank lines; empty pages keep their number and lie between their neighbours."""
    parts: list[str] = []
    placed: list[Page] = []
    length = 0
    for page in pages:
        text = clean(page.text)
        if text and parts:
            parts.append("\n\n")
            length += 2
        placed.append(Page(page.number, length, length + len(text), page.label))
        if text:
            parts.append(text)
            length += len(text)
    return ParsedFile("".join(parts), title, kind, tuple(placed))
