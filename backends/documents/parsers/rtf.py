"""Rich Text Format.

Enters: an rtf file. Leaves: its words, one paragraph a line, table rows that can be read alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from backends.datatypes import ParsedFile
from backends.documents.parsers.common import clean, stem, table_lines
from backends.documents.parsers.plain_text import title_of


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    text = rtf_text(path.read_bytes())
    return ParsedFile(text, title_of(text) or stem(name), kind)


def rtf_text(data: bytes) -> str:
    """The text of an RTF source."""
    from striprtf.striprtf import rtf_to_text

    read = rtf_to_text(data.decode("latin-1"), errors="replace")
    text = re.sub(r"\|\n", "\n", read)
    return clean("\n".join(_lines(text.split("\n"))))


def _lines(lines: list[str]) -> Iterator[str]:
    """The reader sets the cells of a row apart with "|"; rows that follow each other are one table."""
    for piped, group in groupby(lines, key=lambda line: "|" in line):
        block = list(group)
        yield from table_lines(line.split("|") for line in block) if piped else block
