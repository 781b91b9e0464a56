"""What reading files in a process of their own costs: `python -m benchmarks.reading [FOLDER]`.

Prints, for the files of a folder (the sample documents), the computing time per file here and there, the
memory of the warm process, and for one large table its time and the memory it took. For Linux.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from backends.documents import limits
from backends.documents.parsing import parse_file
from backends.documents.reader_pool import ReaderProcess

SAMPLE = Path(__file__).resolve().parents[1] / "sample_corpus" / "documents"
ROUNDS = 3
ROWS = 150_000


def computing(process: Path) -> float:
    """Seconds of computing of a process (Linux)."""
    fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(process: Path, which: str) -> float:
    """Bytes of memory in use now (VmRSS) or at most so far (VmHWM)."""
    lines = (process / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024.0 for line in lines if line.startswith(which))


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    reader = ReaderProcess()
    process = Path(f"/proc/{reader.pid}")
    for path in files:  # every reader is loaded once, here and there
        reader.read(path, path.name, (), limits.MAX_SECONDS, None)
        parse_file(path)
    here = there = 0.0
    for _ in range(ROUNDS):
        began = time.process_time()
        for path in files:
            parse_file(path)
        here += time.process_time() - began
        began = time.process_time() + computing(process)
        for path in files:
            reader.read(path, path.name, (), limits.MAX_SECONDS, None)
        there += time.process_time() + computing(process) - began
    count = ROUNDS * len(files)
    print(
        f"{len(files)} files: {here / count * 1e3:.2f} ms of computing per file in this process, "
        f"{there / count * 1e3:.2f} ms in a process of their own, "
        f"which takes {memory(process, 'VmRSS') / 1024**2:.0f} MB"
    )
    with tempfile.TemporaryDirectory() as place:
        table = Path(place) / "table.csv"
        rows = (f"SB-{n},carbon dioxide,{n % 97}.5,EUR,Berlin,{n * 7}\n" for n in range(ROWS))
        table.write_text("Part,Measures,Price,Currency,City,Stock\n" + "".join(rows))
        began = computing(process)
        parsed = reader.read(table, table.name, (), limits.MAX_SECONDS, None)
        print(
            f"a table of {ROWS:,} rows ({table.stat().st_size / 1024**2:.1f} MB): "
            f"{len(parsed.text):,} characters, {computing(process) - began:.1f} s of computing, "
            f"{memory(process, 'VmHWM') / 1024**2:.0f} MB at most"
        )
    reader.close()


if __name__ == "__main__":
    main()
