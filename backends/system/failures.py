"""What the machine itself can refuse, in one sentence: a full or read-only disk, too little memory, damage.

Enters: an exception that nobody expected. Leaves: a sentence for whoever is in front of it, or None for what
is a fault of the program. Doors ask it: the command line, background jobs, the page.
"""

from __future__ import annotations

import errno
import sqlite3

KINDS = (OSError, sqlite3.Error, MemoryError)
_FULL = (
    "The disk is full: nothing more can be stored until there is room. What was stored before is untouched."
)
_READ_ONLY = "This cannot be written: the workspace is read-only here, or belongs to somebody else."
_MEMORY = "There is not enough memory for this: close something else, or try with less."
_FILES = "Too many files are open at once: try again, or start the server anew."
_BY_NUMBER = {
    errno.ENOSPC: _FULL, errno.EDQUOT: _FULL, errno.EFBIG: _FULL,
    errno.EROFS: _READ_ONLY, errno.EACCES: _READ_ONLY, errno.EPERM: _READ_ONLY,
    errno.ENOMEM: _MEMORY, errno.EMFILE: _FILES, errno.ENFILE: _FILES,
}  # fmt: skip
_DAMAGED = (
    "The workspace's database is damaged ({}): put a copy of it back, or move its folder away to begin anew."
)
_BY_CODE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: "The workspace's database cannot be opened: is its folder there and yours?",
    sqlite3.SQLITE_NOMEM: _MEMORY,
    sqlite3.SQLITE_BUSY: "Another process has been writing to the workspace for too long: try again.",
    sqlite3.SQLITE_LOCKED: "Another process has been writing to the workspace for too long: try again.",
    sqlite3.SQLITE_IOERR: "The disk could not be read or written: is it full, or failing?",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}


def in_words(error: BaseException) -> str | None:
    """One sentence about a refusal of the machine; None for anything else, a closed pipe among it."""
    if isinstance(error, MemoryError):
        return _MEMORY
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        if code is None and "decode" in str(
            error
        ):  # a text that is none: sqlite3 itself says so, without a code
            code = sqlite3.SQLITE_CORRUPT
        words = None if code is None else _BY_CODE.get(code & 0xFF)
        return None if words is None else words.format(error)
    if isinstance(error, OSError) and error.errno is not None:
        return _BY_NUMBER.get(error.errno)
    return None
