"""Writes a document whose contents are known in each of the formats that are read.

Enters: `made.Made`. Leaves: a file. Every writer uses what its format offers: real headings, merged cells
where the format has them, and no mark on the header row beyond what the writing program does of itself.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from benchmarks.readers.made import Grid, Made, Table
from tests.documents.compound import compound

Writer = Callable[[Made, Path], None]


def _covered(table: Table) -> set[tuple[int, int]]:
    """Places that merged cells lie over, but for their first."""
    return {
        (row + down, column + right)
        for row, column, rows, columns in table.merged
        for down in range(rows)
        for right in range(columns)
        if (down, right) != (0, 0)
    }


def _spans(table: Table) -> dict[tuple[int, int], tuple[int, int]]:
    return {(row, column): (rows, columns) for row, column, rows, columns in table.merged}


# --- text ------------------------------------------------------------------------------------------------


def text(made: Made, path: Path) -> None:
    parts = []
    for kind, content in made.blocks:
        if isinstance(content, Table):
            parts += [content.caption] if content.caption else []
            parts.append("\n".join(" | ".join(row) for row in content.cells))
        else:
            parts.append("\n".join(f"- {item}" for item in content) if kind == "list" else str(content))
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def markdown(made: Made, path: Path) -> None:
    path.write_text(_as_markdown(made), encoding="utf-8")


def _as_markdown(made: Made) -> str:
    parts = []
    for kind, content in made.blocks:
        if isinstance(content, Table):
            parts += [content.caption] if content.caption else []
            head, *body = content.cells if content.headers else [[""] * len(content.cells[0]), *content.cells]
            rows = [head, ["---"] * len(head), *body]
            parts.append("\n".join("| " + " | ".join(row) + " |" for row in rows))
        elif kind == "list":
            parts.append("\n".join(f"- {item}" for item in content))
        else:
            parts.append(f"## {content}" if kind == "heading" else str(content))
    return "\n\n".join(parts) + "\n"


def web_page(made: Made, path: Path) -> None:
    path.write_text(as_html(made), encoding="utf-8")


def as_html(made: Made) -> str:
    return f"<!DOCTYPE html><html><head><meta charset='utf-8'></head><body>{_as_body(made)}</body></html>"


def _as_body(made: Made) -> str:
    parts = []
    for kind, content in made.blocks:
        if isinstance(content, Table):
            parts.append(_html_table(content))
        elif kind == "list":
            parts.append("<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in content) + "</ul>")
        else:
            tag = "h2" if kind == "heading" else "p"
            parts.append(f"<{tag}>{html.escape(str(content))}</{tag}>")
    return "".join(parts)


def strict_page(made: Made, path: Path) -> None:
    path.write_text(_as_xhtml(made), encoding="utf-8")


def _as_xhtml(made: Made) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head><title>{made.name}</title></head><body>{_as_body(made)}</body></html>"
    )


def book(made: Made, path: Path) -> None:
    """An EPUB of one chapter, with no more than its standard asks for."""
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata/>'
        "<manifest>"
        '<item id="one" href="one.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="one"/></spine></package>'
    )
    container = (
        '<?xml version="1.0"?>'
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
        '<rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles>'
        "</container>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("book.opf", package)
        archive.writestr("one.xhtml", _as_xhtml(made))


def notebook(made: Made, path: Path) -> None:
    """A cell of Markdown a block."""
    sources = [_as_markdown(Made(made.name, [block])) for block in made.blocks]
    cells = [{"cell_type": "markdown", "metadata": {}, "source": source} for source in sources]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def restructured(made: Made, path: Path) -> None:
    parts = []
    for kind, content in made.blocks:
        if isinstance(content, Table):
            rows = "\n   ".join(_as_csv(content.cells, ",").split("\n"))
            about = f"   :header-rows: {content.headers}\n" if content.headers else ""
            parts += [content.caption] if content.caption else []
            parts.append(f".. csv-table::\n{about}\n   {rows}".rstrip())
        elif kind == "list":
            parts.append("\n".join(f"- {item}" for item in content))
        else:
            parts.append(f"{content}\n{'=' * len(str(content))}" if kind == "heading" else str(content))
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def org(made: Made, path: Path) -> None:
    parts = []
    for kind, content in made.blocks:
        if isinstance(content, Table):
            rows = ["| " + " | ".join(row) + " |" for row in content.cells]
            rule = ["|" + "+".join("---" for _ in content.cells[0]) + "|"] if content.headers else []
            parts += [content.caption] if content.caption else []
            parts.append("\n".join([*rows[: content.headers], *rule, *rows[content.headers :]]))
        elif kind == "list":
            parts.append("\n".join(f"- {item}" for item in content))
        else:
            parts.append(f"* {content}" if kind == "heading" else str(content))
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def rich_text(made: Made, path: Path) -> None:
    """As WordPad writes it: a code page, a font, paragraphs and rows of cells."""
    parts = [r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fnil\fcharset0 Calibri;}}"]
    for kind, content in made.blocks:
        if isinstance(content, Table):
            parts += [rf"\pard {_rtf(content.caption)}\par"] if content.caption else []
            parts += [*_rtf_rows(content), r"\pard"]
        elif kind == "list":
            parts += [rf"\pard{{\pntext\f0 \'B7\tab}} {_rtf(item)}\par" for item in content]
        else:
            look = (r"\b\fs32", r"\b0\fs22") if kind == "heading" else ("", "")
            parts.append(rf"\pard{look[0]} {_rtf(str(content))}{look[1]}\par")
    path.write_text("\n".join([*parts, "}"]), encoding="ascii")


def _rtf(words: str) -> str:
    words = re.sub(r"[\\{}]", lambda found: f"\\{found[0]}", words)
    return "".join(each if each.isascii() else f"\\u{ord(each)}?" for each in words)


def _rtf_rows(table: Table) -> Iterator[str]:
    covered, spans = _covered(table), _spans(table)
    below = {(row + down, column) for (row, column), (rows, _) in spans.items() for down in range(1, rows)}
    for at, row in enumerate(table.cells):
        marks = ""
        for column in range(len(row)):
            down, across = spans.get((at, column), (1, 1))
            marks += r"\clvmgf" if down > 1 else r"\clvmrg" if (at, column) in below else ""
            marks += r"\clmgf" if across > 1 else ""
            marks += r"\clmrg" if (at, column) in covered and (at, column) not in below else ""
            marks += rf"\cellx{2000 * (column + 1)}"
        cells = "".join(
            ("" if (at, column) in covered else _rtf(cell)) + r"\cell " for column, cell in enumerate(row)
        )
        yield rf"\trowd{marks}\pard\intbl {cells}\row"


def _html_table(table: Table) -> str:
    covered, spans = _covered(table), _spans(table)
    rows = []
    for at, row in enumerate(table.cells):
        tag = "th" if at < table.headers else "td"
        cells = ""
        for column, cell in enumerate(row):
            if (at, column) not in covered:
                down, across = spans.get((at, column), (1, 1))
                cells += f'<{tag} rowspan="{down}" colspan="{across}">{html.escape(cell)}</{tag}>'
        rows.append(f"<tr>{cells}</tr>")
    caption = f"<caption>{html.escape(table.caption)}</caption>" if table.caption else ""
    return f"<table>{caption}{''.join(rows)}</table>"


def mail(made: Made, path: Path) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = made.name, "a@example.org", "b@example.org"
    message.set_content(as_html(made), subtype="html")
    path.write_bytes(bytes(message))


def outlook(made: Made, path: Path) -> None:
    """Outlook's own kind of file, with the mail as HTML."""
    page = as_html(made).encode()
    texts = {"0037001F": made.name.encode("utf-16-le"), "10130102": page}
    about = bytes(32) + struct.pack("<HHIQ", 0x03, 0x3FDE, 0, 65001)  # the code page of the HTML: UTF-8
    streams = {f"__substg1.0_{name}": data for name, data in texts.items()}
    path.write_bytes(compound({**streams, "__properties_version1.0": about}))


