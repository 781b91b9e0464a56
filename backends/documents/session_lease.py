"""Keeps a visitor's copy from being removed while somebody has it open, and remembers when one was removed.

Enters: the folder of a copy. Leaves: a `Lease`, held as long as that object lives; copies that nobody holds
and nobody has used for a day go. Locks are on files beside the copies, so several processes may open them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import weakref
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from backends.system.viewers import stays

KEPT_SECONDS = 24 * 3600
NOTES_KEPT_SECONDS = 30 * 24 * 3600
RENEWED_SECONDS = 60.0
LEASES = ".leases"  # a folder beside the copies: a file for each, empty, or saying when the copy was removed


class Lease:
    """A copy that is in use. Whoever opens it holds one; it is given up with the object."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._renewed = 0.0
        self._handle = _locked(_file(folder), fcntl.LOCK_SH)
        weakref.finalize(self, os.close, self._handle)

    def renew(self) -> None:
        """Note that the copy was used just now: the day begins anew."""
        now = time.monotonic()
        if now - self._renewed > RENEWED_SECONDS or not self._renewed:
            self._renewed = now
            with suppress(FileNotFoundError):
                os.utime(self._folder)


def removed_at(folder: Path) -> datetime | None:
    """When this copy was removed because nobody used it; None when it was not, or that was dismissed."""
    try:
        text = _file(folder).read_text(encoding="utf-8")
        return datetime.fromisoformat(text) if text else None
    except (OSError, ValueError):
        return None


def dismiss(folder: Path) -> None:
    """Speak of its removal no longer."""
    with suppress(FileNotFoundError):
        os.truncate(_file(folder), 0)


def remove_unused(sessions: Path) -> None:
    """Remove the copies that nobody holds and nobody has used for a day, and old notes of it.

    Those of people who signed in stay: they come back for them.
    """
    for path in sessions.iterdir():
        if path.name != LEASES and not stays(path.name) and _age(path) > KEPT_SECONDS:
            _remove(path)
    for note in (sessions / LEASES).glob("*"):
        if _age(note) > NOTES_KEPT_SECONDS and (handle := _free(note)) is not None:
            note.unlink(missing_ok=True)
            os.close(handle)


def _remove(folder: Path) -> None:
    if folder.name.startswith("."):  # a copy whose making was interrupted
        shutil.rmtree(folder, ignore_errors=True)
        return
    handle = _free(_file(folder))
    if handle is None:
        return
    try:
        shutil.rmtree(folder, ignore_errors=True)
        os.ftruncate(handle, 0)
        os.pwrite(handle, datetime.now(UTC).isoformat(timespec="seconds").encode(), 0)
    finally:
        os.close(handle)


def _file(folder: Path) -> Path:
    return folder.parent / LEASES / folder.name


def _free(path: Path) -> int | None:
    """The lease's file, locked for this alone; None while somebody holds it."""
    try:
        return _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def _locked(path: Path, how: int) -> int:
    """The file, made where it is missing, opened and locked, and still the one at this path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, how)
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except BlockingIOError:
            os.close(handle)
            raise
        except FileNotFoundError:
            os.close(handle)  # removed between the two: it is made anew
            continue
        os.close(handle)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
