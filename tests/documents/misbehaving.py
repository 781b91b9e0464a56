"""The real reader process, with a parser that does what the file's text says: loop, crash, eat memory, talk.

Started by `test_reader_pool` as `python -m tests.documents.misbehaving`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from backends.datatypes import ParsedFile
from backends.documents import reader_process
from backends.documents.parsing import parse_file


def misbehave(path: Path, name: str, passwords: Sequence[str]) -> ParsedFile:
    match path.read_bytes().decode(errors="replace").split():
        case ["loop"]:
            while True:
                pass
        case ["abort"]:
            os.abort()
        case ["exit"]:
            os._exit(3)
        case ["overflow"]:
            return misbehave(path, name, passwords)
        case ["eat"]:
            eaten = [bytearray(64 * 1024 * 1024) for _ in range(1000)]
            return ParsedFile(str(len(eaten)), "", "text")
        case ["talk"]:
            print("a reader's chatter")
            os.write(1, b"more of it\n")
        case ["garble"]:
            os.write(int(os.environ["ANSWERS"]), b"this is no answer\n")
        case ["grow"]:
            reader_process.GROWN = 0
        case ["connect"]:
            return ParsedFile(connected(), "", "text")
        case ["environment"]:
            return ParsedFile("names: " + " ".join(os.environ), "", "text")
        case ["who"]:
            return ParsedFile(str(os.getpid()), "", "text")
        case ["leave", "out"]:
            return ParsedFile("some words", "", "text", notes=("page 2 is an image",))
    return parse_file(path, name, passwords)


def connected() -> str:
    """Whether a socket can be had, here and in a process that this one starts."""
    code = "import socket; socket.socket(); print('connected')"
    started = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout
    try:
        socket.socket()
    except PermissionError:
        return f"refused {started}"
    return "connected"


def main() -> None:
    # The answers go to a copy of stdout, which gets the lowest free number.
    probe = os.dup(1)
    os.close(probe)
    os.environ["ANSWERS"] = str(probe)
    setattr(reader_process, "parse_file", misbehave)  # noqa: B010
    sys.setrecursionlimit(300)
    reader_process.main()


if __name__ == "__main__":
    main()
