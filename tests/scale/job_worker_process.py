"""A worker to be killed: `python -m tests.scale.job_worker_process ADDRESS FOLDER`. Jobs wait for a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends.system.job_worker import JobWorker, Timing
from backends.system.jobs import JobContext

QUICK = Timing(heartbeat=0.5, dead=8.0, again=1)


def wait_for_file(folder: Path) -> Any:
    """A command that says it has begun and ends once `open` lies in the folder."""

    def run(arguments: Sequence[str], context: JobContext) -> Any:
        context.emit({"begun": arguments[-1]})
        while not (folder / "open").exists():
            context.progress(1, 2, "half")
            if context.cancelled.wait(0.1):
                return None
        return {"through": True}

    return run


if __name__ == "__main__":
    place = Path(sys.argv[2])
    JobWorker(sys.argv[1], wait_for_file(place), QUICK, place / "training.lock").work()
