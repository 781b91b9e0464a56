"""The other end of `reader_pool`: a process that reads one file after the other.

Enters: a line of JSON per file on stdin, and as its argument the bytes of memory it may use. Leaves: a line
of JSON per file on stdout. It ends when stdin does, or when a file has left it large. A file may take it
over: it knows no secret, and on Linux it cannot open a connection.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path

from backends.datatypes import JsonValue, PasswordNeeded, UserError
from backends.documents.no_network import give_up_network
from backends.documents.parsing import parse_file
from backends.documents.reader_pool import as_reply

GROWN = 600 * 1024 * 1024  # bytes in use after which a fresh process takes over


def main() -> None:
    """The process: answers one request a line until stdin ends, within its limits."""
    # Readers that print must not garble the answers: what they print goes to stderr.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    limit("RLIMIT_AS", int(sys.argv[1]))
    limit("RLIMIT_CORE", 0)
    give_up_network()
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        # The system ends this process when a file has taken its seconds of computing, even if nobody watches.
        limit("RLIMIT_CPU", math.ceil(sum(os.times()[:2]) + request["seconds"]))
        answer = _answer(request)
        leaving = _memory() > GROWN
        answers.write(f'{{"answer": {answer}, "leaving": {json.dumps(leaving)}}}\n')
        answers.flush()
        if leaving:
            return


def _answer(request: dict[str, JsonValue]) -> str:
    """The answer as JSON: the file as it was read, or why it was not."""
    name, password = request["name"], False
    try:
        return json.dumps(as_reply(parse_file(Path(request["path"]), name, request["passwords"])))
    except UserError as error:
        reason, password = str(error), isinstance(error, PasswordNeeded)
    except MemoryError:
        reason = f"{name} needs more memory than it may take."
    except RecursionError:
        reason = f"{name} is nested too deeply to be read."
    except OSError as error:
        reason = f"{name} cannot be read: {error.strerror or error}."
    return json.dumps({"error": reason, "password": password})


def limit(which: str, amount: int) -> None:
    """Lower a limit of this process where the system has it (Linux and macOS)."""
    try:
        import resource
    except ImportError:  # Windows has none: there the parent's clock is the only limit
        return
    kind = getattr(resource, which)
    _, hard = resource.getrlimit(kind)
    most = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
    try:
        resource.setrlimit(kind, (most, hard))
    except (ValueError, OSError):  # macOS knows the limit of memory and refuses it
        return


def _memory() -> int:
    """Bytes in use now."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except FileNotFoundError:  # not Linux
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
