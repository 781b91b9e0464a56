"""Reads the results of other tools, question by question: promptfoo, RAGAS, DeepEval, AutoRAG, plain CSV.

Enters: a file that such a tool wrote, or a folder of an AutoRAG node. Leaves: `Results`: arms with their
scores per question, and what they are called. It judges nothing: every score is the other tool's own.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from backends.datatypes import JsonObject, JsonValue, UserError
from backends.evaluation.archive import Run
from backends.evaluation.questions import read_lines
from backends.evaluation.reports import CSV_COLUMNS, read_json
from backends.evaluation.scoring import BY_KEY

TOOLS = "promptfoo, RAGAS, DeepEval, AutoRAG, CSV, or a run of Triptych"
QUESTION_COLUMNS = ("question", "user_input", "query", "input")  # ours; RAGAS; AutoRAG; DeepEval
ID_COLUMNS = ("id", "qid", "question_id")
ARM_COLUMNS = ("arm", "backend", "model", "provider", "system")
# Columns of numbers that are no scores: counters and measurements of the machine.
NO_SCORES = {"index", "row", "order", "retrieve_scores", *CSV_COLUMNS}
# What these tools call measures of harm; a DeepEval file says it itself by its thresholds.
LOWER_IS_BETTER = ("hallucination", "toxicity", "bias", "noise_sensitivity", "error", "latency", "cost")

Cells = JsonObject  # one row of a result


@dataclass(frozen=True)
class Scale:
    """A measure as the other tool has it."""

    label: str
    higher_is_better: bool = True


@dataclass
class ArmScores:
    """One arm of one result."""

    name: str
    scores: dict[str, dict[str, list[float]]] = field(default_factory=dict)  # question -> measure -> values
    failed: int = 0  # questions that the tool has no score for

    def add(self, question: str, scores: Mapping[str, float]) -> None:
        """Add scores to those of a question."""
        kept = self.scores.setdefault(question, {})
        for measure, value in scores.items():
            kept.setdefault(measure, []).append(value)

    @property
    def repeated(self) -> int:
        """Questions that were answered more than once."""
        return sum(any(len(values) > 1 for values in kept.values()) for kept in self.scores.values())


@dataclass
class Results:
    """What one file holds."""

    file: str
    tool: str
    by: str = "text"  # what names a question: its text, an id, or its row
    arms: dict[str, ArmScores] = field(default_factory=dict)
    scales: dict[str, Scale] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)  # question -> its text, where the file has it
    labels: Mapping[str, str] = field(default_factory=dict)  # measure -> what people call it
    folder: str = ""  # where the file lies, for files of the same name

    def arm(self, name: str) -> ArmScores:
        """The arm of this name, made where it is new."""
        return self.arms.setdefault(name, ArmScores(name))

    def add(self, arm: str, question: str, scores: JsonObject) -> None:
        """One answer's scores; what is no finite number is left out, and an answer without any has failed."""
        numbers = {name: value for name, given in scores.items() if (value := as_score(given)) is not None}
        if not numbers:
            self.arm(arm).failed += 1
            return
        for name in numbers:
            harm = any(word in name.lower().replace(" ", "_") for word in LOWER_IS_BETTER)
            self.scales.setdefault(name, Scale(self.labels.get(name, name), not harm))
        self.arm(arm).add(question, numbers)


def as_score(value: JsonValue) -> float | None:
    """A finite number; yes and no count as 1 and 0, and so do the words for them in a CSV file."""
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("true", "yes", "pass", "passed"):
            return 1.0
        if word in ("false", "no", "fail", "failed"):
            return 0.0
    try:
        made = float(value)
    except (TypeError, ValueError):
        return None
    return made if math.isfinite(made) else None


def read_results(path: Path, *, arms_in_columns: bool = False) -> Results:
    """The results in a file, or in the folder of an AutoRAG node; raises UserError when it holds none.

    `arms_in_columns`: the columns of numbers of a CSV file are arms, not measures.
    """
    results = _complete(_read(path, arms_in_columns))
    results.folder = path.absolute().parent.name
    return results


