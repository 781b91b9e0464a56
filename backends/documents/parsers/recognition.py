"""Text recognition of scanned pages by tesseract, where that program is installed.

Enters: the picture of a page in shades of grey. Leaves: its words with their places in pixels. It knows no
PDF.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

MOST_LANGUAGES = 4  # each makes it slower
SURE = 30  # per cent of confidence below which a word is a stain


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word; y grows downwards."""

    text: str
    left: int
    top: int
    right: int
    bottom: int


def installed() -> bool:
    """Whether tesseract is here."""
    return shutil.which("tesseract") is not None


def recognised(grey: bytes, width: int, height: int, seconds: float) -> list[list[Word]]:
    """The lines of a picture of `width` x `height` bytes, in reading order.

    Raises TimeoutError when it takes longer than `seconds`, OSError when the program fails.
    """
    picture = b"P5 %d %d 255\n" % (width, height) + grey
    try:
        table = _run(["-", "-", "-l", _languages(), "tsv"], picture, seconds)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    lines: dict[Sequence[str], list[Word]] = {}
    for row in table.splitlines()[1:]:
        *place, left, top, across, down, sure, text = row.split("\t")
        if text.strip() and float(sure) >= SURE:
            x, y = int(left), int(top)
            word = Word(text.strip(), x, y, x + int(across), y + int(down))
            lines.setdefault(tuple(place[:5]), []).append(word)
    return list(lines.values())


@cache
def _languages() -> str:
    """Those installed, English first."""
    names = [name for name in _run(["--list-langs"], b"", 10).splitlines()[1:] if name not in ("osd", "equ")]
    return "+".join(sorted(names, key=lambda name: name != "eng")[:MOST_LANGUAGES]) or "eng"


def _run(arguments: Sequence[str], given: bytes, seconds: float) -> str:
    """What the program writes. Its pool of threads is kept small, as several files are read at once."""
    done = subprocess.run(
        ["tesseract", *arguments],
        input=given,
        capture_output=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
    )
    if done.returncode != 0:
        raise OSError(f"text recognition failed ({done.stderr.decode('utf-8', 'replace')[:100]})")
    return done.stdout.decode("utf-8", "replace")
