"""A log of lines that only grows, but for what a forgetting takes out: in a file, or where servers share it.

Enters: lines of text. Leaves: the same, oldest first; a line is kept for good when `append` returns. It does
not know what the lines say. `postgres.line_rows` keeps them in a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from backends.system.files import append_line, rewrite

ChangesLine = Callable[[str], str | None]  # the line as it is to be; None: it stays


class LineLog(Protocol):
    """Lines that several threads and processes add to."""

    def append(self, line: str) -> None:
        """Add a line. Raises OSError or UserError where it cannot be kept."""
        ...

    def lines(self) -> Iterator[str]:
        """Every line, oldest first."""
        ...

    def change(self, changed: ChangesLine) -> None:
        """Put what `changed` says in the place of lines; what is added meanwhile stays."""
        ...


class FileLines:
    """The lines of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, line: str) -> None:
        """Add a line; it is on the disk when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        append_line(self._path, line)

    def lines(self) -> Iterator[str]:
        """Every line."""
        if self._path.exists():
            with self._path.open(encoding="utf-8", newline="\n") as file:
                yield from (line.removesuffix("\n") for line in file)

    def change(self, changed: ChangesLine) -> None:
        """Rewrite the file whole, where any line changes."""

        def new(data: bytes) -> bytes | None:
            before = data.decode("utf-8").split("\n")
            after = [changed(line) if line else None for line in before]
            if not any(each is not None for each in after):
                return None
            kept = [old if each is None else each for old, each in zip(before, after, strict=True)]
            return "\n".join(kept).encode("utf-8")

        rewrite(self._path, new)