def _read(path: Path, arms_in_columns: bool) -> Results:
    if path.is_dir():
        return _autorag_node(path)
    kind = path.suffix.lower()
    if kind == ".parquet":
        return _rows_results(path.name, "AutoRAG", _parquet_rows(path), path.stem)
    if kind in (".csv", ".tsv"):
        rows = list(_csv_rows(path))
        return _columns(path, rows) if arms_in_columns else _table(path, rows)
    if kind in (".json", ".jsonl", ".ndjson"):
        return _json_results(path)
    raise UserError(f"{path.name}: results come as .json, .jsonl, .csv or .parquet ({TOOLS}).")


def run_results(run: Run) -> Results:
    """A run of our own, with all our measures."""
    results = Results(run.record.name or run.record.run, "Triptych", by="text")
    results.scales = {key: Scale(m.label, m.higher_is_better) for key, m in BY_KEY.items()}
    texts = {question.id: question.question for question in run.record.questions}
    for entry in run.entries:
        name = key_of(texts[entry.question])
        results.texts[name] = texts[entry.question]
        results.add(entry.arm, name, entry.scores if entry.answer is not None else {})
    return _complete(results)


def key_of(text: str) -> str:
    """How a question is found again in another file: its words, whatever their spacing and capitals."""
    return " ".join(text.split()).casefold()


def _complete(results: Results) -> Results:
    results.arms = {name: arm for name, arm in results.arms.items() if arm.scores}
    if not results.arms:
        raise UserError(f"{results.file} holds no score of any question (known are: {TOOLS}).")
    used = {measure for arm in results.arms.values() for kept in arm.scores.values() for measure in kept}
    results.scales = {name: scale for name, scale in results.scales.items() if name in used}
    return results


# --- JSON ----------------------------------------------------------------------------------------


def _json_results(path: Path) -> Results:
    """Each tool is known by the shape of what it writes."""
    content = _json_of(path)
    if isinstance(content, Mapping) and "record" in content and "entries" in content:
        return run_results(read_json(path))
    if isinstance(content, Mapping) and (cases := _deepeval_cases(content)):
        return _deepeval(path, content, cases)
    if rows := _promptfoo_rows(content):
        return _promptfoo(path, rows)
    if isinstance(content, list) and content and all(isinstance(row, Mapping) for row in content):
        return _table(path, content)
    if isinstance(content, Mapping) and content and all(isinstance(v, Mapping) for v in content.values()):
        return _table(path, _rows_of_columns(content))
    raise UserError(f"{path.name} is no result that is known here ({TOOLS}).")


