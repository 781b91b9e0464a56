"""Where a passage stands, as a reader would look it up: the page, the slide or the sheet by its name.

Enters: a citation or source, and the service. Leaves: `prices.xlsx, sheet Spare parts`.
"""

from __future__ import annotations

from collections.abc import Callable

from backends.datatypes import Excerpt
from pages.ui.service import Service

Place = Callable[[Excerpt], str]
SLIDES = ("pptx", "ppt", "odp")
SHEETS = ("xlsx", "xls", "xlsb", "xlsm", "ods")


def page_words(at: Excerpt) -> str:
    """What the record alone tells."""
    return f"{at.document}, page {at.page}" if at.page is not None else at.document


def places(service: Service) -> Place:
    """As `page_words`, but by the document's own names for its parts."""

    def place(at: Excerpt) -> str:
        document = service.entry(at.document, at.version) if at.page is not None else None
        page = next((p for p in document.pages if p.number == at.page), None) if document else None
        if document is None or page is None:
            return page_words(at)
        if page.label and document.type in SHEETS:
            return f"{at.document}, sheet {page.label}"
        what = "slide" if document.type in SLIDES else "page"
        return f"{at.document}, {what} {at.page}"

    return place
