"""Reads question sets of other tools: promptfoo's configuration, and rows of RAGAS, DeepEval and AutoRAG.

Enters: a YAML text, or a row with another tool's names. Leaves: rows in our own names, which `questions`
checks as any others. Only assertions that name literal words become gold answers: the others need a judge.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from backends.datatypes import JsonObject, JsonValue, UserError

log = logging.getLogger(__name__)

QUESTION_NAMES = ("question", "user_input", "query", "input", "prompt")
ANSWER_NAMES = (
    "answers", "answer", "reference", "expected_output", "expectedOutput", "ground_truth", "ground_truths",
    "generation_gt", "expected", "completion",
)  # fmt: skip
LITERAL = ("equals", "contains", "icontains", "contains-any", "icontains-any")  # assertions that name words
ReadText = Callable[[Path], str]


def in_our_names(row: JsonObject) -> JsonObject:
    """The row with `question` and `answers` where another tool calls them otherwise; a blank is none."""
    made = dict(row)
    question = next((name for name in QUESTION_NAMES if row.get(name) is not None), None)
    answer = next((name for name in ANSWER_NAMES if row.get(name) is not None), None)
    if question is not None:
        made["question"] = row[question]
    if any(name.startswith("__expected") for name in row):
        made["answers"] = _gold([_from_cell(row[n]) for n in row if n.startswith("__expected") and row[n]])
    elif answer is not None:
        value = row[answer]
        one = isinstance(value, str) and answer != "answers"
        made["answers"] = [value] if one and value.strip() else [] if one else value
    return made


def promptfoo_rows(path: Path, read: ReadText) -> list[JsonObject]:
    """The tests of a promptfoo configuration as question rows, in order; `read` gives a file's text.

    Tests without literal gold answers are left out, and a warning says how many. Raises UserError when none
    is left, or a file that the tests lie in is not there.
    """
    config = _yaml(path.name, read(path))
    if not isinstance(config, Mapping) or "tests" not in config:
        raise UserError(f'{path.name} is no promptfoo configuration: it has no "tests".')
    default = config.get("defaultTest")
    default = default if isinstance(default, Mapping) else {}
    rows: list[JsonObject] = []
    left_out = 0
    for number, test in enumerate(_tests(config["tests"], path.parent, read), start=1):
        found = list(_rows_of(test, default, number))
        rows += [row for row in found if row["answers"] is not None]
        left_out += sum(row["answers"] is None for row in found)
    if not rows:
        raise UserError(
            f"No test of {path.name} has words to judge an answer by: an assertion such as contains or "
            "equals (is-refusal for what cannot be answered), or a variable `answer`."
        )
    if left_out:
        log.warning("%s: %d tests without literal gold answers were left out.", path.name, left_out)
    return rows


def _tests(given: JsonValue, folder: Path, read: ReadText) -> Iterator[JsonObject]:
    """Every test, those in files that are pointed to included."""
    for test in given if isinstance(given, list) else [given]:
        if isinstance(test, str):
            yield from _tests_in(folder / test.removeprefix("file://"), read)
        elif isinstance(test, Mapping):
            yield test
        else:
            raise UserError('"tests" must be a list of tests, or name a file of them.')


def _tests_in(path: Path, read: ReadText) -> Iterator[JsonObject]:
    kind = path.suffix.lower()
    if kind not in (".yaml", ".yml", ".json", ".jsonl", ".csv"):
        raise UserError(f"The tests in {path.name} cannot be read: only YAML, JSON, JSONL and CSV files are.")
    text = read(path)
    if kind == ".csv":
        for row in csv.DictReader(io.StringIO(text, newline="")):
            expected = [v for name, v in row.items() if name and name.startswith("__expected") and v]
            own = {name: v for name, v in row.items() if name and not name.startswith("__")}
            yield {"vars": own, "assert": [_from_cell(cell) for cell in expected]}
        return
    lines = [line for line in text.split("\n") if line.strip()]
    content = [_yaml(path.name, line) for line in lines] if kind == ".jsonl" else _yaml(path.name, text)
    yield from _tests(content, path.parent, read)


def _yaml(name: str, text: str) -> JsonValue:
    """YAML, of which JSON is a part; only plain values, never objects of a program."""
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{name} is not valid YAML: {' '.join(str(error).split())[:200]}.") from error


def _rows_of(test: JsonObject, default: JsonObject, number: int) -> Iterator[dict[str, JsonValue]]:
    """One row, or one for each question where the variable is a list; `answers` is None without gold."""
    variables = {**_mapping(default.get("vars")), **_mapping(test.get("vars"))}
    name = next((n for n in QUESTION_NAMES if n in variables), None)
    if name is None and len(variables) == 1:
        name = next(iter(variables))
    if name is None:
        known = ", ".join(variables) or "none"
        raise UserError(f"test {number} has no variable `question`; it has: {known}.")
    assertions = [*_list(default.get("assert")), *_list(test.get("assert"))]
    metadata = _mapping(test.get("metadata"))
    asked = variables[name] if isinstance(variables[name], list) else [variables[name]]
    for turn, question in enumerate(asked, start=1):
        yield {
            "id": f"test-{number}" + (f"-{turn}" if len(asked) > 1 else ""),
            "question": question,
            "answers": _gold(assertions) if _has_gold(assertions) else _expected(variables),
            "documents": metadata.get("documents"),
            "category": metadata.get("category"),
        }


def _mapping(value: JsonValue) -> JsonObject:
    return value if isinstance(value, Mapping) else {}


def _list(value: JsonValue) -> list[JsonObject]:
    """Assertions, those of a set among them."""
    items = [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
    nested = [_list(item["assert"]) if item.get("type") == "assert-set" else [item] for item in items]
    return [item for each in nested for item in each]


def _has_gold(assertions: Sequence[JsonObject]) -> bool:
    return any(item.get("type") in (*LITERAL, "is-refusal") for item in assertions)


def _gold(assertions: Sequence[JsonObject]) -> list[str]:
    """Words that the assertions look for; none where a refusal is asked for."""
    found: list[str] = []
    for item in assertions:
        value = item.get("value")
        if item.get("type") in ("contains-any", "icontains-any") and isinstance(value, str):
            value = [part.strip() for part in value.split(",")]
        if item.get("type") in LITERAL and value is not None:
            found += [str(each) for each in (value if isinstance(value, list) else [value])]
    return found


def _expected(variables: JsonObject) -> list[str] | None:
    """The gold answer that a variable holds, or None."""
    name = next((n for n in ANSWER_NAMES if variables.get(n) not in (None, "")), None)
    if name is None:
        return None
    value = variables[name]
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _from_cell(cell: str) -> JsonObject:
    """promptfoo's short form of an assertion in a CSV cell: `contains: 30 days`; bare words mean equals."""
    kind, colon, value = cell.partition(":")
    if colon and kind.strip() in LITERAL:
        return {"type": kind.strip(), "value": value.strip()}
    if cell.strip() == "is-refusal":
        return {"type": "is-refusal"}
    return {"type": "equals", "value": cell.strip()}
