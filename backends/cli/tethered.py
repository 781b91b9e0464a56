"""The command line in a process that ends in order when whoever started it lets go of it, or dies.

Enters: arguments, and a standard input that the starter holds open. Leaves: what the verb does. When the
input ends, the verb is interrupted as by Ctrl-C: what it has done stays.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from backends.cli.main import app


def _interrupt_at_end() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    threading.Thread(target=_interrupt_at_end, daemon=True).start()
    app()
