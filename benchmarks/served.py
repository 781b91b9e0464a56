"""The embedded model behind llama.cpp's server and here, who says the same: `python -m benchmarks.served`.

Needs the wheel `xllamacpp`. Writes model and adapters as GGUF into a temporary folder, serves them, and asks
questions of the sample corpus of base, fine-tuned and hybrid both ways, greedily. Prints a JSON
row for each answer that differs, then one for each backend: how many were the same, and the median times.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

from backends.datatypes import Answer, BackendName, Question
from backends.evaluation.questions import load_questions
from backends.product import Triptych
from backends.settings import make_settings
from backends.system.files import SAMPLE_CORPUS
from backends.training.serving_files import ServedBase, write_files
from tests.language.llama_server import serving

BACKENDS: tuple[BackendName, ...] = ("base", "fine_tuned", "hybrid")
QUESTIONS = 20
CONTEXT = 2048


def compare(triptych: Triptych, backend: BackendName, questions: list[Question]) -> None:
    here, served = make_settings(), make_settings(model="served")
    pairs: list[tuple[Answer, Answer]] = []
    for question in questions:
        one, other = triptych.answer(question, backend, here), triptych.answer(question, backend, served)
        pairs.append((one, other))
        if one.text != other.text:
            row = {"backend": backend, "question": question.question, "here": one.text, "served": other.text}
            print(json.dumps(row), flush=True)
    counted = [one.usage.prompt_tokens == other.usage.prompt_tokens for one, other in pairs]
    totals = {
        f"{where}_median_ms": statistics.median(answer.latency_ms["total"] for answer in answers)
        for where, answers in zip(("here", "served"), zip(*pairs, strict=True), strict=True)
    }
    same = sum(one.text == other.text for one, other in pairs)
    row = {
        "backend": backend,
        "questions": len(pairs),
        "same_words": same,
        "same_prompt_tokens": sum(counted),
    }
    print(json.dumps(row | totals), flush=True)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else QUESTIONS
    files = sorted((SAMPLE_CORPUS / "questions").glob("*.jsonl"))
    known = [question for file in files for question in load_questions(file)]
    questions = known[:: max(1, len(known) // count)][:count]
    with tempfile.TemporaryDirectory() as place:
        triptych = Triptych.open(Path(place) / "workspace", make_settings())
        model, folder = triptych.model(), Path(place) / "served"
        active = [triptych.adapters.active(kind, model.fingerprint) for kind in ("fine_tuned", "hybrid")]
        adapters = [adapter for adapter in active if adapter is not None]
        write_files(folder, ServedBase.from_model(model), adapters)
        loras = [folder / f"{adapter.name}.gguf" for adapter in adapters]
        with serving(folder / f"{model.name}.gguf", loras, context=CONTEXT) as address:
            table = (folder / "models.toml").read_text().replace("http://localhost:8080/v1", address)
            table = table.replace("context = 8192", f"context = {CONTEXT}")
            (triptych.workspace / "models.toml").write_text(table)
            for backend in BACKENDS:
                compare(triptych, backend, questions)


if __name__ == "__main__":
    main()
