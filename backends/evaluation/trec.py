"""Writes TREC run files: what search engines are scored from.

Enters: hits, best first. Leaves: rows `qid Q0 document rank score triptych`, documents ranked by their best
passage. It knows no retriever.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backends.datatypes import Hit
from backends.system.files import write_whole

RUN_NAME = "triptych"
RUN_DEPTH = 100  # documents ranked per question unless the caller says otherwise


def run_rows(question_id: str, hits: Sequence[Hit], depth: int) -> list[str]:
    """TREC rows `qid Q0 document rank score triptych`: documents in the order of their best passage.

    Scores are 1/rank: a run's scores must fall with the rank, which reranked scores do not promise.
    """
    ranked = [chunk.document for hit in hits for chunk in (hit.chunk, *hit.also)]
    names = list(dict.fromkeys(ranked))[:depth]
    return [
        f"{_run_name(question_id)} Q0 {_run_name(name)} {rank} {1 / rank:.6f} {RUN_NAME}"
        for rank, name in enumerate(names, start=1)
    ]


def _run_name(name: str) -> str:
    """Run files are separated by spaces, so a name cannot hold one."""
    return "%20".join(name.split())


def write_run(path: Path, lines: Sequence[str]) -> None:
    """Write the whole run or nothing."""
    write_whole(path, "".join(f"{line}\n" for line in lines))
