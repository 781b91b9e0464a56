"""What the parsers share: lines, table rows, assembling pages.

Enters: raw text or cells. Leaves: clean text. It knows no file format.
"""

from __future__ import annotations

import datetime
import email.utils
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import PurePosixPath

from backends.datatypes import Page, ParsedFile, UserError
from backends.documents import limits
from backends.documents.parsers.headers import (
    Layout,
    has_units,
    is_form,
    is_grouped,
    kinds_fit,
    labels,
    layout,
    may_name,
)

HEAD = 200  # rows of a table that are looked at to tell what it is
REPEATED = 300  # characters; the text of a merged cell that is longer stands once only
WIDEST = 200  # columns that one cell may lie over
STACKED = 5  # rows of names within a table that are tried as the header of another
REACHING = 1000  # columns from the left whose cells may reach into the rows below

# Control characters and lone surrogates say nothing, and SQLite or JSON may refuse them.
_JUNK = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1d\x1f\x7f\xad\ud800-\udfff\ufeff\u200b]")
# U+0080 to U+009F stand for nothing in Unicode: they were meant as windows-1252, and HTML reads them so.
_C1 = re.compile("[\x80-\x9f]")
# Hyphens that do not break, Word's own (0x1E) and Unicode's: readers, searches and models know "-".
_HYPHEN = re.compile("[\x1e\u2010\u2011]")
_ODD_SPACE = re.compile("[\u00a0\u2000-\u200a\u202f\u205f]")
_LINE_END = re.compile("[\x0b\u2028\u2029\x85]")
# Most texts hold none of these, and one look tells.
_UNCLEAN = re.compile("|".join(each.pattern for each in (_JUNK, _C1, _HYPHEN, _ODD_SPACE, _LINE_END)))
_CONTROLS = bytes({*range(32), 127} - {*b"\t\n\r"})
HEADING = re.compile(r"#{1,6} \S")
_LEADERS = re.compile(r"[ .…·_]*(?:\.{4}|…{2}|·{4}|(?:\. ){3}|_{4})[ .…·_]*$")  # dots that lead to the value
_ITEMS = re.compile(r"\n+- ")
_TERMINAL = re.compile("\x1b\\[[0-9;?]*[A-Za-z]")  # colours of a terminal


def line_ends(text: str) -> str:
    """The text with one kind of line end."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.isascii() and "\x0b" not in text else _LINE_END.sub("\n", text)


def clean(text: str, *, keep_spaces: bool = False) -> str:
    """One kind of line end and of space, nothing unprintable, at most one blank line in a row.

    With `keep_spaces`, white space in front of and within lines stays, for code, logs and text set in
    columns; tabs go to the next fourth column. Prose in such a text has to be cleaned already.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _is_unclean(text):
        text = _without_odd_letters(text)
    if keep_spaces:
        text = "\n".join(map(str.rstrip, text.expandtabs(4).split("\n"))).strip("\n")
    else:
        text = "\n".join([" ".join(line.split()) for line in text.split("\n")]).strip()
    return re.sub(r"\n{3,}", "\n\n", text) if "\n\n\n" in text else text


def _is_unclean(text: str) -> bool:
    if text.isascii():  # told in a tenth of the time
        data = text.encode("ascii")
        return len(data.translate(None, _CONTROLS)) < len(data)
    return _UNCLEAN.search(text) is not None


def _without_odd_letters(text: str) -> str:
    text = line_ends(_TERMINAL.sub("", text)).replace("\x0c", "\n\n")
    text = _C1.sub(lambda found: bytes([ord(found[0])]).decode("cp1252", errors="ignore"), text)
    return _ODD_SPACE.sub(" ", _HYPHEN.sub("-", _JUNK.sub("", text)))


def literal(text: str) -> str:
    """Lines of code as they stand, for a text cleaned with `keep_spaces`.

    A comment that would read as a heading ("# install it") gets a space in front: a line that begins with
    white space is never a heading, nor cut into sentences.
    """
    if "#" not in text:
        return text
    return "\n".join(f" {line}" if HEADING.match(line) else line for line in text.split("\n"))


def one_line(text: object) -> str:
    """Cell or heading text on one line."""
    text = str(text)
    if _is_usual(text):  # most cells, and the quick way
        return " ".join(text.split()) if "  " in text else text.strip()
    return " ".join(clean(text).split())


