"""A page of a PDF as a picture, with a passage marked: drawn in a process of its own, as files are read.

Enters: the file's bytes, a page's number from 1 and the words to mark. Leaves: a PNG, or None where the page
cannot be drawn. The words are found by their letters and digits alone, because a reader joins broken words
and puts columns in another order than the file has them.
"""

from __future__ import annotations

import ctypes
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from backends.documents import limits
from backends.system.environment import environment_without_secrets
from backends.system.files import ROOT

if TYPE_CHECKING:
    from pypdfium2 import PdfPage, PdfTextPage

SECONDS = 30.0  # for one page, the start of the process included
WIDTH = 1000  # pixels
PIECE = 6  # words that are looked for together
LEAST = 4  # letters and digits below which a piece would mark anything
MARK = (255, 226, 120)  # laid over the page as a marker pen would: black stays black
# A row as the readers write it: `Product: Lark Pro; Warranty: 36 months`.
_ROW = re.compile(r"[^:;]{1,60}: [^;]+(?:; [^:;]{1,60}: [^;]+)+;?")
_VALUE = re.compile(r"(?:^|; )[^:;]{1,60}: ([^;]+)")
Box = tuple[float, float, float, float]


def page_picture(data: bytes, page: int, passage: str) -> bytes | None:
    """The page as PNG with the passage's words marked; None where it cannot be drawn in time."""
    head = json.dumps({"page": page, "pieces": pieces(passage)}).encode() + b"\n"
    try:
        done = subprocess.run(
            [sys.executable, "-m", "backends.documents.page_pictures"],
            input=head + data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env={**environment_without_secrets(), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            timeout=SECONDS,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError):
        return None
    return done.stdout if done.returncode == 0 and done.stdout.startswith(b"\x89PNG") else None


def pieces(passage: str) -> list[str]:
    """Stretches of a few words, without what is not a letter or a digit; of a table row its values at once,
    because the labels that a reader writes into every row stand over the table only."""
    lines = passage.splitlines()
    rows = [_bare(" ".join(_VALUE.findall(line))) for line in lines if _ROW.fullmatch(line.strip())]
    prose = " ".join(line for line in lines if not _ROW.fullmatch(line.strip()))
    words = [bare for word in prose.split() if (bare := _bare(word))]
    groups = ["".join(words[at : at + PIECE]) for at in range(0, len(words), PIECE)]
    return [group for group in [*rows, *groups] if len(group) >= LEAST]


def _bare(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


# --- in the process of its own ---------------------------------------------------------------------


def main() -> None:
    """The process: reads a request from stdin and writes a picture to stdout, within its limits."""
    from backends.documents.reader_process import limit

    limit("RLIMIT_AS", limits.MAX_MEMORY)
    limit("RLIMIT_CORE", 0)
    limit("RLIMIT_CPU", int(SECONDS))
    head = json.loads(sys.stdin.buffer.readline())
    sys.stdout.buffer.write(draw(sys.stdin.buffer.read(), head["page"], head["pieces"]))


def draw(data: bytes, number: int, wanted: Sequence[str]) -> bytes:
    """The page as PNG, with the wanted words marked."""
    import pypdfium2 as pdfium
    from PIL import Image, ImageChops, ImageDraw

    document = pdfium.PdfDocument(data)
    page = document[number - 1]
    image = page.render(scale=WIDTH / page.get_width()).to_pil().convert("RGB")
    over = Image.new("RGB", image.size, "white")
    pen = ImageDraw.Draw(over)
    for left, top, right, bottom in _boxes(page, wanted, image.size):
        pen.rectangle((left - 2, top - 2, right + 2, bottom + 2), fill=MARK)
    out = io.BytesIO()
    ImageChops.multiply(image, over).save(out, "PNG")
    return out.getvalue()


def _boxes(page: PdfPage, wanted: Sequence[str], size: tuple[int, int]) -> Iterator[Box]:
    """Where the pieces stand, a box for each stretch of characters on one line, in pixels."""
    import pypdfium2.raw as raw

    text = page.get_textpage()
    letters: list[str] = []
    places: list[int] = []  # of each letter, the number of the character it is of
    for at in range(text.count_chars()):
        bare = _bare(chr(raw.FPDFText_GetUnicode(text, at)))
        letters.append(bare)
        places += [at] * len(bare)
    whole = "".join(letters)
    for piece in wanted:
        found = whole.find(piece)
        if found >= 0:
            yield from _lines([_box(page, text, at, size) for at in places[found : found + len(piece)]])


def _box(page: PdfPage, text: PdfTextPage, at: int, size: tuple[int, int]) -> Box:
    """A character's box in pixels from the upper left corner, whatever the page's rotation and crop are."""
    import pypdfium2.raw as raw

    left, bottom, right, top = text.get_charbox(at)
    corners = []
    for x, y in ((left, top), (right, bottom)):
        column, row = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, *size, 0, x, y, column, row)
        corners.append((column.value, row.value))
    (a, b), (c, d) = corners
    return min(a, c), min(b, d), max(a, c), max(b, d)


def _lines(boxes: Sequence[Box]) -> Iterator[Box]:
    """Boxes that follow each other on one line joined into one."""
    start = 0
    for at, (one, other) in enumerate(pairwise(boxes), start=1):
        if other[1] > one[3] or other[3] < one[1] or other[0] < one[0]:
            yield _around(boxes[start:at])
            start = at
    if boxes:
        yield _around(boxes[start:])


def _around(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


if __name__ == "__main__":
    main()
