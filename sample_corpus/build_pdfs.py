"""Renders the PDF documents of the sample corpus from the Markdown texts that a person edits.

Enters: sources/*.md (current) and sources/earlier_versions/*.md (older versions of the same files).
Leaves: documents/*.pdf and earlier_versions/*.pdf, the same bytes every time for the same text.
It knows only the small part of Markdown that the sources use: `title:` and `columns:` lines at the top,
headings, paragraphs, bullet and numbered lists, pipe tables, `**bold**`, and `---` for a new page.

    python sample_corpus/build_pdfs.py            # all of them
    python sample_corpus/build_pdfs.py lark-pro   # only sources whose name contains this
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

from reportlab.lib import colors
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    FrameBreak,
    ListFlowable,
    ListItem,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

HERE = Path(__file__).resolve().parent
MARGIN = 20 * mm
GUTTER = 8 * mm
TITLE_HEIGHT = 18 * mm
INK = colors.HexColor("#1f2a37")
ACCENT = colors.HexColor("#0f6b63")
RULE = colors.HexColor("#c9d2d9")

_META = re.compile(r"^(title|columns):\s*(.+)$")
_BULLET = re.compile(r"^[-*]\s+(.*)$")
_NUMBERED = re.compile(r"^(\d+)[.)]\s+(.*)$")


@dataclass(frozen=True)
class Source:
    """One Markdown text, split into what the page needs to know and its body lines."""

    title: str
    columns: int
    lines: tuple[str, ...]


def read_source(path: Path) -> Source:
    """Takes the `title:`/`columns:` lines (or a first `# Heading`) off the top of the text."""
    lines = path.read_text(encoding="utf-8").splitlines()
    meta: dict[str, str] = {}
    while lines and (not lines[0].strip() or lines[0].strip() == "---" or _META.match(lines[0])):
        if found := _META.match(lines[0]):
            meta[found.group(1)] = found.group(2).strip()
        lines.pop(0)
    if lines and lines[0].startswith("# "):
        heading = lines.pop(0)[2:].strip()
        meta.setdefault("title", heading)
    if "title" not in meta:
        raise SystemExit(f"{path.name}: needs a `title:` line or a first `# Heading`.")
    return Source(meta["title"], int(meta.get("columns", "1")), tuple(lines))


def _styles() -> dict[str, ParagraphStyle]:
    body = ParagraphStyle(
        "body", fontName="Helvetica", fontSize=10, leading=14, spaceAfter=6, textColor=INK, alignment=TA_LEFT
    )
    heading = {"parent": body, "fontName": "Helvetica-Bold", "textColor": ACCENT, "keepWithNext": 1}
    return {
        "body": body,
        "title": ParagraphStyle("title", **{**heading, "fontSize": 19, "leading": 24, "spaceAfter": 10}),
        "h2": ParagraphStyle("h2", **{**heading, "fontSize": 13, "leading": 17, "spaceBefore": 8}),
        "h3": ParagraphStyle("h3", **{**heading, "fontSize": 10.5, "leading": 14, "spaceBefore": 4}),
        "cell": ParagraphStyle("cell", parent=body, fontSize=8.5, leading=11, spaceAfter=0),
        "head": ParagraphStyle(
            "head", parent=body, fontName="Helvetica-Bold", fontSize=8.5, leading=11, spaceAfter=0
        ),
    }


def _inline(text: str, path: str) -> str:
    """Escapes the text for reportlab, keeps bold and code, and refuses what the font cannot draw."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError as error:
        raise SystemExit(f"{path}: the PDF font has no {text[error.start]!r} in: {text[:70]}") from error
    marked = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(text, quote=False))
    return re.sub(r"`(.+?)`", r'<font face="Courier">\1</font>', marked)


def _table(rows: list[str], width: float, style: dict[str, ParagraphStyle], path: str) -> Flowable:
    cells = [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in rows]
    cells = [row for row in cells if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    if len({len(row) for row in cells}) != 1:
        raise SystemExit(f"{path}: the table that starts with {rows[0]!r} has rows of different lengths.")
    longest = [max(max(len(row[i]) for row in cells), 6) ** 0.7 for i in range(len(cells[0]))]
    widths = [width * share / sum(longest) for share in longest]
    drawn = [
        [Paragraph(_inline(cell, path), style["head" if number == 0 else "cell"]) for cell in row]
        for number, row in enumerate(cells)
    ]
    table = Table(drawn, colWidths=widths, repeatRows=1, hAlign="LEFT", spaceBefore=2, spaceAfter=8)
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, 0), 0.8, ACCENT),
                ("LINEBELOW", (0, 1), (-1, -1), 0.4, RULE),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    return table


