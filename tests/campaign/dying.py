"""Processes that die: every write, sync and rename is a point at which one can be killed, lose power, or find
the disk full.

Enters: a folder and the number of a point. What happens there: SIGKILL, as from outside, nothing closed,
rolled back or flushed; half a write and then SIGKILL; the power going, after which what was not synced is
gone; or a full disk from there on. Statements of SQLite and every 40 instructions inside one are points too.
SQLite's own syncs are taken at their word: they are not simulated.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

End = Literal["kill", "torn", "power", "full"]
INSTRUCTIONS = 40
DATABASE = (".db", ".db-wal", ".db-shm", ".db-journal")
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
WRITING = ("BEGIN", "COMMIT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "VACUUM")


class Points:
    """Counts the points that are passed below `folder`, and brings about `end` at the one of number `at`."""

    def __init__(self, folder: Path, end: End, at: int | None, seed: int = 0) -> None:
        self.folder = str(folder)
        self.end, self.at, self.seed = end, at, seed
        self.passed = 0
        self.armed = False
        self._synced: dict[tuple[int, int], bytes] = {}  # (device, inode) -> contents at the last sync
        self._pending: list[tuple[str, Callable[[], None]]] = []  # (folder, how to undo it), not yet synced
        self._kept = 0
        self._real: dict[str, Any] = {}

    # --- points ----------------------------------------------------------------------------------

    def step(self, writing: Callable[[], None] | None = None) -> None:
        """A point is passed; `writing` writes half of what is about to be written."""
        if not self.armed:
            return
        self.passed += 1
        if self.at is None or self.passed < self.at or (self.passed > self.at and self.end != "full"):
            return
        if self.end == "full":
            raise FULL
        self.armed = False
        if self.end == "torn" and writing is not None:
            writing()
        if self.end == "power":
            self._lose()
        os.kill(os.getpid(), signal.SIGKILL)

    def arm(self) -> None:
        for path in self._files():
            self._synced[_identity(path)] = path.read_bytes()
        self.armed = True

    # --- what stands before the system's own functions -------------------------------------------

    def install(self) -> None:
        """In this process, for good: for processes that end afterwards."""
        names = ("fsync", "link", "unlink", "replace", "rename", "mkdir", "rmdir")
        self._real = {name: getattr(os, name) for name in names}
        open_ = io.open
        for name in ("utime", "mkdir", "truncate", "ftruncate"):
            self._before(name)
        os.rmdir = self._rmdir
        os.fsync = self._fsync  # type: ignore[assignment]
        os.rename = self._moving("rename")
        os.replace = self._moving("replace")
        os.unlink = os.remove = self._unlink

        def opening(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            opened = open_(file, mode, *args, **options)
            written = set(mode) & set("wax+") and isinstance(file, str | os.PathLike)
            return _Written(opened, self) if written and self._inside(file) else opened

        io.open = builtins.open = opening
        self._before_statements()

    def _before(self, name: str) -> None:
        original = getattr(os, name)

        def stepping(*args: Any, **options: Any) -> Any:
            self.step()
            return original(*args, **options)

        setattr(os, name, stepping)

    def _before_statements(self) -> None:
        points = self

        class Connection(sqlite3.Connection):
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options)
                if points.end != "full":
                    self.set_progress_handler(points.step, INSTRUCTIONS)

            def execute(self, statement: str, *args: Any) -> sqlite3.Cursor:
                points._statement(statement)
                return super().execute(statement, *args)

            def executemany(self, statement: str, *args: Any) -> sqlite3.Cursor:
                points._statement(statement)
                return super().executemany(statement, *args)

        connect = sqlite3.connect
        sqlite3.connect = lambda *args, **options: connect(*args, **options, factory=Connection)  # type: ignore[assignment]

    def _statement(self, statement: str) -> None:
        if self.end != "full":
            self.step()
        elif statement.startswith(WRITING):
            try:
                self.step()
            except OSError as error:
                full = sqlite3.OperationalError("database or disk is full")
                full.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise full from error

    def _fsync(self, handle: Any) -> None:
        self.step()
        self._real["fsync"](handle)
        number = handle if isinstance(handle, int) else handle.fileno()
        path = Path(f"/proc/self/fd/{number}").readlink()
        if path.is_dir():
            self._pending = [each for each in self._pending if each[0] != str(path)]
        elif self.armed and path.exists():
            self._synced[_identity(path)] = path.read_bytes()

    def _moving(self, name: str) -> Callable[..., None]:
        def moving(source: Any, target: Any, **options: Any) -> None:
            self.step()
            undo = self._undoing(Path(source), Path(target)) if self.armed and not options else None
            self._real[name](source, target, **options)
            if undo is not None:
                self._pending.append((str(Path(target).parent), undo))

        return moving

    def _undoing(self, source: Path, target: Path) -> Callable[[], None]:
        old = self._aside(target)

        def undo() -> None:
            self._real["rename"](target, source)
            if old is not None:
                self._real["rename"](old, target)

        return undo

    def _rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        self.step()
        whole = _whole(path, dir_fd)
        self._real["rmdir"](path, dir_fd=dir_fd)
        if self.armed and self._inside(whole):
            self._pending.append((str(whole.parent), lambda: self._real["mkdir"](whole)))

    def _unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        self.step()
        whole = _whole(path, dir_fd)
        old = self._aside(whole) if self.armed and self._inside(whole) else None
        self._real["unlink"](path, dir_fd=dir_fd)
        if old is not None:
            self._pending.append((str(whole.parent), lambda: _put_back(old, whole, self._real["rename"])))

    def _aside(self, path: Path) -> Path | None:
        """A second name, outside of what is looked at, for a file that may have to come back."""
        if self.end != "power" or not path.is_file() or path.name.endswith(DATABASE):
            return None
        self._kept += 1
        aside = Path(f"{self.folder}.kept.{self._kept}")
        self._real["link"](path, aside)
        return aside

    # --- a loss of power -------------------------------------------------------------------------

    def _lose(self) -> None:
        """Undo the last renames and removals that no sync made lasting, cut what was not synced."""
        draw = random.Random(self.seed)
        kept = draw.randint(0, len(self._pending))
        for _, undo in reversed(self._pending[kept:]):
            undo()
        for path in self._files():
            held = path.read_bytes()
            synced = self._synced.get(_identity(path), b"")
            if held != synced:
                sure = len(synced) if held.startswith(synced) else 0
                with path.open("rb+") as file:
                    file.truncate(draw.randint(sure, len(held)))

    def _files(self) -> list[Path]:
        """The files below the folder but for SQLite's."""
        found = (Path(at) / name for at, _, names in os.walk(self.folder) for name in names)
        return [path for path in found if not path.name.endswith(DATABASE)]

    def _inside(self, path: Any) -> bool:
        return str(Path(path).absolute()).startswith(self.folder)


class _Written:
    """A file open for writing, each write of which is a point."""

    def __init__(self, file: Any, points: Points) -> None:
        self._file, self._points = file, points

    def write(self, data: Any) -> int:
        def half() -> None:
            self._file.write(data[: len(data) // 2])
            self._file.flush()

        self._points.step(half)
        return int(self._file.write(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Written:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Any:
        return iter(self._file)


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _whole(path: Any, folder: int | None) -> Path:
    return Path(path) if folder is None else Path(f"/proc/self/fd/{folder}").readlink() / path


def _put_back(old: Path, at: Path, rename: Callable[[Path, Path], None]) -> None:
    if at.parent.is_dir() and not at.exists():
        rename(old, at)
