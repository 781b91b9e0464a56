"""Writes a document whose contents are known in each of the formats that are read.

Enters: `made.Made`. Leaves: a file. Every writer uses what its format offers: real headings, merged cells
where the format has them, and no mark on the header row beyond what the writing program does of itself.
"""

from __future__ import annotations

import csv
import html
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from benchmarks.readers.made import Made, Table

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
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def web_page(made: Made, path: Path) -> None:
    path.write_text(as_html(made), encoding="utf-8")


def as_html(made: Made) -> str:
    parts = []
    for kind, content in made.blocks:
        if isinstance(content, Table):
            parts.append(_html_table(content))
        elif kind == "list":
            parts.append("<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in content) + "</ul>")
        else:
            tag = "h2" if kind == "heading" else "p"
            parts.append(f"<{tag}>{html.escape(str(content))}</{tag}>")
    return f"<!DOCTYPE html><html><head><meta charset='utf-8'></head><body>{''.join(parts)}</body></html>"


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
    with path.open("w", encoding="utf-8", newline="") as file:
        for table in made.tables[:1]:
            if table.caption:
                file.write(table.caption + "\n")
            csv.writer(file).writerows(table.cells)


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
    ".md": markdown, ".txt": text, ".html": web_page, ".eml": mail, ".docx": docx, ".pptx": pptx, ".odt": odt,
    ".xlsx": xlsx, ".xls": xls, ".ods": ods, ".csv": delimited, ".pdf": pdf,
}  # fmt: skip