def on_one_line(blocks: str) -> str:
    """The lines of a cell as one: items of a list after commas."""
    return one_line(_ITEMS.sub(", ", blocks.strip().removeprefix("- ")).replace(":, ", ": "))


def _is_usual(text: str) -> bool:
    """Whether there is no white space but spaces in a text, nor a letter that stands for another."""
    return text.isprintable() and (text.isascii() or not _HYPHEN.search(text))


def raised(before: str, text: str, place: str | None) -> str:
    """Superscript or subscript after `before`, never glued to digits as if it were one more: 10^6."""
    bare = text.strip()
    if bare == "1" and place == "superscript" and before[-1:].isalnum():
        return " (note 1)"  # nothing is raised to the power of one
    digits = bool(bare) and (bare[0].isdigit() or (bare[0] in "+-−" and bare[1:2].isdigit()))
    if not digits or not before or not before[-1].isalnum():
        return text
    if place == "superscript":
        return f"^{bare}"
    return f"_{bare}" if place == "subscript" and before[-1].isdigit() else text


_MONEY = r"(?:[€£¥$]|(?:EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|euros?|dollars?|pounds?|zł|Kč|kr|lei)(?!\w))"
_CENTS = re.compile(
    rf"(?P<before>{_MONEY}\s?)?(?<![\d.,^])"
    rf"(?P<whole>\d{{1,3}}(?:[ ,.']\d{{3}})+|\d{{1,9}})[.,]?\^(?P<part>\d\d)(?!\w)"
    rf"(?P<after>\s?{_MONEY})?"
)


def prices(line: str) -> str:
    """The line with raised cents behind their point: 19^99 € is 19.99 €, 10^12 € stays a power."""
    return _CENTS.sub(_price, line) if "^" in line else line


def _price(found: re.Match[str]) -> str:
    power = found["whole"] in ("2", "10") and found["part"] not in ("49", "50", "90", "95", "99")
    if power or not (found["before"] or found["after"]):
        return found[0]
    return f"{found['before'] or ''}{found['whole']}.{found['part']}{found['after'] or ''}"


def iso_date(stamp: object) -> str:
    """The day of a date in a file's metadata as YYYY-MM-DD, "" where there is none: ISO, PDF's, mail's."""
    text = str(stamp or "").strip()
    if not text:
        return ""
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


@dataclass(frozen=True)
class Cell:
    """A cell that is more than its text: it lies over several columns or rows, or is set apart as a header.

    As in HTML, the rows and columns that it covers leave its place out.
    """

    text: str
    across: int = 1
    down: int = 1
    heading: bool = False  # a column's or row's heading by the format's own mark: th, bold ...
    comment: str = ""  # what somebody noted on it


@dataclass(slots=True)  # not frozen: a table has many, and each would take twice as long to make
class _Row:
    """A row on the grid: one text a column."""

    cells: list[str]
    repeated: frozenset[int] = frozenset()  # columns that a cell to their left lies over
    headings: bool = False  # every cell is marked as one
    comments: tuple[tuple[int, str], ...] = ()  # (column, what somebody noted on its cell)

    @property
    def alone(self) -> bool:
        """One text and no more, over the whole row."""
        return len(self.cells) - len(self.repeated) == 1 and bool(self.cells[0])


def table_lines(
    rows: Iterable[Sequence[object]],
    *,
    has_header: bool | None = None,
    header_rows: int = 1,
    likely: bool = False,
) -> Iterator[str]:
    """A table as lines that can be read alone: "Header: value; Header: value", empty cells left out.

    `has_header` says that the first `header_rows` rows name the columns, or that none does; None lets the
    marks of the cells decide and, where there are none, the words (`headers`), with less evidence where a
    style of the table that programs give by themselves makes one `likely`. Without a certain header rows
    stay as they are. The text of a merged cell stands in each row and column it lies over. Rows are taken as
    they come, so that a huge table is never held as cells; the first HEAD rows decide.
    """
    grid = _grid(rows)
    head = list(islice(grid, HEAD))
    if has_header and not any(head[0].cells if head else ()):
        has_header = False  # Markdown needs a header row; authors leave it empty
    head = [row for row in head if any(row.cells)]
    found = _layout(head, has_header, header_rows, likely)
    yield from _lines(chain(head, (row for row in grid if any(row.cells))), found)


