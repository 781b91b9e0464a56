"""A page of a PDF as a picture: the passage is marked, what is no PDF has none, it goes with its document."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reportlab.pdfgen import canvas

from backends.documents import page_pictures
from backends.documents.library import Library
from backends.documents.page_pictures import draw, page_picture, pieces
from backends.documents.store import Workspace
from backends.settings import make_settings
from tests.fakes import HashingEmbedder


def two_pages() -> bytes:
    out = io.BytesIO()
    pdf = canvas.Canvas(out, pagesize=(400, 400))
    pdf.drawString(50, 350, "Nothing of interest stands here.")
    pdf.showPage()
    pdf.drawString(50, 300, "The last ferry leaves the harbour at 21:40.")
    pdf.drawString(50, 100, "Tickets are sold on board.")
    pdf.save()
    return out.getvalue()


def marked_rows(picture: bytes) -> set[int]:
    """Hundredths of the height, from the top, at which something is yellow."""
    points = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))  # (height, width, 3)
    yellow = (points[:, :, 0] > 240) & (points[:, :, 2] < 190)
    return {int(row) * 100 // len(points) for row in np.flatnonzero(yellow.any(axis=1))}


def test_the_passage_is_marked_where_it_stands_and_nowhere_else() -> None:
    wanted = pieces("The last\nferry leaves the har bour at 21:40")
    rows = marked_rows(draw(two_pages(), 2, wanted))
    assert rows and rows <= set(range(21, 28))  # 300 of 400 from the bottom
    assert marked_rows(draw(two_pages(), 1, wanted)) == set()


def test_in_a_process_of_its_own_and_none_for_what_is_no_pdf(monkeypatch) -> None:
    picture = page_picture(two_pages(), 1, "of interest")
    assert picture is not None and picture.startswith(b"\x89PNG")
    monkeypatch.setattr(page_pictures, "SECONDS", 0.001)
    assert page_picture(two_pages(), 1, "") is None


def test_pieces_are_letters_and_digits_and_never_too_short() -> None:
    assert pieces("A-1: b; the 2nd row of the table") == ["a1bthe2ndrowof", "thetable"]
    assert pieces("a b") == []
    assert pieces("Product: Lark Pro; Warranty: 36 months; Starts: day 1") == ["larkpro36monthsday1"]


@pytest.mark.own_file
def test_the_file_is_kept_with_its_version_and_goes_with_it(tmp_path: Path) -> None:
    library = Library(Workspace.open(tmp_path / "workspace"), HashingEmbedder())
    path = tmp_path / "ferry.pdf"
    path.write_bytes(two_pages())
    list(library.ingest([path], settings=make_settings()))
    assert library.original("ferry.pdf") == path.read_bytes()
    library.workspace.remove_document("", "ferry.pdf")
    assert isinstance(library.workspace, Workspace)
    rows = library.workspace.connection().execute("SELECT count(*) FROM originals").fetchone()
    assert rows == (0,)
