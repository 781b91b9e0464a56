"""Result files as promptfoo, RAGAS, DeepEval and AutoRAG write them, with scores of our choosing."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

QUESTIONS = [f"What does part {number} cost?" for number in range(1, 41)]


def shares(seed: int, skill: float, count: int = 40) -> list[float]:
    """Right or wrong, drawn with a seed."""
    return [float(drawn) for drawn in np.random.default_rng(seed).random(count) < skill]


def means(seed: int, middle: float, count: int = 40) -> list[float]:
    """Numbers between 0 and 1 around a middle."""
    drawn = np.random.default_rng(seed).normal(middle, 0.15, count).clip(0, 1)
    return [round(float(value), 4) for value in drawn]


def promptfoo(path: Path, arms: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Path:
    """`promptfoo eval --output`, version 3; an arm's scores: (passed, named score "tone")."""
    rows = [
        {
            "promptIdx": 0, "testIdx": index, "success": bool(passed[index]), "score": passed[index],
            "failureReason": 0 if passed[index] else 1, "error": None, "latencyMs": 12,
            "provider": {"id": provider, "label": ""}, "prompt": {"raw": "{{question}}", "label": "plain"},
            "vars": {"question": question, "context": "..."}, "namedScores": {"tone": tone[index]},
            "response": {"output": "something"}, "gradingResult": {"pass": bool(passed[index])},
        }
        for index, question in enumerate(QUESTIONS)
        for provider, (passed, tone) in arms.items()
    ]  # fmt: skip
    content = {"evalId": "eval-1", "results": {"version": 3, "timestamp": "", "prompts": [], "results": rows}}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def ragas(path: Path, faithfulness: Sequence[float], relevancy: Sequence[float | None]) -> Path:
    """`result.to_pandas().to_csv(...)`: a verdict that failed is an empty cell."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        head = ["user_input", "retrieved_contexts", "response", "reference", "faithfulness"]
        writer.writerow([*head, "answer_relevancy"])
        for question, one, other in zip(QUESTIONS, faithfulness, relevancy, strict=True):
            cells = [question, "['a passage,\nin two lines']", "an answer", "gold", one]
            writer.writerow([*cells, "" if other is None else other])
    return path


def deepeval(path: Path, model: str, relevancy: Sequence[float], toxicity: Sequence[float]) -> Path:
    """A test run of DeepEval; toxicity passes below its threshold."""
    cases = [
        {
            "name": f"test_case_{index}", "input": question, "actualOutput": "...",
            "success": relevancy[index] >= 0.5 and toxicity[index] <= 0.5,
            "metricsData": [
                {"name": "Answer Relevancy", "threshold": 0.5, "success": relevancy[index] >= 0.5,
                 "score": relevancy[index], "error": None},
                {"name": "Harm [GEval]", "threshold": 0.5, "success": toxicity[index] <= 0.5,
                 "score": toxicity[index], "error": None},
            ],
        }
        for index, question in enumerate(QUESTIONS)
    ]  # fmt: skip
    content = {"testCases": cases, "hyperparameters": {"model": model}, "metricsScores": []}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def autorag(folder: Path, modules: Mapping[str, Sequence[float]]) -> Path:
    """A generator node of AutoRAG: a parquet file a module, and summary.csv."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    lines = ["filename,module_name,module_params,execution_time,rouge,is_best"]
    for number, (module, rouge) in enumerate(modules.items()):
        columns: dict[str, Any] = {
            "generated_texts": ["text"] * len(rouge),
            "generated_tokens": [[1, 2]] * len(rouge),
            "generated_log_probs": [[0.1, 0.2]] * len(rouge),
            "rouge": list(rouge),
        }
        pq.write_table(pa.table(columns), folder / f"{number}.parquet")
        lines.append(f"{number}.parquet,{module},\"{{'llm': 'x'}}\",1.0,0.5,False")
    pq.write_table(pa.table(columns), folder / "best_0.parquet")
    (folder / "summary.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