# --- Office and OpenDocument -----------------------------------------------------------------------------


def docx(made: Made, path: Path) -> None:
    import docx as library

    document = library.Document()
    for kind, content in made.blocks:
        if isinstance(content, Table):
            if content.caption:
                document.add_paragraph(content.caption)
            grid = document.add_table(len(content.cells), len(content.cells[0]))
            _fill(content, grid)
        elif kind == "list":
            for item in content:
                document.add_paragraph(item, style="List Bullet")
        elif kind == "heading":
            document.add_heading(str(content), 1)
        else:
            document.add_paragraph(str(content))
    document.save(str(path))


def _fill(table: Table, grid: Any) -> None:
    for row, column, rows, columns in table.merged:
        grid.cell(row, column).merge(grid.cell(row + rows - 1, column + columns - 1))
    covered = _covered(table)
    rows = list(grid.rows)
    for at, row in enumerate(table.cells):
        cells = rows[at].cells
        for column, cell in enumerate(row):
            if (at, column) not in covered:
                cells[column].text = cell


def pptx(made: Made, path: Path) -> None:
    from pptx import Presentation
    from pptx.util import Inches

    deck = Presentation()
    slide: Any = None
    top, title = 0.0, ""
    for kind, content in made.blocks:
        if kind == "heading" or slide is None or isinstance(content, Table):
            slide = deck.slides.add_slide(deck.slide_layouts[5])
            title = str(content) if kind == "heading" else title
            slide.shapes.title.text = title
            top = 1.5
            if kind == "heading":
                continue
        if isinstance(content, Table):
            if content.caption:
                slide.shapes.add_textbox(
                    0, Inches(top), Inches(9), Inches(0.4)
                ).text_frame.text = content.caption
                top += 0.5
            shape = slide.shapes.add_table(
                len(content.cells), len(content.cells[0]), 0, Inches(top), Inches(9), Inches(3)
            )
            _fill(content, shape.table)
            slide = None
            continue
        frame = slide.shapes.add_textbox(0, Inches(top), Inches(9), Inches(1)).text_frame
        frame.text = "\n".join(content) if kind == "list" else str(content)
        top += 1.2
    deck.save(str(path))


