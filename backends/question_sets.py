"""Where the questions of an evaluation come from: the sample set, a file, or the documents themselves.

Enters: a split, a path, or documents and a model that words questions. Leaves: `Question`s. A generated
question is a proposal: its answer is a stretch of a document, but only a person can say whether it is a good
question, so it goes through a review table before it is asked.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from backends.datatypes import Question
from backends.questions import load_questions

SAMPLE = Path(__file__).resolve().parents[1] / "sample_corpus" / "questions"
Split = Literal["dev", "test"]


def sample_questions(split: Split) -> list[Question]:
    """The sample questions of one split, in file order."""
    chosen: list[Question] = []
    for path in sorted(SAMPLE.glob("*.jsonl")):
        splits = [json.loads(line)["split"] for line in path.read_text("utf8").splitlines() if line.strip()]
        chosen += [q for q, s in zip(load_questions(path), splits, strict=True) if s == split]
    return chosen