def _lines(rows: Iterator[_Row], found: Layout) -> Iterator[str]:
    """The lines of a table whose first rows are told."""
    yield from (_plain(row) for row in islice(rows, found.above))
    heads = [*islice(rows, found.headers)]
    head = [*islice(rows, HEAD)]
    rest = chain(head, rows)
    named = [row.cells for row in heads]
    if found.form:
        yield from map(_form_line, rest)
    elif named and head:
        names = labels(named)
        yield from (f"Comment on {names[at]}: {text}" for row in heads for at, text in row.comments)
        yield from _rows_under(names, named, rest)
    else:
        pair = max((len(row.cells) for row in chain(heads, head)), default=0) == 2
        yield from (_plain(row, ": " if pair else "; ") for row in chain(heads, rest))


def sheet_lines(blocks: Iterable[Iterator[Sequence[object]]]) -> Iterator[Iterator[str]]:
    """The lines of each table of a sheet, where empty rows part tables, or only the rows of one.

    Rows behind a gap go on with the table before it when they fit under its names; names alone in front of a
    gap are the header of what follows.
    """
    before: list[_Row] = []
    names = 0  # how many of them are its header
    for block in blocks:
        grid = _grid(block)
        head = [*islice(grid, HEAD)]
        found = _layout(head, None, 1, False)
        told = bool(found.headers or found.form or found.above) or any(row.headings for row in head)
        if not told and (names := _header_before(before, names, head)):
            yield _lines(chain(before[:names], head, grid), Layout(headers=names))
            before = [*before[:names], *head]
        else:
            yield _lines(chain(head, grid), found)
            before, names = [*head[found.above :]], found.headers


def _header_before(before: Sequence[_Row], names: int, rows: Sequence[_Row]) -> int:
    """How many rows of the table before a gap name the columns of the rows behind it."""
    cells = [row.cells for row in rows]
    if names:
        header, *body = [row.cells for row in before[names - 1 :]]
        return names if kinds_fit(header, body, cells) else 0
    if len(before) == 1 and len(before[0].cells) > 2 and all(before[0].cells):
        return layout([before[0].cells, *cells]).headers
    return 0


def _layout(head: Sequence[_Row], has_header: bool | None, header_rows: int, likely: bool) -> Layout:
    cells = [row.cells for row in head]
    marked = next((at for at, row in enumerate(head) if not row.headings), 0)
    if has_header:
        return Layout(
            headers=max(header_rows, min(marked, 3), 2 if is_grouped(cells) or has_units(cells) else 1)
        )
    if has_header is False or not head:
        return Layout(form=bool(head) and is_form(cells))
    first = next((at for at, row in enumerate(head) if row.headings and not row.alone), 0)
    above = sum(len([*filter(None, row.cells)]) < 3 for row in head[:first])
    marked = next((at for at, row in enumerate(head[first:]) if not row.headings), 0)
    if above == first and 0 < marked <= 3:
        paired = is_grouped(cells[first:]) or has_units(cells[first:])
        return Layout(first, max(marked, 2 if paired else 1))
    return layout(cells, likely)


def _rows_under(names: Sequence[str], named: Sequence[Sequence[str]], rest: Iterator[_Row]) -> Iterator[str]:
    """Rows under their names; a row of other names begins a table of its own, with no gap between."""
    tries, above = STACKED, _Row([])
    while (row := next(rest, None)) is not None:
        if row.cells in named:
            continue
        if tries and may_name(row.cells, above.cells):
            tries -= 1
            head = [row, *islice(rest, HEAD)]
            rest = chain(head, rest)
            if layout([each.cells for each in head]) == Layout(headers=1):
                names, named = row.cells, [row.cells]
            next(rest)
            if named == [row.cells]:
                continue
        above = row
        yield _labelled(names, row)


def _labelled(names: Sequence[str], row: _Row) -> str:
    first = row.cells[0]
    if (row.alone and len(row.cells) > 1) or (first and len(names) > 2 and not any(row.cells[1:])):
        return _commented(first, row)  # a heading among the rows, or a remark below them
    return _commented(row_line(names, row.cells), row, names)


def _commented(line: str, row: _Row, names: Sequence[str] = ()) -> str:
    """The line of a row with what was noted on its cells."""
    for at, text in row.comments:
        line += f"; Comment on {names[at]}: {text}" if at < len(names) and names[at] else f"; Comment: {text}"
    return line


def row_line(header: Sequence[str], cells: Sequence[str]) -> str:
    """One table row that can be read alone: "Header: value; Header: value" without the empty cells."""
    pairs = [
        f"{label.rstrip(':')}: {cell}" if label and label != cell else cell
        for label, cell in zip(header, cells, strict=False)
        if cell
    ]
    return "; ".join([*pairs, *filter(None, cells[len(header) :])])