def _json_of(path: Path) -> JsonValue:
    lines = read_lines(path)
    try:
        if path.suffix.lower() == ".json":
            return json.loads("\n".join(lines))
        return [json.loads(line) for line in lines if line.strip()]
    except ValueError as error:
        raise UserError(f"{path.name} is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise UserError(f"{path.name} is nested too deeply to be read.") from error


def _rows_of_columns(content: Mapping[str, JsonObject]) -> list[dict[str, JsonValue]]:
    """Rows of what pandas' `to_json` writes by default: column -> row -> cell."""
    numbers = list(dict.fromkeys(row for column in content.values() for row in column))
    return [{name: column.get(row) for name, column in content.items()} for row in numbers]


def _promptfoo_rows(content: JsonValue) -> list[Cells]:
    """The results of `promptfoo eval --output`: version 3 and 2 in JSON, or one a line."""
    while isinstance(content, Mapping):
        content = content.get("results")
    rows = content if isinstance(content, list) else []
    fits = rows and all(isinstance(row, Mapping) and "success" in row and "vars" in row for row in rows)
    return list(rows) if fits else []


def _promptfoo(path: Path, rows: Sequence[Cells]) -> Results:
    """An arm for each provider and prompt; `passed`, the score, and the named scores."""
    results = Results(path.name, "promptfoo", labels={"passed": "Passed", "score": "Score"})
    graded = any(row.get("score") != float(bool(row["success"])) for row in rows)
    prompts = {_prompt_label(row) for row in rows}
    for row in rows:
        name = _provider_label(row) + (f", {_prompt_label(row)}" if len(prompts) > 1 else "")
        text = _vars_text(row["vars"])
        results.texts[key_of(text)] = text
        failed = row.get("failureReason") == 2 or (row.get("error") and not row.get("gradingResult"))
        scores = {"passed": row["success"], **({"score": row.get("score")} if graded else {})}
        results.add(name, key_of(text), {} if failed else {**scores, **(row.get("namedScores") or {})})
    return results


def _provider_label(row: Cells) -> str:
    provider = row.get("provider")
    if isinstance(provider, Mapping):
        return str(provider.get("label") or provider.get("id") or "provider")
    return str(provider or "provider")


def _prompt_label(row: Cells) -> str:
    prompt = row.get("prompt")
    label = prompt.get("label") or prompt.get("raw") if isinstance(prompt, Mapping) else prompt
    words = " ".join(str(label or f"prompt {row.get('promptIdx', 0)}").split())
    return words if len(words) <= 40 else f"prompt {int(row.get('promptIdx') or 0) + 1}: {words[:30]}..."


def _vars_text(variables: JsonValue) -> str:
    """What stands for the question: the variable of that name, else all variables."""
    if not isinstance(variables, Mapping):
        return str(variables)
    found = next((variables[name] for name in QUESTION_COLUMNS if name in variables), None)
    if isinstance(found, str):
        return found
    return json.dumps(variables, ensure_ascii=False, sort_keys=True)


def _deepeval_cases(content: JsonObject) -> list[Cells]:
    """The test cases of a DeepEval test run, in either of its spellings."""
    for name in ("testCases", "test_cases", "testResults", "test_results"):
        cases = content.get(name)
        if isinstance(cases, list) and cases and all(isinstance(case, Mapping) for case in cases):
            return list(cases)
    return []


def _deepeval(path: Path, content: JsonObject, cases: Sequence[Cells]) -> Results:
    """One arm, called after its model or the file; `passed` and the score of each metric."""
    results = Results(path.name, "DeepEval", labels={"passed": "Passed"})
    parameters = content.get("hyperparameters")
    model = parameters.get("model") if isinstance(parameters, Mapping) else None
    arm = str(model or content.get("identifier") or path.stem)
    seen: list[Cells] = []
    for case in cases:
        text = str(case.get("input") or case.get("name") or "")
        results.texts[key_of(text)] = text
        metrics = case.get("metricsData") or case.get("metrics_data") or case.get("metricsMetadata") or []
        seen += metrics
        scores = {
            str(m.get("name") or m.get("metric")): m.get("score") for m in metrics if not m.get("error")
        }
        passed = {"passed": case.get("success")} if scores else {}
        results.add(arm, key_of(text), {**passed, **scores})
    for name in results.scales:
        if (higher := _direction([m for m in seen if m.get("name") == name])) is not None:
            results.scales[name] = Scale(results.scales[name].label, higher)
    return results


def _direction(metrics: Sequence[Cells]) -> bool | None:
    """Whether higher is better, told by which scores passed their threshold; None where it cannot be told."""
    told = [
        (bool(m["success"]), float(m["score"]) >= float(m["threshold"]))
        for m in metrics
        if all(isinstance(m.get(name), int | float) for name in ("success", "score", "threshold"))
        and m["score"] != m["threshold"]
    ]
    if not told or any(passed == above for passed, above in told) == any(p != a for p, a in told):
        return None
    return told[0][0] == told[0][1]


# --- tables: RAGAS, AutoRAG, CSV ---------------------------------------------------------------------


def _table(path: Path, rows: Sequence[Cells]) -> Results:
    ragas = bool(rows) and {"user_input", "response"} <= set(rows[0])
    return _rows_results(path.name, "RAGAS" if ragas else "table", rows, path.stem)


def _rows_results(file: str, tool: str, rows: Sequence[Cells], arm: str) -> Results:
    """A row a question; every column of numbers is a measure, and a column may name the arm."""
    results = Results(file, tool, labels={key: measure.label for key, measure in BY_KEY.items()})
    if not rows:
        return results
    results.by, name_of = _naming(rows)
    arms = next((name for name in ARM_COLUMNS if name in rows[0]), None)
    taken = {*NO_SCORES, *QUESTION_COLUMNS, *ID_COLUMNS, *ARM_COLUMNS, ""}
    measures = [name for name in _number_columns(rows) if name.lower() not in taken]
    for index, row in enumerate(rows):
        name = name_of(index, row)
        text = next((str(row[c]) for c in QUESTION_COLUMNS if row.get(c)), "")
        results.texts[name] = text
        results.add(str(row[arms]) if arms else arm, name, {m: row.get(m) for m in measures})
    return results


def _naming(rows: Sequence[Cells]) -> tuple[str, Callable[[int, Cells], str]]:
    """By what questions are told apart: their text, else an id, else the number of the row."""
    for kind, columns in (("text", QUESTION_COLUMNS), ("id", ID_COLUMNS)):
        column = next((name for name in columns if name in rows[0]), None)
        if column is not None and all(row.get(column) not in (None, "") for row in rows):
            return kind, partial(_named_by, column)
    return "row", lambda index, _: f"row {index + 1}"


def _named_by(column: str, _: int, row: Cells) -> str:
    return key_of(str(row[column]))


def _number_columns(rows: Sequence[Cells]) -> list[str]:
    """Columns in which every cell that is filled is a number, or yes or no."""
    found = []
    for name in rows[0]:
        filled = [row.get(name) for row in rows if row.get(name) not in (None, "")]
        if isinstance(name, str) and any(as_score(cell) is not None for cell in filled):
            empty = ("nan", "none", "null", "na", "n/a")
            strange = [c for c in filled if as_score(c) is None and str(c).strip().lower() not in empty]
            if not strange:
                found.append(name)
    return [name for name in found if not name.startswith("Unnamed")]


def _csv_rows(path: Path) -> Iterator[dict[str, str]]:
    lines = read_lines(path)
    mark = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=lines[0].count)
    csv.field_size_limit(2**27)  # a cell may hold all the passages that were found
    reader = csv.DictReader(io.StringIO("\n".join(lines), newline=""), delimiter=mark)
    try:
        for row in reader:
            if None in row:
                raise UserError(f"{path.name}, line {reader.line_num}: more cells than the head line has.")
            yield {str(name): value or "" for name, value in row.items()}
    except csv.Error as error:
        raise UserError(f"{path.name}, line {reader.line_num}: {error}.") from error