def _list(items: list[str], numbered: bool, style: dict[str, ParagraphStyle], path: str) -> Flowable:
    drawn = [ListItem(Paragraph(_inline(item, path), style["body"]), leftIndent=14) for item in items]
    if numbered:
        return ListFlowable(drawn, bulletType="1", bulletFormat="%s.", bulletFontSize=10, leftIndent=16)
    return ListFlowable(drawn, bulletType="bullet", start="•", bulletFontSize=10, leftIndent=14)


def _same_kind(lines: list[str], at: int, pattern: re.Pattern[str]) -> int:
    """The end of a list that starts at `at`: its items, and indented lines that continue an item."""
    end = at
    while end < len(lines) and (pattern.match(lines[end]) or lines[end].startswith("  ")):
        end += 1
    return end


def flowables(source: Source, width: float, path: str) -> list[Flowable]:
    """The body of a text as reportlab blocks, in the order they stand."""
    style, lines, blocks, at = _styles(), list(source.lines), list[Flowable](), 0
    while at < len(lines):
        line = lines[at].rstrip()
        if not line:
            at += 1
        elif line.strip() == "---":
            blocks.append(PageBreak())
            at += 1
        elif found := re.match(r"^(#{1,4})\s+(.*)$", line):
            name = "h2" if len(found.group(1)) <= 2 else "h3"
            blocks.append(Paragraph(_inline(found.group(2), path), style[name]))
            at += 1
        elif line.startswith("|"):
            end = at
            while end < len(lines) and lines[end].startswith("|"):
                end += 1
            blocks.append(_table(lines[at:end], width, style, path))
            at = end
        elif _BULLET.match(line) or _NUMBERED.match(line):
            pattern = _BULLET if _BULLET.match(line) else _NUMBERED
            end, items = _same_kind(lines, at, pattern), list[str]()
            for item in lines[at:end]:
                if found := pattern.match(item):
                    items.append(found.groups()[-1])
                else:
                    items[-1] += " " + item.strip()
            blocks += [_list(items, pattern is _NUMBERED, style, path), Spacer(1, 4)]
            at = end
        else:
            end = at
            while end < len(lines) and lines[end].strip() and not re.match(r"^(#|\||---$|[-*] )", lines[end]):
                end += 1
            end = max(end, at + 1)
            text = " ".join(part.strip() for part in lines[at:end])
            blocks.append(Paragraph(_inline(text, path), style["body"]))
            at = end
    return blocks


def render(source_path: Path, pdf_path: Path) -> None:
    """Writes one PDF; a two-column text gets its title across both columns of the first page."""
    source = read_source(source_path)
    page_width, page_height = A4
    inner = page_width - 2 * MARGIN
    column = (inner - GUTTER * (source.columns - 1)) / source.columns
    no_padding = {"leftPadding": 0, "rightPadding": 0, "topPadding": 0, "bottomPadding": 0}

    def frames(height: float) -> list[Frame]:
        return [
            Frame(MARGIN + number * (column + GUTTER), MARGIN, column, height, **no_padding)
            for number in range(source.columns)
        ]

    def footer(canvas: Canvas, document: BaseDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont("Helvetica", 8)
        canvas.setFillColor(colors.HexColor("#5b6773"))
        canvas.drawString(MARGIN, 11 * mm, f"Larkfield Instruments Ltd | {source.title}")
        canvas.drawRightString(page_width - MARGIN, 11 * mm, f"Page {document.page}")
        canvas.restoreState()

    full = page_height - 2 * MARGIN
    banner = Frame(MARGIN, page_height - MARGIN - TITLE_HEIGHT, inner, TITLE_HEIGHT, **no_padding)
    document = BaseDocTemplate(
        str(pdf_path), pagesize=A4, invariant=1, title=source.title, author="Larkfield Instruments Ltd"
    )
    document.addPageTemplates(
        [
            PageTemplate("first", [banner, *frames(full - TITLE_HEIGHT)], onPage=footer),
            PageTemplate("later", frames(full), onPage=footer),
        ]
    )
    title = Paragraph(_inline(source.title, source_path.name), _styles()["title"])
    body = flowables(source, column, source_path.name)
    document.build([NextPageTemplate("later"), title, FrameBreak(), *body])


def main(names: list[str]) -> None:
    for folder, target in (("sources", "documents"), ("sources/earlier_versions", "earlier_versions")):
        for source_path in sorted((HERE / folder).glob("*.md")):
            if names and not any(name in source_path.stem for name in names):
                continue
            pdf_path = HERE / target / f"{source_path.stem}.pdf"
            pdf_path.parent.mkdir(parents=True, exist_ok=True)
            render(source_path, pdf_path)
            print(f"{target}/{pdf_path.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
