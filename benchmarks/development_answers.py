"""Asks the development questions of every backend and keeps what they answered: what labels are measured on.

Enters: the sample's development questions and those of benchmarks/corpora, the shipped model and adapters.
Leaves: benchmarks/development_answers.jsonl, one row an answer: its text, its model's confidence, what it
cites. Questions about one small corpus are also asked of the other, where nothing answers them.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backends.answering.citations import resolve_citations
from backends.answering.schemas import asked_schema
from backends.datatypes import BACKEND_NAMES, BackendName, Evidence, Finished, Question, Source, Token
from backends.evaluation.probes import sample_questions
from backends.product import Triptych
from backends.settings import Settings, make_settings

ROOT = Path(__file__).resolve().parents[1]
CORPORA = ROOT / "benchmarks" / "corpora"
STORED = ROOT / "benchmarks" / "development_answers.jsonl"
FOREIGN = 3  # every third question of the other small corpus is asked as well


@dataclass(frozen=True)
class Collection:
    """Documents, and the questions put to them; `folder` None: the sample."""

    name: str
    folder: Path | None
    questions: Sequence[Question]


def collections() -> list[Collection]:
    """The sample, and the two small corpora that no adapter has learned."""
    own = {name: _own_questions(CORPORA / name) for name in ("clinic", "marina")}
    found = [Collection("sample", None, sample_questions("dev"))]
    for name, other in (("clinic", "marina"), ("marina", "clinic")):
        foreign = [Question(f"not-{each.id}", each.question) for each in own[other][::FOREIGN]]
        nobody = _own_questions(CORPORA / name, "unanswerable")
        found.append(Collection(name, CORPORA / name, [*own[name], *foreign, *nobody]))
    return found


def _own_questions(folder: Path, file: str = "questions") -> list[Question]:
    rows = [json.loads(line) for line in (folder / f"{file}.jsonl").read_text("utf8").splitlines() if line]
    kind = "" if file == "questions" else f"{file}-"
    return [
        Question(f"{folder.name}-{kind}{number}", row["question"], tuple(row["answers"]))
        for number, row in enumerate(rows, start=1)
    ]


def opened(collection: Collection, workspace: Path, settings: Settings) -> Triptych:
    """The shipped models on these documents."""
    if collection.folder is None:
        return Triptych.open(workspace, settings)
    documents = workspace / f"documents-{collection.name}"
    documents.mkdir(parents=True)
    for path in collection.folder.iterdir():
        if path.suffix != ".jsonl":
            (documents / path.name).write_bytes(path.read_bytes())
    return Triptych.open(workspace, settings, documents=documents)


def ask(triptych: Triptych, question: Question, name: BackendName, settings: Settings) -> dict[str, Any]:
    """One row: what this backend answers, unmeasured."""
    schema = asked_schema(question) if settings.constrained_decoding else None
    text: list[str] = []
    sources: Sequence[Source] = ()
    confidence = None
    for event in triptych.backend(name, settings, schema=schema).run(question.question, settings):
        if isinstance(event, Token):
            text.append(event.text)
        elif isinstance(event, Evidence):
            sources = event.sources
        elif isinstance(event, Finished):
            confidence = event.confidence
    said = "".join(text).strip()
    cited = [asdict(each) for each in resolve_citations(said, sources)]
    row: dict[str, Any] = {"question": question.id, "backend": name, "text": said, "citations": cited}
    return {**row, "confidence": None if confidence is None else round(confidence, 4)}


def rows(share: float) -> Iterator[dict[str, Any]]:
    """Question by question, drawn in one order over all collections: a run cut short is a fair sample."""
    settings = make_settings()
    with tempfile.TemporaryDirectory() as folder:
        opened_ = {each.name: opened(each, Path(folder), settings) for each in collections()}
        asked = [(each.name, question) for each in collections() for question in each.questions]
        random.Random(0).shuffle(asked)
        asked = asked[: round(share * len(asked))]
        for number, (name, question) in enumerate(asked, start=1):
            print(f"{number} of {len(asked)} questions", file=sys.stderr, flush=True)
            for backend in BACKEND_NAMES:
                yield {"corpus": name, **ask(opened_[name], question, backend, settings)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the questions, drawn at random")
    share = parser.parse_args().share
    with STORED.open("w", encoding="utf8") as file:
        for row in rows(share):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