def odt(made: Made, path: Path) -> None:
    from odf.opendocument import OpenDocumentText
    from odf.text import H, List, ListItem, P

    document = OpenDocumentText()
    for kind, content in made.blocks:
        if isinstance(content, Table):
            if content.caption:
                document.text.addElement(P(text=content.caption))
            document.text.addElement(_odf_table(content))
        elif kind == "list":
            listed = List()
            for item in content:
                entry = ListItem()
                entry.addElement(P(text=item))
                listed.addElement(entry)
            document.text.addElement(listed)
        else:
            made_element = H(outlinelevel=1, text=content) if kind == "heading" else P(text=content)
            document.text.addElement(made_element)
    document.save(str(path))


def _odf_table(table: Table) -> Any:
    from odf.table import CoveredTableCell, TableCell, TableColumn, TableRow
    from odf.table import Table as OdfTable
    from odf.text import P

    covered, spans = _covered(table), _spans(table)
    made = OdfTable(name="T")
    made.addElement(TableColumn(numbercolumnsrepeated=len(table.cells[0])))
    for at, row in enumerate(table.cells):
        line = TableRow()
        for column, cell in enumerate(row):
            if (at, column) in covered:
                line.addElement(CoveredTableCell())
                continue
            down, across = spans.get((at, column), (1, 1))
            place = TableCell(valuetype="string", numberrowsspanned=down, numbercolumnsspanned=across)
            place.addElement(P(text=cell))
            line.addElement(place)
        made.addElement(line)
    return made


# --- sheets ----------------------------------------------------------------------------------------------


def _sheet_rows(made: Made) -> Iterator[tuple[list[str], tuple[tuple[int, int, int, int], ...]]]:
    """Rows of a sheet: prose in single cells, an empty row around tables, with the merged areas of each."""
    for kind, content in made.blocks:
        if not isinstance(content, Table):
            yield from (([line], ()) for line in (content if kind == "list" else [str(content)]))
            continue
        yield [], ()
        if content.caption:
            yield [content.caption], ()
        for at, row in enumerate(content.cells):
            yield row, tuple((0, *area[1:]) for area in content.merged if area[0] == at)
        yield [], ()