def _plain(row: _Row, mark: str = "; ") -> str:
    cells = [cell for at, cell in enumerate(row.cells) if cell and at not in row.repeated]
    if mark == ": " and len(cells) > 1:
        cells[0] = _LEADERS.sub("", cells[0]).rstrip(" :")
    return _commented(mark.join(cells), row)


def _form_line(row: _Row) -> str:
    cells = [*row.cells, ""] if len(row.cells) % 2 else row.cells
    line = "; ".join(
        f"{label.rstrip(' :')}: {value}" if value else label
        for label, value in zip(cells[::2], cells[1::2], strict=True)
        if label
    )
    return _commented(line, row)


def _grid(rows: Iterable[Sequence[object]]) -> Iterator[_Row]:
    """Rows with the texts of merged cells under each column and in each row that they lie over."""
    hanging: dict[int, tuple[int, str]] = {}  # column: rows still to fill, text
    for row in rows:
        if hanging or Cell in map(type, row):
            yield _placed([*map(_as_cell, row)], hanging)
        elif (cells := _plain_cells(row)) is not None:
            yield _Row(cells)
        else:
            yield _Row(["" if cell is None else one_line(cell) for cell in row])


def _plain_cells(row: Sequence[object]) -> list[str] | None:
    """The cells, where each is text that is on one line already, as in most rows: one look tells."""
    cells = [cell for cell in row if type(cell) is str]
    text = "|".join(cells)
    if len(cells) < len(row) or not _is_usual(text):
        return None
    spaced = "  " in text or "| " in text or " |" in text or text[:1] == " " or text[-1:] == " "
    return None if spaced else cells


def _placed(row: Sequence[Cell], hanging: dict[int, tuple[int, str]]) -> _Row:
    """One row; `hanging` are the cells that reach down into it, and is told of those that reach further."""
    cells: list[str] = []
    repeated: set[int] = set()
    new: dict[int, tuple[int, str]] = {}
    comments: list[tuple[int, str]] = []
    for cell in row:
        _fill_from_above(cells, hanging)
        comments += [(len(cells), one_line(cell.comment))] if cell.comment else []
        text = _cell_text(cell.text)
        for at in range(min(max(cell.across, 1), WIDEST)):
            if at:
                repeated.add(len(cells))
            if cell.down > 1 and len(cells) < REACHING:
                new[len(cells)] = (cell.down - 1, text if len(text) <= REPEATED else "")
            cells.append(text if at == 0 or len(text) <= REPEATED else "")
    _fill_from_above(cells, hanging)
    hanging.update(new)
    filled = [cell for cell in row if _cell_text(cell.text)]
    headings = bool(filled) and all(cell.heading for cell in filled)
    return _Row(cells, frozenset(repeated), headings, tuple(comments))


def _fill_from_above(cells: list[str], hanging: dict[int, tuple[int, str]]) -> None:
    """Fill the next columns as long as cells from above reach into them."""
    while len(cells) in hanging:
        at = len(cells)
        left, text = hanging.pop(at)
        if left > 1:
            hanging[at] = (left - 1, text)
        cells.append(text)


def _as_cell(cell: object) -> Cell:
    return cell if isinstance(cell, Cell) else Cell(_cell_text(cell))


def _cell_text(cell: object) -> str:
    return "" if cell is None else one_line(cell)


class Budget:
    """Counts what a table has given, so that one that is too long is refused before memory runs out."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rows = self._characters = 0

    def limit(self, lines: Iterable[str]) -> Iterator[str]:
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


@dataclass(frozen=True)
class PageText:
    """The text of one page, slide or sheet before it is put together."""

    number: int
    text: str
    label: str = ""


def assemble(pages: Iterable[PageText], *, title: str, kind: str, keep_spaces: bool = False) -> ParsedFile:
    """Join pages with blank lines; empty pages keep their number and lie between their neighbours."""
    parts: list[str] = []
    placed: list[Page] = []
    length = 0
    for page in pages:
        text = clean(page.text, keep_spaces=keep_spaces)
        if text and parts:
            parts.append("\n\n")
            length += 2
        placed.append(Page(page.number, length, length + len(text), page.label))
        if text:
            parts.append(text)
            length += len(text)
    return ParsedFile("".join(parts), title, kind, tuple(placed))