def _columns(path: Path, rows: Sequence[Cells]) -> Results:
    """A CSV file with a column of scores for each arm."""
    results = Results(path.name, "table", labels={"score": "Score"})
    if not rows:
        return results
    results.by, name_of = _naming(rows)
    for column in _number_columns(rows):
        if column.lower() not in {*ID_COLUMNS, *QUESTION_COLUMNS, "index", "row", ""}:
            for index, row in enumerate(rows):
                results.add(column, name_of(index, row), {"score": row.get(column)})
    return results


def _parquet_rows(path: Path) -> list[dict[str, JsonValue]]:
    """Rows of a parquet file, without the columns that hold lists."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        plain = [f.name for f in schema if not pa.types.is_nested(f.type)]
        rows: list[dict[str, JsonValue]] = pq.read_table(path, columns=plain).to_pylist()
    except (pa.ArrowException, OSError) as error:
        if not path.exists():
            raise UserError(f"There is no file {path}.") from error
        raise UserError(f"{path.name} is no parquet file that can be read: {error}.") from error
    return rows


def _autorag_node(folder: Path) -> Results:
    """A node folder of AutoRAG: `summary.csv`, and a parquet file for each module that was tried."""
    files = sorted(p for p in folder.glob("*.parquet") if not p.stem.startswith("best"))
    if not files:
        raise UserError(f"The folder {folder} holds no results of AutoRAG (0.parquet, 1.parquet, ...).")
    names = _module_names(folder / "summary.csv")
    results = Results(folder.name, "AutoRAG")
    for path in files:
        one = _rows_results(path.name, "AutoRAG", _parquet_rows(path), names.get(path.name, path.stem))
        results.by = one.by
        results.arms |= one.arms
        results.scales |= one.scales
        results.texts |= one.texts
    return results


def _module_names(summary: Path) -> dict[str, str]:
    """File -> `0, llama_index_llm`, where the node says which module each file is of."""
    if not summary.is_file():
        return {}
    rows: Iterable[dict[str, str]] = _csv_rows(summary)
    return {
        row["filename"]: f"{Path(row['filename']).stem}, {row['module_name']}"
        for row in rows
        if row.get("filename") and row.get("module_name")
    }