def xlsx(made: Made, path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    for at, (row, merged) in enumerate(_sheet_rows(made), start=1):
        for column, cell in enumerate(row, start=1):
            if cell:
                sheet.cell(at, column, _value(cell))
        for _, column, rows, columns in merged:
            sheet.merge_cells(None, at, column + 1, at + rows - 1, column + columns)
    book.save(path)


def _value(cell: str) -> int | str:
    return int(cell) if cell.isdigit() else cell


def xls(made: Made, path: Path) -> None:
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("Sheet")
    for at, (row, merged) in enumerate(_sheet_rows(made)):
        areas = {column: (rows, columns) for _, column, rows, columns in merged}
        for column, cell in enumerate(row):
            if column in areas:
                rows, columns = areas[column]
                sheet.write_merge(at, at + rows - 1, column, column + columns - 1, _value(cell))
            elif cell:
                sheet.write(at, column, _value(cell))
    book.save(str(path))


def ods(made: Made, path: Path) -> None:
    from odf.opendocument import OpenDocumentSpreadsheet
    from odf.table import Table as OdfTable
    from odf.table import TableCell, TableRow
    from odf.text import P

    book = OpenDocumentSpreadsheet()
    table = OdfTable(name="Sheet")
    open_until: dict[int, int] = {}  # column: row that a cell from above reaches
    for at, (row, merged) in enumerate(_sheet_rows(made)):
        areas = {column: (rows, columns) for _, column, rows, columns in merged}
        line = TableRow()
        column = 0
        while column < len(row):
            rows, columns = areas.get(column, (1, 1))
            number = row[column].isdigit()
            kind = {"valuetype": "float", "value": row[column]} if number else {"valuetype": "string"}
            cell = TableCell(**kind, numberrowsspanned=rows, numbercolumnsspanned=columns)
            cell.addElement(P(text=row[column]))
            line.addElement(cell if open_until.get(column, -1) < at else _odf_covered())
            for extra in range(1, columns):
                line.addElement(_odf_covered())
                open_until[column + extra] = at + rows - 1
            open_until[column] = max(open_until.get(column, -1), at + rows - 1)
            column += columns
        table.addElement(line)
    book.spreadsheet.addElement(table)
    book.save(str(path))


def _odf_covered() -> Any:
    from odf.table import CoveredTableCell

    return CoveredTableCell()


def delimited(made: Made, path: Path) -> None:
    """Only the table: a file of delimited text holds one."""
    mark = "\t" if path.suffix == ".tsv" else ","
    for table in made.tables[:1]:
        caption = f"{table.caption}\n" if table.caption else ""
        path.write_text(caption + _as_csv(table.cells, mark), encoding="utf-8")


def _as_csv(cells: Grid, mark: str) -> str:
    made = io.StringIO()
    csv.writer(made, delimiter=mark, lineterminator="\n").writerows(cells)
    return made.getvalue()


# --- pdf -------------------------------------------------------------------------------------------------


def pdf(made: Made, path: Path) -> None:
    from reportlab.lib import colors
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import ListFlowable, Paragraph, SimpleDocTemplate, Spacer, TableStyle
    from reportlab.platypus import Table as Grid

    styles = getSampleStyleSheet()
    story: list[Any] = []
    for kind, content in made.blocks:
        if isinstance(content, Table):
            story += [Paragraph(content.caption, styles["BodyText"])] if content.caption else []
            spans = [
                ("SPAN", (column, row), (column + columns - 1, row + rows - 1))
                for row, column, rows, columns in content.merged
            ]
            look = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black), *spans])
            story += [Grid(content.cells, style=look, repeatRows=content.headers), Spacer(1, 12)]
        elif kind == "list":
            story.append(
                ListFlowable([Paragraph(item, styles["BodyText"]) for item in content], bulletType="bullet")
            )
        else:
            story.append(Paragraph(str(content), styles["Heading2" if kind == "heading" else "BodyText"]))
    SimpleDocTemplate(str(path)).build(story)


WRITERS: dict[str, Writer] = {
    ".md": markdown, ".txt": text, ".rst": restructured, ".org": org, ".rtf": rich_text, ".html": web_page,
    ".xhtml": strict_page, ".epub": book, ".ipynb": notebook, ".eml": mail, ".msg": outlook, ".docx": docx,
    ".pptx": pptx, ".odt": odt, ".xlsx": xlsx, ".xls": xls, ".ods": ods, ".csv": delimited,
    ".tsv": delimited, ".pdf": pdf,
}  # fmt: skip
