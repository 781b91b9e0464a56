"""The texts of the next files, read by other processes while this one embeds.

Enters: files in the order in which they will be wanted. Leaves: each one's `ParsedFile`, or the UserError
that reading it gave, when it is asked for. At most AHEAD files are under way or wait, none larger than
LARGEST, so that a folder of any size takes bounded memory. Nothing is embedded or stored here.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from backends.datatypes import ParsedFile
from backends.documents.limits import MB
from backends.documents.preparing import FileToRead, Parse, parsed_now
from backends.documents.reader_pool import Cancelled

AHEAD = 2  # files, each in a process of its own
LARGEST = 8 * MB  # of a file that is read ahead; a larger one waits for its turn
POLL = 0.05  # seconds between two looks at the cancel button


@dataclass(frozen=True)
class _Begun:
    """A file on its way, as it was when its reading began."""

    stamp: tuple[int, int]  # size and time of change
    text: Future[ParsedFile]


class ReadAhead:
    """Reads files ahead of whoever asks for them, within a `with`."""

    def __init__(self, files: Iterable[FileToRead], parse: Parse = parsed_now) -> None:
        self._files = iter(files)
        self._parse = parse
        self._threads = ThreadPoolExecutor(AHEAD, "reading-ahead")
        self._begun: OrderedDict[tuple[Path, str], _Begun | None] = OrderedDict()
        self._stop = threading.Event()

    def __enter__(self) -> ReadAhead:
        self._fill()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._threads.shutdown(cancel_futures=True)

    def parsed(self, file: FileToRead, cancel: threading.Event | None) -> ParsedFile:
        """Raises UserError when it cannot be read or was cancelled."""
        key = (file.path, file.name)
        while key in self._begun and next(iter(self._begun)) != key:
            self._begun.popitem(last=False)  # turned out to be known when its turn came
        begun = self._begun.pop(key, None)
        self._fill()
        if begun is None or begun.stamp != _stamp(file.path):
            return self._parse(file, cancel)
        while not begun.text.done():
            if cancel is not None and cancel.is_set():
                raise Cancelled("Cancelled.")
            wait([begun.text], POLL)
        return begun.text.result()

    def _fill(self) -> None:
        while len(self._begun) < AHEAD and (file := next(self._files, None)) is not None:
            self._begun[file.path, file.name] = self._begin(file)

    def _begin(self, file: FileToRead) -> _Begun | None:
        stamp = _stamp(file.path)
        if stamp is None or stamp[0] > LARGEST:
            return None
        return _Begun(stamp, self._threads.submit(self._parse, file, self._stop))


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes with a file's contents; None when it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
