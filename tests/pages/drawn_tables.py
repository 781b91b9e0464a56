"""The tables that a page writes as HTML, as data frames of text."""

from __future__ import annotations

import lxml.html
import pandas as pd
from streamlit.testing.v1 import AppTest


def drawn_tables(app: AppTest) -> list[pd.DataFrame]:
    """Every table, in the order of the page."""
    bodies = [element.proto.body for element in app.get("html") if "<table" in element.proto.body]
    return [_frame(lxml.html.fromstring(body)) for body in bodies]


def table_with(app: AppTest, head: str) -> pd.DataFrame:
    """The first table that has such a column."""
    return next(table for table in drawn_tables(app) if head in table)


def _frame(html: lxml.html.HtmlElement) -> pd.DataFrame:
    rows = [[cell.text_content() for cell in row.iter("th", "td")] for row in html.iter("tr")]
    return pd.DataFrame(rows[1:], columns=rows[0])
