"""`python -m benchmarks.ingest`: how long a folder takes until it can be asked, beside the tools people know.

Enters: prose as JSON lines (title, text), not part of this repository, of which a folder of Markdown files is
made (250 of them: about 2,000 passages of 1,000 characters). Leaves: a table, and the rows as JSON. All sides
use the same MiniLM, each in a process of its own, in turns, round after round. Besides the wall clock, each
row tells the processor's seconds, which hardly depend on what else the machine does. With --peers the peers'
environment is made at the first call (.venv-peers).
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

from backends.retrieval.minilm import best_precision

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".venv-peers"
SIDES = Path(__file__).resolve().parent / "peers"
OURS = ("triptych", "plain")
OTHERS = ("langchain", "llamaindex", "haystack", "txtai")
FILES, CHARACTERS = 250, 8_000
FIRST, ANEW = 1_000, 700  # characters of a passage, before and after
COLUMNS = ("ingest_s", "rechunk_s", "ingest_cpu_s", "rechunk_cpu_s", "query_ms", "query_cpu_ms")
MEMORY = ("peak_mb", "children_peak_mb")


def texts(prose: Path) -> Iterator[str]:
    for name in ("digitalgov", "sourcegraph_handbook"):
        with lzma.open(prose / f"{name}.jsonl.xz", "rt", encoding="utf8") as file:
            yield from (json.loads(line)["text"] for line in file)


def make_folder(prose: Path, folder: Path, files: int) -> None:
    """Markdown files of about 8,000 characters, whole paragraphs of the prose."""
    rows = texts(prose)
    for number in range(files):
        text = ""
        while len(text) < CHARACTERS:
            text += next(rows) + "\n\n"
        cut = text.rfind("\n\n", 0, CHARACTERS + 1)
        (folder / f"{number:03}.md").write_text(text[: cut if cut > 0 else CHARACTERS], encoding="utf-8")


def make_peers() -> None:
    if not (PEERS / "bin" / "python").exists():
        print(f"making {PEERS.name}; this takes minutes and about 2 GB", file=sys.stderr)
        venv.create(PEERS, with_pip=True)
        pip = [str(PEERS / "bin" / "python"), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, "-r", str(SIDES / "requirements.txt")], check=True)


def measure(side: str, folder: Path, peers: Path) -> dict[str, float]:
    python = peers if side in OTHERS else Path(sys.executable)
    command = [str(python), str(SIDES / f"side_{side}.py"), str(folder), str(FIRST), str(ANEW)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
    row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prose", type=Path, default=ROOT.parent / "shared" / "data" / "prose")
    parser.add_argument("--peers", action="store_true", help="also LangChain, LlamaIndex, Haystack, txtai")
    parser.add_argument("--peers-python", type=Path, help="of an environment that has them already")
    parser.add_argument("--only", nargs="*", help="these sides")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if not args.prose.is_dir():
        raise SystemExit(f"There is no prose in {args.prose}: name a folder of .jsonl.xz files with --prose.")
    if args.peers and not args.peers_python:
        make_peers()
    peers = args.peers_python or PEERS / "bin" / "python"
    sides = args.only or [*OURS, *(OTHERS if args.peers else ())]
    rounds: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        make_folder(args.prose, Path(folder), args.files)
        for _ in range(args.rounds):
            for side in sides:
                rounds[side].append(measure(side, Path(folder), peers))
                print(json.dumps({"side": side, **rounds[side][-1]}), flush=True)
                save(args.json, rounds, args.files)
    for side in sides:
        cells = "  ".join(f"{column} {_median(rounds[side], column):8.1f}" for column in (*COLUMNS, *MEMORY))
        print(f"{side:12}{cells}")


def save(path: Path | None, rounds: dict[str, list[dict[str, float]]], files: int) -> None:
    if path is None:
        return
    about = {
        "cores": len(os.sched_getaffinity(0)),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "files": files,
        "triptych_precision": best_precision(),
        "peers_precision": "fp32",
    }
    path.write_text(json.dumps({"about": about, "rounds": rounds}, indent=1) + "\n", encoding="utf-8")


def _median(rows: list[dict[str, float]], column: str) -> float:
    return statistics.median(row[column] for row in rows)


if __name__ == "__main__":
    main()
